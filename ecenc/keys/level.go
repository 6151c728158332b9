package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"hash"

	"storj/ecenc"
)

const (
	nameNonceSize = 12
	nameOverhead  = nameNonceSize + ecenc.TagSize
)

// level is a node of the key tree with what encrypts the names of its children. For one goroutine.
type level struct {
	key   ecenc.Key
	plain bool // names are not encrypted
	mac   hash.Hash
	aead  cipher.AEAD // nil when plain

	sum [sha512.Size]byte // scratch
	buf []byte            // scratch
}

func newLevel(key ecenc.Key, plain bool) (*level, error) {
	l := &level{key: key, plain: plain, mac: hmac.New(sha512.New, key[:])}
	if plain {
		return l, nil
	}
	nameKey := l.derive(labelNameKey, "")
	block, err := aes.NewCipher(nameKey[:])
	if err != nil {
		return nil, fmt.Errorf("make AES: %w", err)
	}
	if l.aead, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("make GCM: %w", err)
	}
	return l, nil
}

// derive is mac under the level's key, without setting up the key again. The result is scratch.
func (l *level) derive(label, text string) []byte {
	l.mac.Reset()
	l.buf = append(append(l.buf[:0], label...), text...)
	l.mac.Write(l.buf)
	return l.mac.Sum(l.sum[:0])[:ecenc.KeySize]
}

func (l *level) childKey(component string) ecenc.Key {
	return ecenc.Key(l.derive(labelPath, component))
}

func (l *level) child(component string) (*level, error) {
	return newLevel(l.childKey(component), l.plain)
}

// encrypt appends the encrypted and escaped component to dst.
func (l *level) encrypt(dst []byte, component string) []byte {
	if l.plain {
		return append(dst, component...)
	}
	if component == "" {
		return append(dst, markEmpty)
	}
	nonce := l.derive(labelNameNonce, component)[:nameNonceSize]
	sealed := make([]byte, nameNonceSize, nameOverhead+len(component))
	copy(sealed, nonce)
	sealed = l.aead.Seal(sealed, sealed, []byte(component), nil)
	return appendEscaped(append(dst, markBytes), sealed)
}

// decrypt is the inverse.
func (l *level) decrypt(component []byte) (string, error) {
	switch {
	case l.plain:
		return string(component), nil
	case len(component) == 1 && component[0] == markEmpty:
		return "", nil
	case len(component) == 0 || component[0] != markBytes:
		return "", ErrDecrypt
	}
	sealed, ok := appendUnescaped(l.buf[:0], component[1:])
	if !ok || len(sealed) <= nameOverhead {
		return "", ErrDecrypt
	}
	l.buf = sealed
	var nonce [nameNonceSize]byte
	copy(nonce[:], sealed)
	opened, err := l.aead.Open(sealed[nameNonceSize:nameNonceSize], nonce[:], sealed[nameNonceSize:], nil)
	if err != nil {
		return "", ErrDecrypt
	}
	name := string(opened)
	if subtle.ConstantTimeCompare(l.derive(labelNameNonce, name)[:nameNonceSize], nonce[:]) != 1 {
		return "", ErrDecrypt
	}
	return name, nil
}
