package uplink

import (
	"bytes"
	"context"
	"errors"
	"time"

	"storj/ecenc"
	"storj/ecenc/keys"
	"storj/metainfo"
)

// MaxDelete is the most keys of one DeleteMany call to the satellite; more are sent in several.
const MaxDelete = metainfo.MaxDelete

// Object is what is known of an object.
type Object struct {
	Key      string
	IsPrefix bool // in a listing: stands for the objects under Key, which ends in "/"; the other fields are then zero
	Created  time.Time
	Expires  time.Time // zero: never
	Size     int64     // bytes of content
	Custom   CustomMetadata
	// Revision changes whenever the object is replaced: 32 characters, fit for an ETag. Changes of metadata keep it.
	Revision string
}

// target is an object's place, as its owner and as the satellite knows it.
type target struct {
	bucket    string
	key       string
	encrypted []byte
	keys      *keys.Access
}

// locate encrypts an object key. Errors: ErrObjectKeyInvalid, ErrPermissionDenied, those of bucket names.
func (p *Project) locate(ctx context.Context, bucket, key string) (target, error) {
	if err := metainfo.CheckBucketName(bucket); err != nil {
		return target{}, err
	}
	if key == "" {
		return target{}, metainfo.ErrObjectKey
	}
	access, err := p.keysOf(ctx, bucket)
	if err != nil {
		return target{}, err
	}
	encrypted, err := access.EncryptPath(bucket, key)
	if err != nil {
		return target{}, err
	}
	return target{bucket: bucket, key: key, encrypted: encrypted, keys: access}, nil
}

// found passes on an error about an object in bucket; a bucket that is gone is forgotten.
func (p *Project) found(bucket string, err error) error {
	if errors.Is(err, metainfo.ErrBucketNotFound) {
		p.buckets.forget(bucket)
	}
	return err
}

// opened is an object's record with what only its owner can read.
type opened struct {
	record  *metainfo.Object
	content ecenc.Key
	seal    *seal
}

// open decrypts a record. Errors: ErrWrongPassphrase, ErrCorrupt.
func (t *target) open(record *metainfo.Object) (*opened, error) {
	content, err := unwrapKey(t.keys, t.bucket, t.key, record.WrappedKey)
	if err != nil {
		return nil, err
	}
	s, err := openMetadata(content, record)
	if err != nil {
		return nil, err
	}
	return &opened{record: record, content: content, seal: s}, nil
}

// object returns what the caller gets to see.
func (o *opened) object(key string) *Object {
	object := systemOf(o.record, key)
	object.Custom = o.seal.custom
	return object
}

// systemOf returns what a record says without its keys.
func systemOf(record *metainfo.Object, key string) *Object {
	return &Object{
		Key: key, Created: record.Created, Expires: record.Expires, Size: record.PlainSize,
		Revision: record.Stream.String(),
	}
}

// fetch reads and opens a record.
func (p *Project) fetch(ctx context.Context, t target) (*opened, error) {
	req := &metainfo.ObjectRequest{Auth: p.auth(), Bucket: t.bucket, Key: t.encrypted}
	record, err := call(ctx, p.standalone(), p.meta.GetObject, req)
	if err != nil {
		return nil, p.found(t.bucket, err)
	}
	return t.open(record)
}

// Stat returns what is known of an object.
//
// Errors: ErrBucketNotFound, ErrObjectNotFound, ErrWrongPassphrase, ErrCorrupt.
func (p *Project) Stat(ctx context.Context, bucket, key string) (object *Object, err error) {
	err = p.do(ctx, "stat", func(ctx context.Context) error {
		t, err := p.locate(ctx, bucket, key)
		if err != nil {
			return err
		}
		o, err := p.fetch(ctx, t)
		if err == nil {
			object = o.object(key)
		}
		return err
	})
	return object, err
}

// Delete deletes an object.
//
// Errors: ErrBucketNotFound, ErrObjectNotFound.
func (p *Project) Delete(ctx context.Context, bucket, key string) error {
	return p.do(ctx, "delete", func(ctx context.Context) error {
		deleted, retried, err := p.deleteKeys(ctx, bucket, []string{key})
		if err == nil && !deleted[0] && !retried {
			return ErrObjectNotFound
		}
		return err
	})
}

// DeleteMany deletes objects and says of each key whether there was one. Keys that do not exist are no error. When it
// fails, those before the result's end are done.
//
// Errors: ErrBucketNotFound.
func (p *Project) DeleteMany(ctx context.Context, bucket string, keys []string) (deleted []bool, err error) {
	err = p.do(ctx, "delete many", func(ctx context.Context) error {
		for len(keys) > 0 {
			n := min(len(keys), MaxDelete)
			done, _, err := p.deleteKeys(ctx, bucket, keys[:n])
			if err != nil {
				return err
			}
			deleted, keys = append(deleted, done...), keys[n:]
		}
		return nil
	})
	return deleted, err
}

// deleteKeys deletes at most MaxDelete objects. When the call was repeated, an object not found may be one that the
// first attempt deleted.
func (p *Project) deleteKeys(ctx context.Context, bucket string, keys []string) (deleted []bool, retried bool, err error) {
	req := &metainfo.DeleteObjectsRequest{Auth: p.auth(), Bucket: bucket, Keys: make([][]byte, 0, len(keys))}
	for _, key := range keys {
		t, err := p.locate(ctx, bucket, key)
		if err != nil {
			return nil, false, err
		}
		req.Keys = append(req.Keys, t.encrypted)
	}
	attempts := 0
	result, err := call(ctx, p.standalone(), func(ctx context.Context, req *metainfo.DeleteObjectsRequest) (*metainfo.DeleteObjectsResult, error) {
		attempts++
		return p.meta.DeleteObjects(ctx, req)
	}, req)
	if err != nil {
		return nil, false, p.found(bucket, err)
	}
	if len(result.Deleted) != len(keys) {
		return nil, false, ErrInternal
	}
	return result.Deleted, attempts > 1, nil
}

// CopyOptions tunes Copy and Move. The zero value, and nil, is the default.
type CopyOptions struct {
	IfAbsent bool // ErrObjectExists when the destination exists, instead of replacing it
}

// Copy makes an object that shares the content of another, whatever its size, without moving bytes.
//
// Errors: ErrBucketNotFound, ErrObjectNotFound, ErrObjectExists, ErrWrongPassphrase.
func (p *Project) Copy(ctx context.Context, bucket, key, toBucket, toKey string, opts *CopyOptions) (*Object, error) {
	return p.copy(ctx, "copy", place{bucket, key}, place{toBucket, toKey}, opts, false)
}

// Move renames an object, also to another bucket.
//
// Errors: ErrBucketNotFound, ErrObjectNotFound, ErrObjectExists, ErrWrongPassphrase.
func (p *Project) Move(ctx context.Context, bucket, key, toBucket, toKey string, opts *CopyOptions) (*Object, error) {
	return p.copy(ctx, "move", place{bucket, key}, place{toBucket, toKey}, opts, true)
}

type place struct{ bucket, key string }

func (p *Project) copy(ctx context.Context, op string, from, to place, opts *CopyOptions, move bool) (object *Object, err error) {
	if opts == nil {
		opts = &CopyOptions{}
	}
	err = p.do(ctx, op, func(ctx context.Context) error {
		source, err := p.locate(ctx, from.bucket, from.key)
		if err != nil {
			return err
		}
		dest, err := p.locate(ctx, to.bucket, to.key)
		if err != nil {
			return err
		}
		object, err = p.copyChanging(ctx, source, dest, metainfo.CopyObjectRequest{Move: move, IfAbsent: opts.IfAbsent})
		return err
	})
	return object, err
}

// maxChanges is how often an operation that somebody else got in the way of is begun again.
const maxChanges = 5

// copyChanging copies an object that others may be replacing meanwhile.
func (p *Project) copyChanging(ctx context.Context, source, dest target, req metainfo.CopyObjectRequest) (*Object, error) {
	for attempt := 1; ; attempt++ {
		o, err := p.fetch(ctx, source)
		if err != nil {
			return nil, err
		}
		wrapped, err := wrapKey(dest.keys, dest.bucket, dest.key, o.content)
		if err != nil {
			return nil, err
		}
		req.Auth, req.Bucket, req.Key, req.Stream = p.auth(), source.bucket, source.encrypted, o.record.Stream
		req.ToBucket, req.ToKey, req.WrappedKey = dest.bucket, dest.encrypted, wrapped
		record, err := call(ctx, p.standalone(), p.meta.CopyObject, &req)
		if answeredBefore(err) {
			// an answer may have been lost on the way: the destination tells whether it was us
			record, err = p.ours(ctx, dest, wrapped, err)
		}
		if errors.Is(err, metainfo.ErrObjectChanged) && attempt < maxChanges {
			continue
		}
		if err != nil {
			return nil, p.found(dest.bucket, err)
		}
		made, err := dest.open(record)
		if err != nil {
			return nil, err
		}
		return made.object(dest.key), nil
	}
}

// answeredBefore says whether an error may be what a repeated copy gets because the first one succeeded: a source that
// was moved is gone, or somebody stored another object there since, which must not be moved too.
func answeredBefore(err error) bool {
	return errors.Is(err, metainfo.ErrObjectNotFound) || errors.Is(err, metainfo.ErrObjectExists) ||
		errors.Is(err, metainfo.ErrObjectChanged)
}

// ours returns the record at a place if it has this wrapped key, which is random: then it was made by a call whose
// answer was lost. Else it returns the error that gave rise to the question.
func (p *Project) ours(ctx context.Context, t target, wrapped []byte, cause error) (*metainfo.Object, error) {
	req := &metainfo.ObjectRequest{Auth: p.auth(), Bucket: t.bucket, Key: t.encrypted}
	record, err := call(ctx, p.standalone(), p.meta.GetObject, req)
	if err != nil || !bytes.Equal(record.WrappedKey, wrapped) {
		return nil, cause
	}
	return record, nil
}

// UpdateMetadata replaces the custom metadata of an object.
//
// Errors: ErrMetadataInvalid, ErrBucketNotFound, ErrObjectNotFound, ErrObjectChanged, ErrWrongPassphrase.
func (p *Project) UpdateMetadata(ctx context.Context, bucket, key string, custom CustomMetadata) error {
	if err := custom.Verify(); err != nil {
		return err
	}
	return p.do(ctx, "update metadata", func(ctx context.Context) error {
		t, err := p.locate(ctx, bucket, key)
		if err != nil {
			return err
		}
		for attempt := 1; ; attempt++ {
			err := p.updateOnce(ctx, t, custom)
			if !errors.Is(err, metainfo.ErrObjectChanged) || attempt == maxChanges {
				return err
			}
		}
	})
}

func (p *Project) updateOnce(ctx context.Context, t target, custom CustomMetadata) error {
	o, err := p.fetch(ctx, t)
	if err != nil {
		return err
	}
	o.seal.custom = custom
	sealed, err := sealMetadata(o.content, o.seal)
	if err != nil {
		return err
	}
	req := &metainfo.UpdateMetadataRequest{
		Auth: p.auth(), Bucket: t.bucket, Key: t.encrypted, Stream: o.record.Stream, Metadata: sealed,
	}
	_, err = call(ctx, p.standalone(), noResult(p.meta.UpdateMetadata), req)
	return err
}
