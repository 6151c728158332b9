package kv_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"storj/metainfo/kv"
	"storj/metainfo/kv/boltkv"
	"storj/metainfo/kv/memkv"
)

func fill(t testing.TB, s kv.Store, rows, size int) {
	t.Helper()
	err := s.Update(t.Context(), func(tx kv.Tx) error {
		random := rand.New(rand.NewPCG(1, 2))
		for i := range rows {
			value := make([]byte, random.IntN(size))
			for j := range value {
				value[j] = byte(random.Uint32())
			}
			if err := tx.Put(fmt.Appendf(nil, "key %06d", i), value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, s kv.Store) (list []string) {
	t.Helper()
	err := s.View(t.Context(), func(tx kv.Tx) error {
		return kv.Scan(tx, kv.Range{}, func(key, value []byte) (bool, error) {
			list = append(list, string(key)+"="+string(value))
			return true, nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestDumpMovesBetweenEngines checks that a dump of one engine fills another, and comes back byte for byte.
func TestDumpMovesBetweenEngines(t *testing.T) {
	t.Parallel()
	src := memkv.New(memkv.Options{})
	defer func() { _ = src.Close() }()
	fill(t, src, 30_000, 100)
	var dump bytes.Buffer
	rows, err := kv.Dump(t.Context(), src, &dump)
	if err != nil || rows != 30_000 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	dst, err := boltkv.Open(t.Context(), filepath.Join(t.TempDir(), "db"), boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dst.Close() }()
	first := bytes.Clone(dump.Bytes())
	dump.WriteString("rest")
	if rows, err = kv.Load(t.Context(), dst, &dump); err != nil || rows != 30_000 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	if rest, _ := io.ReadAll(&dump); string(rest) != "rest" {
		t.Errorf("%q is left after the dump", rest)
	}
	var again bytes.Buffer
	if _, err := kv.Dump(t.Context(), dst, &again); err != nil || !bytes.Equal(again.Bytes(), first) {
		t.Errorf("what was loaded is not what was dumped: %v", err)
	}
	if _, err := kv.Load(t.Context(), dst, bytes.NewReader(first)); !errors.Is(err, kv.ErrNotEmpty) {
		t.Errorf("loading into a full store: %v", err)
	}
}

// TestDumpIsOneInstant writes while the dump runs.
func TestDumpIsOneInstant(t *testing.T) {
	t.Parallel()
	s, err := boltkv.Open(t.Context(), filepath.Join(t.TempDir(), "db"), boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	fill(t, s, 20_000, 60)
	want := content(t, s)
	var dump bytes.Buffer
	_, err = kv.Dump(t.Context(), s, writerFunc(func(p []byte) (int, error) {
		err := s.Update(t.Context(), func(tx kv.Tx) error {
			return errors.Join(tx.Put([]byte("key 019999x"), nil), tx.Delete([]byte("key 019998")))
		})
		if err != nil {
			return 0, err
		}
		return dump.Write(p)
	}))
	if err != nil {
		t.Fatal(err)
	}
	back := memkv.New(memkv.Options{})
	defer func() { _ = back.Close() }()
	if _, err := kv.Load(t.Context(), back, &dump); err != nil {
		t.Fatal(err)
	}
	if got := content(t, back); len(got) != len(want) || got[len(got)-1] != want[len(want)-1] {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestDumpExample holds the example of the package comment.
func TestDumpExample(t *testing.T) {
	t.Parallel()
	s := memkv.New(memkv.Options{})
	defer func() { _ = s.Close() }()
	err := s.Update(t.Context(), func(tx kv.Tx) error {
		return errors.Join(tx.Put([]byte("a"), []byte("xyz")), tx.Put([]byte("bc"), nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	var dump bytes.Buffer
	if _, err := kv.Dump(t.Context(), s, &dump); err != nil || hex.EncodeToString(dump.Bytes()) != "01610378797a026263000002" {
		t.Errorf("%x, %v", dump.Bytes(), err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, dump := range map[string]string{
		"nothing": "", "half a row": "\x01a\x03xy", "no end": "\x01a\x01x", "no count": "\x01a\x01x\x00",
		"wrong count": "\x01a\x01x\x00\x02", "out of order": "\x01b\x01x\x01a\x01x\x00\x02", "twice": "\x01b\x00\x01b\x00\x00\x02",
		"large key": "\xff\xff\x7f", "large value": "\x01a\xff\xff\xff\x7f",
	} {
		s := memkv.New(memkv.Options{})
		if _, err := kv.Load(t.Context(), s, bytes.NewReader([]byte(dump))); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		_ = s.Close()
	}
}

// FuzzLoad has any bytes loaded: what is taken is dumped and loaded again as it is.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("\x01a\x03xyz\x02bc\x00\x00\x02"))
	f.Add([]byte("\x00\x00"))
	f.Add([]byte("\x01a\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		first, second := memkv.New(memkv.Options{}), memkv.New(memkv.Options{})
		defer func() { _, _ = first.Close(), second.Close() }()
		rows, err := kv.Load(t.Context(), first, bytes.NewReader(raw))
		if err != nil {
			return
		}
		var dump bytes.Buffer
		if n, err := kv.Dump(t.Context(), first, &dump); err != nil || n != rows || dump.Len() > len(raw) {
			t.Fatalf("%x of %d rows was dumped as %x, %d rows, %v", raw, rows, dump.Bytes(), n, err)
		}
		if _, err := kv.Load(t.Context(), second, &dump); err != nil || !slices.Equal(content(t, first), content(t, second)) {
			t.Fatalf("%x is not what it was read from: %v", raw, err)
		}
	})
}

func BenchmarkDump(b *testing.B) {
	s, err := boltkv.Open(b.Context(), filepath.Join(b.TempDir(), "db"), boltkv.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	fill(b, s, 50_000, 1000)
	b.ReportAllocs()
	for b.Loop() {
		var size int64
		_, err := kv.Dump(b.Context(), s, writerFunc(func(p []byte) (int, error) {
			size += int64(len(p))
			return len(p), nil
		}))
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(size)
	}
}
