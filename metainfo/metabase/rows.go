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
	maxNodeTexts   = 64                        // tags or faults of a node
	maxPieceSize   = 2 + binary.MaxVarintLen32 // of one piece as packPieces writes it
)

type projectRow struct{ metainfo.Project }

func (r *projectRow) Fields(c *wire.Codec) {
	c.String(1, &r.Name, maxNameSize)
	c.Fixed(2, r.Salt[:])
	c.Time(3, &r.Created)
	c.Message(4, &r.Limits)
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
	versioning, ttl := uint32(r.Versioning), int64(r.TTL)
	c.Time(1, &r.Created)
	c.Bool(2, &r.PlainNames)
	c.Uint32(3, &versioning)
	c.Bool(4, &r.Lock)
	c.Message(5, &r.Retention)
	c.Int(6, &ttl)
	c.Uint32(7, &r.Placement)
	if versioning > uint32(metainfo.VersioningSuspended) {
		c.Fail()
	}
	r.Versioning, r.TTL = metainfo.Versioning(versioning), time.Duration(ttl)
}

// objectRow has its key and version filled in by who reads it.
type objectRow struct {
	metainfo.Object

	// nullBelow is the number of the null version of the key when this row was written on top; 0: there was none. It is
	// right or leads nowhere: a new null version only comes on top of all rows, and takes the old one away.
	nullBelow uint64
	moved     time.Time // when it came to its key; zero: when it was created
}

func (r *objectRow) Fields(c *wire.Codec) {
	c.Fixed(1, r.Stream[:])
	c.Time(2, &r.Created)
	c.Time(3, &r.Expires)
	c.Uint32(4, &r.Segments)
	c.Int(5, &r.PlainSize)
	c.Int(6, &r.EncryptedSize)
	c.Bytes(7, &r.WrappedKey, metainfo.MaxWrappedKeySize)
	c.Bytes(8, &r.Metadata, metainfo.MaxMetadataSize)
	c.Uint32(9, &r.Parts)
	c.Bool(10, &r.Null)
	c.Bool(11, &r.Marker)
	c.Bool(12, &r.LegalHold)
	c.Message(13, &r.Retention)
	c.Uint(14, &r.nullBelow)
	c.Time(15, &r.moved)
}

// expired says whether the version is gone, though its row may be there still. One that is locked is not.
func (r *objectRow) expired(at time.Time) bool {
	return !r.Expires.IsZero() && !r.Expires.After(at) && !r.locked(at, false)
}

// locked says whether the version must not be removed. Who may bypass governance is held by the rest only.
func (r *objectRow) locked(at time.Time, bypass bool) bool {
	return r.LegalHold || r.Retention.Active(at) && !(bypass && r.Retention.Mode == metainfo.Governance)
}

// since is when the version came to its key.
func (r *objectRow) since() time.Time {
	if r.moved.After(r.Created) {
		return r.moved
	}
	return r.Created
}

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
	c.Uint32(12, &r.Placement)
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

// refRow names an object or a version of one.
type refRow struct{ ObjectRef }

func (r *refRow) Fields(c *wire.Codec) {
	c.Fixed(1, r.Project[:])
	c.String(2, &r.Bucket, maxNameSize)
	c.Bytes(3, &r.Key, metainfo.MaxKeySize)
	c.Uint(4, &r.Version)
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
	c.Bool(11, &r.Exiting)
	c.Bool(12, &r.Invited)
	codeTexts(c, 13, &r.Tags, maxNodeTexts)
	codeTexts(c, 14, &r.Accepted, maxNodeTexts)
	codeTexts(c, 15, &r.Faults, maxNodeTexts)
}

// codeTexts codes a list of short texts.
func codeTexts(c *wire.Codec, num int, list *[]string, limit int) {
	raw := make([][]byte, len(*list))
	for i, text := range *list {
		raw[i] = []byte(text)
	}
	wire.RepeatedBytes(c, num, &raw, limit, maxAddressSize)
	if !c.Decoding() {
		return
	}
	*list = nil
	for _, text := range raw {
		*list = append(*list, string(text))
	}
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
	timeRow    struct{ at, until time.Time } // until: after it the row says nothing any more; zero: for good
	counterRow struct{ n uint64 }
	emptyRow   struct{}
)

func (r *idRow) Fields(c *wire.Codec)      { c.Fixed(1, r.id[:]) }
func (r *hashRow) Fields(c *wire.Codec)    { c.Fixed(1, r.hash[:]) }
func (r *counterRow) Fields(c *wire.Codec) { c.Uint(1, &r.n) }
func (r *timeRow) Fields(c *wire.Codec) {
	c.Time(1, &r.at)
	c.Time(2, &r.until)
}
func (r *emptyRow) Fields(*wire.Codec) {}
