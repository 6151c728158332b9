package netx

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"strings"
	"unicode"
	"unicode/utf8"

	"storj/ecenc/base58check"
)

// NodeID names a peer: the SHA-256 of its Ed25519 public key.
type NodeID [sha256.Size]byte

// idVersion is the base58check version byte of a NodeID.
const idVersion = 0

// ErrNodeURL is returned for text that is no NodeID or NodeURL.
var ErrNodeURL = errors.New("invalid node address")

// IDFromKey returns the NodeID of a public key.
func IDFromKey(key ed25519.PublicKey) NodeID {
	return sha256.Sum256(key)
}

// ParseNodeID reads the text form of a NodeID.
func ParseNodeID(text string) (NodeID, error) {
	raw, err := base58check.Decode(text, idVersion, len(NodeID{}))
	if err != nil || len(raw) != len(NodeID{}) {
		return NodeID{}, fmt.Errorf("%w: %q is not a node ID", ErrNodeURL, text)
	}
	return NodeID(raw), nil
}

// String returns the text form: base58check, about 50 characters.
func (id NodeID) String() string { return base58check.Encode(idVersion, id[:]) }

// Short returns the first characters of the text form, for tables and logs where the whole is not needed.
func (id NodeID) Short() string { return id.String()[:8] }

// IsZero says whether the ID was never set.
func (id NodeID) IsZero() bool { return id == NodeID{} }

// MarshalText makes a NodeID readable in JSON and configuration.
func (id NodeID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *NodeID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseNodeID(string(text))
	return err
}

// NodeURL says who a peer is and where it listens.
type NodeURL struct {
	ID      NodeID
	Address string // host:port
}

// ParseNodeURL reads ID@host:port.
func ParseNodeURL(text string) (NodeURL, error) {
	id, address, found := strings.Cut(strings.TrimSpace(text), "@")
	if !found {
		return NodeURL{}, fmt.Errorf("%w: %q has no @ between ID and host:port", ErrNodeURL, text)
	}
	nodeID, err := ParseNodeID(id)
	if err != nil {
		return NodeURL{}, err
	}
	if err := CheckAddress(address); err != nil {
		return NodeURL{}, err
	}
	return NodeURL{ID: nodeID, Address: address}, nil
}

// CheckAddress says whether address is a host and port that can be dialed.
func CheckAddress(address string) error {
	const longestHost = 253 // RFC 1035
	host, port, err := net.SplitHostPort(address)
	// Addresses come from strangers and are shown to people: nothing that acts on a terminal.
	hidden := strings.ContainsFunc(address, func(r rune) bool { return r == utf8.RuneError || r == ' ' || !unicode.IsPrint(r) })
	if err != nil || host == "" || len(host) > longestHost || port == "" || port == "0" || hidden {
		return fmt.Errorf("%w: %q is not host:port", ErrNodeURL, address)
	}
	return nil
}

// String returns ID@host:port.
func (u NodeURL) String() string { return u.ID.String() + "@" + u.Address }

// IsZero says whether the URL was never set.
func (u NodeURL) IsZero() bool { return u == NodeURL{} }

// MarshalText makes a NodeURL readable in JSON and configuration.
func (u NodeURL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (u *NodeURL) UnmarshalText(text []byte) (err error) {
	*u, err = ParseNodeURL(string(text))
	return err
}
