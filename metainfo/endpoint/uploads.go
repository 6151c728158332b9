package endpoint

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/netx"
)

// BeginObject starts an upload.
func (e *Endpoint) BeginObject(ctx context.Context, req *metainfo.BeginObjectRequest) (
	*metainfo.BeginObjectResult, error,
) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Write, req.Bucket, req.Key)
	if err != nil {
		return nil, err
	}
	if len(req.Key) == 0 || len(req.Key) > metainfo.MaxKeySize {
		return nil, metainfo.ErrObjectKey
	}
	expires, err := c.expiry(req.Expires)
	if err != nil {
		return nil, err
	}
	if _, err := e.db.Bucket(ctx, c.project.ID, req.Bucket); err != nil {
		return nil, err
	}
	up := uploadToken{
		project: c.project.ID, bucket: req.Bucket, key: req.Key, stream: metainfo.NewStreamID(),
		created: c.now.UTC(), expires: expires,
	}
	result := &metainfo.BeginObjectResult{Upload: e.sealer.seal(kindUpload, &up)}
	if req.Plan {
		if result.Plan, err = e.plan(&up, metainfo.Position{}); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// BeginSegment plans a segment.
func (e *Endpoint) BeginSegment(ctx context.Context, req *metainfo.BeginSegmentRequest) (*metainfo.SegmentPlan, error) {
	_, up, err := e.openUpload(ctx, req.Auth, req.Upload)
	if err != nil {
		return nil, err
	}
	return e.plan(up, req.Position)
}

// ReplacePieces gives other nodes for pieces of a plan.
func (e *Endpoint) ReplacePieces(ctx context.Context, req *metainfo.ReplacePiecesRequest) (
	*metainfo.ReplacePiecesResult, error,
) {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	var token segmentToken
	if e.sealer.open(kindSegment, req.Token, &token) != nil || token.project != c.project.ID || tooOld(token.created) {
		return nil, metainfo.ErrUpload
	}
	if !c.may(macaroon.Write, token.bucket, token.key) {
		return nil, metainfo.ErrDenied
	}
	numbers := slices.Clone(req.Numbers)
	slices.Sort(numbers)
	if len(slices.Compact(slices.Clone(numbers))) != len(numbers) {
		return nil, fmt.Errorf("%w: piece number twice", metainfo.ErrSegment)
	}
	if len(numbers) > 0 && (numbers[0] < 0 || numbers[len(numbers)-1] >= token.scheme.Total) {
		return nil, fmt.Errorf("%w: piece number out of range", metainfo.ErrSegment)
	}
	limits := e.replace(&token, numbers, req.Exclude)
	if len(limits) < len(numbers) { // a network so small that whoever is missing matters: see who is there
		e.opts.Nodes.Suspect(req.Exclude)
	}
	return &metainfo.ReplacePiecesResult{Limits: limits}, nil
}

// openUpload checks an upload token against the key that shows it. Errors: ErrUpload, those of the gate.
func (e *Endpoint) openUpload(ctx context.Context, auth metainfo.Auth, sealed []byte) (*caller, *uploadToken, error) {
	c, err := e.gate.identify(ctx, auth)
	if err != nil {
		return nil, nil, err
	}
	up := new(uploadToken)
	if e.sealer.open(kindUpload, sealed, up) != nil || up.project != c.project.ID || tooOld(up.created) {
		return nil, nil, metainfo.ErrUpload
	}
	if !c.may(macaroon.Write, up.bucket, up.key) {
		return nil, nil, metainfo.ErrDenied
	}
	return c, up, nil
}

func (up *uploadToken) upload() metabase.Upload {
	return metabase.Upload{
		ObjectRef: metabase.ObjectRef{Project: up.project, Bucket: up.bucket, Key: up.key},
		Stream:    up.stream, Created: up.created, Expires: up.expires,
	}
}

// CommitSegment stores the record of a segment of an upload that goes on.
func (e *Endpoint) CommitSegment(ctx context.Context, req *metainfo.CommitSegmentRequest) error {
	_, up, err := e.openUpload(ctx, req.Auth, req.Upload)
	if err != nil {
		return err
	}
	segment, settle, err := e.segment(ctx, up.stream, &req.Segment)
	if err != nil {
		return err
	}
	if err := e.db.CommitSegment(ctx, up.upload(), *segment); err != nil {
		return err
	}
	settle()
	return nil
}

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
	return e.commit(ctx, c, up, req)
}

// commitInline makes an object of a request that was not begun. Its stream follows from its content, so that repeating
// the request finds what it did the first time.
func (e *Endpoint) commitInline(ctx context.Context, req *metainfo.CommitObjectRequest) (*metainfo.Object, error) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Write, req.Bucket, req.Key)
	if err != nil {
		return nil, err
	}
	if req.Last != nil && len(req.Last.Token) != 0 {
		return nil, fmt.Errorf("%w: remote segment without upload", metainfo.ErrUpload)
	}
	expires, err := c.expiry(req.Expires)
	if err != nil {
		return nil, err
	}
	up := &uploadToken{
		project: c.project.ID, bucket: req.Bucket, key: req.Key, created: c.now.UTC(), expires: expires,
		stream: e.inlineStream(c.project.ID, req),
	}
	return e.commit(ctx, c, up, req)
}

// inlineStream is a MAC of all that makes an inline object; salt and wrapped key are random for each attempt at one.
func (e *Endpoint) inlineStream(project metainfo.ProjectID, req *metainfo.CommitObjectRequest) (
	stream metainfo.StreamID,
) {
	mac := hmac.New(sha256.New, e.opts.Secret[:])
	part := func(b []byte) {
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
		mac.Write(b)
	}
	part([]byte("storj/inline-stream/v1"))
	part(project[:])
	part([]byte(req.Bucket))
	part(req.Key)
	part(req.WrappedKey)
	part(req.Metadata)
	if req.Last != nil {
		part(req.Last.Salt[:])
		part(req.Last.Inline)
	}
	copy(stream[:], mac.Sum(nil))
	return stream
}

func (e *Endpoint) commit(ctx context.Context, c *caller, up *uploadToken, req *metainfo.CommitObjectRequest) (
	*metainfo.Object, error,
) {
	commit := metabase.CommitObject{
		Upload: up.upload(), Segments: req.Segments, WrappedKey: req.WrappedKey, Metadata: req.Metadata, IfAbsent: req.IfAbsent,
	}
	settle := func() {}
	if req.Last != nil {
		var err error
		if commit.Last, settle, err = e.segment(ctx, up.stream, req.Last); err != nil {
			return nil, err
		}
	}
	mayReplace := c.may(macaroon.Delete, up.bucket, up.key)
	commit.IfAbsent = commit.IfAbsent || !mayReplace
	object, err := e.db.CommitObject(ctx, commit)
	if errors.Is(err, metainfo.ErrObjectExists) && !req.IfAbsent {
		return nil, fmt.Errorf("%w: replacing an object is deleting it", metainfo.ErrDenied)
	}
	if err != nil {
		return nil, err
	}
	settle()
	return &object, nil
}

// segment checks a segment and makes its record. settle tells those who want to know, once it is stored.
//
// Errors: ErrUpload, ErrSegment, ErrAcks.
func (e *Endpoint) segment(ctx context.Context, stream metainfo.StreamID, s *metainfo.NewSegment) (
	record *metainfo.Segment, settle func(), err error,
) {
	if err := checkSizes(s); err != nil {
		return nil, nil, err
	}
	record = &metainfo.Segment{
		Stream: stream, Position: s.Position, Created: time.Now().UTC(),
		PlainOffset: s.PlainOffset, PlainSize: s.PlainSize, EncryptedSize: s.EncryptedSize, Salt: s.Salt,
	}
	if len(s.Token) == 0 {
		record.Inline = s.Inline
		return record, func() {}, nil
	}
	var token segmentToken
	if e.sealer.open(kindSegment, s.Token, &token) != nil || token.stream != stream || tooOld(token.created) {
		return nil, nil, metainfo.ErrUpload
	}
	if token.position != s.Position {
		return nil, nil, fmt.Errorf("%w: planned for %s, committed at %s", metainfo.ErrSegment, token.position, s.Position)
	}
	record.Root = token.root
	if record.Redundancy, err = withShares(token.scheme, s.ShareSize); err != nil {
		return nil, nil, err
	}
	v, err := e.checkAcks(token.root, record.Redundancy, s)
	if err != nil {
		e.opts.Nodes.Suspect(s.Failed)
		return nil, nil, err
	}
	if record.Pieces, err = e.aliases(ctx, v); err != nil {
		return nil, nil, err
	}
	return record, func() { e.settle(record, v, s.Failed) }, nil
}

// settle tells selection how nodes fared, and repair of what is short of pieces.
func (e *Endpoint) settle(record *metainfo.Segment, v verdict, failed []netx.NodeID) {
	stored := make([]netx.NodeID, len(v.stored))
	for i := range v.stored {
		stored[i] = v.stored[i].Node
	}
	e.opts.Nodes.Report(stored, slices.Concat(failed, v.invalid))
	if len(failed) > 0 {
		e.opts.Nodes.Suspect(failed)
	}
	if len(record.Pieces) < record.Redundancy.Optimal {
		e.opts.Underfull(record.Stream, record.Position)
	}
}

// AbortObject removes what an upload has stored.
func (e *Endpoint) AbortObject(ctx context.Context, req *metainfo.AbortObjectRequest) error {
	_, up, err := e.openUpload(ctx, req.Auth, req.Upload)
	if err != nil {
		return err
	}
	return e.db.AbortObject(ctx, up.stream)
}
