package uplink

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"storj/metainfo"
)

// Deletion is a deletion that the satellite does in the background. Objects that are written after it was asked for stay.
type Deletion struct {
	ID      string
	Bucket  string
	Created time.Time
	Objects int64 // objects or versions deleted so far
	Bytes   int64 // of them
	Kept    int64 // that are locked
	Done    bool
	Err     error // of one that is done, but not as wanted: ErrObjectLocked, ErrBucketNotEmpty
}

// DeletePrefixOptions tunes DeletePrefix and DropBucket. The zero value, and nil, is the default.
type DeletePrefixOptions struct {
	AllVersions      bool // of a versioned bucket: delete versions for good, instead of hiding objects
	BypassGovernance bool // as in DeleteOptions
}

// DeletePrefix has the satellite delete all objects whose keys begin with the prefix, which is empty or ends in "/". It
// returns at once; WaitDeletion waits for the end.
//
// Errors: ErrBucketNotFound, ErrInvalid, ErrPermissionDenied.
func (p *Project) DeletePrefix(ctx context.Context, bucket, prefix string, opts *DeletePrefixOptions) (*Deletion, error) {
	if opts == nil {
		opts = &DeletePrefixOptions{}
	}
	return p.startDeletion(ctx, "delete prefix", bucket, prefix, metainfo.DeletePrefixRequest{
		AllVersions: opts.AllVersions, BypassGovernance: opts.BypassGovernance,
	})
}

// DropBucket has the satellite delete a bucket with all versions of all objects in it. It returns at once; WaitDeletion
// waits for the end. What is locked stays, and the bucket with it.
//
// Errors: ErrBucketNotFound, ErrPermissionDenied.
func (p *Project) DropBucket(ctx context.Context, bucket string, opts *DeletePrefixOptions) (*Deletion, error) {
	if opts == nil {
		opts = &DeletePrefixOptions{}
	}
	return p.startDeletion(ctx, "drop bucket", bucket, "", metainfo.DeletePrefixRequest{
		AllVersions: true, BypassGovernance: opts.BypassGovernance, DropBucket: true,
	})
}

func (p *Project) startDeletion(ctx context.Context, op, bucket, prefix string, req metainfo.DeletePrefixRequest) (d *Deletion, err error) {
	err = p.do(ctx, op, func(ctx context.Context) error {
		if req.Prefix, err = p.wholePrefix(ctx, bucket, prefix); err != nil {
			return err
		}
		req.Auth, req.Bucket = p.auth(), bucket
		got, err := call(ctx, p.standalone(), p.meta.DeletePrefix, &req)
		if err != nil {
			return p.found(bucket, err)
		}
		if req.DropBucket {
			p.buckets.forget(bucket)
		}
		d = deletionOf(got)
		return nil
	})
	return d, err
}

// wholePrefix encrypts a prefix of whole components.
func (p *Project) wholePrefix(ctx context.Context, bucket, prefix string) ([]byte, error) {
	if err := metainfo.CheckBucketName(bucket); err != nil {
		return nil, err
	}
	if prefix == "" {
		return nil, nil
	}
	if !strings.HasSuffix(prefix, "/") {
		return nil, fmt.Errorf("%w: prefix does not end in /", ErrInvalid)
	}
	ring, err := p.keysOf(ctx, bucket)
	if err != nil {
		return nil, p.found(bucket, err)
	}
	encrypted, _, err := ring.EncryptPrefix(bucket, prefix)
	return encrypted, err
}

func deletionOf(d *metainfo.Deletion) *Deletion {
	return &Deletion{
		ID: hex.EncodeToString(d.ID[:]), Bucket: d.Bucket, Created: d.Created, Objects: d.Objects, Bytes: d.Bytes, Kept: d.Kept,
		Done: d.Done, Err: reasonError(d.Reason),
	}
}

// Deletion says how far a deletion is. It can be asked for a day after its end.
//
// Errors: ErrDeletionNotFound, ErrInvalid.
func (p *Project) Deletion(ctx context.Context, id string) (d *Deletion, err error) {
	err = p.do(ctx, "deletion", func(ctx context.Context) error {
		d, err = p.deletion(ctx, id, p.standalone())
		return err
	})
	return d, err
}

func (p *Project) deletion(ctx context.Context, id string, patience policy) (*Deletion, error) {
	req := &metainfo.DeletionRequest{Auth: p.auth()}
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != len(req.ID) {
		return nil, fmt.Errorf("%w: %q is no deletion", ErrInvalid, id)
	}
	copy(req.ID[:], raw)
	got, err := call(ctx, patience, p.meta.GetDeletion, req)
	if err != nil {
		return nil, err
	}
	return deletionOf(got), nil
}

// deletionPauses are between two looks at a deletion: many are done at once.
const (
	firstDeletionPause   = 20 * time.Millisecond
	longestDeletionPause = time.Second
)

// WaitDeletion waits for the end of a deletion, also while the satellite restarts. progress, unless nil, is called now and then on the caller's goroutine.
//
// Errors: as Deletion, and Deletion.Err.
func (p *Project) WaitDeletion(ctx context.Context, id string, progress func(*Deletion)) (d *Deletion, err error) {
	err = p.do(ctx, "wait for deletion", func(ctx context.Context) error {
		for wait := firstDeletionPause; ; wait = min(2*wait, longestDeletionPause) {
			if d, err = p.deletion(ctx, id, p.midway()); err != nil {
				return err
			}
			if progress != nil {
				progress(d)
			}
			if d.Done {
				return d.Err
			}
			if err := sleep(ctx, wait); err != nil {
				return err
			}
		}
	})
	return d, err
}
