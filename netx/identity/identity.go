package identity

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"storj/netx"
)

// SecretSize is the size of a derived secret in bytes.
const SecretSize = 32

// Identity is the key pair of a peer and what follows from it. It prints as its NodeID.
type Identity struct {
	key  ed25519.PrivateKey
	id   netx.NodeID
	cert tls.Certificate
}

// Generate makes a new identity from the system's randomness.
func Generate() (*Identity, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate identity: %w", err)
	}
	return fromKey(key)
}

func fromKey(key ed25519.PrivateKey) (*Identity, error) {
	cert, err := certificate(key)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return &Identity{key: key, id: netx.IDFromKey(key.Public().(ed25519.PublicKey)), cert: cert}, nil
}

// ID is the NodeID that the key proves.
func (i *Identity) ID() netx.NodeID { return i.id }

// String returns the NodeID, so that an identity in a log line shows no key.
func (i *Identity) String() string { return i.id.String() }

// GoString keeps the key out of %#v.
func (i *Identity) GoString() string { return i.id.String() }

// PublicKey returns the public half: 32 bytes, read only.
func (i *Identity) PublicKey() ed25519.PublicKey { return i.key.Public().(ed25519.PublicKey) }

// Sign returns the Ed25519 signature of message (RFC 8032, no prehash): 64 bytes.
func (i *Identity) Sign(message []byte) []byte { return ed25519.Sign(i.key, message) }

// Secret derives a secret for one use from the private key: HKDF-SHA256 (RFC 5869) of the seed, with the label as info.
// The same label gives the same bytes as long as the identity lives; different labels tell nothing of each other.
func (i *Identity) Secret(label string) [SecretSize]byte {
	out, err := hkdf.Key(sha256.New, i.key.Seed(), nil, "storj identity secret: "+label, SecretSize)
	if err != nil {
		panic(fmt.Sprintf("hkdf of %d bytes: %v", SecretSize, err)) // only lengths over 255 hashes fail
	}
	return [SecretSize]byte(out)
}

// TLSCertificate returns the self-signed certificate of the key. The caller must not change it.
func (i *Identity) TLSCertificate() tls.Certificate { return i.cert }

// certificate makes the certificate of a key. It is deterministic: Ed25519 signatures are, and nothing else varies.
func certificate(key ed25519.PrivateKey) (tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "storj"},
		NotBefore:    time.Unix(0, 0).UTC(),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280, 4.1.2.5: no well-defined end
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
