package uplink

import (
	"fmt"

	"storj/ecenc"
	"storj/ecenc/cipher"
	"storj/ecenc/wire"
	"storj/metainfo"
)

// partSeal is what of a part is sealed under the content key of its upload; FORMAT in the package comment.
type partSeal struct {
	number    uint32
	plainSize int64
	metadata  CustomMetadata
}

const (
	partPurpose = "part-metadata/v1"
	// MaxPartMetadata is the most metadata of a part: keys and values together, in bytes, less 8 for each entry.
	MaxPartMetadata = 384
)

var _ [metainfo.MaxPartMetadata - MaxPartMetadata - cipher.BoxOverhead - 32]struct{}

// Fields codes the seal for wire.
func (s *partSeal) Fields(c *wire.Codec) {
	c.Uint32(1, &s.number)
	c.Int(2, &s.plainSize)
	codeEntries(c, 3, (*map[string]string)(&s.metadata))
}

func verifyPartMetadata(m CustomMetadata) error {
	size := 0
	for key, value := range m {
		if err := verifyEntry(key, value); err != nil {
			return err
		}
		size += len(key) + len(value) + 8
	}
	if size > MaxPartMetadata {
		return fmt.Errorf("%w: %d bytes for a part, at most %d", ErrMetadataInvalid, size, MaxPartMetadata)
	}
	return nil
}

// openPart opens a part's seal and compares it with the satellite's record. Errors: ErrCorrupt.
func openPart(content ecenc.Key, record *metainfo.Part) (*partSeal, error) {
	raw, err := cipher.OpenBox(content, partPurpose, record.Metadata)
	if err != nil {
		return nil, fmt.Errorf("%w: metadata of part %d does not open", ErrCorrupt, record.Number)
	}
	s := new(partSeal)
	if wire.Unmarshal(raw, s) != nil {
		return nil, fmt.Errorf("%w: metadata of part %d is of a later version", ErrInternal, record.Number)
	}
	if s.number != record.Number || s.plainSize != record.PlainSize || s.plainSize < 0 || s.plainSize > maxPartSize {
		return nil, fmt.Errorf("%w: part %d of %d bytes was stored, the satellite has %d of %d",
			ErrCorrupt, s.number, s.plainSize, record.Number, record.PlainSize)
	}
	return s, nil
}

func partOf(record *metainfo.Part, s *partSeal) Part {
	return Part{Number: int(record.Number), Created: record.Created, Size: s.plainSize, Metadata: s.metadata}
}
