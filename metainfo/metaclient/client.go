package metaclient

import (
	"context"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

// CallTimeout bounds a call whose context has no deadline.
const CallTimeout = 30 * time.Second

// Client is the Service of one satellite.
type Client struct {
	pool      *rpc.Pool
	satellite netx.NodeURL
}

var _ metainfo.Service = (*Client)(nil)

// New returns a client of the satellite. The pool stays the caller's.
func New(pool *rpc.Pool, satellite netx.NodeURL) *Client {
	return &Client{pool: pool, satellite: satellite}
}

// kind says whether the pool may send a request again when its connection died: reads, and writes that do nothing the
// second time.
type kind bool

const (
	repeats kind = true
	once    kind = false
)

// call makes one call. Errors: sentinels of metainfo, pieces, kv and netx.
func call[Resp any, P interface {
	*Resp
	wire.Message
}](ctx context.Context, c *Client, method rpc.Method, k kind, req wire.Message) (*Resp, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, CallTimeout)
		defer cancel()
	}
	resp := new(Resp)
	err := c.pool.CallWith(ctx, rpc.CallOptions{
		Peer: c.satellite, Purpose: netx.Control, Method: method, Idempotent: bool(k), MaxResponse: metainfo.MaxResponseSize,
	}, req, P(resp), metainfo.Errors(), pieces.Errors(), kv.Errors())
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// run makes a call whose response is empty.
func run(ctx context.Context, c *Client, method rpc.Method, k kind, req wire.Message) error {
	_, err := call[pieces.Empty](ctx, c, method, k, req)
	return err
}

// ProjectInfo is of metainfo.Service, as are all methods below.
func (c *Client) ProjectInfo(ctx context.Context, req *metainfo.ProjectInfoRequest) (*metainfo.ProjectInfo, error) {
	return call[metainfo.ProjectInfo](ctx, c, metainfo.MethodProjectInfo, repeats, req)
}

// RevokeAPIKey ends an API key that was made from the caller's. It is sent again like a read: the second time does nothing.
func (c *Client) RevokeAPIKey(ctx context.Context, req *metainfo.RevokeAPIKeyRequest) error {
	return run(ctx, c, metainfo.MethodRevokeAPIKey, repeats, req)
}

// CreateBucket makes a bucket.
func (c *Client) CreateBucket(ctx context.Context, req *metainfo.CreateBucketRequest) (*metainfo.Bucket, error) {
	return call[metainfo.Bucket](ctx, c, metainfo.MethodCreateBucket, once, req)
}

// GetBucket returns a bucket.
func (c *Client) GetBucket(ctx context.Context, req *metainfo.BucketRequest) (*metainfo.Bucket, error) {
	return call[metainfo.Bucket](ctx, c, metainfo.MethodGetBucket, repeats, req)
}

// ListBuckets returns a page of buckets.
func (c *Client) ListBuckets(ctx context.Context, req *metainfo.ListBucketsRequest) (*metainfo.BucketList, error) {
	return call[metainfo.BucketList](ctx, c, metainfo.MethodListBuckets, repeats, req)
}

// DeleteBucket deletes a bucket.
func (c *Client) DeleteBucket(ctx context.Context, req *metainfo.DeleteBucketRequest) error {
	return run(ctx, c, metainfo.MethodDeleteBucket, once, req)
}

// BeginObject starts an upload. One in parts is written down, and would be twice.
func (c *Client) BeginObject(ctx context.Context, req *metainfo.BeginObjectRequest) (
	*metainfo.BeginObjectResult, error,
) {
	return call[metainfo.BeginObjectResult](ctx, c, metainfo.MethodBeginObject, kind(!req.Multipart), req)
}

// BeginSegment plans a segment.
func (c *Client) BeginSegment(ctx context.Context, req *metainfo.BeginSegmentRequest) (*metainfo.SegmentPlan, error) {
	return call[metainfo.SegmentPlan](ctx, c, metainfo.MethodBeginSegment, repeats, req)
}

// ReplacePieces gives other nodes for pieces of a plan.
func (c *Client) ReplacePieces(ctx context.Context, req *metainfo.ReplacePiecesRequest) (
	*metainfo.ReplacePiecesResult, error,
) {
	return call[metainfo.ReplacePiecesResult](ctx, c, metainfo.MethodReplacePieces, repeats, req)
}

// CommitSegment stores the record of a segment.
func (c *Client) CommitSegment(ctx context.Context, req *metainfo.CommitSegmentRequest) error {
	return run(ctx, c, metainfo.MethodCommitSegment, repeats, req)
}

// CommitObject makes an upload an object.
func (c *Client) CommitObject(ctx context.Context, req *metainfo.CommitObjectRequest) (*metainfo.Object, error) {
	return call[metainfo.Object](ctx, c, metainfo.MethodCommitObject, repeats, req)
}

// AbortObject removes what an upload has stored.
func (c *Client) AbortObject(ctx context.Context, req *metainfo.AbortObjectRequest) error {
	return run(ctx, c, metainfo.MethodAbortObject, repeats, req)
}

// GetObject returns an object's record.
func (c *Client) GetObject(ctx context.Context, req *metainfo.ObjectRequest) (*metainfo.Object, error) {
	return call[metainfo.Object](ctx, c, metainfo.MethodGetObject, repeats, req)
}

// Download returns an object's record with the start of a range of it.
func (c *Client) Download(ctx context.Context, req *metainfo.DownloadRequest) (*metainfo.DownloadResult, error) {
	return call[metainfo.DownloadResult](ctx, c, metainfo.MethodDownload, repeats, req)
}

// DownloadSegments goes on with a download.
func (c *Client) DownloadSegments(ctx context.Context, req *metainfo.DownloadSegmentsRequest) (
	*metainfo.DownloadSegmentsResult, error,
) {
	return call[metainfo.DownloadSegmentsResult](ctx, c, metainfo.MethodDownloadSegments, repeats, req)
}

// ListObjects returns a page of objects.
func (c *Client) ListObjects(ctx context.Context, req *metainfo.ListObjectsRequest) (*metainfo.ObjectList, error) {
	return call[metainfo.ObjectList](ctx, c, metainfo.MethodListObjects, repeats, req)
}

// UpdateMetadata replaces the metadata of an object.
func (c *Client) UpdateMetadata(ctx context.Context, req *metainfo.UpdateMetadataRequest) error {
	return run(ctx, c, metainfo.MethodUpdateMetadata, repeats, req)
}

// DeleteObjects deletes objects.
func (c *Client) DeleteObjects(ctx context.Context, req *metainfo.DeleteObjectsRequest) (
	*metainfo.DeleteObjectsResult, error,
) {
	return call[metainfo.DeleteObjectsResult](ctx, c, metainfo.MethodDeleteObjects, once, req)
}

// CopyObject copies or moves an object.
func (c *Client) CopyObject(ctx context.Context, req *metainfo.CopyObjectRequest) (*metainfo.Object, error) {
	return call[metainfo.Object](ctx, c, metainfo.MethodCopyObject, repeats, req)
}

// UpdateBucket changes settings of a bucket.
func (c *Client) UpdateBucket(ctx context.Context, req *metainfo.UpdateBucketRequest) (*metainfo.Bucket, error) {
	return call[metainfo.Bucket](ctx, c, metainfo.MethodUpdateBucket, repeats, req)
}

// GetBucketDocument returns a document of a bucket.
func (c *Client) GetBucketDocument(ctx context.Context, req *metainfo.BucketDocumentRequest) (
	*metainfo.BucketDocument, error,
) {
	return call[metainfo.BucketDocument](ctx, c, metainfo.MethodGetDocument, repeats, req)
}

// PutBucketDocument keeps a document with a bucket.
func (c *Client) PutBucketDocument(ctx context.Context, req *metainfo.PutBucketDocumentRequest) error {
	return run(ctx, c, metainfo.MethodPutDocument, repeats, req)
}

// GetLifecycle returns the lifecycle rules of a bucket.
func (c *Client) GetLifecycle(ctx context.Context, req *metainfo.BucketRequest) (*metainfo.Lifecycle, error) {
	return call[metainfo.Lifecycle](ctx, c, metainfo.MethodGetLifecycle, repeats, req)
}

// PutLifecycle replaces the lifecycle rules of a bucket.
func (c *Client) PutLifecycle(ctx context.Context, req *metainfo.PutLifecycleRequest) error {
	return run(ctx, c, metainfo.MethodPutLifecycle, repeats, req)
}

// SetLock changes the protection of a version.
func (c *Client) SetLock(ctx context.Context, req *metainfo.SetLockRequest) error {
	return run(ctx, c, metainfo.MethodSetLock, repeats, req)
}

// DeletePrefix starts a deletion in the background.
func (c *Client) DeletePrefix(ctx context.Context, req *metainfo.DeletePrefixRequest) (*metainfo.Deletion, error) {
	return call[metainfo.Deletion](ctx, c, metainfo.MethodDeletePrefix, once, req)
}

// GetDeletion says how far a deletion is.
func (c *Client) GetDeletion(ctx context.Context, req *metainfo.DeletionRequest) (*metainfo.Deletion, error) {
	return call[metainfo.Deletion](ctx, c, metainfo.MethodGetDeletion, repeats, req)
}

// ProjectUsage says what the project uses and may use.
func (c *Client) ProjectUsage(ctx context.Context, req *metainfo.ProjectUsageRequest) (*metainfo.ProjectUsage, error) {
	return call[metainfo.ProjectUsage](ctx, c, metainfo.MethodProjectUsage, repeats, req)
}

// BeginPart starts a part.
func (c *Client) BeginPart(ctx context.Context, req *metainfo.BeginPartRequest) (*metainfo.BeginObjectResult, error) {
	return call[metainfo.BeginObjectResult](ctx, c, metainfo.MethodBeginPart, repeats, req)
}

// CommitPart ends a part.
func (c *Client) CommitPart(ctx context.Context, req *metainfo.CommitPartRequest) (*metainfo.Part, error) {
	return call[metainfo.Part](ctx, c, metainfo.MethodCommitPart, repeats, req)
}

// GetUpload finds an upload in parts again.
func (c *Client) GetUpload(ctx context.Context, req *metainfo.UploadRequest) (*metainfo.PendingUpload, error) {
	return call[metainfo.PendingUpload](ctx, c, metainfo.MethodGetUpload, repeats, req)
}

// ListUploads returns a page of uploads in parts.
func (c *Client) ListUploads(ctx context.Context, req *metainfo.ListUploadsRequest) (*metainfo.UploadList, error) {
	return call[metainfo.UploadList](ctx, c, metainfo.MethodListUploads, repeats, req)
}

// ListParts returns a page of parts.
func (c *Client) ListParts(ctx context.Context, req *metainfo.ListPartsRequest) (*metainfo.PartList, error) {
	return call[metainfo.PartList](ctx, c, metainfo.MethodListParts, repeats, req)
}
