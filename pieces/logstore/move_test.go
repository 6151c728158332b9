package logstore_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"storj/pieces"
	"storj/pieces/logstore"
	"storj/pieces/storetest"
)

func moveOptions(t *testing.T) logstore.Options {
	opts := optionsFor(t, 1)
	opts.SkipSyncs()
	opts.SetLogSize(200_000)
	return opts
}

// TestMove moves a directory while pieces are stored, read and thrown away.
func TestMove(t *testing.T) {
	t.Parallel()
	opts := moveOptions(t)
	st := mustOpen(t, opts)
	for n := range 60 {
		storeN(t, st, n, int64(n)*3000, time.Time{})
	}
	held, err := st.Open(t.Context(), storetest.Satellite(0), storetest.PieceID(59))
	if err != nil {
		t.Fatal(err)
	}
	from, to := opts.Dirs[0].Path, filepath.Join(t.TempDir(), "new", "disk")
	stop := make(chan struct{})
	var busy sync.WaitGroup
	stored := make([]int, 3)
	for w := range 3 {
		busy.Go(func() {
			for n := 1000 * (w + 1); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				o := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(n), Size: int64(n%7) * 30_000}
				switch err := storetest.Store(t.Context(), st, o, 30_000); {
				case err == nil:
					stored[w] = n
				case !errors.Is(err, pieces.ErrDisk) && !errors.Is(err, pieces.ErrNoSpace):
					t.Errorf("store meanwhile: %v", err)
				}
				if err := verifyN(t, st, n%60, int64(n%60)*3000); err != nil && !errors.Is(err, pieces.ErrDisk) {
					t.Errorf("read meanwhile: %v", err)
				}
			}
		})
	}
	switched, calls, last := false, 0, int64(0)
	err = st.Move(t.Context(), from, to, logstore.Moving{
		Progress: func(copied, total int64) {
			calls++
			if last = copied; copied > total {
				t.Errorf("copied %d of %d", copied, total)
			}
		},
		Switch: func() error { switched = true; return nil },
	})
	close(stop)
	busy.Wait()
	if err != nil || !switched || calls == 0 || last < 60*59/2*3000 {
		t.Fatalf("moved: %v, switched %v, %d bytes in %d calls", err, switched, last, calls)
	}
	body, err := io.ReadAll(io.NewSectionReader(held, 0, 1<<20))
	if err != nil || len(body) != 59*3000 {
		t.Errorf("reader that was open: %d bytes, %v", len(body), err)
	}
	if err := held.Close(); err != nil {
		t.Error(err)
	}
	storeN(t, st, 9999, 5000, time.Time{})
	if dirs := st.Space().Dirs; len(dirs) != 1 || dirs[0].Path != to || dirs[0].Fault != "" {
		t.Fatalf("directories %+v", dirs)
	}
	check := func(st *logstore.Store) {
		t.Helper()
		for n := range 60 {
			if err := verifyN(t, st, n, int64(n)*3000); err != nil {
				t.Errorf("piece %d: %v", n, err)
			}
		}
		for _, n := range append(stored, 9999) {
			if n == 9999 {
				err = verifyN(t, st, n, 5000)
			} else if n > 0 {
				err = verifyN(t, st, n, int64(n%7)*30_000)
			}
			if err != nil {
				t.Errorf("piece %d: %v", n, err)
			}
		}
		if report, err := st.Check(t.Context()); err != nil || !report.OK() {
			t.Errorf("check: %v, %+v", err, report)
		}
	}
	check(st)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	opts.Setup = false
	if _, err := logstore.Open(t.Context(), opts); !errors.Is(err, logstore.ErrNoMarker) {
		t.Errorf("the old directory opens: %v", err)
	}
	if current, err := logstore.FinishMove(from, to); current != to || err != nil {
		t.Errorf("after the move %s counts: %v", current, err)
	}
	opts.Dirs[0].Path = to
	st = mustOpen(t, opts)
	check(st)
	if err := errors.Join(st.Close(), logstore.Rebuild(t.Context(), opts)); err != nil {
		t.Fatal(err)
	}
	st = mustOpen(t, opts)
	check(st)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMoveRefused(t *testing.T) {
	t.Parallel()
	opts := moveOptions(t)
	st := mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	storeN(t, st, 1, 1000, time.Time{})
	from := opts.Dirs[0].Path
	photos, other := t.TempDir(), t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(photos, "a.jpg"), nil, 0o600), logstore.Setup(other)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, from, to string
		err            error
	}{
		{"to itself", from, from, pieces.ErrNotFound},
		{"from nowhere", "/nowhere", t.TempDir(), pieces.ErrNotFound},
		{"onto other files", from, photos, logstore.ErrNotEmpty},
		{"onto another store", from, other, logstore.ErrNotEmpty},
	}
	for _, test := range tests {
		if err := st.Move(t.Context(), test.from, test.to, logstore.Moving{}); !errors.Is(err, test.err) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	boom := errors.New("boom")
	to := t.TempDir()
	if err := st.Move(t.Context(), from, to, logstore.Moving{Switch: func() error { return boom }}); !errors.Is(err, boom) {
		t.Errorf("switch that fails: %v", err)
	}
	storeN(t, st, 2, 1000, time.Time{}) // it goes on where it was
	if err := st.Move(t.Context(), from, to, logstore.Moving{}); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := errors.Join(verifyN(t, st, 1, 1000), verifyN(t, st, 2, 1000)); err != nil {
		t.Error(err)
	}
}

// TestMoveCrash lets both disks die at every call of a move: afterwards one of the two directories has everything, and a
// move that is asked for again is done.
func TestMoveCrash(t *testing.T) {
	t.Parallel()
	step := 1
	if testing.Short() {
		step = 7
	}
	for at := 1; ; at += step {
		opts := moveOptions(t)
		st := mustOpen(t, opts)
		for n := range 12 {
			storeN(t, st, n, int64(n)*9000, time.Time{})
		}
		if err := st.Trash(t.Context(), storetest.Satellite(0), []pieces.PieceID{storetest.PieceID(3)}, time.Unix(5, 0)); err != nil {
			t.Fatal(err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		fs := &faultFS{FS: opts.FS, err: syscall.EIO, stay: true}
		faulty := opts
		faulty.FS = fs
		st = mustOpen(t, faulty)
		from, to := opts.Dirs[0].Path, filepath.Join(t.TempDir(), "new")
		before, noted := stateOf(t, st), false
		fs.arm(at)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := st.Move(ctx, from, to, logstore.Moving{Switch: func() error { noted = true; return nil }})
		cancel()
		fired := fs.hasFired()
		_ = st.Close() // of a disk that died
		current := from
		if noted {
			if current, err = logstore.FinishMove(from, to); err != nil {
				t.Fatalf("died at call %d: finish: %v", at, err)
			}
		}
		opts.Setup = false
		opts.Dirs[0].Path = current
		st = mustOpen(t, opts)
		if after := stateOf(t, st); after != before {
			t.Fatalf("died at call %d: %s differs", at, current)
		}
		storeN(t, st, 100, 1000, time.Time{})
		if current == from {
			if err := st.Move(t.Context(), from, to, logstore.Moving{}); err != nil {
				t.Fatalf("died at call %d: again: %v", at, err)
			}
		}
		if report, err := st.Check(t.Context()); err != nil || !report.OK() || report.Pieces != 13 {
			t.Fatalf("died at call %d: check: %v, %+v", at, err, report)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		if !fired {
			t.Logf("%d calls", at-1)
			return
		}
	}
}
