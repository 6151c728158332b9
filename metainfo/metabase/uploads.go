package metabase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// Upload names an upload, as its sealed token does.
type Upload struct {
	ObjectRef
	Stream  metainfo.StreamID
	Created time.Time
	Expires time.Time // of the object; zero: never

	// Of an attempt at a part; else zero. Stream is then the attempt's own, Created and Expires are the upload's.
	Part   uint32            // its number, 1 to metainfo.MaxParts
	Parent metainfo.StreamID // the upload in parts
}

// CommitSegment stores a segment of an upload that goes on, and that the upload exists. It may be repeated; the last
// one stands. Its position is in the upload's part, 0 for one that is not an attempt at a part. Created and Expires of the
// segment are set where zero.
//
// Errors: metainfo.ErrObjectKey, metainfo.ErrPart, metainfo.ErrSegment, metainfo.ErrUpload when the upload has ended.
func (db *DB) CommitSegment(ctx context.Context, up Upload, segment metainfo.Segment) error {
	at := now()
	row, err := up.newRow(&segment, at)
	if err != nil {
		return err
	}
	return db.update(ctx, "commit segment", func(tx kv.Tx) error {
		if err := up.checkParent(tx); err != nil {
			return err
		}
		pending, found, err := getUpload(tx, up.Stream)
		switch {
		case err != nil:
			return err
		case !found:
			if err := checkOpen(tx, up.Stream, at); err != nil {
				return err
			}
			pending = up.newUpload()
		case pending.kind != up.kind():
			return metainfo.ErrUpload
		}
		pending.activity = at
		if err := (tables{}).uploads().Put(tx, up.Stream, &pending); err != nil {
			return err
		}
		return tables{}.segments().Put(tx, segmentKey{up.Stream, segment.Position}, &row)
	})
}

func (up *Upload) kind() uploadKind {
	if up.Part > 0 {
		return partAttempt
	}
	return plainUpload
}

func (up *Upload) newUpload() uploadRow {
	return uploadRow{
		ref: refRow{up.ObjectRef}, created: up.Created, expires: up.Expires, kind: up.kind(), parent: up.Parent, part: up.Part,
	}
}

// checkParent returns metainfo.ErrUpload for an attempt at a part whose upload has ended, metainfo.ErrPart for a number
// out of bounds.
func (up *Upload) checkParent(tx kv.Tx) error {
	if up.Part == 0 {
		return nil
	}
	if up.Part > metainfo.MaxParts {
		return metainfo.ErrPart
	}
	parent, found, err := getUpload(tx, up.Parent)
	if err == nil && (!found || parent.kind != uploadInParts || !sameObject(parent.ref.ObjectRef, up.ObjectRef)) {
		err = metainfo.ErrUpload
	}
	return err
}

// newRow checks what must hold for every segment and makes its row.
func (up *Upload) newRow(s *metainfo.Segment, at time.Time) (segmentRow, error) {
	if err := checkRef(up.ObjectRef); err != nil {
		return segmentRow{}, err
	}
	ok := s.Position.Part == up.Part && s.Position.Index < metainfo.MaxSegments &&
		s.PlainOffset >= 0 && s.PlainSize >= 0 && s.PlainSize <= metainfo.SegmentCipherSize &&
		s.EncryptedSize >= 0 && s.EncryptedSize <= metainfo.SegmentCipherSize && len(s.Inline) <= metainfo.InlineSize
	if s.IsInline() {
		ok = ok && len(s.Pieces) == 0
	} else {
		ok = ok && len(s.Inline) == 0 && len(s.Pieces) >= s.Redundancy.Required && s.Redundancy.Validate() == nil
	}
	last := -1
	for _, p := range s.Pieces {
		ok = ok && p.Number > last && p.Number < s.Redundancy.Total
		last = p.Number
	}
	if !ok {
		return segmentRow{}, fmt.Errorf("segment %s: %w", s.Position, metainfo.ErrSegment)
	}
	row := newSegmentRow(s)
	if row.Created.IsZero() {
		row.Created = at
	}
	if row.Expires.IsZero() {
		row.Expires = up.Expires
	}
	return row, nil
}

func getUpload(tx kv.Tx, stream metainfo.StreamID) (row uploadRow, found bool, err error) {
	row, err = tables{}.uploads().Get(tx, stream)
	if errors.Is(err, kv.ErrNotFound) {
		return row, false, nil
	}
	return row, err == nil, err
}

// gather stores the last segment of a stream, checks that the stream is whole, and ends its pending row.
//
// Errors: metainfo.ErrUpload, metainfo.ErrSegmentMissing.
func (up *Upload) gather(tx kv.Tx, pending bool, last *segmentRow, segments uint32) (sum streamSum, err error) {
	if last != nil {
		if err := (tables{}).segments().Put(tx, segmentKey{up.Stream, last.Position}, last); err != nil {
			return sum, err
		}
	}
	if !pending && last != nil { // the usual case: there is nothing to read back
		err = sum.add(last.Position, last)
	} else if pending {
		err = sum.scan(tx, up.Stream)
	}
	if err == nil && sum.segments != segments {
		err = metainfo.ErrSegmentMissing
	}
	if err == nil && pending {
		err = tables{}.uploads().Delete(tx, up.Stream)
	}
	return sum, err
}

// streamSum adds up the segments of a stream and checks that none is missing: indexes start at 0, plain offsets are
// those of the sizes before.
type streamSum struct {
	segments                 uint32
	plainSize, encryptedSize int64
}

func (s *streamSum) scan(tx kv.Tx, stream metainfo.StreamID) error {
	table := tables{}.segments()
	return table.Scan(tx, table.Prefix(stream[:]), func(k segmentKey, row *segmentRow) (bool, error) {
		return true, s.add(k.position, row)
	})
}

func (s *streamSum) add(position metainfo.Position, row *segmentRow) error {
	if position.Index != s.segments || row.PlainOffset != s.plainSize {
		return metainfo.ErrSegmentMissing
	}
	s.segments++
	s.plainSize += row.PlainSize
	s.encryptedSize += row.EncryptedSize
	return nil
}

// AbortObject ends an upload, in parts or not, or an attempt at a part; what it has stored is removed by SweepDead. It
// may be repeated, and does nothing to an object or to a part that was committed. What comes of the upload later is
// refused.
func (db *DB) AbortObject(ctx context.Context, stream metainfo.StreamID) error {
	return db.update(ctx, "abort object", func(tx kv.Tx) error {
		row, found, err := getUpload(tx, stream)
		if err != nil {
			return err
		}
		if !found {
			return end(tx, stream, now())
		}
		return killUpload(tx, stream, &row, now())
	})
}

// killUpload turns a pending row into a dead one.
func killUpload(tx kv.Tx, stream metainfo.StreamID, row *uploadRow, at time.Time) error {
	if err := (tables{}).uploads().Delete(tx, stream); err != nil {
		return err
	}
	if row.kind == uploadInParts {
		if err := (tables{}).pending().Delete(tx, pendingKey{row.ref.ObjectRef, stream}); err != nil {
			return err
		}
	}
	return kill(tx, stream, at)
}

// kill leaves what a stream has to SweepDead, and refuses what comes of it later.
func kill(tx kv.Tx, stream metainfo.StreamID, at time.Time) error {
	return tables{}.dead().Put(tx, stream, &timeRow{at: at})
}

// PendingUpload is an upload that has stored segments, or is in parts, or an attempt at a part.
type PendingUpload struct {
	Upload
	Activity time.Time // last sign of life
}

// PendingUploads returns up to limit uploads to a bucket with streams after the cursor, in order of stream, and
// whether there are more. It reads past all uploads of others. ListUploads is for those in parts alone, in order of key.
func (db *DB) PendingUploads(
	ctx context.Context, project metainfo.ProjectID, bucket string, cursor metainfo.StreamID, limit int,
) (list []PendingUpload, more bool, err error) {
	err = db.view(ctx, "list uploads", func(tx kv.Tx) error {
		list, more = nil, false
		table := tables{}.uploads()
		r := table.All()
		r.Start = table.Key(nil, cursor)
		return table.Scan(tx, r, func(stream streamKey, row *uploadRow) (bool, error) {
			other := row.ref.Project != project || row.ref.Bucket != bucket
			if stream == cursor || other || row.kind == copyInProgress {
				return true, nil
			}
			if len(list) == limit {
				more = true
				return false, nil
			}
			list = append(list, PendingUpload{
				Upload: Upload{
					ObjectRef: row.ref.ObjectRef, Stream: stream, Created: row.created, Expires: row.expires,
					Part: row.part, Parent: row.parent,
				},
				Activity: row.activity,
			})
			return true, nil
		})
	})
	return list, more, err
}
