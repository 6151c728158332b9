package segmentio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"storj/ecenc"
	"storj/netx"
	"storj/pieces"
)

func scheme(required, repair, optimal, total int) ecenc.Redundancy {
	return ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: required, Repair: repair, Optimal: optimal, Total: total}
}

var ten = scheme(4, 6, 8, 10)

func TestSegmentsOfAllSizesComeBack(t *testing.T) {
	const share = ecenc.MaxShareSize
	for _, r := range []ecenc.Redundancy{scheme(1, 1, 1, 1), scheme(1, 1, 2, 2), scheme(2, 3, 4, 4), ten, scheme(16, 20, 30, 40)} {
		for _, size := range []int{1, 16, 63, 64, 65, 4 << 10, 64 << 10, 4*share - 1, 4 * share, 4*share + 1, 33 * share, 3 << 20} {
			t.Run(fmt.Sprintf("%s/%d", r, size), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newMemWorld(t, r.Total, Options{})
					s := w.newSegment(r, size)
					if err := w.upload(t.Context(), s); err != nil {
						t.Fatal(err)
					}
					if len(s.pieces) != r.Optimal {
						t.Errorf("%d pieces stored, want %d", len(s.pieces), r.Optimal)
					}
					if optimal := int64(r.Optimal) * s.redundancy.PieceSize(int64(size)); s.sent != optimal {
						t.Errorf("%d bytes sent, %d are enough", s.sent, optimal)
					}
					d := w.mustRead(s, 0, int64(size))
					if d.Stats().Hedges != 0 {
						t.Errorf("%d hedges with healthy nodes", d.Stats().Hedges)
					}
				})
			})
		}
	}
}

func TestRangesAskOnlyWhoHasThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const share = int64(ecenc.MaxShareSize)
		w := newMemWorld(t, 10, Options{Window: 1 << 20})
		s := w.newSegment(ten, 40*int(share)+1000)
		if err := w.upload(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			offset, length int64
			asked          int
		}{
			{0, share, 1},
			{5 * share, share, 1},
			{5 * share, 3 * share, 3},
			{5*share + 100, 200, 1},
			{7 * share, 2 * share, 4},
			{40 * share, 1000, 1},
			{0, 40*share + 1000, 4},
		} {
			if got := w.mustRead(s, test.offset, test.length).Stats().PiecesAsked; got != test.asked {
				t.Errorf("[%d, +%d): %d pieces asked, want %d", test.offset, test.length, got, test.asked)
			}
		}
		if _, _, err := w.download(t.Context(), w.getRequest(s, 40*share, 2000)); !errors.Is(err, pieces.ErrRange) {
			t.Errorf("range past the end: %v", err)
		}
	})
}

func TestUploadSurvivesLostNodes(t *testing.T) {
	for _, test := range []struct {
		name   string
		fault  func(w *world, node netx.NodeID)
		atOnce bool
		lost   int
		stored int
	}{
		{"two killed before", func(w *world, id netx.NodeID) { w.net.Kill(id) }, true, 2, 8},
		{"three killed before", func(w *world, id netx.NodeID) { w.net.Kill(id) }, true, 3, 7},
		{"two killed in the middle", func(w *world, id netx.NodeID) { w.net.Kill(id) }, false, 2, 8},
		{"three killed in the middle", func(w *world, id netx.NodeID) { w.net.Kill(id) }, false, 3, 7},
		{"two hung before", func(w *world, id netx.NodeID) { w.net.Hang(id) }, true, 2, 8},
		{"three hung before", func(w *world, id netx.NodeID) { w.net.Hang(id) }, true, 3, 7},
		{"two hung in the middle", func(w *world, id netx.NodeID) { w.net.Hang(id) }, false, 2, 8},
		{"three hung in the middle", func(w *world, id netx.NodeID) { w.net.Hang(id) }, false, 3, 7},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newMemWorld(t, 10, Options{})
				for _, n := range w.nodes {
					w.net.Slow(n.url.ID, 5*time.Millisecond)
				}
				healthy := w.newSegment(ten, 2<<20)
				start := time.Now()
				if err := w.upload(t.Context(), healthy); err != nil {
					t.Fatal(err)
				}
				normal := time.Since(start)
				strike := func() {
					for _, n := range w.nodes[1 : 1+test.lost] {
						test.fault(w, n.url.ID)
					}
				}
				if test.atOnce {
					strike()
				} else {
					time.AfterFunc(normal/2, strike)
				}
				s := w.newSegment(ten, 2<<20)
				start = time.Now()
				if err := w.upload(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took > 2*normal+2*time.Second {
					t.Errorf("took %v, healthy %v", took, normal)
				}
				if len(s.pieces) < test.stored {
					t.Errorf("%d pieces stored, want %d", len(s.pieces), test.stored)
				}
				again := w.newSegment(ten, 2<<20)
				start = time.Now()
				if err := w.upload(t.Context(), again); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took > 2*normal+time.Second {
					t.Errorf("the segment after it took %v, healthy %v: the bad nodes were not remembered", took, normal)
				}
				w.mustRead(s, 0, 2<<20)
			})
		})
	}
}

func TestUploadFailsClearlyWithTooFewNodes(t *testing.T) {
	for name, fault := range map[string]func(w *world, id netx.NodeID){
		"killed": func(w *world, id netx.NodeID) { w.net.Kill(id) },
		"hung":   func(w *world, id netx.NodeID) { w.net.Hang(id) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newMemWorld(t, 10, Options{})
				for _, n := range w.nodes[:4] {
					fault(w, n.url.ID)
				}
				start := time.Now()
				err := w.upload(t.Context(), w.newSegment(ten, 1<<20))
				var few *TooFewError
				if !errors.As(err, &few) || !errors.Is(err, pieces.ErrTooFewPieces) {
					t.Fatalf("got %v", err)
				}
				if few.Had != 6 || few.Needed != 7 || len(few.Causes) != 4 {
					t.Errorf("had %d, needed %d, %d causes; want 6, 7, 4", few.Had, few.Needed, len(few.Causes))
				}
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestReplaceBringsFreshNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMemWorld(t, 12, Options{})
		for _, n := range w.nodes[:3] {
			w.net.Kill(n.url.ID)
		}
		s := w.newSegment(ten, 1<<20)
		calls := 0
		res, err := w.client.Upload(t.Context(), &UploadRequest{
			Data: s.data, Redundancy: s.redundancy, PieceKey: s.seed, Limits: w.putLimits(s, w.nodes[:10]),
			Replace: func(_ context.Context, failed []int, exclude []netx.NodeID) (limits []pieces.PieceLimit, err error) {
				calls++
				for i, number := range failed[:min(len(failed), 2)] {
					node := w.nodes[10+i]
					limits = append(limits, pieces.PieceLimit{
						Number: number, Node: node.url,
						Limit: w.limit(node, s.root.Derive(node.url.ID, number), pieces.ActionPut, pieces.MaxPieceSize, s.seed),
					})
				}
				return limits, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Pieces) != 8 || calls != 1 {
			t.Errorf("%d pieces after %d calls of Replace, want 8 after 1", len(res.Pieces), calls)
		}
	})
}

func TestDownloadSurvivesLostNodes(t *testing.T) {
	for _, test := range []struct {
		name   string
		fault  func(w *world, node netx.NodeID)
		atOnce bool
	}{
		{"killed before", func(w *world, id netx.NodeID) { w.net.Kill(id) }, true},
		{"killed in the middle", func(w *world, id netx.NodeID) { w.net.Kill(id) }, false},
		{"hung before", func(w *world, id netx.NodeID) { w.net.Hang(id) }, true},
		{"hung in the middle", func(w *world, id netx.NodeID) { w.net.Hang(id) }, false},
	} {
		for _, small := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/small=%v", test.name, small), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newMemWorld(t, 10, Options{Window: 1 << 20})
					s := w.newSegment(ten, 4<<20)
					if err := w.upload(t.Context(), s); err != nil {
						t.Fatal(err)
					}
					for _, n := range w.nodes {
						w.net.Slow(n.url.ID, 5*time.Millisecond)
					}
					length := int64(len(s.data))
					if small {
						length = ecenc.MaxShareSize
					}
					start := time.Now()
					w.mustRead(s, 0, length)
					normal := time.Since(start)
					strike := func() {
						for _, n := range w.nodes[:4] { // the data pieces, all of them
							test.fault(w, n.url.ID)
						}
					}
					if test.atOnce {
						strike()
					} else {
						time.AfterFunc(normal/2, strike)
					}
					start = time.Now()
					w.mustRead(s, 0, length)
					if took := time.Since(start); took > 2*normal+2*time.Second {
						t.Errorf("took %v, healthy %v", took, normal)
					}
					start = time.Now()
					d := w.mustRead(s, 0, length)
					if took := time.Since(start); took > 2*normal+100*time.Millisecond {
						t.Errorf("the read after it took %v with %+v, healthy %v: the bad nodes were not remembered", took, d.Stats(), normal)
					}
				})
			})
		}
	}
}

func TestDownloadFailsClearlyWithTooFewNodes(t *testing.T) {
	for name, fault := range map[string]func(w *world, id netx.NodeID){
		"killed": func(w *world, id netx.NodeID) { w.net.Kill(id) },
		"hung":   func(w *world, id netx.NodeID) { w.net.Hang(id) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newMemWorld(t, 10, Options{})
				s := w.newSegment(ten, 1<<20)
				if err := w.upload(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				for _, piece := range s.pieces[:5] {
					fault(w, piece.Node)
				}
				start := time.Now()
				_, _, err := w.download(t.Context(), w.getRequest(s, 0, 1<<20))
				var few *TooFewError
				if !errors.As(err, &few) || !errors.Is(err, pieces.ErrTooFewPieces) {
					t.Fatalf("got %v", err)
				}
				if few.Had != 3 || few.Needed != 4 {
					t.Errorf("had %d, needed %d; want 3, 4", few.Had, few.Needed)
				}
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestSlowConsumerIsNotTakenForSlowNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMemWorld(t, 10, Options{Window: 1 << 20})
		s := w.newSegment(ten, 4<<20)
		if err := w.upload(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		d := w.client.Download(t.Context(), w.getRequest(s, 0, 4<<20))
		defer d.Close()
		var got bytes.Buffer
		for {
			run, err := d.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got.Write(run)
			time.Sleep(10 * time.Second)
		}
		if !bytes.Equal(got.Bytes(), s.data) {
			t.Error("bytes differ")
		}
		if hedges := d.Stats().Hedges; hedges != 0 {
			t.Errorf("%d hedges", hedges)
		}
	})
}

func TestVerifiedDownloadNamesLiars(t *testing.T) {
	for name, lie := range map[string]func(w *world, s *segment, p pieces.StoredPiece){
		"altered": func(w *world, s *segment, p pieces.StoredPiece) {
			w.node(p.Node).store.Alter(w.sat, p.Ack.Piece, 5000)
		},
		"other content under its own proof": func(w *world, s *segment, p pieces.StoredPiece) {
			w.swap(s, p, p.Ack.Size)
		},
		"shorter content under its own proof": func(w *world, s *segment, p pieces.StoredPiece) {
			w.swap(s, p, p.Ack.Size-64)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newMemWorld(t, 10, Options{})
				s := w.newSegment(ten, 1<<20)
				if err := w.upload(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				var liars []netx.NodeID
				for _, p := range s.pieces[1:5] {
					lie(w, s, p)
					liars = append(liars, p.Node)
				}
				for _, part := range [][2]int64{{64 << 10, 100 << 10}, {200 << 10, 300 << 10}, {500 << 10, 400 << 10}} {
					offset, length := part[0], part[1] // from the first, second and fourth stripe on
					req := w.getRequest(s, offset, length)
					req.UploadKey = s.uploadKey()
					got, d, err := w.download(t.Context(), req)
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(got, s.data[offset:offset+length]) {
						t.Errorf("bytes from %d differ", offset)
					}
					if named := d.Corrupt(); offset == 64<<10 && len(named) != len(liars) { // later ones are asked last
						t.Errorf("named %v, want %v", named, liars)
					}
				}
			})
		})
	}
}
