package cipher

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"storj/ecenc"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// vector is one golden case. Sealed is opened under the key derived from the rest; Want says how that ends.
type vector struct {
	Name    string
	Kind    string // "block" or "box"
	Key     string // hex: content key of a block, key of a box
	Salt    string `json:",omitempty"`
	Part    uint32 `json:",omitempty"`
	Segment uint32 `json:",omitempty"`
	Block   uint64 `json:",omitempty"`
	Last    bool   `json:",omitempty"`
	Purpose string `json:",omitempty"`
	Plain   string // hex
	Sealed  string // hex
	Want    string // "ok" or "decrypt"
}

func (v *vector) cipher(t *testing.T) *Cipher {
	return mustCipher(t, SegmentKey(ecenc.Key(unhex(t, v.Key)), [SaltSize]byte(unhex(t, v.Salt)), v.Part, v.Segment))
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// makeVectors seals the good cases, and spoils copies of them.
func makeVectors(t *testing.T) []vector {
	key := testKey()
	salt := hex.EncodeToString(counting(SaltSize))
	block := vector{Kind: "block", Key: hex.EncodeToString(key[:]), Salt: salt, Want: "ok"}
	var all []vector
	add := func(name string, v vector, change func(*vector)) vector {
		v.Name = name
		change(&v)
		if v.Kind == "block" && v.Want == "ok" {
			v.Sealed = hex.EncodeToString(v.cipher(t).SealBlock(nil, unhex(t, v.Plain), v.Block, v.Last))
		}
		all = append(all, v)
		return v
	}
	add("empty segment", block, func(v *vector) { v.Last = true })
	good := add("last block", block, func(v *vector) {
		v.Plain, v.Block, v.Last, v.Part, v.Segment = "68656c6c6f", 1<<32+5, true, 3, 4
	})
	bad := good
	bad.Want = "decrypt"
	add("not the last", bad, func(v *vector) { v.Last = false })
	add("other block", bad, func(v *vector) { v.Block-- })
	add("other segment", bad, func(v *vector) { v.Segment-- })
	add("other part", bad, func(v *vector) { v.Part-- })
	add("other salt", bad, func(v *vector) { v.Salt = "ff" + v.Salt[2:] })
	add("other key", bad, func(v *vector) { v.Key = "ff" + v.Key[2:] })
	add("cut", bad, func(v *vector) { v.Sealed = v.Sealed[:len(v.Sealed)-2] })
	add("altered", bad, func(v *vector) { v.Sealed = "ff" + v.Sealed[2:] })
	add("shorter than a tag", bad, func(v *vector) { v.Sealed = v.Sealed[:30] })

	sealed, err := SealBox(key, "vector/v1", []byte("a content key"))
	if err != nil {
		t.Fatal(err)
	}
	box := add("box", vector{Kind: "box", Key: block.Key, Purpose: "vector/v1", Want: "ok"}, func(v *vector) {
		v.Plain, v.Sealed = hex.EncodeToString([]byte("a content key")), hex.EncodeToString(sealed)
	})
	box.Want = "decrypt"
	add("box of other purpose", box, func(v *vector) { v.Purpose = "vector/v2" })
	add("box altered", box, func(v *vector) { v.Sealed = "ff" + v.Sealed[2:] })
	return all
}

func TestGolden(t *testing.T) {
	t.Parallel()
	const file = "testdata/vectors.json"
	if *update {
		b, err := json.MarshalIndent(makeVectors(t), "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			var got []byte
			var err error
			if v.Kind == "box" {
				got, err = OpenBox(ecenc.Key(unhex(t, v.Key)), v.Purpose, unhex(t, v.Sealed))
			} else {
				got, err = v.cipher(t).OpenBlock(nil, unhex(t, v.Sealed), v.Block, v.Last)
			}
			switch v.Want {
			case "ok":
				if err != nil || !bytes.Equal(got, unhex(t, v.Plain)) {
					t.Errorf("got %x, %v", got, err)
				}
				if v.Kind == "block" {
					again := v.cipher(t).SealBlock(nil, unhex(t, v.Plain), v.Block, v.Last)
					if hex.EncodeToString(again) != v.Sealed {
						t.Errorf("sealed as %x", again)
					}
				}
			case "decrypt":
				if !errors.Is(err, ErrDecrypt) {
					t.Errorf("got %x, %v; want ErrDecrypt", got, err)
				}
			default:
				t.Errorf("unknown outcome %q", v.Want)
			}
		})
	}
}
