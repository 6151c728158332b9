package logstore_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"storj/pieces"
	"storj/pieces/logstore"
	"storj/pieces/storetest"
)

// optionsFor returns options of a store over fresh directories.
func optionsFor(t testing.TB, dirs int) logstore.Options {
	opts := logstore.Options{Reserve: -1, Setup: true}
	for range dirs {
		opts.Dirs = append(opts.Dirs, logstore.Dir{Path: t.TempDir(), Capacity: storetest.Capacity / int64(dirs)})
	}
	return opts
}

func mustOpen(t testing.TB, opts logstore.Options) *logstore.Store {
	t.Helper()
	st, err := logstore.Open(t.Context(), opts)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return st
}

// variant is one way to configure and to reopen a store.
type variant struct {
	name    string
	dirs    int
	vary    func(*logstore.Options)
	between func(t *testing.T, st *logstore.Store, opts logstore.Options) // before Close, which it may do itself
}

// subject remembers the options of each store, to open it again.
func (v variant) subject() storetest.Subject {
	var mu sync.Mutex
	options := map[pieces.Store]logstore.Options{}
	open := func(t *testing.T, opts logstore.Options) pieces.Store {
		st := mustOpen(t, opts)
		mu.Lock()
		defer mu.Unlock()
		options[st] = opts
		return st
	}
	return storetest.Subject{
		Open: func(t *testing.T) pieces.Store {
			opts := optionsFor(t, v.dirs)
			if v.vary != nil {
				v.vary(&opts)
			}
			return open(t, opts)
		},
		Reopen: func(t *testing.T, st pieces.Store) pieces.Store {
			mu.Lock()
			opts := options[st]
			mu.Unlock()
			if v.between != nil {
				v.between(t, st.(*logstore.Store), opts)
			}
			if err := st.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
			return open(t, opts)
		},
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	small := func(o *logstore.Options) { o.SetLogSize(300_000); o.SkipSyncs() }
	variants := []variant{
		{name: "plain", dirs: 1},
		{name: "not synced", dirs: 1, vary: func(o *logstore.Options) { o.NoSync = true; o.SkipSyncs() }},
		{name: "three directories", dirs: 3, vary: small},
		{name: "index lost", dirs: 1, vary: small, between: loseIndex},
		{name: "index old", dirs: 1, vary: small, between: oldIndex},
		{name: "compacted", dirs: 1, vary: small, between: compact},
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, v.subject())
		})
	}
}

func loseIndex(t *testing.T, st *logstore.Store, opts logstore.Options) {
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(opts.Dirs[0].Path, logstore.IndexName)); err != nil {
		t.Fatal(err)
	}
}

// oldIndex opens the store with the index of the last time, as after a crash before any flush.
func oldIndex(t *testing.T, st *logstore.Store, opts logstore.Options) {
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(opts.Dirs[0].Path, logstore.IndexName)
	current, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if old, err := os.ReadFile(path + ".kept"); err == nil {
		if err := os.WriteFile(path, old, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path+".kept", current, 0o600); err != nil {
		t.Fatal(err)
	}
}

func compact(t *testing.T, st *logstore.Store, opts logstore.Options) {
	if _, err := st.Compact(t.Context(), 0.9); err != nil {
		t.Fatalf("compact: %v", err)
	}
	if report, err := st.Check(t.Context()); err != nil || !report.OK() {
		t.Fatalf("check after compaction: %v, %+v", err, report)
	}
}
