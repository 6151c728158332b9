package base58check_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"storj/ecenc/base58check"
)

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		version byte
		payload string // hex
		text    string
	}{
		// Bitcoin Core, src/test/data/key_io_valid.json and the wiki page of addresses.
		{"bitcoin address", 0, "010966776006953d5567439e5e39f86a0d273bee", "16UwLL9Risc3QfPqBUvKofHmBQ7wMtjvM"},
		{"bitcoin key", 0x80, "1e99423a4ed27608a15a2616a2b0e9e52ced330ac530edcc32c8ffc6a526aedd",
			"5J3mBbAH58CpQ3Y5RNJpUKPE62SQ5tfcvU2JpbnkeyhfsYB1Jcn"},
		{"empty payload", 0, "", "1Wh4bh"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			payload, err := hex.DecodeString(tt.payload)
			if err != nil {
				t.Fatal(err)
			}
			if got := base58check.Encode(tt.version, payload); got != tt.text {
				t.Errorf("encoded as %s, want %s", got, tt.text)
			}
			got, err := base58check.Decode(tt.text, tt.version, len(payload))
			if err != nil || !bytes.Equal(got, payload) {
				t.Errorf("decoded as %x, %v", got, err)
			}
		})
	}
}

func TestRoundTripAtTheLimit(t *testing.T) {
	t.Parallel()
	for size := range 200 {
		for _, fill := range []byte{0x00, 0x01, 0xff} {
			payload := bytes.Repeat([]byte{fill}, size)
			for _, version := range []byte{0, 1, 255} {
				text := base58check.Encode(version, payload)
				got, err := base58check.Decode(text, version, size)
				if err != nil || !bytes.Equal(got, payload) {
					t.Fatalf("%d bytes of %#x, version %d: %x, %v", size, fill, version, got, err)
				}
				if size > 0 {
					if _, err := base58check.Decode(text, version, size-1); !errors.Is(err, base58check.ErrText) {
						t.Fatalf("%d bytes pass a limit of %d", size, size-1)
					}
				}
			}
		}
	}
}

func TestWrongText(t *testing.T) {
	t.Parallel()
	text := base58check.Encode(1, []byte("a payload of some length"))
	for i := range text {
		b := []byte(text)
		if b[i]++; strings.ContainsRune("0IOl:[{", rune(b[i])) {
			b[i] = 'z'
		}
		if _, err := base58check.Decode(string(b), 1, 100); !errors.Is(err, base58check.ErrText) {
			t.Errorf("mistyped at %d passes: %s", i, b)
		}
	}
	for _, tt := range []struct {
		name, text string
		version    byte
	}{
		{"empty", "", 1},
		{"other version", text, 2},
		{"cut", text[:len(text)-1], 1},
		{"space in front", " " + text, 1},
		{"line feed behind", text + "\n", 1},
		{"zero in front", "1" + text, 1},
		{"not base58", "0OIl", 1},
		{"not ASCII", "é" + text, 1},
		{"checksum only", base58check.Encode(1, nil)[1:], 1},
		{"long", strings.Repeat("z", 1<<20), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := base58check.Decode(tt.text, tt.version, 100); !errors.Is(err, base58check.ErrText) {
				t.Errorf("got %v, want ErrText", err)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(base58check.Encode(1, []byte("seed")), byte(1))
	f.Add(base58check.Encode(0, make([]byte, 10)), byte(0))
	f.Add("1111111111", byte(0))
	f.Add("\xff\x80", byte(3))
	f.Fuzz(func(t *testing.T, text string, version byte) {
		payload, err := base58check.Decode(text, version, 1000)
		if err != nil {
			if !errors.Is(err, base58check.ErrText) {
				t.Fatal(err)
			}
			return
		}
		if got := base58check.Encode(version, payload); got != text {
			t.Fatalf("%q decodes and encodes as %q", text, got)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{32, 1 << 10, 16 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			text := base58check.Encode(1, bytes.Repeat([]byte{0xa5}, size))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := base58check.Decode(text, 1, size); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
