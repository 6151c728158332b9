package sealing

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"storj/ecenc"
	"storj/ecenc/cipher"
)

const plainBlock = cipher.PlainBlockSize

// fill writes plain in chunks of the sizes that next gives, growing the buffer as callers do.
func fill(s *Segment, plain []byte, next func() int) []byte {
	grow := func(need int) {
		if need > s.Cap() {
			s.Grow(make([]byte, 0, need+need/2))
		}
	}
	for len(plain) > 0 {
		n := min(len(plain), next())
		grow(s.Need(n))
		s.Write(plain[:n])
		plain = plain[n:]
	}
	grow(s.Need(0))
	return s.Close()
}

func TestSegmentIsWhatCipherMakes(t *testing.T) {
	t.Parallel()
	sizes := []int{0, 1, 15, 4079, 4080, 4081, plainBlock - 1, plainBlock, plainBlock + 1, 2*plainBlock - 1, 2 * plainBlock, 2*plainBlock + 1, 5*plainBlock + 77}
	chunks := map[string]func() int{
		"one byte over a block": func() int { return plainBlock + 1 },
		"whole":                 func() int { return 1 << 30 },
		"block":                 func() int { return plainBlock },
		"odd":                   func() int { return 7001 },
	}
	for _, size := range sizes {
		for name, next := range chunks {
			t.Run(fmt.Sprintf("%d/%s", size, name), func(t *testing.T) {
				t.Parallel()
				checkSegment(t, size, next)
			})
		}
	}
}

func TestSegmentOfRandomChunks(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 60 {
		size := rng.IntN(4 * plainBlock)
		longest := 1 + rng.IntN(2*plainBlock)
		checkSegment(t, size, func() int { return 1 + rng.IntN(longest) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func checkSegment(t *testing.T, size int, next func() int) {
	t.Helper()
	content := ecenc.Key{1, 2, 3}
	plain := make([]byte, size)
	for i := range plain {
		plain[i] = byte(i * 7)
	}
	s, err := New(content, 3, 9, int64(size))
	if err != nil {
		t.Fatal(err)
	}
	got := fill(s, plain, next)
	c, err := cipher.New(cipher.SegmentKey(content, s.Salt(), 3, 9))
	if err != nil {
		t.Fatal(err)
	}
	if want := c.SealSegment(nil, plain); !bytes.Equal(got, want) {
		t.Errorf("segment of %d bytes differs from what cipher makes", size)
	}
	if s.PlainSize() != int64(size) || s.EncryptedSize() != int64(len(got)) || s.Room() != 0 {
		t.Errorf("plain %d, encrypted %d, room %d of a segment of %d sealed to %d", s.PlainSize(), s.EncryptedSize(), s.Room(), size, len(got))
	}
}

func TestSaltIsFresh(t *testing.T) {
	t.Parallel()
	a, errA := New(ecenc.Key{1}, 0, 0, 10)
	b, errB := New(ecenc.Key{1}, 0, 0, 10)
	if errA != nil || errB != nil || a.Salt() == b.Salt() {
		t.Fatalf("two segments with one salt (%v, %v)", errA, errB)
	}
}

func TestWriteBeyondItsBoundsPanics(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*Segment){
		"more than room":   func(s *Segment) { s.Grow(make([]byte, 0, 1<<10)); s.Write(make([]byte, 11)) },
		"more than buffer": func(s *Segment) { s.Write(make([]byte, 1)) },
		"close unbuffered": func(s *Segment) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := New(ecenc.Key{1}, 0, 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			write(s)
		})
	}
}

func BenchmarkSegment(b *testing.B) {
	const size = 16 << 20
	plain := make([]byte, 16*plainBlock)
	buf := make([]byte, 0, cipher.EncryptedSize(size))
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		s, err := New(ecenc.Key{1}, 0, 0, size)
		if err != nil {
			b.Fatal(err)
		}
		s.Grow(buf)
		for s.Room() > 0 {
			s.Write(plain[:min(int64(len(plain)), s.Room())])
		}
		s.Close()
	}
}
