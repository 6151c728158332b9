package uplink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"storj/ecenc/keys"
	"storj/metainfo"
)

// Bucket is a bucket of a project.
type Bucket struct {
	Name       string
	Created    time.Time
	PlainNames bool // the satellite sees object keys, and lists them in their order; content is encrypted all the same
	Versioning Versioning
	ObjectLock bool // versions can be protected by retention and legal hold

	DefaultRetention DefaultRetention // of new versions, with ObjectLock
	TTL              time.Duration    // longest life of new objects; 0: any
	Placement        int              // rule of the satellite for where the data lies; 0: the default one
	// Changes is another number whenever an object of the bucket was changed: what somebody remembers of the bucket is
	// right while it stays. It may change for no reason.
	Changes uint64
}

// BucketOptions are how a bucket is made; PlainNames is fixed then. The zero value, and nil, is the default.
type BucketOptions struct {
	PlainNames bool // as in Bucket
	Versioning bool // from the start; can also be enabled later
	ObjectLock bool // from the start, with versioning; can also be enabled later
	Placement  int  // as in Bucket
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
	placement, err := placementOf(opts.Placement)
	if err != nil {
		return nil, wrap(op, err)
	}
	err = p.do(ctx, op, func(ctx context.Context) error {
		req := &metainfo.CreateBucketRequest{
			Auth: p.auth(), Name: name, PlainNames: opts.PlainNames, Lock: opts.ObjectLock, Placement: placement,
		}
		if opts.Versioning || opts.ObjectLock {
			req.Versioning = metainfo.VersioningEnabled
		}
		made, err := call(ctx, p.once(), p.meta.CreateBucket, req)
		if err != nil {
			return err
		}
		if made.Name != name || made.PlainNames != opts.PlainNames { // it would be told the names of all that comes
			return fmt.Errorf("%w: the satellite made another bucket than it was asked for", ErrInternal)
		}
		bucket = p.bucket(made)
		return nil
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
	if got.Name != name { // it would be remembered as another
		return nil, fmt.Errorf("%w: the satellite answers with another bucket", ErrInternal)
	}
	return p.bucket(got), nil
}

// bucket returns a record as the caller gets it, and remembers it.
func (p *Project) bucket(b *metainfo.Bucket) *Bucket {
	p.buckets.put(b.Name, b.PlainNames)
	return &Bucket{
		Name: b.Name, Created: b.Created, PlainNames: b.PlainNames, Versioning: Versioning(b.Versioning), ObjectLock: b.Lock,
		DefaultRetention: DefaultRetention{
			Mode: RetentionMode(b.Retention.Mode), Days: int(b.Retention.Days), Years: int(b.Retention.Years),
		},
		TTL: b.TTL, Placement: int(b.Placement), Changes: b.Changes,
	}
}

// DeleteBucket deletes an empty bucket.
//
// Errors: ErrBucketNotFound, ErrBucketNotEmpty.
func (p *Project) DeleteBucket(ctx context.Context, name string) error {
	return p.do(ctx, "delete bucket", func(ctx context.Context) error {
		p.buckets.forget(name)
		req := &metainfo.DeleteBucketRequest{Auth: p.auth(), Name: name}
		_, err := call(ctx, p.once(), noResult(p.meta.DeleteBucket), req)
		return err
	})
}

// DeleteBucketWithObjects deletes a bucket and all that is in it, and returns how many objects that were. It is
// DropBucket and WaitDeletion: when it ends early, the satellite goes on.
//
// Errors: ErrBucketNotFound, ErrBucketNotEmpty when something in it is locked.
func (p *Project) DeleteBucketWithObjects(ctx context.Context, name string) (objects int64, err error) {
	d, err := p.DropBucket(ctx, name, nil)
	if err != nil {
		return 0, err
	}
	d, err = p.WaitDeletion(ctx, d.ID, nil)
	if d != nil {
		objects = d.Objects
	}
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
	return &BucketIterator{iterator[Bucket]{fetch: func() (list []Bucket, more bool, err error) {
		err = p.do(ctx, "list buckets", func(ctx context.Context) error {
			req := &metainfo.ListBucketsRequest{Auth: p.auth(), Cursor: cursor}
			page, err := call(ctx, p.standalone(), p.meta.ListBuckets, req)
			if err != nil {
				return err
			}
			for i := range page.Buckets {
				if metainfo.CheckBucketName(page.Buckets[i].Name) != nil {
					return fmt.Errorf("%w: the satellite lists a bucket without a proper name", ErrInternal)
				}
				list = append(list, *p.bucket(&page.Buckets[i]))
				cursor = page.Buckets[i].Name
			}
			more = page.More && len(list) > 0
			return nil
		})
		return list, more, err
	}}}
}

// BucketIterator goes through buckets, a page of the satellite at a time. For one goroutine.
type BucketIterator struct{ pages iterator[Bucket] }

// Next moves to the next bucket and says whether there is one. After false, Err tells why.
func (it *BucketIterator) Next() bool { return it.pages.next() }

// Item returns the bucket that Next moved to; it belongs to the caller.
func (it *BucketIterator) Item() *Bucket { return it.pages.item }

// Err returns why the listing ended early, or nil.
func (it *BucketIterator) Err() error { return it.pages.err }
