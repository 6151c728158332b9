package macaroon

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"storj/ecenc/base58check"
	"storj/ecenc/wire"
)

const (
	// HeadSize is the size of a key's public identifier in bytes.
	HeadSize = 32
	// TailSize is the size of a link of the chain in bytes.
	TailSize = sha256.Size
	// MinSecretSize is the smallest secret in bytes that NewAPIKey takes.
	MinSecretSize = 16
	// MaxSize is the size limit of an encoded key in bytes.
	MaxSize = 16 << 10
	// MaxCaveats is the number of caveats that a key may carry.
	MaxCaveats = 64

	textVersion = 1
)

var (
	// ErrFormat is returned for what is not an API key, and for a key or caveat over its limits.
	ErrFormat = errors.New("not a valid API key")
	// ErrSecret is returned by NewAPIKey for a secret too short to be one.
	ErrSecret = errors.New("secret too short")
	// ErrInvalid is returned for a key which does not stem from this secret.
	ErrInvalid = errors.New("API key invalid")
	// ErrUnauthorized is returned when a caveat denies the action.
	ErrUnauthorized = errors.New("API key does not permit this")
	// ErrRevoked is returned when the key or one that it was made from is revoked.
	ErrRevoked = errors.New("API key revoked")
	// ErrUnknownCaveat is returned for a restriction which this version does not know and so cannot honour.
	ErrUnknownCaveat = errors.New("API key carries a restriction unknown to this version")
)

// APIKey is a macaroon. It prints as REDACTED, and is immutable.
type APIKey struct {
	head    [HeadSize]byte
	caveats [][]byte
	tail    [TailSize]byte
}

// NewAPIKey makes an unrestricted key with a random head.
//
// Errors: ErrSecret.
func NewAPIKey(secret []byte) (*APIKey, error) {
	if len(secret) < MinSecretSize {
		return nil, ErrSecret
	}
	k := &APIKey{}
	rand.Read(k.head[:]) // never fails: it ends the program instead
	k.tail = link(secret, k.head[:])
	return k, nil
}

func link(key, data []byte) (tail [TailSize]byte) {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	h.Sum(tail[:0])
	return tail
}

// Parse reads the text form. It does not say whether the key is genuine.
//
// Errors: ErrFormat.
func Parse(text string) (*APIKey, error) {
	raw, err := base58check.Decode(text, textVersion, MaxSize)
	if err != nil {
		return nil, ErrFormat
	}
	return ParseBytes(raw)
}

// ParseBytes reads the binary form.
//
// Ownership: raw is copied. Errors: ErrFormat.
func ParseBytes(raw []byte) (*APIKey, error) {
	k := &APIKey{}
	if len(raw) > MaxSize || wire.Unmarshal(slices.Clone(raw), k) != nil {
		return nil, ErrFormat
	}
	return k, nil
}

// Fields codes the key for wire. Decoding is for ParseBytes and for messages that carry a key.
func (k *APIKey) Fields(c *wire.Codec) {
	c.Fixed(1, k.head[:])
	wire.RepeatedBytes(c, 2, &k.caveats, MaxCaveats, MaxSize)
	c.Fixed(3, k.tail[:])
	if c.Decoding() && (k.head == [HeadSize]byte{} || k.tail == [TailSize]byte{}) {
		c.Fail()
	}
}

// Serialize returns the text form: a secret, for configuration and copying.
func (k *APIKey) Serialize() string { return base58check.Encode(textVersion, k.Bytes()) }

// Bytes returns the binary form: a secret, for the wire. At most MaxSize bytes.
func (k *APIKey) Bytes() []byte { return wire.Marshal(k) }

// Head is the key's public identifier; the satellite finds the secret by it.
func (k *APIKey) Head() [HeadSize]byte { return k.head }

// Tail is the last link of the chain: it names this very key, and must be kept as secret as the key.
func (k *APIKey) Tail() [TailSize]byte { return k.tail }

// String keeps keys out of logs and errors.
func (APIKey) String() string { return "REDACTED" }

// GoString keeps keys out of %#v.
func (APIKey) GoString() string { return "REDACTED" }

// MarshalText keeps keys out of JSON and logs.
func (APIKey) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }

// Restrict returns a key that may do what k may and the caveat does not deny. It asks nobody.
//
// A caveat without nonce gets a random one, so that each result can be revoked apart.
// Errors: ErrFormat when the caveat or the result is over its limits.
func (k *APIKey) Restrict(c Caveat) (*APIKey, error) {
	if len(c.Nonce) == 0 {
		c.Nonce = make([]byte, nonceSize)
		rand.Read(c.Nonce) // never fails
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	return k.append(wire.Marshal(&c))
}

func (k *APIKey) append(caveat []byte) (*APIKey, error) {
	next := &APIKey{
		head:    k.head,
		caveats: append(slices.Clip(k.caveats), caveat),
		tail:    link(k.tail[:], caveat),
	}
	if len(next.caveats) > MaxCaveats || len(next.Bytes()) > MaxSize {
		return nil, fmt.Errorf("%w: too many restrictions", ErrFormat)
	}
	return next, nil
}

// Tails returns the tails of the key's ancestors, oldest first, and its own at the end: what a revocation may name.
//
// They mean something only when Validate returned nil for the same secret.
func (k *APIKey) Tails(secret []byte) [][TailSize]byte {
	tails := make([][TailSize]byte, 1, len(k.caveats)+1)
	tails[0] = link(secret, k.head[:])
	for i, caveat := range k.caveats {
		tails = append(tails, link(tails[i][:], caveat))
	}
	return tails
}

// Validate says whether the key stems from secret: nil or ErrInvalid. The comparison takes constant time.
func (k *APIKey) Validate(secret []byte) error {
	_, err := k.verify(secret)
	return err
}

func (k *APIKey) verify(secret []byte) ([][TailSize]byte, error) {
	tails := k.Tails(secret)
	if subtle.ConstantTimeCompare(tails[len(k.caveats)][:], k.tail[:]) != 1 {
		return nil, ErrInvalid
	}
	return tails, nil
}
