package metabase

import (
	"context"
	"errors"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
)

// documentRow is a bucket document.
type documentRow struct {
	changed time.Time
	data    []byte
}

func (r *documentRow) Fields(c *wire.Codec) {
	c.Time(1, &r.changed)
	c.Bytes(2, &r.data, metainfo.MaxDocument)
}

// lifecycleRow is the rules of a bucket.
type lifecycleRow struct{ metainfo.Lifecycle }

// UpdateBucket changes settings of a bucket; Auth of the request is not looked at, and the placement is not checked. The
// settings are of what is written from then on.
//
// Errors: metainfo.ErrBucketNotFound, metainfo.ErrVersioning, metainfo.ErrRetention (also where the default retention
// would outlive TTL), metainfo.ErrNoLock for a default retention without lock, metainfo.ErrExpiry for a negative TTL.
func (db *DB) UpdateBucket(ctx context.Context, project metainfo.ProjectID, req *metainfo.UpdateBucketRequest) (
	bucket metainfo.Bucket, err error,
) {
	err = db.update(ctx, "update bucket", func(tx kv.Tx) (err error) {
		if bucket, err = getBucket(tx, project, req.Name); err != nil {
			return err
		}
		if err := change(&bucket, req); err != nil {
			return err
		}
		return tables{}.buckets().Put(tx, nameKey{project, req.Name}, &bucketRow{bucket})
	})
	return bucket, err
}

func change(b *metainfo.Bucket, req *metainfo.UpdateBucketRequest) error {
	has := func(c metainfo.BucketChange) bool { return req.Change&c != 0 }
	if has(metainfo.ChangeVersioning) {
		if req.Versioning == metainfo.Unversioned && b.Versioning != metainfo.Unversioned {
			return metainfo.ErrVersioning
		}
		b.Versioning = req.Versioning
	}
	if has(metainfo.ChangeLock) {
		if b.Lock && !req.Lock {
			return metainfo.ErrVersioning
		}
		b.Lock = req.Lock
	}
	if has(metainfo.ChangeRetention) {
		b.Retention = req.Retention
	}
	if has(metainfo.ChangeTTL) {
		b.TTL = req.TTL
	}
	if has(metainfo.ChangePlacement) {
		b.Placement = req.Placement
	}
	return checkSettings(b)
}

// checkSettings applies the rules of settings that depend on each other.
func checkSettings(b *metainfo.Bucket) error {
	if err := b.Retention.Validate(); err != nil {
		return err
	}
	noTime := time.Time{}
	switch {
	case b.Lock && b.Versioning != metainfo.VersioningEnabled:
		return metainfo.ErrVersioning
	case !b.Lock && b.Retention != metainfo.DefaultRetention{}:
		return metainfo.ErrNoLock
	case b.TTL < 0:
		return metainfo.ErrExpiry
	case b.TTL > 0 && b.Retention.At(noTime).Until.After(noTime.Add(b.TTL)):
		return metainfo.ErrRetention
	}
	return nil
}

// BucketDocument returns a document; one that was never put is empty. Errors: metainfo.ErrBucketNotFound,
// metainfo.ErrDocument.
func (db *DB) BucketDocument(ctx context.Context, project metainfo.ProjectID, bucket, name string) (
	document metainfo.BucketDocument, err error,
) {
	if err := metainfo.CheckDocument(name, nil); err != nil {
		return document, err
	}
	err = db.view(ctx, "get bucket document", func(tx kv.Tx) error {
		if err := checkBucket(tx, project, bucket); err != nil {
			return err
		}
		row, err := tables{}.documents().Get(tx, documentKey{project, bucket, name})
		document = metainfo.BucketDocument{Data: row.data, Changed: row.changed}
		return orElse(err, nil)
	})
	return document, err
}

// PutBucketDocument keeps a document with a bucket; an empty one removes it. Errors: metainfo.ErrBucketNotFound,
// metainfo.ErrDocument.
func (db *DB) PutBucketDocument(ctx context.Context, project metainfo.ProjectID, bucket, name string, data []byte) error {
	if err := metainfo.CheckDocument(name, data); err != nil {
		return err
	}
	return db.update(ctx, "put bucket document", func(tx kv.Tx) error {
		if err := checkBucket(tx, project, bucket); err != nil {
			return err
		}
		key := documentKey{project, bucket, name}
		if len(data) == 0 {
			return tables{}.documents().Delete(tx, key)
		}
		return tables{}.documents().Put(tx, key, &documentRow{now(), data})
	})
}

// Lifecycle returns the rules of a bucket. Errors: metainfo.ErrBucketNotFound.
func (db *DB) Lifecycle(ctx context.Context, project metainfo.ProjectID, bucket string) (
	rules metainfo.Lifecycle, err error,
) {
	err = db.view(ctx, "get lifecycle", func(tx kv.Tx) error {
		if err := checkBucket(tx, project, bucket); err != nil {
			return err
		}
		rules, err = getLifecycle(tx, project, bucket)
		return err
	})
	return rules, err
}

// getLifecycle returns the rules of a bucket, none where there are none.
func getLifecycle(tx kv.Tx, project metainfo.ProjectID, bucket string) (metainfo.Lifecycle, error) {
	row, err := tables{}.lifecycles().Get(tx, nameKey{project, bucket})
	if errors.Is(err, kv.ErrNotFound) {
		return metainfo.Lifecycle{}, nil
	}
	return row.Lifecycle, err
}

// PutLifecycle replaces them; none at all removes them. Errors: metainfo.ErrBucketNotFound, metainfo.ErrLifecycle.
func (db *DB) PutLifecycle(ctx context.Context, project metainfo.ProjectID, bucket string, l metainfo.Lifecycle) error {
	if len(l.Rules) > metainfo.MaxRules {
		return metainfo.ErrLifecycle
	}
	for i := range l.Rules {
		if err := l.Rules[i].Validate(); err != nil {
			return err
		}
	}
	return db.update(ctx, "put lifecycle", func(tx kv.Tx) error {
		if err := checkBucket(tx, project, bucket); err != nil {
			return err
		}
		key := nameKey{project, bucket}
		if len(l.Rules) == 0 {
			return tables{}.lifecycles().Delete(tx, key)
		}
		return tables{}.lifecycles().Put(tx, key, &lifecycleRow{l})
	})
}
