package metabase

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

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

	// Versions lists all versions of each key, newest first, delete markers among them. The cursor is then a key and the
	// version of it that was listed last; CursorVersion 0: all of that key were.
	Versions      bool
	CursorVersion uint64

	Read *int // unless nil: takes how many rows were looked at, which may be many more than are listed
}

// maxPageBytes is about how many bytes of keys and metadata a page has at most: a thousand of the largest would take 8 MB,
// for as long as a slow client takes to fetch them, and the more clients the more often.
const maxPageBytes = 1 << 20

// ListObjects returns objects in order of key. Keys of the items are relative to the prefix. A collapsed prefix is
// listed once, in the place of its first object, and skipped with one seek; a cursor that lies in one is behind it. Keys
// whose latest version is a delete marker are left out, and prefixes that hold no others.
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
		if req.Read != nil {
			*req.Read = l.read
		}
		return err
	})
	return page, err
}

// lister walks one page.
type lister struct {
	req  *ListObjects
	tx   kv.Tx
	at   time.Time
	rows kv.Rows[objectKey, objectRow, *objectRow]
	base []byte // stored form of the bucket and the prefix: what all keys on the page begin with
	size int    // bytes of the page
	read int    // rows that were looked at

	stored  []byte // of the version seen last, its key in the table up to the number; empty before the first
	current bool   // of that key what requests without a version mean was seen
}

func newLister(tx kv.Tx, req *ListObjects) *lister {
	table := tables{}.objects()
	r := table.Prefix(kv.AppendTextPrefix(appendBucketPrefix(nil, req.Project, req.Bucket), req.Prefix))
	return &lister{req: req, tx: tx, at: now(), rows: table.Rows(tx, r), base: r.Start}
}

func (l *lister) page() (page metainfo.ObjectList, err error) {
	ok, err := l.first()
	for ok && err == nil {
		var item *metainfo.ListItem
		if item, err = l.item(); err != nil {
			break
		}
		if item == nil {
			ok = l.next()
			continue
		}
		if len(page.Items) == l.req.Limit || l.size >= maxPageBytes {
			page.More = true
			return page, nil
		}
		page.Items = append(page.Items, *item)
		l.size += len(item.Object.Key) + len(item.Object.WrappedKey) + len(item.Object.Metadata)
		if item.Prefix {
			ok = l.skip(item.Object.Key)
		} else {
			ok = l.next()
		}
	}
	if err == nil {
		err = l.rows.Err()
	}
	return page, err
}

// item looks at the row under the cursor and returns nil where there is nothing to list.
func (l *lister) item() (*metainfo.ListItem, error) {
	l.read++
	relative, version, err := l.key()
	if err != nil {
		return nil, err
	}
	if len(relative) == 0 && l.req.Limit == 1 && !l.req.Versions { // it could not be the cursor of the next page
		return nil, nil
	}
	row, err := l.rows.Row()
	if err != nil || row.expired(l.at) {
		return nil, err
	}
	latest := !l.current
	l.current = true
	row.Key, row.Version, row.Latest = relative, version, latest && l.req.Versions
	if !l.req.Versions && (!latest || row.Marker) {
		return nil, nil
	}
	if folder := l.folder(relative); folder != nil {
		return &metainfo.ListItem{Object: metainfo.Object{Key: folder}, Prefix: true}, nil
	}
	if !l.req.Metadata {
		row.WrappedKey, row.Metadata = nil, nil
	}
	return &metainfo.ListItem{Object: row.Object}, nil
}

// key reads the key under the cursor, relative to the prefix, and notes whether it is another than before.
//
// Ownership: relative is a copy.
func (l *lister) key() (relative []byte, version uint64, err error) {
	stored := l.rows.Key()
	name, rest, ok := kv.CutText(stored[len(l.base):])
	if !ok || len(rest) != 8 {
		_, err := l.rows.RowKey() // names the fault
		return nil, 0, err
	}
	if head := stored[:len(stored)-8]; !bytes.Equal(head, l.stored) {
		l.stored, l.current = append(l.stored[:0], head...), false
	}
	return bytes.Clone(name), ^binary.BigEndian.Uint64(rest), nil
}

// next moves to the next row, behind what is left of a key of which all that is listed was seen.
func (l *lister) next() bool {
	ok := l.rows.Next()
	if !ok || l.req.Versions || !l.current || !bytes.HasPrefix(l.rows.Key(), l.stored) {
		return ok
	}
	return l.rows.Seek(kv.PrefixEnd(l.stored))
}

// first moves to the first row behind the cursor.
func (l *lister) first() (bool, error) {
	within := l.req.Versions && l.req.CursorVersion != 0
	if len(l.req.Cursor) == 0 && !within {
		return l.rows.Next(), nil
	}
	if folder := l.folder(l.req.Cursor); folder != nil {
		return l.skip(folder), nil
	}
	if within {
		return l.within()
	}
	// All versions of the cursor's key begin with the key and its end.
	return l.seekPast(kv.AppendText(bytes.Clone(l.base), l.req.Cursor)), nil
}

// within moves behind a version of the cursor's key.
func (l *lister) within() (bool, error) {
	ref := ObjectRef{Project: l.req.Project, Bucket: l.req.Bucket, Key: append(bytes.Clone(l.req.Prefix), l.req.Cursor...)}
	top, live, err := newest(l.tx, &ref, l.at)
	if err != nil {
		return false, err
	}
	version := l.req.CursorVersion
	if version == metainfo.NullVersion {
		null, err := nullVersion(l.tx, &ref, top)
		if err != nil {
			return false, err
		}
		version = 0 // of a null version that has gone, all were listed
		if null != nil {
			version = null.Version
		}
	}
	l.stored = kv.AppendText(bytes.Clone(l.base), l.req.Cursor)
	l.current = live != nil && live.Version >= version
	return l.rows.Seek(append(tables{}.objects().Key(nil, objectKey{ref, version}), 0)), nil
}

// folder returns the collapsed prefix that a relative key lies in, nil if it is an item by itself.
func (l *lister) folder(relative []byte) []byte { return folderOf(relative, l.req.Recursive) }

func folderOf(relative []byte, recursive bool) []byte {
	if recursive {
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
