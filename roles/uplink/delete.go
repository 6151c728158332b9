package uplink

import (
	"context"

	"storj/metainfo"
	"storj/netx"
)

// MaxDelete is the most keys of one DeleteMany call to the satellite; more are sent in several.
const MaxDelete = metainfo.MaxDelete

// DeleteOptions says what is to be deleted. The zero value, and nil, is the object: in a versioned bucket a delete marker
// then hides it, and its versions stay.
type DeleteOptions struct {
	Version          string // this version, for good
	IfRevision       string // only while Object.Revision is this, else ErrObjectChanged
	BypassGovernance bool   // also under a retention of mode Governance, with an access that permits it
}

// DeleteItem is one of many to delete; its fields are as in DeleteOptions.
type DeleteItem struct {
	Key        string
	Version    string
	IfRevision string
}

// DeleteResult says what became of one.
type DeleteResult struct {
	Found   bool   // there was one
	Version string // that was deleted, or of the delete marker that was made; empty: none
	Marker  bool   // Version is a delete marker, made or deleted
	Err     error  // why it was not deleted: ErrObjectLocked, ErrObjectChanged; nil also when there was none
}

// Delete deletes an object; in a versioned bucket it hides it.
//
// Errors: ErrBucketNotFound, ErrObjectNotFound, ErrObjectLocked.
func (p *Project) Delete(ctx context.Context, bucket, key string) error {
	_, err := p.DeleteObject(ctx, bucket, key, nil)
	return err
}

// DeleteObject deletes an object or a version of one, and says what became of it.
//
// Errors: ErrBucketNotFound, ErrObjectNotFound, ErrObjectLocked, ErrObjectChanged, ErrInvalid.
func (p *Project) DeleteObject(ctx context.Context, bucket, key string, opts *DeleteOptions) (result *DeleteResult, err error) {
	if opts == nil {
		opts = &DeleteOptions{}
	}
	err = p.do(ctx, "delete", func(ctx context.Context) error {
		item := DeleteItem{Key: key, Version: opts.Version, IfRevision: opts.IfRevision}
		results, retried, err := p.deleteItems(ctx, bucket, []DeleteItem{item}, opts.BypassGovernance)
		if err != nil {
			return err
		}
		result = &results[0]
		if result.Err == nil && !result.Found && !result.Marker && !retried {
			return ErrObjectNotFound
		}
		return result.Err
	})
	return result, err
}

// DeleteMany deletes objects and says of each key whether there was one. Keys that do not exist are no error. When it
// fails, those before the result's end are done.
//
// Errors: ErrBucketNotFound, ErrObjectLocked.
func (p *Project) DeleteMany(ctx context.Context, bucket string, keys []string) (deleted []bool, err error) {
	items := make([]DeleteItem, len(keys))
	for i, key := range keys {
		items[i].Key = key
	}
	results, err := p.DeleteItems(ctx, bucket, items, nil)
	for _, r := range results {
		if r.Err != nil {
			return deleted, wrap("delete many", r.Err)
		}
		deleted = append(deleted, r.Found)
	}
	return deleted, err
}

// DeleteItemsOptions tunes DeleteItems. The zero value, and nil, is the default.
type DeleteItemsOptions struct {
	BypassGovernance bool // as in DeleteOptions
}

// DeleteItems deletes objects and versions, and says of each what became of it. When it fails, those before the result's
// end are done.
//
// Errors: ErrBucketNotFound, ErrInvalid; those of single items are in their results.
func (p *Project) DeleteItems(
	ctx context.Context, bucket string, items []DeleteItem, opts *DeleteItemsOptions,
) (results []DeleteResult, err error) {
	bypass := opts != nil && opts.BypassGovernance
	err = p.do(ctx, "delete many", func(ctx context.Context) error {
		for len(items) > 0 {
			n := min(len(items), MaxDelete)
			done, _, err := p.deleteItems(ctx, bucket, items[:n], bypass)
			if err != nil {
				return err
			}
			results, items = append(results, done...), items[n:]
		}
		return nil
	})
	return results, err
}

// deleteItems deletes at most MaxDelete. When the call was repeated, an object not found may be one that the first attempt
// deleted.
func (p *Project) deleteItems(
	ctx context.Context, bucket string, items []DeleteItem, bypass bool,
) (results []DeleteResult, retried bool, err error) {
	req := &metainfo.DeleteObjectsRequest{
		Auth: p.auth(), Bucket: bucket, Items: make([]metainfo.DeleteItem, 0, len(items)), BypassGovernance: bypass,
	}
	for _, item := range items {
		t, err := p.locateVersion(ctx, bucket, item.Key, item.Version)
		if err != nil {
			return nil, false, err
		}
		stream, err := parseRevision(item.IfRevision)
		if err != nil {
			return nil, false, err
		}
		req.Items = append(req.Items, metainfo.DeleteItem{Key: t.encrypted, Version: t.version, IfStream: stream})
	}
	attempts := 0
	counted := func(ctx context.Context, req *metainfo.DeleteObjectsRequest) (*metainfo.DeleteObjectsResult, error) {
		attempts++
		return p.meta.DeleteObjects(ctx, req)
	}
	got, err := call(ctx, p.standalone(), counted, req)
	if err != nil {
		return nil, false, p.found(bucket, err)
	}
	if len(got.Items) != len(items) {
		return nil, false, ErrInternal
	}
	for i := range got.Items {
		item := &got.Items[i]
		results = append(results, DeleteResult{
			Found: item.Found, Version: deletedVersion(&items[i], item.Version), Marker: item.Marker, Err: reasonError(item.Reason),
		})
	}
	return results, attempts > 1, nil
}

// deletedVersion names the version as the caller did, if he did.
func deletedVersion(asked *DeleteItem, number uint64) string {
	if asked.Version != "" && number != 0 {
		return asked.Version
	}
	return versionOf(number)
}

// reasonError returns the error of a reason that crossed the wire alone.
func reasonError(reason netx.Reason) error {
	if reason == 0 {
		return nil
	}
	for _, sentinel := range metainfo.Errors() {
		if sentinel.Reason == reason {
			return wrap("delete", sentinel)
		}
	}
	return wrap("delete", ErrInternal)
}
