package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeebo/blake3"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop/looptest"
	"storj/netx"
	"storj/pieces"
	"storj/roles/satellite/reputation"
)

// TestVerdicts has one node of six lie in every way there is. Each is told apart, and nobody else is blamed.
func TestVerdicts(t *testing.T) {
	const liar = 2
	tests := []struct {
		name    string
		lie     func(w *world, n *testNode, s *metainfo.Segment, piece pieces.PieceID)
		verdict reputation.Verdict // 0: nothing is kept
		text    string             // in the evidence
		removed bool
		state   pieces.State
	}{
		{name: "honest", lie: func(*world, *testNode, *metainfo.Segment, pieces.PieceID) {}},
		{
			name:    "lost",
			lie:     func(w *world, n *testNode, _ *metainfo.Segment, id pieces.PieceID) { n.Lose(w.id, id) },
			verdict: reputation.Lost, text: "not found", removed: true,
		},
		{
			name:    "damaged",
			lie:     func(w *world, n *testNode, _ *metainfo.Segment, id pieces.PieceID) { n.Damage(w.id, id) },
			verdict: reputation.Damaged, text: "damaged", removed: true,
		},
		{
			name: "every byte altered",
			lie: func(w *world, n *testNode, s *metainfo.Segment, id pieces.PieceID) {
				for at := int64(0); n.Alter(w.id, id, at); at += 1000 {
				}
			},
			verdict: reputation.Altered, text: "do not lead to the signed hash", removed: true, state: pieces.Quarantined,
		},
		{
			name: "another piece of its own",
			lie: func(w *world, n *testNode, s *metainfo.Segment, id pieces.PieceID) {
				other := pieces.NewPieceID()
				w.put(n, other, 1, content(int(s.Redundancy.PieceSize(s.EncryptedSize))))
				n.lie(func(pieces.PieceID) (pieces.Reader, error) {
					return n.Store.Open(context.Background(), w.id, other.Derive(n.url.ID, 1))
				})
			},
			verdict: reputation.Swapped, text: "the proof is of piece", removed: true, state: pieces.Quarantined,
		},
		{
			name: "an old copy",
			lie: func(w *world, n *testNode, s *metainfo.Segment, id pieces.PieceID) {
				other := pieces.NewPieceID()
				w.put(n, other, 1, content(int(s.Redundancy.PieceSize(s.EncryptedSize))))
				fresh := w.now(s)
				fresh.Created = time.Now().Add(100 * time.Hour)
				if err := looptest.Put(w.Context(), w.store, fresh); err != nil {
					w.Fatal(err)
				}
				n.lie(func(pieces.PieceID) (pieces.Reader, error) {
					return n.Store.Open(context.Background(), w.id, other.Derive(n.url.ID, 1))
				})
			},
			verdict: reputation.Outdated, text: "the proof is of piece", removed: true, state: pieces.Quarantined,
		},
		{
			name: "a proof of its own making",
			lie: func(w *world, n *testNode, s *metainfo.Segment, id pieces.PieceID) {
				forged := w.forge(n, s, id)
				n.lie(func(pieces.PieceID) (pieces.Reader, error) { return forged, nil })
			},
			verdict: reputation.Altered, text: "not signed by who uploaded", removed: true, state: pieces.Quarantined,
		},
		{
			name: "nonsense for a proof",
			lie: func(w *world, n *testNode, s *metainfo.Segment, id pieces.PieceID) {
				bad := w.forge(n, s, id)
				bad.proof = []byte("trust me")
				n.lie(func(pieces.PieceID) (pieces.Reader, error) { return bad, nil })
			},
			verdict: reputation.Altered, text: "is not one", removed: true, state: pieces.Quarantined,
		},
		{
			name: "a short piece",
			lie: func(w *world, n *testNode, s *metainfo.Segment, id pieces.PieceID) {
				other := pieces.NewPieceID()
				w.put(n, other, 1, content(10))
				n.lie(func(pieces.PieceID) (pieces.Reader, error) {
					return n.Store.Open(context.Background(), w.id, other.Derive(n.url.ID, 1))
				})
			},
			verdict: reputation.Damaged, text: "shorter", removed: true,
		},
		{
			name: "refuses",
			lie: func(w *world, n *testNode, _ *metainfo.Segment, _ pieces.PieceID) {
				n.lie(func(pieces.PieceID) (pieces.Reader, error) { return nil, pieces.ErrUntrusted })
			},
			verdict: reputation.Refused, text: "the node answers",
		},
		{
			name: "fails inside",
			lie: func(w *world, n *testNode, _ *metainfo.Segment, _ pieces.PieceID) {
				n.lie(func(pieces.PieceID) (pieces.Reader, error) { return nil, context.Canceled })
			},
			verdict: reputation.Refused, text: "the node answers",
		},
		{
			name: "drops the connection",
			lie: func(w *world, n *testNode, _ *metainfo.Segment, _ pieces.PieceID) {
				n.lie(func(pieces.PieceID) (pieces.Reader, error) {
					w.network.Kill(n.url.ID)
					w.network.Revive(n.url.ID)
					time.Sleep(time.Second)
					return nil, pieces.ErrNotFound
				})
			},
			verdict: reputation.Dropped, text: "connection broke",
		},
		{
			name: "slow, but right",
			lie: func(w *world, n *testNode, _ *metainfo.Segment, _ pieces.PieceID) {
				n.lie(func(id pieces.PieceID) (pieces.Reader, error) {
					r, err := n.Store.Open(context.Background(), w.id, id)
					return &slowReader{Reader: r, wait: 5 * time.Second}, err
				})
			},
			verdict: reputation.Proved, text: "does the node keep the piece itself",
		},
		{
			name: "in the trash",
			lie: func(w *world, n *testNode, _ *metainfo.Segment, id pieces.PieceID) {
				if err := n.Trash(context.Background(), w.id, []pieces.PieceID{id}, time.Now()); err != nil {
					w.Fatal(err)
				}
			},
			verdict: reputation.Trashed, text: "in the trash",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 6)
				s := w.segment(3, 100_000)
				n := w.nodes[liar]
				test.lie(w, n, &s, s.Root.Derive(n.url.ID, liar))
				if asked := w.pass(); asked != len(w.nodes) {
					t.Fatalf("%d pieces asked for, want one of each node", asked)
				}
				list := w.evidence(n)
				if test.verdict == 0 && len(list) != 0 || test.verdict != 0 && len(list) != 1 {
					t.Fatalf("evidence %+v", list)
				}
				if len(list) == 1 && (list[0].Verdict != test.verdict || !strings.Contains(list[0].Text, test.text)) {
					t.Errorf("verdict %s: %s", list[0].Verdict, list[0].Text)
				}
				if w.has(&s, n) == test.removed {
					t.Errorf("removed from the segment: %v", !w.has(&s, n))
				}
				if got := w.book.Standing(n.url.ID).State; got != test.state {
					t.Errorf("state %s, want %s", got, test.state)
				}
				for i, other := range w.nodes {
					if i != liar && (len(w.evidence(other)) != 0 || !w.has(&s, other) || w.book.Record(other.url.ID).Audits != 1) {
						t.Errorf("node %d: %+v", i, w.evidence(other))
					}
				}
			})
		})
	}
}

// forge makes a piece with a proof as good as a node can make it: its own limit, signed by a key of its own.
func (w *world) forge(n *testNode, s *metainfo.Segment, id pieces.PieceID) *forger {
	body := content(int(s.Redundancy.PieceSize(s.EncryptedSize)))
	own := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	limit := pieces.OrderLimit{
		Satellite: w.id, Node: n.url.ID, Piece: id, Action: pieces.ActionPut, Limit: int64(len(body)), Created: time.Now(),
		UplinkKey: [32]byte(own.Public().(ed25519.PublicKey)),
	}
	proof := pieces.Proof{Limit: limit.Sign(n.keys[0])} // it has that key
	proof.Hash = pieces.PieceHash{Piece: id, Size: int64(len(body)), Hash: blake3.Sum256(body), Created: time.Now()}
	proof.Hash.Sign(own)
	return &forger{
		proof: wire.Marshal(&proof), body: bytes.NewReader(body),
		info: pieces.Info{Piece: id, Size: int64(len(body)), Created: time.Now()},
	}
}

// slowReader takes its time, once.
type slowReader struct {
	pieces.Reader
	wait time.Duration
	once sync.Once
}

// ReadAt implements io.ReaderAt.
func (r *slowReader) ReadAt(p []byte, off int64) (int, error) {
	r.once.Do(func() { time.Sleep(r.wait) })
	return r.Reader.ReadAt(p, off)
}

// TestHangingNodes: a node that hangs is contained, asked for the whole piece, and at last the piece counts as lost; one
// that only hung once is proved right.
func TestHangingNodes(t *testing.T) {
	for _, recovers := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 4)
			s := w.segment(2, 100_000)
			n := w.nodes[1]
			n.lie(func(id pieces.PieceID) (pieces.Reader, error) {
				r, err := n.Store.Open(context.Background(), w.id, id)
				return &slowReader{Reader: r, wait: time.Hour}, err
			})
			w.pass()
			if w.auditor.contained() != 1 || len(w.evidence(n)) != 0 {
				t.Fatalf("%d contained, evidence %+v", w.auditor.contained(), w.evidence(n))
			}
			w.open(w.auditor.opts.Secret) // a restart forgets nothing
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- w.auditor.Run(ctx) }()
			if recovers {
				n.lie(nil)
			}
			time.Sleep(12 * time.Hour)
			cancel()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			record := w.book.Record(n.url.ID)
			if recovers {
				if record.Audits != 1 || record.Failures != 0 || !w.has(&s, n) || w.auditor.contained() != 0 {
					t.Errorf("recovered: %+v, %d contained", record, w.auditor.contained())
				}
				return
			}
			list := w.evidence(n)
			if len(list) != 1 || list[0].Verdict != reputation.TimedOut || record.Failures != 1 || w.has(&s, n) || w.auditor.contained() != 0 {
				t.Errorf("hung for good: %+v, %+v, %d contained", list, record, w.auditor.contained())
			}
		})
	}
}

// TestFaultyDisk: a node that says that its disk is away is asked again; when it stays so, the piece is taken out without
// a failed audit.
func TestFaultyDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		s := w.segment(2, 100_000)
		n := w.nodes[1]
		n.lie(func(pieces.PieceID) (pieces.Reader, error) { return nil, pieces.ErrDisk })
		w.pass()
		if !w.has(&s, n) {
			t.Error("taken out at the first try")
		}
		for range 4 {
			time.Sleep(2*DefaultRetry + time.Minute)
			w.auditor.queueDue(time.Now())
			w.auditor.Drain(t.Context())
		}
		record := w.book.Record(n.url.ID)
		if record.Failures != 0 || w.has(&s, n) || w.book.Standing(n.url.ID).State != pieces.Suspended {
			t.Errorf("%+v, %+v", record, w.book.Standing(n.url.ID))
		}
	})
}

func TestNodesThatAreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		s := w.segment(2, 10_000)
		n := w.nodes[1]
		w.network.Kill(n.url.ID)
		w.pass()
		if len(w.evidence(n)) != 0 || !w.has(&s, n) || w.book.Record(n.url.ID).Audits != 0 || len(w.suspected) != 1 {
			t.Errorf("blamed for being away: %+v, suspected %v", w.evidence(n), w.suspected)
		}
	})
}

// TestChangedMeanwhile: a segment that changes while a node is being asked is nobody's fault.
func TestChangedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		s := w.segment(2, 10_000)
		n := w.nodes[1]
		n.lie(func(pieces.PieceID) (pieces.Reader, error) {
			place := metabase.SegmentPlace{Stream: s.Stream}
			if err := w.db.ReplacePieces(context.Background(), place, s.Pieces, s.Pieces[2:], time.Time{}); err != nil {
				t.Error(err)
			}
			return nil, pieces.ErrNotFound
		})
		w.pass()
		if record := w.book.Record(n.url.ID); len(w.evidence(n)) != 0 || record.Audits != 0 {
			t.Errorf("blamed for a piece that was moved: %+v", w.evidence(n))
		}
	})
}

// TestValve: all nodes lose their pieces of one segment; it is not taken apart.
func TestValve(t *testing.T) {
	tests := []struct{ nodes, required, left int }{
		{12, 3, 6}, // no more than six of a pass
		{6, 4, 4},  // never under required
		{1, 1, 1},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, test.nodes)
			s := w.segment(test.required, 1000)
			for i, n := range w.nodes {
				n.Lose(w.id, s.Root.Derive(n.url.ID, i))
			}
			w.pass()
			if left := len(w.now(&s).Pieces); left != test.left || w.removed != test.nodes-test.left || len(w.events) == 0 {
				t.Errorf("%d nodes: %d pieces left, want %d; %d removed, events %q", test.nodes, left, test.left, w.removed, w.events)
			}
		})
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		n := w.nodes[0]
		s := &subject{item: item{node: n.url.ID}}
		for i := range 3 * maxEvidence {
			time.Sleep(time.Second)
			o := outcome{verdict: reputation.Lost, offset: int64(i), text: strings.Repeat("x", 1000)}
			if err := w.auditor.note(t.Context(), s, o); err != nil {
				t.Fatal(err)
			}
		}
		list := w.evidence(n)
		if len(list) != maxEvidence || list[0].Offset != 3*maxEvidence-1 || list[19].Offset != 2*maxEvidence || len(list[0].Text) != maxText {
			t.Errorf("%d rows, first %d", len(list), list[0].Offset)
		}
		if len(w.evidence(w.nodes[1])) != 0 {
			t.Error("another node has evidence")
		}
	})
}

// TestPace runs the auditor for days over a large and a small node's pieces.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		for range 30 {
			w.segment(1, 500)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.auditor.Run(ctx) }()
		audits := func() (all [3]uint64) {
			for i, n := range w.nodes {
				all[i] = w.book.Record(n.url.ID).Audits
			}
			return all
		}
		days := func(count int) {
			for range count * 12 {
				w.choose()
				time.Sleep(2 * time.Hour)
			}
		}
		days(4)
		fresh := audits()
		days(10)
		usual := audits()
		liar := w.nodes[1]
		w.book.Report(liar.url.ID, reputation.Finding{Verdict: reputation.Lost})
		days(1)
		watched := audits()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for i := range w.nodes {
			if fresh[i] < 100 || fresh[i] > 4*12*3+10 {
				t.Errorf("new node %d: %d audits in four days", i, fresh[i])
			}
			if got := usual[i] - fresh[i]; got < 110 || got > 130 {
				t.Errorf("node %d: %d audits in ten days, want 120", i, got)
			}
		}
		if got := watched[1] - usual[1]; got < 40 {
			t.Errorf("watched node: %d audits in a day", got)
		}
		if got := watched[0] - usual[0]; got > 14 {
			t.Errorf("node that is not watched: %d audits in a day", got)
		}
	})
}

func FuzzProof(f *testing.F) {
	w := wanted{satellite: netx.NodeID{1}, node: netx.NodeID{2}, piece: pieces.PieceID{3}, size: 1000}
	limit := pieces.OrderLimit{Satellite: w.satellite, Node: w.node, Piece: w.piece, Action: pieces.ActionPut}
	proof := pieces.Proof{Limit: limit.Sign(pieces.NodeKey{}), Hash: pieces.PieceHash{Piece: w.piece, Size: 1000}}
	f.Add(wire.Marshal(&proof), []byte("slice"), int64(1000))
	f.Add([]byte{}, []byte{}, int64(0))
	f.Fuzz(func(t *testing.T, proof, slice []byte, size int64) {
		reply := &pieces.ProveReply{Proof: proof, Slice: slice, Size: size}
		verdict, text := w.slice(&pieces.ProveRequest{Piece: w.piece, Offset: 0, Length: 100}, reply)
		if !verdict.Lied() || text == "" { // the key that signs is zero: nothing can be right
			t.Errorf("verdict %s, %q", verdict, text)
		}
	})
}

func FuzzRows(f *testing.F) {
	f.Add(wire.Marshal(&Evidence{Verdict: reputation.Lost, Text: "gone", Number: 3}))
	f.Add(wire.Marshal(&pendingRow{number: 3, tries: 1}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e Evidence
		if wire.Unmarshal(raw, &e) == nil && len(e.Text) > maxText {
			t.Error("long text")
		}
		var p pendingRow
		if wire.Unmarshal(raw, &p) == nil && p.tries > maxTries {
			t.Error("many tries")
		}
	})
}

// BenchmarkAudit asks a node for pieces of 2 MiB: all of both sides but the disk, over a network in memory.
func BenchmarkAudit(b *testing.B) {
	w := newWorld(b, 1)
	s := w.segment(1, 2<<20)
	it := item{node: w.nodes[0].url.ID, alias: w.nodes[0].alias, pick: pick{stream: s.Stream}}
	b.ReportAllocs()
	begun := cpuTime(b)
	for b.Loop() {
		w.auditor.audit(b.Context(), it)
	}
	b.ReportMetric(float64((cpuTime(b)-begun).Microseconds())/float64(b.N), "cpu-us/op")
	if record := w.book.Record(it.node); record.Failures != 0 || record.Audits == 0 {
		b.Fatalf("%+v", record)
	}
}
