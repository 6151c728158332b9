package uplink

import (
	"crypto/sha256"
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

const (
	// MaxMetadataSize is the most custom metadata of an object: keys and values together, in bytes.
	MaxMetadataSize = 2 << 10
	// MaxTags is the most tags of an object. They share 4 KiB with the custom metadata.
	MaxTags = 50
	// MaxTagKey is the most characters of a tag's key.
	MaxTagKey = 128
	// MaxTagValue is the most characters of a tag's value.
	MaxTagValue = 256
)

// CustomMetadata is what a user keeps with an object. It is encrypted, names too.
type CustomMetadata map[string]string

// Clone returns a copy.
func (m CustomMetadata) Clone() CustomMetadata { return maps.Clone(m) }

// Verify says whether the metadata can be stored: valid UTF-8 without NUL, no empty key, at most MaxMetadataSize.
//
// Errors: ErrMetadataInvalid.
func (m CustomMetadata) Verify() error {
	const op = "verify metadata"
	size := 0
	for key, value := range m {
		size += len(key) + len(value)
		if err := verifyEntry(key, value); err != nil {
			return wrap(op, err)
		}
	}
	if size > MaxMetadataSize || len(m) > maxEntries {
		return wrap(op, fmt.Errorf("%w: %d bytes in %d entries, at most %d in %d", ErrMetadataInvalid, size, len(m), MaxMetadataSize, maxEntries))
	}
	return nil
}

func verifyEntry(key, value string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: empty key", ErrMetadataInvalid)
	case !utf8.ValidString(key) || !utf8.ValidString(value):
		return fmt.Errorf("%w: not UTF-8", ErrMetadataInvalid)
	case strings.ContainsRune(key, 0) || strings.ContainsRune(value, 0):
		return fmt.Errorf("%w: contains NUL", ErrMetadataInvalid)
	}
	return nil
}

// Tags are labels of an object, apart from its custom metadata. They are encrypted as that is.
type Tags map[string]string

// Clone returns a copy.
func (t Tags) Clone() Tags { return maps.Clone(t) }

// Verify says whether the tags can be stored: valid UTF-8 without NUL, no empty key, within MaxTags, MaxTagKey and
// MaxTagValue.
//
// Errors: ErrMetadataInvalid.
func (t Tags) Verify() error {
	const op = "verify tags"
	if len(t) > MaxTags {
		return wrap(op, fmt.Errorf("%w: %d tags, at most %d", ErrMetadataInvalid, len(t), MaxTags))
	}
	for key, value := range t {
		if err := verifyEntry(key, value); err != nil {
			return wrap(op, err)
		}
		if utf8.RuneCountInString(key) > MaxTagKey || utf8.RuneCountInString(value) > MaxTagValue {
			return wrap(op, fmt.Errorf("%w: tag of more than %d characters or value of more than %d", ErrMetadataInvalid, MaxTagKey, MaxTagValue))
		}
	}
	return nil
}

const (
	// maxEntries keeps the encoding, 7 bytes an entry at most beside its text, under metainfo.MaxMetadataSize.
	maxEntries    = 250
	entryOverhead = 7
	blobOverhead  = 64 + cipher.BoxOverhead

	// maxRuns bounds the runs of parts in a seal, which must fit beside the metadata.
	maxRuns = 512

	contentKeyPurpose = "content-key/v1"
	metadataPurpose   = "object-metadata/v1"
)

var _ [metainfo.MaxMetadataSize - MaxMetadataSize - maxEntries*entryOverhead - blobOverhead]struct{}

// seal is what of an object is sealed under its content key; FORMAT in the package comment.
type seal struct {
	segments    uint32
	plainSize   int64
	segmentSize int64 // plaintext of every segment but the last of its part, bytes
	custom      CustomMetadata
	tags        Tags
	parts       []partRun         // of an object uploaded in parts
	partsHash   [sha256.Size]byte // of its parts, in their place when there are too many different ones
}

// Fields codes the seal for wire.
func (s *seal) Fields(c *wire.Codec) {
	c.Uint32(1, &s.segments)
	c.Int(2, &s.plainSize)
	c.Int(3, &s.segmentSize)
	codeEntries(c, 4, (*map[string]string)(&s.custom))
	codeEntries(c, 5, (*map[string]string)(&s.tags))
	wire.Repeated(c, 6, &s.parts, maxRuns)
	c.Fixed(7, s.partsHash[:])
}

// codeEntries codes a map, in ascending order of keys.
func codeEntries(c *wire.Codec, num int, m *map[string]string) {
	var entries []entry
	for _, key := range slices.Sorted(maps.Keys(*m)) {
		entries = append(entries, entry{key, (*m)[key]})
	}
	wire.Repeated(c, num, &entries, maxEntries)
	if !c.Decoding() {
		return
	}
	*m = make(map[string]string, len(entries))
	for i, e := range entries {
		if i > 0 && entries[i-1].key >= e.key {
			c.Fail()
		}
		(*m)[e.key] = e.value
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

// sealMetadata seals what only the owner can read. Parts that do not fit are replaced by their hash.
//
// Errors: ErrMetadataInvalid when metadata and tags together are too large.
func sealMetadata(content ecenc.Key, s *seal) ([]byte, error) {
	plain := wire.Marshal(s)
	if s.parts != nil && (len(s.parts) > maxRuns || len(plain)+cipher.BoxOverhead > metainfo.MaxMetadataSize) {
		short := *s
		short.parts, short.partsHash = nil, hashParts(s.parts)
		plain = wire.Marshal(&short)
	}
	if size := len(plain) + cipher.BoxOverhead; size > metainfo.MaxMetadataSize {
		return nil, fmt.Errorf("%w: metadata and tags take %d bytes, at most %d", ErrMetadataInvalid, size, metainfo.MaxMetadataSize)
	}
	return cipher.SealBox(content, metadataPurpose, plain)
}

// openSeal opens a seal. Errors: ErrCorrupt, ErrInternal.
func openSeal(content ecenc.Key, box []byte) (*seal, error) {
	raw, err := cipher.OpenBox(content, metadataPurpose, box)
	if err != nil {
		return nil, fmt.Errorf("%w: its metadata does not open", ErrCorrupt)
	}
	s := new(seal)
	if wire.Unmarshal(raw, s) != nil {
		return nil, fmt.Errorf("%w: its metadata is of a later version", ErrInternal)
	}
	return s, nil
}

// openMetadata opens the seal of an object and compares it with the satellite's record. Errors: ErrCorrupt.
func openMetadata(content ecenc.Key, record *metainfo.Object) (*seal, error) {
	s, err := openSeal(content, record.Metadata)
	if err != nil {
		return nil, err
	}
	if s.segments != record.Segments || s.plainSize != record.PlainSize {
		return nil, fmt.Errorf("%w: %d bytes in %d segments were stored, the satellite has %d in %d",
			ErrCorrupt, s.plainSize, s.segments, record.PlainSize, record.Segments)
	}
	return s, nil
}
