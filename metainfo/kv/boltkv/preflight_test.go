package boltkv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"storj/metainfo/kv"
)

func makeFile(t testing.TB, rows int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	s, err := Open(t.Context(), path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), func(tx kv.Tx) error {
		for i := range rows {
			if err := tx.Put(fmt.Appendf(nil, "key %08d", i), make([]byte, 200)); err != nil {
				return err
			}
		}
		return tx.Put([]byte("large"), make([]byte, 20_000))
	})
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPreflightPasses(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{0, 1, 20_000} {
		if err := preflight(makeFile(t, rows)); err != nil {
			t.Errorf("%d rows: %v", rows, err)
		}
	}
	if err := preflight(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Errorf("no file: %v", err)
	}
}

// TestOpenSurvivesDamage writes over pages of the tree: Open must say so, and never end the process. Where it opens all
// the same, the damage was in values or in free pages.
func TestOpenSurvivesDamage(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(makeFile(t, 3000))
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "db")
	refused := 0
	const rounds = 60
	for range rounds {
		bad := append([]byte(nil), whole...)
		pages := len(bad) / os.Getpagesize()
		at := (2 + random.IntN(pages-2)) * os.Getpagesize() // the start of a page: its head and elements
		switch random.IntN(3) {
		case 0:
			clear(bad[at : at+os.Getpagesize()])
		case 1:
			for i := range 64 {
				bad[at+i] = byte(random.Uint32())
			}
		case 2:
			binary.NativeEndian.PutUint64(bad[at+16*random.IntN(4):], random.Uint64N(1<<40))
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), path, Options{NoSync: true})
		if err == nil {
			_ = s.Close()
			continue
		}
		refused++
		if !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("damage at %d: %v", at, err)
		}
	}
	if refused < rounds/4 {
		t.Errorf("%d of %d damaged files were refused", refused, rounds)
	}
}

// TestOpenTruncated cuts the file.
func TestOpenTruncated(t *testing.T) {
	t.Parallel()
	path := makeFile(t, 3000)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Options{NoSync: true}); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("half a file: %v", err)
	}
}

func BenchmarkPreflight(b *testing.B) {
	path := makeFile(b, 200_000)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		if err := preflight(path); err != nil {
			b.Fatal(err)
		}
	}
}
