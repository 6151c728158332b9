package pieces

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"time"

	"storj/netx"
)

// PieceID names a piece on a node. A satellite gives each segment a root ID and each node one derived from it.
type PieceID [sha256.Size]byte

// NewPieceID returns a random ID, for the root of a segment.
func NewPieceID() (id PieceID) {
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	return id
}

// Derive returns the ID of piece number on node: HMAC-SHA256(root, NodeID | number). Nodes cannot tell which of their
// pieces belong together.
func (id PieceID) Derive(node netx.NodeID, number int) (derived PieceID) {
	var body [36]byte
	copy(body[:], node[:])
	binary.BigEndian.PutUint32(body[32:], uint32(number))
	return hmacSHA256(id, "", body[:])
}

var idText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ParsePieceID reads the text form.
func ParsePieceID(text string) (id PieceID, err error) {
	raw, err := idText.DecodeString(text)
	if err != nil || len(raw) != len(id) {
		return PieceID{}, fmt.Errorf("%w: %q is not a piece ID", ErrMalformed, text)
	}
	return PieceID(raw), nil
}

// String returns the text form, 52 characters of base32.
func (id PieceID) String() string { return idText.EncodeToString(id[:]) }

// MarshalText makes a PieceID readable in JSON.
func (id PieceID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// IsZero says whether the ID was never set.
func (id PieceID) IsZero() bool { return id == PieceID{} }

// SerialNumber makes an order limit unique: 8 bytes of expiry in Unix seconds, big endian, and 8 random bytes, so
// that a table of used ones can forget the expired.
type SerialNumber [16]byte

// NewSerialNumber returns a fresh serial for a limit that expires at expires.
func NewSerialNumber(expires time.Time) (s SerialNumber) {
	binary.BigEndian.PutUint64(s[:8], uint64(expires.Unix()))
	_, _ = rand.Read(s[8:])
	return s
}

// Expires is the expiry inside the serial, in whole seconds.
func (s SerialNumber) Expires() time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(s[:8])), 0).UTC()
}
