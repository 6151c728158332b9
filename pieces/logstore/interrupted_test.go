package logstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"storj/pieces"
	"storj/pieces/logstore"
	"storj/pieces/storetest"
)

// stopFS ends a context when the record behind an offset of a log is looked at.
type stopFS struct {
	logstore.FS
	behind int64
	stop   context.CancelFunc
	hits   atomic.Int32
}

type stopFile struct {
	logstore.File
	fs *stopFS
}

func (f *stopFS) OpenFile(path string, create bool) (logstore.File, error) {
	file, err := f.FS.OpenFile(path, create)
	if err != nil || !strings.HasSuffix(path, ".log") {
		return file, err
	}
	return stopFile{file, f}, nil
}

func (f stopFile) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.fs.behind {
		f.fs.hits.Add(1)
		f.fs.stop()
	}
	return f.File.ReadAt(p, off)
}

// TestInterruptedReplay stops Open in the middle of a log of which all that was read so far is dead. What was not read
// yet is not.
func TestInterruptedReplay(t *testing.T) {
	t.Parallel()
	for name, expires := range map[string]time.Time{"plain": {}, "expiring": time.Unix(4_000_000_000, 0)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := optionsFor(t, 1)
			opts.SkipSyncs()
			disk := opts.FS
			st := mustOpen(t, opts)
			owner := storetest.Satellite(0)
			for n, size := range []int64{3 << 19, 1000, 1000} {
				create := pieces.CreateOptions{Satellite: owner, Piece: storetest.PieceID(n), Size: size, Expires: expires}
				if err := storetest.Store(t.Context(), st, create, 50_000); err != nil {
					t.Fatal(err)
				}
			}
			at := time.Unix(1_700_000_000, 0)
			err := st.Trash(t.Context(), owner, []pieces.PieceID{storetest.PieceID(0)}, at)
			if err == nil {
				_, err = st.EmptyTrash(t.Context(), owner, at.Add(time.Second))
			}
			if err = errors.Join(err, st.Close()); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(opts.Dirs[0].Path, logstore.IndexName)); err != nil {
				t.Fatal(err)
			}

			ctx, stop := context.WithCancel(t.Context())
			fs := &stopFS{FS: disk, behind: 3 << 19, stop: stop}
			opts.FS = fs
			if _, err := logstore.Open(ctx, opts); !errors.Is(err, context.Canceled) || fs.hits.Load() == 0 {
				t.Fatalf("open that was to be stopped: %v, %d reads", err, fs.hits.Load())
			}

			opts.FS = disk
			st = mustOpen(t, opts)
			defer func() { _ = st.Close() }()
			for n := 1; n <= 2; n++ {
				r, err := st.Open(t.Context(), owner, storetest.PieceID(n))
				if err != nil {
					t.Fatalf("piece %d after an interrupted open: %v", n, err)
				}
				_ = r.Close()
			}
		})
	}
}

// syncFS counts the syncs of logs by their names.
type syncFS struct {
	logstore.FS
	mu    sync.Mutex
	syncs map[string]int
}

type syncFile struct {
	logstore.File
	fs   *syncFS
	name string
}

func (f *syncFS) OpenFile(path string, create bool) (logstore.File, error) {
	file, err := f.FS.OpenFile(path, create)
	return syncFile{file, f, filepath.Base(path)}, err
}

func (f syncFile) Sync() error {
	f.fs.mu.Lock()
	f.fs.syncs[f.name]++
	f.fs.mu.Unlock()
	return f.File.Sync()
}

// TestReplaySyncs: what a killed process has written and not synced is in memory only when the next one reads it. It is
// made durable before the index knows it.
func TestReplaySyncs(t *testing.T) {
	t.Parallel()
	opts := optionsFor(t, 1)
	opts.SkipSyncs()
	dir := opts.Dirs[0].Path
	st := mustOpen(t, opts)
	put := func(n int) {
		create := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(n), Size: 1000}
		if err := storetest.Store(t.Context(), st, create, 1000); err != nil {
			t.Fatal(err)
		}
	}
	put(0)
	if err := st.Flush(); err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(filepath.Join(dir, logstore.IndexName))
	if err != nil {
		t.Fatal(err)
	}
	put(1)
	err = st.Trash(t.Context(), storetest.Satellite(0), []pieces.PieceID{storetest.PieceID(0)}, time.Unix(1_700_000_000, 0))
	if err = errors.Join(err, st.Close(), os.WriteFile(filepath.Join(dir, logstore.IndexName), index, 0o600)); err != nil {
		t.Fatal(err)
	}

	fs := &syncFS{FS: opts.FS, syncs: map[string]int{}}
	opts.FS = fs
	st = mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	names, err := os.ReadDir(filepath.Join(dir, logstore.LogsName))
	if err != nil || len(names) != 2 {
		t.Fatalf("%d logs, want a log and a journal: %v", len(names), err)
	}
	for _, name := range names {
		if fs.syncs[name.Name()] == 0 {
			t.Errorf("%s was not synced", name.Name())
		}
	}
}
