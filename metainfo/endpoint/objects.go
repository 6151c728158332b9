package endpoint

import (
	"context"
	"fmt"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/netx"
)

// maySee says whether the caveats allow to see an object's record: whoever may list it may.
func (c *caller) maySee(bucket string, key []byte) bool {
	return c.may(macaroon.Read, bucket, key) || c.may(macaroon.List, bucket, key)
}

// GetObject returns an object's record.
func (e *Endpoint) GetObject(ctx context.Context, req *metainfo.ObjectRequest) (*metainfo.Object, error) {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	if !c.maySee(req.Bucket, req.Key) {
		return nil, metainfo.ErrDenied
	}
	object, err := e.db.Object(ctx, metabase.ObjectRef{
		Project: c.project.ID, Bucket: req.Bucket, Key: req.Key, Version: req.Version,
	})
	if err != nil {
		return nil, err
	}
	c.hide(req.Bucket, req.Key, &object)
	return &object, nil
}

// listedRows is how many rows that a listing skips, delete markers and versions that have expired, count as another request:
// as much work as an inline commit. Measured on a busy machine: 1 us a row (BenchmarkListingSkips, in memory), 290 us a
// commit (BenchmarkCommitInline, 2026-11).
const listedRows = 300

// listing checks what all listings of a bucket have in common and returns the most items of a page.
//
// Errors: ErrListLimit.
func listing(prefix []byte, limit int) (int, error) {
	if len(prefix) > metainfo.MaxKeySize || len(prefix) > 0 && prefix[len(prefix)-1] != '/' {
		return 0, metainfo.ErrListLimit
	}
	return pageSize(limit)
}

// ListObjects returns a page of objects, or of versions.
func (e *Endpoint) ListObjects(ctx context.Context, req *metainfo.ListObjectsRequest) (*metainfo.ObjectList, error) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.List, req.Bucket, req.Prefix)
	if err != nil {
		return nil, err
	}
	limit, err := listing(req.Prefix, req.Limit)
	if err != nil {
		return nil, err
	}
	changes := e.changesFor(c, req.Bucket) // before the page: what comes meanwhile is a change
	read := 0
	page, err := e.db.ListObjects(ctx, metabase.ListObjects{
		Project: c.project.ID, Bucket: req.Bucket, Prefix: req.Prefix, Cursor: req.Cursor, Limit: limit,
		Recursive: req.Recursive, Metadata: req.Metadata, Versions: req.Versions, CursorVersion: req.CursorVersion, Read: &read,
	})
	e.gate.charge(c.project.ID, max(0, read-metainfo.MaxList)/listedRows, c.now)
	if err != nil {
		e.changes.forget(c.project.ID, req.Bucket) // there may be no such bucket
		return nil, err
	}
	page.Changes = changes
	if c.may(macaroon.GetRetention, req.Bucket, req.Prefix) && c.may(macaroon.GetLegalHold, req.Bucket, req.Prefix) {
		return &page, nil
	}
	for i := range page.Items { // caveats speak of whole prefixes: what holds for this one holds for all under it
		c.hide(req.Bucket, req.Prefix, &page.Items[i].Object)
	}
	return &page, nil
}

// UpdateMetadata replaces the metadata of an object.
func (e *Endpoint) UpdateMetadata(ctx context.Context, req *metainfo.UpdateMetadataRequest) error {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Write, req.Bucket, req.Key)
	if err != nil {
		return err
	}
	ref := metabase.ObjectRef{Project: c.project.ID, Bucket: req.Bucket, Key: req.Key, Version: req.Version}
	defer e.changes.bump(c.project.ID, req.Bucket)
	return e.db.UpdateMetadataOnce(ctx, ref, req.Stream, e.metadataName(c.project.ID, req), req.Metadata)
}

// metadataName is a MAC of a change of metadata, which is sealed with fresh randomness each time; none where there is
// nothing to seal.
func (e *Endpoint) metadataName(project metainfo.ProjectID, req *metainfo.UpdateMetadataRequest) (
	name metainfo.StreamID,
) {
	if len(req.Metadata) == 0 {
		return name
	}
	m := e.newStreamMAC("storj/metadata/v1", project)
	m.part([]byte(req.Bucket))
	m.part(req.Key)
	m.part(req.Stream[:])
	m.part(req.Metadata)
	return m.stream()
}

// SetLock changes the protection of a version.
func (e *Endpoint) SetLock(ctx context.Context, req *metainfo.SetLockRequest) error {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return err
	}
	may := func(op macaroon.Op) bool { return c.may(op, req.Bucket, req.Key) }
	switch {
	case !req.SetRetention && !req.SetHold && !may(macaroon.Lock),
		req.SetRetention && !may(macaroon.PutRetention),
		req.SetHold && !may(macaroon.PutLegalHold),
		req.BypassGovernance && !may(macaroon.BypassGovernanceRetention):
		return metainfo.ErrDenied
	case !req.SetRetention && !req.SetHold:
		return fmt.Errorf("%w: nothing is to be changed", netx.ErrMalformed)
	}
	defer e.changes.bump(c.project.ID, req.Bucket)
	return e.db.SetLock(ctx, metabase.SetLock{
		ObjectRef: metabase.ObjectRef{
			Project: c.project.ID, Bucket: req.Bucket, Key: req.Key, Version: req.Version,
		},
		SetRetention: req.SetRetention, Retention: req.Retention,
		SetHold: req.SetHold, LegalHold: req.LegalHold, BypassGovernance: req.BypassGovernance,
	})
}

// CopyObject copies or moves an object.
func (e *Endpoint) CopyObject(ctx context.Context, req *metainfo.CopyObjectRequest) (*metainfo.Object, error) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.Read, req.Bucket, req.Key)
	if err != nil {
		return nil, err
	}
	allowed := c.may(macaroon.Write, req.ToBucket, req.ToKey) &&
		c.mayLock(req.ToBucket, req.ToKey, req.Retention, req.LegalHold) &&
		(!req.Move || c.may(macaroon.Delete, req.Bucket, req.Key))
	if !allowed {
		return nil, metainfo.ErrDenied
	}
	if len(req.WrappedKey) > metainfo.MaxWrappedKeySize || len(req.Metadata) > metainfo.MaxMetadataSize {
		return nil, metainfo.ErrMetadataTooLarge
	}
	from := metabase.ObjectRef{Project: c.project.ID, Bucket: req.Bucket, Key: req.Key, Version: req.Version}
	expires, size, err := e.checkCopy(ctx, c, req, from)
	if err != nil {
		return nil, err
	}
	to := metabase.ObjectRef{Project: c.project.ID, Bucket: req.ToBucket, Key: req.ToKey}
	stream := e.copyStream(c.project.ID, req)
	if !req.Move {
		if size, err = e.reserve(ctx, c, to, stream, size); err != nil {
			return nil, err
		}
	}
	object, err := e.db.CopyObject(ctx, metabase.CopyObject{
		From: from, Stream: req.Stream, To: to, WrappedKey: req.WrappedKey, Move: req.Move,
		IfAbsent: req.IfAbsent, IfStream: req.IfStream, NoReplace: !c.may(macaroon.Delete, req.ToBucket, req.ToKey),
		Retention: req.Retention, LegalHold: req.LegalHold,
		ReplaceMetadata: req.ReplaceMetadata, Metadata: req.Metadata, Expires: expires,
		NewStream: stream,
	})
	e.changes.bump(c.project.ID, req.Bucket)
	e.changes.bump(c.project.ID, req.ToBucket)
	if err != nil {
		e.meter.release(c.project.ID, size)
		return nil, replacing(err, req.IfAbsent)
	}
	if object.Created.Before(c.now) {
		e.meter.release(c.project.ID, size) // it was there before: the answer of an earlier call was lost
	}
	c.hide(req.ToBucket, req.ToKey, &object)
	return &object, nil
}

// copyStream is a MAC of all that makes a copy; the wrapped key is random for each attempt at one.
func (e *Endpoint) copyStream(project metainfo.ProjectID, req *metainfo.CopyObjectRequest) metainfo.StreamID {
	m := e.newStreamMAC("storj/copy-stream/v1", project)
	m.part([]byte(req.Bucket))
	m.part(req.Key)
	m.part(req.Stream[:])
	m.part([]byte(req.ToBucket))
	m.part(req.ToKey)
	m.part(req.WrappedKey)
	m.part(req.Metadata)
	m.part(req.IfStream[:])
	m.time(req.Expires)
	m.time(req.Retention.Until)
	m.flags(req.Move, req.IfAbsent, req.LegalHold, req.ReplaceMetadata)
	return m.stream()
}

// checkCopy applies the key's limit on the life of objects to a copy, which lives no longer than its source, and says
// what it will take. A move takes nothing.
func (e *Endpoint) checkCopy(ctx context.Context, c *caller, req *metainfo.CopyObjectRequest, from metabase.ObjectRef) (
	expires time.Time, size totals, err error,
) {
	if req.ReplaceMetadata {
		if expires, err = c.expiry(req.Expires); err != nil {
			return expires, size, err
		}
	}
	if req.Move && (c.maxTTL() == 0 || req.ReplaceMetadata) {
		return expires, size, nil
	}
	object, err := e.db.Object(ctx, from)
	if err != nil {
		return expires, size, err
	}
	if !req.Move {
		size = totalsOf(&object)
	}
	if !req.ReplaceMetadata {
		err = c.checkExpiry(object.Expires)
	}
	return expires, size, err
}
