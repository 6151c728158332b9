package format

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// Vector is an object of testdata and what it opens to.
type vector struct {
	Name     string            `json:"name"`
	Grant    string            `json:"grant"`
	Record   Record            `json:"record"`
	Key      string            `json:"key"`
	Metadata map[string]string `json:"metadata"`
	Tags     map[string]string `json:"tags"`
	SHA256   string            `json:"sha256"` // of the content, hex
	Error    bool              `json:"error,omitempty"`
}

func load(t testing.TB) (vectors []vector) {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range load(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			grant, err := ParseGrant(v.Grant)
			if err != nil {
				t.Fatal(err)
			}
			object, err := grant.Open(&v.Record)
			if v.Error {
				if err == nil {
					t.Errorf("opened as %q", object.Key)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if object.Key != v.Key || !maps.Equal(object.Metadata, v.Metadata) || !maps.Equal(object.Tags, v.Tags) {
				t.Errorf("%q with %v and %v, want %q, %v, %v", object.Key, object.Metadata, object.Tags, v.Key, v.Metadata, v.Tags)
			}
			if sum := sha256.Sum256(object.Content); hex.EncodeToString(sum[:]) != v.SHA256 {
				t.Errorf("%d bytes of content differ", len(object.Content))
			}
		})
	}
}

// TestLiesAreFound changes what satellite and nodes say: the reader must not return it as the object's.
func TestLiesAreFound(t *testing.T) {
	t.Parallel()
	lies := map[string]func(r *Record) bool{
		"segment left out": func(r *Record) bool { return cut(r, func(s []Segment) []Segment { return s[:len(s)-1] }) },
		"segment twice":    func(r *Record) bool { return cut(r, func(s []Segment) []Segment { return append(s, s[0]) }) },
		"segments swapped": func(r *Record) bool {
			if len(r.Segments) < 2 {
				return false
			}
			a, b := &r.Segments[0], &r.Segments[1]
			a.Salt, b.Salt = b.Salt, a.Salt
			a.Inline, b.Inline = b.Inline, a.Inline
			a.Pieces, b.Pieces = b.Pieces, a.Pieces
			return true
		},
		"metadata":    func(r *Record) bool { r.Metadata[len(r.Metadata)/2] ^= 1; return true },
		"wrapped key": func(r *Record) bool { r.WrappedKey[20] ^= 1; return true },
		"name":        func(r *Record) bool { r.Key[len(r.Key)-1] ^= 0x40; return !r.PlainNames },
		"salt":        func(r *Record) bool { return first(r, func(s *Segment) { s.Salt[3] ^= 1 }) },
		"position":    func(r *Record) bool { return first(r, func(s *Segment) { s.Index += 7 }) },
		"piece or inline byte": func(r *Record) bool {
			return first(r, func(s *Segment) {
				if s.Inline != nil {
					s.Inline[0] ^= 1
					return
				}
				s.Pieces[slices.Min(slices.Collect(maps.Keys(s.Pieces)))][5] ^= 1
			})
		},
	}
	for i := range load(t) {
		for name, lie := range lies {
			v := load(t)[i]
			if v.Error || !lie(&v.Record) {
				continue
			}
			grant, err := ParseGrant(v.Grant)
			if err != nil {
				t.Fatal(err)
			}
			if object, err := grant.Open(&v.Record); err == nil {
				t.Errorf("%s, %s: opened as %q", v.Name, name, object.Key)
			}
		}
	}
}

// cut changes the list of segments, which are not empty.
func cut(r *Record, change func([]Segment) []Segment) bool {
	r.Segments = slices.DeleteFunc(r.Segments, func(s Segment) bool { return s.PlainSize == 0 })
	if len(r.Segments) == 0 {
		return false
	}
	r.Segments = change(r.Segments)
	return true
}

// first changes the first segment, if it is not empty.
func first(r *Record, change func(*Segment)) bool {
	if len(r.Segments) == 0 || r.Segments[0].PlainSize == 0 {
		return false
	}
	change(&r.Segments[0])
	return true
}

// TestAnyPieces encodes by the matrix and joins from random sets of pieces.
func TestAnyPieces(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, scheme := range [][2]int{{1, 1}, {1, 3}, {2, 4}, {4, 10}, {29, 110}} {
		required, total := scheme[0], scheme[1]
		matrix, err := Matrix(required, total)
		if err != nil {
			t.Fatal(err)
		}
		const share = 64
		stripe := required * share
		data := make([]byte, 2*stripe+stripe/2+1)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		columns := make([][]byte, required)
		padded := append(bytes.Clone(data), make([]byte, 3*stripe-len(data))...)
		for at := 0; at < len(padded); at += share {
			i := at / share % required
			columns[i] = append(columns[i], padded[at:at+share]...)
		}
		pieces := combine(matrix, columns)
		for i := range required {
			if !bytes.Equal(pieces[i], columns[i]) {
				t.Fatalf("%d/%d: the code is not systematic", required, total)
			}
		}
		for range 5 {
			s := &Segment{Required: required, Total: total, ShareSize: share, EncryptedSize: int64(len(data)), Pieces: map[int][]byte{}}
			for _, number := range rng.Perm(total)[:required] {
				s.Pieces[number] = pieces[number]
			}
			if got, err := s.join(); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d/%d from %v: %v", required, total, slices.Sorted(maps.Keys(s.Pieces)), err)
			}
		}
	}
}

func FuzzParseGrant(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("1", 40))
	for _, v := range load(f) {
		f.Add(v.Grant)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 {
			return // base58 takes time in the square of it
		}
		if g, err := ParseGrant(text); err == nil && g == nil {
			t.Error("neither grant nor error")
		}
	})
}

func FuzzUnescape(f *testing.F) {
	f.Add([]byte("a.b"))
	f.Add([]byte{0, 1, 0x2e, 0x2f, 0xfe, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, err := Unescape(escape(data)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%x comes back as %x, %v", data, got, err)
		}
	})
}
