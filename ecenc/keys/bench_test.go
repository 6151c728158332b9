package keys

import (
	"fmt"
	"testing"
)

func BenchmarkRootKey(b *testing.B) {
	for b.Loop() {
		if _, err := RootKey([]byte("pass"), make([]byte, MinSaltSize)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncryptPath(b *testing.B) {
	a := NewAccess(testRoot())
	b.ReportAllocs()
	for b.Loop() {
		mustEncrypt(b, a, "bucket", "photos/2026/cat.jpg")
	}
}

// A listing of 1,000 names, in one folder and in ten; an operation is the whole listing.
func BenchmarkList1000(b *testing.B) {
	a := NewAccess(testRoot())
	for _, folders := range []int{0, 10} {
		b.Run(fmt.Sprintf("%d folders", folders), func(b *testing.B) {
			var names [][]byte
			for i := range 1000 {
				name := fmt.Sprintf("IMG_%05d.jpg", i)
				if folders > 0 {
					name = fmt.Sprintf("%d/%s", i*folders/1000, name)
				}
				names = append(names, mustEncrypt(b, a, "bucket", name))
			}
			b.ReportAllocs()
			for b.Loop() {
				l, err := NewLister(a, "bucket", "")
				if err != nil {
					b.Fatal(err)
				}
				for _, name := range names {
					if _, err := l.DecryptName(name); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
