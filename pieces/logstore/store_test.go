package logstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"storj/pieces"
	"storj/pieces/logstore"
	"storj/pieces/storetest"
)

var fixtureTime = time.Unix(5_000, 0)

func storeN(t *testing.T, st pieces.Store, n int, size int64, expires time.Time) {
	t.Helper()
	o := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(n), Size: size, Expires: expires}
	if err := storetest.Store(t.Context(), st, o, 64<<10); err != nil {
		t.Fatalf("store piece %d: %v", n, err)
	}
}

func verifyN(t *testing.T, st pieces.Store, n int, size int64) error {
	t.Helper()
	return storetest.Verify(t.Context(), st, storetest.Satellite(0), storetest.PieceID(n), size)
}

func TestMarker(t *testing.T) {
	t.Parallel()
	opts := optionsFor(t, 1)
	opts.Setup = false
	path := opts.Dirs[0].Path
	open := func() error {
		st, err := logstore.Open(t.Context(), opts)
		if err == nil {
			err = st.Close()
		}
		return err
	}
	if err := open(); !errors.Is(err, logstore.ErrNoMarker) {
		t.Fatalf("open without setup: %v", err)
	}
	if err := errors.Join(logstore.Setup(path), logstore.Setup(path), open()); err != nil {
		t.Fatalf("set up twice and open: %v", err)
	}
	marker := filepath.Join(path, logstore.MarkerName)
	kept, err := os.ReadFile(marker)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(marker, []byte("storj store, format 9\nid 00\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(); !errors.Is(err, logstore.ErrMarker) {
		t.Fatalf("open with a marker of another version: %v", err)
	}
	if err := os.Remove(marker); err != nil {
		t.Fatal(err)
	}
	if err := open(); !errors.Is(err, logstore.ErrNoMarker) {
		t.Fatalf("open without marker: %v", err)
	}
	if err := logstore.Setup(path); !errors.Is(err, logstore.ErrNotEmpty) {
		t.Fatalf("set up over an index without marker: %v", err)
	}
	if err := errors.Join(os.WriteFile(marker, kept, 0o600), open()); err != nil {
		t.Fatal(err)
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	opts := optionsFor(t, 1)
	st := mustOpen(t, opts)
	if _, err := logstore.Open(t.Context(), opts); !errors.Is(err, logstore.ErrLocked) {
		t.Fatalf("open twice: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mustOpen(t, opts).Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMarkerGoes takes the marker of one of two directories away while the store runs, as an unmounted disk does.
func TestMarkerGoes(t *testing.T) {
	t.Parallel()
	opts := optionsFor(t, 2)
	var mu sync.Mutex
	now := time.Now()
	opts.Now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	st := mustOpen(t, opts)
	for n := range 40 {
		storeN(t, st, n, 100, time.Time{})
	}
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	if err := os.Remove(filepath.Join(opts.Dirs[0].Path, logstore.MarkerName)); err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		storeN(t, st, 100+n, 100, time.Time{})
	}
	served := 0
	for n := range 40 {
		switch err := verifyN(t, st, n, 100); {
		case err == nil:
			served++
		case !errors.Is(err, pieces.ErrDisk):
			t.Errorf("piece %d: %v", n, err)
		}
	}
	if served == 0 || served == 40 {
		t.Errorf("%d of 40 pieces are served", served)
	}
	for n := range 10 {
		if err := verifyN(t, st, 100+n, 100); err != nil {
			t.Errorf("piece stored meanwhile: %v", err)
		}
	}
	if err := verifyN(t, st, 999, 1); !errors.Is(err, pieces.ErrDisk) {
		t.Errorf("unknown piece: %v", err)
	}
	if _, err := st.Restore(t.Context(), storetest.Satellite(0), time.Time{}); !errors.Is(err, pieces.ErrDisk) {
		t.Errorf("restore while a trash is out of reach: %v", err)
	}
	sp := st.Space()
	if len(sp.Dirs) != 2 || sp.Dirs[0].Fault == "" || sp.Dirs[0].Free != 0 || sp.Dirs[1].Fault != "" || sp.Free == 0 {
		t.Errorf("space: %+v", sp)
	}
	if report, err := st.Check(t.Context()); err != nil || report.OK() || len(report.Damaged) != 0 {
		t.Errorf("check: %v, %+v", err, report)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	opts.Setup = false
	if _, err := logstore.Open(t.Context(), opts); !errors.Is(err, logstore.ErrNoMarker) {
		t.Fatalf("open: %v", err)
	}
	opts.AllowFaulty = true
	st = mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	if err := verifyN(t, st, 100, 100); err != nil {
		t.Errorf("piece of the good directory: %v", err)
	}
	if err := verifyN(t, st, 999, 1); !errors.Is(err, pieces.ErrDisk) {
		t.Errorf("unknown piece: %v", err)
	}
}

// TestDiskDies lets every call fail: the store must say so and give up, not hang or forget.
func TestDiskDies(t *testing.T) {
	t.Parallel()
	opts := optionsFor(t, 1)
	opts.SkipSyncs()
	fs := &faultFS{FS: opts.FS, err: syscall.EIO, stay: true}
	opts.FS = fs
	st := mustOpen(t, opts)
	storeN(t, st, 1, 100, time.Time{})
	fs.arm(1)
	for n := range 5 {
		o := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(10 + n), Size: 100}
		if err := storetest.Store(t.Context(), st, o, 100); !errors.Is(err, pieces.ErrDisk) {
			t.Fatalf("store: %v", err)
		}
	}
	if st.Space().Dirs[0].Fault == "" {
		t.Error("the directory was not given up")
	}
	fs.arm(0)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	st = mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	if err := verifyN(t, st, 1, 100); err != nil {
		t.Fatal(err)
	}
}

// TestDiskFull fills a small file system for real.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	path := smallDisk(t, 12<<20)
	opts := logstore.Options{Reserve: 1 << 20, Setup: true, Dirs: []logstore.Dir{{Path: path, Capacity: 1 << 30}}}
	st := mustOpen(t, opts)
	fill := func() (n int) {
		for {
			size := int64(300_000)
			o := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(n), Size: size}
			err := storetest.Store(t.Context(), st, o, 64<<10)
			if errors.Is(err, pieces.ErrNoSpace) {
				return n
			}
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	n := fill()
	if n < 20 || n > 40 {
		t.Fatalf("%d pieces of 300,000 bytes fit 12 MiB", n)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	opts.Reserve = -1 // now only the disk itself says no
	st = mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	hog := filepath.Join(path, "hog")
	if err := os.WriteFile(hog, make([]byte, 2<<20), 0o600); err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	o := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(1000), Size: 10_000}
	if err := storetest.Store(t.Context(), st, o, 1000); err != nil && !errors.Is(err, pieces.ErrNoSpace) {
		t.Fatalf("store on a full disk: %v", err)
	}
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := verifyN(t, st, i, 300_000); err != nil {
			t.Fatalf("piece %d: %v", i, err)
		}
	}
	if report, err := st.Check(t.Context()); err != nil || !report.OK() {
		t.Fatalf("check: %v, %+v", err, report)
	}
}

// TestNoSpaceInMidWrite takes the space away after Create has promised it.
func TestNoSpaceInMidWrite(t *testing.T) {
	t.Parallel()
	opts := optionsFor(t, 1)
	opts.SkipSyncs()
	fs := &faultFS{FS: opts.FS, err: syscall.ENOSPC, stay: true}
	opts.FS = fs
	st := mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	for round, size := range []int64{1000, 500_000} {
		o := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(round), Size: size}
		w, err := st.Create(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		free := st.Space().Free
		fs.arm(1)
		_, err = w.Write(make([]byte, size))
		if err == nil {
			err = w.Commit(t.Context(), nil)
		}
		fs.arm(0)
		if !errors.Is(err, pieces.ErrNoSpace) {
			t.Fatalf("write of %d bytes without space: %v", size, err)
		}
		// The log could not be cut back: every call failed. The directory waits for its next Open.
		_ = w.Cancel()
		if st.Space().Dirs[0].Fault == "" && st.Space().Free < free {
			t.Errorf("the space was not given back: %+v", st.Space())
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		st = mustOpen(t, opts)
		storeN(t, st, 10+round, size, time.Time{})
		if report, err := st.Check(t.Context()); err != nil || !report.OK() || report.Pieces != int64(round+1) {
			t.Fatalf("check: %v, %+v", err, report)
		}
	}
}

func TestExpiryUnlinksLogs(t *testing.T) {
	t.Parallel()
	opts := optionsFor(t, 1)
	opts.SkipSyncs()
	st := mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	day := time.Unix(2_000_000_000, 0).UTC().Truncate(24 * time.Hour)
	for n := range 30 {
		storeN(t, st, n, int64(1000+n%2*200_000), day.Add(time.Duration(n)*4*time.Hour)) // five days
	}
	storeN(t, st, 99, 1000, time.Time{})
	logs := len(logFiles(t, opts.Dirs[0].Path))
	for d := range 5 {
		if n, err := st.DeleteExpired(t.Context(), day.Add(time.Duration(d+1)*24*time.Hour)); n != 6 || err != nil {
			t.Fatalf("day %d: %d deleted, %v", d, n, err)
		}
		left := logFiles(t, opts.Dirs[0].Path)
		if len(left) >= logs || strings.Contains(strings.Join(left, " "), day.AddDate(0, 0, d).Format("20060102")) {
			t.Fatalf("day %d: logs left: %v", d, left)
		}
		logs = len(left)
	}
	if left := logFiles(t, opts.Dirs[0].Path); len(left) != 1 {
		t.Fatalf("logs left: %v", left)
	}
	if err := verifyN(t, st, 99, 1000); err != nil {
		t.Fatal(err)
	}
}

func TestCompaction(t *testing.T) {
	t.Parallel()
	opts := optionsFor(t, 1)
	opts.SkipSyncs()
	opts.SetLogSize(1 << 20)
	st := mustOpen(t, opts)
	sat, ctx := storetest.Satellite(0), t.Context()
	var dead, trashed []pieces.PieceID
	for n := range 100 {
		storeN(t, st, n, int64(50_000+n%2*100_000), time.Time{})
		switch {
		case n%10 < 7:
			dead = append(dead, storetest.PieceID(n))
		case n%10 == 7:
			trashed = append(trashed, storetest.PieceID(n))
		}
	}
	if err := st.Trash(ctx, sat, dead, time.Unix(10, 0)); err != nil {
		t.Fatal(err)
	}
	if n, err := st.EmptyTrash(ctx, sat, time.Unix(20, 0)); n != 70 || err != nil {
		t.Fatal(n, err)
	}
	if err := st.Trash(ctx, sat, trashed, time.Unix(30, 0)); err != nil {
		t.Fatal(err)
	}
	open, err := st.Open(ctx, sat, storetest.PieceID(8)) // stays readable
	if err != nil {
		t.Fatal(err)
	}
	before, usage := st.Space(), st.Usage()[sat]
	freed, err := st.Compact(ctx, 0.5)
	after := st.Space()
	if err != nil || freed < before.Garbage/2 || after.Garbage > before.Garbage-freed+64<<10 {
		t.Fatalf("freed %d, %v; garbage %d, then %d", freed, err, before.Garbage, after.Garbage)
	}
	if after.Used != before.Used || after.Trash != before.Trash || st.Usage()[sat] != usage {
		t.Fatalf("compaction changed counters: %+v, %+v", before, after)
	}
	if _, err := open.ReadAt(make([]byte, 50_000), 0); err != nil {
		t.Fatalf("read a piece that moved: %v", err)
	}
	if err := errors.Join(open.Close(), st.Close(), logstore.Rebuild(ctx, opts)); err != nil {
		t.Fatal(err)
	}
	st = mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	if report, err := st.Check(ctx); err != nil || !report.OK() || report.Pieces != 30 {
		t.Fatalf("check: %v, %+v", err, report)
	}
	if n, err := st.Restore(ctx, sat, time.Unix(30, 0)); n != 10 || err != nil {
		t.Fatalf("restore: %d, %v", n, err)
	}
}

// TestRun looks at the clockwork: an index that is behind is flushed, and nothing ticks when nothing happens.
func TestRun(t *testing.T) {
	opts := optionsFor(t, 1)
	synctest.Test(t, func(t *testing.T) {
		st := mustOpen(t, opts)
		flushes := 0
		st.FailIndex(func(string) error { flushes++; return nil })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- st.Run(ctx) }()
		for round := 1; round <= 3; round++ {
			storeN(t, st, round, 100, time.Time{})
			storeN(t, st, round+100, 100, time.Time{})
			time.Sleep(time.Hour)
			synctest.Wait()
			if flushes != round {
				t.Errorf("round %d: %d flushes", round, flushes)
			}
		}
		cancel()
		if err := errors.Join(<-done, st.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestCloseEndsRun closes a store under Run and beside calls.
func TestCloseEndsRun(t *testing.T) {
	t.Parallel()
	st := mustOpen(t, optionsFor(t, 1))
	var group sync.WaitGroup
	group.Go(func() {
		if err := st.Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
	for w := range 8 {
		group.Go(func() {
			for n := w * 1000; ; n++ {
				o := pieces.CreateOptions{Piece: storetest.PieceID(n), Size: int64(n%3) * 100_000}
				if err := storetest.Store(t.Context(), st, o, 50_000); err != nil {
					if !errors.Is(err, pieces.ErrStoreClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	for st.Usage()[storetest.Satellite(-1)].Pieces < 20 {
		runtime.Gosched()
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
	group.Wait()
}
