package scrub

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"storj/netx"
	"storj/pieces"
	"storj/pieces/memstore"
	"storj/pieces/storetest"
)

const month = 30 * 24 * time.Hour

// world is a store of some pieces, and a satellite that may be away.
type world struct {
	t     *testing.T
	dir   string
	store *memstore.Store
	away  atomic.Bool
	told  []pieces.PieceID
}

func newWorld(t *testing.T, count int) *world {
	w := &world{t: t, dir: t.TempDir(), store: memstore.New(memstore.Options{})}
	for n := range count {
		opts := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(n), Size: 1000}
		if err := storetest.Store(t.Context(), w.store, opts, 1000); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) report(_ context.Context, satellite netx.NodeID, ids []pieces.PieceID) error {
	if w.away.Load() {
		return netx.ErrUnreachable
	}
	if satellite != storetest.Satellite(0) || len(ids) > pieces.MaxDamage {
		w.t.Errorf("reported %d pieces to %s", len(ids), satellite)
	}
	w.told = append(w.told, ids...)
	return nil
}

// run runs a scrub for a time.
func (w *world) run(span time.Duration) Status {
	w.t.Helper()
	s, err := New(Options{
		Dir: w.dir, Store: w.store, Every: month, Report: w.report, Stored: func() int64 { return w.store.Space().Used },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), span)
	defer cancel()
	if err := s.Run(ctx); err != nil {
		w.t.Fatal(err)
	}
	return s.Status()
}

func TestRotIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 50)
		sat := storetest.Satellite(0)
		bad := []pieces.PieceID{storetest.PieceID(3), storetest.PieceID(30)}
		for _, id := range bad {
			w.store.Damage(sat, id)
		}
		w.away.Store(true)
		st := w.run(36 * time.Hour)
		if st.Pending != 2 || st.Last.Found != 2 || st.Last.Pieces != 50 || w.store.Usage()[sat].TrashPieces != 0 {
			t.Fatalf("satellite away: %+v", st)
		}
		w.away.Store(false)
		st = w.run(time.Hour) // after a restart
		slices.SortFunc(w.told, func(a, b pieces.PieceID) int { return slices.Compare(a[:], b[:]) })
		slices.SortFunc(bad, func(a, b pieces.PieceID) int { return slices.Compare(a[:], b[:]) })
		if st.Pending != 0 || !slices.Equal(w.told, bad) || w.store.Usage()[sat].TrashPieces != 2 {
			t.Fatalf("told %v: %+v", w.told, st)
		}
	})
}

func TestReportTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 5)
		w.store.Damage(storetest.Satellite(0), storetest.PieceID(1))
		w.away.Store(true)
		time.AfterFunc(26*time.Hour, func() { w.away.Store(false) })
		if st := w.run(27 * time.Hour); st.Pending != 0 || len(w.told) != 1 {
			t.Fatalf("told %v: %+v", w.told, st)
		}
	})
}

// slow is a store that counts its steps and has much in it.
type slow struct {
	*memstore.Store
	steps int
	bytes int64
	total int64
	place int64
}

func (s *slow) Scrub(_ context.Context, from []byte, budget int64) (pieces.ScrubStep, error) {
	if from == nil {
		s.place = 0
	}
	s.steps++
	got := min(budget, s.total-s.place)
	s.place += got
	s.bytes += got
	step := pieces.ScrubStep{Bytes: got}
	if s.place < s.total {
		step.Next = []byte{1}
	}
	return step, nil
}

// TestPace looks how often a pass runs, and in how many steps, for nodes of different size.
func TestPace(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		stored             int64
		passes             int64
		minSteps, maxSteps int
	}{
		{"nothing", 0, 3, 3, 3},
		{"small", 1 << 20, 3, 3, 3},
		{"1 GiB", 1 << 30, 3, 46, 50},
		{"8 TiB", 8 << 40, 2, 2 * 700, 3 * 730},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &slow{Store: memstore.New(memstore.Options{}), total: test.stored}
				s, err := New(Options{Store: store, Every: month, Stored: func() int64 { return test.stored }})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*month+time.Hour)
				defer cancel()
				if err := s.Run(ctx); err != nil {
					t.Fatal(err)
				}
				if store.steps < test.minSteps || store.steps > test.maxSteps {
					t.Errorf("%d steps, want %d to %d", store.steps, test.minSteps, test.maxSteps)
				}
				if got := store.bytes; got < test.passes*test.stored || got > 3*test.stored+test.stored/10 {
					t.Errorf("%d bytes of %d", got, test.stored)
				}
			})
		})
	}
}

func TestBadFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), []byte(`{"version": 7}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Dir: dir, Store: memstore.New(memstore.Options{}), Stored: func() int64 { return 0 }})
	if err != nil || s.Status().Every != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	sat := storetest.Satellite(1)
	if err := s.Damaged(sat, []pieces.PieceID{{1}, {2}, {1}}); err != nil || s.Status().Pending != 2 {
		t.Fatalf("pending %d, %v", s.Status().Pending, err)
	}
	if err := s.Drop(sat); err != nil || s.Status().Pending != 0 {
		t.Fatalf("dropped: %d, %v", s.Status().Pending, err)
	}
}
