package metainfo

import (
	"time"

	"storj/ecenc/wire"
)

// MaxPartMetadata is the largest sealed metadata of a part in bytes.
const MaxPartMetadata = 512

// Part is a part of an object or of an upload. Its segments are a stream of their own, with positions Number/index.
type Part struct {
	Number        uint32 // 1 to MaxParts
	Stream        StreamID
	Created       time.Time
	Segments      uint32
	PlainSize     int64
	EncryptedSize int64
	Metadata      []byte // sealed under the content key: checksums and the like
}

// Fields codes the part for wire.
func (p *Part) Fields(c *wire.Codec) {
	c.Uint32(1, &p.Number)
	c.Fixed(2, p.Stream[:])
	c.Time(3, &p.Created)
	c.Uint32(4, &p.Segments)
	c.Int(5, &p.PlainSize)
	c.Int(6, &p.EncryptedSize)
	c.Bytes(7, &p.Metadata, MaxPartMetadata)
	if p.Number > MaxParts {
		c.Fail()
	}
}

// BeginPartRequest starts a part.
type BeginPartRequest struct {
	Auth   Auth
	Upload []byte // token of the upload
	Number uint32
	Plan   bool // also plan the segment at position Number/0
}

// Fields codes the request for wire.
func (r *BeginPartRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.Bytes(2, &r.Upload, maxToken)
	c.Uint32(3, &r.Number)
	c.Bool(4, &r.Plan)
}

// CommitPartRequest ends a part.
type CommitPartRequest struct {
	Auth     Auth
	Upload   []byte      // token of the part
	Last     *NewSegment // last segment, if not yet committed
	Segments uint32      // how many in all
	Metadata []byte      // sealed
}

// Fields codes the request for wire.
func (r *CommitPartRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.Bytes(2, &r.Upload, maxToken)
	optional(c, 3, &r.Last)
	c.Uint32(4, &r.Segments)
	c.Bytes(5, &r.Metadata, MaxPartMetadata)
}

// UploadRequest names an upload in parts.
type UploadRequest struct {
	Auth   Auth
	Bucket string
	Key    []byte
	Stream StreamID
}

// Fields codes the request for wire.
func (r *UploadRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	c.Bytes(3, &r.Key, MaxKeySize)
	c.Fixed(4, r.Stream[:])
}

// PendingUpload is an upload in parts that has not ended.
type PendingUpload struct {
	Key        []byte // encrypted; in listings relative to the request's Prefix
	Stream     StreamID
	Created    time.Time
	Expires    time.Time // of the object; zero: never
	WrappedKey []byte
	Metadata   []byte
	Retention  Retention
	LegalHold  bool
	Upload     []byte // sealed token, of GetUpload
}

// Fields codes the upload for wire.
func (u *PendingUpload) Fields(c *wire.Codec) {
	c.Bytes(1, &u.Key, MaxKeySize)
	c.Fixed(2, u.Stream[:])
	c.Time(3, &u.Created)
	c.Time(4, &u.Expires)
	c.Bytes(5, &u.WrappedKey, MaxWrappedKeySize)
	c.Bytes(6, &u.Metadata, MaxMetadataSize)
	c.Message(7, &u.Retention)
	c.Bool(8, &u.LegalHold)
	c.Bytes(9, &u.Upload, maxToken)
}

// ListUploadsRequest asks for a page of uploads.
type ListUploadsRequest struct {
	Auth         Auth
	Bucket       string
	Prefix       []byte   // encrypted, whole components: empty or ending in '/'
	Cursor       []byte   // keys after this one, relative to Prefix; empty: from the first
	CursorStream StreamID // uploads of the cursor's key after this one; zero: none of them
	Limit        int      // 1 to MaxList; 0: MaxList
	Recursive    bool     // else keys with a further '/' are collapsed into one prefix
}

// Fields codes the request for wire.
func (r *ListUploadsRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	c.Bytes(3, &r.Prefix, MaxKeySize)
	c.Bytes(4, &r.Cursor, MaxKeySize)
	c.Fixed(5, r.CursorStream[:])
	codeInt(c, 6, &r.Limit)
	c.Bool(7, &r.Recursive)
}

// UploadItem is an upload, or a prefix of uploads.
type UploadItem struct {
	Upload PendingUpload // of a prefix only Key is set, ending in '/'
	Prefix bool
}

// Fields codes the item for wire.
func (i *UploadItem) Fields(c *wire.Codec) {
	c.Message(1, &i.Upload)
	c.Bool(2, &i.Prefix)
}

// UploadList is a page of uploads.
type UploadList struct {
	Items []UploadItem
	More  bool
}

// Fields codes the response for wire.
func (r *UploadList) Fields(c *wire.Codec) {
	wire.Repeated(c, 1, &r.Items, MaxList)
	c.Bool(2, &r.More)
}

// ListPartsRequest asks for a page of the parts of an upload or of an object.
type ListPartsRequest struct {
	Auth    Auth
	Upload  []byte // token; empty: of the object named below
	Bucket  string
	Key     []byte
	Version uint64
	Cursor  uint32 // numbers after this one
	Limit   int    // 1 to MaxList; 0: MaxList
}

// Fields codes the request for wire.
func (r *ListPartsRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.Bytes(2, &r.Upload, maxToken)
	c.String(3, &r.Bucket, maxName)
	c.Bytes(4, &r.Key, MaxKeySize)
	c.Uint(5, &r.Version)
	c.Uint32(6, &r.Cursor)
	codeInt(c, 7, &r.Limit)
}

// PartList is a page of parts.
type PartList struct {
	Parts []Part
	More  bool
}

// Fields codes the response for wire.
func (r *PartList) Fields(c *wire.Codec) {
	wire.Repeated(c, 1, &r.Parts, MaxList)
	c.Bool(2, &r.More)
}
