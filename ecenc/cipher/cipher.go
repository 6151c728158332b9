package cipher

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"storj/ecenc"
)

// PlainBlockSize is the plaintext bytes in a full block.
const PlainBlockSize = ecenc.CipherBlockSize - ecenc.TagSize

// SaltSize is the size of a segment's salt in bytes.
const SaltSize = 16

const (
	nonceSize   = 12
	segmentInfo = "storj/segment/v1"
)

var (
	// ErrDecrypt is returned for everything that does not open: altered, cut, moved, or under another key. It says no
	// more, on purpose.
	ErrDecrypt = errors.New("decryption failed: data altered or key wrong")
	// ErrSize is returned by PlainSize for a size that no segment has.
	ErrSize = errors.New("no encrypted segment has this size")
)

// SegmentKey derives the key of one attempt to upload the segment at (part, index) of an object.
func SegmentKey(content ecenc.Key, salt [SaltSize]byte, part, index uint32) ecenc.Key {
	info := binary.BigEndian.AppendUint64([]byte(segmentInfo), uint64(part)<<32|uint64(index))
	return derive(content, salt[:], string(info))
}

// derive is HKDF-SHA256 for one key.
func derive(key ecenc.Key, salt []byte, info string) ecenc.Key {
	b, err := hkdf.Key(sha256.New, key[:], salt, info, ecenc.KeySize)
	if err != nil {
		panic(fmt.Sprintf("hkdf of %d bytes: %v", ecenc.KeySize, err)) // only for lengths over 255 hashes
	}
	return ecenc.Key(b)
}

// Cipher seals and opens the blocks of one segment. It may be used concurrently.
type Cipher struct {
	aead cipher.AEAD
}

// New makes the cipher of a segment's key.
func New(key ecenc.Key) (*Cipher, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return &Cipher{aead: aead}, nil
}

func newAEAD(key ecenc.Key) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("make AES: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make GCM: %w", err)
	}
	return aead, nil
}

func nonce(index uint64, last bool) (n [nonceSize]byte) {
	if last {
		n[3] = 1
	}
	binary.BigEndian.PutUint64(n[4:], index)
	return n
}

// SealBlock appends one sealed block to dst.
//
// Shape: plain is PlainBlockSize bytes, or at most that when last; anything else is a fault of the caller and panics.
// Ownership: plain is read only; dst may be plain[:0] with TagSize bytes of room behind plain, and must not overlap it
// otherwise.
func (c *Cipher) SealBlock(dst, plain []byte, index uint64, last bool) []byte {
	if len(plain) > PlainBlockSize || !last && len(plain) != PlainBlockSize {
		panic(fmt.Sprintf("block of %d bytes, last %t, full is %d", len(plain), last, PlainBlockSize))
	}
	n := nonce(index, last)
	return c.aead.Seal(dst, n[:], plain, nil)
}

// OpenBlock appends the plaintext of one block to dst.
//
// Ownership: dst may be sealed[:0], and must not overlap sealed otherwise. On error its spare room may be overwritten.
// Errors: ErrDecrypt.
func (c *Cipher) OpenBlock(dst, sealed []byte, index uint64, last bool) ([]byte, error) {
	if len(sealed) > ecenc.CipherBlockSize || !last && len(sealed) != ecenc.CipherBlockSize {
		return dst, ErrDecrypt
	}
	n := nonce(index, last)
	plain, err := c.aead.Open(dst, n[:], sealed, nil)
	if err != nil {
		return dst, ErrDecrypt
	}
	return plain, nil
}

// SealSegment appends the blocks of a whole segment to dst.
//
// Shape: appends EncryptedSize(len(plain)) bytes. Ownership: dst's spare room must not overlap plain.
func (c *Cipher) SealSegment(dst, plain []byte) []byte {
	if size := int(EncryptedSize(int64(len(plain)))); cap(dst)-len(dst) < size {
		dst = append(make([]byte, 0, len(dst)+size), dst...)
	}
	for index := uint64(0); ; index++ {
		if len(plain) <= PlainBlockSize {
			return c.SealBlock(dst, plain, index, true)
		}
		dst = c.SealBlock(dst, plain[:PlainBlockSize], index, false)
		plain = plain[PlainBlockSize:]
	}
}

// OpenSegment appends the plaintext of a whole segment to dst.
//
// Shape: sealed is the segment's encrypted size, without the zeros that pad a stripe.
// Ownership: sealed is read only; dst's spare room must not overlap it (OpenInPlace is for that).
// Errors: ErrDecrypt; dst is then returned as it was.
func (c *Cipher) OpenSegment(dst, sealed []byte) ([]byte, error) {
	if _, err := PlainSize(int64(len(sealed))); err != nil {
		return dst, ErrDecrypt
	}
	return c.OpenBlocks(dst, sealed, 0, true)
}

// OpenBlocks appends the plaintext of consecutive blocks, the first of which has index first.
//
// Shape: sealed is whole blocks; ending says that the last of them ends the segment and so may be short.
// Ownership, errors: as OpenSegment.
func (c *Cipher) OpenBlocks(dst, sealed []byte, first uint64, ending bool) ([]byte, error) {
	start := len(dst)
	for index := first; len(sealed) > 0; index++ {
		size := min(len(sealed), ecenc.CipherBlockSize)
		var err error
		dst, err = c.OpenBlock(dst, sealed[:size], index, ending && size == len(sealed))
		if err != nil {
			return dst[:start], err
		}
		sealed = sealed[size:]
	}
	return dst, nil
}

// OpenInPlace is OpenBlocks into the memory of sealed itself.
//
// Ownership: sealed is overwritten; the result is its front.
func (c *Cipher) OpenInPlace(sealed []byte, first uint64, ending bool) ([]byte, error) {
	dst, rest := sealed[:0], sealed
	for index := first; len(rest) > 0; index++ {
		block := rest[:min(len(rest), ecenc.CipherBlockSize)]
		rest = rest[len(block):]
		plain, err := c.OpenBlock(block[:0], block, index, ending && len(rest) == 0)
		if err != nil {
			return nil, err
		}
		dst = append(dst, plain...) // moves it down: GCM allows buffers to overlap exactly or not at all
	}
	return dst, nil
}
