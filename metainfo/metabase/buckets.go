package metabase

import (
	"bytes"
	"context"
	"errors"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// CreateBucket makes a bucket; its Created is set when zero, and Lock sets Versioning.
//
// Errors: metainfo.ErrBucketName, metainfo.ErrProjectNotFound, metainfo.ErrBucketExists, metainfo.ErrTooManyBuckets,
// those of UpdateBucket.
func (db *DB) CreateBucket(ctx context.Context, project metainfo.ProjectID, bucket metainfo.Bucket) (
	metainfo.Bucket, error,
) {
	if err := metainfo.CheckBucketName(bucket.Name); err != nil {
		return metainfo.Bucket{}, err
	}
	if bucket.Created.IsZero() {
		bucket.Created = now()
	}
	if bucket.Lock {
		bucket.Versioning = metainfo.VersioningEnabled
	}
	if err := checkSettings(&bucket); err != nil {
		return metainfo.Bucket{}, err
	}
	err := db.update(ctx, "create bucket", func(tx kv.Tx) error {
		p, err := getProject(tx, project)
		if err != nil {
			return err
		}
		if _, err := getBucket(tx, project, bucket.Name); !errors.Is(err, metainfo.ErrBucketNotFound) {
			if err == nil {
				err = metainfo.ErrBucketExists
			}
			return err
		}
		count := int64(0)
		err = kv.Scan(tx, tables{}.buckets().Prefix(project[:]), func(_, _ []byte) (bool, error) {
			count++
			return true, nil
		})
		if err != nil {
			return err
		}
		limit := p.Limits.Buckets
		if limit == 0 {
			limit = metainfo.MaxBuckets
		}
		if count >= limit {
			return metainfo.ErrTooManyBuckets
		}
		return tables{}.buckets().Put(tx, nameKey{project, bucket.Name}, &bucketRow{bucket})
	})
	return bucket, err
}

// Bucket returns a bucket. Errors: metainfo.ErrBucketNotFound.
func (db *DB) Bucket(ctx context.Context, project metainfo.ProjectID, name string) (b metainfo.Bucket, err error) {
	err = db.view(ctx, "get bucket", func(tx kv.Tx) (err error) {
		b, err = getBucket(tx, project, name)
		return err
	})
	return b, err
}

func getBucket(tx kv.Tx, project metainfo.ProjectID, name string) (metainfo.Bucket, error) {
	row, err := tables{}.buckets().Get(tx, nameKey{project, name})
	row.Name = name
	return row.Bucket, orElse(err, metainfo.ErrBucketNotFound)
}

// checkBucket is getBucket where only its being there matters.
func checkBucket(tx kv.Tx, project metainfo.ProjectID, name string) error {
	ok, err := tables{}.buckets().Has(tx, nameKey{project, name})
	if err == nil && !ok {
		err = metainfo.ErrBucketNotFound
	}
	return err
}

// Buckets returns up to limit buckets of a project with names after the cursor, in order, and whether there are more.
func (db *DB) Buckets(ctx context.Context, project metainfo.ProjectID, cursor string, limit int) (
	list []metainfo.Bucket, more bool, err error,
) {
	err = db.view(ctx, "list buckets", func(tx kv.Tx) error {
		list, more = nil, false
		table := tables{}.buckets()
		r := table.Prefix(project[:])
		r.Start = table.Key(nil, nameKey{project, cursor})
		return table.Scan(tx, r, func(k nameKey, row *bucketRow) (bool, error) {
			if k.name == cursor {
				return true, nil
			}
			if len(list) == limit {
				more = true
				return false, nil
			}
			row.Name = k.name
			list = append(list, row.Bucket)
			return true, nil
		})
	})
	return list, more, err
}

// DeleteBucket deletes an empty bucket, with its settings, documents and the uploads in parts to it. It is called again
// while more is true: expired objects do not keep a bucket from being empty, but a call removes a bounded number of them.
// StartDeletion deletes a bucket with its objects.
//
// Errors: metainfo.ErrBucketNotFound, metainfo.ErrBucketNotEmpty.
func (db *DB) DeleteBucket(ctx context.Context, project metainfo.ProjectID, name string) (more bool, err error) {
	err = db.update(ctx, "delete bucket", func(tx kv.Tx) error {
		at, b := now(), db.sweepBudget()
		more = false
		if err := checkBucket(tx, project, name); err != nil {
			return err
		}
		table := tables{}.objects()
		err := table.Scan(tx, table.Prefix(appendBucketPrefix(nil, project, name)),
			func(k objectKey, row *objectRow) (bool, error) {
				if more = b.spent(); more {
					return false, nil
				}
				row.Version = k.version
				if !row.expired(at) {
					return false, metainfo.ErrBucketNotEmpty
				}
				return true, deleteVersion(tx, &k.ref, row, at, b)
			})
		if err != nil || more {
			return err
		}
		more, err = dropBucket(tx, project, name, at, b)
		return err
	})
	return more, err
}

// dropBucket removes a bucket without objects and what is kept with it; more says that uploads in parts remain and the
// bucket is still there.
func dropBucket(tx kv.Tx, project metainfo.ProjectID, name string, at time.Time, b *budget) (more bool, err error) {
	table := tables{}.pending()
	err = table.Scan(tx, table.Prefix(appendBucketPrefix(nil, project, name)), func(k pendingKey, _ *emptyRow) (bool, error) {
		if more = b.spent(); more {
			return false, nil
		}
		b.rows -= 2
		row, _, err := getUpload(tx, k.stream)
		if err != nil {
			return false, err
		}
		return true, killUpload(tx, k.stream, &row, at)
	})
	if err != nil || more {
		return more, err
	}
	err = kv.Scan(tx, tables{}.documents().Prefix(appendBucketPrefix(nil, project, name)), func(key, _ []byte) (bool, error) {
		return true, tx.Delete(key)
	})
	if err != nil {
		return false, err
	}
	if err := (tables{}).lifecycles().Delete(tx, nameKey{project, name}); err != nil {
		return false, err
	}
	return false, tables{}.buckets().Delete(tx, nameKey{project, name})
}

// sameObject says whether two keys are versions of one object.
func sameObject(a, b ObjectRef) bool {
	return a.Project == b.Project && a.Bucket == b.Bucket && bytes.Equal(a.Key, b.Key)
}
