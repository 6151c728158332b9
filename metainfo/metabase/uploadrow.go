package metabase

import (
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
)

// uploadKind says what a pending stream is going to be.
type uploadKind uint32

// The kinds; their numbers are stored.
const (
	plainUpload    uploadKind = 0 // an object
	uploadInParts  uploadKind = 1 // an object whose parts are streams of their own
	partAttempt    uploadKind = 2 // a part
	copyInProgress uploadKind = 3 // an object that CopyObject makes in several transactions
)

// uploadRow is a stream that is pending.
type uploadRow struct {
	ref      refRow
	created  time.Time
	activity time.Time
	expires  time.Time
	kind     uploadKind

	// Of an attempt at a part.
	parent metainfo.StreamID
	part   uint32

	// Of an upload in parts.
	wrappedKey []byte
	metadata   []byte
	retention  metainfo.Retention
	hold       bool
}

func (r *uploadRow) Fields(c *wire.Codec) {
	kind := uint32(r.kind)
	c.Message(1, &r.ref)
	c.Time(2, &r.created)
	c.Time(3, &r.activity)
	c.Time(4, &r.expires)
	c.Uint32(5, &kind)
	c.Fixed(6, r.parent[:])
	c.Uint32(7, &r.part)
	c.Bytes(8, &r.wrappedKey, metainfo.MaxWrappedKeySize)
	c.Bytes(9, &r.metadata, metainfo.MaxMetadataSize)
	c.Message(10, &r.retention)
	c.Bool(11, &r.hold)
	r.kind = uploadKind(kind)
}

// partRow is a part of an object or of an upload in parts. Its segments are those of stream with its number: a stream of
// its own, or for a copy the object's.
type partRow struct {
	stream        metainfo.StreamID
	created       time.Time
	segments      uint32
	plainSize     int64
	encryptedSize int64
	metadata      []byte
}

func (r *partRow) Fields(c *wire.Codec) {
	c.Fixed(1, r.stream[:])
	c.Time(2, &r.created)
	c.Uint32(3, &r.segments)
	c.Int(4, &r.plainSize)
	c.Int(5, &r.encryptedSize)
	c.Bytes(6, &r.metadata, metainfo.MaxPartMetadata)
}

func (r *partRow) part(number uint32) metainfo.Part {
	return metainfo.Part{
		Number: number, Stream: r.stream, Created: r.created, Segments: r.segments,
		PlainSize: r.plainSize, EncryptedSize: r.encryptedSize, Metadata: r.metadata,
	}
}

// indexStep is how many parts lie between two that the index of an object names.
const indexStep = 64

// partPlace says where in the object a part starts.
type partPlace struct {
	number uint32
	start  int64 // plaintext bytes
}

func (p *partPlace) Fields(c *wire.Codec) {
	c.Uint32(1, &p.number)
	c.Int(2, &p.start)
}

// partIndexRow names every indexStep-th part of an object that has more than that, so that a range finds its part.
type partIndexRow struct{ places []partPlace }

func (r *partIndexRow) Fields(c *wire.Codec) {
	wire.Repeated(c, 1, &r.places, metainfo.MaxParts/indexStep+1)
}
