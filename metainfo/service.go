package metainfo

import (
	"context"
	"time"

	"storj/ecenc"
	"storj/netx"
	"storj/pieces"
)

// Service is what a satellite does for uplinks. All methods may be called concurrently. Errors are sentinels of this
// package, on both sides of the wire; every method may also return ErrAPIKey, ErrDenied, ErrRateLimit and those of
// netx. Requests are not kept; responses belong to the caller.
type Service interface {
	// ProjectInfo returns what an uplink must know before all else.
	ProjectInfo(ctx context.Context, req *ProjectInfoRequest) (*ProjectInfo, error)
	// RevokeAPIKey ends a key that was made from the caller's by restricting it, and all that were made from that one. In
	// the process that is asked it ends before the call does. It may be repeated. Errors: ErrNotParent.
	RevokeAPIKey(ctx context.Context, req *RevokeAPIKeyRequest) error

	// CreateBucket makes a bucket. Errors: ErrBucketName, ErrBucketExists, ErrTooManyBuckets.
	CreateBucket(ctx context.Context, req *CreateBucketRequest) (*Bucket, error)
	// GetBucket returns a bucket. Errors: ErrBucketNotFound.
	GetBucket(ctx context.Context, req *BucketRequest) (*Bucket, error)
	// ListBuckets returns buckets in order of name, after the cursor.
	ListBuckets(ctx context.Context, req *ListBucketsRequest) (*BucketList, error)
	// DeleteBucket deletes a bucket; with Force, its objects too, some at each call: call again while More.
	// Errors: ErrBucketNotFound, ErrBucketNotEmpty.
	DeleteBucket(ctx context.Context, req *DeleteBucketRequest) (*DeleteBucketResult, error)

	// BeginObject starts an upload and, when req.Plan is set, its first segment. It writes nothing.
	// Errors: ErrBucketNotFound, ErrObjectKey, ErrExpiry, ErrNotEnoughNodes.
	BeginObject(ctx context.Context, req *BeginObjectRequest) (*BeginObjectResult, error)
	// BeginSegment plans a segment. It writes nothing. Errors: ErrUpload, ErrNotEnoughNodes.
	BeginSegment(ctx context.Context, req *BeginSegmentRequest) (*SegmentPlan, error)
	// ReplacePieces gives other nodes for pieces of a plan whose nodes failed; as many as there are, perhaps none.
	// Errors: ErrUpload.
	ReplacePieces(ctx context.Context, req *ReplacePiecesRequest) (*ReplacePiecesResult, error)
	// CommitSegment stores the record of a segment of an upload that goes on. It may be repeated.
	// Errors: ErrUpload, ErrSegment, ErrAcks.
	CommitSegment(ctx context.Context, req *CommitSegmentRequest) error
	// CommitObject makes an upload an object, replacing one of the same key. Without a token it is an inline object,
	// named by Bucket, Key and Expires. Repeating a commit that succeeded succeeds.
	// Errors: ErrUpload, ErrSegment, ErrAcks, ErrSegmentMissing, ErrObjectExists, ErrMetadataTooLarge, ErrBucketNotFound.
	CommitObject(ctx context.Context, req *CommitObjectRequest) (*Object, error)
	// AbortObject removes what an upload has stored. It may be repeated.
	AbortObject(ctx context.Context, req *AbortObjectRequest) error

	// GetObject returns an object's record. Errors: ErrBucketNotFound, ErrObjectNotFound.
	GetObject(ctx context.Context, req *ObjectRequest) (*Object, error)
	// Download returns an object's record with what is needed to read the start of a range of it.
	// Errors: ErrBucketNotFound, ErrObjectNotFound, ErrRange.
	Download(ctx context.Context, req *DownloadRequest) (*DownloadResult, error)
	// DownloadSegments goes on with a download. Errors: ErrObjectNotFound when the object was deleted meanwhile.
	DownloadSegments(ctx context.Context, req *DownloadSegmentsRequest) (*DownloadSegmentsResult, error)
	// ListObjects returns objects in order of encrypted key. Errors: ErrBucketNotFound, ErrListLimit.
	ListObjects(ctx context.Context, req *ListObjectsRequest) (*ObjectList, error)
	// UpdateMetadata replaces the metadata of an object. Errors: ErrObjectNotFound, ErrObjectChanged, ErrMetadataTooLarge.
	UpdateMetadata(ctx context.Context, req *UpdateMetadataRequest) error
	// DeleteObjects deletes objects; one that does not exist is reported as not found, not an error.
	DeleteObjects(ctx context.Context, req *DeleteObjectsRequest) (*DeleteObjectsResult, error)
	// CopyObject copies or moves an object within the satellite, rows only.
	// Errors: ErrObjectNotFound, ErrObjectChanged, ErrBucketNotFound, ErrObjectKey, ErrObjectExists.
	CopyObject(ctx context.Context, req *CopyObjectRequest) (*Object, error)
}

// Auth is shown with every request.
type Auth struct {
	APIKey []byte // serialized macaroon, binary
}

// ProjectInfoRequest asks for the project of an API key.
type ProjectInfoRequest struct {
	Auth Auth
}

// ProjectInfo is what an uplink must know before all else.
type ProjectInfo struct {
	Project     ProjectID
	Salt        [ProjectSaltSize]byte
	SegmentSize int64 // most plaintext of a segment, bytes
	InlineSize  int64 // most ciphertext of an inline segment, bytes
	Time        time.Time
}

// RevokeAPIKeyRequest names an API key to end.
type RevokeAPIKeyRequest struct {
	Auth   Auth
	APIKey []byte // serialized macaroon, binary
}

// CreateBucketRequest names a new bucket.
type CreateBucketRequest struct {
	Auth       Auth
	Name       string
	PlainNames bool
}

// BucketRequest names a bucket.
type BucketRequest struct {
	Auth Auth
	Name string
}

// ListBucketsRequest asks for a page of buckets.
type ListBucketsRequest struct {
	Auth   Auth
	Cursor string // names after this one; empty: from the first
	Limit  int    // 1 to MaxList; 0: MaxList
}

// BucketList is a page of buckets.
type BucketList struct {
	Buckets []Bucket
	More    bool
}

// DeleteBucketRequest names a bucket to delete.
type DeleteBucketRequest struct {
	Auth  Auth
	Name  string
	Force bool
}

// DeleteBucketResult says how far a deletion got.
type DeleteBucketResult struct {
	Objects int64 // deleted by this call
	More    bool  // the bucket is still there
}

// BeginObjectRequest starts an upload.
type BeginObjectRequest struct {
	Auth    Auth
	Bucket  string
	Key     []byte // encrypted
	Expires time.Time
	Plan    bool // also plan the segment at position 0/0
}

// BeginObjectResult is the start of an upload.
type BeginObjectResult struct {
	Upload []byte // sealed token
	Plan   *SegmentPlan
}

// BeginSegmentRequest asks for a plan.
type BeginSegmentRequest struct {
	Auth     Auth
	Upload   []byte
	Position Position
}

// SegmentPlan says how and where to store one segment.
type SegmentPlan struct {
	Token      []byte           // sealed; shown at commit
	Redundancy ecenc.Redundancy // ShareSize 0: the uplink chooses
	PieceKey   [32]byte         // Ed25519 seed of the limits' uplink key
	Limits     []pieces.PieceLimit
}

// ReplacePiecesRequest asks for other nodes.
type ReplacePiecesRequest struct {
	Auth    Auth
	Token   []byte        // of the plan
	Numbers []int         // pieces whose nodes failed
	Exclude []netx.NodeID // that the segment has or has tried
}

// ReplacePiecesResult has a limit for each piece that could be replaced.
type ReplacePiecesResult struct {
	Limits []pieces.PieceLimit
}

// NewSegment is a segment as an uplink commits it.
type NewSegment struct {
	Position      Position
	PlainOffset   int64
	PlainSize     int64
	EncryptedSize int64
	Salt          [SegmentSaltSize]byte
	Inline        []byte
	Token         []byte // of the plan; empty for an inline segment
	ShareSize     int
	Pieces        []pieces.StoredPiece
	Failed        []netx.NodeID // which failed or stalled: a hint for selection
}

// CommitSegmentRequest stores one segment.
type CommitSegmentRequest struct {
	Auth    Auth
	Upload  []byte
	Segment NewSegment
}

// CommitObjectRequest ends an upload.
type CommitObjectRequest struct {
	Auth       Auth
	Upload     []byte // empty: inline object
	Bucket     string // inline object
	Key        []byte // inline object
	Expires    time.Time
	Last       *NewSegment // last segment, if not yet committed
	Segments   uint32      // how many in all
	WrappedKey []byte
	Metadata   []byte
	IfAbsent   bool // ErrObjectExists if there is one of this key
}

// AbortObjectRequest ends an upload without an object.
type AbortObjectRequest struct {
	Auth   Auth
	Upload []byte
}

// ObjectRequest names an object.
type ObjectRequest struct {
	Auth   Auth
	Bucket string
	Key    []byte
}

// DownloadRequest asks for a range of an object.
type DownloadRequest struct {
	Auth   Auth
	Bucket string
	Key    []byte
	Offset int64 // plaintext bytes; negative: from the end
	Length int64 // negative: to the end; 0: the record only
}

// DownloadSegment is what is needed to read one segment.
type DownloadSegment struct {
	Position      Position
	PlainOffset   int64 // in the object
	PlainSize     int64
	EncryptedSize int64
	Salt          [SegmentSaltSize]byte
	Inline        []byte
	Redundancy    ecenc.Redundancy
	PieceKey      [32]byte // Ed25519 seed of the limits' uplink key
	Limits        []pieces.PieceLimit
	UploadKey     [32]byte // with Verify: Ed25519 public key that signed the pieces' hashes
}

// DownloadResult starts a download.
type DownloadResult struct {
	Object   Object
	Token    []byte // sealed; for DownloadSegments
	Offset   int64  // the range asked for, resolved
	Length   int64
	Segments []DownloadSegment // the first ones of the range
	More     bool              // there are more
}

// DownloadSegmentsRequest goes on with a download.
type DownloadSegmentsRequest struct {
	Auth   Auth
	Token  []byte
	Offset int64 // plaintext bytes in the object, resolved
	Length int64
	Verify bool // for whole pieces that are checked against their hashes: limits for all of each piece, and UploadKey
}

// DownloadSegmentsResult goes on with a download.
type DownloadSegmentsResult struct {
	Segments []DownloadSegment
	More     bool
}

// ListObjectsRequest asks for a page of objects.
type ListObjectsRequest struct {
	Auth      Auth
	Bucket    string
	Prefix    []byte // encrypted, whole components: empty or ending in '/'
	Cursor    []byte // keys after this one, relative to Prefix; empty: from the first
	Limit     int    // 1 to MaxList; 0: MaxList
	Recursive bool   // else keys with a further '/' are collapsed into one prefix
	Metadata  bool   // include WrappedKey and Metadata
}

// ListItem is an object, or a prefix of objects.
type ListItem struct {
	Object Object // Key is relative to the request's Prefix; of a prefix only Key is set, ending in '/'
	Prefix bool
}

// ObjectList is a page of objects.
type ObjectList struct {
	Items []ListItem
	More  bool // the cursor for the next page is the last item's key
}

// UpdateMetadataRequest replaces metadata.
type UpdateMetadataRequest struct {
	Auth     Auth
	Bucket   string
	Key      []byte
	Stream   StreamID // that was read
	Metadata []byte
}

// DeleteObjectsRequest names objects to delete.
type DeleteObjectsRequest struct {
	Auth   Auth
	Bucket string
	Keys   [][]byte // at most MaxDelete
}

// DeleteObjectsResult says which there were.
type DeleteObjectsResult struct {
	Deleted []bool // one for each key
}

// CopyObjectRequest copies or moves an object.
type CopyObjectRequest struct {
	Auth       Auth
	Bucket     string
	Key        []byte
	Stream     StreamID // that was read
	ToBucket   string
	ToKey      []byte
	WrappedKey []byte // content key, sealed for the new path
	Move       bool
	IfAbsent   bool
}
