package pieces

import (
	"crypto/rand"
	"fmt"
	"time"

	"storj/ecenc/base58check"
	"storj/ecenc/wire"
	"storj/netx"
)

// Text form of a JoinToken: base58check of its wire message under a version byte of its own.
const (
	tokenVersion = 3
	maxTokenSize = maxAddress + 128
)

// JoinToken lets a node join a satellite: what the owner of the satellite hands to the owner of the node.
//
// FORMAT: base58check, version byte 3, of the wire message: satellite's NodeID (1, Fixed 32), its address (2, String),
// secret (3, Fixed 16), expiry (4, Time).
type JoinToken struct {
	Satellite netx.NodeURL
	Secret    [TokenSecretSize]byte
	Expires   time.Time
}

// NewJoinToken returns a token with a random secret.
func NewJoinToken(satellite netx.NodeURL, expires time.Time) JoinToken {
	t := JoinToken{Satellite: satellite, Expires: expires}
	_, _ = rand.Read(t.Secret[:]) // never fails: crypto/rand ends the process instead
	return t
}

// ParseJoinToken reads the text form. It does not say whether the satellite will take it. Errors: ErrToken.
func ParseJoinToken(text string) (JoinToken, error) {
	raw, err := base58check.Decode(text, tokenVersion, maxTokenSize)
	if err != nil {
		return JoinToken{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	var t JoinToken
	if err := wire.Unmarshal(raw, &t); err != nil || t.Satellite.ID.IsZero() {
		return JoinToken{}, fmt.Errorf("%w: not a join token", ErrToken)
	}
	if err := netx.CheckAddress(t.Satellite.Address); err != nil {
		return JoinToken{}, fmt.Errorf("%w: satellite: %w", ErrToken, err)
	}
	return t, nil
}

// Text returns what ParseJoinToken reads: a secret until it is used up.
func (t JoinToken) Text() string { return base58check.Encode(tokenVersion, wire.Marshal(&t)) }

// String keeps tokens out of logs and errors.
func (JoinToken) String() string { return "REDACTED" }

// GoString keeps tokens out of %#v.
func (JoinToken) GoString() string { return "REDACTED" }

// Fields codes the token for wire.
func (t *JoinToken) Fields(c *wire.Codec) {
	c.Fixed(1, t.Satellite.ID[:])
	c.String(2, &t.Satellite.Address, maxAddress)
	c.Fixed(3, t.Secret[:])
	c.Time(4, &t.Expires)
}
