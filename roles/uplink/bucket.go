package uplink

import (
	"context"
	"errors"
	"time"

	"storj/ecenc/keys"
	"storj/metainfo"
)

// Bucket is a bucket of a project.
type Bucket struct {
	Name       string
	Created    time.Time
	PlainNames bool // the satellite sees object keys, and lists them in their order; content is encrypted all the same
}

// BucketOptions are fixed when a bucket is made. The zero value, and nil, is the default.
type BucketOptions struct {
	PlainNames bool // as in Bucket
}

// CreateBucket makes a bucket.
//
// Errors: ErrBucketNameInvalid, ErrBucketExists, ErrLimitExceeded.
func (p *Project) CreateBucket(ctx context.Context, name string, opts *BucketOptions) (*Bucket, error) {
	return p.createBucket(ctx, "create bucket", name, opts)
}

// EnsureBucket makes a bucket unless it exists, whatever its options.
//
// Errors: ErrBucketNameInvalid, ErrLimitExceeded.
func (p *Project) EnsureBucket(ctx context.Context, name string, opts *BucketOptions) (*Bucket, error) {
	const op = "ensure bucket"
	bucket, err := p.createBucket(ctx, op, name, opts)
	if !errors.Is(err, ErrBucketExists) {
		return bucket, err
	}
	return p.statBucket(ctx, op, name)
}

func (p *Project) createBucket(ctx context.Context, op, name string, opts *BucketOptions) (bucket *Bucket, err error) {
	if opts == nil {
		opts = &BucketOptions{}
	}
	if err := metainfo.CheckBucketName(name); err != nil {
		return nil, wrap(op, err)
	}
	err = p.do(ctx, op, func(ctx context.Context) error {
		req := &metainfo.CreateBucketRequest{Auth: p.auth(), Name: name, PlainNames: opts.PlainNames}
		made, err := call(ctx, p.once(), p.meta.CreateBucket, req)
		if err == nil {
			bucket = p.bucket(made)
		}
		return err
	})
	return bucket, err
}

// StatBucket returns a bucket.
//
// Errors: ErrBucketNameInvalid, ErrBucketNotFound.
func (p *Project) StatBucket(ctx context.Context, name string) (*Bucket, error) {
	return p.statBucket(ctx, "stat bucket", name)
}

func (p *Project) statBucket(ctx context.Context, op, name string) (bucket *Bucket, err error) {
	err = p.do(ctx, op, func(ctx context.Context) error {
		bucket, err = p.getBucket(ctx, name)
		return err
	})
	return bucket, err
}

func (p *Project) getBucket(ctx context.Context, name string) (*Bucket, error) {
	if err := metainfo.CheckBucketName(name); err != nil {
		return nil, err
	}
	got, err := call(ctx, p.standalone(), p.meta.GetBucket, &metainfo.BucketRequest{Auth: p.auth(), Name: name})
	if err != nil {
		return nil, err
	}
	return p.bucket(got), nil
}

// bucket returns a record as the caller gets it, and remembers it.
func (p *Project) bucket(b *metainfo.Bucket) *Bucket {
	p.buckets.put(b.Name, b.PlainNames)
	return &Bucket{Name: b.Name, Created: b.Created, PlainNames: b.PlainNames}
}

// DeleteBucket deletes an empty bucket.
//
// Errors: ErrBucketNotFound, ErrBucketNotEmpty.
func (p *Project) DeleteBucket(ctx context.Context, name string) error {
	return p.do(ctx, "delete bucket", func(ctx context.Context) error {
		p.buckets.forget(name)
		req := &metainfo.DeleteBucketRequest{Auth: p.auth(), Name: name}
		_, err := call(ctx, p.once(), p.meta.DeleteBucket, req)
		return err
	})
}

// DeleteBucketWithObjects deletes a bucket and all that is in it, and returns how many objects that were. When it ends
// early, the bucket has fewer objects than before, and it may be called again.
//
// Errors: ErrBucketNotFound.
func (p *Project) DeleteBucketWithObjects(ctx context.Context, name string) (objects int64, err error) {
	err = p.do(ctx, "delete bucket with objects", func(ctx context.Context) error {
		p.buckets.forget(name)
		req := &metainfo.DeleteBucketRequest{Auth: p.auth(), Name: name, Force: true}
		for {
			result, err := call(ctx, p.standalone(), p.meta.DeleteBucket, req)
			if err != nil {
				return err
			}
			objects += result.Objects
			if !result.More {
				return nil
			}
		}
	})
	return objects, err
}

// keysOf returns the encryption keys as they apply to a bucket: with its names encrypted or not. It asks the satellite
// when it does not know. Errors: keys.ErrNoKey when they open nothing in it.
func (p *Project) keysOf(ctx context.Context, bucket string) (*keys.Access, error) {
	view := p.access.bucketKeys(bucket)
	if view.Default == nil && len(view.Prefixes) == 0 {
		return nil, keys.ErrNoKey
	}
	if plain, known := namesKind(view); known {
		return withNames(view, plain), nil
	}
	if plain, ok := p.buckets.get(bucket); ok {
		return withNames(view, plain), nil
	}
	b, err := p.getBucket(ctx, bucket)
	if err != nil {
		return nil, err
	}
	return withNames(view, b.PlainNames), nil
}

// ListBucketsOptions narrows a listing of buckets. The zero value, and nil, is all of them.
type ListBucketsOptions struct {
	Cursor string // names after this one
}

// ListBuckets lists the buckets of the project in order of name. Nothing is asked before the first Next.
func (p *Project) ListBuckets(ctx context.Context, opts *ListBucketsOptions) *BucketIterator {
	var cursor string
	if opts != nil {
		cursor = opts.Cursor
	}
	return &BucketIterator{fetch: func() (list []Bucket, more bool, err error) {
		err = p.do(ctx, "list buckets", func(ctx context.Context) error {
			req := &metainfo.ListBucketsRequest{Auth: p.auth(), Cursor: cursor}
			page, err := call(ctx, p.standalone(), p.meta.ListBuckets, req)
			if err != nil {
				return err
			}
			for i := range page.Buckets {
				list = append(list, *p.bucket(&page.Buckets[i]))
				cursor = page.Buckets[i].Name
			}
			more = page.More && len(list) > 0
			return nil
		})
		return list, more, err
	}}
}

// BucketIterator goes through buckets, a page of the satellite at a time. For one goroutine.
type BucketIterator struct {
	fetch func() (list []Bucket, more bool, err error)
	page  []Bucket
	item  *Bucket
	ended bool
	err   error
}

// Next moves to the next bucket and says whether there is one. After false, Err tells why.
func (it *BucketIterator) Next() bool {
	it.item = nil
	for len(it.page) == 0 && !it.ended {
		var more bool
		it.page, more, it.err = it.fetch()
		it.ended = !more || it.err != nil
	}
	if len(it.page) == 0 || it.err != nil {
		return false
	}
	it.item, it.page = &it.page[0], it.page[1:]
	return true
}

// Item returns the bucket that Next moved to; it belongs to the caller.
func (it *BucketIterator) Item() *Bucket { return it.item }

// Err returns why the listing ended early, or nil.
func (it *BucketIterator) Err() error { return it.err }
