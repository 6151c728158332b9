// Package base58check turns binary into text that people copy: Bitcoin's base58 alphabet, a version byte in front and
// four bytes of checksum behind.
//
// # FORMAT
//
//	base58( version (1) | payload (n) | SHA-256(SHA-256(version | payload))[:4] )
//
// Source: Bitcoin's Base58Check, as the existing Storj system uses it for node IDs, API keys and access grants.
package base58check

import (
	"crypto/sha256"
	"errors"

	"github.com/mr-tron/base58"
)

// ErrText is returned for text that is not base58check of the wanted version, or over its limit.
var ErrText = errors.New("not valid base58check text (mistyped or cut short?)")

const checksumSize = 4

// Encode returns the text of payload.
func Encode(version byte, payload []byte) string {
	raw := make([]byte, 0, 1+len(payload)+checksumSize)
	raw = append(raw, version)
	raw = append(raw, payload...)
	sum := checksum(raw)
	return base58.Encode(append(raw, sum[:]...))
}

// Decode returns the payload of text, at most limit bytes.
func Decode(text string, version byte, limit int) ([]byte, error) {
	if len(text) > (limit+1+checksumSize)*138/100+1 { // log(256)/log(58) = 1.3658
		return nil, ErrText
	}
	raw, err := base58.Decode(text)
	if err != nil || len(raw) < 1+checksumSize || len(raw) > 1+limit+checksumSize || raw[0] != version {
		return nil, ErrText
	}
	body, sum := raw[:len(raw)-checksumSize], raw[len(raw)-checksumSize:]
	if checksum(body) != [checksumSize]byte(sum) {
		return nil, ErrText
	}
	return body[1:], nil
}

func checksum(raw []byte) (sum [checksumSize]byte) {
	first := sha256.Sum256(raw)
	second := sha256.Sum256(first[:])
	copy(sum[:], second[:])
	return sum
}
