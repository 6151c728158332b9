package macaroon

import (
	"testing"
	"time"
)

func BenchmarkCheck(b *testing.B) {
	k := mustKey(b,
		Caveat{DisallowDeletes: true, NotAfter: now.Add(time.Hour)},
		Caveat{AllowedPaths: []AllowedPath{{"bucket", []byte("prefix/")}}},
	)
	a := Action{Op: Read, Bucket: "bucket", EncryptedPath: []byte("prefix/name"), Time: now}
	revoked := func([TailSize]byte) bool { return false }
	b.ReportAllocs()
	for b.Loop() {
		if err := k.Check(secret, a, revoked); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	k := mustKey(b, Caveat{DisallowDeletes: true}, Caveat{AllowedPaths: []AllowedPath{{"bucket", make([]byte, 100)}}})
	raw, text := k.Bytes(), k.Serialize()
	b.Run("text", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Parse(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bytes", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseBytes(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}
