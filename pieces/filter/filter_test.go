package filter

import (
	"encoding/hex"
	"errors"
	"flag"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"storj/netx"
	"storj/pieces"
)

var update = flag.Bool("update", false, "rewrite golden files")

var created = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func id(n int) pieces.PieceID { return pieces.PieceID{1}.Derive(netx.NodeID{}, n) }

func filled(count int, seed uint64, rate float64) *Filter {
	f := New(int64(count), seed, rate)
	for n := range count {
		f.Add(id(n))
	}
	return f
}

// TestRate measures false positives of full filters, and that nothing added is ever missing.
func TestRate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		count     int
		rate      float64
		low, high float64
		perPiece  float64 // bits
	}{
		{"default", 20_000, DefaultRate, 0.007, 0.013, 9.6},
		{"of the existing system", 20_000, 0.1, 0.085, 0.12, 4.8},
		{"strict", 20_000, 0.001, 0.0003, 0.0018, 14.4},
		{"impossible rate is the default", 20_000, 7, 0.007, 0.013, 9.6},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := filled(test.count, 99, test.rate)
			for n := range test.count {
				if !f.Contains(id(n)) {
					t.Fatalf("piece %d was added and is missing", n)
				}
			}
			const tries = 40_000
			hits := 0
			for n := range tries {
				if f.Contains(id(test.count + n)) {
					hits++
				}
			}
			got := float64(hits) / tries
			if got < test.low || got > test.high {
				t.Errorf("false positives %.4f, want %.4f to %.4f", got, test.low, test.high)
			}
			if est := f.FalsePositives(); est < test.low || est > test.high {
				t.Errorf("estimated %.4f, want %.4f to %.4f", est, test.low, test.high)
			}
			if per := float64(f.Size()*8) / float64(test.count); per > test.perPiece+0.1 {
				t.Errorf("%.1f bits a piece, want %.1f", per, test.perPiece)
			}
			if f.Count() != int64(test.count) {
				t.Errorf("count %d", f.Count())
			}
		})
	}
}

// TestSeedsErrApart: garbage that one filter lets pass is caught by the next but for the rate.
func TestSeedsErrApart(t *testing.T) {
	t.Parallel()
	const count, garbage = 20_000, 100_000
	first, second := filled(count, 1, DefaultRate), filled(count, 2, DefaultRate)
	passed, twice := 0, 0
	for n := range garbage {
		if !first.Contains(id(count + n)) {
			continue
		}
		passed++
		if second.Contains(id(count + n)) {
			twice++
		}
	}
	if passed < 500 || twice > passed/25 {
		t.Fatalf("%d passed the first filter, %d of them the second", passed, twice)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		count  int64
		size   int64
		hashes uint32
	}{
		{"none", 0, minSize, 7},
		{"one", 1, minSize, 7},
		{"negative", -5, minSize, 7},
		{"a million", 1_000_000, 1_198_133, 7},
		{"at most", 1 << 40, pieces.MaxFilter, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := New(test.count, 0, DefaultRate)
			if f.Size() != test.size || f.hashes != test.hashes {
				t.Fatalf("%d bytes, %d hashes; want %d, %d", f.Size(), f.hashes, test.size, test.hashes)
			}
			if f.Contains(id(1)) {
				t.Fatal("an empty filter contains something")
			}
		})
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	whole, a, b := filled(1000, 5, DefaultRate), New(1000, 5, DefaultRate), New(1000, 5, DefaultRate)
	for n := range 1000 {
		if n%3 == 0 {
			a.Add(id(n))
		} else {
			b.Add(id(n))
		}
	}
	if err := a.Merge(b); err != nil {
		t.Fatal(err)
	}
	if string(a.Marshal(created)) != string(whole.Marshal(created)) {
		t.Fatal("merged ranges differ from one pass")
	}
	for _, other := range []*Filter{New(1000, 6, DefaultRate), New(9000, 5, DefaultRate), New(1000, 5, 0.1)} {
		if err := a.Merge(other); !errors.Is(err, errShape) {
			t.Fatalf("merge of another shape: %v", err)
		}
	}
}

func TestMarshal(t *testing.T) {
	t.Parallel()
	f := filled(100, 0xfeed, DefaultRate)
	raw := f.Marshal(created)
	back, at, err := Unmarshal(raw)
	if err != nil || !at.Equal(created) || back.Count() != 100 || !back.Contains(id(99)) {
		t.Fatalf("back: %v, %v", at, err)
	}
	for i := range raw {
		bad := append([]byte(nil), raw...)
		bad[i] ^= 1
		if _, _, err := Unmarshal(bad); !errors.Is(err, ErrMalformed) {
			t.Fatalf("byte %d altered: %v", i, err)
		}
	}
	for n := range raw {
		if _, _, err := Unmarshal(raw[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	good := func() pieces.RetainHeader { f := New(10, 1, DefaultRate); return f.Header(created) }
	tests := []struct {
		name   string
		change func(*pieces.RetainHeader)
	}{
		{"no bytes", func(h *pieces.RetainHeader) { h.Size = 0 }},
		{"too many bytes", func(h *pieces.RetainHeader) { h.Size = pieces.MaxFilter + 1 }},
		{"other bytes", func(h *pieces.RetainHeader) { h.Size++ }},
		{"no hashes", func(h *pieces.RetainHeader) { h.Hashes = 0 }},
		{"too many hashes", func(h *pieces.RetainHeader) { h.Hashes = 33 }},
		{"negative count", func(h *pieces.RetainHeader) { h.Pieces = -1 }},
		{"no date", func(h *pieces.RetainHeader) { h.Created = time.Time{} }},
	}
	h := good()
	if _, err := FromHeader(&h, make([]byte, h.Size)); err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := good()
			size := h.Size
			test.change(&h)
			if _, err := FromHeader(&h, make([]byte, size)); !errors.Is(err, ErrMalformed) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// TestGolden holds the format: 20 pieces under seed 0xfeed.
func TestGolden(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "filter.hex")
	raw := filled(20, 0xfeed, DefaultRate).Marshal(created)
	if *update {
		if err := os.WriteFile(path, []byte(hex.EncodeToString(raw)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(raw); got != strings.TrimSpace(string(want)) {
		t.Fatalf("format changed:\n got %s\nwant %s", got, want)
	}
	stored, err := hex.DecodeString(strings.TrimSpace(string(want)))
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := Unmarshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	ones := 0
	for _, b := range f.Bits() {
		ones += bits.OnesCount8(b)
	}
	if ones < 100 || ones > 140 {
		t.Fatalf("%d bits set of 20 pieces and 7 hashes", ones)
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add(filled(3, 1, DefaultRate).Marshal(created))
	f.Add([]byte{version, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, at, err := Unmarshal(raw)
		if err != nil {
			return
		}
		got.Contains(id(1))
		if string(got.Marshal(at)) != string(raw) {
			t.Fatal("another encoding of the same filter")
		}
	})
}

func BenchmarkAddMillion(b *testing.B) {
	ids := manyIDs(1_000_000)
	b.SetBytes(int64(len(ids)) * 32)
	b.ReportAllocs()
	for b.Loop() {
		f := New(int64(len(ids)), 7, DefaultRate)
		for i := range ids {
			f.Add(ids[i])
		}
	}
}

func BenchmarkContainsMillion(b *testing.B) {
	ids := manyIDs(1_000_000)
	f := New(int64(len(ids)), 7, DefaultRate)
	for i := range ids {
		f.Add(ids[i])
	}
	b.SetBytes(int64(len(ids)) * 32)
	b.ReportAllocs()
	for b.Loop() {
		for i := range ids {
			if !f.Contains(ids[i]) {
				b.Fatal("missing")
			}
		}
	}
}

func manyIDs(n int) []pieces.PieceID {
	ids := make([]pieces.PieceID, n)
	for i := range ids {
		ids[i] = id(i)
	}
	return ids
}
