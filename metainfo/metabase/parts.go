package metabase

import (
	"context"
	"errors"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// BeginUpload is an upload in parts that begins. What stands below Upload is kept with it for CommitObject, which may
// give other values.
type BeginUpload struct {
	Upload
	WrappedKey []byte
	Metadata   []byte
	Retention  metainfo.Retention
	LegalHold  bool
}

// BeginUpload writes an upload in parts, to be listed and resumed. It may be repeated.
//
// Errors: metainfo.ErrObjectKey, metainfo.ErrBucketNotFound, metainfo.ErrMetadataTooLarge, metainfo.ErrNoLock,
// metainfo.ErrRetention, metainfo.ErrUpload if the stream has ended.
func (db *DB) BeginUpload(ctx context.Context, u BeginUpload) error {
	if len(u.Metadata) > metainfo.MaxMetadataSize || len(u.WrappedKey) > metainfo.MaxWrappedKeySize {
		return metainfo.ErrMetadataTooLarge
	}
	if err := checkRef(u.ObjectRef); err != nil {
		return err
	}
	return db.update(ctx, "begin upload", func(tx kv.Tx) error {
		at := now()
		row := uploadRow{
			ref: refRow{u.ObjectRef}, created: u.Created, activity: at, expires: u.Expires, kind: uploadInParts,
			wrappedKey: u.WrappedKey, metadata: u.Metadata, retention: u.Retention, hold: u.LegalHold,
		}
		if row.created.IsZero() {
			row.created = at
		}
		if err := u.checkLock(tx, at); err != nil {
			return err
		}
		old, found, err := getUpload(tx, u.Stream)
		switch {
		case err != nil:
			return err
		case found && (old.kind != uploadInParts || !sameObject(old.ref.ObjectRef, u.ObjectRef)):
			return metainfo.ErrUpload
		case found:
			return nil
		}
		if err := checkOpen(tx, u.Stream, at); err != nil {
			return err
		}
		if err := (tables{}).pending().Put(tx, pendingKey{u.ObjectRef, u.Stream}, &emptyRow{}); err != nil {
			return err
		}
		return tables{}.uploads().Put(tx, u.Stream, &row)
	})
}

// checkLock refuses protection now that CommitObject would refuse.
func (u *BeginUpload) checkLock(tx kv.Tx, at time.Time) error {
	t := target{at: at}
	var err error
	if t.bucket, err = getBucket(tx, u.Project, u.Bucket); err != nil {
		return err
	}
	if err := checkRetention(u.Retention, at); err != nil {
		return err
	}
	row := &objectRow{Object: metainfo.Object{Expires: t.expiry(u.Expires)}}
	return t.protect(row, u.Retention, u.LegalHold)
}

// GetUpload returns an upload in parts that has not ended, without token. Errors: metainfo.ErrUpload, also if it is not
// one to ref.
func (db *DB) GetUpload(ctx context.Context, ref ObjectRef, stream metainfo.StreamID) (
	up metainfo.PendingUpload, err error,
) {
	err = db.view(ctx, "get upload", func(tx kv.Tx) error {
		row, err := uploadTo(tx, &ref, stream)
		if err == nil {
			up = row.pending(stream)
		}
		return err
	})
	return up, err
}

// uploadTo returns an upload in parts. Errors: metainfo.ErrUpload.
func uploadTo(tx kv.Tx, ref *ObjectRef, stream metainfo.StreamID) (uploadRow, error) {
	row, found, err := getUpload(tx, stream)
	if err == nil && (!found || row.kind != uploadInParts || !sameObject(row.ref.ObjectRef, *ref)) {
		err = metainfo.ErrUpload
	}
	return row, err
}

func (r *uploadRow) pending(stream metainfo.StreamID) metainfo.PendingUpload {
	return metainfo.PendingUpload{
		Key: r.ref.Key, Stream: stream, Created: r.created, Expires: r.expires, WrappedKey: r.wrappedKey,
		Metadata: r.metadata, Retention: r.retention, LegalHold: r.hold,
	}
}

// CommitPart is an attempt at a part that ends.
type CommitPart struct {
	Upload                     // with Part and Parent
	Last     *metainfo.Segment // last segment, if not yet committed
	Segments uint32            // how many in all
	Metadata []byte
}

// CommitPart makes an attempt the part of its number, in place of an older one, in one transaction. It may be repeated.
//
// Errors: metainfo.ErrObjectKey, metainfo.ErrPart, metainfo.ErrMetadataTooLarge, metainfo.ErrSegment,
// metainfo.ErrSegmentMissing, metainfo.ErrUpload when the upload has ended, or a later attempt took this one's place.
func (db *DB) CommitPart(ctx context.Context, c CommitPart) (part metainfo.Part, err error) {
	if len(c.Metadata) > metainfo.MaxPartMetadata {
		return part, metainfo.ErrMetadataTooLarge
	}
	if c.Part == 0 || c.Part > metainfo.MaxParts {
		return part, metainfo.ErrPart
	}
	at := now()
	last, err := c.lastRow(c.Last, at)
	if err != nil {
		return part, err
	}
	err = db.update(ctx, "commit part", func(tx kv.Tx) error {
		row, err := c.commit(tx, last, at)
		if err == nil {
			part = row.part(c.Part)
		}
		return err
	})
	return part, err
}

func (c *CommitPart) commit(tx kv.Tx, last *segmentRow, at time.Time) (row partRow, err error) {
	parent, err := uploadTo(tx, &c.ObjectRef, c.Parent)
	if err != nil {
		return row, err
	}
	key := partKey{c.Parent, c.Part}
	old, err := tables{}.parts().Get(tx, key)
	replaces := err == nil
	if err := orElse(err, nil); err != nil {
		return row, err
	}
	if replaces && old.stream == c.Stream { // the answer to an earlier call was lost
		return old, nil
	}
	pending, found, err := getUpload(tx, c.Stream)
	switch {
	case err != nil:
		return row, err
	case found && (pending.kind != partAttempt || pending.parent != c.Parent || pending.part != c.Part):
		return row, metainfo.ErrUpload
	case !found:
		if err := checkOpen(tx, c.Stream, at); err != nil {
			return row, err
		}
	}
	sum, err := c.gather(tx, found, last, c.Segments)
	if err != nil {
		return row, err
	}
	if replaces {
		if err := kill(tx, old.stream, at); err != nil {
			return row, err
		}
	}
	parent.activity = at
	if err := (tables{}).uploads().Put(tx, c.Parent, &parent); err != nil {
		return row, err
	}
	row = partRow{c.Stream, at, sum.segments, sum.plainSize, sum.encryptedSize, c.Metadata}
	return row, tables{}.parts().Put(tx, key, &row)
}

// UploadParts returns up to limit parts of an upload in parts, with numbers after the cursor, in order, and whether
// there are more. Errors: metainfo.ErrUpload.
func (db *DB) UploadParts(ctx context.Context, ref ObjectRef, stream metainfo.StreamID, cursor uint32, limit int) (
	list []metainfo.Part, more bool, err error,
) {
	err = db.view(ctx, "list parts", func(tx kv.Tx) error {
		if _, err := uploadTo(tx, &ref, stream); err != nil {
			return err
		}
		list, more, err = listParts(tx, stream, cursor, limit)
		return err
	})
	return list, more, err
}

// ObjectParts is UploadParts of an object; one that was not uploaded in parts has none.
// Errors: metainfo.ErrBucketNotFound, metainfo.ErrObjectNotFound, metainfo.ErrDeleteMarker.
func (db *DB) ObjectParts(ctx context.Context, ref ObjectRef, cursor uint32, limit int) (
	list []metainfo.Part, more bool, err error,
) {
	err = db.view(ctx, "list parts", func(tx kv.Tx) error {
		row, err := find(tx, &ref, now())
		if err != nil {
			return err
		}
		list, more, err = listParts(tx, row.Stream, cursor, limit)
		return err
	})
	return list, more, err
}

func listParts(tx kv.Tx, stream metainfo.StreamID, cursor uint32, limit int) (
	list []metainfo.Part, more bool, err error,
) {
	if limit <= 0 {
		limit = metainfo.MaxList
	}
	table := tables{}.parts()
	r := table.Prefix(stream[:])
	r.Start = table.Key(nil, partKey{stream, min(cursor, metainfo.MaxParts) + 1})
	err = table.Scan(tx, r, func(k partKey, row *partRow) (bool, error) {
		if len(list) == limit {
			more = true
			return false, nil
		}
		list = append(list, row.part(k.number))
		return true, nil
	})
	return list, more, err
}

// hasParts says whether a stream has parts.
func hasParts(tx kv.Tx, stream metainfo.StreamID) (bool, error) {
	c := tx.Cursor(tables{}.parts().Prefix(stream[:]))
	defer c.Close()
	return c.Next(), c.Err()
}

// partIndexOf returns the index of an object's parts; one that has few has an empty one.
func partIndexOf(tx kv.Tx, stream metainfo.StreamID) (partIndexRow, error) {
	row, err := tables{}.partIndex().Get(tx, stream)
	if errors.Is(err, kv.ErrNotFound) {
		return partIndexRow{}, nil
	}
	return row, err
}
