package keys

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"storj/ecenc"
	"storj/ecenc/wire"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden is a key tree with what hangs in it, all in hex but for the names.
type golden struct {
	Passphrase, Salt, Root string
	Paths                  []pathVector
	Grants                 []grantVector
}

// pathVector is an object under the root. Encrypted is decrypted; Want says how that ends.
type pathVector struct {
	Name      string
	Bucket    string
	Path      string // hex, since paths are any bytes
	Encrypted string
	PathKey   string `json:",omitempty"`
	WrapKey   string `json:",omitempty"`
	Want      string // "ok", "decrypt"
}

// grantVector is an access restricted to prefixes of a bucket, as it travels.
type grantVector struct {
	Bucket   string
	Prefixes []string
	Encoded  string
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func makeGolden(t *testing.T) golden {
	g := golden{Passphrase: "correct horse", Salt: hex.EncodeToString([]byte("sixteen bytes ok"))}
	root, err := RootKey([]byte(g.Passphrase), unhex(t, g.Salt))
	if err != nil {
		t.Fatal(err)
	}
	g.Root = hex.EncodeToString(root[:])
	a := NewAccess(root)
	for i, path := range []string{"a", "photos/2026/cat.jpg", "/a//", "\x00\x01./\xfe\xff"} {
		v := pathVector{Name: fmt.Sprintf("good %d", i), Bucket: "bucket", Path: hex.EncodeToString([]byte(path)), Want: "ok"}
		v.Encrypted = hex.EncodeToString(mustEncrypt(t, a, v.Bucket, path))
		v.PathKey, v.WrapKey = pathKeys(t, a, v.Bucket, path)
		g.Paths = append(g.Paths, v)
	}
	good := mustEncrypt(t, a, "bucket", "a")
	bad := func(name, bucket string, encrypted []byte) {
		g.Paths = append(g.Paths, pathVector{
			Name: name, Bucket: bucket, Encrypted: hex.EncodeToString(encrypted), Want: "decrypt",
		})
	}
	bad("other bucket", "bucket2", good)
	bad("cut", "bucket", good[:len(good)-1])
	bad("empty component behind", "bucket", append(good[:len(good):len(good)], '/'))
	bad("plain", "bucket", []byte("a"))
	for _, prefixes := range [][]string{nil, {"photos/"}, {"photos/2026/cat.jpg", "a/"}} {
		shared, err := a.Restrict("bucket", prefixes...)
		if err != nil {
			t.Fatal(err)
		}
		g.Grants = append(g.Grants, grantVector{"bucket", prefixes, hex.EncodeToString(wire.Marshal(shared))})
	}
	return g
}

func pathKeys(t *testing.T, a *Access, bucket, path string) (pathKey, wrapKey string) {
	t.Helper()
	key, err := a.PathKey(bucket, path)
	if err != nil {
		t.Fatal(err)
	}
	wrap := ContentWrapKey(key)
	return hex.EncodeToString(key[:]), hex.EncodeToString(wrap[:])
}

func TestGolden(t *testing.T) {
	t.Parallel()
	const file = "testdata/tree.json"
	if *update {
		b, err := json.MarshalIndent(makeGolden(t), "", "\t")
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
	var g golden
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	root, err := RootKey([]byte(g.Passphrase), unhex(t, g.Salt))
	if err != nil || root != ecenc.Key(unhex(t, g.Root)) {
		t.Fatalf("root key differs, or %v", err)
	}
	a := NewAccess(root)
	for _, v := range g.Paths {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			v.check(t, a)
		})
	}
	for _, v := range g.Grants {
		shared, err := a.Restrict(v.Bucket, v.Prefixes...)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(wire.Marshal(shared)); got != v.Encoded {
			t.Errorf("grant of %v encodes as %s", v.Prefixes, got)
		}
	}
}

func (v *pathVector) check(t *testing.T, a *Access) {
	path, err := a.DecryptPath(v.Bucket, unhex(t, v.Encrypted))
	if v.Want == "decrypt" {
		if !errors.Is(err, ErrDecrypt) {
			t.Errorf("got %q, %v; want ErrDecrypt", path, err)
		}
		return
	}
	if v.Want != "ok" || err != nil || hex.EncodeToString([]byte(path)) != v.Path {
		t.Fatalf("got %q, %v", path, err)
	}
	if got := hex.EncodeToString(mustEncrypt(t, a, v.Bucket, path)); got != v.Encrypted {
		t.Errorf("encrypted as %s", got)
	}
	if pathKey, wrapKey := pathKeys(t, a, v.Bucket, path); pathKey != v.PathKey || wrapKey != v.WrapKey {
		t.Errorf("keys %s, %s", pathKey, wrapKey)
	}
}
