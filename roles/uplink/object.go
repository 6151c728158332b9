package uplink

import (
	"context"
	"errors"
	"time"

	"storj/ecenc"
	"storj/ecenc/keys"
	"storj/metainfo"
)

// Object is what is known of an object.
type Object struct {
	Key      string
	IsPrefix bool // in a listing: stands for the objects under Key, which ends in "/"; the other fields are then zero
	Created  time.Time
	Expires  time.Time // zero: never
	Size     int64     // bytes of content
	Custom   CustomMetadata
	Tags     Tags
	// Revision changes whenever the object is replaced: 32 characters, fit for an ETag. Changes of metadata keep it.
	Revision string
	// Version names this version of the object, for good in a versioned bucket. What was written while the bucket was not
	// versioned is NullVersion, and replaced by the next such write.
	Version        string
	IsLatest       bool // in a listing of versions: what is meant when no version is named
	IsDeleteMarker bool // in a listing of versions: says that the object was deleted; has no content
	Parts          int  // of an object uploaded in parts: how many; else 0
	Retention      Retention
	LegalHold      bool
}

// target is an object's place, as its owner and as the satellite knows it.
type target struct {
	bucket    string
	key       string
	encrypted []byte
	keys      *keys.Access
	version   uint64 // of those at the place
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
	object.Custom, object.Tags = o.seal.custom, o.seal.tags
	return object
}

// systemOf returns what a record says without its keys.
func systemOf(record *metainfo.Object, key string) *Object {
	object := &Object{
		Key: key, Created: record.Created, Expires: record.Expires, Size: record.PlainSize,
		Version: versionText(record), IsLatest: record.Latest, IsDeleteMarker: record.Marker, Parts: int(record.Parts),
		Retention: retentionOf(record.Retention), LegalHold: record.LegalHold,
	}
	if !record.Marker {
		object.Revision = record.Stream.String()
	}
	return object
}

// fetch reads and opens a record.
func (p *Project) fetch(ctx context.Context, t target) (*opened, error) {
	req := &metainfo.ObjectRequest{Auth: p.auth(), Bucket: t.bucket, Key: t.encrypted, Version: t.version}
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
	return p.StatVersion(ctx, bucket, key, "")
}

// StatVersion returns what is known of a version of an object, or of the latest one when version is empty.
//
// Errors: as Stat; ErrDeleteMarker for a version that says the object was deleted; ErrInvalid for text that names no
// version.
func (p *Project) StatVersion(ctx context.Context, bucket, key, version string) (object *Object, err error) {
	err = p.do(ctx, "stat", func(ctx context.Context) error {
		t, err := p.locateVersion(ctx, bucket, key, version)
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
