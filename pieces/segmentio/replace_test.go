package segmentio

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"storj/netx"
	"storj/pieces"
)

// replaceFrom answers as a satellite does: with nodes of the list that are not excluded, one for each number.
func (w *world) replaceFrom(s *segment, nodes []*testNode) func(context.Context, []int, []netx.NodeID) ([]pieces.PieceLimit, error) {
	return func(_ context.Context, failed []int, exclude []netx.NodeID) (limits []pieces.PieceLimit, err error) {
		for _, node := range nodes {
			if len(limits) == len(failed) || slices.Contains(exclude, node.url.ID) {
				continue
			}
			number := failed[len(limits)]
			limits = append(limits, pieces.PieceLimit{
				Number: number, Node: node.url,
				Limit: w.limit(node, s.root.Derive(node.url.ID, number), pieces.ActionPut, pieces.MaxPieceSize, s.seed),
			})
		}
		return limits, nil
	}
}

// TestReplacedNodesGetOnePiece: what came in place of failed nodes is excluded when more fail. A satellite does not
// commit a segment of which a node has two pieces.
func TestReplacedNodesGetOnePiece(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMemWorld(t, 20, Options{})
		for _, n := range w.nodes[:3] {
			w.net.Kill(n.url.ID)
		}
		for _, n := range w.nodes[3:6] {
			w.net.Hang(n.url.ID)
		}
		s := w.newSegment(ten, 1<<20)
		res, err := w.client.Upload(t.Context(), &UploadRequest{
			Data: s.data, Redundancy: s.redundancy, PieceKey: s.seed, Limits: w.putLimits(s, w.nodes[:10]),
			Replace: w.replaceFrom(s, w.nodes),
		})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[netx.NodeID]int{}
		for _, p := range res.Pieces {
			if other, twice := seen[p.Node]; twice {
				t.Errorf("node %s has pieces %d and %d", p.Node.Short(), other, p.Number)
			}
			seen[p.Node] = p.Number
		}
	})
}

// TestReplaceEnds: a network in which every node hangs is given up, however many nodes the satellite has to offer, and
// so is one whose satellite offers the same node again and again.
func TestReplaceEnds(t *testing.T) {
	for name, forget := range map[string]bool{"many nodes": false, "same nodes": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newMemWorld(t, 150, Options{})
				for _, n := range w.nodes {
					w.net.Hang(n.url.ID)
				}
				s := w.newSegment(ten, 1<<20)
				attempts := 0
				fresh := w.replaceFrom(s, w.nodes)
				replace := func(ctx context.Context, failed []int, exclude []netx.NodeID) ([]pieces.PieceLimit, error) {
					if forget {
						exclude = nil
					}
					limits, err := fresh(ctx, failed, exclude)
					attempts += len(limits)
					return limits, err
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				start := time.Now()
				_, err := w.client.Upload(ctx, &UploadRequest{
					Data: s.data, Redundancy: s.redundancy, PieceKey: s.seed, Limits: w.putLimits(s, w.nodes[:10]), Replace: replace,
				})
				if !errors.Is(err, pieces.ErrTooFewPieces) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(start); took > time.Minute || attempts > 4*s.redundancy.Total {
					t.Errorf("took %v and %d replacements", took, attempts)
				}
			})
		})
	}
}
