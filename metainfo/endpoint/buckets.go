package endpoint

import (
	"context"
	"slices"

	"storj/ecenc/macaroon"
	"storj/metainfo"
)

// CreateBucket makes a bucket.
func (e *Endpoint) CreateBucket(ctx context.Context, req *metainfo.CreateBucketRequest) (*metainfo.Bucket, error) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Write, req.Name, nil)
	if err != nil {
		return nil, err
	}
	bucket, err := e.db.CreateBucket(ctx, c.project.ID, metainfo.Bucket{Name: req.Name, PlainNames: req.PlainNames})
	if err != nil {
		return nil, err
	}
	return &bucket, nil
}

// GetBucket returns a bucket. Whoever may do anything in all of it, or read a part, may know that it is there.
func (e *Endpoint) GetBucket(ctx context.Context, req *metainfo.BucketRequest) (*metainfo.Bucket, error) {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	operations := []macaroon.Op{macaroon.Read, macaroon.List, macaroon.Write, macaroon.Delete}
	if !slices.ContainsFunc(operations, func(op macaroon.Op) bool { return c.may(op, req.Name, nil) }) {
		return nil, metainfo.ErrDenied
	}
	bucket, err := e.db.Bucket(ctx, c.project.ID, req.Name)
	if err != nil {
		return nil, err
	}
	return &bucket, nil
}

// ListBuckets returns the buckets that the key can reach.
func (e *Endpoint) ListBuckets(ctx context.Context, req *metainfo.ListBucketsRequest) (*metainfo.BucketList, error) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.List, "", nil)
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(req.Limit)
	if err != nil {
		return nil, err
	}
	names, all, err := c.key.AllowedBuckets()
	if err != nil {
		return nil, metainfo.ErrDenied
	}
	list := new(metainfo.BucketList)
	if all {
		list.Buckets, list.More, err = e.db.Buckets(ctx, c.project.ID, req.Cursor, limit)
		return list, err
	}
	// A project has at most MaxBuckets: one page holds them all.
	buckets, _, err := e.db.Buckets(ctx, c.project.ID, req.Cursor, metainfo.MaxBuckets)
	if err != nil {
		return nil, err
	}
	reachable := slices.DeleteFunc(buckets, func(b metainfo.Bucket) bool { return !slices.Contains(names, b.Name) })
	list.Buckets, list.More = reachable[:min(limit, len(reachable))], len(reachable) > limit
	return list, nil
}

// DeleteBucket deletes a bucket.
func (e *Endpoint) DeleteBucket(ctx context.Context, req *metainfo.DeleteBucketRequest) (
	*metainfo.DeleteBucketResult, error,
) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Delete, req.Name, nil)
	if err != nil {
		return nil, err
	}
	result := new(metainfo.DeleteBucketResult)
	result.Objects, result.More, err = e.db.DeleteBucket(ctx, c.project.ID, req.Name, req.Force)
	if err != nil {
		return nil, err
	}
	return result, nil
}

// pageSize returns the most items of a page. Errors: ErrListLimit.
func pageSize(asked int) (int, error) {
	switch {
	case asked == 0:
		return metainfo.MaxList, nil
	case asked < 0 || asked > metainfo.MaxList:
		return 0, metainfo.ErrListLimit
	}
	return asked, nil
}
