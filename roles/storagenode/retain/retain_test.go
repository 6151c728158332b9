package retain

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"storj/netx"
	"storj/pieces"
	"storj/pieces/filter"
	"storj/pieces/memstore"
	"storj/pieces/storetest"
)

var sat = storetest.Satellite(0)

// world is a store with pieces 0 to 99, of which the filter keeps the even ones.
type world struct {
	t     *testing.T
	store *memstore.Store
	dir   string
	c     *Collector
}

func newWorld(t *testing.T, dir string, store pieces.Store) *world {
	t.Helper()
	w := &world{t: t, dir: dir, store: memstore.New(memstore.Options{})}
	for n := range 100 {
		opts := pieces.CreateOptions{Satellite: sat, Piece: storetest.PieceID(n), Size: 10}
		if err := storetest.Store(t.Context(), w.store, opts, 10); err != nil {
			t.Fatal(err)
		}
	}
	if store == nil {
		store = w.store
	}
	w.open(store)
	return w
}

func (w *world) open(store pieces.Store) {
	w.t.Helper()
	c, err := New(Options{Dir: w.dir, Store: store})
	if err != nil {
		w.t.Fatal(err)
	}
	w.c = c
}

// send hands in a filter that keeps the even pieces.
func (w *world) send(created time.Time) error {
	f := filter.New(50, 1, 0.0001)
	for n := 0; n < 100; n += 2 {
		f.Add(storetest.PieceID(n))
	}
	header := f.Header(created)
	return w.c.Retain(w.t.Context(), sat, &header, bytes.NewReader(f.Bits()))
}

// run applies what waits.
func (w *world) run() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.c.Run(ctx) }()
	synctest.Wait()
	cancel()
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) wantTrash(pieces int64) {
	w.t.Helper()
	if got := w.store.Usage()[sat].TrashPieces; got != pieces {
		w.t.Fatalf("%d pieces in the trash, want %d", got, pieces)
	}
}

func eachKind(t *testing.T, f func(t *testing.T, dir string)) {
	for _, kind := range []string{"disk", "memory"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir := ""
				if kind == "disk" {
					dir = filepath.Join(t.TempDir(), "retain")
				}
				f(t, dir)
			})
		})
	}
}

func TestGarbageGoes(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, dir string) {
		w := newWorld(t, dir, nil)
		time.Sleep(time.Hour)
		cut := time.Now()
		young := pieces.CreateOptions{Satellite: sat, Piece: storetest.PieceID(1001), Size: 10}
		other := pieces.CreateOptions{Satellite: storetest.Satellite(1), Piece: storetest.PieceID(1), Size: 10}
		for _, opts := range []pieces.CreateOptions{young, other} {
			if err := storetest.Store(t.Context(), w.store, opts, 10); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.send(cut); err != nil {
			t.Fatal(err)
		}
		if st := w.c.Status()[sat]; !st.Waiting || st.Running {
			t.Fatalf("status %+v", st)
		}
		w.run()
		w.wantTrash(50)
		for _, opts := range []pieces.CreateOptions{young, other} {
			r, err := w.store.Open(t.Context(), opts.Satellite, opts.Piece)
			if err != nil || !r.Info().Trashed.IsZero() {
				t.Fatalf("piece that is not in question: %v", err)
			}
		}
		st := w.c.Status()[sat]
		if st.Waiting || st.Checked != 101 || st.Trashed != 50 || st.Bytes != 500 || !st.Created.Equal(cut) {
			t.Fatalf("status %+v", st)
		}
		if err := w.send(cut.Add(-time.Minute)); err != nil || w.c.Status()[sat].Waiting {
			t.Fatalf("an older filter waits: %v", err)
		}
		n, err := w.c.Restore(t.Context(), sat, cut)
		if n != 50 || err != nil {
			t.Fatalf("restored %d, %v", n, err)
		}
		w.wantTrash(0)
	})
}

func TestSurvivesRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir(), nil)
		time.Sleep(time.Minute)
		if err := w.send(time.Now()); err != nil {
			t.Fatal(err)
		}
		w.open(w.store)
		w.run()
		w.wantTrash(50)
		if files, _ := os.ReadDir(w.dir); len(files) != 0 {
			t.Fatalf("files left: %v", files)
		}
	})
}

func TestWithdrawn(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, dir string) {
		w := newWorld(t, dir, nil)
		time.Sleep(time.Minute)
		if err := w.send(time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.c.Restore(t.Context(), sat, time.Time{}); err != nil {
			t.Fatal(err)
		}
		w.run()
		w.wantTrash(0)
	})
}

// midway calls back after the walk has seen so many pieces.
type midway struct {
	pieces.Store
	after int
	do    func()
}

func (m *midway) Pieces(ctx context.Context, id netx.NodeID, fn func(pieces.Info) error) error {
	seen := 0
	return m.Store.Pieces(ctx, id, func(info pieces.Info) error {
		if seen++; seen == m.after {
			m.do()
		}
		return fn(info)
	})
}

func TestRestoreStopsTheRunning(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, dir string) {
		m := &midway{after: 60}
		w := newWorld(t, dir, m)
		m.Store = w.store
		m.do = func() {
			if _, err := w.c.Restore(t.Context(), sat, time.Time{}); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Minute)
		if err := w.send(time.Now()); err != nil {
			t.Fatal(err)
		}
		w.run()
		w.wantTrash(0)
		if st := w.c.Status()[sat]; st.Waiting || st.Running {
			t.Fatalf("status %+v", st)
		}
	})
}

func TestNewerFilterWhileRunning(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, dir string) {
		m := &midway{after: 60}
		w := newWorld(t, dir, m)
		m.Store = w.store
		sent := false
		m.do = func() {
			if !sent {
				sent = true
				if err := w.send(time.Now().Add(time.Minute)); err != nil {
					t.Error(err)
				}
			}
		}
		time.Sleep(time.Minute)
		if err := w.send(time.Now()); err != nil {
			t.Fatal(err)
		}
		w.run()
		if st := w.c.Status()[sat]; st.Waiting || !st.Created.Equal(time.Now().Add(time.Minute)) || st.Trashed != 0 {
			t.Fatalf("status %+v", st)
		}
		w.wantTrash(50)
	})
}

// away is a store whose disk is away at first.
type away struct {
	pieces.Store
	away atomic.Bool
}

func (a *away) Pieces(ctx context.Context, id netx.NodeID, fn func(pieces.Info) error) error {
	if a.away.Load() {
		return pieces.ErrDisk
	}
	return a.Store.Pieces(ctx, id, fn)
}

func TestTriedAgain(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, dir string) {
		a := &away{}
		a.away.Store(true)
		w := newWorld(t, dir, a)
		a.Store = w.store
		time.Sleep(time.Minute)
		if err := w.send(time.Now()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.c.Run(ctx) }()
		synctest.Wait()
		a.away.Store(false)
		time.Sleep(2 * retryAfter)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		w.wantTrash(50)
	})
}

func TestBadFilters(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, dir string) {
		w := newWorld(t, dir, nil)
		if err := w.send(time.Now().Add(2 * maxFuture)); !errors.Is(err, pieces.ErrMalformed) {
			t.Errorf("from the future: %v", err)
		}
		f := filter.New(5, 1, 0.1)
		header := f.Header(time.Now())
		err := w.c.Retain(t.Context(), sat, &header, io.LimitReader(bytes.NewReader(f.Bits()), 5))
		if !errors.Is(err, pieces.ErrMalformed) {
			t.Errorf("cut short: %v", err)
		}
		w.c.busy[sat] = true
		if err := w.send(time.Now()); !errors.Is(err, netx.ErrBusy) {
			t.Errorf("two at once: %v", err)
		}
		if len(w.c.Status()) != 0 {
			t.Errorf("something waits: %+v", w.c.Status())
		}
		if dir == "" {
			return
		}
		for _, suffix := range []string{filterSuffix, partSuffix} {
			if err := os.WriteFile(w.c.path(sat, suffix), []byte("nonsense"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w.open(w.store)
		w.run()
		w.wantTrash(0)
		if files, _ := os.ReadDir(dir); len(files) != 0 {
			t.Errorf("files left: %v", files)
		}
	})
}
