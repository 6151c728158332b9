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
	// DeleteBucket deletes a bucket without objects; uploads in parts to it end. DeletePrefix deletes one with objects.
	// Errors: ErrBucketNotFound, ErrBucketNotEmpty.
	DeleteBucket(ctx context.Context, req *DeleteBucketRequest) error

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
	// UpdateMetadata replaces the metadata of an object. Repeating a request that succeeded does nothing; sealed metadata
	// are random, so that two requests are never equal by chance.
	// Errors: ErrObjectNotFound, ErrObjectChanged, ErrLocked, ErrMetadataTooLarge.
	UpdateMetadata(ctx context.Context, req *UpdateMetadataRequest) error
	// DeleteObjects deletes objects; one that does not exist is reported as not found, not an error.
	DeleteObjects(ctx context.Context, req *DeleteObjectsRequest) (*DeleteObjectsResult, error)
	// CopyObject copies or moves an object within the satellite, rows only.
	// Errors: ErrObjectNotFound, ErrObjectChanged, ErrBucketNotFound, ErrObjectKey, ErrObjectExists.
	CopyObject(ctx context.Context, req *CopyObjectRequest) (*Object, error)

	BucketSettings
	Parts
	// SetLock changes the retention or the legal hold of a version. A retention of mode Compliance can only be made
	// longer; one of mode Governance also be weakened by who may bypass it.
	// Errors: ErrObjectNotFound, ErrNoLock, ErrRetention, ErrLocked.
	SetLock(ctx context.Context, req *SetLockRequest) error
	// DeletePrefix has the satellite delete all objects under a prefix that exist now, or a bucket with them, in the
	// background. One answer is enough: the deletion goes on after a restart. Errors: ErrBucketNotFound.
	DeletePrefix(ctx context.Context, req *DeletePrefixRequest) (*Deletion, error)
	// GetDeletion says how far a deletion is. It can be asked for a day after its end. Errors: ErrDeletionNotFound.
	GetDeletion(ctx context.Context, req *DeletionRequest) (*Deletion, error)
	// ProjectUsage says what the project uses and may use.
	ProjectUsage(ctx context.Context, req *ProjectUsageRequest) (*ProjectUsage, error)
}

// BucketSettings is the part of Service about what is kept with a bucket.
type BucketSettings interface {
	// UpdateBucket changes settings. Errors: ErrBucketNotFound, ErrVersioning, ErrRetention, ErrPlacement.
	UpdateBucket(ctx context.Context, req *UpdateBucketRequest) (*Bucket, error)
	// GetBucketDocument returns a document; one that was never put is empty. Errors: ErrBucketNotFound, ErrDocument.
	GetBucketDocument(ctx context.Context, req *BucketDocumentRequest) (*BucketDocument, error)
	// PutBucketDocument keeps a document with the bucket; an empty one removes it. Errors: ErrBucketNotFound, ErrDocument.
	PutBucketDocument(ctx context.Context, req *PutBucketDocumentRequest) error
	// GetLifecycle returns the rules that the satellite applies to a bucket. Errors: ErrBucketNotFound.
	GetLifecycle(ctx context.Context, req *BucketRequest) (*Lifecycle, error)
	// PutLifecycle replaces them. Errors: ErrBucketNotFound, ErrLifecycle.
	PutLifecycle(ctx context.Context, req *PutLifecycleRequest) error
}

// Parts is the part of Service about uploads in parts: BeginObject with Multipart, for each part BeginPart, segments as
// of any upload, CommitPart; CommitObject in the end.
type Parts interface {
	// BeginPart starts a part and, when req.Plan is set, its first segment, whose position is Number/0. Its token stands
	// in for an upload's in BeginSegment, ReplacePieces, CommitSegment, CommitPart and AbortObject. It writes nothing.
	// Errors: ErrUpload, ErrPart, ErrNotEnoughNodes.
	BeginPart(ctx context.Context, req *BeginPartRequest) (*BeginObjectResult, error)
	// CommitPart makes what was uploaded the part of its number, in place of an older one. It may be repeated.
	// Errors: ErrUpload, ErrSegment, ErrAcks, ErrSegmentMissing.
	CommitPart(ctx context.Context, req *CommitPartRequest) (*Part, error)
	// GetUpload finds an upload in parts again, by its stream, with a fresh token. Errors: ErrUpload.
	GetUpload(ctx context.Context, req *UploadRequest) (*PendingUpload, error)
	// ListUploads lists uploads in parts that have not ended, by key, then stream. Errors: ErrBucketNotFound, ErrListLimit.
	ListUploads(ctx context.Context, req *ListUploadsRequest) (*UploadList, error)
	// ListParts lists the parts of an upload, or of an object, by number. Errors: ErrUpload, ErrObjectNotFound.
	ListParts(ctx context.Context, req *ListPartsRequest) (*PartList, error)
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
	Versioning Versioning // VersioningEnabled or Unversioned
	Lock       bool       // implies VersioningEnabled
	Placement  uint32
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
	Auth Auth
	Name string
}

// BeginObjectRequest starts an upload.
type BeginObjectRequest struct {
	Auth    Auth
	Bucket  string
	Key     []byte // encrypted
	Expires time.Time
	Plan    bool // also plan the segment at position 0/0

	// Multipart begins an upload in parts, which is written at once and can be listed and resumed. The fields below are
	// kept with it for CommitObject.
	Multipart  bool
	WrappedKey []byte
	Metadata   []byte
	Retention  Retention
	LegalHold  bool
}

// BeginObjectResult is the start of an upload.
type BeginObjectResult struct {
	Upload []byte // sealed token
	Plan   *SegmentPlan
	Stream StreamID // of the upload; names an upload in parts
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
	IfAbsent   bool     // ErrObjectExists if there is one of this key
	IfStream   StreamID // unless zero: ErrObjectChanged if the object of this key has another, ErrObjectNotFound if there is none
	Parts      []uint32 // of an upload in parts: ascending numbers of those to keep; empty: all
	Retention  Retention
	LegalHold  bool
	// PlainSize of an upload in parts is what they must come to, or one was replaced since Metadata was sealed: ErrPart. 0:
	// not looked at.
	PlainSize int64
}

// AbortObjectRequest ends an upload without an object.
type AbortObjectRequest struct {
	Auth   Auth
	Upload []byte
}

// ObjectRequest names an object.
type ObjectRequest struct {
	Auth    Auth
	Bucket  string
	Key     []byte
	Version uint64 // LatestVersion, NullVersion or a version
}

// DownloadRequest asks for a range of an object.
type DownloadRequest struct {
	Auth   Auth
	Bucket string
	Key    []byte
	Offset int64 // plaintext bytes; negative: from the end
	Length int64 // negative: to the end; 0: the record only

	Version uint64 // as of ObjectRequest
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

	// Versions lists all versions, delete markers among them, the newest of each key first. The cursor is then a key and
	// the version of it that was listed last; CursorVersion 0: all versions of that key were.
	Versions      bool
	CursorVersion uint64
}

// ListItem is an object, or a prefix of objects.
type ListItem struct {
	Object Object // Key is relative to the request's Prefix; of a prefix only Key is set, ending in '/'
	Prefix bool
}

// ObjectList is a page of objects.
type ObjectList struct {
	Items   []ListItem
	More    bool   // the cursor for the next page is the last item's key
	Changes uint64 // of the bucket, before the page was read: as in Bucket
}

// UpdateMetadataRequest replaces metadata.
type UpdateMetadataRequest struct {
	Auth     Auth
	Bucket   string
	Key      []byte
	Stream   StreamID // that was read
	Metadata []byte
	Version  uint64 // as of ObjectRequest
}

// DeleteObjectsRequest names objects to delete.
type DeleteObjectsRequest struct {
	Auth             Auth
	Bucket           string
	Items            []DeleteItem // at most MaxDelete
	BypassGovernance bool         // delete versions under governance retention; needs a key that may
}

// DeleteItem names an object or a version of one. In a versioned bucket deleting an object adds a delete marker, and
// only deleting a version removes it.
type DeleteItem struct {
	Key      []byte
	Version  uint64   // as of ObjectRequest; LatestVersion: the object
	IfStream StreamID // unless zero: ErrObjectChanged if the object has another
}

// DeleteObjectsResult says what became of them.
type DeleteObjectsResult struct {
	Items []DeletedItem // one for each item
}

// DeletedItem says what became of one item.
type DeletedItem struct {
	Found   bool        // there was one
	Version uint64      // that was deleted, or of the marker that was made; 0: none
	Marker  bool        // a marker was made, or deleted
	Reason  netx.Reason // why not: the number of ErrLocked or ErrObjectChanged; 0: it was done, or there was nothing to do
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
	Move       bool   // takes the version away from its old place, for good
	IfAbsent   bool
	Version    uint64   // of the source, as of ObjectRequest
	IfStream   StreamID // of the destination, as of CommitObjectRequest
	Retention  Retention
	LegalHold  bool

	// ReplaceMetadata has the copy carry Metadata, sealed under the same content key, and expire at Expires. Without it
	// the copy has those of the source.
	ReplaceMetadata bool
	Metadata        []byte
	Expires         time.Time
}
