package metabase

import (
	"context"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// CommitObject ends an upload.
type CommitObject struct {
	Upload
	Last       *metainfo.Segment // last segment, if not yet committed
	Segments   uint32            // how many in all; of an upload in parts looked at with PlainSize only
	WrappedKey []byte
	Metadata   []byte

	IfAbsent  bool              // metainfo.ErrObjectExists if there is an object of this key; a delete marker is none
	IfStream  metainfo.StreamID // unless zero: as of metainfo.CommitObjectRequest
	NoReplace bool              // metainfo.ErrObjectExists if an object would be gone for good; one that becomes an older version is not

	Parts     []uint32           // of an upload in parts: ascending numbers of those to keep; empty: all
	PlainSize int64              // of an upload in parts: what they come to in all, else metainfo.ErrPart; 0: not looked at
	Retention metainfo.Retention // zero: as the bucket's default, or kept at the begin of an upload in parts
	LegalHold bool
}

// CommitObject makes an upload an object in one transaction: a new version of its key, or in place of an older one, as the
// bucket's versioning says. An inline object is an upload of a fresh stream with its only segment as Last. Repeating a
// commit that succeeded succeeds while the object is there, and makes nothing when it has gone.
//
// Of an upload in parts Last is nil, and WrappedKey, Metadata, Retention and LegalHold are those kept at its begin where
// the ones here are zero. Parts that are not kept are removed.
//
// Errors: metainfo.ErrObjectKey, metainfo.ErrMetadataTooLarge, metainfo.ErrSegment, metainfo.ErrBucketNotFound,
// metainfo.ErrObjectExists, metainfo.ErrObjectChanged, metainfo.ErrObjectNotFound, metainfo.ErrSegmentMissing,
// metainfo.ErrPart, metainfo.ErrNoLock, metainfo.ErrRetention, metainfo.ErrUpload when the upload ended otherwise.
func (db *DB) CommitObject(ctx context.Context, c CommitObject) (object metainfo.Object, err error) {
	if len(c.Metadata) > metainfo.MaxMetadataSize || len(c.WrappedKey) > metainfo.MaxWrappedKeySize {
		return object, metainfo.ErrMetadataTooLarge
	}
	if err := checkRef(c.ObjectRef); err != nil {
		return object, err
	}
	at := now()
	last, err := c.lastRow(c.Last, at)
	if err != nil {
		return object, err
	}
	err = db.update(ctx, "commit object", func(tx kv.Tx) error {
		row, err := c.commit(tx, last, at)
		if err == nil {
			object = row.Object
		}
		return err
	})
	return object, err
}

// lastRow is newRow of the last segment, nil if there is none.
func (up *Upload) lastRow(last *metainfo.Segment, at time.Time) (*segmentRow, error) {
	if last == nil {
		return nil, nil
	}
	row, err := up.newRow(last, at)
	return &row, err
}

func (c *CommitObject) commit(tx kv.Tx, last *segmentRow, at time.Time) (*objectRow, error) {
	t, err := aim(tx, c.ObjectRef, at)
	if err != nil {
		return nil, err
	}
	if old, err := t.repeated(tx, c.Stream); err != nil || old != nil { // the answer to an earlier call was lost
		return old, err
	}
	pending, found, err := getUpload(tx, c.Stream)
	if err == nil && !found {
		err = checkOpen(tx, c.Stream, at)
	}
	if err != nil {
		return nil, err
	}
	if err := t.check(tx, conditions{c.IfAbsent, c.IfStream, c.NoReplace}); err != nil {
		return nil, err
	}
	if err := checkRetention(c.Retention, at); err != nil {
		return nil, err
	}
	row := &objectRow{Object: metainfo.Object{
		Stream: c.Stream, Created: at, Expires: t.expiry(earliest(c.Expires, pending.expires)),
		WrappedKey: c.WrappedKey, Metadata: c.Metadata,
	}}
	switch {
	case found && pending.kind == uploadInParts:
		err = c.commitParts(tx, &pending, row, at)
	case found && pending.kind != plainUpload || len(c.Parts) > 0 || c.Part != 0:
		err = metainfo.ErrUpload
	default:
		err = c.commitPlain(tx, found, last, row, at)
	}
	if err != nil {
		return nil, err
	}
	retention, hold := c.Retention, c.LegalHold
	if (retention == metainfo.Retention{}) {
		retention = pending.retention
	}
	if err := t.protect(row, retention, hold || pending.hold); err != nil {
		return nil, err
	}
	return row, t.put(tx, row, newBudget())
}

func (c *CommitObject) commitPlain(tx kv.Tx, pending bool, last *segmentRow, row *objectRow, at time.Time) error {
	sum, err := c.gather(tx, pending, last, c.Segments)
	if err != nil {
		return err
	}
	row.Segments, row.PlainSize, row.EncryptedSize = sum.segments, sum.plainSize, sum.encryptedSize
	if sum.segments == 0 { // no segment row will tell a late call that the stream is taken
		return end(tx, c.Stream, at)
	}
	return nil
}

// commitParts adds up the parts that are kept, and removes the others. No row of those that stay is written.
func (c *CommitObject) commitParts(tx kv.Tx, pending *uploadRow, row *objectRow, at time.Time) error {
	if c.Last != nil {
		return metainfo.ErrSegment
	}
	if len(row.WrappedKey) == 0 {
		row.WrappedKey = pending.wrappedKey
	}
	if len(row.Metadata) == 0 {
		row.Metadata = pending.metadata
	}
	sum := partSum{keep: c.Parts, all: len(c.Parts) == 0}
	if err := sum.scan(tx, c.Stream, at); err != nil {
		return err
	}
	if sum.parts == 0 || !sum.all && int(sum.parts) != len(c.Parts) {
		return metainfo.ErrPart
	}
	if c.PlainSize != 0 && (c.PlainSize != sum.plainSize || c.Segments != sum.segments) {
		return metainfo.ErrPart // one was replaced since: what the metadata says of them would be wrong
	}
	row.Parts, row.Segments = sum.parts, sum.segments
	row.PlainSize, row.EncryptedSize = sum.plainSize, sum.encryptedSize
	if len(sum.index.places) > 1 {
		if err := (tables{}).partIndex().Put(tx, c.Stream, &sum.index); err != nil {
			return err
		}
	}
	if err := (tables{}).pending().Delete(tx, pendingKey{c.ObjectRef, c.Stream}); err != nil {
		return err
	}
	if err := end(tx, c.Stream, at); err != nil { // its segment rows are those of other streams
		return err
	}
	return tables{}.uploads().Delete(tx, c.Stream)
}

// partSum adds up the parts of an upload.
type partSum struct {
	keep []uint32 // ascending; numbers of the parts that come
	all  bool

	parts                    uint32
	segments                 uint32
	plainSize, encryptedSize int64
	index                    partIndexRow
}

func (s *partSum) scan(tx kv.Tx, stream metainfo.StreamID, at time.Time) error {
	table := tables{}.parts()
	keep := s.keep
	return table.Scan(tx, table.Prefix(stream[:]), func(k partKey, row *partRow) (bool, error) {
		for len(keep) > 0 && keep[0] < k.number {
			return false, metainfo.ErrPart // not uploaded, or not ascending
		}
		if !s.all && (len(keep) == 0 || keep[0] != k.number) {
			if err := table.Delete(tx, k); err != nil {
				return false, err
			}
			return true, kill(tx, row.stream, at)
		}
		if !s.all {
			keep = keep[1:]
		}
		s.add(k.number, row)
		return true, nil
	})
}

func (s *partSum) add(number uint32, row *partRow) {
	if s.parts%indexStep == 0 {
		s.index.places = append(s.index.places, partPlace{number, s.plainSize})
	}
	s.parts++
	s.segments += row.segments
	s.plainSize += row.plainSize
	s.encryptedSize += row.encryptedSize
}
