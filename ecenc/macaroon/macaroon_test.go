package macaroon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"storj/ecenc/base58check"
	"storj/ecenc/wire"
)

var (
	secret = []byte("a secret of 32 bytes for testing")
	now    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func mustKey(t testing.TB, caveats ...Caveat) *APIKey {
	t.Helper()
	k, err := NewAPIKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range caveats {
		if k, err = k.Restrict(c); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// allOps is every operation; the names are for messages.
var allOps = map[Op]string{
	Read: "read", Write: "write", List: "list", Delete: "delete", ProjectInfo: "project info", Lock: "lock",
	PutRetention: "put retention", GetRetention: "get retention", PutLegalHold: "put legal hold",
	GetLegalHold: "get legal hold", BypassGovernanceRetention: "bypass governance retention",
	PutBucketLock: "put bucket lock", GetBucketLock: "get bucket lock",
	PutBucketNotifications: "put bucket notifications", GetBucketNotifications: "get bucket notifications",
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		caveat Caveat
		denied []Op
	}{
		{"none", Caveat{}, nil},
		{"reads", Caveat{DisallowReads: true}, []Op{Read}},
		{"writes", Caveat{DisallowWrites: true}, []Op{Write}},
		{"lists", Caveat{DisallowLists: true}, []Op{List}},
		{"deletes", Caveat{DisallowDeletes: true}, []Op{Delete}},
		{"locks", Caveat{DisallowLocks: true}, []Op{
			Lock, PutRetention, PutLegalHold, BypassGovernanceRetention, PutBucketLock,
		}},
		{"put retention", Caveat{DisallowPutRetention: true}, []Op{PutRetention}},
		{"get retention", Caveat{DisallowGetRetention: true}, []Op{GetRetention}},
		{"put legal hold", Caveat{DisallowPutLegalHold: true}, []Op{PutLegalHold}},
		{"get legal hold", Caveat{DisallowGetLegalHold: true}, []Op{GetLegalHold}},
		{"bypass", Caveat{DisallowBypassGovernanceRetention: true}, []Op{BypassGovernanceRetention}},
		{"put bucket lock", Caveat{DisallowPutBucketLock: true}, []Op{PutBucketLock}},
		{"get bucket lock", Caveat{DisallowGetBucketLock: true}, []Op{GetBucketLock}},
		{"notifications", Caveat{DisallowBucketNotifications: true}, []Op{PutBucketNotifications, GetBucketNotifications}},
		{"reads and writes", Caveat{DisallowReads: true, DisallowWrites: true}, []Op{Read, Write}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			direct := mustKey(t, tt.caveat)
			later := mustKey(t, Caveat{}, tt.caveat, Caveat{})
			for op, name := range allOps {
				want := error(nil)
				if slices.Contains(tt.denied, op) {
					want = ErrUnauthorized
				}
				a := Action{Op: op, Bucket: "b", EncryptedPath: []byte("p"), Time: now}
				for _, k := range []*APIKey{direct, later} {
					if err := k.Check(secret, a, nil); !errors.Is(err, want) {
						t.Errorf("%s: %v, want %v", name, err, want)
					}
				}
			}
			for _, op := range []Op{0, 16, 255} {
				a := Action{Op: op, Bucket: "b", Time: now}
				if err := direct.Check(secret, a, nil); !errors.Is(err, ErrUnauthorized) {
					t.Errorf("unknown operation %d: %v", op, err)
				}
			}
		})
	}
}

func TestAllowedPaths(t *testing.T) {
	t.Parallel()
	paths := func(pairs ...string) (c Caveat) {
		for i := 0; i < len(pairs); i += 2 {
			c.AllowedPaths = append(c.AllowedPaths, AllowedPath{pairs[i], []byte(pairs[i+1])})
		}
		return c
	}
	for _, tt := range []struct {
		name    string
		caveats []Caveat
		op      Op
		bucket  string
		path    string
		allowed bool
	}{
		{"whole bucket, object", []Caveat{paths("b", "")}, Read, "b", "x", true},
		{"whole bucket, creating it", []Caveat{paths("b", "")}, Write, "b", "", true},
		{"whole bucket, other bucket", []Caveat{paths("b", "")}, Read, "c", "x", false},
		{"whole bucket, bucket that begins alike", []Caveat{paths("b", "")}, Read, "bb", "x", false},
		{"folder, inside", []Caveat{paths("b", "a/")}, Write, "b", "a/x", true},
		{"folder, listing it", []Caveat{paths("b", "a/")}, List, "b", "a/", true},
		{"folder, listing below", []Caveat{paths("b", "a/")}, List, "b", "a/x/", true},
		{"folder, listing above", []Caveat{paths("b", "a/")}, List, "b", "", false},
		{"folder, object of its name", []Caveat{paths("b", "a/")}, Read, "b", "a", false},
		{"folder, beside", []Caveat{paths("b", "a/")}, Read, "b", "ab/x", false},
		{"folder, the bucket's attributes", []Caveat{paths("b", "a/")}, Read, "b", "", true},
		{"folder, the bucket's lock", []Caveat{paths("b", "a/")}, GetBucketLock, "b", "", true},
		{"folder, setting the bucket's lock", []Caveat{paths("b", "a/")}, PutBucketLock, "b", "", false},
		{"folder, creating the bucket", []Caveat{paths("b", "a/")}, Write, "b", "", false},
		{"folder, deleting the bucket", []Caveat{paths("b", "a/")}, Delete, "b", "", false},
		{"object, itself", []Caveat{paths("b", "a/o")}, Read, "b", "a/o", true},
		{"object, below", []Caveat{paths("b", "a/o")}, Read, "b", "a/o/x", true},
		{"object, begins alike", []Caveat{paths("b", "a/o")}, Read, "b", "a/ox", false},
		{"object, beside", []Caveat{paths("b", "a/o")}, Read, "b", "a/p", false},
		{"two paths, second", []Caveat{paths("b", "a/", "c", "")}, Read, "c", "x", true},
		{"two paths, neither", []Caveat{paths("b", "a/", "c", "")}, Read, "b", "x", false},
		{"two caveats, both", []Caveat{paths("b", ""), paths("b", "a/")}, Read, "b", "a/x", true},
		{"two caveats, first only", []Caveat{paths("b", ""), paths("b", "a/")}, Read, "b", "x", false},
		{"two caveats, second only", []Caveat{paths("b", "a/"), paths("b", "")}, Read, "b", "x", false},
		{"two caveats that exclude each other", []Caveat{paths("b", ""), paths("c", "")}, Read, "c", "x", false},
		{"listing buckets", []Caveat{paths("b", "a/")}, List, "", "", true},
		{"reading no bucket", []Caveat{paths("b", "a/")}, Read, "", "", false},
		{"project info", []Caveat{paths("b", "a/")}, ProjectInfo, "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := Action{Op: tt.op, Bucket: tt.bucket, EncryptedPath: []byte(tt.path), Time: now}
			err := mustKey(t, tt.caveats...).Check(secret, a, nil)
			if tt.allowed && err != nil || !tt.allowed && !errors.Is(err, ErrUnauthorized) {
				t.Errorf("got %v, allowed should be %t", err, tt.allowed)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		caveat  Caveat
		at      time.Time
		allowed bool
	}{
		{"before", Caveat{NotBefore: now}, now.Add(-1), false},
		{"at the first instant", Caveat{NotBefore: now}, now, true},
		{"at the last instant", Caveat{NotAfter: now}, now, true},
		{"after", Caveat{NotAfter: now}, now.Add(1), false},
		{"between", Caveat{NotBefore: now.Add(-1), NotAfter: now.Add(1)}, now, true},
		{"never", Caveat{NotBefore: now.Add(1), NotAfter: now.Add(-1)}, now, false},
		{"other zone", Caveat{NotAfter: now.In(time.FixedZone("", 3600))}, now, true},
		{"1970", Caveat{NotAfter: time.Unix(0, 0)}, now, false},
		{"no time given, first instant", Caveat{NotBefore: now}, time.Time{}, false},
		{"no time given, last instant", Caveat{NotAfter: now}, time.Time{}, false},
	} {
		for _, op := range []Op{Read, ProjectInfo} {
			err := mustKey(t, tt.caveat).Check(secret, Action{Op: op, Bucket: "b", Time: tt.at}, nil)
			if tt.allowed && err != nil || !tt.allowed && !errors.Is(err, ErrUnauthorized) {
				t.Errorf("%s, %s: %v", tt.name, allOps[op], err)
			}
		}
	}
}

func TestChain(t *testing.T) {
	t.Parallel()
	parent := mustKey(t, Caveat{DisallowWrites: true})
	child, err := parent.Restrict(Caveat{DisallowReads: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]*APIKey{"parent": parent, "child": child} {
		if err := k.Validate(secret); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := k.Validate([]byte("another secret, as long as that.")); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s under another secret: %v", name, err)
		}
	}
	tails := child.Tails(secret)
	if len(tails) != 3 || tails[1] != parent.Tail() || tails[2] != child.Tail() || child.Head() != parent.Head() {
		t.Errorf("tails of the child do not go through the parent")
	}
	// Taking off, altering and reordering caveats.
	first, second := child.caveats[0], child.caveats[1]
	for name, forged := range map[string]*APIKey{
		"caveat removed":       {head: child.head, caveats: [][]byte{first}, tail: child.tail},
		"all caveats removed":  {head: child.head, tail: child.tail},
		"caveats swapped":      {head: child.head, caveats: [][]byte{second, first}, tail: child.tail},
		"caveat emptied":       {head: child.head, caveats: [][]byte{first, {}}, tail: child.tail},
		"caveats run together": {head: child.head, caveats: [][]byte{slices.Concat(first, second)}, tail: child.tail},
		"other head":           {head: [HeadSize]byte{1}, caveats: child.caveats, tail: child.tail},
		"other tail":           {head: child.head, caveats: child.caveats, tail: parent.tail},
	} {
		a := Action{Op: ProjectInfo, Time: now}
		if err := forged.Check(secret, a, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSiblingsAreIndependent(t *testing.T) {
	t.Parallel()
	parent := mustKey(t, Caveat{}, Caveat{}, Caveat{})
	a, err := parent.Restrict(Caveat{DisallowReads: true})
	if err != nil {
		t.Fatal(err)
	}
	b, err := parent.Restrict(Caveat{DisallowReads: true})
	if err != nil {
		t.Fatal(err)
	}
	if a.Validate(secret) != nil || b.Validate(secret) != nil {
		t.Error("a sibling overwrote the other's caveat")
	}
	if a.Tail() == b.Tail() {
		t.Error("equal restrictions cannot be revoked apart")
	}
}

func TestRevoked(t *testing.T) {
	t.Parallel()
	parent := mustKey(t, Caveat{})
	child, err := parent.Restrict(Caveat{})
	if err != nil {
		t.Fatal(err)
	}
	sibling, err := parent.Restrict(Caveat{})
	if err != nil {
		t.Fatal(err)
	}
	a := Action{Op: Read, Bucket: "b", Time: now}
	for _, tt := range []struct {
		name    string
		revoked [TailSize]byte
		key     *APIKey
		want    error
	}{
		{"itself", child.Tail(), child, ErrRevoked},
		{"its parent", parent.Tail(), child, ErrRevoked},
		{"its root", parent.Tails(secret)[0], child, ErrRevoked},
		{"its sibling", sibling.Tail(), child, nil},
		{"its child", child.Tail(), parent, nil},
	} {
		revoked := func(tail [TailSize]byte) bool { return tail == tt.revoked }
		if err := tt.key.Check(secret, a, revoked); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	asked := false
	wrong := []byte("another secret, as long as that.")
	ask := func([TailSize]byte) bool { asked = true; return true }
	if err := child.Check(wrong, a, ask); !errors.Is(err, ErrInvalid) || asked {
		t.Errorf("forged key: %v; revocation asked %t", err, asked)
	}
}

// A caveat of a later version is honoured by refusing.
func TestUnknownCaveat(t *testing.T) {
	t.Parallel()
	known := wire.Marshal(&Caveat{DisallowReads: true, NotAfter: now, Nonce: []byte("12345678")})
	for name, raw := range map[string][]byte{
		"unknown field in a gap":          append([]byte{0x70, 1}, wire.Marshal(&Caveat{NotAfter: now})...),
		"unknown field at the end":        append(bytes.Clone(known), 0xf8, 0x01, 1),
		"unknown field alone":             {0x70, 1},
		"unknown field in a path":         {0xa2, 0x01, 5, 0x0a, 1, 'b', 0x18, 1},
		"not a message":                   {0xff},
		"field given twice":               {0x08, 1, 0x08, 1},
		"negative life of objects":        wire.Marshal(&Caveat{MaxObjectTTL: -1}),
		"field of a number out of order":  {0x10, 1, 0x08, 1},
		"flag of 2, perhaps a finer flag": {0x08, 2},
	} {
		k, err := mustKey(t).append(raw)
		if err != nil {
			t.Fatal(err)
		}
		if k, err = Parse(k.Serialize()); err != nil {
			t.Fatalf("%s: a client must be able to carry it: %v", name, err)
		}
		if err := k.Validate(secret); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := k.Check(secret, Action{Op: ProjectInfo, Time: now}, nil); !errors.Is(err, ErrUnknownCaveat) {
			t.Errorf("Check, %s: %v", name, err)
		}
		if _, _, err := k.AllowedBuckets(); !errors.Is(err, ErrUnknownCaveat) {
			t.Errorf("AllowedBuckets, %s: %v", name, err)
		}
		if _, _, err := k.MaxObjectTTL(); !errors.Is(err, ErrUnknownCaveat) {
			t.Errorf("MaxObjectTTL, %s: %v", name, err)
		}
	}
}

func TestAllowedBuckets(t *testing.T) {
	t.Parallel()
	in := func(buckets ...string) (c Caveat) {
		for _, b := range buckets {
			c.AllowedPaths = append(c.AllowedPaths, AllowedPath{Bucket: b, EncryptedPrefix: []byte("p/")})
		}
		return c
	}
	for _, tt := range []struct {
		name    string
		caveats []Caveat
		buckets []string
		all     bool
	}{
		{"unrestricted", nil, nil, true},
		{"flags only", []Caveat{{DisallowReads: true}}, nil, true},
		{"sorted, once each", []Caveat{in("c", "a", "c")}, []string{"a", "c"}, false},
		{"in every caveat", []Caveat{in("a", "b"), {}, in("b", "c")}, []string{"b"}, false},
		{"none left", []Caveat{in("a"), in("b"), in("a")}, nil, false},
	} {
		buckets, all, err := mustKey(t, tt.caveats...).AllowedBuckets()
		if err != nil || all != tt.all || !slices.Equal(buckets, tt.buckets) {
			t.Errorf("%s: %v, %t, %v", tt.name, buckets, all, err)
		}
	}
}

func TestMaxObjectTTL(t *testing.T) {
	t.Parallel()
	if _, bounded, err := mustKey(t, Caveat{}).MaxObjectTTL(); bounded || err != nil {
		t.Errorf("without bound: %t, %v", bounded, err)
	}
	k := mustKey(t, Caveat{MaxObjectTTL: 3 * time.Hour}, Caveat{MaxObjectTTL: time.Hour},
		Caveat{MaxObjectTTL: 2 * time.Hour})
	if ttl, bounded, err := k.MaxObjectTTL(); ttl != time.Hour || !bounded || err != nil {
		t.Errorf("%v, %t, %v", ttl, bounded, err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	if _, err := NewAPIKey(make([]byte, MinSecretSize-1)); !errors.Is(err, ErrSecret) {
		t.Errorf("short secret: %v", err)
	}
	long := make([]byte, maxPrefix)
	for name, c := range map[string]Caveat{
		"year 1":         {NotBefore: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)},
		"year 3000":      {NotAfter: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"negative life":  {MaxObjectTTL: -time.Second},
		"no bucket":      {AllowedPaths: []AllowedPath{{EncryptedPrefix: []byte("x")}}},
		"long bucket":    {AllowedPaths: []AllowedPath{{Bucket: strings.Repeat("b", maxBucketName+1)}}},
		"long prefix":    {AllowedPaths: []AllowedPath{{Bucket: "b", EncryptedPrefix: append(long, 1)}}},
		"many paths":     {AllowedPaths: slices.Repeat([]AllowedPath{{Bucket: "b"}}, MaxAllowedPaths+1)},
		"long nonce":     {Nonce: make([]byte, maxNonce+1)},
		"over all limit": {AllowedPaths: slices.Repeat([]AllowedPath{{Bucket: "b", EncryptedPrefix: long}}, 5)},
	} {
		if _, err := mustKey(t).Restrict(c); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	k := mustKey(t, make([]Caveat, MaxCaveats)...)
	if _, err := Parse(k.Serialize()); err != nil {
		t.Errorf("at the limit of caveats: %v", err)
	}
	if _, err := k.Restrict(Caveat{}); !errors.Is(err, ErrFormat) {
		t.Errorf("one caveat over: %v", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	k := mustKey(t, Caveat{DisallowReads: true}, Caveat{AllowedPaths: []AllowedPath{{"b", []byte("p/")}}})
	text := k.Serialize()
	got, err := Parse(text)
	if err != nil || !reflect.DeepEqual(got, k) {
		t.Fatalf("key changed in its text, or %v", err)
	}
	raw := k.Bytes()
	if got, err = ParseBytes(raw); err != nil {
		t.Fatal(err)
	}
	clear(raw)
	if !reflect.DeepEqual(got, k) {
		t.Error("key aliases what it was parsed from")
	}
	for name, text := range map[string]string{
		"empty":         "",
		"mistyped":      text[:10] + "x" + text[11:],
		"cut":           text[:len(text)-3],
		"other version": base58check.Encode(0, k.Bytes()),
		"no head":       base58check.Encode(1, wire.Marshal(&APIKey{tail: k.tail})),
		"no tail":       base58check.Encode(1, wire.Marshal(&APIKey{head: k.head})),
		"not a message": base58check.Encode(1, []byte{0xff}),
		"empty message": base58check.Encode(1, nil),
		"too many caveats": base58check.Encode(1, wire.Marshal(&APIKey{
			head: k.head, tail: k.tail, caveats: make([][]byte, MaxCaveats+1),
		})),
		"too long": strings.Repeat("z", 3*MaxSize),
	} {
		if _, err := Parse(text); !errors.Is(err, ErrFormat) || err.Error() != ErrFormat.Error() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseBytes(make([]byte, MaxSize+1)); !errors.Is(err, ErrFormat) {
		t.Errorf("bytes over limit: %v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	k := mustKey(t, Caveat{})
	inJSON, err := json.Marshal(map[string]any{"pointer": k, "value": *k})
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprint(k, *k) + fmt.Sprintf("%+v %#v %#v %s %q", k, k, *k, k, k) + string(inJSON)
	if strings.ContainsAny(printed, "0123456789") || !strings.Contains(printed, "REDACTED") {
		t.Errorf("printed as %s", printed)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(mustKey(f).Bytes())
	paths := Caveat{AllowedPaths: []AllowedPath{{"b", []byte("p/")}}}
	f.Add(mustKey(f, Caveat{DisallowReads: true, NotAfter: now}, paths).Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := ParseBytes(raw)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		again, err := Parse(k.Serialize())
		if err != nil || !reflect.DeepEqual(again, k) {
			t.Fatalf("key changed in its text, or %v", err)
		}
		a := Action{Op: Read, Bucket: "b", Time: now}
		if err := k.Check([]byte("a secret that made no seed"), a, nil); !errors.Is(err, ErrInvalid) {
			t.Fatalf("forged: %v", err)
		}
		_, _, _ = k.AllowedBuckets() // must not panic
	})
}

func FuzzCaveat(f *testing.F) {
	f.Add(wire.Marshal(&Caveat{DisallowReads: true, NotAfter: now, Nonce: []byte("12345678")}))
	f.Add(wire.Marshal(&Caveat{AllowedPaths: []AllowedPath{{"b", []byte("p/")}, {Bucket: "c"}}, MaxObjectTTL: time.Hour}))
	f.Add([]byte{0x70, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := decodeCaveat(raw)
		if err != nil {
			if !errors.Is(err, ErrUnknownCaveat) {
				t.Fatal(err)
			}
			return
		}
		if got := wire.Marshal(&c); !bytes.Equal(got, raw) {
			t.Fatalf("%x is read, and written as %x", raw, got)
		}
	})
}
