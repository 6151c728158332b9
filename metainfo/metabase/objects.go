package metabase

import (
	"context"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

const (
	// maxInlineDelete is the most segments of an object that are removed with it; those of a larger one, and of one in
	// parts, are left to SweepDead.
	maxInlineDelete = 1000
	// maxBatchRows is about how many rows a bounded transaction removes; it may exceed it by one object.
	maxBatchRows = 2000
	// maxJobRows is the same for jobs in the background, which leave segments to SweepDead: what they write is small, and
	// the more of it at once, the fewer pages are written twice.
	maxJobRows = 6000
	// maxBatchReads is about how many rows a bounded transaction looks at.
	maxBatchReads = 20_000
)

// budget counts the rows that a bounded transaction still may remove, and look at.
type budget struct {
	rows, reads int
	lazy        bool // segments are left to SweepDead, which removes them in their order
}

func newBudget() *budget { return &budget{rows: maxBatchRows, reads: maxBatchReads} }

// sweepBudget and jobBudget are for one transaction of many.
func (db *DB) sweepBudget() *budget { return db.bounded(newBudget()) }

func (db *DB) jobBudget() *budget {
	return db.bounded(&budget{rows: maxJobRows, reads: maxBatchReads, lazy: true})
}

func (db *DB) bounded(b *budget) *budget {
	if db.batch > 0 {
		b.rows, b.reads = min(b.rows, db.batch), min(b.reads, db.batch)
	}
	return b
}

func (b *budget) spent() bool { return b.rows <= 0 || b.reads <= 0 }

// checkRef applies the rules of object keys.
func checkRef(ref ObjectRef) error {
	if len(ref.Key) == 0 || len(ref.Key) > metainfo.MaxKeySize {
		return metainfo.ErrObjectKey
	}
	return nil
}

// Object returns an object's record.
//
// Errors: metainfo.ErrBucketNotFound, metainfo.ErrObjectNotFound, metainfo.ErrDeleteMarker.
func (db *DB) Object(ctx context.Context, ref ObjectRef) (object metainfo.Object, err error) {
	err = db.view(ctx, "get object", func(tx kv.Tx) error {
		row, err := find(tx, &ref, now())
		if err == nil {
			object = row.Object
		}
		return err
	})
	return object, err
}

// UpdateMetadata replaces the metadata of an object that still has this stream. What is locked keeps what it has.
//
// Errors: metainfo.ErrBucketNotFound, metainfo.ErrObjectNotFound, metainfo.ErrDeleteMarker, metainfo.ErrObjectChanged,
// metainfo.ErrLocked, metainfo.ErrMetadataTooLarge.
func (db *DB) UpdateMetadata(ctx context.Context, ref ObjectRef, stream metainfo.StreamID, metadata []byte) error {
	return db.UpdateMetadataOnce(ctx, ref, stream, metainfo.StreamID{}, metadata)
}

// UpdateMetadataOnce is UpdateMetadata which names the call: repeating one that succeeded does nothing. A zero name is
// none.
func (db *DB) UpdateMetadataOnce(
	ctx context.Context, ref ObjectRef, stream, name metainfo.StreamID, metadata []byte,
) error {
	if len(metadata) > metainfo.MaxMetadataSize {
		return metainfo.ErrMetadataTooLarge
	}
	return db.update(ctx, "update metadata", func(tx kv.Tx) error {
		at := now()
		if !name.IsZero() {
			if done, err := isEnded(tx, name, at); err != nil || done {
				return err
			}
			if err := end(tx, name, at); err != nil {
				return err
			}
		}
		row, err := find(tx, &ref, at)
		if err != nil {
			return err
		}
		if row.Stream != stream {
			return metainfo.ErrObjectChanged
		}
		if row.locked(at, false) {
			return metainfo.ErrLocked
		}
		row.Metadata = metadata
		return tables{}.objects().Put(tx, objectKey{ref, row.Version}, row)
	})
}

// deleteVersion removes a version's row and all that belongs to it, or marks its stream dead.
func deleteVersion(tx kv.Tx, ref *ObjectRef, row *objectRow, at time.Time, b *budget) error {
	if err := (tables{}).objects().Delete(tx, objectKey{*ref, row.Version}); err != nil {
		return err
	}
	b.rows--
	if row.Marker {
		return nil
	}
	if err := deleteExpiry(tx, row); err != nil {
		return err
	}
	young := row.Created.After(at.Add(-2 * endedPeriod)) // a token of it may be good still
	b.rows--
	switch {
	case row.Parts > 0 || row.Segments > maxInlineDelete || b.lazy && row.Segments > 0:
		if !young {
			at = time.Time{}
		}
		return tables{}.dead().Put(tx, row.Stream, &timeRow{at: at})
	case young:
		if err := end(tx, row.Stream, at); err != nil {
			return err
		}
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
