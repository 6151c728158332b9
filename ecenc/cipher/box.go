package cipher

import (
	"crypto/rand"
	"slices"

	"storj/ecenc"
)

// BoxOverhead is the bytes by which a box is longer than its plaintext.
const BoxOverhead = nonceSize + ecenc.TagSize

const boxInfo = "storj/box/v1/"

// SealBox seals a small secret, such as a content key or metadata, under a key that may seal many.
//
// The purpose keeps boxes of one kind from opening as another: a constant of the caller, with the version of what is
// inside.
func SealBox(key ecenc.Key, purpose string, plain []byte) ([]byte, error) {
	aead, err := newAEAD(derive(key, nil, boxInfo+purpose))
	if err != nil {
		return nil, err
	}
	box := make([]byte, nonceSize, len(plain)+BoxOverhead)
	rand.Read(box) // never fails: it ends the program instead
	return aead.Seal(box, box, plain, nil), nil
}

// OpenBox returns what SealBox sealed.
//
// Ownership: box is read only; the result is new. Errors: ErrDecrypt.
func OpenBox(key ecenc.Key, purpose string, box []byte) ([]byte, error) {
	if len(box) < BoxOverhead {
		return nil, ErrDecrypt
	}
	aead, err := newAEAD(derive(key, nil, boxInfo+purpose))
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, box[:nonceSize], box[nonceSize:], nil)
	if err != nil {
		return nil, ErrDecrypt
	}
	return slices.Clip(plain), nil
}
