package endpoint

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/pieces"
)

// CommitObject makes an upload an object.
func (e *Endpoint) CommitObject(ctx context.Context, req *metainfo.CommitObjectRequest) (*metainfo.Object, error) {
	if len(req.Metadata) > metainfo.MaxMetadataSize || len(req.WrappedKey) > metainfo.MaxWrappedKeySize {
		return nil, metainfo.ErrMetadataTooLarge
	}
	if len(req.Upload) == 0 {
		return e.commitInline(ctx, req)
	}
	c, up, err := e.openUpload(ctx, req.Auth, req.Upload)
	if err != nil {
		return nil, err
	}
	t := &target{up: *up, stream: up.stream}
	switch {
	case up.parts && req.Last != nil:
		return nil, fmt.Errorf("%w: segments belong to parts", metainfo.ErrSegment)
	case !up.parts && len(req.Parts) > 0:
		return nil, fmt.Errorf("%w: the upload has none", metainfo.ErrPart)
	}
	if err := checkParts(req.Parts); err != nil {
		return nil, err
	}
	return e.commit(ctx, c, t, req)
}

// checkParts checks that numbers of parts ascend and are in bounds. Errors: metainfo.ErrPart.
func checkParts(parts []uint32) error {
	last := uint32(0)
	for _, number := range parts {
		if number <= last || number > metainfo.MaxParts {
			return fmt.Errorf("%w: %d after %d", metainfo.ErrPart, number, last)
		}
		last = number
	}
	return nil
}

// commitInline makes an object of a request that was not begun. Its stream follows from the request, so that repeating
// it finds what it did the first time.
func (e *Endpoint) commitInline(ctx context.Context, req *metainfo.CommitObjectRequest) (*metainfo.Object, error) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Write, req.Bucket, req.Key)
	if err != nil {
		return nil, err
	}
	switch {
	case req.Last != nil && len(req.Last.Token) != 0:
		return nil, fmt.Errorf("%w: remote segment without upload", metainfo.ErrUpload)
	case len(req.Parts) > 0:
		return nil, fmt.Errorf("%w: the object has none", metainfo.ErrPart)
	}
	expires, err := c.expiry(req.Expires)
	if err != nil {
		return nil, err
	}
	t := &target{
		up: uploadToken{
			project: c.project.ID, bucket: req.Bucket, key: req.Key, created: c.now.UTC(), expires: expires,
		},
		stream: e.inlineStream(c.project.ID, req),
	}
	t.up.stream = t.stream
	return e.commit(ctx, c, t, req)
}

// streamMAC makes a stream of what a request says: the same for a repeated one.
type streamMAC struct{ hash.Hash }

func (e *Endpoint) newStreamMAC(label string, project metainfo.ProjectID) streamMAC {
	m := streamMAC{hmac.New(sha256.New, e.opts.Secret[:])}
	m.part([]byte(label))
	m.part(project[:])
	return m
}

func (m streamMAC) part(b []byte) {
	_, _ = m.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b)))) // a hash never fails
	_, _ = m.Write(b)
}

func (m streamMAC) time(t time.Time) {
	nanos := int64(0)
	if !t.IsZero() {
		nanos = t.UnixNano()
	}
	m.part(binary.BigEndian.AppendUint64(nil, uint64(nanos)))
}

func (m streamMAC) flags(list ...bool) {
	packed := make([]byte, len(list))
	for i, set := range list {
		if set {
			packed[i] = 1
		}
	}
	m.part(packed)
}

func (m streamMAC) stream() (stream metainfo.StreamID) {
	copy(stream[:], m.Sum(nil))
	return stream
}

// inlineStream is a MAC of all that makes an inline object; salt and wrapped key are random for each attempt at one.
func (e *Endpoint) inlineStream(project metainfo.ProjectID, req *metainfo.CommitObjectRequest) metainfo.StreamID {
	m := e.newStreamMAC("storj/inline-stream/v1", project)
	m.part([]byte(req.Bucket))
	m.part(req.Key)
	m.part(req.WrappedKey)
	m.part(req.Metadata)
	m.time(req.Expires)
	m.time(req.Retention.Until)
	m.flags(req.LegalHold, req.IfAbsent)
	m.part(req.IfStream[:])
	if req.Last != nil {
		m.part(req.Last.Salt[:])
		m.part(req.Last.Inline)
	}
	return m.stream()
}

func (e *Endpoint) commit(ctx context.Context, c *caller, t *target, req *metainfo.CommitObjectRequest) (
	*metainfo.Object, error,
) {
	key := t.up.key
	if !c.mayLock(t.up.bucket, key, req.Retention, req.LegalHold) {
		return nil, metainfo.ErrDenied
	}
	commit := metabase.CommitObject{
		Upload: t.upload(), Segments: req.Segments, WrappedKey: req.WrappedKey, Metadata: req.Metadata,
		IfAbsent: req.IfAbsent, IfStream: req.IfStream, NoReplace: !c.may(macaroon.Delete, t.up.bucket, key),
		Parts: req.Parts, Retention: req.Retention, LegalHold: req.LegalHold, PlainSize: req.PlainSize,
	}
	settle := func() {}
	if req.Last != nil {
		var err error
		if commit.Last, settle, err = e.segment(ctx, t, req.Last); err != nil {
			return nil, err
		}
	}
	size, err := e.sizeOf(ctx, c, t, req)
	if err != nil {
		return nil, err
	}
	if size, err = e.reserve(ctx, c, commit.ObjectRef, t.stream, size); err != nil {
		return nil, err
	}
	object, err := e.db.CommitObject(ctx, commit)
	e.changes.bump(c.project.ID, t.up.bucket)
	if err != nil {
		e.meter.release(c.project.ID, size)
		return nil, replacing(err, req.IfAbsent)
	}
	e.meter.settle(c, size, &object)
	settle()
	c.hide(t.up.bucket, key, &object)
	return &object, nil
}

// reserve counts what is about to be stored and returns it. Where there is no room, a call that repeats one which has
// stored it already takes none.
//
// Errors: ErrStorageLimit, ErrObjectLimit.
func (e *Endpoint) reserve(
	ctx context.Context, c *caller, ref metabase.ObjectRef, stream metainfo.StreamID, size totals,
) (totals, error) {
	full := e.meter.reserve(ctx, c, size)
	if !errors.Is(full, metainfo.ErrStorageLimit) && !errors.Is(full, metainfo.ErrObjectLimit) {
		return size, full
	}
	if object, err := e.db.Object(ctx, ref); err != nil || object.Stream != stream {
		return size, full
	}
	return totals{}, nil
}

// replacing says what it means that an object exists which the caller may not delete.
func replacing(err error, ifAbsent bool) error {
	if errors.Is(err, metainfo.ErrObjectExists) && !ifAbsent {
		return fmt.Errorf("%w: replacing an object is deleting it", metainfo.ErrDenied)
	}
	return err
}

// sizeOf is what an object will take, as far as the request says. Of an upload in parts they are added up, where there
// is a limit that it matters to.
func (e *Endpoint) sizeOf(ctx context.Context, c *caller, t *target, req *metainfo.CommitObjectRequest) (totals, error) {
	size := totals{objects: 1, segments: int64(req.Segments)}
	if req.Last != nil {
		size.storage = req.Last.PlainOffset + req.Last.PlainSize
	}
	if l := &c.project.Limits; !t.up.parts || l.Storage == 0 && l.Segments == 0 {
		return size, nil
	}
	size = totals{objects: 1}
	for cursor, more := uint32(0), true; more; {
		var page []metainfo.Part
		var err error
		page, more, err = e.db.UploadParts(ctx, t.upload().ObjectRef, t.stream, cursor, metainfo.MaxList)
		if errors.Is(err, metainfo.ErrUpload) {
			return size, nil // it has ended, perhaps well: the commit knows
		}
		if err != nil {
			return size, err
		}
		for i := range page {
			cursor = page[i].Number
			if _, keep := slices.BinarySearch(req.Parts, cursor); keep || len(req.Parts) == 0 {
				size.storage += page[i].PlainSize
				size.segments += int64(page[i].Segments)
			}
		}
		more = more && len(page) > 0
	}
	return size, nil
}

// segment checks a segment and makes its record. settle tells those who want to know, once it is stored.
//
// Errors: ErrUpload, ErrSegment, ErrAcks.
func (e *Endpoint) segment(ctx context.Context, t *target, s *metainfo.NewSegment) (
	record *metainfo.Segment, settle func(), err error,
) {
	if err := t.check(s.Position); err != nil {
		return nil, nil, err
	}
	if err := checkSizes(s); err != nil {
		return nil, nil, err
	}
	record = &metainfo.Segment{
		Stream: t.stream, Position: s.Position, Created: time.Now().UTC(),
		PlainOffset: s.PlainOffset, PlainSize: s.PlainSize, EncryptedSize: s.EncryptedSize, Salt: s.Salt,
	}
	if len(s.Token) == 0 {
		record.Inline = s.Inline
		return record, func() {}, nil
	}
	var token segmentToken
	if e.sealer.open(kindSegment, s.Token, &token) != nil || token.stream != t.stream || tooOld(token.created) {
		return nil, nil, metainfo.ErrUpload
	}
	if token.position != s.Position {
		return nil, nil, fmt.Errorf("%w: planned for %s, committed at %s", metainfo.ErrSegment, token.position, s.Position)
	}
	record.Root, record.Placement = token.root, token.placement
	if record.Redundancy, err = withShares(token.scheme, s.ShareSize); err != nil {
		return nil, nil, err
	}
	v, err := e.checkAcks(&token, record.Redundancy, s)
	if err != nil {
		e.opts.Nodes.Suspect(s.Failed)
		return nil, nil, err
	}
	if record.Pieces, err = e.aliases(ctx, v); err != nil {
		return nil, nil, err
	}
	return record, func() { e.settle(t, record, v, s.Failed) }, nil
}

// settle tells selection how nodes fared, repair of what is short of pieces, and accounts what was stored.
func (e *Endpoint) settle(t *target, record *metainfo.Segment, v verdict, failed []netx.NodeID) {
	stored := v.nodes()
	e.opts.Nodes.Report(stored, e.hints.fresh(t.up.project, slices.Concat(failed, v.invalid), record.Created))
	if len(failed) > 0 {
		e.opts.Nodes.Suspect(failed)
	}
	if len(record.Pieces) < record.Redundancy.Optimal || v.lopsided {
		e.opts.Underfull(record.Stream, record.Position)
	}
	e.opts.Usage.Allocated(Allocation{
		Project: t.up.project, Bucket: t.up.bucket, Action: pieces.ActionPut, Useful: record.PlainSize,
	})
}
