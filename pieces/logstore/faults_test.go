package logstore_test

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"storj/netx"
	"storj/pieces"
	"storj/pieces/logstore"
	"storj/pieces/storetest"
)

// faultFS fails the n-th call, or all from the n-th on. Writes that fail leave half of their bytes behind.
type faultFS struct {
	logstore.FS
	err  error
	stay bool // all calls from the n-th on fail

	mu    sync.Mutex // guards the fields below
	calls int
	at    int // 0: never
	fired bool
}

func (f *faultFS) step() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.at == 0 || f.calls < f.at || f.calls > f.at && !f.stay {
		return nil
	}
	f.fired = true
	return &os.PathError{Op: "injected", Path: "log", Err: f.err}
}

func (f *faultFS) arm(at int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.at, f.fired = 0, at, false
}

func (f *faultFS) hasFired() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fired
}

func (f *faultFS) OpenFile(path string, create bool) (logstore.File, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenFile(path, create)
	return &faultFile{file, f}, err
}

func (f *faultFS) ReadFile(path string) ([]byte, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	return f.FS.ReadFile(path)
}

func (f *faultFS) List(dir string) (map[string]int64, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	return f.FS.List(dir)
}

func (f *faultFS) Remove(path string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.FS.Remove(path)
}

func (f *faultFS) Rename(from, to string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

func (f *faultFS) SyncDir(dir string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.FS.SyncDir(dir)
}

func (f *faultFS) Usage(dir string) (int64, int64, error) {
	if err := f.step(); err != nil {
		return 0, 0, err
	}
	return f.FS.Usage(dir)
}

type faultFile struct {
	logstore.File
	fs *faultFS
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.step(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.step(); err != nil {
		n, _ := f.File.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	return f.File.WriteAt(p, off)
}

func (f *faultFile) Sync() error {
	if err := f.fs.step(); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultFile) Truncate(size int64) error {
	if err := f.fs.step(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

// TestFaultAtEveryCall fails each call to the disk in turn while a store works, and then opens what is left.
func TestFaultAtEveryCall(t *testing.T) {
	t.Parallel()
	modes := []struct {
		name string
		err  error
		stay bool
	}{
		{"one error", syscall.EIO, false},
		{"disk dies", syscall.EIO, true},
		{"disk full", syscall.ENOSPC, true},
	}
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			step := 1
			if testing.Short() {
				step = 11
			}
			for at := 1; ; at += step {
				fs := &faultFS{err: mode.err, stay: mode.stay}
				s := &faultScenario{t: t, fs: fs, at: at, kept: map[int]int64{}, unsure: map[int]bool{}}
				s.run()
				if t.Failed() {
					t.Fatalf("at call %d", at)
				}
				if !fs.hasFired() {
					t.Logf("%d calls", at-1)
					return
				}
			}
		})
	}
}

// faultScenario is one life of a store with a fault in it.
type faultScenario struct {
	t      *testing.T
	fs     *faultFS
	at     int
	st     *logstore.Store
	kept   map[int]int64 // acknowledged
	unsure map[int]bool  // a delete of it failed: may be there or not
}

func (s *faultScenario) run() {
	opts := optionsFor(s.t, 1)
	opts.SkipSyncs()
	s.fs.FS = opts.FS
	opts.FS = s.fs
	opts.SetLogSize(400_000)
	st := mustOpen(s.t, opts) // set up without faults
	if err := st.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.fs.arm(s.at)
	for range 2 { // the second time it reopens what faults have left
		var err error
		if s.st, err = logstore.Open(s.t.Context(), opts); err != nil {
			s.typed("open", err)
			continue
		}
		s.work()
		s.typed("close", s.st.Close())
	}
	fired := s.fs.hasFired()
	s.fs.arm(0)
	s.verify(mustOpen(s.t, opts))
	s.fs.mu.Lock()
	s.fs.fired = fired
	s.fs.mu.Unlock()
}

// typed demands that an error says what kind it is.
func (s *faultScenario) typed(what string, err error) {
	s.t.Helper()
	if err != nil && netx.CodeOf(err) == netx.Internal {
		s.t.Errorf("%s: untyped error %v", what, err)
	}
}

func (s *faultScenario) work() {
	base := len(s.kept) + 100*len(s.unsure)
	for i := range 6 {
		n := base + i
		size := int64(500 + n*10)
		if i%3 == 2 {
			size = 200_000 + int64(n)
		}
		s.store(n, size, i == 4)
	}
	if w, err := s.st.Create(s.t.Context(), s.options(9999, 300_000)); err == nil {
		_, _ = w.Write(make([]byte, 200_000))
		_, _ = w.Write(make([]byte, 100_000))
		s.typed("cancel", w.Cancel())
	}
	s.remove(base)
	s.remove(base + 2)
	s.typed("flush", s.st.Flush())
	_, err := s.st.Compact(s.t.Context(), 0.95)
	s.typed("compact", err)
	_, err = s.st.CompactJournals(s.t.Context())
	s.typed("compact journals", err)
	_, err = s.st.Scrub(s.t.Context(), nil, 1)
	s.typed("scrub", err)
	_, err = s.st.Check(s.t.Context())
	s.typed("check", err)
}

func (s *faultScenario) options(n int, size int64) pieces.CreateOptions {
	return pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(n), Size: size}
}

func (s *faultScenario) store(n int, size int64, expires bool) {
	opts := s.options(n, size)
	if expires {
		opts.Expires = time.Unix(4_000_000_000, 0)
	}
	err := storetest.Store(s.t.Context(), s.st, opts, 30_000)
	if err == nil {
		s.kept[n] = size
		return
	}
	s.typed("store", err)
	if errors.Is(err, pieces.ErrExists) {
		return
	}
	s.unsure[n] = true
	if _, err := s.st.Open(s.t.Context(), opts.Satellite, opts.Piece); err == nil {
		s.t.Errorf("piece %d is there after its store failed", n)
	}
}

func (s *faultScenario) remove(n int) {
	sat, id := storetest.Satellite(0), storetest.PieceID(n)
	if err := s.st.Trash(s.t.Context(), sat, []pieces.PieceID{id}, time.Unix(1, 0)); err != nil {
		s.typed("trash", err)
		return // in the trash or not: readable
	}
	if _, known := s.kept[n]; !known {
		return
	}
	s.unsure[n] = true
	if _, err := s.st.EmptyTrash(s.t.Context(), sat, time.Unix(2, 0)); err != nil {
		s.typed("empty trash", err)
		return
	}
	delete(s.unsure, n)
	delete(s.kept, n)
	if _, err := s.st.Open(s.t.Context(), sat, id); err == nil {
		s.t.Errorf("piece %d is there after its delete", n)
	}
}

func (s *faultScenario) verify(st *logstore.Store) {
	for n, size := range s.kept {
		err := storetest.Verify(s.t.Context(), st, storetest.Satellite(0), storetest.PieceID(n), size)
		if err != nil && !(s.unsure[n] && errors.Is(err, pieces.ErrNotFound)) {
			s.t.Errorf("acknowledged piece %d: %v", n, err)
		}
	}
	if report, err := st.Check(s.t.Context()); err != nil || !report.OK() {
		s.t.Errorf("check: %v, %+v", err, report)
	}
	if err := storetest.Store(s.t.Context(), st, s.options(7777, 5000), 5000); err != nil {
		s.t.Errorf("store after the fault has gone: %v", err)
	}
	if err := st.Close(); err != nil {
		s.t.Errorf("close: %v", err)
	}
}

// TestIndexFails lets flushes fail: pieces stay, and the index catches up.
func TestIndexFails(t *testing.T) {
	t.Parallel()
	opts := optionsFor(t, 1)
	st := mustOpen(t, opts)
	fail := true
	st.FailIndex(func(string) error {
		if fail {
			return syscall.ENOSPC
		}
		return nil
	})
	for n := range 10 {
		o := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(n), Size: 1000}
		if err := storetest.Store(t.Context(), st, o, 1000); err != nil {
			t.Fatal(err)
		}
		if err := st.Flush(); !errors.Is(err, pieces.ErrNoSpace) {
			t.Fatalf("flush: %v", err)
		}
	}
	fail = false
	if report, err := st.Check(t.Context()); err != nil || !report.OK() || report.Pieces != 10 {
		t.Fatalf("check: %v, %+v", err, report)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}
