package bao_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/zeebo/blake3"

	"storj/ecenc/bao"
)

var update = flag.Bool("update", false, "write testdata")

func content(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i % 251) // as in the test vectors of BLAKE3
	}
	return b
}

var ranges = []struct{ size, offset, length int64 }{
	{1, 0, 1},
	{3, 0, 1},
	{1024, 1000, 24},
	{1025, 1024, 1},
	{bao.GroupSize, 0, bao.GroupSize},
	{bao.GroupSize + 1, bao.GroupSize, 1},
	{bao.GroupSize + 1, bao.GroupSize - 1, 2},
	{5*bao.GroupSize + 77, 4*bao.GroupSize - 5, 10},
	{2<<20 + 300, 1 << 20, bao.GroupSize},
	{2<<20 + 300, 2<<20 + 200, 100},
	{3 << 20, 100, 1 << 20},
}

func TestSlicesProveTheirRange(t *testing.T) {
	for _, r := range ranges {
		all := content(int(r.size))
		root := blake3.Sum256(all) // of the other library: the same tree
		slice, err := bao.Slice([]byte("before"), bytes.NewReader(all), r.size, r.offset, r.length)
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		slice, found := bytes.CutPrefix(slice, []byte("before"))
		if !found || int64(len(slice)) != bao.SliceSize(r.size, r.offset, r.length) {
			t.Fatalf("%+v: slice of %d bytes, SliceSize says %d", r, len(slice), bao.SliceSize(r.size, r.offset, r.length))
		}
		got, err := bao.Verify(root, r.size, r.offset, r.length, slice)
		if err != nil || !bytes.Equal(got, all[r.offset:r.offset+r.length]) {
			t.Errorf("%+v: %d bytes, %v", r, len(got), err)
		}
	}
}

func TestNothingElseIsProved(t *testing.T) {
	const size, offset, length = 5*bao.GroupSize + 77, 3*bao.GroupSize - 5, 10
	all := content(size)
	root := blake3.Sum256(all)
	slice, err := bao.Slice(nil, bytes.NewReader(all), size, offset, length)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(name string, root [32]byte, size, offset, length int64, slice []byte) {
		t.Helper()
		if _, err := bao.Verify(root, size, offset, length, slice); err == nil {
			t.Errorf("%s: verified", name)
		}
	}
	for i := 0; i < len(slice); i += 1 + i/40 {
		bad := bytes.Clone(slice)
		bad[i] ^= 1
		verify("bit flipped", root, size, offset, length, bad)
	}
	other := root
	other[5] ^= 4
	verify("other root", other, size, offset, length, slice)
	verify("other size", root, size+1, offset, length, slice)
	verify("other offset", root, size, offset-bao.GroupSize, length, slice)
	verify("longer range", root, size, offset, 2*bao.GroupSize, slice)
	verify("cut short", root, size, offset, length, slice[:len(slice)-1])
	verify("continued", root, size, offset, length, append(bytes.Clone(slice), 0))
	verify("empty", root, size, offset, length, nil)
}

func TestRangesThatAreRefused(t *testing.T) {
	for _, r := range []struct{ size, offset, length int64 }{
		{0, 0, 0}, {0, 0, 1}, {10, 0, 0}, {10, 0, -1}, {10, -1, 2}, {10, 5, 6}, {10, 10, 1}, {-1, 0, 1},
		{bao.MaxSize + 1, 0, 1}, {bao.MaxSize, 0, bao.MaxLength + 1}, {1 << 62, 1 << 62, 1 << 62}, {10, 1<<63 - 1, 1},
	} {
		if _, err := bao.Slice(nil, bytes.NewReader(nil), r.size, r.offset, r.length); !errors.Is(err, bao.ErrRange) {
			t.Errorf("slice %+v: %v", r, err)
		}
		if _, err := bao.Verify([32]byte{}, r.size, r.offset, r.length, nil); !errors.Is(err, bao.ErrRange) {
			t.Errorf("verify %+v: %v", r, err)
		}
		if got := bao.SliceSize(r.size, r.offset, r.length); got != 0 {
			t.Errorf("size %+v: %d", r, got)
		}
	}
	if _, err := bao.Slice(nil, bytes.NewReader(content(99)), 100, 0, 1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("content that ends early: %v", err)
	}
}

func TestSmallestSliceIsAsDocumented(t *testing.T) {
	slice, err := bao.Slice(nil, bytes.NewReader([]byte("abc")), 3, 0, 1)
	if err != nil || hex.EncodeToString(slice) != "0300000000000000616263" {
		t.Errorf("%x, %v", slice, err)
	}
	root := blake3.Sum256([]byte("abc"))
	if hex.EncodeToString(root[:]) != "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85" {
		t.Errorf("hash %x", root)
	}
}

// vector holds the hash of a slice: most are too long to be read.
type vector struct {
	Size, Offset, Length, SliceSize int64
	Root, SliceHash                 string
}

func TestVectors(t *testing.T) {
	const path = "testdata/slices.json"
	var got []vector
	for _, r := range ranges {
		all := content(int(r.size))
		slice, err := bao.Slice(nil, bytes.NewReader(all), r.size, r.offset, r.length)
		if err != nil {
			t.Fatal(err)
		}
		root, sum := blake3.Sum256(all), blake3.Sum256(slice)
		got = append(got, vector{
			r.size, r.offset, r.length, int64(len(slice)), hex.EncodeToString(root[:]), hex.EncodeToString(sum[:]),
		})
	}
	text, err := json.MarshalIndent(got, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(text, want) {
		t.Errorf("slices differ from %s (%v):\n%s", path, err, text)
	}
}

func TestRandomRanges(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		size := rng.Int64N(400_000) + 1
		all := content(int(size))
		offset := rng.Int64N(size)
		length := rng.Int64N(size-offset) + 1
		slice, err := bao.Slice(nil, bytes.NewReader(all), size, offset, length)
		if err != nil {
			t.Fatal(err)
		}
		got, err := bao.Verify(blake3.Sum256(all), size, offset, length, slice)
		if err != nil || !bytes.Equal(got, all[offset:offset+length]) {
			t.Fatalf("seed %d, %d at %d of %d: %v", seed, length, offset, size, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	all := content(100_000)
	root := blake3.Sum256(all)
	slice, err := bao.Slice(nil, bytes.NewReader(all), 100_000, 70_000, 10)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(slice, int64(100_000), int64(70_000), int64(10))
	f.Add(slice[:90], int64(100_000), int64(70_000), int64(10))
	f.Add([]byte{}, int64(1), int64(0), int64(1))
	f.Fuzz(func(t *testing.T, slice []byte, size, offset, length int64) {
		got, err := bao.Verify(root, size, offset, length, slice)
		if err == nil && !bytes.Equal(got, all[offset:offset+length]) {
			t.Errorf("%d bytes at %d of %d proved wrongly", length, offset, size)
		}
	})
}

func BenchmarkSlice(b *testing.B) {
	const size = 2 << 20
	r := bytes.NewReader(content(size))
	b.SetBytes(size)
	b.ReportAllocs()
	var slice []byte
	for b.Loop() {
		var err error
		if slice, err = bao.Slice(slice[:0], r, size, 1<<20, bao.GroupSize); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	const size = 2 << 20
	all := content(size)
	root := blake3.Sum256(all)
	slice, err := bao.Slice(nil, bytes.NewReader(all), size, 1<<20, bao.GroupSize)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(bao.GroupSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bao.Verify(root, size, 1<<20, bao.GroupSize, slice); err != nil {
			b.Fatal(err)
		}
	}
}
