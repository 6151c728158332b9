package boltkv_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"storj/metainfo/kv"
	"storj/metainfo/kv/boltkv"
	"storj/metainfo/kv/kvtest"
	"storj/netx"
)

func open(t testing.TB, path string, opts boltkv.Options) *boltkv.Store {
	t.Helper()
	s, err := boltkv.Open(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // most tests close it themselves
	return s
}

func TestSuite(t *testing.T) {
	t.Parallel()
	kvtest.Run(t, func(t *testing.T) kv.Store { return open(t, t.TempDir()+"/kv", boltkv.Options{NoSync: true}) })
}

func put(t *testing.T, s kv.Store, key, value string) error {
	t.Helper()
	return s.Update(t.Context(), func(tx kv.Tx) error { return tx.Put([]byte(key), []byte(value)) })
}

func get(t *testing.T, s kv.Store, key string) (value string) {
	t.Helper()
	err := s.View(t.Context(), func(tx kv.Tx) error {
		b, err := tx.Get([]byte(key))
		value = string(b)
		return err
	})
	if err != nil {
		value = err.Error()
	}
	return value
}

func TestReopen(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/kv"
	for round := range 3 {
		s := open(t, path, boltkv.Options{SyncFreelist: round == 1})
		if round > 0 {
			if got := get(t, s, "k"); got != fmt.Sprint(round-1) {
				t.Errorf("round %d: %q", round, got)
			}
		}
		if err := put(t, s, "k", fmt.Sprint(round)); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	version := func(n uint64) boltkv.Options {
		return boltkv.Options{NoSync: true, Format: kv.Format{Name: "x", Version: n}}
	}
	tests := []struct {
		name    string
		prepare func(t *testing.T, path string)
		want    error
	}{
		{"locked", func(t *testing.T, path string) { open(t, path, version(1)) }, kv.ErrLocked},
		{"newer", func(t *testing.T, path string) { _ = open(t, path, version(2)).Close() }, kv.ErrNewer},
		{"other", func(t *testing.T, path string) {
			_ = open(t, path, boltkv.Options{Format: kv.Format{Name: "y", Version: 1}}).Close()
		}, kv.ErrFormat},
		{"unmarked", func(t *testing.T, path string) {
			s := open(t, path, boltkv.Options{NoSync: true})
			_ = put(t, s, "k", "v")
			_ = s.Close()
		}, kv.ErrFormat},
		{"damaged", func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("junk"), 8<<10), 0o600); err != nil {
				t.Fatal(err)
			}
		}, kv.ErrCorrupt},
		{"no folder", func(t *testing.T, path string) { _ = os.Remove(filepath.Dir(path)) }, os.ErrNotExist},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := t.TempDir() + "/folder/kv"
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			test.prepare(t, path)
			if s, err := boltkv.Open(t.Context(), path, version(1)); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
				if err == nil {
					_ = s.Close()
				}
			}
		})
	}
}

// TestSizeLimit fills a store to its limit and goes on after something was deleted.
func TestSizeLimit(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir()+"/kv", boltkv.Options{NoSync: true, MaxSize: 4 << 20})
	fillAndRecover(t, s, nil)
}

// fillAndRecover writes until the store is full; then what was acknowledged is there, and after makeRoom writing works
// again, to begin with deleting rows.
func fillAndRecover(t *testing.T, s *boltkv.Store, makeRoom func()) {
	t.Helper()
	value := strings.Repeat("v", 2000)
	rows := 0
	var err error
	for ; err == nil && rows < 10_000; rows++ {
		err = put(t, s, fmt.Sprint("key ", rows), value)
	}
	rows--
	if !errors.Is(err, kv.ErrFull) || netx.CodeOf(err) != netx.Exhausted {
		t.Fatalf("after %d rows: %v, want %v", rows, err, kv.ErrFull)
	}
	for i := range rows {
		if got := get(t, s, fmt.Sprint("key ", i)); got != value {
			t.Fatalf("row %d of %d: %q", i, rows, got)
		}
	}
	if makeRoom != nil {
		makeRoom()
	}
	remove := func(tx kv.Tx) error {
		for i := range rows / 2 {
			if err := tx.Delete([]byte(fmt.Sprint("key ", i))); err != nil {
				return err
			}
		}
		return nil
	}
	retry(t, func() error { return s.Update(t.Context(), remove) })
	retry(t, func() error { return put(t, s, "after", value) })
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// retry waits out the pause after a full disk.
func retry(t *testing.T, run func() error) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		err := run()
		if !errors.Is(err, kv.ErrFull) {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-timeout:
			t.Fatal("still full")
		}
	}
}

func TestCompact(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/kv"
	s := open(t, path, boltkv.Options{NoSync: true})
	for i := range 200 {
		if err := put(t, s, fmt.Sprint("key ", i), strings.Repeat("v", 10_000)); err != nil {
			t.Fatal(err)
		}
	}
	err := s.Update(t.Context(), func(tx kv.Tx) error {
		return kv.Scan(tx, kv.Range{}, func(key, _ []byte) (bool, error) { return true, tx.Delete(key) })
	})
	if err := errors.Join(err, put(t, s, "kept", "v")); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.FreeBytes < st.SizeBytes/2 {
		t.Errorf("stats do not show free pages: %+v", st)
	}
	if _, _, err := boltkv.Compact(t.Context(), path); !errors.Is(err, kv.ErrLocked) {
		t.Errorf("compact of an open store: %v", err)
	}
	_ = s.Close()
	before, after, err := boltkv.Compact(t.Context(), path)
	if err != nil || after >= before/4 {
		t.Errorf("compact: %d to %d bytes, %v", before, after, err)
	}
	s = open(t, path, boltkv.Options{NoSync: true})
	if got := get(t, s, "kept"); got != "v" {
		t.Errorf("after compact: %q", got)
	}
}

// TestBatch holds the first function until all others queue, and expects them in one commit.
func TestBatch(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir()+"/kv", boltkv.Options{NoSync: true})
	const others = 50
	inside, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	before := s.Stats().Commits
	wg.Go(func() {
		err := s.Update(t.Context(), func(tx kv.Tx) error {
			close(inside)
			<-leave
			return tx.Put([]byte("n"), []byte{0})
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-inside
	for i := range others {
		wg.Go(func() {
			err := s.Update(t.Context(), func(tx kv.Tx) error {
				n, err := tx.Get([]byte("n")) // that of the members before this one
				if err != nil {
					return err
				}
				if i%5 == 0 {
					return errors.Join(errors.New("fault"), tx.Put([]byte("n"), []byte{99}))
				}
				return tx.Put([]byte("n"), []byte{n[0] + 1})
			})
			if (err != nil) != (i%5 == 0) {
				t.Errorf("member %d: %v", i, err)
			}
		})
	}
	for s.Waiting() < others {
		runtime.Gosched()
	}
	close(leave)
	wg.Wait()
	if got, want := get(t, s, "n"), string(rune(others/5*4)); got != want {
		t.Errorf("counter %q, want %q", got, want)
	}
	if got := s.Stats().Commits - before; got != 1 {
		t.Errorf("%d commits, want 1", got)
	}
}
