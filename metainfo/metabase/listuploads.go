package metabase

import (
	"bytes"
	"context"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// ListUploads asks for a page of the uploads in parts to a bucket.
type ListUploads struct {
	Project      metainfo.ProjectID
	Bucket       string
	Prefix       []byte            // encrypted
	Cursor       []byte            // keys after this one, relative to Prefix; empty: from the first
	CursorStream metainfo.StreamID // uploads of the cursor's key after this one; zero: none of them
	Limit        int               // 1 to metainfo.MaxList; 0: metainfo.MaxList
	Recursive    bool
}

// ListUploads returns uploads in parts that have not ended, by key, then stream, as ListObjects lists objects.
//
// Errors: metainfo.ErrBucketNotFound, metainfo.ErrListLimit.
func (db *DB) ListUploads(ctx context.Context, req ListUploads) (page metainfo.UploadList, err error) {
	if req.Limit == 0 {
		req.Limit = metainfo.MaxList
	}
	if req.Limit < 0 || req.Limit > metainfo.MaxList ||
		len(req.Prefix) > metainfo.MaxKeySize || len(req.Cursor) > metainfo.MaxKeySize {
		return page, metainfo.ErrListLimit
	}
	err = db.view(ctx, "list uploads", func(tx kv.Tx) error {
		if err := checkBucket(tx, req.Project, req.Bucket); err != nil {
			return err
		}
		page, err = req.page(tx)
		return err
	})
	return page, err
}

func (req *ListUploads) page(tx kv.Tx) (page metainfo.UploadList, err error) {
	table := tables{}.pending()
	r := table.Prefix(kv.AppendTextPrefix(appendBucketPrefix(nil, req.Project, req.Bucket), req.Prefix))
	rows := table.Rows(tx, r)
	defer rows.Close()
	size := 0
	for ok := req.first(rows, r.Start); ok; {
		key, err := rows.RowKey()
		if err != nil {
			return page, err
		}
		if len(page.Items) == req.Limit || size >= maxPageBytes {
			page.More = true
			return page, nil
		}
		relative := key.ref.Key[len(req.Prefix):]
		if folder := folderOf(relative, req.Recursive); folder != nil {
			page.Items = append(page.Items, metainfo.UploadItem{Upload: metainfo.PendingUpload{Key: folder}, Prefix: true})
			ok = rows.Seek(kv.PrefixEnd(kv.AppendTextPrefix(bytes.Clone(r.Start), folder)))
			continue
		}
		row, found, err := getUpload(tx, key.stream)
		if err != nil {
			return page, err
		}
		if found {
			item := metainfo.UploadItem{Upload: row.pending(key.stream)}
			item.Upload.Key = relative
			page.Items = append(page.Items, item)
			size += len(relative) + len(row.wrappedKey) + len(row.metadata)
		}
		ok = rows.Next()
	}
	return page, rows.Err()
}

// first moves to the first upload behind the cursor.
func (req *ListUploads) first(rows kv.Rows[pendingKey, emptyRow, *emptyRow], base []byte) bool {
	if len(req.Cursor) == 0 {
		return rows.Next()
	}
	base = bytes.Clone(base)
	if folder := folderOf(req.Cursor, req.Recursive); folder != nil {
		return rows.Seek(kv.PrefixEnd(kv.AppendTextPrefix(base, folder)))
	}
	base = kv.AppendText(base, req.Cursor)
	if req.CursorStream.IsZero() {
		return rows.Seek(kv.PrefixEnd(base))
	}
	return rows.Seek(append(append(base, req.CursorStream[:]...), 0))
}
