package macaroon

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// vector is a key with an action; Want says how checking ends.
type vector struct {
	Name   string
	Secret string // hex
	Text   string
	Op     Op
	Bucket string
	Path   string // hex
	Time   time.Time
	Want   string
}

// outcomes are the values of Want.
var outcomes = map[string]error{
	"ok": nil, "format": ErrFormat, "invalid": ErrInvalid, "unauthorized": ErrUnauthorized,
	"unknown caveat": ErrUnknownCaveat,
}

func makeVectors(t *testing.T) []vector {
	var head [HeadSize]byte
	copy(head[:], "head of a key that never changes")
	root := &APIKey{head: head, tail: link(secret, head[:])}
	shared, err := root.Restrict(Caveat{
		DisallowDeletes: true, AllowedPaths: []AllowedPath{{"bucket", []byte("\x02abc/")}}, NotBefore: now.Add(-time.Hour),
		NotAfter: now, MaxObjectTTL: time.Hour, Nonce: []byte("12345678"),
	})
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := shared.append([]byte{0x70, 1})
	if err != nil {
		t.Fatal(err)
	}
	v := vector{
		Secret: hex.EncodeToString(secret), Text: shared.Serialize(), Op: Read, Bucket: "bucket",
		Path: hex.EncodeToString([]byte("\x02abc/\x02d")), Time: now,
	}
	var all []vector
	add := func(name, want string, change func(*vector)) {
		w := v
		w.Name, w.Want = name, want
		change(&w)
		all = append(all, w)
	}
	add("root key deletes", "ok", func(v *vector) { v.Text, v.Op = root.Serialize(), Delete })
	add("shared key reads", "ok", func(v *vector) {})
	add("shared key deletes", "unauthorized", func(v *vector) { v.Op = Delete })
	add("elsewhere", "unauthorized", func(v *vector) { v.Path = hex.EncodeToString([]byte("\x02abd/\x02d")) })
	add("other bucket", "unauthorized", func(v *vector) { v.Bucket = "bucket2" })
	add("too early", "unauthorized", func(v *vector) { v.Time = now.Add(-2 * time.Hour) })
	add("too late", "unauthorized", func(v *vector) { v.Time = now.Add(1) })
	add("caveat of a later version", "unknown caveat", func(v *vector) { v.Text = unknown.Serialize() })
	add("other secret", "invalid", func(v *vector) { v.Secret = "ff" + v.Secret[2:] })
	add("mistyped", "format", func(v *vector) { v.Text = v.Text[:20] + "z" + v.Text[21:] })
	return all
}

func TestGolden(t *testing.T) {
	t.Parallel()
	const file = "testdata/keys.json"
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
	for i, made := range makeVectors(t) {
		if i >= len(vectors) || made != vectors[i] {
			t.Errorf("%s is made differently now", made.Name)
		}
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			want, ok := outcomes[v.Want]
			if err := v.check(t); !ok || !errors.Is(err, want) {
				t.Errorf("got %v, want %s", err, v.Want)
			}
		})
	}
}

func (v *vector) check(t *testing.T) error {
	secret, err := hex.DecodeString(v.Secret)
	if err != nil {
		t.Fatal(err)
	}
	path, err := hex.DecodeString(v.Path)
	if err != nil {
		t.Fatal(err)
	}
	k, err := Parse(v.Text)
	if err != nil {
		return err
	}
	return k.Check(secret, Action{Op: v.Op, Bucket: v.Bucket, EncryptedPath: path, Time: v.Time}, nil)
}
