package wire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"storj/ecenc/wire"
)

// everything has a field of each kind, with gaps between the numbers, where later versions may put theirs.
type everything struct {
	Uint    uint64
	Uint32  uint32
	Int     int64
	Int32   int32
	Bool    bool
	Time    time.Time
	Bytes   []byte
	String  string
	Fixed   [4]byte
	Inner   inner
	List    []inner
	Strings [][]byte
	Last    uint64
}

type inner struct {
	A int64
	B []byte
}

func (e *everything) Fields(c *wire.Codec) {
	c.Uint(1, &e.Uint)
	c.Uint32(2, &e.Uint32)
	c.Int(3, &e.Int)
	c.Int32(4, &e.Int32)
	c.Bool(5, &e.Bool)
	c.Time(6, &e.Time)
	c.Bytes(8, &e.Bytes, 300)
	c.String(9, &e.String, 10)
	c.Fixed(10, e.Fixed[:])
	c.Message(12, &e.Inner)
	wire.Repeated(c, 13, &e.List, 3)
	wire.RepeatedBytes(c, 14, &e.Strings, 3, 4)
	c.Uint(20, &e.Last)
}

func (i *inner) Fields(c *wire.Codec) {
	c.Int(1, &i.A)
	c.Bytes(2, &i.B, 300)
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte{7}, 300)
	for _, tt := range []struct {
		name string
		msg  everything
		hex  string // checked when not empty
	}{
		{name: "zero"},
		{"uint", everything{Uint: 300}, "08ac02"},
		{"greatest uint", everything{Uint: math.MaxUint64}, "08ffffffffffffffffff01"},
		{"uint32", everything{Uint32: math.MaxUint32}, "10ffffffff0f"},
		{"negative", everything{Int: -1}, "1801"},
		{"least int", everything{Int: math.MinInt64}, "18ffffffffffffffffff01"},
		{"least int32", everything{Int32: math.MinInt32}, "20ffffffff0f"},
		{"bool", everything{Bool: true}, "2801"},
		{"1970", everything{Time: time.Unix(0, 0).UTC()}, "3000"},
		{"before 1970", everything{Time: time.Unix(0, -1).UTC()}, "3001"},
		{"bytes", everything{Bytes: []byte("ab")}, "42026162"},
		{"string", everything{String: "é"}, "4a02c3a9"},
		{"fixed", everything{Fixed: [4]byte{0, 0, 0, 1}}, "520400000001"},
		{"message", everything{Inner: inner{A: 1}}, "62020802"},
		{"long message", everything{Inner: inner{B: long}}, ""},
		{"list with an empty item", everything{List: []inner{{}, {A: 1}, {}}}, "6a006a0208026a00"},
		{"list of long", everything{List: []inner{{B: long}, {B: long}}}, ""},
		{"byte strings", everything{Strings: [][]byte{{1}, {}, {2, 3}}}, "7201017200" + "72020203"},
		{"two-byte tag", everything{Last: 1}, "a00101"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := wire.Marshal(&tt.msg)
			if got := hex.EncodeToString(b); tt.hex != "" && got != tt.hex {
				t.Errorf("encoded as %s, want %s", got, tt.hex)
			}
			var got everything
			if err := wire.Unmarshal(b, &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.msg) {
				t.Errorf("got %+v, want %+v", got, tt.msg)
			}
			if again := wire.Append([]byte("x"), &got); string(again) != "x"+string(b) {
				t.Errorf("second encoding %x differs from %x", again[1:], b)
			}
		})
	}
}

func TestExampleOfPackageComment(t *testing.T) {
	t.Parallel()
	var o order
	if err := wire.Unmarshal([]byte{0x0a, 0x02, 0x61, 0x62, 0x10, 0x03}, &o); err != nil {
		t.Fatal(err)
	}
	if string(o.name) != "ab" || o.amount != -2 {
		t.Errorf("got %q, %d", o.name, o.amount)
	}
}

type order struct {
	name   []byte
	amount int64
}

func (o *order) Fields(c *wire.Codec) {
	c.Bytes(1, &o.name, 10)
	c.Int(2, &o.amount)
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, hex string }{
		{"cut varint", "08ac"},
		{"tag without value", "08"},
		{"overlong varint", "08ac8200"},
		{"overlong tag", "880001"},
		{"varint of 11 bytes", "08ffffffffffffffffffff01"},
		{"field 0", "0001"},
		{"field number too great", "80808080" + "1001"},
		{"explicit zero", "0800"},
		{"explicit false", "2800"},
		{"bool of 2", "2802"},
		{"uint32 over 32 bits", "108080808010"},
		{"int32 over 32 bits", "208080808010"},
		{"out of order", "10010801"},
		{"field given twice", "08010801"},
		{"last field given twice", "a00101a00101"},
		{"list taken up again", "6a00a001016a00"},
		{"wrong wire type", "0a0101"},
		{"wire type 1", "590000000000000000"},
		{"wire type 5 at the end", "b50100000000"},
		{"cut bytes", "42036162"},
		{"length over all", "42ffffffffffffffffff01"},
		{"empty bytes", "4200"},
		{"empty string", "4a00"},
		{"string over limit", "4a0b" + strings.Repeat("61", 11)},
		{"fixed too short", "5203000001"},
		{"fixed too long", "52050000000001"},
		{"fixed all zero", "520400000000"},
		{"empty message", "6200"},
		{"message cut inside", "620208"},
		{"message longer than rest", "62050802"},
		{"twice inside message", "620408020802"},
		{"list over limit", "6a006a006a006a00"},
		{"byte strings over limit", "7200720072007200"},
		{"byte string over size", "72050102030405"},
		{"cut unknown", "3a05"},
		{"cut unknown at the end", "aa0105"},
		{"unknown out of order", "aa0100980101"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			var got everything
			if err := wire.Unmarshal(b, &got); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("got %v, want ErrMalformed; read %+v", err, got)
			}
		})
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, hex string }{
		{"in a gap", "08013a0100a00102"},
		{"list in a gap", "08013a01003a0100a00102"},
		{"zero in a gap", "08013800a00102"},
		{"at the end", "0801a00102a8010a"},
		{"list at the end", "0801a00102aa0100aa0100b20100"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			var got everything
			if err := wire.Unmarshal(b, &got); err != nil {
				t.Fatal(err)
			}
			if want := (everything{Uint: 1, Last: 2}); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestDecodedBytesCannotGrowIntoTheirNeighbours(t *testing.T) {
	t.Parallel()
	b := wire.Marshal(&everything{Bytes: []byte("ab"), String: "cd"})
	var got everything
	if err := wire.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	_ = append(got.Bytes, 0xff, 0xff)
	var again everything
	if err := wire.Unmarshal(b, &again); err != nil || again.String != "cd" {
		t.Errorf("input was overwritten: %v, %q", err, again.String)
	}
}

// Unknown fields are dropped by a second encoding; without them it gives the same bytes.
func FuzzUnmarshal(f *testing.F) {
	f.Add(wire.Marshal(&everything{Uint: 1, Int: -5, Time: time.Unix(1, 2), Bytes: []byte("x"), Last: 9}))
	f.Add(wire.Marshal(&everything{Inner: inner{A: 1}, List: []inner{{}, {B: []byte{1}}}, Strings: [][]byte{{}}}))
	f.Add([]byte{0x08, 0x01, 0x3a, 0x01, 0x00, 0xa0, 0x01, 0x02})
	f.Fuzz(func(t *testing.T, b []byte) {
		var first everything
		if err := wire.Unmarshal(b, &first); err != nil {
			if !errors.Is(err, wire.ErrMalformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		encoded := wire.Marshal(&first)
		if len(encoded) > len(b) || len(encoded) == len(b) && !bytes.Equal(encoded, b) {
			t.Fatalf("%x read, and written as %x", b, encoded)
		}
		var second everything
		if err := wire.Unmarshal(encoded, &second); err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("%v: %+v became %+v", err, first, second)
		}
	})
}

func sample() everything {
	return everything{
		Uint: 1, Int: -5, Time: time.Unix(1, 2), Bytes: make([]byte, 32), Fixed: [4]byte{1}, Inner: inner{A: 3},
	}
}

func BenchmarkMarshal(b *testing.B) {
	m := sample()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = wire.Append(buf[:0], &m)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkUnmarshal(b *testing.B) {
	m := sample()
	buf := wire.Marshal(&m)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		var got everything
		if err := wire.Unmarshal(buf, &got); err != nil {
			b.Fatal(err)
		}
	}
}
