package metabase

import (
	"context"
	"errors"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

const (
	// maxInlineDelete is the most segments of an object that are removed with it; those of a larger one are left to
	// SweepDead.
	maxInlineDelete = 1000
	// maxBatchRows is about how many rows a bounded transaction removes; it may exceed it by one object.
	maxBatchRows = 2000
)

// budget counts the rows that a bounded transaction still may remove.
type budget struct{ rows int }

func newBudget() *budget { return &budget{maxBatchRows} }

func (b *budget) spent() bool { return b.rows <= 0 }

// checkRef applies the rules of object keys.
func checkRef(ref ObjectRef) error {
	if len(ref.Key) == 0 || len(ref.Key) > metainfo.MaxKeySize {
		return metainfo.ErrObjectKey
	}
	return nil
}

// latest returns the newest version of an object, expired or not. found is false if there is none.
func latest(tx kv.Tx, ref ObjectRef) (key objectKey, row objectRow, found bool, err error) {
	table := tables{}.objects()
	prefix := kv.AppendText(appendBucketPrefix(make([]byte, 0, 128), ref.Project, ref.Bucket), ref.Key)
	rows := table.Rows(tx, table.Prefix(prefix))
	defer rows.Close()
	if !rows.Next() {
		return key, row, false, rows.Err()
	}
	if key, err = rows.RowKey(); err != nil {
		return key, row, false, err
	}
	row, err = rows.Row()
	row.Key, row.Version = key.ref.Key, key.version
	return key, row, err == nil, err
}

// live is latest of an object that exists: it has not expired. Errors: metainfo.ErrObjectNotFound.
func live(tx kv.Tx, ref ObjectRef, at time.Time) (objectKey, objectRow, error) {
	key, row, found, err := latest(tx, ref)
	if err == nil && (!found || row.expired(at)) {
		err = metainfo.ErrObjectNotFound
	}
	return key, row, err
}

// missing is what to say of an object that was not found: perhaps its bucket is not there either.
func missing(tx kv.Tx, ref ObjectRef, err error) error {
	if errors.Is(err, metainfo.ErrObjectNotFound) {
		if bucketErr := checkBucket(tx, ref.Project, ref.Bucket); bucketErr != nil {
			return bucketErr
		}
	}
	return err
}

// Object returns an object's record. Errors: metainfo.ErrBucketNotFound, metainfo.ErrObjectNotFound.
func (db *DB) Object(ctx context.Context, ref ObjectRef) (object metainfo.Object, err error) {
	err = db.view(ctx, "get object", func(tx kv.Tx) error {
		_, row, err := live(tx, ref, now())
		object = row.Object
		return missing(tx, ref, err)
	})
	return object, err
}

// UpdateMetadata replaces the metadata of an object that still has this stream.
//
// Errors: metainfo.ErrBucketNotFound, metainfo.ErrObjectNotFound, metainfo.ErrObjectChanged,
// metainfo.ErrMetadataTooLarge.
func (db *DB) UpdateMetadata(ctx context.Context, ref ObjectRef, stream metainfo.StreamID, metadata []byte) error {
	if len(metadata) > metainfo.MaxMetadataSize {
		return metainfo.ErrMetadataTooLarge
	}
	return db.update(ctx, "update metadata", func(tx kv.Tx) error {
		key, row, err := live(tx, ref, now())
		if err != nil {
			return missing(tx, ref, err)
		}
		if row.Stream != stream {
			return metainfo.ErrObjectChanged
		}
		row.Metadata = metadata
		return tables{}.objects().Put(tx, key, &row)
	})
}

// DeleteObjects deletes objects of a bucket and says of each key whether there was one. It is one transaction for
// some keys at a time; after an error some may be deleted.
//
// Errors: metainfo.ErrBucketNotFound.
func (db *DB) DeleteObjects(ctx context.Context, project metainfo.ProjectID, bucket string, keys [][]byte) (
	[]bool, error,
) {
	deleted := make([]bool, len(keys))
	for next := 0; ; {
		from := next
		err := db.update(ctx, "delete objects", func(tx kv.Tx) error {
			if err := checkBucket(tx, project, bucket); err != nil {
				return err
			}
			at, b := now(), newBudget()
			for next = from; next < len(keys) && !b.spent(); next++ {
				key, row, found, err := latest(tx, ObjectRef{project, bucket, keys[next]})
				if err != nil {
					return err
				}
				deleted[next] = found && !row.expired(at)
				if !found {
					b.rows--
					continue
				}
				if err := deleteObject(tx, key, &row, b); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || next == len(keys) {
			return deleted, err
		}
	}
}

// deleteObject removes an object's row and all that belongs to it, or marks its stream dead.
func deleteObject(tx kv.Tx, key objectKey, row *objectRow, b *budget) error {
	if err := (tables{}).objects().Delete(tx, key); err != nil {
		return err
	}
	if err := deleteExpiry(tx, row); err != nil {
		return err
	}
	b.rows--
	if row.Segments > maxInlineDelete {
		return tables{}.dead().Put(tx, row.Stream, &emptyRow{})
	}
	if err := (tables{}).parts().Delete(tx, row.Stream); err != nil {
		return err
	}
	return deleteSegments(tx, row.Stream, b)
}

// deleteSegments removes all segment rows of a stream.
func deleteSegments(tx kv.Tx, stream metainfo.StreamID, b *budget) error {
	return kv.Scan(tx, tables{}.segments().Prefix(stream[:]), func(key, _ []byte) (bool, error) {
		b.rows--
		return true, tx.Delete(key)
	})
}

func expiryOf(row *objectRow) expiryKey {
	return expiryKey{nanos: uint64(max(row.Expires.UnixNano(), 0)), stream: row.Stream}
}

func deleteExpiry(tx kv.Tx, row *objectRow) error {
	if row.Expires.IsZero() {
		return nil
	}
	return tables{}.expiries().Delete(tx, expiryOf(row))
}

// putObject writes an object's row as the newest version, in place of old if found.
func putObject(tx kv.Tx, ref ObjectRef, row *objectRow, old *objectRow) error {
	row.Key, row.Version = ref.Key, 1
	if old != nil {
		row.Version = old.Version + 1
		if err := deleteObject(tx, objectKey{ref, old.Version}, old, newBudget()); err != nil {
			return err
		}
	}
	if !row.Expires.IsZero() {
		if err := (tables{}).expiries().Put(tx, expiryOf(row), &refRow{ref}); err != nil {
			return err
		}
	}
	return tables{}.objects().Put(tx, objectKey{ref, row.Version}, row)
}

// CopyObject is a copy or move within the satellite.
type CopyObject struct {
	From       ObjectRef
	Stream     metainfo.StreamID // that the source must have; zero: any
	To         ObjectRef
	WrappedKey []byte // content key, sealed for the new path
	Move       bool
	IfAbsent   bool // metainfo.ErrObjectExists if there is an object at To
}

// CopyObject copies rows under a new stream, or moves them, and returns the new object.
//
// Errors: metainfo.ErrObjectKey, metainfo.ErrBucketNotFound (either), metainfo.ErrObjectNotFound,
// metainfo.ErrObjectChanged, metainfo.ErrObjectExists, kv.ErrTooLarge for a copy of about 100,000 segments or more.
func (db *DB) CopyObject(ctx context.Context, c CopyObject) (object metainfo.Object, err error) {
	if err := checkRef(c.To); err != nil {
		return object, err
	}
	stream, at := metainfo.NewStreamID(), now()
	err = db.update(ctx, "copy object", func(tx kv.Tx) error {
		key, row, err := live(tx, c.From, at)
		if err != nil {
			return missing(tx, c.From, err)
		}
		if !c.Stream.IsZero() && row.Stream != c.Stream {
			return metainfo.ErrObjectChanged
		}
		old, err := destination(tx, c.To, c.IfAbsent, at)
		if err != nil {
			return err
		}
		row.WrappedKey = c.WrappedKey
		if c.Move {
			err = moveRows(tx, key, &row, c.To, old)
		} else {
			err = copyRows(tx, stream, at, &row, c.To, old)
		}
		object = row.Object
		return err
	})
	return object, err
}

// destination returns the object that is going to be replaced at ref, nil if there is none.
func destination(tx kv.Tx, ref ObjectRef, ifAbsent bool, at time.Time) (*objectRow, error) {
	if err := checkBucket(tx, ref.Project, ref.Bucket); err != nil {
		return nil, err
	}
	_, old, found, err := latest(tx, ref)
	if err != nil || !found {
		return nil, err
	}
	if ifAbsent && !old.expired(at) {
		return nil, metainfo.ErrObjectExists
	}
	return &old, nil
}

// moveRows gives the object another key; its stream stays.
func moveRows(tx kv.Tx, from objectKey, row *objectRow, to ObjectRef, old *objectRow) error {
	if err := (tables{}).objects().Delete(tx, from); err != nil {
		return err
	}
	if sameObject(from.ref, to) { // only the wrapped key changes
		row.Version++
		return tables{}.objects().Put(tx, objectKey{to, row.Version}, row)
	}
	return putObject(tx, to, row, old)
}

// copyRows writes all rows of the object's stream again under a new one.
func copyRows(tx kv.Tx, stream metainfo.StreamID, at time.Time, row *objectRow, to ObjectRef, old *objectRow) error {
	table := tables{}.segments()
	err := kv.Scan(tx, table.Prefix(row.Stream[:]), func(stored, value []byte) (bool, error) {
		key, err := table.ParseKey(stored)
		if err != nil {
			return false, err
		}
		key.stream = stream
		return true, tx.Put(table.Key(nil, key), value)
	})
	if err != nil {
		return err
	}
	parts, err := tables{}.parts().Get(tx, row.Stream)
	if err == nil {
		err = tables{}.parts().Put(tx, stream, &parts)
	}
	if err := orElse(err, nil); err != nil {
		return err
	}
	row.Stream, row.Created = stream, at
	return putObject(tx, to, row, old)
}
