package uplink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"storj/ecenc"
	"storj/metainfo"
	"storj/netx"
	"storj/pieces"
	"storj/pieces/segmentio"
)

const (
	// segmentAttempts is how many sets of nodes are tried for a segment. Within each, nodes that fail are replaced.
	segmentAttempts = 4
	// planAge is how old a plan may be when its segment is ready: order limits are good for an hour, and a segment may
	// take long to send.
	planAge = 20 * time.Minute
)

// plan is where to store one segment.
type plan struct {
	*metainfo.SegmentPlan
	made time.Time
}

// ensureBegun starts the upload at the satellite, if that was not done yet, with the plan of seg if it is the first.
func (u *outgoing) ensureBegun(seg *segment) {
	if u.begun != nil {
		return
	}
	begun := newFuture[*metainfo.BeginObjectResult]()
	u.begun = begun
	plan := seg.index == 0 && (u.remote(seg) || u.hint > 0)
	started := u.run(func() {
		begun.run(u.ctx, func(ctx context.Context) (*metainfo.BeginObjectResult, error) { return u.start(ctx, plan) })
		u.failed(u.project.found(u.bucket, begun.err))
	})
	if !started {
		begun.err = ErrClosed
		close(begun.done)
	}
}

// failed ends the upload's context if err is not nil.
func (u *outgoing) failed(err error) {
	if err != nil {
		u.detach(err)
	}
}

// requestPlan asks for the plan of a segment in the background. The first one's comes with the start of the upload.
func (u *outgoing) requestPlan(seg *segment) {
	u.ensureBegun(seg)
	begun := u.begun
	seg.plan = newFuture[*plan]()
	started := u.run(func() {
		seg.plan.run(u.ctx, func(ctx context.Context) (*plan, error) { return u.runPlan(ctx, begun, seg.index, true) })
		u.failed(seg.plan.err)
	})
	if !started {
		seg.plan.err = ErrClosed
		close(seg.plan.done)
	}
}

// runPlan waits for the upload's start and returns the plan that came with it, or asks for one.
func (u *outgoing) runPlan(ctx context.Context, begun *future[*metainfo.BeginObjectResult], index uint32, first bool) (*plan, error) {
	result, err := begun.wait(ctx)
	if err != nil {
		return nil, err
	}
	got := result.Plan
	if got == nil || index > 0 || !first {
		got, err = call(ctx, u.project.midway(), u.project.meta.BeginSegment, &metainfo.BeginSegmentRequest{
			Auth: u.project.auth(), Upload: result.Upload, Position: metainfo.Position{Part: u.part, Index: index},
		})
		if err != nil {
			return nil, err
		}
	}
	if err := got.Redundancy.Validate(); err != nil || len(got.Limits) == 0 {
		return nil, fmt.Errorf("%w: satellite sent a plan of %d limits with %s", ErrInternal, len(got.Limits), got.Redundancy)
	}
	return &plan{got, time.Now()}, nil
}

// runSegment stores a segment that is not the last.
func (u *outgoing) runSegment(begun *future[*metainfo.BeginObjectResult], seg *segment, data []byte) {
	defer u.release(seg)
	u.failed(u.settle(begun, seg, data, func(token []byte, stored *metainfo.NewSegment) error {
		req := &metainfo.CommitSegmentRequest{Auth: u.project.auth(), Upload: token, Segment: *stored}
		_, err := call(u.ctx, u.project.midway(), noResult(u.project.meta.CommitSegment), req)
		return err
	}))
}

// settle stores a segment and commits it. When the satellite finds that nodes acknowledged what they did not store, the
// segment is stored once more: no node of the first attempt is bound to get a piece of the second.
func (u *outgoing) settle(begun *future[*metainfo.BeginObjectResult], seg *segment, data []byte, commit func(token []byte, stored *metainfo.NewSegment) error) error {
	for again := false; ; again = true {
		stored, err := u.store(begun, seg, data, again)
		if err != nil {
			return err
		}
		token, err := begun.wait(u.ctx)
		if err != nil {
			return err
		}
		if err = commit(token.Upload, stored); again || !errors.Is(err, metainfo.ErrAcks) {
			return err
		}
	}
}

// store brings a segment's ciphertext to nodes, if it is not small enough to go along inline. It tries other nodes when
// too few answer, or at once when the plan it has was tried before; the ciphertext stays the same, so that no salt ever
// serves two plaintexts.
func (u *outgoing) store(begun *future[*metainfo.BeginObjectResult], seg *segment, data []byte, again bool) (*metainfo.NewSegment, error) {
	stored := &metainfo.NewSegment{
		Position: metainfo.Position{Part: u.part, Index: seg.index}, PlainOffset: seg.offset, PlainSize: seg.body.PlainSize(),
		EncryptedSize: int64(len(data)), Salt: seg.body.Salt(),
	}
	if !u.remote(seg) {
		stored.Inline = data
		return stored, nil
	}
	got, err := seg.plan.wait(u.ctx)
	for attempt := 0; ; attempt++ {
		if err == nil && (again || time.Since(got.made) > planAge) {
			again = false
			got, err = u.runPlan(u.ctx, begun, seg.index, false)
		}
		if err != nil {
			return nil, err
		}
		var failed []netx.NodeID
		if failed, err = u.send(got, stored, data); err == nil {
			return stored, nil
		}
		stored.Failed = failed
		if u.ctx.Err() != nil || attempt+1 == segmentAttempts || !sendAgain(err) {
			return nil, err
		}
		if err := sleep(u.ctx, pause(attempt+3)); err != nil {
			return nil, err
		}
		got, err = u.runPlan(u.ctx, begun, seg.index, false)
	}
}

// sendAgain says whether a segment that could not be stored may be with other nodes or later.
func sendAgain(err error) bool {
	code := netx.CodeOf(err)
	return code == netx.Unavailable || code == netx.Exhausted || errors.Is(err, pieces.ErrLimitExpired)
}

// send stores a segment by one plan and fills in what is to be committed. It names the nodes that failed.
func (u *outgoing) send(by *plan, stored *metainfo.NewSegment, data []byte) ([]netx.NodeID, error) {
	redundancy := by.Redundancy.WithShareSize(int64(len(data)))
	result, err := u.project.segments.Upload(u.ctx, &segmentio.UploadRequest{
		Data: data, Redundancy: redundancy, PieceKey: by.PieceKey, Limits: by.Limits,
		Replace: func(ctx context.Context, failed []int, exclude []netx.NodeID) ([]pieces.PieceLimit, error) {
			req := &metainfo.ReplacePiecesRequest{Auth: u.project.auth(), Token: by.Token, Numbers: failed, Exclude: exclude}
			replaced, err := call(ctx, u.project.standalone(), u.project.meta.ReplacePieces, req)
			if err != nil {
				return nil, err
			}
			return replaced.Limits, nil
		},
	})
	if result != nil {
		u.project.stats.sent.Add(result.BytesSent)
	}
	if err != nil {
		return failedNodes(err), err
	}
	u.project.stats.segmentsSent.Add(1)
	stored.Token, stored.ShareSize, stored.Pieces = by.Token, redundancy.ShareSize, result.Pieces
	failed := append(stored.Failed, result.Failed...)
	stored.Failed = failed[max(0, len(failed)-maxFailed):]
	return nil, nil
}

// maxFailed bounds the nodes that a commit names as failed, the latest of them: it is a hint, and a request that names more
// than twice ecenc.MaxTotal is malformed.
const maxFailed = ecenc.MaxTotal

// failedNodes returns the nodes that an upload of too few pieces names.
func failedNodes(err error) (nodes []netx.NodeID) {
	few, ok := errors.AsType[*segmentio.TooFewError](err)
	if !ok {
		return nil
	}
	for _, cause := range few.Causes {
		nodes = append(nodes, cause.Node)
	}
	return nodes
}

// finish stores the last segment, which there always is, and has commit end the stream with it and the satellite's token.
// With bare, a stream that is one inline segment ends by that instead, and is never begun.
func (u *outgoing) finish(bare func(*metainfo.NewSegment) error, commit func(token []byte, last *metainfo.NewSegment) error) error {
	if u.current == nil {
		if err := u.startSegment(); err != nil {
			return err
		}
	}
	seg := u.current
	if err := u.reserve(seg, 0); err != nil {
		return err
	}
	inline := !u.remote(seg)
	if seg.index == 0 && inline && bare != nil {
		last, err := u.store(nil, seg, seg.body.Close(), false)
		if err != nil {
			return err
		}
		return bare(last)
	}
	u.ensureBegun(seg)
	if !inline && seg.plan == nil {
		u.requestPlan(seg)
	}
	return u.settle(u.begun, seg, seg.body.Close(), func(token []byte, last *metainfo.NewSegment) error {
		u.work.Wait() // the segments before it
		if u.ctx.Err() != nil {
			return cause(u.ctx)
		}
		u.sent = true
		return commit(token, last)
	})
}
