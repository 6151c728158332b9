package erasure

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func BenchmarkEncode(b *testing.B) {
	for _, tt := range []struct{ required, optimal, total, share, stripes int }{
		{1, 2, 2, 32 << 10, 4},
		{4, 8, 10, 32 << 10, 4},
		{4, 10, 10, 32 << 10, 4},
		{4, 8, 10, 1 << 10, 1},
		{16, 40, 40, 32 << 10, 2},
		{29, 80, 110, 32 << 10, 2},
		{29, 80, 110, 1 << 10, 1},
	} {
		name := fmt.Sprintf("%d_%d of %d, %d x %d", tt.required, tt.optimal, tt.total, tt.stripes, tt.share)
		b.Run(name, func(b *testing.B) {
			c := mustCode(b, tt.required, tt.total, tt.share)
			segment := random(rand.New(rand.NewPCG(1, 1)), tt.stripes*c.StripeSize())
			var pieces []int
			var out [][]byte
			for i := tt.required; i < tt.optimal; i++ {
				pieces = append(pieces, i)
				out = append(out, make([]byte, tt.stripes*tt.share))
			}
			b.SetBytes(int64(len(segment)))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.EncodeShares(segment, pieces, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, tt := range []struct{ required, total, missing int }{
		{4, 10, 0}, {4, 10, 1}, {4, 10, 4},
		{29, 110, 0}, {29, 110, 1}, {29, 110, 14}, {29, 110, 29},
	} {
		b.Run(fmt.Sprintf("%d of %d, %d missing", tt.required, tt.total, tt.missing), func(b *testing.B) {
			c := mustCode(b, tt.required, tt.total, 32<<10)
			segment := random(rand.New(rand.NewPCG(1, 1)), 2*c.StripeSize())
			shares := encodeAll(b, c, segment)
			clear(shares[:tt.missing])
			dst := make([]byte, 0, len(segment))
			b.SetBytes(int64(len(segment)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.DecodeStripes(shares, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for _, scheme := range schemes {
		b.Run(fmt.Sprintf("%d of %d", scheme[0], scheme[1]), func(b *testing.B) {
			for b.Loop() {
				mustCode(b, scheme[0], scheme[1], 32<<10)
			}
		})
	}
	b.Run("cached 29 of 110", func(b *testing.B) {
		var cache Cache
		for b.Loop() {
			if _, err := cache.Get(redundancy(29, 110, 32<<10)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// What a loss pattern that was not met before costs.
func BenchmarkNewPlan(b *testing.B) {
	m := mustCode(b, 29, 110, 32<<10).matrix
	var used, missing []int
	for i := range 29 {
		used, missing = append(used, i+29), append(missing, i)
	}
	for b.Loop() {
		clear(m.plans)
		if _, err := m.decodePlan(used, missing, 32<<10); err != nil {
			b.Fatal(err)
		}
	}
}
