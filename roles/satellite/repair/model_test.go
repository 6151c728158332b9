package repair

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"storj/metainfo/metabase"
	"storj/pieces"
)

// TestModel lets nodes come, sleep, return, die, lie and exit at random, never faster than repair can follow, and repairs
// between: whatever was stored must stay readable, and be whole in the end.
func TestModel(t *testing.T) {
	seeds := 4
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		t.Run("", func(t *testing.T) {
			bubble(t, func(t *testing.T) { runModel(t, uint64(seed)) })
		})
	}
}

func runModel(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 99))
	w := newWorld(t, 20, nil)
	w.rng = rng
	for step := range 60 {
		if len(w.stored) < 12 {
			n := slices.Clone(w.nodes)
			n = slices.DeleteFunc(n, func(n *testNode) bool { return !n.Online || n.State != pieces.Healthy })
			rng.Shuffle(len(n), func(i, j int) { n[i], n[j] = n[j], n[i] })
			w.put(1+rng.IntN(40_000), n[:7+rng.IntN(3)])
		}
		disturb(w, rng)
		nap(time.Duration(rng.IntN(12)) * time.Hour)
		if step%2 == 1 {
			w.heal()
		}
		if t.Failed() {
			t.Fatalf("seed %d, step %d", seed, step)
		}
		for at := range w.stored {
			if step%2 == 0 {
				break
			}
			if err := w.read(at); err != nil {
				t.Fatalf("seed %d, step %d: %v: %v", seed, step, at, err)
			}
		}
	}
	for _, n := range w.nodes {
		if n.State == pieces.Healthy {
			w.set(n, online)
		}
	}
	for range 4 {
		nap(7 * time.Hour)
		w.heal()
	}
	for at := range w.stored {
		whole(w, at, seed)
	}
}

// disturb has one thing happen to the network.
func disturb(w *world, rng *rand.Rand) {
	n := w.nodes[rng.IntN(len(w.nodes))]
	down := 0
	for _, m := range w.nodes {
		if m.State == pieces.Healthy && !m.Online {
			down++
		}
	}
	switch action := rng.IntN(10); {
	case n.State != pieces.Healthy:
	case action < 3 && n.Online && down == 0:
		w.set(n, offline)
	case action < 6:
		w.set(n, online)
	case action == 6:
		w.set(n, lose)
		w.addNode()
		w.svc.NodesChanged()
	case action == 7:
		w.set(n, func(n *Node) { n.State = pieces.Exiting })
		w.addNode()
		w.svc.NodesChanged()
	case action == 8:
		alterOne(w, rng)
	case action == 9:
		for at := range w.stored {
			if rng.IntN(10) == 0 {
				if _, err := w.svc.RepairNow(w.ctx, at); err != nil {
					w.Logf("repair now: %v", err)
				}
			}
		}
	}
}

// alterOne has a node alter one piece; its finding takes the node out of service, as the reputation would.
func alterOne(w *world, rng *rand.Rand) {
	for at := range w.stored {
		s := w.segment(at)
		i := rng.IntN(len(s.Pieces))
		if n := w.node(s.Pieces[i].Alias); n.State == pieces.Healthy && len(s.Pieces) >= 8 {
			n.store.Damage(satelliteID, w.pieceID(&s, i))
			if _, err := w.svc.damage.report(w.ctx, n.ID, []pieces.PieceID{w.pieceID(&s, i)}); err != nil {
				w.Error(err)
			}
		}
		return
	}
}

// whole checks that a segment is above its threshold and has no piece that does not count.
func whole(w *world, at metabase.SegmentPlace, seed uint64) {
	w.Helper()
	s := w.segment(at)
	view, err := w.svc.fresh(w.ctx)
	if err != nil {
		w.Fatal(err)
	}
	j := newJudge(view, w.svc.damage.snapshot(view))
	v := j.look(&s)
	if v.Reason != None || v.Healthy <= s.Redundancy.Repair {
		w.Errorf("seed %d: segment is %s with %d healthy pieces of %v", seed, v.Reason, v.Healthy, j.pieces)
	}
	if good := w.verify(at); good < v.Reach {
		w.Errorf("seed %d: %d good pieces, %d thought to be in reach", seed, good, v.Reach)
	}
}
