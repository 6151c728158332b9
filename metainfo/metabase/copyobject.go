package metabase

import (
	"context"
	"errors"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// CopyObject is a copy or move within the satellite.
type CopyObject struct {
	From       ObjectRef
	Stream     metainfo.StreamID // that the source must have; zero: any
	To         ObjectRef
	WrappedKey []byte // content key, sealed for the new path
	Move       bool

	IfAbsent  bool              // as of CommitObject
	IfStream  metainfo.StreamID // of To, as of CommitObject
	NoReplace bool              // as of CommitObject
	Retention metainfo.Retention
	LegalHold bool

	// ReplaceMetadata has the copy carry Metadata and expire at Expires, or with its source if that is sooner: the pieces
	// on the nodes are those of the source.
	ReplaceMetadata bool
	Metadata        []byte
	Expires         time.Time

	// NewStream is the copy's stream; of a move it only names the call. Repeating a call with the same one finds what the
	// first did, or does nothing. Zero: a random one, so that repeating a copy makes another, and a move is done again if
	// what it moved is back. The endpoint makes it of all that is in the request, as for inline objects.
	NewStream metainfo.StreamID
}

// CopyObject copies rows under a new stream, or moves them, and returns the new object. A version may be copied onto its
// own key, which makes it the newest. Repeating a call that succeeded succeeds while the new object is there.
//
// What has more than a thousand segments or parts is copied by several transactions; the new object is there after the
// last one, and a copy that does not get there is removed as uploads are.
//
// Errors: metainfo.ErrObjectKey, metainfo.ErrMetadataTooLarge, metainfo.ErrBucketNotFound (either),
// metainfo.ErrObjectNotFound, metainfo.ErrDeleteMarker, metainfo.ErrObjectChanged, metainfo.ErrObjectExists,
// metainfo.ErrLocked for a move of what is locked, metainfo.ErrNoLock, metainfo.ErrRetention, metainfo.ErrUpload for a
// repeated copy that has been replaced or deleted.
func (db *DB) CopyObject(ctx context.Context, c CopyObject) (object metainfo.Object, err error) {
	if err := checkRef(c.To); err != nil {
		return object, err
	}
	if len(c.Metadata) > metainfo.MaxMetadataSize || len(c.WrappedKey) > metainfo.MaxWrappedKeySize {
		return object, metainfo.ErrMetadataTooLarge
	}
	at := now()
	if c.NewStream.IsZero() && !c.Move {
		c.NewStream = metainfo.NewStreamID()
	}
	var row, source *objectRow
	err = db.update(ctx, "copy object", func(tx kv.Tx) (err error) {
		source = nil
		if row, err = c.made(tx, at); err != nil || row != nil {
			return err
		}
		found, err := c.source(tx, at)
		if err != nil {
			return err
		}
		if !c.Move && max(found.Segments, found.Parts) > maxInlineDelete {
			source = found
			return nil
		}
		row, err = c.apply(tx, found, at)
		return err
	})
	if err == nil && source != nil {
		row, err = db.copyLarge(ctx, &c, source)
	}
	if err != nil {
		return object, err
	}
	return row.Object, nil
}

// made returns what an earlier call has made, nil if this one is to do it.
func (c *CopyObject) made(tx kv.Tx, at time.Time) (*objectRow, error) {
	t, err := aim(tx, c.To, at)
	if err != nil {
		return nil, err
	}
	if c.Move && c.NewStream.IsZero() {
		if _, err := c.source(tx, at); c.Stream.IsZero() || !isGone(err) {
			return nil, nil
		}
		return t.repeated(tx, c.Stream)
	}
	if c.Move {
		if done, err := isEnded(tx, c.NewStream, at); err != nil || !done {
			return nil, err
		}
		row, err := t.repeated(tx, c.Stream)
		if err == nil && row == nil {
			err = metainfo.ErrUpload
		}
		return row, err
	}
	row, err := t.repeated(tx, c.NewStream)
	if err != nil || row != nil {
		return row, err
	}
	_, pending, err := getUpload(tx, c.NewStream)
	if err == nil && !pending {
		err = checkOpen(tx, c.NewStream, at)
	}
	return nil, err
}

// isGone says whether an error is that a source is not, or no longer, there.
func isGone(err error) bool {
	return errors.Is(err, metainfo.ErrObjectNotFound) || errors.Is(err, metainfo.ErrDeleteMarker) ||
		errors.Is(err, metainfo.ErrObjectChanged)
}

func (c *CopyObject) source(tx kv.Tx, at time.Time) (*objectRow, error) {
	row, err := find(tx, &c.From, at)
	switch {
	case err != nil:
		return nil, err
	case !c.Stream.IsZero() && row.Stream != c.Stream:
		return nil, metainfo.ErrObjectChanged
	case c.Move && row.locked(at, false):
		return nil, metainfo.ErrLocked
	}
	return row, nil
}

// apply moves the source, or copies it with all its rows.
func (c *CopyObject) apply(tx kv.Tx, source *objectRow, at time.Time) (*objectRow, error) {
	t, err := c.aim(tx, at)
	if err != nil {
		return nil, err
	}
	row, err := c.newRow(&t, source)
	if err != nil {
		return nil, err
	}
	if c.Move {
		row.Stream, row.Created, row.moved = source.Stream, source.Created, at
		if err := c.takeAway(tx, source); err != nil {
			return nil, err
		}
		if t.top, t.live, err = newest(tx, &t.ref, at); err != nil {
			return nil, err
		}
		if !c.NewStream.IsZero() {
			if err := end(tx, c.NewStream, at); err != nil {
				return nil, err
			}
		}
		return row, t.put(tx, row, newBudget())
	}
	if err := logCopy(tx, c.NewStream, at); err != nil {
		return nil, err
	}
	if _, _, err := copyRows(tx, source, c.NewStream, copyCursor{}, 3*maxInlineDelete); err != nil {
		return nil, err
	}
	return row, c.place(tx, &t, source, row)
}

// aim reads the destination and applies the conditions.
func (c *CopyObject) aim(tx kv.Tx, at time.Time) (target, error) {
	t, err := aim(tx, c.To, at)
	if err == nil {
		err = t.check(tx, conditions{c.IfAbsent, c.IfStream, c.NoReplace})
	}
	return t, err
}

// newRow is the record of the copy.
func (c *CopyObject) newRow(t *target, source *objectRow) (*objectRow, error) {
	row := &objectRow{Object: source.Object}
	row.Stream, row.Created, row.WrappedKey = c.NewStream, t.at, c.WrappedKey
	if c.ReplaceMetadata {
		row.Metadata, row.Expires = c.Metadata, earliest(c.Expires, source.Expires)
	}
	row.Expires = t.expiry(row.Expires)
	if err := checkRetention(c.Retention, t.at); err != nil {
		return nil, err
	}
	return row, t.protect(row, c.Retention, c.LegalHold)
}

// takeAway removes the row of a version that is moved; its stream stays.
func (c *CopyObject) takeAway(tx kv.Tx, source *objectRow) error {
	if err := deleteExpiry(tx, source); err != nil {
		return err
	}
	return tables{}.objects().Delete(tx, objectKey{c.From, source.Version})
}

// place writes the record of a copy whose other rows are there.
func (c *CopyObject) place(tx kv.Tx, t *target, source, row *objectRow) error {
	index, err := partIndexOf(tx, source.Stream)
	if err == nil && len(index.places) > 0 {
		err = tables{}.partIndex().Put(tx, c.NewStream, &index)
	}
	if err == nil && (row.Segments == 0 || row.Parts > 0) { // as of commitPlain
		err = end(tx, c.NewStream, t.at)
	}
	if err != nil {
		return err
	}
	return t.put(tx, row, newBudget())
}

// copyLarge copies in several transactions. The new stream is pending until the last one, and is logged in each.
func (db *DB) copyLarge(ctx context.Context, c *CopyObject, source *objectRow) (row *objectRow, err error) {
	c.From.Version, c.Stream = source.Version, source.Stream
	next, done := copyCursor{}, false
	for first := true; err == nil && !done; first = false {
		from := next
		err = db.update(ctx, "copy segments", func(tx kv.Tx) (err error) {
			at := now()
			if _, err := c.pinned(tx, at); err != nil {
				return err
			}
			if err := c.pend(tx, first, at); err != nil {
				return err
			}
			next, done, err = copyRows(tx, source, c.NewStream, from, maxBatchRows)
			return err
		})
	}
	if err == nil {
		err = db.update(ctx, "copy object", func(tx kv.Tx) (err error) {
			row, err = c.finish(tx, now())
			return err
		})
	}
	if err != nil {
		_ = db.AbortObject(ctx, c.NewStream) // best effort: DeleteZombies does it else
	}
	return row, err
}

// pinned is source of a version that was there before.
func (c *CopyObject) pinned(tx kv.Tx, at time.Time) (*objectRow, error) {
	row, err := c.source(tx, at)
	if isGone(err) {
		err = metainfo.ErrObjectChanged
	}
	return row, err
}

// pend says that a copy goes on. Errors: metainfo.ErrUpload where it should have begun and is not pending.
func (c *CopyObject) pend(tx kv.Tx, first bool, at time.Time) error {
	pending, found, err := getUpload(tx, c.NewStream)
	switch {
	case err != nil:
		return err
	case found && pending.kind != copyInProgress || !found && !first:
		return metainfo.ErrUpload
	case !found:
		if err := checkOpen(tx, c.NewStream, at); err != nil {
			return err
		}
		pending = uploadRow{ref: refRow{c.To}, created: at, kind: copyInProgress}
	}
	pending.activity = at
	if err := (tables{}).uploads().Put(tx, c.NewStream, &pending); err != nil {
		return err
	}
	return logCopy(tx, c.NewStream, at)
}

// finish makes the object of a large copy.
func (c *CopyObject) finish(tx kv.Tx, at time.Time) (*objectRow, error) {
	if row, err := c.made(tx, at); err != nil || row != nil {
		return row, err
	}
	source, err := c.pinned(tx, at)
	if err != nil {
		return nil, err
	}
	if err := c.pend(tx, false, at); err != nil {
		return nil, err
	}
	t, err := c.aim(tx, at)
	if err != nil {
		return nil, err
	}
	row, err := c.newRow(&t, source)
	if err != nil {
		return nil, err
	}
	if err := (tables{}).uploads().Delete(tx, c.NewStream); err != nil {
		return nil, err
	}
	return row, c.place(tx, &t, source, row)
}

// copyCursor is the next segment to copy, or part where index is 0.
type copyCursor struct{ part, index uint32 }

// copyRows copies up to limit rows of parts and segments under a new stream, which all of the copy then has, and says
// whether that was all.
func copyRows(tx kv.Tx, source *objectRow, to metainfo.StreamID, from copyCursor, limit int) (
	next copyCursor, done bool, err error,
) {
	if source.Parts == 0 {
		next.index, done, err = copySegments(tx, segmentKey{stream: source.Stream}, to, from.index, &limit)
		return next, done, err
	}
	done, next = true, from
	table := tables{}.parts()
	r := table.Prefix(source.Stream[:])
	r.Start = table.Key(nil, partKey{source.Stream, from.part})
	err = table.Scan(tx, r, func(k partKey, row *partRow) (bool, error) {
		if k.number != next.part {
			next = copyCursor{part: k.number}
		}
		if limit <= 0 {
			done = false
			return false, nil
		}
		first := segmentKey{row.stream, metainfo.Position{Part: k.number}}
		if next.index == 0 {
			row.stream = to
			limit--
			if err := table.Put(tx, partKey{to, k.number}, row); err != nil {
				return false, err
			}
		}
		next.index, done, err = copySegments(tx, first, to, next.index, &limit)
		return done, err
	})
	return next, done, err
}

// copySegments copies the segments of one part from an index on.
func copySegments(tx kv.Tx, part segmentKey, to metainfo.StreamID, index uint32, limit *int) (
	next uint32, done bool, err error,
) {
	table := tables{}.segments()
	r := table.Prefix(kv.AppendUint32(append(make([]byte, 0, 20), part.stream[:]...), part.position.Part))
	part.position.Index = index
	r.Start = table.Key(nil, part)
	next, done = index, true
	err = kv.Scan(tx, r, func(stored, value []byte) (bool, error) {
		key, err := table.ParseKey(stored)
		if err != nil {
			return false, err
		}
		if *limit <= 0 {
			next, done = key.position.Index, false
			return false, nil
		}
		*limit--
		key.stream = to
		return true, tx.Put(table.Key(nil, key), value)
	})
	return next, done, err
}
