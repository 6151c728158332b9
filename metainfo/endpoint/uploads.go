package endpoint

import (
	"context"
	"fmt"
	"slices"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/metabase"
)

// target is what segments are uploaded for: an upload, or an attempt at a part of one.
type target struct {
	up     uploadToken
	part   uint32            // 0: the upload itself
	stream metainfo.StreamID // of the segments
}

func (t *target) upload() metabase.Upload {
	up := metabase.Upload{
		ObjectRef: metabase.ObjectRef{Project: t.up.project, Bucket: t.up.bucket, Key: t.up.key},
		Stream:    t.stream, Created: t.up.created, Expires: t.up.expires,
	}
	if t.part != 0 {
		up.Part, up.Parent = t.part, t.up.stream
	}
	return up
}

// check says whether a segment of this position belongs there. Errors: metainfo.ErrUpload for an upload in parts, whose
// segments are those of its parts; metainfo.ErrSegment.
func (t *target) check(position metainfo.Position) error {
	switch {
	case t.part == 0 && t.up.parts:
		return fmt.Errorf("%w: its segments belong to parts", metainfo.ErrUpload)
	case position.Part != t.part || position.Index >= metainfo.MaxSegments:
		return fmt.Errorf("%w: position %s in part %d", metainfo.ErrSegment, position, t.part)
	}
	return nil
}

// BeginObject starts an upload.
func (e *Endpoint) BeginObject(ctx context.Context, req *metainfo.BeginObjectRequest) (
	*metainfo.BeginObjectResult, error,
) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Write, req.Bucket, req.Key)
	if err != nil {
		return nil, err
	}
	if req.Multipart && !c.mayLock(req.Bucket, req.Key, req.Retention, req.LegalHold) {
		return nil, metainfo.ErrDenied
	}
	if err := checkKey(req.Key); err != nil {
		return nil, err
	}
	expires, err := c.expiry(req.Expires)
	if err != nil {
		return nil, err
	}
	bucket, err := e.db.Bucket(ctx, c.project.ID, req.Bucket)
	if err != nil {
		return nil, err
	}
	if err := e.meter.room(ctx, c); err != nil {
		return nil, err
	}
	t := target{up: uploadToken{
		project: c.project.ID, bucket: req.Bucket, key: req.Key, stream: metainfo.NewStreamID(),
		created: c.now.UTC(), expires: within(expires, bucket.TTL, c.now), placement: bucket.Placement, parts: req.Multipart,
	}}
	t.stream = t.up.stream
	result := &metainfo.BeginObjectResult{Upload: e.sealer.seal(kindUpload, &t.up), Stream: t.stream}
	switch {
	case req.Multipart:
		err = e.beginParts(ctx, &t, req)
	case req.Plan:
		result.Plan, err = e.plan(&t, metainfo.Position{})
	}
	if err != nil {
		return nil, err
	}
	return result, nil
}

// checkKey applies the rules of object keys. Errors: metainfo.ErrObjectKey.
func checkKey(key []byte) error {
	if len(key) == 0 || len(key) > metainfo.MaxKeySize {
		return metainfo.ErrObjectKey
	}
	return nil
}

// within bounds an expiry by the longest life of a bucket's objects; 0 is no bound.
func within(expires time.Time, ttl time.Duration, now time.Time) time.Time {
	if latest := now.Add(ttl).UTC(); ttl > 0 && (expires.IsZero() || expires.After(latest)) {
		return latest
	}
	return expires
}

// openUpload checks the token of an upload against the key that shows it. Errors: ErrUpload, those of the gate.
func (e *Endpoint) openUpload(ctx context.Context, auth metainfo.Auth, sealed []byte) (*caller, *uploadToken, error) {
	c, t, err := e.openTarget(ctx, auth, sealed)
	if err == nil && t.part != 0 {
		err = metainfo.ErrUpload
	}
	if err != nil {
		return nil, nil, err
	}
	return c, &t.up, nil
}

// openTarget checks the token of an upload or of a part. Errors: ErrUpload, those of the gate.
func (e *Endpoint) openTarget(ctx context.Context, auth metainfo.Auth, sealed []byte) (*caller, *target, error) {
	c, err := e.gate.identify(ctx, auth)
	if err != nil {
		return nil, nil, err
	}
	t := new(target)
	created := &t.up.created
	if e.sealer.open(kindUpload, sealed, &t.up) == nil {
		t.stream = t.up.stream
	} else {
		var part partToken
		if e.sealer.open(kindPart, sealed, &part) != nil {
			return nil, nil, metainfo.ErrUpload
		}
		*t, created = target{part.upload, part.number, part.stream}, &part.created
	}
	if t.up.project != c.project.ID || tooOld(*created) {
		return nil, nil, metainfo.ErrUpload
	}
	if !c.may(macaroon.Write, t.up.bucket, t.up.key) {
		return nil, nil, metainfo.ErrDenied
	}
	// It may have been begun with a key that allows more.
	if err := c.checkExpiry(t.up.expires); err != nil {
		return nil, nil, err
	}
	return c, t, nil
}

// BeginSegment plans a segment.
func (e *Endpoint) BeginSegment(ctx context.Context, req *metainfo.BeginSegmentRequest) (*metainfo.SegmentPlan, error) {
	c, t, err := e.openTarget(ctx, req.Auth, req.Upload)
	if err != nil {
		return nil, err
	}
	if err := t.check(req.Position); err != nil {
		return nil, err
	}
	if err := e.meter.room(ctx, c); err != nil {
		return nil, err
	}
	return e.plan(t, req.Position)
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

// CommitSegment stores the record of a segment of an upload that goes on.
func (e *Endpoint) CommitSegment(ctx context.Context, req *metainfo.CommitSegmentRequest) error {
	_, t, err := e.openTarget(ctx, req.Auth, req.Upload)
	if err != nil {
		return err
	}
	segment, settle, err := e.segment(ctx, t, &req.Segment)
	if err != nil {
		return err
	}
	if err := e.db.CommitSegment(ctx, t.upload(), *segment); err != nil {
		return err
	}
	settle()
	return nil
}

// AbortObject removes what an upload, or an attempt at a part, has stored.
func (e *Endpoint) AbortObject(ctx context.Context, req *metainfo.AbortObjectRequest) error {
	_, t, err := e.openTarget(ctx, req.Auth, req.Upload)
	if err != nil {
		return err
	}
	return e.db.AbortObject(ctx, t.stream)
}
