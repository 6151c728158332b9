package metainfo

import (
	"encoding/binary"
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/netx"
)

// Method numbers on netx/rpc: 200-299 are the Service.
const (
	MethodProjectInfo      = 200
	MethodCreateBucket     = 201
	MethodGetBucket        = 202
	MethodListBuckets      = 203
	MethodDeleteBucket     = 204
	MethodRevokeAPIKey     = 205
	MethodUpdateBucket     = 206
	MethodGetDocument      = 207
	MethodPutDocument      = 208
	MethodGetLifecycle     = 236
	MethodPutLifecycle     = 237
	MethodBeginObject      = 210
	MethodBeginSegment     = 211
	MethodReplacePieces    = 212
	MethodCommitSegment    = 213
	MethodCommitObject     = 214
	MethodAbortObject      = 215
	MethodGetObject        = 220
	MethodDownload         = 221
	MethodDownloadSegments = 222
	MethodListObjects      = 223
	MethodUpdateMetadata   = 224
	MethodDeleteObjects    = 225
	MethodCopyObject       = 226
	MethodSetLock          = 227
	MethodDeletePrefix     = 228
	MethodGetDeletion      = 229
	MethodBeginPart        = 230
	MethodCommitPart       = 231
	MethodGetUpload        = 232
	MethodListUploads      = 233
	MethodListParts        = 234
	MethodProjectUsage     = 235
)

const (
	// MaxRequestSize bounds an encoded request in bytes: the largest names MaxDelete keys.
	MaxRequestSize = MaxDelete*(MaxKeySize+64) + 64<<10
	// MaxResponseSize bounds an encoded response in bytes: a page of MaxList objects with their metadata.
	MaxResponseSize = MaxList*(MaxKeySize+MaxMetadataSize+256) + 64<<10

	maxDownloadSegments = 1024
)

// Fields codes the credentials for wire.
func (a *Auth) Fields(c *wire.Codec) { c.Bytes(1, &a.APIKey, maxAPIKey) }

// Fields codes the request for wire.
func (r *ProjectInfoRequest) Fields(c *wire.Codec) { c.Message(1, &r.Auth) }

// Fields codes the response for wire.
func (r *ProjectInfo) Fields(c *wire.Codec) {
	c.Fixed(1, r.Project[:])
	c.Fixed(2, r.Salt[:])
	c.Int(3, &r.SegmentSize)
	c.Int(4, &r.InlineSize)
	c.Time(5, &r.Time)
}

// Fields codes the request for wire.
func (r *RevokeAPIKeyRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.Bytes(2, &r.APIKey, maxAPIKey)
}

// Fields codes the bucket for wire.
func (b *Bucket) Fields(c *wire.Codec) {
	c.String(1, &b.Name, maxBucket)
	c.Time(2, &b.Created)
	c.Bool(3, &b.PlainNames)
	ttl := int64(b.TTL)
	codeVersioning(c, 4, &b.Versioning)
	c.Bool(5, &b.Lock)
	c.Message(6, &b.Retention)
	c.Int(7, &ttl)
	c.Uint32(8, &b.Placement)
	c.Uint(9, &b.Changes)
	b.TTL = time.Duration(ttl)
}

// Fields codes the request for wire.
func (r *CreateBucketRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Name, maxName)
	c.Bool(3, &r.PlainNames)
	codeVersioning(c, 4, &r.Versioning)
	c.Bool(5, &r.Lock)
	c.Uint32(6, &r.Placement)
}

// Fields codes the request for wire.
func (r *BucketRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Name, maxName)
}

// Fields codes the request for wire.
func (r *ListBucketsRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Cursor, maxName)
	codeInt(c, 3, &r.Limit)
}

// Fields codes the response for wire.
func (r *BucketList) Fields(c *wire.Codec) {
	wire.Repeated(c, 1, &r.Buckets, MaxList)
	c.Bool(2, &r.More)
}

// Fields codes the request for wire.
func (r *DeleteBucketRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Name, maxName)
}

// Fields codes the request for wire.
func (r *BeginObjectRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	c.Bytes(3, &r.Key, MaxKeySize)
	c.Time(4, &r.Expires)
	c.Bool(5, &r.Plan)
	c.Bool(6, &r.Multipart)
	c.Bytes(7, &r.WrappedKey, MaxWrappedKeySize)
	c.Bytes(8, &r.Metadata, MaxMetadataSize)
	c.Message(9, &r.Retention)
	c.Bool(10, &r.LegalHold)
}

// Fields codes the response for wire.
func (r *BeginObjectResult) Fields(c *wire.Codec) {
	c.Bytes(1, &r.Upload, maxToken)
	optional(c, 2, &r.Plan)
	c.Fixed(3, r.Stream[:])
}

// Fields codes the request for wire.
func (r *BeginSegmentRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.Bytes(2, &r.Upload, maxToken)
	c.Message(3, &r.Position)
}

// Fields codes the plan for wire.
func (p *SegmentPlan) Fields(c *wire.Codec) {
	c.Bytes(1, &p.Token, maxSegment)
	c.Message(2, &p.Redundancy)
	c.Fixed(3, p.PieceKey[:])
	wire.Repeated(c, 4, &p.Limits, ecenc.MaxTotal)
}

// Fields codes the request for wire.
func (r *ReplacePiecesRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.Bytes(2, &r.Token, maxSegment)
	codeNumbers(c, 3, &r.Numbers)
	codeNodes(c, 4, &r.Exclude)
}

// Fields codes the response for wire.
func (r *ReplacePiecesResult) Fields(c *wire.Codec) {
	wire.Repeated(c, 1, &r.Limits, ecenc.MaxTotal)
}

// Fields codes the segment for wire.
func (s *NewSegment) Fields(c *wire.Codec) {
	c.Message(1, &s.Position)
	c.Int(2, &s.PlainOffset)
	c.Int(3, &s.PlainSize)
	c.Int(4, &s.EncryptedSize)
	c.Fixed(5, s.Salt[:])
	c.Bytes(6, &s.Inline, InlineSize)
	c.Bytes(7, &s.Token, maxSegment)
	codeInt(c, 8, &s.ShareSize)
	wire.Repeated(c, 9, &s.Pieces, ecenc.MaxTotal)
	codeNodes(c, 10, &s.Failed)
}

// Fields codes the request for wire.
func (r *CommitSegmentRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.Bytes(2, &r.Upload, maxToken)
	c.Message(3, &r.Segment)
}

// Fields codes the request for wire.
func (r *CommitObjectRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.Bytes(2, &r.Upload, maxToken)
	c.String(3, &r.Bucket, maxName)
	c.Bytes(4, &r.Key, MaxKeySize)
	c.Time(5, &r.Expires)
	optional(c, 6, &r.Last)
	c.Uint32(7, &r.Segments)
	c.Bytes(8, &r.WrappedKey, MaxWrappedKeySize)
	c.Bytes(9, &r.Metadata, MaxMetadataSize)
	c.Bool(10, &r.IfAbsent)
	c.Fixed(11, r.IfStream[:])
	codeParts(c, 12, &r.Parts)
	c.Message(13, &r.Retention)
	c.Bool(14, &r.LegalHold)
	c.Int(15, &r.PlainSize)
}

// Fields codes the request for wire.
func (r *AbortObjectRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.Bytes(2, &r.Upload, maxToken)
}

// Fields codes the object for wire.
func (o *Object) Fields(c *wire.Codec) {
	c.Bytes(1, &o.Key, MaxKeySize)
	c.Uint(2, &o.Version)
	c.Fixed(3, o.Stream[:])
	c.Time(4, &o.Created)
	c.Time(5, &o.Expires)
	c.Uint32(6, &o.Segments)
	c.Int(7, &o.PlainSize)
	c.Int(8, &o.EncryptedSize)
	c.Bytes(9, &o.WrappedKey, MaxWrappedKeySize)
	c.Bytes(10, &o.Metadata, MaxMetadataSize)
	c.Uint32(11, &o.Parts)
	c.Bool(12, &o.Null)
	c.Bool(13, &o.Marker)
	c.Bool(14, &o.Latest)
	c.Message(15, &o.Retention)
	c.Bool(16, &o.LegalHold)
}

// Fields codes the request for wire.
func (r *ObjectRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	c.Bytes(3, &r.Key, MaxKeySize)
	c.Uint(4, &r.Version)
}

// Fields codes the request for wire.
func (r *DownloadRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	c.Bytes(3, &r.Key, MaxKeySize)
	c.Int(4, &r.Offset)
	c.Int(5, &r.Length)
	c.Uint(6, &r.Version)
}

// Fields codes the segment for wire.
func (s *DownloadSegment) Fields(c *wire.Codec) {
	c.Message(1, &s.Position)
	c.Int(2, &s.PlainOffset)
	c.Int(3, &s.PlainSize)
	c.Int(4, &s.EncryptedSize)
	c.Fixed(5, s.Salt[:])
	c.Bytes(6, &s.Inline, InlineSize)
	c.Message(7, &s.Redundancy)
	c.Fixed(8, s.PieceKey[:])
	wire.Repeated(c, 9, &s.Limits, ecenc.MaxTotal)
	c.Fixed(10, s.UploadKey[:])
}

// Fields codes the response for wire.
func (r *DownloadResult) Fields(c *wire.Codec) {
	c.Message(1, &r.Object)
	c.Bytes(2, &r.Token, maxToken)
	c.Int(3, &r.Offset)
	c.Int(4, &r.Length)
	wire.Repeated(c, 5, &r.Segments, maxDownloadSegments)
	c.Bool(6, &r.More)
}

// Fields codes the request for wire.
func (r *DownloadSegmentsRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.Bytes(2, &r.Token, maxToken)
	c.Int(3, &r.Offset)
	c.Int(4, &r.Length)
	c.Bool(5, &r.Verify)
}

// Fields codes the response for wire.
func (r *DownloadSegmentsResult) Fields(c *wire.Codec) {
	wire.Repeated(c, 1, &r.Segments, maxDownloadSegments)
	c.Bool(2, &r.More)
}

// Fields codes the request for wire.
func (r *ListObjectsRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	c.Bytes(3, &r.Prefix, MaxKeySize)
	c.Bytes(4, &r.Cursor, MaxKeySize)
	codeInt(c, 5, &r.Limit)
	c.Bool(6, &r.Recursive)
	c.Bool(7, &r.Metadata)
	c.Bool(8, &r.Versions)
	c.Uint(9, &r.CursorVersion)
}

// Fields codes the item for wire.
func (i *ListItem) Fields(c *wire.Codec) {
	c.Message(1, &i.Object)
	c.Bool(2, &i.Prefix)
}

// Fields codes the response for wire.
func (r *ObjectList) Fields(c *wire.Codec) {
	wire.Repeated(c, 1, &r.Items, MaxList)
	c.Bool(2, &r.More)
	c.Uint(3, &r.Changes)
}

// Fields codes the request for wire.
func (r *UpdateMetadataRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	c.Bytes(3, &r.Key, MaxKeySize)
	c.Fixed(4, r.Stream[:])
	c.Bytes(5, &r.Metadata, MaxMetadataSize)
	c.Uint(6, &r.Version)
}

// Fields codes the request for wire.
func (r *DeleteObjectsRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	wire.Repeated(c, 3, &r.Items, MaxDelete)
	c.Bool(4, &r.BypassGovernance)
}

// Fields codes the item for wire.
func (i *DeleteItem) Fields(c *wire.Codec) {
	c.Bytes(1, &i.Key, MaxKeySize)
	c.Uint(2, &i.Version)
	c.Fixed(3, i.IfStream[:])
}

// Fields codes the response for wire.
func (r *DeleteObjectsResult) Fields(c *wire.Codec) { wire.Repeated(c, 1, &r.Items, MaxDelete) }

// Fields codes the item for wire.
func (i *DeletedItem) Fields(c *wire.Codec) {
	c.Bool(1, &i.Found)
	c.Uint(2, &i.Version)
	c.Bool(3, &i.Marker)
	codeReason(c, 4, &i.Reason)
}

// Fields codes the request for wire.
func (r *CopyObjectRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	c.Bytes(3, &r.Key, MaxKeySize)
	c.Fixed(4, r.Stream[:])
	c.String(5, &r.ToBucket, maxName)
	c.Bytes(6, &r.ToKey, MaxKeySize)
	c.Bytes(7, &r.WrappedKey, MaxWrappedKeySize)
	c.Bool(8, &r.Move)
	c.Bool(9, &r.IfAbsent)
	c.Uint(10, &r.Version)
	c.Fixed(11, r.IfStream[:])
	c.Message(12, &r.Retention)
	c.Bool(13, &r.LegalHold)
	c.Bool(14, &r.ReplaceMetadata)
	c.Bytes(15, &r.Metadata, MaxMetadataSize)
	c.Time(16, &r.Expires)
}

// codeInt codes a small count or size.
func codeInt(c *wire.Codec, num int, v *int) {
	small := int32(*v)
	c.Int32(num, &small)
	*v = int(small)
}

// codeParts codes part numbers, two bytes each.
func codeParts(c *wire.Codec, num int, parts *[]uint32) {
	packed := make([]byte, 0, 2*len(*parts))
	for _, n := range *parts {
		packed = binary.BigEndian.AppendUint16(packed, uint16(n))
	}
	c.Bytes(num, &packed, 2*MaxParts)
	if !c.Decoding() {
		return
	}
	if len(packed)%2 != 0 {
		c.Fail()
		return
	}
	*parts = nil
	for ; len(packed) > 0; packed = packed[2:] {
		*parts = append(*parts, uint32(binary.BigEndian.Uint16(packed)))
	}
}

// optional codes a message that may be nil.
func optional[T any, P interface {
	*T
	wire.Message
}](c *wire.Codec, num int, v **T) {
	var list []T
	if *v != nil {
		list = []T{**v}
	}
	wire.Repeated[T, P](c, num, &list, 1)
	if c.Decoding() && len(list) == 1 {
		*v = &list[0]
	}
}

// codeNumbers codes piece numbers, one byte each.
func codeNumbers(c *wire.Codec, num int, numbers *[]int) {
	packed := make([]byte, len(*numbers))
	for i, n := range *numbers {
		packed[i] = byte(n)
	}
	c.Bytes(num, &packed, ecenc.MaxTotal)
	if c.Decoding() {
		*numbers = make([]int, len(packed))
		for i, b := range packed {
			(*numbers)[i] = int(b)
		}
	}
}

// codeNodes codes NodeIDs, one after another.
func codeNodes(c *wire.Codec, num int, nodes *[]netx.NodeID) {
	const size = len(netx.NodeID{})
	packed := make([]byte, 0, len(*nodes)*size)
	for _, id := range *nodes {
		packed = append(packed, id[:]...)
	}
	c.Bytes(num, &packed, 2*ecenc.MaxTotal*size)
	if !c.Decoding() {
		return
	}
	if len(packed)%size != 0 {
		c.Fail()
		return
	}
	for ; len(packed) > 0; packed = packed[size:] {
		*nodes = append(*nodes, netx.NodeID(packed[:size]))
	}
}
