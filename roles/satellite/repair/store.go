package repair

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"storj/ecenc/erasure"
	"storj/netx"
	"storj/pieces"
	"storj/pieces/piececlient"
)

// rebuildRows is how many bytes of stripes are decoded at a time: what fits the caches.
const rebuildRows = 2 << 20

// rebuild computes pieces of some numbers from Required others.
//
// Shape: shares by number, whole pieces; out[i] is the whole piece numbers[i].
func rebuild(code *erasure.Code, shares [][]byte, size int64, numbers []int, out [][]byte) error {
	step := int64(max(1, rebuildRows/code.StripeSize()) * code.ShareSize())
	stripes := make([]byte, 0, step*int64(code.Required()))
	part, parts := make([][]byte, len(shares)), make([][]byte, len(out))
	for at := int64(0); at < size; at += step {
		end := min(at+step, size)
		for i, share := range shares {
			if share != nil {
				part[i] = share[at:end]
			}
		}
		for i := range out {
			parts[i] = out[i][at:end]
		}
		var err error
		if stripes, err = code.DecodeStripes(part, stripes[:0]); err != nil {
			return fmt.Errorf("decode verified pieces: %w", err)
		}
		if err := code.EncodeShares(stripes, numbers, parts); err != nil {
			return fmt.Errorf("encode missing pieces: %w", err)
		}
	}
	return nil
}

// put is a piece on its way to a node.
type put struct {
	number  int
	node    netx.NodeURL
	content []byte
}

// store sends pieces, at most maxStreams at a time, and returns those that their nodes have. another gives a node in
// place of one that failed; false: there is none. It is called by one goroutine at a time.
func (g *segment) store(ctx context.Context, puts []put, another func() (netx.NodeURL, bool)) (stored []put) {
	var mu sync.Mutex // guards stored, and another
	var senders sync.WaitGroup
	slots := make(chan struct{}, maxStreams)
	for _, p := range puts {
		slots <- struct{}{}
		senders.Go(func() {
			defer func() { <-slots }()
			for {
				err := g.send(ctx, p)
				mu.Lock()
				if err == nil {
					stored = append(stored, p)
					mu.Unlock()
					return
				}
				g.s.sendFailed(p.node.ID, err)
				node, ok := another()
				mu.Unlock()
				if !ok || ctx.Err() != nil {
					return
				}
				p.node = node
			}
		})
	}
	senders.Wait()
	return stored
}

// send stores one piece. A node that has it already, from a repair of a copy of the object, must show it.
func (g *segment) send(ctx context.Context, p put) error {
	ctx, idle, cancel := watch(ctx)
	defer cancel()
	limit := g.limit(pieces.ActionPutRepair, p.number, p.node, g.upload)
	ack, err := piececlient.Upload(ctx, g.s.opts.Pool, piececlient.UploadOptions{
		Node: p.node, Limit: limit.Limit, Key: ed25519.NewKeyFromSeed(g.upload.Seed[:]), Size: g.size,
		Source: &source{ctx: ctx, s: g.s, rest: p.content, idle: idle},
	})
	if errors.Is(err, pieces.ErrExists) {
		return g.recheck(ctx, p)
	}
	if err != nil {
		return reason(ctx, err)
	}
	if ack.Piece != g.record.Root.Derive(p.node.ID, p.number) || !g.s.opts.Signer.CheckAck(p.node.ID, ack) {
		return fmt.Errorf("%w: acknowledgement is not that of the node", pieces.ErrCorrupt)
	}
	return nil
}

// freshPiece is how old a piece that a node has already may be. An older one may have been garbage for long: the filter
// that tells its node so can be on its way, made before any record named the piece again. Younger ones are never
// collected, see package gc.
const freshPiece = 24 * time.Hour

// recheck reads a piece that a node says to have, and compares.
func (g *segment) recheck(ctx context.Context, p put) error {
	got := make([]byte, g.size)
	has, err := g.fetch(ctx, p.number, p.node, got)
	switch {
	case err != nil:
		return fmt.Errorf("node has the piece already: %w", err)
	case has.trashed:
		return fmt.Errorf("%w: it is in the node's trash", pieces.ErrExists)
	case time.Since(has.created) > freshPiece:
		return fmt.Errorf("%w: it may be garbage", pieces.ErrExists)
	case !bytes.Equal(got, p.content):
		return fmt.Errorf("%w: node has another piece of this name", pieces.ErrCorrupt)
	}
	return nil
}

// source hands a piece to piececlient, within the bandwidth.
type source struct {
	ctx  context.Context // of the transfer
	s    *Service
	rest []byte
	idle *time.Timer
}

// Next returns the next bytes.
func (s *source) Next() ([]byte, error) {
	next := s.rest[:min(chunk, len(s.rest))]
	s.rest = s.rest[len(next):]
	if err := s.s.spend(s.ctx, len(next)); err != nil {
		return nil, err
	}
	s.idle.Reset(idleTimeout)
	s.s.moved.written.Add(int64(len(next)))
	return next, nil
}
