package cipher

import (
	"fmt"

	"storj/ecenc"
)

// EncryptedSize is the bytes of a sealed segment of plain bytes, plain >= 0.
func EncryptedSize(plain int64) int64 {
	return plain + max(1, (plain+PlainBlockSize-1)/PlainBlockSize)*ecenc.TagSize
}

// PlainSize is the inverse of EncryptedSize.
//
// Errors: ErrSize for sizes that EncryptedSize never gives.
func PlainSize(encrypted int64) (int64, error) {
	blocks := (encrypted + ecenc.CipherBlockSize - 1) / ecenc.CipherBlockSize
	plain := encrypted - blocks*ecenc.TagSize
	if encrypted < ecenc.TagSize || EncryptedSize(plain) != encrypted {
		return 0, fmt.Errorf("%w: %d bytes", ErrSize, encrypted)
	}
	return plain, nil
}

// Blocks says which blocks hold the plaintext range [offset, offset+length) of a segment of plainSize bytes, and how
// many bytes of the first one lie before it. What reaches past the end is cut off; count is 0 for an empty range.
func Blocks(offset, length, plainSize int64) (first uint64, count int64, skip int) {
	if offset < 0 || length <= 0 || offset >= plainSize {
		return 0, 0, 0
	}
	end := offset + min(length, plainSize-offset)
	start := offset / PlainBlockSize
	return uint64(start), (end+PlainBlockSize-1)/PlainBlockSize - start, int(offset % PlainBlockSize)
}

// BlockRange says where in a sealed segment of encryptedSize bytes those blocks lie.
func BlockRange(first uint64, count, encryptedSize int64) (offset, length int64) {
	offset = min(int64(first)*ecenc.CipherBlockSize, encryptedSize)
	return offset, min(count*ecenc.CipherBlockSize, encryptedSize-offset)
}
