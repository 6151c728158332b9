package logstore_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"storj/netx"
	"storj/pieces"
	"storj/pieces/logstore"
	"storj/pieces/storetest"
)

// clock is a time that a test moves.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time           { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(by time.Duration) { c.ahead.Add(int64(by)) }

// TestComesBack unmounts one of two disks under a running store and mounts it again: nothing is lost, nobody restarts.
func TestComesBack(t *testing.T) {
	t.Parallel()
	opts := optionsFor(t, 2)
	opts.SkipSyncs()
	var c clock
	opts.Now = c.now
	st := mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	for n := range 40 {
		storeN(t, st, n, 200_000, time.Time{})
	}
	var writers []pieces.Writer // open on either disk when one goes
	for n := range 20 {
		w, err := st.Create(t.Context(), pieces.CreateOptions{
			Satellite: storetest.Satellite(0), Piece: storetest.PieceID(1000 + n), Size: 300_000,
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 150_000)); err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
	}
	disk := opts.Dirs[0].Path
	rename(t, disk, disk+"-away")
	if err := os.Mkdir(disk, 0o700); err != nil { // the mount point
		t.Fatal(err)
	}
	c.advance(time.Minute)
	storeN(t, st, 500, 200_000, time.Time{})
	if still := st.Retry(t.Context()); still != 1 {
		t.Fatalf("%d directories are away", still)
	}
	away := 0
	for n := range 40 {
		if err := verifyN(t, st, n, 200_000); errors.Is(err, pieces.ErrDisk) {
			away++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if away == 0 || away == 40 {
		t.Fatalf("%d pieces are away", away)
	}
	if err := os.Remove(disk); err != nil {
		t.Fatal(err)
	}
	rename(t, disk+"-away", disk)
	if still := st.Retry(t.Context()); still != 0 {
		t.Fatalf("%d directories are still away", still)
	}
	for n := range 40 {
		storeN(t, st, 2000+n, 200_000, time.Time{})
	}
	for _, w := range writers { // those of the disk that went must not cut off what was written since
		_ = w.Cancel()
	}
	for n := range 40 {
		if err := errors.Join(verifyN(t, st, n, 200_000), verifyN(t, st, 2000+n, 200_000)); err != nil {
			t.Fatal(err)
		}
	}
	if report, err := st.Check(t.Context()); err != nil || !report.OK() || report.Pieces != 81 {
		t.Fatalf("check: %v, %+v", err, report)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// readOnlyFS is a disk that was mounted read-only.
type readOnlyFS struct {
	logstore.FS
	on atomic.Bool
}

func (f *readOnlyFS) Usage(dir string) (int64, int64, error) {
	if f.on.Load() {
		return 0, 0, syscall.EROFS
	}
	return f.FS.Usage(dir)
}

func (f *readOnlyFS) OpenFile(path string, create bool) (logstore.File, error) {
	if create && f.on.Load() {
		return nil, &os.PathError{Op: "open", Path: path, Err: syscall.EROFS}
	}
	return f.FS.OpenFile(path, create)
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	opts := optionsFor(t, 1)
	opts.SkipSyncs()
	fs := &readOnlyFS{FS: opts.FS}
	opts.FS = fs
	var c clock
	opts.Now = c.now
	st := mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	storeN(t, st, 1, 100, time.Time{})
	fs.on.Store(true)
	c.advance(time.Minute)
	if sp := st.Space(); sp.Free != 0 || !strings.Contains(sp.Dirs[0].Fault, "read-only") {
		t.Fatalf("space of a read-only disk: %+v", sp)
	}
	if err := verifyN(t, st, 1, 100); !errors.Is(err, pieces.ErrDisk) {
		t.Fatalf("read from it: %v", err)
	}
	if still := st.Retry(t.Context()); still != 1 {
		t.Fatal("it came back read-only")
	}
	fs.on.Store(false)
	if still := st.Retry(t.Context()); still != 0 {
		t.Fatal("it did not come back")
	}
	storeN(t, st, 2, 100, time.Time{})
	if err := errors.Join(verifyN(t, st, 1, 100), verifyN(t, st, 2, 100)); err != nil {
		t.Fatal(err)
	}
}

func TestDrop(t *testing.T) {
	t.Parallel()
	opts := optionsFor(t, 2)
	opts.SkipSyncs()
	var c clock
	opts.Now = c.now
	st := mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	for n := range 20 {
		storeN(t, st, n, 1000, time.Time{})
	}
	if err := st.Flush(); err != nil {
		t.Fatal(err)
	}
	first := opts.Dirs[0].Path
	if err := st.Drop(first); !errors.Is(err, pieces.ErrExists) {
		t.Fatalf("drop what is served: %v", err)
	}
	if err := st.Drop("/nowhere"); !errors.Is(err, pieces.ErrNotFound) {
		t.Fatalf("drop what is not there: %v", err)
	}
	if err := os.Remove(filepath.Join(first, logstore.MarkerName)); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Minute)
	storeN(t, st, 100, 1000, time.Time{})
	lost := map[pieces.PieceID]bool{}
	note := func(_ netx.NodeID, ids []pieces.PieceID) error {
		for _, id := range ids {
			lost[id] = true
		}
		return nil
	}
	if err := st.Lost(t.Context(), opts.Dirs[1].Path, note); !errors.Is(err, pieces.ErrExists) {
		t.Fatalf("lost pieces of what is served: %v", err)
	}
	if err := st.Lost(t.Context(), first, note); err != nil {
		t.Fatal(err)
	}
	if err := st.Drop(first); err != nil {
		t.Fatal(err)
	}
	served := 0
	for n := range 20 {
		if err := verifyN(t, st, n, 1000); err == nil {
			served++
		} else if !errors.Is(err, pieces.ErrNotFound) || !lost[storetest.PieceID(n)] {
			t.Fatalf("%v; in the list of lost pieces: %v", err, lost[storetest.PieceID(n)])
		}
	}
	if served == 0 || served == 20 || len(st.Space().Dirs) != 1 {
		t.Fatalf("%d pieces served, directories %+v", served, st.Space().Dirs)
	}
	if err := st.Drop(opts.Dirs[1].Path); !errors.Is(err, pieces.ErrExists) {
		t.Fatalf("drop the last: %v", err)
	}
}

// unreadableFS cannot read a range of a log.
type unreadableFS struct {
	logstore.FS
	log        string
	start, end int64
}

type unreadableFile struct {
	logstore.File
	fs *unreadableFS
}

func (f *unreadableFS) OpenFile(path string, create bool) (logstore.File, error) {
	file, err := f.FS.OpenFile(path, create)
	if err == nil && f.log == path {
		file = &unreadableFile{file, f}
	}
	return file, err
}

func (f *unreadableFile) ReadAt(p []byte, off int64) (int, error) {
	if off < f.fs.end && off+int64(len(p)) > f.fs.start {
		return 0, syscall.EIO
	}
	return f.File.ReadAt(p, off)
}

// TestScrubFindsRot damages a log in one way after the other: exactly the pieces that cannot be read any more are named.
func TestScrubFindsRot(t *testing.T) {
	t.Parallel()
	flip := func(offset int64) func(*testing.T, string, *unreadableFS) {
		return func(t *testing.T, log string, _ *unreadableFS) {
			raw, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			raw[offset] ^= 1
			if err := os.WriteFile(log, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name   string
		damage func(*testing.T, string, *unreadableFS)
	}{
		{"none", func(*testing.T, string, *unreadableFS) {}},
		{"body", flip(50_000)},
		{"first header", flip(10)},
		{"middle", flip(120_000)},
		{"end cut off", func(t *testing.T, log string, _ *unreadableFS) {
			if err := os.Truncate(log, 90_000); err != nil {
				t.Fatal(err)
			}
		}},
		{"gone", func(t *testing.T, log string, _ *unreadableFS) {
			if err := os.Remove(log); err != nil {
				t.Fatal(err)
			}
		}},
		{"unreadable", func(_ *testing.T, log string, fs *unreadableFS) {
			fs.log, fs.start, fs.end = log, 60_000, 61_000
		}},
		{"zeros", func(t *testing.T, log string, _ *unreadableFS) {
			f, err := os.OpenFile(log, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteAt(make([]byte, 100_000), 30_000)
			if err = errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			opts := optionsFor(t, 1)
			opts.SkipSyncs()
			opts.SetLogSize(200_000)
			fs := &unreadableFS{FS: opts.FS}
			st := mustOpen(t, opts)
			const count = 40
			for n := range count {
				storeN(t, st, n, int64(n%10)*3000, time.Time{})
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			test.damage(t, logFiles(t, opts.Dirs[0].Path)[0], fs)
			opts.FS = fs
			st = mustOpen(t, opts)
			defer func() { _ = st.Close() }()
			want := map[pieces.PieceID]bool{}
			for n := range count {
				if err := verifyN(t, st, n, int64(n%10)*3000); err != nil {
					want[storetest.PieceID(n)] = true
				}
			}
			if (test.name == "none") != (len(want) == 0) {
				t.Fatalf("%d pieces are damaged", len(want))
			}
			for _, budget := range []int64{1, 1 << 40} {
				if got := scrubAll(t, st, budget); !maps.Equal(got, want) {
					t.Errorf("by %d: found %d pieces, want %d", budget, len(got), len(want))
				}
			}
		})
	}
}

func scrubAll(t *testing.T, st *logstore.Store, budget int64) map[pieces.PieceID]bool {
	t.Helper()
	found := map[pieces.PieceID]bool{}
	for place, steps := []byte(nil), 0; ; steps++ {
		step, err := st.Scrub(t.Context(), place, budget)
		if err != nil || steps > 1000 {
			t.Fatalf("scrub: %v after %d steps", err, steps)
		}
		for _, d := range step.Damaged {
			found[d.Piece] = true
		}
		if place = step.Next; place == nil {
			return found
		}
	}
}

// journalWorld is a store whose journals say much about logs that are gone.
func journalWorld(t *testing.T, opts logstore.Options) {
	t.Helper()
	st := mustOpen(t, opts)
	sat := storetest.Satellite(0)
	for n := range 70 {
		size := int64(2000)
		if n%35 == 0 {
			size = 150_000
		}
		storeN(t, st, n, size, time.Time{})
	}
	for round := range 14 {
		var ids []pieces.PieceID
		for n := round * 5; n < round*5+5; n++ {
			ids = append(ids, storetest.PieceID(n))
		}
		at := time.Unix(int64(1_700_000_000+round*100), 0)
		if err := st.Trash(t.Context(), sat, ids, at); err != nil {
			t.Fatal(err)
		}
		if round%5 == 3 {
			if _, err := st.Restore(t.Context(), sat, at); err != nil {
				t.Fatal(err)
			}
		}
		if round == 9 {
			if _, err := st.EmptyTrash(t.Context(), sat, at.Add(-500*time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := st.Compact(t.Context(), 0.9); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// stateOf lists everything that a store says about its pieces.
func stateOf(t *testing.T, st *logstore.Store) string {
	t.Helper()
	var lines []string
	sat := storetest.Satellite(0)
	err := st.Pieces(t.Context(), sat, func(info pieces.Info) error {
		lines = append(lines, fmt.Sprint(info.Piece, info.Size, info.Trashed))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + fmt.Sprint(st.Usage()[sat])
}

func journalOptions(t *testing.T) logstore.Options {
	opts := optionsFor(t, 1)
	opts.SkipSyncs()
	opts.SetLogSize(1100)
	return opts
}

func journalBytes(t *testing.T, opts logstore.Options) (sum int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(opts.Dirs[0].Path, logstore.LogsName, "*.journal*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(path, ".journal") {
			t.Errorf("left behind: %s", path)
		}
		sum += info.Size()
	}
	return sum
}

func TestCompactJournals(t *testing.T) {
	t.Parallel()
	opts := journalOptions(t)
	journalWorld(t, opts)
	st := mustOpen(t, opts)
	before, size := stateOf(t, st), journalBytes(t, opts)
	freed, err := st.CompactJournals(t.Context())
	if err != nil || freed < size/3 {
		t.Fatalf("freed %d of %d bytes: %v", freed, size, err)
	}
	if report, err := st.Check(t.Context()); err != nil || !report.OK() {
		t.Fatalf("check: %v, %+v", err, report)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if now := journalBytes(t, opts); now != size-freed {
		t.Errorf("journals have %d bytes, want %d", now, size-freed)
	}
	if err := logstore.Rebuild(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	st = mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	if after := stateOf(t, st); after != before {
		t.Fatalf("a rebuild from the new journals differs:\n%s\nbefore:\n%s", after, before)
	}
	if err := st.Trash(t.Context(), storetest.Satellite(0), []pieces.PieceID{storetest.PieceID(69)}, time.Unix(5, 0)); err != nil {
		t.Fatal(err)
	}
}

// TestCompactJournalsCrash lets the disk die at every call of a compaction of journals, and opens what is left with its
// index and without.
func TestCompactJournalsCrash(t *testing.T) {
	t.Parallel()
	for _, rebuild := range []bool{false, true} {
		t.Run(fmt.Sprintf("rebuild %v", rebuild), func(t *testing.T) {
			t.Parallel()
			step := 1
			if testing.Short() {
				step = 5
			}
			made := journalOptions(t)
			journalWorld(t, made)
			for at := 1; ; at += step {
				opts := journalOptions(t)
				if err := os.CopyFS(opts.Dirs[0].Path, os.DirFS(made.Dirs[0].Path)); err != nil {
					t.Fatal(err)
				}
				fs := &faultFS{FS: opts.FS, err: syscall.EIO, stay: true}
				faulty := opts
				faulty.FS = fs
				st := mustOpen(t, faulty)
				before := stateOf(t, st)
				fs.arm(at)
				_, err := st.CompactJournals(t.Context())
				fired := fs.hasFired()
				if fired && err == nil && at < 5 {
					t.Fatalf("call %d failed unnoticed", at)
				}
				_ = st.Close() // of a disk that died
				if rebuild {
					if err := logstore.Rebuild(t.Context(), opts); err != nil {
						t.Fatal(err)
					}
				}
				st = mustOpen(t, opts)
				if after := stateOf(t, st); after != before {
					t.Fatalf("died at call %d: state differs", at)
				}
				if report, err := st.Check(t.Context()); err != nil || !report.OK() {
					t.Fatalf("died at call %d: check: %v, %+v", at, err, report)
				}
				journalBytes(t, opts)
				if err := st.Close(); err != nil {
					t.Fatal(err)
				}
				if !fired {
					t.Logf("%d calls", at-1)
					return
				}
			}
		})
	}
}
