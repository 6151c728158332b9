package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"storj/ecenc"
	"storj/ecenc/wire"
)

// testRoot is 00 01 ... 1f.
func testRoot() (k ecenc.Key) {
	for i := range k {
		k[i] = byte(i)
	}
	return k
}

// allBytes holds every byte value but "/" in one component, and "/" after it.
func allBytes() string {
	var b []byte
	for i := range 256 {
		if i != '/' {
			b = append(b, byte(i))
		}
	}
	return string(b) + "/tail"
}

var paths = []string{
	"", "a", "a/b", "a/b/c.jpg", "/", "//", "/a", "a/", "a//", "a//b", "///", "photos/2026/cat.jpg",
	"ü/漢字/\U0001f600", "\xff", "\x00", "\x00/\xff", "\xc3\x28", "a.b-c_d", "\x01", "\x02", ".", "..", "../..",
	allBytes(), strings.Repeat("x", 3000), strings.Repeat("/", 1000),
}

func mustEncrypt(t testing.TB, a *Access, bucket, path string) []byte {
	t.Helper()
	encrypted, err := a.EncryptPath(bucket, path)
	if err != nil {
		t.Fatalf("encrypt %q: %v", path, err)
	}
	return encrypted
}

func TestPathRoundTrip(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		a := NewAccess(testRoot()).WithPlainNames(plain)
		seen := map[string]string{}
		for _, path := range paths {
			encrypted := mustEncrypt(t, a, "bucket", path)
			if got, err := a.DecryptPath("bucket", encrypted); err != nil || got != path {
				t.Errorf("plain %t: %q comes back as %q, %v", plain, path, got, err)
			}
			if other, ok := seen[string(encrypted)]; ok {
				t.Errorf("%q and %q encrypt alike", path, other)
			}
			seen[string(encrypted)] = path
			if again := mustEncrypt(t, a, "bucket", path); !bytes.Equal(again, encrypted) {
				t.Errorf("%q encrypts differently each time", path)
			}
			if plain {
				if string(encrypted) != path {
					t.Errorf("plain name %q became %q", path, encrypted)
				}
				continue
			}
			if bytes.ContainsAny(encrypted, "\x00") || bytes.IndexByte(encrypted, 0xff) >= 0 {
				t.Errorf("%q encrypts to bytes that must not occur", path)
			}
			if got, want := bytes.Count(encrypted, []byte("/")), strings.Count(path, "/"); got != want {
				t.Errorf("%q has %d slashes encrypted", path, got)
			}
		}
	}
}

func TestKeyTooLong(t *testing.T) {
	t.Parallel()
	a := NewAccess(testRoot())
	for _, path := range []string{
		strings.Repeat("x", 3990), strings.Repeat("x", 1<<20), strings.Repeat("a/", 200), strings.Repeat("/", 5000),
	} {
		if _, err := a.EncryptPath("b", path); !errors.Is(err, ErrKeyTooLong) {
			t.Errorf("%d bytes: %v", len(path), err)
		}
	}
	if _, err := a.WithPlainNames(true).EncryptPath("b", strings.Repeat("x", 4001)); !errors.Is(err, ErrKeyTooLong) {
		t.Errorf("plain: %v", err)
	}
	if _, err := a.WithPlainNames(true).EncryptPath("b", strings.Repeat("x", 4000)); err != nil {
		t.Errorf("plain at the limit: %v", err)
	}
}

func TestSameNameDiffersByPlace(t *testing.T) {
	t.Parallel()
	a := NewAccess(testRoot())
	other := NewAccess(ecenc.Key{1})
	seen := map[string]bool{}
	for _, e := range [][]byte{
		mustEncrypt(t, a, "b", "name"), mustEncrypt(t, a, "c", "name"), mustEncrypt(t, other, "b", "name"),
		bytes.Split(mustEncrypt(t, a, "b", "x/name"), []byte("/"))[1],
		bytes.Split(mustEncrypt(t, a, "b", "y/name"), []byte("/"))[1],
	} {
		if seen[string(e)] {
			t.Error("one name encrypts alike in two places")
		}
		seen[string(e)] = true
	}
}

func TestDecryptRefuses(t *testing.T) {
	t.Parallel()
	a := NewAccess(testRoot())
	good := mustEncrypt(t, a, "b", "folder/name")
	at := bytes.IndexByte(good, '/')
	cases := map[string][]byte{
		"nothing":             {},
		"slash only":          []byte("/"),
		"unknown mark":        []byte("\x03abc"),
		"mark only":           {markBytes},
		"mark and tag":        append([]byte{markBytes}, make([]byte, nameOverhead)...),
		"bytes behind empty":  {markEmpty, 'a'},
		"trailing slash":      append(bytes.Clone(good), '/'),
		"empty component":     append(append(bytes.Clone(good[:at]), '/'), good[at:]...),
		"cut":                 good[:len(good)-1],
		"cut escape":          append(bytes.Clone(good), 0x2e),
		"wrong escape":        append(bytes.Clone(good), 0x2e, 0x03),
		"plain text":          []byte("folder/name"),
		"component elsewhere": good[at+1:],
		"too long":            bytes.Repeat([]byte{markEmpty, '/'}, MaxEncryptedPath),
	}
	for i := range good {
		flipped := bytes.Clone(good)
		flipped[i] ^= 0x40
		cases[fmt.Sprintf("flipped at %d", i)] = flipped
	}
	lister, err := NewLister(a, "b", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, encrypted := range cases {
		if got, err := a.DecryptPath("b", encrypted); !errors.Is(err, ErrDecrypt) || got != "" {
			t.Errorf("DecryptPath, %s: %q, %v", name, got, err)
		}
		if name == "trailing slash" {
			continue // a common prefix to a lister
		}
		if got, err := lister.DecryptName(encrypted); !errors.Is(err, ErrDecrypt) || got != "" {
			t.Errorf("DecryptName, %s: %q, %v", name, got, err)
		}
	}
	if _, err := NewAccess(ecenc.Key{9}).DecryptPath("b", good); !errors.Is(err, ErrDecrypt) {
		t.Errorf("other passphrase: %v", err)
	}
	if _, err := a.DecryptPath("c", good); !errors.Is(err, ErrDecrypt) {
		t.Errorf("other bucket: %v", err)
	}
}

// A name sealed under another nonce than its own is well authenticated, and still not what encrypt makes.
func TestNonceIsChecked(t *testing.T) {
	t.Parallel()
	l, err := newLevel(testRoot(), false)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, nameNonceSize)
	sealed := l.aead.Seal(nonce, nonce, []byte("name"), nil)
	if got, err := l.decrypt(appendEscaped([]byte{markBytes}, sealed)); !errors.Is(err, ErrDecrypt) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	var words [][]byte
	for range 2000 {
		word := make([]byte, r.IntN(4))
		for i := range word {
			word[i] = []byte{0, 1, 2, 3, 0x2d, 0x2e, 0x2f, 0x30, 0xfd, 0xfe, 0xff}[r.IntN(11)]
		}
		words = append(words, word)
	}
	for i, word := range words {
		escaped := appendEscaped(nil, word)
		if bytes.ContainsAny(escaped, "\x00/") || bytes.IndexByte(escaped, 0xff) >= 0 {
			t.Fatalf("%x escapes to %x", word, escaped)
		}
		if got, ok := appendUnescaped(nil, escaped); !ok || !bytes.Equal(got, word) {
			t.Fatalf("%x comes back as %x", word, got)
		}
		other := words[(i+1)%len(words)]
		if want := bytes.Compare(word, other); bytes.Compare(escaped, appendEscaped(nil, other)) != want {
			t.Fatalf("order of %x and %x is not kept", word, other)
		}
	}
}

func TestRestrict(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		root := NewAccess(testRoot()).WithPlainNames(plain)
		for _, tt := range []struct {
			prefixes []string
			inside   []string
			outside  []string
		}{
			{nil, []string{"", "a", "a/b", "/"}, nil},
			{[]string{"a/"}, []string{"a/", "a/b", "a//", "a/b/c"}, []string{"", "a", "ab", "b", "ab/c", "/a"}},
			{[]string{"a/b"}, []string{"a/b", "a/b/", "a/b/c"}, []string{"a", "a/", "a/bc", "a/c"}},
			{[]string{"a//"}, []string{"a//", "a//b"}, []string{"a/", "a/b"}},
			{[]string{"/"}, []string{"/", "/a", "//"}, []string{"", "a"}},
			{[]string{"a/", "c/d"}, []string{"a/x", "c/d", "c/d/e"}, []string{"c/", "c/e", "b"}},
			{[]string{"a/", "a/b/"}, []string{"a/b/c", "a/c"}, []string{"b"}},
			{[]string{""}, []string{"", "a"}, nil},
		} {
			shared, err := root.Restrict("bucket", tt.prefixes...)
			if err != nil {
				t.Fatal(err)
			}
			if shared.Default != nil {
				t.Fatal("restricted access has the root key")
			}
			shared = reopen(t, shared)
			for _, path := range tt.inside {
				checkSame(t, root, shared, path)
			}
			for _, path := range append(tt.outside, "elsewhere") {
				bucket := "bucket"
				if path == "elsewhere" {
					bucket, path = "other", "a/b"
				}
				checkNoKey(t, root, shared, bucket, path)
			}
		}
	}
}

// reopen sends the access through its encoding.
func reopen(t *testing.T, a *Access) *Access {
	t.Helper()
	b := wire.Marshal(a)
	var got Access
	if err := wire.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	clear(b) // must not be aliased
	if !reflect.DeepEqual(&got, a) {
		t.Fatal("access changed in its encoding")
	}
	return &got
}

// checkSame says whether both do the same with a path.
func checkSame(t *testing.T, root, shared *Access, path string) {
	t.Helper()
	want := mustEncrypt(t, root, "bucket", path)
	if got := mustEncrypt(t, shared, "bucket", path); !bytes.Equal(got, want) {
		t.Errorf("%q encrypts differently under a restricted access", path)
	}
	if got, err := shared.DecryptPath("bucket", want); err != nil || got != path {
		t.Errorf("%q decrypts to %q, %v", path, got, err)
	}
	wantKey, err := root.PathKey("bucket", path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := shared.PathKey("bucket", path); err != nil || got != wantKey {
		t.Errorf("%q has another key under a restricted access: %v", path, err)
	}
}

func checkNoKey(t *testing.T, root, shared *Access, bucket, path string) {
	t.Helper()
	if _, err := shared.EncryptPath(bucket, path); !errors.Is(err, ErrNoKey) {
		t.Errorf("EncryptPath of %q outside: %v", path, err)
	}
	if _, err := shared.PathKey(bucket, path); !errors.Is(err, ErrNoKey) {
		t.Errorf("PathKey of %q outside: %v", path, err)
	}
	if got, err := shared.DecryptPath(bucket, mustEncrypt(t, root, bucket, path)); !errors.Is(err, ErrNoKey) {
		t.Errorf("DecryptPath of %q outside: %q, %v", path, got, err)
	}
	if _, err := shared.Restrict(bucket, path); !errors.Is(err, ErrNoKey) {
		t.Errorf("Restrict to %q outside: %v", path, err)
	}
}

func TestRestrictTwice(t *testing.T) {
	t.Parallel()
	root := NewAccess(testRoot())
	once, err := root.Restrict("bucket", "a/")
	if err != nil {
		t.Fatal(err)
	}
	twice, err := once.Restrict("bucket", "a/b/")
	if err != nil {
		t.Fatal(err)
	}
	direct, err := root.Restrict("bucket", "a/b/")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(twice, direct) {
		t.Error("restricting in two steps differs from one")
	}
	if _, err := twice.Restrict("bucket", "a/"); !errors.Is(err, ErrNoKey) {
		t.Errorf("widened: %v", err)
	}
}

func TestEncryptPrefix(t *testing.T) {
	t.Parallel()
	a := NewAccess(testRoot())
	for _, tt := range []struct{ prefix, dir, filter string }{
		{"", "", ""}, {"a", "", "a"}, {"a/", "a/", ""}, {"a/b", "a/", "b"}, {"a/b/", "a/b/", ""}, {"/", "/", ""},
		{"a//b", "a//", "b"},
	} {
		encrypted, filter, err := a.EncryptPrefix("bucket", tt.prefix)
		if err != nil || filter != tt.filter {
			t.Errorf("%q: filter %q, %v", tt.prefix, filter, err)
		}
		object := mustEncrypt(t, a, "bucket", tt.dir+"name")
		if want := object[:bytes.LastIndexByte(object, '/')+1]; !bytes.Equal(encrypted, want) {
			t.Errorf("%q: prefix %q, want %q", tt.prefix, encrypted, want)
		}
	}
}

func TestLister(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		a := NewAccess(testRoot()).WithPlainNames(plain)
		for _, prefix := range []string{"", "a/", "a/b/", "a/fil"} {
			l, err := NewLister(a, "bucket", prefix)
			if err != nil {
				t.Fatal(err)
			}
			dir, filter := splitPath(prefix)
			if l.Filter() != filter {
				t.Errorf("filter %q of %q", l.Filter(), prefix)
			}
			for _, name := range slices.Concat(paths, []string{"x/y/1", "x/y/2", "x/z/1", "x/1", "1", "x/y/3", "x/y/z/1"}) {
				if len(name) > 2000 || strings.Count(name, "/") > 500 {
					continue
				}
				full := mustEncrypt(t, a, "bucket", dir+name)
				below, ok := bytes.CutPrefix(full, l.EncryptedPrefix())
				if !ok {
					t.Fatalf("%q is not under the encrypted prefix %q", dir+name, prefix)
				}
				if got, err := l.DecryptName(below); err != nil || got != name {
					t.Errorf("under %q: %q decrypts to %q, %v", prefix, name, got, err)
				}
				if cut := bytes.IndexByte(below, '/') + 1; cut > 0 {
					want, _, _ := strings.Cut(name, "/")
					if got, err := l.DecryptName(below[:cut]); err != nil || got != want+"/" {
						t.Errorf("common prefix of %q decrypts to %q, %v", name, got, err)
					}
				}
			}
		}
	}
}

func TestRootKey(t *testing.T) {
	t.Parallel()
	if _, err := RootKey([]byte("pass"), make([]byte, MinSaltSize-1)); !errors.Is(err, ErrSalt) {
		t.Errorf("short salt: %v", err)
	}
	seen := map[ecenc.Key]bool{}
	for _, tt := range [][2]string{
		{"pass", "0123456789abcdef"}, {"Pass", "0123456789abcdef"}, {"pass", "0123456789abcdeF"},
	} {
		key, err := RootKey([]byte(tt[0]), []byte(tt[1]))
		if err != nil || seen[key] || key.IsZero() {
			t.Errorf("key of %v: seen %t, %v", tt, seen[key], err)
		}
		seen[key] = true
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	root := NewAccess(testRoot())
	shared, err := root.Restrict("bucket", "secret-name/")
	if err != nil {
		t.Fatal(err)
	}
	inJSON, err := json.Marshal(struct {
		A *Access
		P []Prefix
	}{shared, shared.Prefixes})
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprint(root, *root, shared, *shared, shared.Prefixes, root.Default) +
		fmt.Sprintf("%+v %#v %s %#v %#v", *shared, *shared, shared, shared.Prefixes, *root.Default) + string(inJSON)
	for _, leak := range []string{"secret-name", "0x1f", "31", "1e1f"} {
		if strings.Contains(printed, leak) {
			t.Errorf("%q is printed: %s", leak, printed)
		}
	}
}

func TestAccessMalformed(t *testing.T) {
	t.Parallel()
	shared, err := NewAccess(testRoot()).Restrict("bucket", "a/")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty":                        {},
		"no version":                   {0x18, 1},
		"other version":                {0x08, 2},
		"cut":                          wire.Marshal(shared)[:50],
		"plain path without encrypted": wire.Marshal(&Access{Prefixes: []Prefix{{Bucket: "b", Path: "a/"}}}),
		"folder as object": wire.Marshal(&Access{Prefixes: []Prefix{
			{Bucket: "b", Path: "a/", EncryptedPath: []byte("x")},
		}}),
	} {
		var a Access
		if err := wire.Unmarshal(b, &a); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecryptPath(f *testing.F) {
	a := NewAccess(testRoot())
	for _, path := range paths[:20] {
		f.Add(mustEncrypt(f, a, "bucket", path))
	}
	f.Add([]byte{markBytes, 0x2e})
	f.Fuzz(func(t *testing.T, encrypted []byte) {
		path, err := a.DecryptPath("bucket", encrypted)
		l, lerr := NewLister(a, "bucket", "")
		if lerr != nil {
			t.Fatal(lerr)
		}
		if name, nerr := l.DecryptName(encrypted); err == nil && (nerr != nil || name != path) {
			t.Fatalf("lister says %q, %v; DecryptPath %q", name, nerr, path)
		}
		if err != nil {
			if !errors.Is(err, ErrDecrypt) {
				t.Fatal(err)
			}
			return
		}
		if again := mustEncrypt(t, a, "bucket", path); !bytes.Equal(again, encrypted) {
			t.Fatalf("%x decrypts, and encrypts as %x", encrypted, again)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, path := range paths {
		f.Add(path)
	}
	a := NewAccess(testRoot())
	f.Fuzz(func(t *testing.T, path string) {
		encrypted, err := a.EncryptPath("bucket", path)
		if err != nil {
			if !errors.Is(err, ErrKeyTooLong) {
				t.Fatal(err)
			}
			return
		}
		if got, err := a.DecryptPath("bucket", encrypted); err != nil || got != path {
			t.Fatalf("%q came back as %q, %v", path, got, err)
		}
	})
}

func FuzzAccess(f *testing.F) {
	root := NewAccess(testRoot())
	f.Add(wire.Marshal(root))
	shared, err := root.Restrict("bucket", "a/", "b/c")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire.Marshal(shared))
	f.Fuzz(func(t *testing.T, b []byte) {
		var a Access
		if wire.Unmarshal(b, &a) != nil {
			return
		}
		var again Access
		if err := wire.Unmarshal(wire.Marshal(&a), &again); err != nil || !reflect.DeepEqual(a, again) {
			t.Fatalf("access changed in its encoding: %v", err)
		}
		_, _ = a.EncryptPath("bucket", "a/b") // must not panic
		_, _ = a.DecryptPath("bucket", b)
	})
}
