package repair

import (
	"fmt"
	"testing"
	"time"

	"storj/ecenc"
	"storj/metainfo/rangedloop/looptest"
)

func TestOutgrown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		have, want ecenc.Redundancy
		outgrown   bool
	}{
		{redundancy(1, 1, 1, 1), redundancy(1, 1, 2, 2), true},
		{redundancy(1, 1, 2, 2), redundancy(1, 1, 2, 2), false},
		{redundancy(1, 1, 2, 2), redundancy(1, 1, 2, 3), false},
		{redundancy(1, 1, 2, 2), redundancy(2, 3, 4, 4), true},
		{redundancy(2, 3, 4, 4), redundancy(4, 6, 8, 10), true},
		{redundancy(4, 6, 8, 10), redundancy(4, 6, 9, 11), false},
		{redundancy(4, 6, 8, 10), redundancy(5, 7, 10, 13), false},
		{redundancy(4, 6, 8, 10), redundancy(11, 14, 30, 40), true},
		{redundancy(4, 6, 8, 10), redundancy(1, 1, 2, 2), false}, // shrinking is for repair, piece by piece
		{redundancy(29, 35, 80, 110), redundancy(4, 6, 8, 10), false},
		{redundancy(4, 6, 16, 20), redundancy(12, 15, 24, 28), true}, // the same tolerance at half the price
	} {
		if got := outgrown(tt.have, tt.want); got != tt.outgrown {
			t.Errorf("%s to %s: %v", tt.have, tt.want, got)
		}
		if outgrown(tt.have, tt.want) && outgrown(tt.want, tt.have) {
			t.Errorf("%s and %s outgrow each other", tt.have, tt.want)
		}
	}
}

// rebalance runs the workers until the rebalance has nothing more to do.
func (w *world) rebalance() {
	w.Helper()
	for range 100 {
		w.pass()
		if !w.svc.Rebalance().On {
			return
		}
		w.drain()
		for range 100 {
			nap(time.Second)
			w.drain()
		}
	}
	w.Error("the rebalance is never done")
}

func TestRebalance(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 4, func(o *Options) { o.Rebalance.BytesPerSecond = 1 << 20 })
		w.scheme = redundancy(2, 3, 4, 4)
		first := w.put(100_000, w.nodes)
		w.put(3, w.nodes)
		w.put(3_000_000, w.nodes)
		gone := w.put(1000, w.nodes)
		for range 36 {
			w.addNode()
		}
		w.scheme = redundancy(11, 14, 30, 40)
		w.pass()
		if status := w.svc.Rebalance(); status.On || status.Waiting != 4 || status.BytesLeft != 100_000+3+3_000_000+1000 {
			t.Fatalf("%+v", status)
		}
		w.drain()
		if w.segment(first).Redundancy.Required != 2 {
			t.Fatal("rebalanced without being told")
		}
		if err := w.svc.SetRebalance(w.ctx, true); err != nil {
			t.Fatal(err)
		}
		w.open(func(o *Options) { o.Rebalance.BytesPerSecond = 1 << 20 }) // a restart does not forget it
		if !w.svc.Rebalance().On {
			t.Fatal("forgotten")
		}
		root := w.segment(first).Root
		w.pass()
		if err := looptest.Delete(w.ctx, w.store, w.segment(gone)); err != nil {
			t.Fatal(err)
		}
		delete(w.stored, gone)
		started := time.Now()
		w.rebalance()
		for at := range w.stored {
			s := w.segment(at)
			if s.Redundancy.Required != 11 || len(s.Pieces) < 30 || s.Redundancy.ShareSize == 0 || w.verify(at) < 30 {
				t.Errorf("segment of %d bytes is %s with %d pieces", s.EncryptedSize, s.Redundancy, len(s.Pieces))
			}
			if err := w.read(at); err != nil {
				t.Error(err)
			}
		}
		if w.segment(first).Root == root {
			t.Error("another scheme under the same root")
		}
		status := w.svc.Rebalance()
		if status.On || status.Segments != 3 || status.Bytes < 3*3_000_000 || time.Since(started) < 9*time.Second {
			t.Errorf("%+v after %v", status, time.Since(started))
		}
	})
}

// TestRebalanceYields has pieces fail while a segment is rewritten: the old record stays.
func TestRebalanceYields(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 4, nil)
		w.scheme = redundancy(2, 3, 4, 4)
		at := w.put(100_000, w.nodes)
		s := w.segment(at)
		for range 6 {
			w.addNode()
		}
		w.scheme = redundancy(4, 6, 8, 10)
		for i := range 2 {
			w.nodes[i].store.Alter(satelliteID, w.pieceID(&s, i), 5)
		}
		if _, err := w.svc.rewrite(w.ctx, at); err != nil {
			t.Fatalf("two of four altered, two needed: %v", err)
		}
		if len(w.findings) != 2 || w.verify(at) < 8 {
			t.Errorf("findings %+v", w.findings)
		}
		w.scheme = redundancy(2, 3, 4, 4)
		second := w.put(100_000, w.nodes[:4])
		w.scheme = redundancy(4, 6, 8, 10)
		for _, n := range w.nodes[7:] {
			w.set(n, func(n *Node) { n.Eligible = false })
		}
		if _, err := w.svc.rewrite(w.ctx, second); err == nil {
			t.Error("rewritten over too few nodes")
		}
		if got := w.segment(second); got.Redundancy.Required != 2 || w.verify(second) != 4 {
			t.Errorf("record is now %s", fmt.Sprint(got.Redundancy))
		}
	})
}
