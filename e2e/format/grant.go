package format

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// DecodeText reads base58check text. Section 3.
func DecodeText(text string, version byte) ([]byte, error) {
	number := new(big.Int)
	for _, r := range text {
		digit := strings.IndexRune(alphabet, r)
		if digit < 0 {
			return nil, fmt.Errorf("%q is not a base58 digit", r)
		}
		number.Add(number.Mul(number, big.NewInt(58)), big.NewInt(int64(digit)))
	}
	zeros := len(text) - len(strings.TrimLeft(text, alphabet[:1]))
	raw := append(make([]byte, zeros), number.Bytes()...)
	if len(raw) < 5 {
		return nil, errors.New("text is too short")
	}
	body, sum := raw[:len(raw)-4], raw[len(raw)-4:]
	first := sha256.Sum256(body)
	second := sha256.Sum256(first[:])
	if !bytes.Equal(second[:4], sum) {
		return nil, errors.New("checksum differs")
	}
	if body[0] != version {
		return nil, fmt.Errorf("version byte is %d, not %d", body[0], version)
	}
	return body[1:], nil
}

// Grant is an access grant. Section 4.
type Grant struct {
	Satellite []byte // NodeID
	Address   string
	APIKey    []byte
	Root      []byte // nil: prefixes only
	Prefixes  []Prefix
}

// Prefix is a key of the tree that a grant carries.
type Prefix struct {
	Bucket        string
	Path          string
	EncryptedPath []byte
	Key           []byte
}

// ParseGrant reads the text of a grant.
func ParseGrant(text string) (*Grant, error) {
	raw, err := DecodeText(text, 2)
	if err != nil {
		return nil, err
	}
	fields, err := parse(raw)
	if err != nil {
		return nil, err
	}
	if err := known(fields, 5); err != nil {
		return nil, err
	}
	g := new(Grant)
	version := uint64(0)
	for _, f := range fields {
		switch f.num {
		case 1:
			version = f.value
		case 2:
			g.Satellite = f.bytes
		case 3:
			g.Address = string(f.bytes)
		case 4:
			g.APIKey = f.bytes
		case 5:
			if err := g.parseKeys(f.bytes); err != nil {
				return nil, err
			}
		}
	}
	if version != 1 {
		return nil, fmt.Errorf("grant of version %d", version)
	}
	return g, nil
}

func (g *Grant) parseKeys(raw []byte) error {
	fields, err := parse(raw)
	if err != nil {
		return err
	}
	if err := known(fields, 4); err != nil {
		return err
	}
	version := uint64(0)
	for _, f := range fields {
		switch f.num {
		case 1:
			version = f.value
		case 2:
			g.Root = f.bytes
		case 4:
			p, err := parsePrefix(f.bytes)
			if err != nil {
				return err
			}
			g.Prefixes = append(g.Prefixes, p)
		}
	}
	if version != 1 {
		return fmt.Errorf("keys of version %d", version)
	}
	return nil
}

func parsePrefix(raw []byte) (p Prefix, err error) {
	fields, err := parse(raw)
	if err != nil {
		return p, err
	}
	for _, f := range fields {
		switch f.num {
		case 1:
			p.Bucket = string(f.bytes)
		case 2:
			p.Path = string(f.bytes)
		case 3:
			p.EncryptedPath = f.bytes
		case 4:
			p.Key = f.bytes
		}
	}
	if len(p.Key) != 32 {
		return p, errors.New("prefix without key")
	}
	return p, known(fields, 4)
}
