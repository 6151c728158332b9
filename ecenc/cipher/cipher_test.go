package cipher

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"storj/ecenc"
)

// testKey is 00 01 ... 1f.
func testKey() (k ecenc.Key) {
	for i := range k {
		k[i] = byte(i)
	}
	return k
}

func mustCipher(t testing.TB, key ecenc.Key) *Cipher {
	t.Helper()
	c, err := New(key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// counting is size bytes that differ from block to block.
func counting(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

// edges are sizes around the edges of blocks.
var edges = []int{
	0, 1, 15, 16, 17, PlainBlockSize - 1, PlainBlockSize, PlainBlockSize + 1, ecenc.CipherBlockSize,
	2*PlainBlockSize - 1, 2 * PlainBlockSize, 2*PlainBlockSize + 1, 5*PlainBlockSize + 1234,
}

func TestSegmentRoundTrip(t *testing.T) {
	t.Parallel()
	c := mustCipher(t, testKey())
	for _, size := range edges {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			plain := counting(size)
			sealed := c.SealSegment([]byte("front"), plain)[5:]
			if got := EncryptedSize(int64(size)); int64(len(sealed)) != got {
				t.Fatalf("%d bytes sealed, EncryptedSize says %d", len(sealed), got)
			}
			got, err := c.OpenSegment([]byte("front"), sealed)
			if err != nil || string(got[:5]) != "front" || !bytes.Equal(got[5:], plain) {
				t.Fatalf("wrong plaintext or %v", err)
			}
			for _, chunk := range []int{1, 1000, PlainBlockSize - 1, PlainBlockSize, PlainBlockSize + 1, 1 << 20} {
				if size > 2*PlainBlockSize && chunk == 1 {
					continue
				}
				if streamed := stream(c, plain, chunk); !bytes.Equal(streamed, sealed) {
					t.Errorf("chunks of %d seal to other bytes", chunk)
				}
			}
			if got, err = c.OpenInPlace(sealed, 0, true); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("in place: wrong plaintext or %v", err)
			}
		})
	}
}

func stream(c *Cipher, plain []byte, chunk int) (sealed []byte) {
	s := NewSealer(c)
	for len(plain) > 0 {
		n := min(chunk, len(plain))
		sealed = s.Write(sealed, plain[:n])
		plain = plain[n:]
	}
	return s.Close(sealed)
}

func TestSealerHoldsNoMoreThanABlock(t *testing.T) {
	t.Parallel()
	s := NewSealer(mustCipher(t, testKey()))
	var sealed []byte
	for range 1000 {
		sealed = s.Write(sealed, make([]byte, 331))
		if blocks := int64(len(sealed) / ecenc.CipherBlockSize); s.PlainSize()-blocks*PlainBlockSize > PlainBlockSize {
			t.Fatalf("%d bytes in, %d blocks out", s.PlainSize(), blocks)
		}
	}
}

func TestBlockInPlace(t *testing.T) {
	t.Parallel()
	c := mustCipher(t, testKey())
	buf := counting(100 + ecenc.TagSize)
	sealed := c.SealBlock(buf[:0], buf[:100], 7, true)
	if &sealed[0] != &buf[0] {
		t.Fatal("sealed elsewhere")
	}
	plain, err := c.OpenBlock(sealed[:0], sealed, 7, true)
	if err != nil || !bytes.Equal(plain, counting(100)) {
		t.Errorf("got %x, %v", plain, err)
	}
}

// Every way of putting blocks together that is not the one they were made for.
func TestTampering(t *testing.T) {
	t.Parallel()
	const block = ecenc.CipherBlockSize
	c := mustCipher(t, testKey())
	sealed := c.SealSegment(nil, counting(2*PlainBlockSize+100))
	full := c.SealSegment(nil, counting(2*PlainBlockSize))
	for _, tt := range []struct {
		name   string
		sealed []byte
	}{
		{"nothing", nil},
		{"less than a tag", sealed[:15]},
		{"cut after a block", sealed[:block]},
		{"cut after two blocks", sealed[:2*block]},
		{"cut in a block", sealed[:block+50]},
		{"cut by a byte", sealed[:len(sealed)-1]},
		{"longer by a byte", append(bytes.Clone(sealed), 0)},
		{"padded", append(bytes.Clone(sealed), make([]byte, 64)...)},
		{"first block missing", sealed[block:]},
		{"blocks swapped", bytes.Join([][]byte{sealed[block : 2*block], sealed[:block], sealed[2*block:]}, nil)},
		{"block doubled", bytes.Join([][]byte{sealed[:block], sealed[:block], sealed[2*block:]}, nil)},
		{"last block dropped from whole blocks", full[:block]},
		{"whole blocks continued", append(bytes.Clone(full), full[:block]...)},
		{"empty last block", append(bytes.Clone(full), c.SealBlock(nil, nil, 2, true)...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.OpenSegment([]byte("d"), tt.sealed)
			if !errors.Is(err, ErrDecrypt) || string(got) != "d" {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if err != nil && err.Error() != ErrDecrypt.Error() {
				t.Errorf("the error says more: %v", err)
			}
		})
	}
	other := mustCipher(t, SegmentKey(testKey(), [SaltSize]byte{}, 0, 0))
	if _, err := other.OpenSegment(nil, sealed); !errors.Is(err, ErrDecrypt) {
		t.Errorf("other key: %v", err)
	}
	small := c.SealSegment(nil, []byte("hello"))
	for i := range len(small) * 8 {
		flipped := bytes.Clone(small)
		flipped[i/8] ^= 1 << (i % 8)
		if _, err := c.OpenSegment(nil, flipped); !errors.Is(err, ErrDecrypt) {
			t.Fatalf("bit %d flipped: %v", i, err)
		}
	}
}

func TestWrongBlockPanics(t *testing.T) {
	t.Parallel()
	c := mustCipher(t, testKey())
	for name, f := range map[string]func(){
		"too long":         func() { c.SealBlock(nil, make([]byte, PlainBlockSize+1), 0, true) },
		"short, not last":  func() { c.SealBlock(nil, make([]byte, 10), 0, false) },
		"write after last": func() { s := NewSealer(c); s.Close(nil); s.Write(nil, []byte{1}) },
		"closed twice":     func() { s := NewSealer(c); s.Close(nil); s.Close(nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	possible := map[int64]int64{}
	for _, plain := range edges {
		possible[EncryptedSize(int64(plain))] = int64(plain)
	}
	for encrypted := int64(-5); encrypted < 3*ecenc.CipherBlockSize; encrypted++ {
		plain, err := PlainSize(encrypted)
		if err == nil && EncryptedSize(plain) != encrypted {
			t.Fatalf("PlainSize(%d) is %d, whose encrypted size is %d", encrypted, plain, EncryptedSize(plain))
		}
		if want, ok := possible[encrypted]; ok && (err != nil || plain != want) {
			t.Fatalf("PlainSize(%d) is %d, %v; want %d", encrypted, plain, err, want)
		}
		// Impossible: less than a tag, and a last block of a tag or less behind others.
		rest := encrypted % ecenc.CipherBlockSize
		impossible := encrypted < 16 || encrypted > ecenc.CipherBlockSize && 0 < rest && rest <= ecenc.TagSize
		if impossible != errors.Is(err, ErrSize) {
			t.Fatalf("PlainSize(%d): %d, %v", encrypted, plain, err)
		}
	}
	if got := EncryptedSize(0); got != ecenc.TagSize {
		t.Errorf("EncryptedSize(0) = %d", got)
	}
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	const size = 3*PlainBlockSize + 10
	plain := counting(size)
	c := mustCipher(t, testKey())
	sealed := c.SealSegment(nil, plain)
	for _, offset := range []int64{
		0, 1, PlainBlockSize - 1, PlainBlockSize, PlainBlockSize + 1, 3 * PlainBlockSize, size - 1,
	} {
		for _, length := range []int64{1, 2, 11, PlainBlockSize, PlainBlockSize + 1, size, 1 << 62} {
			first, count, skip := Blocks(offset, length, size)
			start, n := BlockRange(first, count, int64(len(sealed)))
			got, err := c.OpenBlocks(nil, sealed[start:][:n], first, start+n == int64(len(sealed)))
			if err != nil {
				t.Fatalf("range %d+%d: %v", offset, length, err)
			}
			want := plain[offset:min(offset+min(length, size), size)]
			if got = got[skip:]; int64(len(got)) > int64(len(want)) {
				got = got[:len(want)]
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("range %d+%d gives other bytes", offset, length)
			}
			if over := count - (int64(skip+len(want))+PlainBlockSize-1)/PlainBlockSize; over != 0 {
				t.Errorf("range %d+%d: %d blocks too many", offset, length, over)
			}
		}
	}
	for _, tt := range [][3]int64{{-1, 5, 10}, {0, 0, 10}, {0, -1, 10}, {10, 1, 10}, {0, 1, 0}} {
		if _, count, _ := Blocks(tt[0], tt[1], tt[2]); count != 0 {
			t.Errorf("range %v: %d blocks", tt, count)
		}
	}
}

func TestSegmentKeysDiffer(t *testing.T) {
	t.Parallel()
	salt := [SaltSize]byte{1}
	seen := map[ecenc.Key]string{}
	for name, key := range map[string]ecenc.Key{
		"base":    SegmentKey(testKey(), salt, 0, 0),
		"index":   SegmentKey(testKey(), salt, 0, 1),
		"part":    SegmentKey(testKey(), salt, 1, 0),
		"salt":    SegmentKey(testKey(), [SaltSize]byte{2}, 0, 0),
		"content": SegmentKey(ecenc.Key{1}, salt, 0, 0),
		"itself":  testKey(),
	} {
		if other, ok := seen[key]; ok {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[key] = name
	}
}

func TestBox(t *testing.T) {
	t.Parallel()
	for _, plain := range []string{"", "a", strings.Repeat("metadata", 1000)} {
		box, err := SealBox(testKey(), "test/v1", []byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		if len(box) != len(plain)+BoxOverhead {
			t.Errorf("box of %d bytes", len(box))
		}
		got, err := OpenBox(testKey(), "test/v1", box)
		if err != nil || string(got) != plain {
			t.Errorf("got %q, %v", got, err)
		}
		again, err := SealBox(testKey(), "test/v1", []byte(plain))
		if err != nil || bytes.Equal(again, box) {
			t.Errorf("nonce used twice, or %v", err)
		}
		flipped := bytes.Clone(box)
		flipped[len(flipped)-1] ^= 1
		for name, open := range map[string]func() ([]byte, error){
			"other purpose": func() ([]byte, error) { return OpenBox(testKey(), "test/v2", box) },
			"other key":     func() ([]byte, error) { return OpenBox(ecenc.Key{}, "test/v1", box) },
			"flipped":       func() ([]byte, error) { return OpenBox(testKey(), "test/v1", flipped) },
			"short":         func() ([]byte, error) { return OpenBox(testKey(), "test/v1", box[:BoxOverhead-1]) },
			"empty":         func() ([]byte, error) { return OpenBox(testKey(), "test/v1", nil) },
		} {
			if got, err := open(); !errors.Is(err, ErrDecrypt) || got != nil {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}

func TestExampleOfPackageComment(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	sealed := mustCipher(t, testKey()).SealSegment(nil, nil)
	if want := strings.TrimSpace(fmt.Sprintf("% x", sealed)); !bytes.Contains(doc, []byte(want)) {
		t.Errorf("doc.go lacks the example %s", want)
	}
}

func FuzzOpenSegment(f *testing.F) {
	c := mustCipher(f, testKey())
	f.Add(c.SealSegment(nil, []byte("seed")))
	f.Add([]byte{})
	f.Add(make([]byte, 33<<10))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		plain, err := c.OpenSegment(nil, sealed)
		if err != nil {
			if !errors.Is(err, ErrDecrypt) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(c.SealSegment(nil, plain), sealed) {
			t.Fatalf("%s opens, and is not how it is sealed", hex.EncodeToString(sealed))
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("seed"), uint16(3))
	f.Add(make([]byte, 33<<10), uint16(1000))
	c := mustCipher(f, testKey())
	f.Fuzz(func(t *testing.T, plain []byte, chunk uint16) {
		sealed := stream(c, plain, int(chunk)+1)
		if size, err := PlainSize(int64(len(sealed))); err != nil || size != int64(len(plain)) {
			t.Fatalf("PlainSize(%d) = %d, %v", len(sealed), size, err)
		}
		got, err := c.OpenSegment(nil, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("wrong plaintext or %v", err)
		}
	})
}
