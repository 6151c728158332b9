package cipher

import (
	"fmt"
	"testing"

	"storj/ecenc"
)

func BenchmarkSealSegment(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 8 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := mustCipher(b, testKey())
			plain := counting(size)
			buf := make([]byte, 0, EncryptedSize(int64(size)))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				c.SealSegment(buf, plain)
			}
		})
	}
}

func BenchmarkSealer(b *testing.B) {
	c := mustCipher(b, testKey())
	chunk := counting(32 << 10)
	buf := make([]byte, 0, 2*ecenc.CipherBlockSize)
	s := NewSealer(c)
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		s.Write(buf, chunk)
	}
}

func BenchmarkOpen(b *testing.B) {
	const size = 8 << 20
	c := mustCipher(b, testKey())
	sealed := c.SealSegment(nil, counting(size))
	buf := make([]byte, 0, size)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.OpenSegment(buf, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewSegment(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mustCipher(b, SegmentKey(testKey(), [SaltSize]byte{}, 1, 2))
	}
}

func BenchmarkBox(b *testing.B) {
	plain := make([]byte, ecenc.KeySize)
	b.ReportAllocs()
	for b.Loop() {
		box, err := SealBox(testKey(), "bench", plain)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := OpenBox(testKey(), "bench", box); err != nil {
			b.Fatal(err)
		}
	}
}
