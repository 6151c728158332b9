package metaclient

import (
	"context"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/netx/rpc"
	"storj/pieces"
)

const (
	kib = 1 << 10
	// smallRequest bounds requests with names, tokens and an API key; revokeRequest those with two API keys; commitRequest those with the acknowledgements of a
	// segment; largeRequest those with many object keys.
	smallRequest  = 32 * kib
	revokeRequest = 2 * smallRequest
	commitRequest = 128 * kib
	largeRequest  = metainfo.MaxRequestSize
	// documentRequest and rulesRequest bound those that carry settings of a bucket.
	documentRequest = smallRequest + metainfo.MaxDocument
	rulesRequest    = smallRequest + metainfo.MaxRules*(metainfo.MaxKeySize+512)
)

// Register has the server answer all methods of the Service with svc.
func Register(s *rpc.Server, svc metainfo.Service) {
	registerBuckets(s, svc)
	registerUploads(s, svc)
	registerObjects(s, svc)
	registerSettings(s, svc)
	registerParts(s, svc)
}

func registerBuckets(s *rpc.Server, svc metainfo.Service) {
	serve(s, metainfo.MethodProjectInfo, smallRequest, svc.ProjectInfo)
	serve(s, metainfo.MethodRevokeAPIKey, revokeRequest, quiet(svc.RevokeAPIKey))
	serve(s, metainfo.MethodCreateBucket, smallRequest, svc.CreateBucket)
	serve(s, metainfo.MethodGetBucket, smallRequest, svc.GetBucket)
	serve(s, metainfo.MethodListBuckets, smallRequest, svc.ListBuckets)
	serve(s, metainfo.MethodDeleteBucket, smallRequest, quiet(svc.DeleteBucket))
}

func registerUploads(s *rpc.Server, svc metainfo.Service) {
	serve(s, metainfo.MethodBeginObject, smallRequest, svc.BeginObject)
	serve(s, metainfo.MethodBeginSegment, smallRequest, svc.BeginSegment)
	serve(s, metainfo.MethodReplacePieces, smallRequest, svc.ReplacePieces)
	serve(s, metainfo.MethodCommitSegment, commitRequest, quiet(svc.CommitSegment))
	serve(s, metainfo.MethodCommitObject, commitRequest, svc.CommitObject)
	serve(s, metainfo.MethodAbortObject, smallRequest, quiet(svc.AbortObject))
}

func registerObjects(s *rpc.Server, svc metainfo.Service) {
	serve(s, metainfo.MethodGetObject, smallRequest, svc.GetObject)
	serve(s, metainfo.MethodDownload, smallRequest, svc.Download)
	serve(s, metainfo.MethodDownloadSegments, smallRequest, svc.DownloadSegments)
	serve(s, metainfo.MethodListObjects, smallRequest, svc.ListObjects)
	serve(s, metainfo.MethodUpdateMetadata, smallRequest, quiet(svc.UpdateMetadata))
	serve(s, metainfo.MethodDeleteObjects, largeRequest, svc.DeleteObjects)
	serve(s, metainfo.MethodCopyObject, smallRequest, svc.CopyObject)
	serve(s, metainfo.MethodSetLock, smallRequest, quiet(svc.SetLock))
	serve(s, metainfo.MethodDeletePrefix, smallRequest, svc.DeletePrefix)
	serve(s, metainfo.MethodGetDeletion, smallRequest, svc.GetDeletion)
	serve(s, metainfo.MethodProjectUsage, smallRequest, svc.ProjectUsage)
}

func registerSettings(s *rpc.Server, svc metainfo.BucketSettings) {
	serve(s, metainfo.MethodUpdateBucket, smallRequest, svc.UpdateBucket)
	serve(s, metainfo.MethodGetDocument, smallRequest, svc.GetBucketDocument)
	serve(s, metainfo.MethodPutDocument, documentRequest, quiet(svc.PutBucketDocument))
	serve(s, metainfo.MethodGetLifecycle, smallRequest, svc.GetLifecycle)
	serve(s, metainfo.MethodPutLifecycle, rulesRequest, quiet(svc.PutLifecycle))
}

func registerParts(s *rpc.Server, svc metainfo.Parts) {
	serve(s, metainfo.MethodBeginPart, smallRequest, svc.BeginPart)
	serve(s, metainfo.MethodCommitPart, commitRequest, svc.CommitPart)
	serve(s, metainfo.MethodGetUpload, smallRequest, svc.GetUpload)
	serve(s, metainfo.MethodListUploads, smallRequest, svc.ListUploads)
	serve(s, metainfo.MethodListParts, smallRequest, svc.ListParts)
}

// serve registers one method.
func serve[Req, Resp any, PReq interface {
	*Req
	wire.Message
}, PResp interface {
	*Resp
	wire.Message
}](s *rpc.Server, method rpc.Method, limit int, handler func(ctx context.Context, req *Req) (*Resp, error)) {
	rpc.Unary[Req, Resp, PReq, PResp](s, method, rpc.Limits{MaxRequest: limit},
		func(ctx context.Context, _ rpc.Peer, req *Req) (*Resp, error) { return handler(ctx, req) })
}

// quiet makes a method without response one with an empty one.
func quiet[Req any](handler func(ctx context.Context, req *Req) error) func(ctx context.Context, req *Req) (
	*pieces.Empty, error,
) {
	return func(ctx context.Context, req *Req) (*pieces.Empty, error) {
		return new(pieces.Empty), handler(ctx, req)
	}
}
