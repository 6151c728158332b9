package keys

import (
	"crypto/hmac"
	"crypto/sha512"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"

	"storj/ecenc"
)

// Parameters of Argon2id (RFC 9106): one pass over 64 MiB on one thread. They are part of the format.
const (
	argonPasses    = 1
	argonMemoryKiB = 64 << 10
	argonThreads   = 1

	// MinSaltSize is the smallest salt in bytes that RootKey takes.
	MinSaltSize = 16
)

const (
	labelPath      = "path:"
	labelContent   = "content"
	labelNameKey   = "name-key"
	labelNameNonce = "name-nonce:"
)

// ErrSalt is returned by RootKey for a salt too short to tell projects apart.
var ErrSalt = errors.New("salt too short")

// RootKey derives the root of the key tree from a passphrase and the project's salt. It takes 64 MiB and some 75 ms of
// one core.
//
// The passphrase is taken as bytes: texts that look alike in different Unicode forms give different keys.
// Errors: ErrSalt.
func RootKey(passphrase, salt []byte) (ecenc.Key, error) {
	if len(salt) < MinSaltSize {
		return ecenc.Key{}, fmt.Errorf("%w: %d bytes of at least %d", ErrSalt, len(salt), MinSaltSize)
	}
	return ecenc.Key(argon2.IDKey(passphrase, salt, argonPasses, argonMemoryKiB, argonThreads, ecenc.KeySize)), nil
}

// Derive returns the key of a child in the tree: a bucket under the root, a path component under what is before it.
func Derive(key ecenc.Key, component string) ecenc.Key {
	return mac(key, labelPath, component)
}

// ContentWrapKey returns the key that wraps the content key and the metadata of the object at this path key.
func ContentWrapKey(pathKey ecenc.Key) ecenc.Key {
	return mac(pathKey, labelContent, "")
}

// mac is HMAC-SHA512(key, label+text)[:32]. No label is the beginning of another.
func mac(key ecenc.Key, label, text string) ecenc.Key {
	h := hmac.New(sha512.New, key[:])
	h.Write([]byte(label))
	h.Write([]byte(text))
	var sum [sha512.Size]byte
	return ecenc.Key(h.Sum(sum[:0])[:ecenc.KeySize])
}
