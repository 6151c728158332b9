package erasure

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/klauspost/reedsolomon"

	"storj/ecenc"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// schemes are required and total of every kind in use: single node, copies, small networks, home networks, the world.
var schemes = [][2]int{{1, 1}, {1, 2}, {2, 4}, {4, 10}, {16, 40}, {29, 110}, {3, 3}, {11, 12}, {127, 255}}

func redundancy(required, total, share int) ecenc.Redundancy {
	return ecenc.Redundancy{
		Code: ecenc.CodeVandermonde, Required: required, Repair: required, Optimal: total, Total: total, ShareSize: share,
	}
}

func mustCode(t testing.TB, required, total, share int) *Code {
	t.Helper()
	c, err := New(redundancy(required, total, share))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func random(r *rand.Rand, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// encodeAll returns every piece of the segment.
func encodeAll(t testing.TB, c *Code, segment []byte) [][]byte {
	t.Helper()
	size := int(c.Stripes(int64(len(segment)))) * c.ShareSize()
	pieces := make([]int, c.Total())
	out := make([][]byte, c.Total())
	for i := range out {
		pieces[i], out[i] = i, make([]byte, size)
	}
	if err := c.EncodeShares(segment, pieces, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func padded(c *Code, segment []byte) []byte {
	return append(slices.Clone(segment), make([]byte, int(c.Stripes(int64(len(segment))))*c.StripeSize()-len(segment))...)
}

// One Code meets many loss patterns, so that what it remembers of one must not leak into another.
func TestRandomLoss(t *testing.T) {
	t.Parallel()
	for _, scheme := range schemes {
		for _, count := range []int{1, 3} {
			for _, share := range []int{64, 1024} {
				t.Run(fmt.Sprintf("%d of %d, %d stripes of %d", scheme[0], scheme[1], count, share), func(t *testing.T) {
					t.Parallel()
					seed := rand.Uint64()
					testRandomLoss(t, mustCode(t, scheme[0], scheme[1], share), count, seed)
				})
			}
		}
	}
}

func testRandomLoss(t *testing.T, c *Code, count int, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	segment := random(r, count*c.StripeSize()-r.IntN(c.StripeSize()))
	want := padded(c, segment)
	pieces := encodeAll(t, c, segment)
	patterns := 2000
	if c.required > 16 || testing.Short() {
		patterns = 200
	}
	if c.required > 100 {
		patterns = 20
	}
	dst := []byte("front")
	for range patterns {
		shares := make([][]byte, c.Total())
		for _, i := range r.Perm(c.Total())[:c.required+r.IntN(c.total-c.required+1)] {
			shares[i] = pieces[i]
		}
		got, err := c.DecodeStripes(shares, dst)
		if err != nil || !bytes.Equal(got[len(dst):], want) || !bytes.HasPrefix(got, dst) {
			t.Fatalf("seed %d: wrong bytes or %v", seed, err)
		}
	}
	if n := len(c.matrix.plans); n > maxPlans {
		t.Errorf("%d plans kept", n)
	}
}

func TestEncodeSubset(t *testing.T) {
	t.Parallel()
	c := mustCode(t, 4, 10, 128)
	r := rand.New(rand.NewPCG(1, 2))
	segment := random(r, 3*c.StripeSize()+130) // the last stripe has one share in part and two empty ones
	all := encodeAll(t, c, segment)
	for range 300 {
		pieces := r.Perm(10)[:r.IntN(11)]
		out := make([][]byte, len(pieces))
		for i := range out {
			out[i] = bytes.Repeat([]byte{0xee}, 4*128)
		}
		if err := c.EncodeShares(segment, pieces, out); err != nil {
			t.Fatal(err)
		}
		for i, piece := range pieces {
			if !bytes.Equal(out[i], all[piece]) {
				t.Fatalf("piece %d, asked for in %v, is another one", piece, pieces)
			}
		}
	}
}

func TestDataShare(t *testing.T) {
	t.Parallel()
	c := mustCode(t, 3, 5, 64)
	segment := random(rand.New(rand.NewPCG(3, 4)), c.StripeSize()+100)
	for i, piece := range encodeAll(t, c, segment)[:3] {
		for s := range 2 {
			share := c.DataShare(segment, s, i)
			if cap(share) != len(share) {
				t.Errorf("stripe %d, piece %d can grow into its neighbour", s, i)
			}
			if got := append(share, make([]byte, 64-len(share))...); !bytes.Equal(got, piece[s*64:][:64]) {
				t.Errorf("stripe %d, piece %d differs from the encoded one", s, i)
			}
		}
	}
	if got := c.DataShare(segment, 100, 0); len(got) != 0 {
		t.Errorf("%d bytes behind the segment", len(got))
	}
}

// Parity rows do not depend on Total, and the code is the library's default one.
func TestRowsAgreeAcrossTotals(t *testing.T) {
	t.Parallel()
	for _, required := range []int{1, 2, 4, 29} {
		wide := mustCode(t, required, 110, 64)
		segment := random(rand.New(rand.NewPCG(5, 6)), wide.StripeSize())
		want := encodeAll(t, wide, segment)
		library := slices.Concat(want[:required], make([][]byte, 110-required))
		for i := range library[required:] {
			library[required+i] = make([]byte, 64)
		}
		encoder, err := reedsolomon.New(required, 110-required)
		if err != nil {
			t.Fatal(err)
		}
		if err := encoder.Encode(library); err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(library, want, bytes.Equal) {
			t.Fatalf("pieces of %d/110 are not those of the library", required)
		}
		for _, total := range []int{required + 1, required + 5, 80} {
			got := encodeAll(t, mustCode(t, required, total, 64), segment)
			for i := range got {
				if !bytes.Equal(got[i], want[i]) {
					t.Fatalf("piece %d of %d/%d differs from that of %d/110", i, required, total, required)
				}
			}
		}
	}
}

// The narrow and the wide path of the library give the same bytes.
func TestPathsAgree(t *testing.T) {
	t.Parallel()
	const share = 2048
	c := mustCode(t, 29, 80, share)
	segment := random(rand.New(rand.NewPCG(7, 8)), c.StripeSize())
	narrow := mustCode(t, 29, 80, 64)
	for s, want := range encodeAll(t, c, segment) {
		for at := 0; at < share; at += 64 {
			thin := make([]byte, 0, 29*64)
			for i := range 29 {
				thin = append(thin, segment[i*share+at:][:64]...)
			}
			got := make([]byte, 64)
			if err := narrow.EncodeShares(thin, []int{s}, [][]byte{got}); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want[at:at+64]) {
				t.Fatalf("piece %d differs at %d", s, at)
			}
		}
		if testing.Short() && s > 35 {
			return
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		r    ecenc.Redundancy
	}{
		{"no share size", redundancy(2, 4, 0)},
		{"odd share size", redundancy(2, 4, 65)},
		{"too many pieces", redundancy(2, 256, 64)},
		{"none required", redundancy(0, 4, 64)},
		{"other code", ecenc.Redundancy{Code: 2, Required: 1, Repair: 1, Optimal: 1, Total: 1, ShareSize: 64}},
	} {
		if _, err := New(tt.r); !errors.Is(err, ecenc.ErrRedundancy) {
			t.Errorf("New, %s: %v", tt.name, err)
		}
		if _, err := new(Cache).Get(tt.r); !errors.Is(err, ecenc.ErrRedundancy) {
			t.Errorf("Get, %s: %v", tt.name, err)
		}
	}
	c := mustCode(t, 2, 4, 64)
	stripe, buf := make([]byte, 128), make([]byte, 64)
	for _, tt := range []struct {
		name   string
		pieces []int
		out    [][]byte
	}{
		{"negative piece", []int{-1}, [][]byte{buf}},
		{"piece over total", []int{4}, [][]byte{buf}},
		{"piece given twice", []int{3, 3}, [][]byte{buf, make([]byte, 64)}},
		{"fewer buffers", []int{0, 1}, [][]byte{buf}},
		{"short buffer", []int{0}, [][]byte{buf[:63]}},
		{"long buffer", []int{2}, [][]byte{make([]byte, 65)}},
	} {
		if err := c.EncodeShares(stripe, tt.pieces, tt.out); !errors.Is(err, ErrShape) {
			t.Errorf("encode, %s: %v", tt.name, err)
		}
	}
	for _, tt := range []struct {
		name   string
		shares [][]byte
		want   error
	}{
		{"none", nil, ErrTooFew},
		{"one", [][]byte{nil, buf, nil, nil}, ErrTooFew},
		{"five", [][]byte{buf, buf, buf, buf, buf}, ErrShape},
		{"different sizes", [][]byte{buf, make([]byte, 128)}, ErrShape},
		{"excess of a different size", [][]byte{buf, buf, buf, buf[:1]}, ErrShape},
		{"part of a share", [][]byte{buf[:63], buf[:63]}, ErrShape},
	} {
		got, err := c.DecodeStripes(tt.shares, []byte("dst"))
		if !errors.Is(err, tt.want) || string(got) != "dst" {
			t.Errorf("decode, %s: %q, %v", tt.name, got, err)
		}
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	c := mustCode(t, 2, 4, 64)
	if err := c.EncodeShares(nil, []int{0, 3}, [][]byte{{}, nil}); err != nil {
		t.Error(err)
	}
}

// What a lie does is part of the contract: nothing is noticed.
func TestAlteredShareIsNotNoticed(t *testing.T) {
	t.Parallel()
	c := mustCode(t, 2, 4, 64)
	segment := random(rand.New(rand.NewPCG(9, 10)), 128)
	shares := encodeAll(t, c, segment)
	shares[0] = nil
	shares[2][5] ^= 1
	got, err := c.DecodeStripes(shares, nil)
	if err != nil || bytes.Equal(got, segment) {
		t.Errorf("got %v and the right bytes: %t", err, bytes.Equal(got, segment))
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	var cache Cache
	a, err := cache.Get(redundancy(4, 10, 64))
	if err != nil {
		t.Fatal(err)
	}
	b, err := cache.Get(redundancy(4, 10, 128))
	if err != nil {
		t.Fatal(err)
	}
	if a.matrix != b.matrix || b.ShareSize() != 128 || b.StripeSize() != 512 {
		t.Errorf("matrix shared: %t; share %d", a.matrix == b.matrix, b.ShareSize())
	}
	for total := 1; total < 100; total++ {
		if _, err := cache.Get(redundancy(1, total, 64)); err != nil {
			t.Fatal(err)
		}
		if len(cache.matrices) > maxMatrices {
			t.Fatalf("%d matrices kept", len(cache.matrices))
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	var cache Cache
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 11))
			for range 30 {
				c, err := cache.Get(redundancy(12, 30, 512))
				if err != nil {
					t.Error(err)
					return
				}
				segment := random(r, c.StripeSize())
				shares := encodeAll(t, c, segment)
				for _, i := range r.Perm(30)[:18] {
					shares[i] = nil
				}
				if got, err := c.DecodeStripes(shares, nil); err != nil || !bytes.Equal(got, segment) {
					t.Errorf("wrong bytes or %v", err)
				}
			}
		})
	}
	wg.Wait()
}

// vector is one golden case: the first bytes of each piece of a segment that counts up from 1.
type vector struct {
	Required, Total, ShareSize, SegmentSize int
	Pieces                                  []string // hex of the first 16 bytes
}

func TestGolden(t *testing.T) {
	t.Parallel()
	const file = "testdata/pieces.json"
	var got []vector
	for _, v := range []vector{
		{Required: 1, Total: 2, ShareSize: 64, SegmentSize: 20},
		{Required: 2, Total: 4, ShareSize: 64, SegmentSize: 300},
		{Required: 4, Total: 10, ShareSize: 64, SegmentSize: 256},
		{Required: 29, Total: 35, ShareSize: 1024, SegmentSize: 29 << 10},
	} {
		segment := make([]byte, v.SegmentSize)
		for i := range segment {
			segment[i] = byte(i + 1 + i>>8)
		}
		for _, piece := range encodeAll(t, mustCode(t, v.Required, v.Total, v.ShareSize), segment) {
			v.Pieces = append(v.Pieces, hex.EncodeToString(piece[:16]))
		}
		got = append(got, v)
	}
	encoded, err := json.MarshalIndent(got, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	encoded = append(encoded, '\n')
	if *update {
		if err := os.WriteFile(file, encoded, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encoded, want) {
		t.Errorf("pieces differ from %s: segments written before cannot be read", file)
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("some bytes of a segment"), uint8(2), uint8(2), uint64(1))
	f.Add(bytes.Repeat([]byte{1}, 1000), uint8(11), uint8(9), uint64(77))
	f.Add([]byte{}, uint8(1), uint8(0), uint64(3))
	f.Fuzz(func(t *testing.T, segment []byte, required, parity uint8, seed uint64) {
		k := int(required)%40 + 1
		c := mustCode(t, k, k+int(parity)%40, 64)
		if len(segment) == 0 {
			return
		}
		shares := encodeAll(t, c, segment)
		r := rand.New(rand.NewPCG(seed, 0))
		for _, i := range r.Perm(c.Total())[:r.IntN(c.Total()+1)] {
			shares[i] = nil
		}
		left := 0
		for _, share := range shares {
			left += min(1, len(share))
		}
		got, err := c.DecodeStripes(shares, nil)
		switch {
		case left < k && !errors.Is(err, ErrTooFew):
			t.Fatalf("%d of %d shares: %v", left, k, err)
		case left >= k && (err != nil || !bytes.Equal(got, padded(c, segment))):
			t.Fatalf("%d of %d shares: wrong bytes or %v", left, k, err)
		}
	})
}
