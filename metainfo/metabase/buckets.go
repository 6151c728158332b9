package metabase

import (
	"bytes"
	"context"
	"errors"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// CreateBucket makes a bucket; its Created is set when zero.
//
// Errors: metainfo.ErrBucketName, metainfo.ErrProjectNotFound, metainfo.ErrBucketExists, metainfo.ErrTooManyBuckets.
func (db *DB) CreateBucket(ctx context.Context, project metainfo.ProjectID, bucket metainfo.Bucket) (
	metainfo.Bucket, error,
) {
	if err := metainfo.CheckBucketName(bucket.Name); err != nil {
		return metainfo.Bucket{}, err
	}
	if bucket.Created.IsZero() {
		bucket.Created = now()
	}
	err := db.update(ctx, "create bucket", func(tx kv.Tx) error {
		if _, err := getProject(tx, project); err != nil {
			return err
		}
		if _, err := getBucket(tx, project, bucket.Name); !errors.Is(err, metainfo.ErrBucketNotFound) {
			if err == nil {
				err = metainfo.ErrBucketExists
			}
			return err
		}
		count := 0
		err := kv.Scan(tx, tables{}.buckets().Prefix(project[:]), func(_, _ []byte) (bool, error) {
			count++
			return true, nil
		})
		if err != nil {
			return err
		}
		if count >= metainfo.MaxBuckets {
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

// DeleteBucket deletes an empty bucket. With force it deletes a bounded number of objects first, and the bucket when
// none are left; it is called again while more is true. Expired objects do not keep a bucket from being empty.
//
// Errors: metainfo.ErrBucketNotFound, metainfo.ErrBucketNotEmpty without force.
func (db *DB) DeleteBucket(ctx context.Context, project metainfo.ProjectID, name string, force bool) (
	deleted int64, more bool, err error,
) {
	at := now()
	err = db.update(ctx, "delete bucket", func(tx kv.Tx) error {
		deleted, more = 0, false
		if err := checkBucket(tx, project, name); err != nil {
			return err
		}
		table, budget := tables{}.objects(), newBudget()
		err := table.Scan(tx, table.Prefix(appendBucketPrefix(nil, project, name)),
			func(k objectKey, row *objectRow) (bool, error) {
				if budget.spent() {
					more = true
					return false, nil
				}
				if !force && !row.expired(at) {
					return false, metainfo.ErrBucketNotEmpty
				}
				if !row.expired(at) {
					deleted++
				}
				return true, deleteObject(tx, k, row, budget)
			})
		if err != nil || more {
			return err
		}
		return tables{}.buckets().Delete(tx, nameKey{project, name})
	})
	return deleted, more, err
}

// sameObject says whether two keys are versions of one object.
func sameObject(a, b ObjectRef) bool {
	return a.Project == b.Project && a.Bucket == b.Bucket && bytes.Equal(a.Key, b.Key)
}
