package metainfo

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/pieces"
)

// Sizes and counts of the protocol. An uplink learns SegmentSize and InlineSize from ProjectInfo.
const (
	// SegmentSize is the most plaintext in a segment, chosen so that its ciphertext is SegmentCipherSize.
	SegmentSize = SegmentCipherSize / ecenc.CipherBlockSize * (ecenc.CipherBlockSize - ecenc.TagSize)
	// SegmentCipherSize is the most ciphertext in a segment: 64 MiB, whole cipher blocks.
	SegmentCipherSize = 64 << 20
	// InlineSize is the most ciphertext of an inline segment in bytes.
	InlineSize = 4 << 10
	// MaxKeySize is the longest encrypted object key in bytes.
	MaxKeySize = 4000
	// MaxMetadataSize is the largest encrypted metadata of an object in bytes: 2 KiB of custom metadata, ten tags of S3's
	// largest size, and overhead.
	MaxMetadataSize = 8 << 10
	// MaxWrappedKeySize is the largest wrapped content key in bytes.
	MaxWrappedKeySize = 128
	// SaltSize is the size of a project's and of a segment's salt in bytes.
	ProjectSaltSize = 32
	SegmentSaltSize = 16
	// MaxList is the most items of one page of a listing.
	MaxList = 1000
	// MaxBuckets is the most buckets of a project.
	MaxBuckets = 100
	// MaxParts and MaxSegments bound the positions of an object: 10,000 parts; a part of up to 2^20 segments (64 TiB).
	MaxParts    = 10_000
	MaxSegments = 1 << 20
	// MaxDelete is the most keys in one DeleteObjects.
	MaxDelete = 1000
	// MaxUploadAge is how long an upload token is good for.
	MaxUploadAge = 48 * time.Hour

	maxName    = 100
	maxBucket  = 63
	maxAPIKey  = 16 << 10 // as macaroon.MaxSize
	maxToken   = MaxKeySize + 512
	maxSegment = maxToken // names the object too
)

// ProjectID names a project, StreamID the data of an object. Both are random.
type (
	ProjectID [16]byte
	StreamID  [16]byte
)

// NewProjectID returns a random ID.
func NewProjectID() (id ProjectID) {
	_, _ = rand.Read(id[:])
	return id
}

// NewStreamID returns a random ID.
func NewStreamID() (id StreamID) {
	_, _ = rand.Read(id[:])
	return id
}

// String returns the ID in hex.
func (id ProjectID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText makes a ProjectID readable in JSON.
func (id ProjectID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ProjectID) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw) != len(id) {
		return fmt.Errorf("%w: %q is not a project ID", ErrProjectNotFound, text)
	}
	copy(id[:], raw)
	return nil
}

// String returns the ID in hex.
func (id StreamID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText makes a StreamID readable in JSON.
func (id StreamID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// IsZero says whether the ID was never set.
func (id StreamID) IsZero() bool { return id == StreamID{} }

// Position is the place of a segment in its object: part 0 for an object uploaded in one go, else 1 to MaxParts.
type Position struct {
	Part  uint32
	Index uint32 // 0-based within the part
}

// Uint64 orders positions: part, then index.
func (p Position) Uint64() uint64 { return uint64(p.Part)<<32 | uint64(p.Index) }

// PositionFromUint64 is the inverse of Uint64.
func PositionFromUint64(v uint64) Position { return Position{Part: uint32(v >> 32), Index: uint32(v)} }

// String prints part/index.
func (p Position) String() string { return fmt.Sprintf("%d/%d", p.Part, p.Index) }

// Fields codes the position for wire.
func (p *Position) Fields(c *wire.Codec) {
	c.Uint32(1, &p.Part)
	c.Uint32(2, &p.Index)
	if p.Part > MaxParts || p.Index >= MaxSegments {
		c.Fail()
	}
}

// NodeAlias stands for a NodeID in segment records, 4 bytes instead of 32. A satellite never gives one twice.
type NodeAlias uint32

// Piece says which node has which piece of a segment.
type Piece struct {
	Number int // 0 <= Number < Redundancy.Total
	Alias  NodeAlias
}

// Project is a tenant: its buckets, its API keys, its salt.
type Project struct {
	ID      ProjectID
	Name    string
	Salt    [ProjectSaltSize]byte // for deriving root keys from passphrases
	Created time.Time
	Limits  Limits // what it may use
}

// APIKeyRecord is what the satellite keeps of an API key.
type APIKeyRecord struct {
	Head    [32]byte // of the macaroon: the key's public name
	Secret  ecenc.Key
	Project ProjectID
	Name    string
	Created time.Time
	Revoked bool
}

// Bucket holds objects.
type Bucket struct {
	Name       string
	Created    time.Time
	PlainNames bool // object keys are not encrypted; fixed at creation
	Versioning Versioning
	Lock       bool             // object lock: versions can be protected; needs VersioningEnabled, for good
	Retention  DefaultRetention // of new versions, with Lock
	TTL        time.Duration    // longest life of new objects; 0: any
	Placement  uint32           // rule for where new segments go; 0: the default one
	Changes    uint64           // changes whenever an object of the bucket does; not stored, starts anew with the process
}

// Object is the record of an object.
type Object struct {
	Key           []byte // encrypted
	Version       uint64
	Stream        StreamID
	Created       time.Time
	Expires       time.Time // zero: never
	Segments      uint32    // how many
	PlainSize     int64     // bytes
	EncryptedSize int64
	WrappedKey    []byte // content key, sealed under a key derived from the path
	Metadata      []byte // sealed under the content key
	Parts         uint32 // of an object uploaded in parts: how many; else 0
	Null          bool   // written while its bucket was not versioned: a later such version takes its place
	Marker        bool   // delete marker: no data, says that the object was deleted
	Latest        bool   // in listings of versions: what requests without a version mean
	Retention     Retention
	LegalHold     bool
}

// Segment is the record of a segment.
type Segment struct {
	Stream        StreamID
	Position      Position
	Created       time.Time
	Expires       time.Time // zero: never; of its object
	Repaired      time.Time // zero: never
	PlainOffset   int64     // in its part, bytes
	PlainSize     int64
	EncryptedSize int64
	Salt          [SegmentSaltSize]byte
	Inline        []byte // content of an inline segment; then the fields below are zero
	Root          pieces.PieceID
	Redundancy    ecenc.Redundancy
	Pieces        []Piece // ascending Number
	Placement     uint32  // rule under which its nodes are chosen
}

// IsInline says whether the segment's bytes stand in its record.
func (s *Segment) IsInline() bool { return s.Redundancy.Required == 0 }

// CheckBucketName applies the rules of bucket names, which are those of S3.
func CheckBucketName(name string) error {
	if len(name) < 3 || len(name) > maxBucket {
		return ErrBucketName
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return ErrBucketName
		}
		for _, b := range []byte(label) {
			if b != '-' && (b < 'a' || b > 'z') && (b < '0' || b > '9') {
				return ErrBucketName
			}
		}
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return ErrBucketName
	}
	return nil
}

// CheckName applies the rules of project and API key names.
func CheckName(name string) error {
	if name == "" || len(name) > maxName {
		return ErrName
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return ErrName
		}
	}
	return nil
}
