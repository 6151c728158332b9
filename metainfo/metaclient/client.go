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

// kind says whether a request may be sent twice by the pool.
type kind bool

const (
	reads  kind = true
	writes kind = false
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
func run(ctx context.Context, c *Client, method rpc.Method, req wire.Message) error {
	_, err := call[pieces.Empty](ctx, c, method, writes, req)
	return err
}

// ProjectInfo is of metainfo.Service, as are all methods below.
func (c *Client) ProjectInfo(ctx context.Context, req *metainfo.ProjectInfoRequest) (*metainfo.ProjectInfo, error) {
	return call[metainfo.ProjectInfo](ctx, c, metainfo.MethodProjectInfo, reads, req)
}

// RevokeAPIKey ends an API key that was made from the caller's. It is sent again like a read: the second time does nothing.
func (c *Client) RevokeAPIKey(ctx context.Context, req *metainfo.RevokeAPIKeyRequest) error {
	_, err := call[pieces.Empty](ctx, c, metainfo.MethodRevokeAPIKey, reads, req)
	return err
}

// CreateBucket makes a bucket.
func (c *Client) CreateBucket(ctx context.Context, req *metainfo.CreateBucketRequest) (*metainfo.Bucket, error) {
	return call[metainfo.Bucket](ctx, c, metainfo.MethodCreateBucket, writes, req)
}

// GetBucket returns a bucket.
func (c *Client) GetBucket(ctx context.Context, req *metainfo.BucketRequest) (*metainfo.Bucket, error) {
	return call[metainfo.Bucket](ctx, c, metainfo.MethodGetBucket, reads, req)
}

// ListBuckets returns a page of buckets.
func (c *Client) ListBuckets(ctx context.Context, req *metainfo.ListBucketsRequest) (*metainfo.BucketList, error) {
	return call[metainfo.BucketList](ctx, c, metainfo.MethodListBuckets, reads, req)
}

// DeleteBucket deletes a bucket.
func (c *Client) DeleteBucket(ctx context.Context, req *metainfo.DeleteBucketRequest) (
	*metainfo.DeleteBucketResult, error,
) {
	return call[metainfo.DeleteBucketResult](ctx, c, metainfo.MethodDeleteBucket, writes, req)
}

// BeginObject starts an upload.
func (c *Client) BeginObject(ctx context.Context, req *metainfo.BeginObjectRequest) (
	*metainfo.BeginObjectResult, error,
) {
	return call[metainfo.BeginObjectResult](ctx, c, metainfo.MethodBeginObject, reads, req)
}

// BeginSegment plans a segment.
func (c *Client) BeginSegment(ctx context.Context, req *metainfo.BeginSegmentRequest) (*metainfo.SegmentPlan, error) {
	return call[metainfo.SegmentPlan](ctx, c, metainfo.MethodBeginSegment, reads, req)
}

// ReplacePieces gives other nodes for pieces of a plan.
func (c *Client) ReplacePieces(ctx context.Context, req *metainfo.ReplacePiecesRequest) (
	*metainfo.ReplacePiecesResult, error,
) {
	return call[metainfo.ReplacePiecesResult](ctx, c, metainfo.MethodReplacePieces, reads, req)
}

// CommitSegment stores the record of a segment.
func (c *Client) CommitSegment(ctx context.Context, req *metainfo.CommitSegmentRequest) error {
	return run(ctx, c, metainfo.MethodCommitSegment, req)
}

// CommitObject makes an upload an object.
func (c *Client) CommitObject(ctx context.Context, req *metainfo.CommitObjectRequest) (*metainfo.Object, error) {
	return call[metainfo.Object](ctx, c, metainfo.MethodCommitObject, writes, req)
}

// AbortObject removes what an upload has stored.
func (c *Client) AbortObject(ctx context.Context, req *metainfo.AbortObjectRequest) error {
	return run(ctx, c, metainfo.MethodAbortObject, req)
}

// GetObject returns an object's record.
func (c *Client) GetObject(ctx context.Context, req *metainfo.ObjectRequest) (*metainfo.Object, error) {
	return call[metainfo.Object](ctx, c, metainfo.MethodGetObject, reads, req)
}

// Download returns an object's record with the start of a range of it.
func (c *Client) Download(ctx context.Context, req *metainfo.DownloadRequest) (*metainfo.DownloadResult, error) {
	return call[metainfo.DownloadResult](ctx, c, metainfo.MethodDownload, reads, req)
}

// DownloadSegments goes on with a download.
func (c *Client) DownloadSegments(ctx context.Context, req *metainfo.DownloadSegmentsRequest) (
	*metainfo.DownloadSegmentsResult, error,
) {
	return call[metainfo.DownloadSegmentsResult](ctx, c, metainfo.MethodDownloadSegments, reads, req)
}

// ListObjects returns a page of objects.
func (c *Client) ListObjects(ctx context.Context, req *metainfo.ListObjectsRequest) (*metainfo.ObjectList, error) {
	return call[metainfo.ObjectList](ctx, c, metainfo.MethodListObjects, reads, req)
}

// UpdateMetadata replaces the metadata of an object.
func (c *Client) UpdateMetadata(ctx context.Context, req *metainfo.UpdateMetadataRequest) error {
	return run(ctx, c, metainfo.MethodUpdateMetadata, req)
}

// DeleteObjects deletes objects.
func (c *Client) DeleteObjects(ctx context.Context, req *metainfo.DeleteObjectsRequest) (
	*metainfo.DeleteObjectsResult, error,
) {
	return call[metainfo.DeleteObjectsResult](ctx, c, metainfo.MethodDeleteObjects, writes, req)
}

// CopyObject copies or moves an object.
func (c *Client) CopyObject(ctx context.Context, req *metainfo.CopyObjectRequest) (*metainfo.Object, error) {
	return call[metainfo.Object](ctx, c, metainfo.MethodCopyObject, writes, req)
}
