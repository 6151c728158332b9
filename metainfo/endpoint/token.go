package endpoint

import (
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/pieces"
)

// Kinds of tokens, authenticated with each.
const (
	kindUpload   = "upload"
	kindPart     = "part"
	kindSegment  = "segment"
	kindDownload = "download"
)

const maxBucketName = 63

// uploadToken names an upload that may have stored nothing yet.
type uploadToken struct {
	project metainfo.ProjectID
	bucket  string
	key     []byte
	stream  metainfo.StreamID
	created time.Time
	expires time.Time // of the object

	placement uint32 // of the bucket
	parts     bool   // it is an upload in parts, which has a row: segments belong to its parts only
}

// Fields codes the token for wire.
func (t *uploadToken) Fields(c *wire.Codec) {
	c.Fixed(1, t.project[:])
	c.String(2, &t.bucket, maxBucketName)
	c.Bytes(3, &t.key, metainfo.MaxKeySize)
	c.Fixed(4, t.stream[:])
	c.Time(5, &t.created)
	c.Time(6, &t.expires)
	c.Uint32(7, &t.placement)
	c.Bool(8, &t.parts)
}

// partToken names one attempt at a part of an upload.
type partToken struct {
	upload  uploadToken
	number  uint32
	stream  metainfo.StreamID // of the attempt's segments
	created time.Time
}

// Fields codes the token for wire.
func (t *partToken) Fields(c *wire.Codec) {
	c.Message(1, &t.upload)
	c.Uint32(2, &t.number)
	c.Fixed(3, t.stream[:])
	c.Time(4, &t.created)
}

// segmentToken names one attempt at a segment. The key stands in it for the same reason as in a downloadToken.
type segmentToken struct {
	project  metainfo.ProjectID
	bucket   string
	key      []byte
	stream   metainfo.StreamID
	position metainfo.Position
	root     pieces.PieceID
	scheme   ecenc.Redundancy
	created  time.Time
	expires  time.Time // of the pieces

	placement uint32
}

// Fields codes the token for wire.
func (t *segmentToken) Fields(c *wire.Codec) {
	c.Fixed(1, t.project[:])
	c.String(2, &t.bucket, maxBucketName)
	c.Fixed(3, t.stream[:])
	c.Message(4, &t.position)
	c.Fixed(5, t.root[:])
	c.Message(6, &t.scheme)
	c.Time(7, &t.created)
	c.Time(8, &t.expires)
	c.Bytes(9, &t.key, metainfo.MaxKeySize)
	c.Uint32(10, &t.placement)
}

// downloadToken names the object data that a download was allowed to read. The key stands in it so that later requests
// are checked against the caveats of their own API key.
type downloadToken struct {
	project metainfo.ProjectID
	bucket  string
	key     []byte
	stream  metainfo.StreamID
	size    int64 // plaintext bytes of the object
	created time.Time
}

// Fields codes the token for wire.
func (t *downloadToken) Fields(c *wire.Codec) {
	c.Fixed(1, t.project[:])
	c.String(2, &t.bucket, maxBucketName)
	c.Bytes(3, &t.key, metainfo.MaxKeySize)
	c.Fixed(4, t.stream[:])
	c.Int(5, &t.size)
	c.Time(6, &t.created)
}

// tooOld says whether a token made at created is past its time.
func tooOld(created time.Time) bool {
	return time.Since(created) > metainfo.MaxUploadAge
}
