package endpoint

import (
	"context"
	"fmt"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/metabase"
)

// beginParts writes an upload in parts. Its pieces may be stored long after, so that the row says what it is.
func (e *Endpoint) beginParts(ctx context.Context, t *target, req *metainfo.BeginObjectRequest) error {
	return e.db.BeginUpload(ctx, metabase.BeginUpload{
		Upload: t.upload(), WrappedKey: req.WrappedKey, Metadata: req.Metadata,
		Retention: req.Retention, LegalHold: req.LegalHold,
	})
}

// BeginPart starts a part.
func (e *Endpoint) BeginPart(ctx context.Context, req *metainfo.BeginPartRequest) (*metainfo.BeginObjectResult, error) {
	c, up, err := e.openParts(ctx, req.Auth, req.Upload)
	if err != nil {
		return nil, err
	}
	if req.Number == 0 || req.Number > metainfo.MaxParts {
		return nil, fmt.Errorf("%w: %d", metainfo.ErrPart, req.Number)
	}
	if err := e.meter.room(ctx, c); err != nil {
		return nil, err
	}
	t := &target{up: *up, part: req.Number, stream: metainfo.NewStreamID()}
	if _, err := e.db.GetUpload(ctx, t.upload().ObjectRef, up.stream); err != nil {
		return nil, err // better now than after the bytes have gone their way
	}
	token := partToken{upload: *up, number: req.Number, stream: t.stream, created: c.now.UTC()}
	result := &metainfo.BeginObjectResult{Upload: e.sealer.seal(kindPart, &token), Stream: t.stream}
	if req.Plan {
		if result.Plan, err = e.plan(t, metainfo.Position{Part: req.Number}); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// openParts is openUpload of an upload in parts.
func (e *Endpoint) openParts(ctx context.Context, auth metainfo.Auth, sealed []byte) (*caller, *uploadToken, error) {
	c, up, err := e.openUpload(ctx, auth, sealed)
	if err == nil && !up.parts {
		err = fmt.Errorf("%w: it has no parts", metainfo.ErrUpload)
	}
	if err != nil {
		return nil, nil, err
	}
	return c, up, nil
}

// CommitPart makes what was uploaded the part of its number.
func (e *Endpoint) CommitPart(ctx context.Context, req *metainfo.CommitPartRequest) (*metainfo.Part, error) {
	if len(req.Metadata) > metainfo.MaxPartMetadata {
		return nil, metainfo.ErrMetadataTooLarge
	}
	_, t, err := e.openTarget(ctx, req.Auth, req.Upload)
	if err != nil {
		return nil, err
	}
	if t.part == 0 {
		return nil, fmt.Errorf("%w: it is no part", metainfo.ErrUpload)
	}
	commit := metabase.CommitPart{Upload: t.upload(), Segments: req.Segments, Metadata: req.Metadata}
	settle := func() {}
	if req.Last != nil {
		if commit.Last, settle, err = e.segment(ctx, t, req.Last); err != nil {
			return nil, err
		}
	}
	part, err := e.db.CommitPart(ctx, commit)
	if err != nil {
		return nil, err
	}
	settle()
	return &part, nil
}

// GetUpload finds an upload in parts again. Whoever may write there may go on with it: with what was kept, and a token
// that is good for another MaxUploadAge.
func (e *Endpoint) GetUpload(ctx context.Context, req *metainfo.UploadRequest) (*metainfo.PendingUpload, error) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Write, req.Bucket, req.Key)
	if err != nil {
		return nil, err
	}
	if err := checkKey(req.Key); err != nil {
		return nil, err
	}
	ref := metabase.ObjectRef{Project: c.project.ID, Bucket: req.Bucket, Key: req.Key}
	upload, err := e.db.GetUpload(ctx, ref, req.Stream)
	if err != nil {
		return nil, err
	}
	bucket, err := e.db.Bucket(ctx, c.project.ID, req.Bucket)
	if err != nil {
		return nil, err
	}
	upload.Upload = e.sealer.seal(kindUpload, &uploadToken{
		project: c.project.ID, bucket: req.Bucket, key: req.Key, stream: req.Stream,
		created: c.now.UTC(), expires: upload.Expires, placement: bucket.Placement, parts: true,
	})
	c.hideUpload(req.Bucket, req.Key, &upload)
	return &upload, nil
}

// hideUpload is hide of an upload.
func (c *caller) hideUpload(bucket string, key []byte, u *metainfo.PendingUpload) {
	object := metainfo.Object{Retention: u.Retention, LegalHold: u.LegalHold}
	c.hide(bucket, key, &object)
	u.Retention, u.LegalHold = object.Retention, object.LegalHold
}

// ListUploads lists uploads in parts that have not ended.
func (e *Endpoint) ListUploads(ctx context.Context, req *metainfo.ListUploadsRequest) (*metainfo.UploadList, error) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.List, req.Bucket, req.Prefix)
	if err != nil {
		return nil, err
	}
	limit, err := listing(req.Prefix, req.Limit)
	if err != nil {
		return nil, err
	}
	page, err := e.db.ListUploads(ctx, metabase.ListUploads{
		Project: c.project.ID, Bucket: req.Bucket, Prefix: req.Prefix, Cursor: req.Cursor, CursorStream: req.CursorStream,
		Limit: limit, Recursive: req.Recursive,
	})
	if err != nil {
		return nil, err
	}
	for i := range page.Items {
		c.hideUpload(req.Bucket, req.Prefix, &page.Items[i].Upload)
	}
	return &page, nil
}

// ListParts lists the parts of an upload, for who may go on with it, or of an object, for who may see it.
func (e *Endpoint) ListParts(ctx context.Context, req *metainfo.ListPartsRequest) (*metainfo.PartList, error) {
	limit, limitErr := pageSize(req.Limit)
	list := new(metainfo.PartList)
	if len(req.Upload) > 0 {
		_, up, err := e.openParts(ctx, req.Auth, req.Upload)
		if err == nil {
			err = limitErr
		}
		if err != nil {
			return nil, err
		}
		t := target{up: *up, stream: up.stream}
		list.Parts, list.More, err = e.db.UploadParts(ctx, t.upload().ObjectRef, up.stream, req.Cursor, limit)
		return list, err
	}
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	if !c.maySee(req.Bucket, req.Key) {
		return nil, metainfo.ErrDenied
	}
	if limitErr != nil {
		return nil, limitErr
	}
	ref := metabase.ObjectRef{Project: c.project.ID, Bucket: req.Bucket, Key: req.Key, Version: req.Version}
	list.Parts, list.More, err = e.db.ObjectParts(ctx, ref, req.Cursor, limit)
	return list, err
}
