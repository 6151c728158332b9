package metabase

import (
	"encoding/binary"
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/netx"
)

// Rows are the values of the tables. Field numbers are never used twice. What stands in the key is not repeated.

const (
	maxNameSize    = 128 // bytes, of projects, keys and buckets
	maxAddressSize = 512
	maxPieceSize   = 2 + binary.MaxVarintLen32 // of one piece as packPieces writes it
	maxPartSize    = 3 * binary.MaxVarintLen64
)

type projectRow struct{ metainfo.Project }

func (r *projectRow) Fields(c *wire.Codec) {
	c.String(1, &r.Name, maxNameSize)
	c.Fixed(2, r.Salt[:])
	c.Time(3, &r.Created)
}

type keyRow struct{ metainfo.APIKeyRecord }

func (r *keyRow) Fields(c *wire.Codec) {
	c.Fixed(1, r.Secret[:])
	c.Fixed(2, r.Project[:])
	c.String(3, &r.Name, maxNameSize)
	c.Time(4, &r.Created)
	c.Bool(5, &r.Revoked)
}

type bucketRow struct{ metainfo.Bucket }

func (r *bucketRow) Fields(c *wire.Codec) {
	c.Time(1, &r.Created)
	c.Bool(2, &r.PlainNames)
}

// objectRow has its key and version filled in by who reads it.
type objectRow struct{ metainfo.Object }

func (r *objectRow) Fields(c *wire.Codec) {
	c.Fixed(1, r.Stream[:])
	c.Time(2, &r.Created)
	c.Time(3, &r.Expires)
	c.Uint32(4, &r.Segments)
	c.Int(5, &r.PlainSize)
	c.Int(6, &r.EncryptedSize)
	c.Bytes(7, &r.WrappedKey, metainfo.MaxWrappedKeySize)
	c.Bytes(8, &r.Metadata, metainfo.MaxMetadataSize)
}

func (r *objectRow) expired(at time.Time) bool { return !r.Expires.IsZero() && !r.Expires.After(at) }

// segmentRow keeps the pieces packed: most who read rows do not look at them. Stream, Position and Pieces of the
// embedded Segment are filled in by segment.
type segmentRow struct {
	metainfo.Segment
	packed []byte
}

func (r *segmentRow) Fields(c *wire.Codec) {
	c.Time(1, &r.Created)
	c.Time(2, &r.Expires)
	c.Time(3, &r.Repaired)
	c.Int(4, &r.PlainOffset)
	c.Int(5, &r.PlainSize)
	c.Int(6, &r.EncryptedSize)
	c.Fixed(7, r.Salt[:])
	c.Bytes(8, &r.Inline, metainfo.InlineSize)
	c.Fixed(9, r.Root[:])
	if r.Redundancy.Required != 0 || c.Decoding() {
		codeRedundancy(c, 10, &r.Redundancy)
	}
	c.Bytes(11, &r.packed, ecenc.MaxTotal*maxPieceSize)
}

// codeRedundancy leaves the redundancy of an inline segment zero: the zero one does not validate.
func codeRedundancy(c *wire.Codec, num int, r *ecenc.Redundancy) {
	if !c.Decoding() {
		c.Message(num, r)
		return
	}
	var list []ecenc.Redundancy
	if wire.Repeated(c, num, &list, 1); len(list) == 1 {
		*r = list[0]
	}
}

// newSegmentRow packs a segment.
func newSegmentRow(s *metainfo.Segment) segmentRow {
	return segmentRow{Segment: *s, packed: packPieces(s.Pieces)}
}

// segment returns the whole record. Errors: wire.ErrMalformed.
func (r *segmentRow) segment(k segmentKey) (metainfo.Segment, error) {
	s := r.Segment
	s.Stream, s.Position = k.stream, k.position
	list, err := unpackPieces(r.packed)
	s.Pieces = list
	return s, err
}

// packPieces writes, for each piece, the uvarint of how many numbers it skips after the piece before it, and the
// uvarint of its alias.
func packPieces(list []metainfo.Piece) []byte {
	packed := make([]byte, 0, len(list)*5)
	next := 0
	for _, p := range list {
		packed = binary.AppendUvarint(packed, uint64(p.Number-next))
		packed = binary.AppendUvarint(packed, uint64(p.Alias))
		next = p.Number + 1
	}
	return packed
}

// unpackPieces is the inverse of packPieces.
func unpackPieces(packed []byte) ([]metainfo.Piece, error) {
	if len(packed) == 0 {
		return nil, nil
	}
	list := make([]metainfo.Piece, 0, min(len(packed)/2, ecenc.MaxTotal))
	for next := uint64(0); len(packed) > 0; {
		gap, n := binary.Uvarint(packed)
		if n <= 0 || gap >= ecenc.MaxTotal || next+gap >= ecenc.MaxTotal {
			return nil, wire.ErrMalformed
		}
		alias, m := binary.Uvarint(packed[n:])
		if m <= 0 || alias > 1<<32-1 {
			return nil, wire.ErrMalformed
		}
		packed = packed[n+m:]
		list = append(list, metainfo.Piece{Number: int(next + gap), Alias: metainfo.NodeAlias(alias)})
		next += gap + 1
	}
	return list, nil
}

// part is a part of an object with part numbers.
type part struct {
	number    uint32
	segments  uint32
	plainSize int64
}

// partsRow is the parts of an object, in order, so that a range finds its part.
type partsRow struct {
	list []part
}

func (r *partsRow) Fields(c *wire.Codec) {
	var packed []byte
	for _, p := range r.list {
		packed = binary.AppendUvarint(packed, uint64(p.number))
		packed = binary.AppendUvarint(packed, uint64(p.segments))
		packed = binary.AppendUvarint(packed, uint64(p.plainSize))
	}
	c.Bytes(1, &packed, metainfo.MaxParts*maxPartSize)
	if c.Decoding() && !r.unpack(packed) {
		c.Fail()
	}
}

func (r *partsRow) unpack(packed []byte) bool {
	for len(packed) > 0 {
		var values [3]uint64
		for i := range values {
			v, n := binary.Uvarint(packed)
			if n <= 0 || v > 1<<62 || i < 2 && v > 1<<32-1 {
				return false
			}
			values[i], packed = v, packed[n:]
		}
		r.list = append(r.list, part{uint32(values[0]), uint32(values[1]), int64(values[2])})
	}
	return len(r.list) <= metainfo.MaxParts
}

// refRow names an object.
type refRow struct{ ObjectRef }

func (r *refRow) Fields(c *wire.Codec) {
	c.Fixed(1, r.Project[:])
	c.String(2, &r.Bucket, maxNameSize)
	c.Bytes(3, &r.Key, metainfo.MaxKeySize)
}

// uploadRow is an upload that has stored segments.
type uploadRow struct {
	ref      refRow
	created  time.Time
	activity time.Time
	expires  time.Time
}

func (r *uploadRow) Fields(c *wire.Codec) {
	c.Message(1, &r.ref)
	c.Time(2, &r.created)
	c.Time(3, &r.activity)
	c.Time(4, &r.expires)
}

type nodeRow struct{ Node }

func (r *nodeRow) Fields(c *wire.Codec) {
	alias := uint32(r.Alias)
	c.Uint32(1, &alias)
	r.Alias = metainfo.NodeAlias(alias)
	c.String(2, &r.Address, maxAddressSize)
	c.String(3, &r.Domain, maxNameSize)
	c.String(4, &r.Version, maxNameSize)
	c.Int(5, &r.Capacity)
	c.Int(6, &r.Used)
	c.Int(7, &r.Free)
	c.Time(8, &r.Joined)
	c.Time(9, &r.LastContact)
	c.Bool(10, &r.Leaving)
}

type tokenRow struct {
	JoinToken
}

func (r *tokenRow) Fields(c *wire.Codec) {
	c.Time(1, &r.Created)
	c.Time(2, &r.Expires)
	uses := int32(r.UsesLeft)
	c.Int32(3, &uses)
	r.UsesLeft = int(uses)
	c.String(4, &r.Note, maxNameSize)
	const size = len(netx.NodeID{})
	packed := make([]byte, 0, len(r.Admitted)*size)
	for _, id := range r.Admitted {
		packed = append(packed, id[:]...)
	}
	c.Bytes(5, &packed, MaxTokenUses*size)
	if !c.Decoding() {
		return
	}
	for ; len(packed) >= size; packed = packed[size:] {
		r.Admitted = append(r.Admitted, netx.NodeID(packed))
	}
	if len(packed) != 0 {
		c.Fail()
	}
}

// The small ones.
type (
	idRow      struct{ id metainfo.ProjectID }
	hashRow    struct{ hash hash }
	timeRow    struct{ at time.Time }
	counterRow struct{ n uint64 }
	emptyRow   struct{}
)

func (r *idRow) Fields(c *wire.Codec)      { c.Fixed(1, r.id[:]) }
func (r *hashRow) Fields(c *wire.Codec)    { c.Fixed(1, r.hash[:]) }
func (r *timeRow) Fields(c *wire.Codec)    { c.Time(1, &r.at) }
func (r *counterRow) Fields(c *wire.Codec) { c.Uint(1, &r.n) }
func (r *emptyRow) Fields(*wire.Codec)     {}
