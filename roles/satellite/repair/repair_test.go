package repair

import (
	"errors"
	"slices"
	"testing"
	"time"

	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop/looptest"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/events"
)

// holders are the nodes of a segment's pieces.
func (w *world) holders(at metabase.SegmentPlace) (list []*testNode) {
	for _, p := range w.segment(at).Pieces {
		list = append(list, w.node(p.Alias))
	}
	return list
}

func TestLostNodes(t *testing.T) {
	for _, size := range []int{100, 4*32<<10 - 1, 1_000_003} {
		t.Run("", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, 14, nil)
				at := w.put(size, w.nodes[:8])
				w.heal()
				if s := w.segment(at); !s.Repaired.IsZero() || w.svc.moved.read.Load() != 0 {
					t.Error("a segment that is well was repaired")
				}
				w.set(w.nodes[0], lose)
				w.heal()
				if s := w.segment(at); !s.Repaired.IsZero() {
					t.Error("a segment above its threshold was repaired")
				}
				w.set(w.nodes[5], lose)
				w.heal()
				s := w.segment(at)
				if len(s.Pieces) != 8 || w.verify(at) != 8 || s.Repaired.IsZero() {
					t.Fatalf("after repair: %v", s.Pieces)
				}
				if slices.Contains(w.holders(at), w.nodes[0]) || slices.Contains(w.holders(at), w.nodes[5]) {
					t.Error("lost nodes are still in the record")
				}
				if read := w.svc.moved.read.Load(); read < 4*s.Redundancy.PieceSize(int64(size)) {
					t.Errorf("read %d bytes", read)
				}
				if err := w.read(at); err != nil {
					t.Error(err)
				}
				if list := w.svc.opts.Events.List(10); list[0].Kind != events.Repair || list[1].Kind != events.NodeLost {
					t.Errorf("events %+v", list)
				}
			})
		})
	}
}

// TestReadsExactlyRequired counts what a repair costs.
func TestReadsExactlyRequired(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 12, nil)
		at := w.put(500_000, w.nodes[:8])
		w.set(w.nodes[0], lose)
		w.set(w.nodes[1], lose)
		w.heal()
		size := w.segment(at).Redundancy.PieceSize(500_000)
		if read, written := w.svc.moved.read.Load(), w.svc.moved.written.Load(); read != 4*size || written != 2*size {
			t.Errorf("read %d and wrote %d bytes, pieces of %d", read, written, size)
		}
	})
}

func TestLiarsAreNamedAndNotUsed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 16, nil)
		at := w.put(300_000, w.nodes[:8])
		second := w.put(300_000, w.nodes[:8])
		s := w.segment(at)
		w.nodes[1].store.Alter(satelliteID, w.pieceID(&s, 1), 1000)
		w.nodes[2].store.Damage(satelliteID, w.pieceID(&s, 2))
		w.nodes[3].store.Lose(satelliteID, w.pieceID(&s, 3))
		w.set(w.nodes[0], lose)
		w.set(w.nodes[7], lose)
		report, err := w.svc.RepairNow(w.ctx, at)
		if err == nil {
			t.Fatal("three of six are bad: nothing could be rebuilt")
		}
		if len(w.findings) != 3 || report.Outcome != Waiting {
			t.Fatalf("findings %+v, %s", w.findings, report.Outcome)
		}
		for _, f := range w.findings {
			if f.Altered != (f.Node == w.nodes[1].ID) || f.Absent != (f.Node == w.nodes[3].ID) {
				t.Errorf("finding %+v", f)
			}
		}
		if len(w.segment(at).Pieces) != 8 {
			t.Error("pieces of a segment that cannot be rebuilt were dropped")
		}
		if w.svc.damage.len() != 3 {
			t.Errorf("%d pieces are remembered", w.svc.damage.len())
		}

		at = second
		s = w.segment(at)
		w.nodes[1].store.Alter(satelliteID, w.pieceID(&s, 1), 1000)
		report, err = w.svc.RepairNow(w.ctx, at)
		if err != nil || report.Outcome != Repaired || len(report.Altered) != 1 || report.Altered[0] != w.nodes[1].ID || report.Before != 6 || report.After < 8 {
			t.Fatalf("%+v, %v", report, err)
		}
		if slices.Contains(w.holders(at), w.nodes[1]) || w.verify(at) < 8 {
			t.Error("the altered piece is still in the record")
		}
	})
}

func TestExitingPiecesAreCopied(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 12, nil)
		at := w.put(300_000, w.nodes[:8])
		w.set(w.nodes[2], func(n *Node) { n.State = pieces.Exiting })
		w.pass()
		if left, known := w.svc.PiecesLeft(w.nodes[2].ID); left != 1 || !known {
			t.Errorf("%d pieces left", left)
		}
		w.drain()
		size := w.segment(at).Redundancy.PieceSize(300_000)
		if read, written := w.svc.moved.read.Load(), w.svc.moved.written.Load(); read != size || written != size {
			t.Errorf("read %d and wrote %d bytes for a piece of %d", read, written, size)
		}
		if slices.Contains(w.holders(at), w.nodes[2]) || w.verify(at) != 8 {
			t.Error("the piece was not moved")
		}
		w.pass()
		if left, known := w.svc.PiecesLeft(w.nodes[2].ID); left != 0 || !known {
			t.Errorf("%d pieces left afterwards", left)
		}
		if n := w.svc.tally.total(Copied); n != 1 {
			t.Errorf("%d copies", n)
		}
	})
}

func TestOutOfPlacementIsMoved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 12, nil)
		at := w.put(50_000, w.nodes[:8])
		w.set(w.nodes[4], func(n *Node) { n.Tags = []string{"out=yes"} })
		w.heal()
		if slices.Contains(w.holders(at), w.nodes[4]) || w.verify(at) != 8 {
			t.Error("the piece was not moved")
		}
	})
}

// TestNeedlessPiecesAreDropped has more healthy pieces than optimal: those of an exiting node are left where they are.
func TestNeedlessPiecesAreDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 12, nil)
		at := w.put(50_000, w.nodes[:9])
		w.set(w.nodes[2], func(n *Node) { n.State = pieces.Exiting })
		w.heal()
		if s := w.segment(at); len(s.Pieces) != 8 || w.svc.moved.read.Load() != 0 || w.verify(at) != 8 {
			t.Errorf("%d pieces, %d bytes read", len(s.Pieces), w.svc.moved.read.Load())
		}
	})
}

func TestObjectDeletedDuringRepair(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 12, nil)
		at := w.put(50_000, w.nodes[:8])
		s := w.segment(at)
		w.set(w.nodes[0], lose)
		w.set(w.nodes[1], lose)
		w.onPick = func() {
			if err := looptest.Delete(w.ctx, w.store, s); err != nil {
				t.Error(err)
			}
		}
		report, err := w.svc.RepairNow(w.ctx, at)
		if err != nil || report.Outcome != Vanished {
			t.Errorf("%+v, %v", report, err)
		}
		if _, err := w.db.LiveSegment(w.ctx, at); !errors.Is(err, metainfo.ErrObjectNotFound) {
			t.Errorf("repair brought a deleted segment back: %v", err)
		}
	})
}

// TestRecordChangedDuringRepair has an audit take a piece out of the record while it is repaired.
func TestRecordChangedDuringRepair(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 12, nil)
		at := w.put(50_000, w.nodes[:8])
		saw := w.segment(at).Pieces
		w.set(w.nodes[0], lose)
		w.set(w.nodes[1], lose)
		w.onPick = func() {
			w.onPick = nil
			without := slices.Delete(slices.Clone(saw), 3, 4)
			if err := w.db.ReplacePieces(w.ctx, at, saw, without, time.Time{}); err != nil {
				t.Error(err)
			}
		}
		report, err := w.svc.RepairNow(w.ctx, at)
		if err != nil || report.Outcome != Repaired {
			t.Errorf("%+v, %v", report, err)
		}
		if got := w.holders(at); slices.Contains(got, w.nodes[3]) || len(got) != 7 || w.verify(at) != 7 {
			t.Errorf("%d pieces: what the audit took out came back, or what was repaired is lost", len(got))
		}
	})
}

// TestOverwrittenDuringRepair has another root in the row when the repair is done.
func TestOverwrittenDuringRepair(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 12, nil)
		at := w.put(50_000, w.nodes[:8])
		s := w.segment(at)
		w.set(w.nodes[0], lose)
		w.set(w.nodes[1], lose)
		w.onPick = func() {
			w.onPick = nil
			s.Root = pieces.PieceID{1, 2, 3}
			s.Pieces = s.Pieces[:7]
			putPlaced(w, s)
		}
		if _, err := w.svc.RepairNow(w.ctx, at); !errors.Is(err, metainfo.ErrObjectChanged) {
			t.Errorf("error %v", err)
		}
		if got := w.segment(at); len(got.Pieces) != 7 || !slices.Equal(got.Pieces, s.Pieces) {
			t.Error("pieces of one root came into the record of another")
		}
	})
}

func putPlaced(w *world, s metainfo.Segment) {
	w.Helper()
	if err := looptest.Put(w.ctx, w.store, s); err != nil {
		w.Fatal(err)
	}
}

// TestNodeHasThePieceAlready covers copies of an object: both rows are repaired, perhaps to the same node and number.
func TestNodeHasThePieceAlready(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(w *world, s *metainfo.Segment, n *testNode, id pieces.PieceID)
		taken bool
	}{
		{"the same bytes", func(*world, *metainfo.Segment, *testNode, pieces.PieceID) {}, true},
		{"other bytes", func(w *world, _ *metainfo.Segment, n *testNode, id pieces.PieceID) {
			n.store.Alter(satelliteID, id, 17)
		}, false},
		{"garbage of last week", func(*world, *metainfo.Segment, *testNode, pieces.PieceID) { nap(24 * time.Hour) }, false},
		{"in the trash", func(w *world, _ *metainfo.Segment, n *testNode, id pieces.PieceID) {
			if err := n.store.Trash(w.ctx, satelliteID, []pieces.PieceID{id}, time.Now()); err != nil {
				w.Error(err)
			}
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, 10, nil)
				at := w.put(50_000, w.nodes[:8])
				s := w.segment(at)
				w.set(w.nodes[0], lose)
				w.set(w.nodes[1], lose)
				// The first free numbers are those of the lost nodes and 8, 9; every one of them lies on both spare nodes.
				code, err := w.svc.codes.Get(s.Redundancy)
				if err != nil {
					t.Fatal(err)
				}
				for _, number := range []int{0, 1, 8, 9} {
					piece := make([]byte, s.Redundancy.PieceSize(50_000))
					padded := make([]byte, int(code.Stripes(50_000))*code.StripeSize())
					copy(padded, w.stored[at])
					if err := code.EncodeShares(padded, []int{number}, [][]byte{piece}); err != nil {
						t.Fatal(err)
					}
					for _, n := range w.nodes[8:10] {
						w.sendAs(&s, number, n, piece)
						tt.spoil(w, &s, n, s.Root.Derive(n.ID, number))
					}
				}
				report, err := w.svc.RepairNow(w.ctx, at)
				if tt.taken && (err != nil || report.Outcome != Repaired || w.verify(at) != 8) {
					t.Errorf("%+v, %v", report, err)
				}
				if !tt.taken && (err == nil || slices.Contains(w.holders(at), w.nodes[8]) || slices.Contains(w.holders(at), w.nodes[9])) {
					t.Errorf("a piece that is not right was taken: %+v, %v", report, err)
				}
			})
		})
	}
}

func TestIrreparableUntilNodesReturn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 14, nil)
		at := w.put(50_000, w.nodes[:8])
		for _, n := range w.nodes[:5] {
			w.set(n, offline)
		}
		w.heal()
		status := w.svc.Status()
		if status.Lost != 1 || len(status.Irreparable) != 1 || status.Irreparable[0].Stream != at.Stream || len(w.segment(at).Pieces) != 8 {
			t.Fatalf("status %+v", status)
		}
		nap(3 * 24 * time.Hour)
		w.heal()
		if status := w.svc.Status(); status.Lost != 1 || len(w.segment(at).Pieces) != 8 {
			t.Errorf("three days later: %+v", status)
		}
		w.set(w.nodes[0], online)
		nap(2 * time.Minute)
		if _, err := w.svc.View(w.ctx); err != nil { // whoever looks at the nodes next
			t.Fatal(err)
		}
		w.drain()
		if status := w.svc.Status(); status.Lost != 0 || w.verify(at) != 8 {
			t.Errorf("after a node came back: %+v", status)
		}
		w.pass()
		if status := w.svc.Status(); len(status.Queue) != 0 || status.Below != 0 {
			t.Errorf("at last: %+v", status)
		}
	})
}

// TestNight has nodes that sleep: nothing is repaired, and nothing dropped.
func TestNight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 14, nil)
		at := w.put(50_000, w.nodes[:8])
		for range 5 {
			w.set(w.nodes[0], offline)
			w.set(w.nodes[1], offline)
			nap(8 * time.Hour)
			w.heal()
			w.set(w.nodes[0], online)
			w.set(w.nodes[1], online)
			nap(16 * time.Hour)
			w.heal()
		}
		if s := w.segment(at); !s.Repaired.IsZero() || len(s.Pieces) != 8 {
			t.Error("repaired because of sleeping nodes")
		}
		for _, n := range w.nodes[:3] { // five of eight in reach, of which four are needed
			w.set(n, offline)
		}
		w.heal()
		s := w.segment(at)
		if len(s.Pieces) != 10 || w.verify(at) != 7 {
			t.Errorf("an endangered segment has %d pieces", len(s.Pieces))
		}
		for _, n := range w.nodes[:3] {
			w.set(n, online)
		}
		if w.verify(at) != 10 {
			t.Error("pieces of nodes that came back were dropped")
		}
	})
}

func TestAbsenceBecomesLoss(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 14, nil)
		at := w.put(50_000, w.nodes[:8])
		w.set(w.nodes[0], offline)
		w.set(w.nodes[1], func(n *Node) { n.Online, n.Patience = false, 4*time.Hour })
		nap(5 * time.Hour)
		w.heal()
		if !w.segment(at).Repaired.IsZero() {
			t.Fatal("repaired for one node that is lost")
		}
		if lost, err := w.svc.NodesLost(w.ctx); lost || err != nil {
			t.Errorf("node that is known to be lost is news: %v", err)
		}
		nap(20 * time.Hour)
		if lost, err := w.svc.NodesLost(w.ctx); !lost || err != nil {
			t.Errorf("second node is not noticed: %v", err)
		}
		w.heal()
		if w.verify(at) != 8 {
			t.Error("not repaired")
		}
		if f := w.svc.Failures(); f.Lost != 2 || f.NodeDays < 5 || f.RatePerDay <= priorRate {
			t.Errorf("failures %+v", f)
		}
		w.set(w.nodes[0], online)
		w.pass()
		if f := w.svc.Failures(); f.Lost != 1 {
			t.Errorf("a node that came back still counts: %+v", f)
		}
		w.open(nil) // restart: what was lost stays lost, at once
		w.pass()
		if f := w.svc.Failures(); f.Lost != 1 {
			t.Errorf("after a restart: %+v", f)
		}
	})
}

// TestRestartAfterLongStop must not take the satellite's own absence for that of its nodes.
func TestRestartAfterLongStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 14, nil)
		at := w.put(50_000, w.nodes[:8])
		for _, n := range w.nodes {
			w.set(n, offline)
		}
		nap(10 * 24 * time.Hour)
		w.open(nil)
		w.pass()
		view, err := w.svc.View(w.ctx)
		if err != nil || view.Condition(w.nodes[0].Alias) != Asleep || w.svc.Failures().Lost != 0 {
			t.Errorf("nodes that nobody could have heard of are lost, %v", err)
		}
		for _, n := range w.nodes {
			w.set(n, online)
		}
		w.heal()
		if !w.segment(at).Repaired.IsZero() {
			t.Error("repaired without need")
		}
	})
}

func TestNoNodesForMorePieces(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 8, nil)
		at := w.put(50_000, w.nodes[:8])
		w.set(w.nodes[0], lose)
		w.set(w.nodes[1], lose)
		w.heal()
		status := w.svc.Status()
		if status.Waiting != 1 || w.svc.moved.read.Load() != 0 || len(status.Queue) != 1 || status.Queue[0].Reason != "few" {
			t.Fatalf("status %+v", status)
		}
		w.addNode()
		w.addNode()
		nap(2 * time.Minute)
		if _, err := w.svc.View(w.ctx); err != nil {
			t.Fatal(err)
		}
		w.drain()
		if w.verify(at) != 8 {
			t.Error("not repaired when nodes came")
		}
	})
}

func TestDamageReports(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 12, nil)
		at := w.put(50_000, w.nodes[:8])
		s := w.segment(at)
		id := w.pieceID(&s, 3)
		report := func(n *testNode, ids ...pieces.PieceID) error {
			_, err := w.svc.takeDamage(w.ctx, rpc.Peer{ID: n.ID}, &pieces.DamageReport{Pieces: ids})
			return err
		}
		if err := report(w.nodes[3], id, pieces.PieceID{9, 9}); err != nil {
			t.Fatal(err)
		}
		if err := report(w.nodes[4], id); err != nil { // says of another's piece that it is damaged
			t.Fatal(err)
		}
		if err := report(&testNode{Node: Node{ID: satelliteID}}, id); !errors.Is(err, pieces.ErrNotJoined) {
			t.Errorf("a stranger's report: %v", err)
		}
		w.open(nil)
		if w.svc.damage.len() != 3 {
			t.Fatalf("%d reports after a restart", w.svc.damage.len())
		}
		nap(time.Second)
		w.nodes[3].store.Damage(satelliteID, id)
		w.heal()
		if slices.Contains(w.holders(at), w.nodes[3]) || w.verify(at) != 8 || !slices.Contains(w.holders(at), w.nodes[4]) {
			t.Error("the damaged piece was not replaced, or another was")
		}
		if len(w.findings) != 0 {
			t.Errorf("findings %+v: a node that reports is not to be blamed", w.findings)
		}
		if n := w.svc.damage.len(); n != 0 {
			t.Errorf("%d reports are left", n)
		}
	})
}

func TestUnderfull(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 7, nil)
		at := w.put(50_000, w.nodes[:7])
		w.heal()
		if !w.segment(at).Repaired.IsZero() {
			t.Error("filled up without nodes")
		}
		w.addNode()
		w.svc.NodesChanged()
		w.heal()
		if w.verify(at) != 8 {
			t.Error("not filled up")
		}
		old := w.put(50_000, w.nodes[:7])
		nap(8 * 24 * time.Hour)
		w.heal()
		if !w.segment(old).Repaired.IsZero() {
			t.Error("a segment of last week above its threshold was filled up")
		}
		fresh := w.put(50_000, w.nodes[:7])
		w.svc.Enqueue(fresh)
		if busy, waiting := w.svc.queue.load(); busy != 0 || waiting != 1 {
			t.Errorf("%d busy, %d waiting", busy, waiting)
		}
		nap(2 * time.Minute)
		w.drain()
		nap(time.Minute)
		w.drain()
		if w.verify(fresh) != 8 {
			t.Error("not filled up at once")
		}
	})
}

// TestSharedDomains has fewer domains than pieces: what is spread as evenly as it can be is left alone, and repair keeps
// it so.
func TestSharedDomains(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 16, nil)
		for i, n := range w.nodes {
			w.set(n, func(n *Node) { n.Domain = string(rune('a' + i%4)) })
		}
		at := w.put(50_000, w.nodes[:8])
		w.heal()
		if !w.segment(at).Repaired.IsZero() {
			t.Fatal("clumped pieces that cannot be spread were moved")
		}
		clumped := w.put(50_000, []*testNode{w.nodes[0], w.nodes[4], w.nodes[8], w.nodes[12], w.nodes[1], w.nodes[5], w.nodes[2], w.nodes[3]})
		w.heal()
		count := make(map[string]int)
		for _, n := range w.holders(clumped) {
			count[n.Domain]++
		}
		if w.svc.tally.total(Repaired) != 1 {
			t.Errorf("%d repairs; domains %v", w.svc.tally.total(Repaired), count)
		}
		for domain, n := range count {
			if n > 2 {
				t.Errorf("%d pieces in %s", n, domain)
			}
		}
		w.verify(clumped)
	})
}

func TestSlowAndHungNodes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 14, nil)
		at := w.put(300_000, w.nodes[:8])
		w.set(w.nodes[0], lose)
		w.set(w.nodes[1], lose)
		w.network.Hang(w.nodes[2].ID)
		w.network.Hang(w.nodes[9].ID)
		w.network.Kill(w.nodes[3].ID) // nobody has noticed
		report, err := w.svc.RepairNow(w.ctx, at)
		if err != nil || report.Outcome != Repaired || len(w.findings) != 0 {
			t.Errorf("%+v, %v, findings %+v", report, err, w.findings)
		}
		w.network.Unhang(w.nodes[2].ID)
		w.network.Unhang(w.nodes[9].ID)
		w.network.Revive(w.nodes[3].ID)
		if w.verify(at) < 8 {
			t.Error("not repaired")
		}
	})
}

// TestSmallMemory repairs a segment that does not fit the bound, in parts.
func TestSmallMemory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 14, func(o *Options) { o.Memory = 100_000 })
		at := w.put(1_000_000, w.nodes[:8])
		w.set(w.nodes[0], lose)
		w.set(w.nodes[1], lose)
		w.heal()
		if w.verify(at) != 8 {
			t.Error("not repaired")
		}
	})
}

func TestBandwidthIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 14, func(o *Options) { o.BytesPerSecond = 100_000 })
		at := w.put(1_000_000, w.nodes[:8])
		w.set(w.nodes[0], lose)
		w.set(w.nodes[1], lose)
		started := time.Now()
		if _, err := w.svc.RepairNow(w.ctx, at); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took < 10*time.Second || took > 40*time.Second {
			t.Errorf("1.5 MB at 100 kB/s took %v", took)
		}
		if w.verify(at) != 8 {
			t.Error("not repaired")
		}
	})
}
