package endpoint

import (
	"context"
	"errors"
	"slices"

	"storj/ecenc/macaroon"
	"storj/metainfo"
)

// CreateBucket makes a bucket. One with object lock needs a key that may set that.
func (e *Endpoint) CreateBucket(ctx context.Context, req *metainfo.CreateBucketRequest) (*metainfo.Bucket, error) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Write, req.Name, nil)
	if err != nil {
		return nil, err
	}
	made := metainfo.Bucket{
		Name: req.Name, PlainNames: req.PlainNames, Versioning: req.Versioning, Lock: req.Lock, Placement: req.Placement,
	}
	switch {
	case req.Lock && !c.mayAll(macaroon.PutBucketLock, req.Name):
		return nil, metainfo.ErrDenied
	case req.Versioning == metainfo.VersioningSuspended:
		return nil, metainfo.ErrVersioning
	case !e.opts.Nodes.Placement(req.Placement):
		return nil, metainfo.ErrPlacement
	case req.Lock:
		made.Versioning = metainfo.VersioningEnabled
	}
	bucket, err := e.db.CreateBucket(ctx, c.project.ID, made)
	e.changes.bump(c.project.ID, req.Name)
	if err != nil {
		return nil, err
	}
	e.describe(c, &bucket)
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
	e.describe(c, &bucket)
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
	} else {
		list.Buckets, list.More, err = e.reachable(ctx, c, names, req.Cursor, limit)
	}
	if err != nil {
		return nil, err
	}
	for i := range list.Buckets {
		e.describe(c, &list.Buckets[i])
	}
	return list, nil
}

// reachable is a page of those buckets of a project that are among names, which are sorted.
func (e *Endpoint) reachable(ctx context.Context, c *caller, names []string, cursor string, limit int) (
	list []metainfo.Bucket, more bool, err error,
) {
	for _, name := range names {
		if name <= cursor {
			continue
		}
		bucket, err := e.db.Bucket(ctx, c.project.ID, name)
		switch {
		case errors.Is(err, metainfo.ErrBucketNotFound):
		case err != nil:
			return nil, false, err
		case len(list) == limit:
			return list, true, nil
		default:
			list = append(list, bucket)
		}
	}
	return list, false, nil
}

// DeleteBucket deletes a bucket without objects. What has expired in it is swept on the way.
func (e *Endpoint) DeleteBucket(ctx context.Context, req *metainfo.DeleteBucketRequest) error {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Delete, req.Name, nil)
	if err != nil {
		return err
	}
	defer e.changes.bump(c.project.ID, req.Name)
	for more := true; more; {
		if more, err = e.db.DeleteBucket(ctx, c.project.ID, req.Name); err != nil {
			return err
		}
	}
	return nil
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
