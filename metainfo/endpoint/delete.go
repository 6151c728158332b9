package endpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/metabase"
)

// DeleteObjects deletes objects and versions: the key must allow all of it, or nothing is done.
func (e *Endpoint) DeleteObjects(ctx context.Context, req *metainfo.DeleteObjectsRequest) (
	*metainfo.DeleteObjectsResult, error,
) {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	if len(req.Items) > metainfo.MaxDelete {
		return nil, metainfo.ErrListLimit
	}
	if len(req.Items) == 0 && !c.may(macaroon.Delete, req.Bucket, nil) {
		return nil, metainfo.ErrDenied // or it would tell whether there is such a bucket
	}
	for i := range req.Items {
		key := req.Items[i].Key
		if !c.mayDelete(req.Bucket, key, req.BypassGovernance) {
			return nil, metainfo.ErrDenied
		}
		if err := checkKey(key); err != nil {
			return nil, err
		}
	}
	items, err := e.db.Delete(ctx, metabase.Delete{
		Project: c.project.ID, Bucket: req.Bucket, Items: req.Items, BypassGovernance: req.BypassGovernance,
	})
	e.changes.bump(c.project.ID, req.Bucket)
	if err != nil {
		return nil, err
	}
	return &metainfo.DeleteObjectsResult{Items: items}, nil
}

func (c *caller) mayDelete(bucket string, path []byte, bypass bool) bool {
	return c.may(macaroon.Delete, bucket, path) && (!bypass || c.may(macaroon.BypassGovernanceRetention, bucket, path))
}

// DeletePrefix starts a deletion in the background. What the key allows is decided here, once and for all: the deletion
// goes on when the key is revoked or its time is over, as would have a client that was quicker.
func (e *Endpoint) DeletePrefix(ctx context.Context, req *metainfo.DeletePrefixRequest) (*metainfo.Deletion, error) {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	allowed := c.mayDelete(req.Bucket, req.Prefix, req.BypassGovernance) && c.may(macaroon.List, req.Bucket, req.Prefix)
	if !allowed {
		return nil, metainfo.ErrDenied
	}
	if _, err := listing(req.Prefix, 0); err != nil {
		return nil, err
	}
	if req.DropBucket && len(req.Prefix) > 0 {
		return nil, fmt.Errorf("%w: a bucket is deleted whole", metainfo.ErrListLimit)
	}
	d, err := e.db.StartDeletion(ctx, metabase.StartDeletion{
		Project: c.project.ID, Bucket: req.Bucket, Prefix: req.Prefix, AllVersions: req.AllVersions,
		BypassGovernance: req.BypassGovernance, DropBucket: req.DropBucket,
	})
	if err != nil {
		return nil, err
	}
	select {
	case e.deletions <- struct{}{}:
	default: // somebody else has woken the round already
	}
	return &d, nil
}

// GetDeletion says how far a deletion is, to who might have asked for it. To others there is none.
func (e *Endpoint) GetDeletion(ctx context.Context, req *metainfo.DeletionRequest) (*metainfo.Deletion, error) {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	d, err := e.db.Deletion(ctx, c.project.ID, req.ID)
	if err != nil {
		return nil, err
	}
	if !c.may(macaroon.Delete, d.Bucket, d.Prefix) {
		return nil, metainfo.ErrDeletionNotFound
	}
	return &d, nil
}

// Deletions has a token each time that a deletion was asked for: it is time for DeletionRound.
func (e *Endpoint) Deletions() <-chan struct{} { return e.deletions }

// DeletionRound does all deletions that are pending, in turns of one bounded transaction, until there are none. One that
// fails is left to the next round. It must not run twice at a time.
func (e *Endpoint) DeletionRound(ctx context.Context) error {
	failed := make(map[metainfo.DeletionID]error)
	for {
		pending, err := e.db.PendingDeletions(ctx)
		if err != nil {
			return err
		}
		worked := false
		for _, id := range pending {
			if ctx.Err() != nil {
				return nil
			}
			if failed[id] != nil {
				continue
			}
			d, _, err := e.db.RunDeletionBatch(ctx, id)
			e.changes.bumpName(d.Bucket)
			if err != nil {
				failed[id] = fmt.Errorf("deletion %x: %w", id[:4], err)
			}
			worked = worked || err == nil
		}
		if !worked {
			return joined(failed)
		}
	}
}

func joined(failed map[metainfo.DeletionID]error) error {
	list := make([]error, 0, len(failed))
	for _, err := range failed {
		list = append(list, err)
	}
	return errors.Join(list...)
}

// LifecycleRound applies the lifecycle rules of all buckets once and says what it did.
func (e *Endpoint) LifecycleRound(ctx context.Context, now time.Time) (sum metabase.LifecycleResult, err error) {
	buckets, err := e.db.LifecycleBuckets(ctx)
	if err != nil {
		return sum, err
	}
	for _, ref := range buckets {
		var cursor metabase.LifecycleCursor
		for more := true; more && ctx.Err() == nil; {
			var did metabase.LifecycleResult
			if did, cursor, more, err = e.db.RunLifecycleBatch(ctx, ref, cursor, now); err != nil {
				return sum, fmt.Errorf("lifecycle of a bucket: %w", err)
			}
			if did.Expired+did.Removed > 0 {
				e.changes.bump(ref.Project, ref.Bucket)
			}
			sum.Expired += did.Expired
			sum.Removed += did.Removed
			sum.Aborted += did.Aborted
			sum.Kept += did.Kept
			sum.Bytes += did.Bytes
		}
	}
	return sum, nil
}
