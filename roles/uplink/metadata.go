package uplink

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"storj/ecenc"
	"storj/ecenc/cipher"
	"storj/ecenc/keys"
	"storj/ecenc/wire"
	"storj/metainfo"
)

// MaxMetadataSize is the most custom metadata of an object: keys and values together, in bytes.
const MaxMetadataSize = 2 << 10

// CustomMetadata is what a user keeps with an object. It is encrypted, names too.
type CustomMetadata map[string]string

// Clone returns a copy.
func (m CustomMetadata) Clone() CustomMetadata { return maps.Clone(m) }

// Verify says whether the metadata can be stored: valid UTF-8 without NUL, no empty key, at most MaxMetadataSize.
//
// Errors: ErrMetadataInvalid.
func (m CustomMetadata) Verify() error {
	size := 0
	for key, value := range m {
		size += len(key) + len(value)
		switch {
		case key == "":
			return wrap("verify metadata", fmt.Errorf("%w: empty key", ErrMetadataInvalid))
		case !utf8.ValidString(key) || !utf8.ValidString(value):
			return wrap("verify metadata", fmt.Errorf("%w: not UTF-8", ErrMetadataInvalid))
		case strings.ContainsRune(key, 0) || strings.ContainsRune(value, 0):
			return wrap("verify metadata", fmt.Errorf("%w: contains NUL", ErrMetadataInvalid))
		}
	}
	if size > MaxMetadataSize || len(m) > maxEntries {
		return wrap("verify metadata", fmt.Errorf("%w: %d bytes in %d entries, at most %d in %d", ErrMetadataInvalid, size, len(m), MaxMetadataSize, maxEntries))
	}
	return nil
}

const (
	// maxEntries keeps the encoding, 7 bytes an entry at most beside its text, under metainfo.MaxMetadataSize.
	maxEntries    = 250
	entryOverhead = 7
	blobOverhead  = 64 + cipher.BoxOverhead

	contentKeyPurpose = "content-key/v1"
	metadataPurpose   = "object-metadata/v1"
)

var _ [metainfo.MaxMetadataSize - MaxMetadataSize - maxEntries*entryOverhead - blobOverhead]struct{}

// seal is what of an object is sealed under its content key; FORMAT in the package comment.
type seal struct {
	segments    uint32
	plainSize   int64
	segmentSize int64 // plaintext of every segment but the last, bytes
	custom      CustomMetadata
}

// Fields codes the seal for wire.
func (s *seal) Fields(c *wire.Codec) {
	c.Uint32(1, &s.segments)
	c.Int(2, &s.plainSize)
	c.Int(3, &s.segmentSize)
	var entries []entry
	for _, key := range slices.Sorted(maps.Keys(s.custom)) {
		entries = append(entries, entry{key, s.custom[key]})
	}
	wire.Repeated(c, 4, &entries, maxEntries)
	if !c.Decoding() {
		return
	}
	s.custom = make(CustomMetadata, len(entries))
	for i, e := range entries {
		if i > 0 && entries[i-1].key >= e.key {
			c.Fail()
		}
		s.custom[e.key] = e.value
	}
}

type entry struct{ key, value string }

// Fields codes the entry for wire.
func (e *entry) Fields(c *wire.Codec) {
	c.String(1, &e.key, MaxMetadataSize)
	c.String(2, &e.value, MaxMetadataSize)
}

// wrapKey seals an object's content key for its place in the key tree.
func wrapKey(access *keys.Access, bucket, key string, content ecenc.Key) ([]byte, error) {
	pathKey, err := access.PathKey(bucket, key)
	if err != nil {
		return nil, err
	}
	return cipher.SealBox(keys.ContentWrapKey(pathKey), contentKeyPurpose, content[:])
}

// unwrapKey is the inverse. Errors: ErrWrongPassphrase.
func unwrapKey(access *keys.Access, bucket, key string, wrapped []byte) (ecenc.Key, error) {
	pathKey, err := access.PathKey(bucket, key)
	if err != nil {
		return ecenc.Key{}, err
	}
	raw, err := cipher.OpenBox(keys.ContentWrapKey(pathKey), contentKeyPurpose, wrapped)
	if err != nil || len(raw) != ecenc.KeySize {
		return ecenc.Key{}, ErrWrongPassphrase
	}
	return ecenc.Key(raw), nil
}

func sealMetadata(content ecenc.Key, s *seal) ([]byte, error) {
	return cipher.SealBox(content, metadataPurpose, wire.Marshal(s))
}

// openMetadata opens the seal of an object and compares it with the satellite's record. Errors: ErrCorrupt.
func openMetadata(content ecenc.Key, record *metainfo.Object) (*seal, error) {
	raw, err := cipher.OpenBox(content, metadataPurpose, record.Metadata)
	if err != nil {
		return nil, fmt.Errorf("%w: its metadata does not open", ErrCorrupt)
	}
	var s seal
	if wire.Unmarshal(raw, &s) != nil {
		return nil, fmt.Errorf("%w: its metadata is of a later version", ErrInternal)
	}
	if s.segments != record.Segments || s.plainSize != record.PlainSize {
		return nil, fmt.Errorf("%w: %d bytes in %d segments were stored, the satellite has %d in %d",
			ErrCorrupt, s.plainSize, s.segments, record.PlainSize, record.Segments)
	}
	return &s, nil
}
