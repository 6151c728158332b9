package endpoint

import (
	"context"
	"errors"
	"fmt"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/pieces"
)

// Download returns an object's record with what is needed to read the start of a range of it.
func (e *Endpoint) Download(ctx context.Context, req *metainfo.DownloadRequest) (*metainfo.DownloadResult, error) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Read, req.Bucket, req.Key)
	if err != nil {
		return nil, err
	}
	ref := metabase.ObjectRef{Project: c.project.ID, Bucket: req.Bucket, Key: req.Key, Version: req.Version}
	d, err := e.db.Download(ctx, ref, req.Offset, req.Length, maxBatchSegments)
	if err != nil {
		return nil, err
	}
	if err := e.meter.egress(ctx, c, 0, d.Length); err != nil {
		return nil, err
	}
	c.hide(req.Bucket, req.Key, &d.Object)
	token := downloadToken{
		project: c.project.ID, bucket: req.Bucket, key: req.Key,
		stream: d.Object.Stream, size: d.Object.PlainSize, created: c.now.UTC(),
	}
	result := &metainfo.DownloadResult{
		Object: d.Object, Token: e.sealer.seal(kindDownload, &token), Offset: d.Offset, Length: d.Length,
	}
	batch := batch{token: &token, from: d.Offset, to: d.Offset + d.Length, placed: d.Segments, more: d.More}
	result.Segments, result.More, err = e.hand(ctx, c, batch)
	if err != nil {
		return nil, err
	}
	return result, nil
}

// DownloadSegments goes on with a download.
func (e *Endpoint) DownloadSegments(ctx context.Context, req *metainfo.DownloadSegmentsRequest) (
	*metainfo.DownloadSegmentsResult, error,
) {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	var token downloadToken
	if e.sealer.open(kindDownload, req.Token, &token) != nil || token.project != c.project.ID || tooOld(token.created) {
		return nil, fmt.Errorf("%w: download token is not valid", metainfo.ErrObjectNotFound)
	}
	if !c.may(macaroon.Read, token.bucket, token.key) {
		return nil, metainfo.ErrDenied
	}
	if req.Offset < 0 || req.Length < 0 || req.Offset > token.size || req.Length > token.size-req.Offset {
		return nil, metainfo.ErrRange
	}
	result := new(metainfo.DownloadSegmentsResult)
	if req.Length == 0 {
		return result, nil
	}
	placed, more, err := e.db.Segments(ctx, token.stream, req.Offset, req.Length, maxBatchSegments)
	if err != nil {
		return nil, err
	}
	batch := batch{
		token: &token, from: req.Offset, to: req.Offset + req.Length, placed: placed, more: more, verify: req.Verify,
	}
	result.Segments, result.More, err = e.hand(ctx, c, batch)
	if err != nil {
		return nil, err
	}
	return result, nil
}

// batch is segments to be handed out for the plaintext range [from, to) of an object.
type batch struct {
	token    *downloadToken
	from, to int64
	placed   []metabase.PlacedSegment
	more     bool // the range has more segments than placed
	verify   bool
}

// hand makes limits for as many segments of a batch as one response may carry, at least one, and says whether more are
// left.
func (e *Endpoint) hand(ctx context.Context, c *caller, b batch) (
	segments []metainfo.DownloadSegment, more bool, err error,
) {
	if len(b.placed) == 0 {
		return nil, b.more, nil
	}
	given := Allocation{Project: b.token.project, Bucket: b.token.bucket, Action: pieces.ActionGet}
	tag := e.opts.Limits.BucketTag(b.token.project, b.token.bucket)
	key := e.opts.Limits.DownloadKey()
	segments = make([]metainfo.DownloadSegment, 0, len(b.placed))
	limits := 0
	for i := range b.placed {
		p := &b.placed[i]
		limits += len(p.Pieces)
		if i > 0 && limits > maxBatchLimits {
			b.more = true
			break
		}
		s := metainfo.DownloadSegment{
			Position: p.Position, PlainOffset: p.Offset, PlainSize: p.PlainSize, EncryptedSize: p.EncryptedSize,
			Salt: p.Salt, Inline: p.Inline, Redundancy: p.Redundancy,
		}
		if !p.IsInline() {
			s.PieceKey = key.Seed
			bytes := b.pieceBytes(p)
			if s.Limits, err = e.getLimits(ctx, bytes, p, key, tag); err != nil {
				return nil, false, err
			}
			given.Limits += bytes * int64(len(s.Limits))
		}
		switch {
		case b.verify && !p.IsInline(): // all of each piece, whatever part of the segment was asked for
			s.UploadKey = e.opts.Limits.UploadKey(p.Root).Public
			given.Useful += p.PlainSize
		default:
			given.Useful += min(b.to, p.Offset+p.PlainSize) - max(b.from, p.Offset)
		}
		segments = append(segments, s)
	}
	if err := e.meter.egress(ctx, c, given.Useful, given.Useful); err != nil {
		return nil, false, err
	}
	e.opts.Usage.Allocated(given)
	return segments, b.more, nil
}

// pieceBytes is how much of each piece of a segment the batch allows to read.
func (b *batch) pieceBytes(p *metabase.PlacedSegment) int64 {
	if b.verify {
		return p.Redundancy.PieceSize(p.EncryptedSize)
	}
	return pieceBytes(&p.Segment, p.Offset, b.from, b.to)
}

// getLimits makes a limit for every piece whose node is known: by ascending number, those whose node was in contact
// lately first.
func (e *Endpoint) getLimits(ctx context.Context, bytes int64, p *metabase.PlacedSegment, key PieceKey, tag []byte) (
	[]pieces.PieceLimit, error,
) {
	nodes, err := e.nodes(ctx, p.Pieces)
	if err != nil {
		return nil, fmt.Errorf("nodes of segment %s: %w", p.Position, err)
	}
	targets := make([]LimitTarget, 0, len(nodes))
	var offline []LimitTarget
	for i, id := range nodes {
		url, online, known := e.opts.Nodes.Node(id)
		switch target := (LimitTarget{Number: p.Pieces[i].Number, Node: url}); {
		case known && online:
			targets = append(targets, target)
		case known:
			offline = append(offline, target)
		}
	}
	return e.opts.Limits.Limits(LimitRequest{
		Action: pieces.ActionGet, Root: p.Root, Bytes: bytes, PieceExpires: p.Expires, Uplink: key.Public, BucketTag: tag,
		Targets: append(targets, offline...),
	}), nil
}

// nodes returns the node of each piece.
func (e *Endpoint) nodes(ctx context.Context, list []metainfo.Piece) ([]netx.NodeID, error) {
	aliases := make([]metainfo.NodeAlias, len(list))
	for i := range list {
		aliases[i] = list[i].Alias
	}
	return e.db.NodeIDs(ctx, aliases)
}

// aliases returns the pieces that a segment's record names. Errors: ErrAcks for a node that never joined.
func (e *Endpoint) aliases(ctx context.Context, v verdict) ([]metainfo.Piece, error) {
	ids := make([]netx.NodeID, len(v.stored))
	for i := range v.stored {
		ids[i] = v.stored[i].Node
	}
	aliases, err := e.db.Aliases(ctx, ids)
	if errors.Is(err, metabase.ErrNode) {
		return nil, fmt.Errorf("%w: %w", metainfo.ErrAcks, err)
	}
	if err != nil {
		return nil, err
	}
	list := make([]metainfo.Piece, len(aliases))
	for i := range list {
		list[i] = metainfo.Piece{Number: v.stored[i].Number, Alias: aliases[i]}
	}
	return list, nil
}
