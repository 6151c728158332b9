package endpoint

import (
	"context"
	"fmt"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/netx"
)

const (
	lockChanges  = metainfo.ChangeLock | metainfo.ChangeRetention
	plainChanges = metainfo.ChangeVersioning | metainfo.ChangeTTL | metainfo.ChangePlacement
)

// UpdateBucket changes settings of a bucket. A key for a part of it may not.
func (e *Endpoint) UpdateBucket(ctx context.Context, req *metainfo.UpdateBucketRequest) (*metainfo.Bucket, error) {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	plain := req.Change&plainChanges != 0 || req.Change&lockChanges == 0
	switch {
	case plain && !c.mayAll(macaroon.Write, req.Name),
		req.Change&lockChanges != 0 && !c.mayAll(macaroon.PutBucketLock, req.Name):
		return nil, metainfo.ErrDenied
	case req.Change == 0 || req.Change&^(plainChanges|lockChanges) != 0:
		return nil, fmt.Errorf("%w: settings %#x", netx.ErrMalformed, uint32(req.Change))
	case req.Change&metainfo.ChangePlacement != 0 && !e.opts.Nodes.Placement(req.Placement):
		return nil, metainfo.ErrPlacement
	}
	bucket, err := e.db.UpdateBucket(ctx, c.project.ID, req)
	if err != nil {
		return nil, err
	}
	e.describe(c, &bucket)
	return &bucket, nil
}

// describe completes a bucket's record, and takes from it what the key may not know.
func (e *Endpoint) describe(c *caller, b *metainfo.Bucket) {
	b.Changes = e.changesFor(c, b.Name)
	if !c.may(macaroon.GetBucketLock, b.Name, nil) {
		b.Lock, b.Retention = false, metainfo.DefaultRetention{}
	}
}

// mayRead says whether the caveats allow to read a document. What is said to every visitor of a bucket may be known to
// who reads a part of it; what names its objects or its guests, to who reads it all.
func (c *caller) mayRead(bucket, document string) bool {
	switch document {
	case metainfo.DocumentNotifications:
		return c.mayAll(macaroon.GetBucketNotifications, bucket)
	case metainfo.DocumentCORS, metainfo.DocumentWebsite, metainfo.DocumentTags, metainfo.DocumentEncryption:
		return c.may(macaroon.Read, bucket, nil)
	}
	return c.mayAll(macaroon.Read, bucket)
}

// GetBucketDocument returns a document of a bucket.
func (e *Endpoint) GetBucketDocument(ctx context.Context, req *metainfo.BucketDocumentRequest) (
	*metainfo.BucketDocument, error,
) {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	if !c.mayRead(req.Bucket, req.Name) {
		return nil, metainfo.ErrDenied
	}
	document, err := e.db.BucketDocument(ctx, c.project.ID, req.Bucket, req.Name)
	if err != nil {
		return nil, err
	}
	return &document, nil
}

// PutBucketDocument keeps a document with a bucket.
func (e *Endpoint) PutBucketDocument(ctx context.Context, req *metainfo.PutBucketDocumentRequest) error {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return err
	}
	op := macaroon.Write
	if req.Name == metainfo.DocumentNotifications {
		op = macaroon.PutBucketNotifications
	}
	if !c.mayAll(op, req.Bucket) {
		return metainfo.ErrDenied
	}
	return e.db.PutBucketDocument(ctx, c.project.ID, req.Bucket, req.Name, req.Data)
}

// GetLifecycle returns the lifecycle rules of a bucket.
func (e *Endpoint) GetLifecycle(ctx context.Context, req *metainfo.BucketRequest) (*metainfo.Lifecycle, error) {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	if !c.mayAll(macaroon.Read, req.Name) {
		return nil, metainfo.ErrDenied
	}
	rules, err := e.db.Lifecycle(ctx, c.project.ID, req.Name)
	if err != nil {
		return nil, err
	}
	return &rules, nil
}

// PutLifecycle replaces the lifecycle rules of a bucket. Rules delete: so must the key be allowed to.
func (e *Endpoint) PutLifecycle(ctx context.Context, req *metainfo.PutLifecycleRequest) error {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return err
	}
	if !c.mayAll(macaroon.Write, req.Bucket) || !c.mayAll(macaroon.Delete, req.Bucket) {
		return metainfo.ErrDenied
	}
	return e.db.PutLifecycle(ctx, c.project.ID, req.Bucket, req.Lifecycle)
}
