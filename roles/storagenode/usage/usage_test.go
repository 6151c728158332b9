package usage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"storj/netx"
	"storj/pieces"
)

var sat = netx.NodeID{1, 's'}

func open(t *testing.T, opts Options) *Book {
	t.Helper()
	b, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCountsSurvive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b := open(t, Options{Dir: dir})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		for action := pieces.ActionPut; action <= pieces.ActionPutRepair; action++ {
			b.Moved(sat, action, int64(action))
		}
		time.Sleep(2 * saveAfter)
		again := open(t, Options{Dir: dir}) // as after a crash
		if again.Month() != 1+2+3+4+5 {
			t.Errorf("after a crash %d bytes", again.Month())
		}
		b.Moved(sat, pieces.ActionGet, 100)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		days, err := open(t, Options{Dir: dir}).Days("2000-01")
		want := Day{Put: 1, Get: 102, GetAudit: 3, GetRepair: 4, PutRepair: 5}
		if err != nil || len(days) != 1 || days[0].Day != want || days[0].Satellite != sat || days[0].Date != "2000-01-01" {
			t.Errorf("days %+v, %v", days, err)
		}
	})
}

func TestMonths(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 10, 31, 23, 59, 0, 0, time.UTC)
	dir := t.TempDir()
	b := open(t, Options{Dir: dir, Now: func() time.Time { return now }})
	b.Moved(sat, pieces.ActionGet, 7)
	now = now.Add(2 * time.Minute)
	if b.Month() != 0 {
		t.Errorf("a new month starts with %d bytes", b.Month())
	}
	b.Moved(sat, pieces.ActionGet, 9)
	if err := errors.Join(b.Settled(sat, now.Add(-time.Hour), 5), b.Save()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Settled(sat, now.Add(-time.Hour), 2), b.Save()); err != nil {
		t.Fatal(err)
	}
	for month, want := range map[string]Day{"2026-10": {Get: 7, Settled: 7}, "2026-11": {Get: 9}} {
		for _, book := range []*Book{b, open(t, Options{Dir: dir, Now: b.opts.Now})} {
			if days, err := book.Days(month); err != nil || len(days) != 1 || days[0].Day != want {
				t.Errorf("%s: %+v, %v", month, days, err)
			}
		}
	}
	now = now.Add(-24 * time.Hour) // the clock is set back
	b.Moved(sat, pieces.ActionGet, 1)
	if b.Month() != 10 {
		t.Errorf("clock set back: %d bytes", b.Month())
	}
	for _, month := range []string{"", "2026", "2026-13", "2026-1", "../../etc"} {
		if _, err := b.Days(month); !errors.Is(err, ErrMonth) {
			t.Errorf("month %q: %v", month, err)
		}
	}
}

func TestStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Options{Stored: func() map[netx.NodeID]int64 { return map[netx.NodeID]int64{sat: 1000} }})
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour-time.Second)
		defer cancel()
		if err := b.Run(ctx); err != nil {
			t.Fatal(err)
		}
		days, err := b.Days("2000-01")
		if err != nil || len(days) != 1 || days[0].ByteSeconds != 1000*(86400-1) {
			t.Errorf("%+v, %v", days, err)
		}
	})
}

func TestDamagedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	path := filepath.Join(dir, "2026-11.json")
	for _, text := range []string{"{", `{"version": 9}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b := open(t, Options{Dir: dir, Now: func() time.Time { return now }})
		if b.Month() != 0 {
			t.Errorf("%q counts %d", text, b.Month())
		}
		if _, err := os.Stat(path + ".damaged"); err != nil {
			t.Error(err)
		}
	}
}

func TestOldFilesGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := open(t, Options{Dir: dir, Now: func() time.Time { return now }})
	for range keptMonths + 3 {
		b.Moved(sat, pieces.ActionGet, 1)
		if err := b.Save(); err != nil {
			t.Fatal(err)
		}
		now = now.AddDate(0, 1, 0)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != keptMonths || files[0].Name() != "2026-04.json" {
		t.Errorf("%d files, first %v, %v", len(files), files[0], err)
	}
}
