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
}

// CommitSegment stores a segment of an upload that goes on, and that the upload exists. It may be repeated; the last
// one stands. Created and Expires of the segment are set where zero.
//
// Errors: metainfo.ErrObjectKey, metainfo.ErrSegment, metainfo.ErrUpload when the upload has ended.
func (db *DB) CommitSegment(ctx context.Context, up Upload, segment metainfo.Segment) error {
	at := now()
	row, err := up.newRow(&segment, at)
	if err != nil {
		return err
	}
	return db.update(ctx, "commit segment", func(tx kv.Tx) error {
		pending, found, err := getUpload(tx, up.Stream)
		if err != nil {
			return err
		}
		if !found {
			if err := checkFresh(tx, up.Stream); err != nil {
				return err
			}
			pending = uploadRow{ref: refRow{up.ObjectRef}, created: up.Created, expires: up.Expires}
		}
		pending.activity = at
		if err := (tables{}).uploads().Put(tx, up.Stream, &pending); err != nil {
			return err
		}
		return tables{}.segments().Put(tx, segmentKey{up.Stream, segment.Position}, &row)
	})
}

// newRow checks what must hold for every segment and makes its row.
func (up *Upload) newRow(s *metainfo.Segment, at time.Time) (segmentRow, error) {
	if err := checkRef(up.ObjectRef); err != nil {
		return segmentRow{}, err
	}
	ok := s.Position.Part <= metainfo.MaxParts && s.Position.Index < metainfo.MaxSegments &&
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

// checkFresh returns metainfo.ErrUpload if the stream has segment rows: without a pending row they belong to an
// object, or are dead.
func checkFresh(tx kv.Tx, stream metainfo.StreamID) error {
	c := tx.Cursor(tables{}.segments().Prefix(stream[:]))
	defer c.Close()
	if c.Next() {
		return metainfo.ErrUpload
	}
	return c.Err()
}

// CommitObject ends an upload.
type CommitObject struct {
	Upload
	Last       *metainfo.Segment // last segment, if not yet committed
	Segments   uint32            // how many in all
	WrappedKey []byte
	Metadata   []byte
	IfAbsent   bool // metainfo.ErrObjectExists if there is an object of this key
}

// CommitObject makes an upload an object in one transaction, replacing an older one of the same key. An inline object
// is an upload of a fresh stream with its only segment as Last. Repeating a commit that succeeded succeeds.
//
// Errors: metainfo.ErrObjectKey, metainfo.ErrMetadataTooLarge, metainfo.ErrSegment, metainfo.ErrBucketNotFound,
// metainfo.ErrObjectExists, metainfo.ErrSegmentMissing, metainfo.ErrUpload when the upload ended otherwise.
func (db *DB) CommitObject(ctx context.Context, c CommitObject) (object metainfo.Object, err error) {
	if len(c.Metadata) > metainfo.MaxMetadataSize || len(c.WrappedKey) > metainfo.MaxWrappedKeySize {
		return object, metainfo.ErrMetadataTooLarge
	}
	if err := checkRef(c.ObjectRef); err != nil {
		return object, err
	}
	at := now()
	var last *segmentRow
	if c.Last != nil {
		row, err := c.newRow(c.Last, at)
		if err != nil {
			return object, err
		}
		last = &row
	}
	err = db.update(ctx, "commit object", func(tx kv.Tx) error {
		row, err := c.commit(tx, last, at)
		object = row.Object
		return err
	})
	return object, err
}

func (c *CommitObject) commit(tx kv.Tx, last *segmentRow, at time.Time) (objectRow, error) {
	if err := checkBucket(tx, c.Project, c.Bucket); err != nil {
		return objectRow{}, err
	}
	_, old, found, err := latest(tx, c.ObjectRef)
	switch {
	case err != nil:
		return objectRow{}, err
	case found && old.Stream == c.Stream: // the answer to an earlier call was lost
		return old, nil
	case found && c.IfAbsent && !old.expired(at):
		return objectRow{}, metainfo.ErrObjectExists
	}
	sum, err := c.gather(tx, last)
	if err != nil {
		return objectRow{}, err
	}
	row := objectRow{metainfo.Object{
		Stream: c.Stream, Created: at, Expires: c.Expires, Segments: c.Segments,
		PlainSize: sum.plainSize, EncryptedSize: sum.encryptedSize,
		WrappedKey: c.WrappedKey, Metadata: c.Metadata,
	}}
	if !found {
		return row, putObject(tx, c.ObjectRef, &row, nil)
	}
	return row, putObject(tx, c.ObjectRef, &row, &old)
}

// gather stores the last segment, checks that the stream is whole, and ends the pending row.
func (c *CommitObject) gather(tx kv.Tx, last *segmentRow) (sum streamSum, err error) {
	pending, err := tables{}.uploads().Has(tx, c.Stream)
	if err != nil {
		return sum, err
	}
	if !pending {
		if err := checkFresh(tx, c.Stream); err != nil {
			return sum, err
		}
	}
	if last != nil {
		if err := (tables{}).segments().Put(tx, segmentKey{c.Stream, c.Last.Position}, last); err != nil {
			return sum, err
		}
	}
	if !pending && last != nil { // the usual case: there is nothing to read back
		err = sum.add(c.Last.Position, last)
	} else if pending {
		err = sum.scan(tx, c.Stream)
	}
	if err == nil && sum.segments != c.Segments {
		err = metainfo.ErrSegmentMissing
	}
	if err != nil {
		return sum, err
	}
	if pending {
		if err := (tables{}).uploads().Delete(tx, c.Stream); err != nil {
			return sum, err
		}
	}
	if sum.numbered() {
		return sum, tables{}.parts().Put(tx, c.Stream, &partsRow{sum.parts})
	}
	return sum, nil
}

// streamSum adds up the segments of a stream and checks that none is missing: positions of a part start at 0, plain
// offsets are those of the sizes before.
type streamSum struct {
	segments                 uint32
	plainSize, encryptedSize int64
	parts                    []part
}

func (s *streamSum) scan(tx kv.Tx, stream metainfo.StreamID) error {
	table := tables{}.segments()
	return table.Scan(tx, table.Prefix(stream[:]), func(k segmentKey, row *segmentRow) (bool, error) {
		return true, s.add(k.position, row)
	})
}

func (s *streamSum) add(position metainfo.Position, row *segmentRow) error {
	if n := len(s.parts); n == 0 || s.parts[n-1].number != position.Part {
		s.parts = append(s.parts, part{number: position.Part})
	}
	p := &s.parts[len(s.parts)-1]
	if position.Index != p.segments || row.PlainOffset != p.plainSize {
		return metainfo.ErrSegmentMissing
	}
	p.segments++
	p.plainSize += row.PlainSize
	s.segments++
	s.plainSize += row.PlainSize
	s.encryptedSize += row.EncryptedSize
	return nil
}

// numbered says whether the object has part numbers, and so a row of parts.
func (s *streamSum) numbered() bool {
	return len(s.parts) > 1 || len(s.parts) == 1 && s.parts[0].number != 0
}

// AbortObject ends an upload without an object; its segments are removed by SweepDead. It may be repeated, and does
// nothing to an object.
func (db *DB) AbortObject(ctx context.Context, stream metainfo.StreamID) error {
	return db.update(ctx, "abort object", func(tx kv.Tx) error {
		_, found, err := getUpload(tx, stream)
		if err != nil || !found {
			return err
		}
		return killUpload(tx, stream)
	})
}

// killUpload turns a pending row into a dead one.
func killUpload(tx kv.Tx, stream metainfo.StreamID) error {
	if err := (tables{}).uploads().Delete(tx, stream); err != nil {
		return err
	}
	return tables{}.dead().Put(tx, stream, &emptyRow{})
}

// PendingUpload is an upload that has stored segments.
type PendingUpload struct {
	Upload
	Activity time.Time // of the last CommitSegment
}

// PendingUploads returns up to limit uploads to a bucket with streams after the cursor, in order of stream, and
// whether there are more. It reads past all uploads of others.
func (db *DB) PendingUploads(
	ctx context.Context, project metainfo.ProjectID, bucket string, cursor metainfo.StreamID, limit int,
) (list []PendingUpload, more bool, err error) {
	err = db.view(ctx, "list uploads", func(tx kv.Tx) error {
		list, more = nil, false
		table := tables{}.uploads()
		r := table.All()
		r.Start = table.Key(nil, cursor)
		return table.Scan(tx, r, func(stream streamKey, row *uploadRow) (bool, error) {
			if stream == cursor || row.ref.Project != project || row.ref.Bucket != bucket {
				return true, nil
			}
			if len(list) == limit {
				more = true
				return false, nil
			}
			list = append(list, PendingUpload{
				Upload:   Upload{row.ref.ObjectRef, stream, row.created, row.expires},
				Activity: row.activity,
			})
			return true, nil
		})
	})
	return list, more, err
}
