package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/zeebo/blake3"

	"storj/metainfo/endpoint"
	"storj/netx"
	"storj/pieces"
	"storj/pieces/piececlient"
	"storj/roles/satellite/reputation"
)

const (
	// minTimeout and minRate bound an audit in time (row R6): a node reads the whole piece to prove a part.
	minTimeout = 15 * time.Second
	minRate    = 150_000 // bytes a second
	// slowAfter and slowRate are what an honest disk on a busy machine keeps to.
	slowAfter = 2 * time.Second
	slowRate  = 10_000_000 // bytes a second
)

func timeoutFor(size int64) time.Duration {
	return max(minTimeout, time.Duration(size)*time.Second/minRate)
}

func slow(took time.Duration, size int64) bool {
	return took > slowAfter+time.Duration(size)*time.Second/slowRate
}

// prove asks for a random group of the piece. A connection that breaks is tried again once: the node may have been
// restarted.
func (a *Auditor) prove(ctx context.Context, s *subject) outcome {
	req := &pieces.ProveRequest{Piece: s.wanted.piece}
	req.Offset, req.Length = randomGroup(s.wanted.size)
	o := outcome{offset: req.Offset, length: req.Length}
	for try := range 2 {
		reply, err := timed(ctx, a, s, &o, func(ctx context.Context) (*pieces.ProveReply, error) {
			return piececlient.Prove(ctx, a.opts.Pool, s.node, req)
		})
		if err == nil {
			o.verdict, o.text = s.wanted.slice(req, reply)
			return o
		}
		if o.verdict != reputation.Dropped || try > 0 {
			return o
		}
	}
	return o
}

// fetch downloads the whole piece and checks it against its proof.
func (a *Auditor) fetch(ctx context.Context, s *subject) outcome {
	o := outcome{length: s.wanted.size}
	_, _ = timed(ctx, a, s, &o, func(ctx context.Context) (struct{}, error) {
		verdict, text, err := a.download(ctx, s)
		o.verdict, o.text = verdict, text
		return struct{}{}, err
	})
	return o
}

// timed connects to the node, makes a call and judges its error. A good answer is left for the caller to judge.
func timed[T any](ctx context.Context, a *Auditor, s *subject, o *outcome, call func(ctx context.Context) (T, error)) (reply T, err error) {
	dialing, cancel := context.WithTimeout(ctx, minTimeout)
	defer cancel()
	if _, err := a.opts.Pool.Get(dialing, s.node, netx.Data); err != nil {
		o.verdict, o.text = reputation.Away, fmt.Sprintf("connect: %v", err)
		if errors.Is(err, netx.ErrBusy) {
			o.verdict = 0 // our own pool is full
		}
		return reply, err
	}
	asking, stop := context.WithTimeout(ctx, timeoutFor(s.wanted.size))
	defer stop()
	started := time.Now()
	reply, err = call(asking)
	o.took = time.Since(started)
	if err != nil {
		o.verdict, o.hung, o.text = judge(err)
		if o.hung {
			o.text = fmt.Sprintf("nothing for %s", o.took.Round(time.Second))
		}
		return reply, err
	}
	a.opts.Directory.Observe(s.item.node, o.took)
	return reply, nil
}

// judge tells what an error of a call to a node says of the node.
func judge(err error) (verdict reputation.Verdict, hung bool, text string) {
	text = err.Error()
	if known, ok := errors.AsType[*netx.Error](err); ok {
		text = known.Error()
	}
	switch {
	case errors.Is(err, pieces.ErrNotFound):
		return reputation.Lost, false, "the node says: " + pieces.ErrNotFound.Error()
	case errors.Is(err, pieces.ErrCorrupt):
		return reputation.Damaged, false, "the node says: " + pieces.ErrCorrupt.Error()
	case errors.Is(err, pieces.ErrRange):
		return reputation.Damaged, false, "the node says that its piece is shorter than it must be"
	case errors.Is(err, pieces.ErrDisk), errors.Is(err, pieces.ErrStoreClosed):
		return reputation.Faulty, false, "the node says that its disk is away"
	case errors.Is(err, pieces.ErrNotReady), netx.CodeOf(err) == netx.Exhausted:
		return 0, false, text // it has only just started, or has too much to do: nothing is known
	case errors.Is(err, netx.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return 0, true, text
	case errors.Is(err, netx.ErrClosed), errors.Is(err, netx.ErrUnreachable), errors.Is(err, netx.ErrRefused):
		return reputation.Dropped, false, "the connection broke instead of an answer"
	}
	return reputation.Refused, false, "the node answers: " + text
}

// download reads a piece to its end.
func (a *Auditor) download(ctx context.Context, s *subject) (reputation.Verdict, string, error) {
	key := a.opts.Limits.DownloadKey()
	limits := a.opts.Limits.Limits(endpoint.LimitRequest{
		Action: pieces.ActionGetAudit, Root: s.segment.Root, Bytes: s.wanted.size, Uplink: key.Public,
		Targets: []endpoint.LimitTarget{{Number: s.number, Node: s.node}},
	})
	r, err := piececlient.Open(ctx, a.opts.Pool, piececlient.DownloadOptions{
		Node: s.node, Limit: limits[0].Limit, Key: ed25519.NewKeyFromSeed(key.Seed[:]), Length: s.wanted.size, WantProof: true,
	})
	if err != nil {
		return 0, "", err
	}
	defer r.Close()
	hash, verdict, text := s.wanted.proof(r.Proof())
	if verdict != reputation.Proved {
		return verdict, text, nil
	}
	if r.Size() != s.wanted.size {
		return reputation.Altered, fmt.Sprintf("the node says that the piece has %d bytes instead of %d", r.Size(), s.wanted.size), nil
	}
	hasher := blake3.New()
	if _, err := io.Copy(hasher, r); err != nil {
		return 0, "", err
	}
	if [32]byte(hasher.Sum(nil)) != hash.Hash {
		return reputation.Altered, "the bytes do not have the signed hash", nil
	}
	return reputation.Proved, "", nil
}

// restoreTrash asks a node to take its pieces out of the trash, at most once a day: what is garbage goes back there by
// itself.
func (a *Auditor) restoreTrash(ctx context.Context, node netx.NodeURL) {
	now := time.Now()
	a.mu.Lock()
	recent := now.Sub(a.restored[node.ID]) < day
	if !recent {
		a.restored[node.ID] = now
	}
	a.mu.Unlock()
	if recent {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, minTimeout)
	defer cancel()
	reply := new(pieces.RestoreTrashReply)
	err := a.opts.Pool.Call(ctx, node, netx.Data, pieces.MethodRestoreTrash, new(pieces.RestoreTrashRequest), reply, pieces.Errors())
	if err != nil {
		a.log.Warn().Stringer("node", node.ID).Err(err).Msg("trash not restored")
		return
	}
	a.event("node %s took %d live pieces out of its trash", node.ID.Short(), reply.Pieces)
}
