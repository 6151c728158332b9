package endpoint

import (
	"context"
	"errors"
	"fmt"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/metabase"
)

// GetObject returns an object's record. Whoever may list it may see it.
func (e *Endpoint) GetObject(ctx context.Context, req *metainfo.ObjectRequest) (*metainfo.Object, error) {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	if !c.may(macaroon.Read, req.Bucket, req.Key) && !c.may(macaroon.List, req.Bucket, req.Key) {
		return nil, metainfo.ErrDenied
	}
	object, err := e.db.Object(ctx, metabase.ObjectRef{Project: c.project.ID, Bucket: req.Bucket, Key: req.Key})
	if err != nil {
		return nil, err
	}
	return &object, nil
}

// ListObjects returns a page of objects.
func (e *Endpoint) ListObjects(ctx context.Context, req *metainfo.ListObjectsRequest) (*metainfo.ObjectList, error) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.List, req.Bucket, req.Prefix)
	if err != nil {
		return nil, err
	}
	if len(req.Prefix) > 0 && req.Prefix[len(req.Prefix)-1] != '/' {
		return nil, metainfo.ErrListLimit
	}
	limit, err := pageSize(req.Limit)
	if err != nil {
		return nil, err
	}
	page, err := e.db.ListObjects(ctx, metabase.ListObjects{
		Project: c.project.ID, Bucket: req.Bucket, Prefix: req.Prefix, Cursor: req.Cursor, Limit: limit,
		Recursive: req.Recursive, Metadata: req.Metadata,
	})
	if err != nil {
		return nil, err
	}
	return &page, nil
}

// UpdateMetadata replaces the metadata of an object.
func (e *Endpoint) UpdateMetadata(ctx context.Context, req *metainfo.UpdateMetadataRequest) error {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Write, req.Bucket, req.Key)
	if err != nil {
		return err
	}
	ref := metabase.ObjectRef{Project: c.project.ID, Bucket: req.Bucket, Key: req.Key}
	return e.db.UpdateMetadata(ctx, ref, req.Stream, req.Metadata)
}

// DeleteObjects deletes objects: all of them may be, or none is.
func (e *Endpoint) DeleteObjects(ctx context.Context, req *metainfo.DeleteObjectsRequest) (
	*metainfo.DeleteObjectsResult, error,
) {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	if len(req.Keys) > metainfo.MaxDelete {
		return nil, metainfo.ErrListLimit
	}
	for _, key := range req.Keys {
		if len(key) == 0 || len(key) > metainfo.MaxKeySize {
			return nil, metainfo.ErrObjectKey
		}
		if !c.may(macaroon.Delete, req.Bucket, key) {
			return nil, metainfo.ErrDenied
		}
	}
	deleted, err := e.db.DeleteObjects(ctx, c.project.ID, req.Bucket, req.Keys)
	if err != nil {
		return nil, err
	}
	return &metainfo.DeleteObjectsResult{Deleted: deleted}, nil
}

// CopyObject copies or moves an object.
func (e *Endpoint) CopyObject(ctx context.Context, req *metainfo.CopyObjectRequest) (*metainfo.Object, error) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Read, req.Bucket, req.Key)
	if err != nil {
		return nil, err
	}
	allowed := c.may(macaroon.Write, req.ToBucket, req.ToKey) && (!req.Move || c.may(macaroon.Delete, req.Bucket, req.Key))
	if !allowed {
		return nil, metainfo.ErrDenied
	}
	if len(req.WrappedKey) > metainfo.MaxWrappedKeySize {
		return nil, metainfo.ErrMetadataTooLarge
	}
	from := metabase.ObjectRef{Project: c.project.ID, Bucket: req.Bucket, Key: req.Key}
	to := metabase.ObjectRef{Project: c.project.ID, Bucket: req.ToBucket, Key: req.ToKey}
	if err := e.checkCopyLife(ctx, c, from); err != nil {
		return nil, err
	}
	mayReplace := c.may(macaroon.Delete, req.ToBucket, req.ToKey)
	object, err := e.db.CopyObject(ctx, metabase.CopyObject{
		From: from, Stream: req.Stream, To: to, WrappedKey: req.WrappedKey, Move: req.Move,
		IfAbsent: req.IfAbsent || !mayReplace,
	})
	if errors.Is(err, metainfo.ErrObjectExists) && !req.IfAbsent {
		return nil, fmt.Errorf("%w: replacing an object is deleting it", metainfo.ErrDenied)
	}
	if err != nil {
		return nil, err
	}
	return &object, nil
}

// checkCopyLife applies the key's limit on the life of objects to a copy, which keeps the expiry of its source.
func (e *Endpoint) checkCopyLife(ctx context.Context, c *caller, from metabase.ObjectRef) error {
	ttl, bounded, err := c.key.MaxObjectTTL()
	if err != nil {
		return metainfo.ErrDenied
	}
	if !bounded {
		return nil
	}
	object, err := e.db.Object(ctx, from)
	if err != nil {
		return err
	}
	if object.Expires.IsZero() || object.Expires.After(c.now.Add(ttl)) {
		return fmt.Errorf("%w: object would live longer than allowed", metainfo.ErrDenied)
	}
	return nil
}
