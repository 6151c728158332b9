package endpoint

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/metainfo"
)

const (
	sealDaySize   = 4
	sealNonceSize = 12
	// sealDays is how many days' keys are kept: a token of MaxUploadAge may be of the third day.
	sealDays = int(metainfo.MaxUploadAge/(24*time.Hour)) + 2
)

// errSealed is returned for a token that is altered, of another kind or too old. Callers turn it into a sentinel.
var errSealed = errors.New("token is not valid")

// sealer encrypts what the satellite wants to be shown again later. See FORMAT in the package comment.
type sealer struct {
	secret ecenc.Key

	mu   sync.Mutex // guards the fields below
	keys map[uint32]cipher.AEAD
}

func newSealer(secret ecenc.Key) *sealer {
	return &sealer{secret: secret, keys: make(map[uint32]cipher.AEAD)}
}

func dayOf(t time.Time) uint32 { return uint32(t.Unix() / (24 * 60 * 60)) }

// seal encrypts a token. kind is authenticated with it.
func (s *sealer) seal(kind string, token wire.Message) []byte {
	day := dayOf(time.Now())
	plain := wire.Marshal(token)
	out := make([]byte, sealDaySize+sealNonceSize, sealDaySize+sealNonceSize+len(plain)+ecenc.TagSize)
	binary.BigEndian.PutUint32(out, day)
	_, _ = rand.Read(out[sealDaySize:]) // never fails: crypto/rand ends the process instead
	return s.key(day).Seal(out, out[sealDaySize:], plain, []byte(kind))
}

// open decrypts what seal made for kind at most MaxUploadAge ago, by the day. Errors: errSealed.
func (s *sealer) open(kind string, sealed []byte, token wire.Message) error {
	if len(sealed) < sealDaySize+sealNonceSize {
		return errSealed
	}
	day, today := binary.BigEndian.Uint32(sealed), dayOf(time.Now())
	if day > today || today-day >= uint32(sealDays) {
		return errSealed
	}
	nonce, body := sealed[sealDaySize:sealDaySize+sealNonceSize], sealed[sealDaySize+sealNonceSize:]
	plain, err := s.key(day).Open(nil, nonce, body, []byte(kind))
	if err != nil || wire.Unmarshal(plain, token) != nil {
		return errSealed
	}
	return nil
}

// key returns the key of a day. One key for good would, at a thousand tokens a second, come near the number of random
// nonces that AES-GCM bears (2^32, NIST SP 800-38D) within weeks.
func (s *sealer) key(day uint32) cipher.AEAD {
	s.mu.Lock()
	defer s.mu.Unlock()
	if aead := s.keys[day]; aead != nil {
		return aead
	}
	if len(s.keys) >= sealDays {
		clear(s.keys)
	}
	aead := newSealKey(s.secret, day)
	s.keys[day] = aead
	return aead
}

func newSealKey(secret ecenc.Key, day uint32) cipher.AEAD {
	raw, err := hkdf.Key(sha256.New, secret[:], nil, fmt.Sprintf("storj/token/v1 %d", day), ecenc.KeySize)
	if err != nil {
		panic(err) // the length asked for is constant and small
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		panic(err) // the length is that of a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // the block size is that of AES
	}
	return aead
}
