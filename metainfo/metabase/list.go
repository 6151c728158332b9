package metabase

import (
	"bytes"
	"context"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// ListObjects asks for a page of a bucket.
type ListObjects struct {
	Project   metainfo.ProjectID
	Bucket    string
	Prefix    []byte // encrypted
	Cursor    []byte // items after this one, relative to Prefix; empty: from the first
	Limit     int    // 1 to metainfo.MaxList; 0: metainfo.MaxList
	Recursive bool   // else keys with a further '/' are collapsed into one prefix
	Metadata  bool   // include WrappedKey and Metadata
}

// maxPageBytes is about how many bytes of keys and metadata a page has at most: a thousand of the largest would take 8 MB,
// for as long as a slow client takes to fetch them, and the more clients the more often.
const maxPageBytes = 1 << 20

// ListObjects returns objects in order of key. Keys of the items are relative to the prefix. A collapsed prefix is
// listed once, in the place of its first object, and skipped with one seek; a cursor that lies in one is behind it.
// A page may have fewer items than the limit although there are more.
// An object whose key is the prefix itself has an empty relative key, and is left out of pages of one item.
//
// Errors: metainfo.ErrBucketNotFound, metainfo.ErrListLimit.
func (db *DB) ListObjects(ctx context.Context, req ListObjects) (page metainfo.ObjectList, err error) {
	if req.Limit == 0 {
		req.Limit = metainfo.MaxList
	}
	if req.Limit < 0 || req.Limit > metainfo.MaxList ||
		len(req.Prefix) > metainfo.MaxKeySize || len(req.Cursor) > metainfo.MaxKeySize {
		return page, metainfo.ErrListLimit
	}
	err = db.view(ctx, "list objects", func(tx kv.Tx) error {
		if err := checkBucket(tx, req.Project, req.Bucket); err != nil {
			return err
		}
		l := newLister(tx, &req)
		defer l.rows.Close()
		page, err = l.page()
		return err
	})
	return page, err
}

// lister walks one page.
type lister struct {
	req  *ListObjects
	rows kv.Rows[objectKey, objectRow, *objectRow]
	base []byte // stored form of the bucket and the prefix: what all keys on the page begin with
}

func newLister(tx kv.Tx, req *ListObjects) *lister {
	table := tables{}.objects()
	r := table.Prefix(kv.AppendTextPrefix(appendBucketPrefix(nil, req.Project, req.Bucket), req.Prefix))
	return &lister{req: req, rows: table.Rows(tx, r), base: r.Start}
}

func (l *lister) page() (page metainfo.ObjectList, err error) {
	at := now()
	size := 0
	var last []byte // relative key of the object seen last
	for ok := l.first(); ok; {
		key, err := l.rows.RowKey()
		if err != nil {
			return page, err
		}
		relative := key.ref.Key[len(l.req.Prefix):]
		if last != nil && bytes.Equal(relative, last) || len(relative) == 0 && l.req.Limit == 1 {
			ok = l.rows.Next() // an older version; or what could not be the cursor of the next page
			continue
		}
		row, err := l.rows.Row()
		if err != nil {
			return page, err
		}
		last = relative
		if row.expired(at) {
			ok = l.rows.Next()
			continue
		}
		if len(page.Items) == l.req.Limit || size >= maxPageBytes {
			page.More = true
			return page, nil
		}
		if folder := l.folder(relative); folder != nil {
			size += len(folder)
			page.Items = append(page.Items, metainfo.ListItem{Object: metainfo.Object{Key: folder}, Prefix: true})
			ok = l.skip(folder)
			continue
		}
		object := l.object(relative, key.version, &row)
		size += len(object.Key) + len(object.WrappedKey) + len(object.Metadata)
		page.Items = append(page.Items, metainfo.ListItem{Object: object})
		ok = l.rows.Next()
	}
	return page, l.rows.Err()
}

// first moves to the first row behind the cursor.
func (l *lister) first() bool {
	if len(l.req.Cursor) == 0 {
		return l.rows.Next()
	}
	if folder := l.folder(l.req.Cursor); folder != nil {
		return l.skip(folder)
	}
	// All versions of the cursor's key begin with the key and its end.
	return l.seekPast(kv.AppendText(bytes.Clone(l.base), l.req.Cursor))
}

// folder returns the collapsed prefix that a relative key lies in, nil if it is an item by itself.
func (l *lister) folder(relative []byte) []byte {
	if l.req.Recursive {
		return nil
	}
	i := bytes.IndexByte(relative, '/')
	if i < 0 {
		return nil
	}
	return relative[:i+1]
}

func (l *lister) skip(folder []byte) bool {
	return l.seekPast(kv.AppendTextPrefix(bytes.Clone(l.base), folder))
}

// seekPast moves behind all stored keys that begin with prefix.
func (l *lister) seekPast(prefix []byte) bool {
	return l.rows.Seek(kv.PrefixEnd(prefix)) // never nil: a table's letter is below ff
}

func (l *lister) object(relative []byte, version uint64, row *objectRow) metainfo.Object {
	o := row.Object
	o.Key, o.Version = relative, version
	if !l.req.Metadata {
		o.WrappedKey, o.Metadata = nil, nil
	}
	return o
}
