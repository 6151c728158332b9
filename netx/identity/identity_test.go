package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"storj/netx"
)

var update = flag.Bool("update", false, "write the golden files")

// fixed is the identity of the seed 00 01 02 ... 1f.
func fixed(t testing.TB) *Identity {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	id, err := fromKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestGolden holds what must never change for a key: its NodeID, secrets and certificate.
func TestGolden(t *testing.T) {
	t.Parallel()
	id := fixed(t)
	secret := id.Secret("quic session tickets")
	got := fmt.Sprintf("node id      %s\nsecret       %x\ncertificate  %s\n", id.ID(), secret, hex.EncodeToString(id.TLSCertificate().Certificate[0]))
	path := filepath.Join("testdata", "fixed.golden")
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%v; got:\n%s", err, got)
	}
}

// TestLoadGolden loads a file that an earlier version wrote.
func TestLoadGolden(t *testing.T) {
	t.Parallel()
	golden := filepath.Join("testdata", "fixed.pem")
	if *update {
		_ = os.Remove(golden)
		if err := fixed(t).Save(golden); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "identity.pem") // a checkout does not keep mode 0600
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil || got.ID() != fixed(t).ID() {
		t.Errorf("loaded %v, %v", got, err)
	}
}

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "identity.pem")
	id, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Save(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	again, err := Load(path)
	if err != nil || again.ID() != id.ID() || !again.PublicKey().Equal(id.PublicKey()) {
		t.Errorf("loaded %v, %v; want %v", again, err, id)
	}
	other, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Save(path); !errors.Is(err, ErrExists) {
		t.Errorf("second save: %v, want %v", err, ErrExists)
	}
	if again, err := Load(path); err != nil || again.ID() != id.ID() {
		t.Errorf("the file was changed: %v, %v", again, err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files in the folder, %v; want 1", len(left), err)
	}
}

func TestPublishNeverReplaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "identity.pem")
	if err := os.WriteFile(path, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	temp, err := writeTemp(dir, []byte("second"))
	if err != nil {
		t.Fatal(err)
	}
	if err := publish(temp, path); !errors.Is(err, ErrExists) {
		t.Errorf("publish: %v, want %v", err, ErrExists)
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "first" {
		t.Errorf("file is %q, %v", raw, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	good, err := x509.MarshalPKCS8PrivateKey(fixed(t).key)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	tests := []struct {
		name string
		raw  []byte
		mode fs.FileMode
		want error
	}{
		{name: "good", raw: block(pemType, good), mode: 0o600},
		{name: "read only", raw: block(pemType, good), mode: 0o400},
		{name: "readable by group", raw: block(pemType, good), mode: 0o640, want: ErrExposed},
		{name: "readable by all", raw: block(pemType, good), mode: 0o604, want: ErrExposed},
		{name: "empty", raw: nil, mode: 0o600, want: ErrFormat},
		{name: "another block", raw: block("CERTIFICATE", good), mode: 0o600, want: ErrFormat},
		{name: "two blocks", raw: append(block(pemType, good), block(pemType, good)...), mode: 0o600, want: ErrFormat},
		{name: "another key", raw: block(pemType, other), mode: 0o600, want: ErrFormat},
		{name: "cut key", raw: block(pemType, good[:40]), mode: 0o600, want: ErrFormat},
		{name: "too long", raw: bytes.Repeat([]byte{'x'}, maxFileBytes+1), mode: 0o600, want: ErrFormat},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "identity.pem")
			if err := errors.Join(os.WriteFile(path, test.raw, 0o600), os.Chmod(path, test.mode)); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(path); !errors.Is(err, test.want) || test.want == nil && err != nil {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want %v", err, fs.ErrNotExist)
	}
}

func TestNothingPrintsTheKey(t *testing.T) {
	t.Parallel()
	id := fixed(t)
	seed := hex.EncodeToString(id.key.Seed())
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, id); got != id.ID().String() || strings.Contains(got, seed) {
			t.Errorf("%s prints %q", format, got)
		}
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	a, b := fixed(t), fixed(t)
	other, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	if a.Secret("x") != b.Secret("x") {
		t.Error("the same key and label give different secrets")
	}
	if a.Secret("x") == a.Secret("y") || a.Secret("x") == other.Secret("x") {
		t.Error("another label or key gives the same secret")
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	id := fixed(t)
	if !ed25519.Verify(id.PublicKey(), []byte("text"), id.Sign([]byte("text"))) {
		t.Error("signature does not verify")
	}
}

func TestCertificateToleratesClocks(t *testing.T) {
	t.Parallel()
	leaf := fixed(t).TLSCertificate().Leaf
	for _, year := range []int{1970, 2026, 2200, 9999} {
		if now := time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
			t.Errorf("not valid in %d", year)
		}
	}
	if err := leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature); err != nil {
		t.Errorf("signature: %v", err)
	}
}

func TestPeerID(t *testing.T) {
	t.Parallel()
	leaf := fixed(t).TLSCertificate().Leaf
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		state tls.ConnectionState
		ok    bool
	}{
		{name: "good", ok: true, state: tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: []*x509.Certificate{leaf}}},
		{name: "old TLS", state: tls.ConnectionState{Version: tls.VersionTLS12, PeerCertificates: []*x509.Certificate{leaf}}},
		{name: "no certificate", state: tls.ConnectionState{Version: tls.VersionTLS13}},
		{name: "a chain", state: tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: []*x509.Certificate{leaf, leaf}}},
		{name: "another kind of key", state: tls.ConnectionState{
			Version: tls.VersionTLS13, PeerCertificates: []*x509.Certificate{{PublicKey: ec.Public()}},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := PeerID(test.state)
			if test.ok && (err != nil || got != fixed(t).ID()) || !test.ok && !errors.Is(err, netx.ErrIdentity) {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}

func BenchmarkGenerate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Generate(); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	der, err := x509.MarshalPKCS8PrivateKey(fixed(f).key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		key, err := parse(raw)
		if err == nil && len(key) != ed25519.PrivateKeySize {
			t.Fatalf("key of %d bytes", len(key))
		}
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Fatalf("error %v", err)
		}
	})
}
