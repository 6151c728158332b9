package uplink

import (
	"bytes"
	"context"
	"errors"
	"time"

	"storj/metainfo"
)

// CopyOptions tunes Copy and Move. The zero value, and nil, is the default.
type CopyOptions struct {
	Version    string // of the source; empty: the latest
	IfAbsent   bool   // ErrObjectExists when the destination exists, instead of replacing it
	IfRevision string // of the destination, as in UploadOptions

	Metadata  CustomMetadata // instead of the source's, unless nil
	Tags      Tags           // instead of the source's, unless nil
	Expires   time.Time      // instead of the source's, unless zero
	Retention Retention      // of the new version; zero: as the bucket has it
	LegalHold bool
}

// Copy makes an object that shares the content of another, whatever its size, without moving bytes.
//
// Errors: ErrBucketNotFound, ErrObjectNotFound, ErrObjectExists, ErrObjectChanged, ErrMetadataInvalid, ErrWrongPassphrase.
func (p *Project) Copy(ctx context.Context, bucket, key, toBucket, toKey string, opts *CopyOptions) (*Object, error) {
	return p.copy(ctx, "copy", place{bucket, key}, place{toBucket, toKey}, opts, false)
}

// Move renames an object, also to another bucket. Of a versioned object it takes the one version away, for good.
//
// Errors: as Copy; ErrObjectLocked.
func (p *Project) Move(ctx context.Context, bucket, key, toBucket, toKey string, opts *CopyOptions) (*Object, error) {
	return p.copy(ctx, "move", place{bucket, key}, place{toBucket, toKey}, opts, true)
}

type place struct{ bucket, key string }

func (o *CopyOptions) verify() (metainfo.StreamID, error) {
	opts := UploadOptions{Metadata: o.Metadata, Tags: o.Tags, Retention: o.Retention, IfRevision: o.IfRevision}
	return opts.verify()
}

// replaces says whether the copy is to differ from its source.
func (o *CopyOptions) replaces() bool {
	return o.Metadata != nil || o.Tags != nil || !o.Expires.IsZero()
}

func (p *Project) copy(ctx context.Context, op string, from, to place, opts *CopyOptions, move bool) (object *Object, err error) {
	if opts == nil {
		opts = &CopyOptions{}
	}
	ifStream, err := opts.verify()
	if err != nil {
		return nil, wrap(op, err)
	}
	err = p.do(ctx, op, func(ctx context.Context) error {
		source, err := p.locateVersion(ctx, from.bucket, from.key, opts.Version)
		if err != nil {
			return err
		}
		dest, err := p.locate(ctx, to.bucket, to.key)
		if err != nil {
			return p.found(to.bucket, err)
		}
		object, err = p.copyChanging(ctx, source, dest, opts, metainfo.CopyObjectRequest{
			Move: move, IfAbsent: opts.IfAbsent, IfStream: ifStream, Retention: opts.Retention.record(), LegalHold: opts.LegalHold,
		})
		return err
	})
	return object, err
}

// maxChanges is how often an operation that somebody else got in the way of is begun again.
const maxChanges = 5

// copyChanging copies an object that others may be replacing meanwhile.
func (p *Project) copyChanging(
	ctx context.Context, source, dest target, opts *CopyOptions, req metainfo.CopyObjectRequest,
) (*Object, error) {
	for attempt := 1; ; attempt++ {
		o, err := p.fetch(ctx, source)
		if err != nil {
			return nil, err
		}
		record, err := p.copyOnce(ctx, o, source, dest, opts, req)
		if errors.Is(err, metainfo.ErrObjectChanged) && attempt < maxChanges && req.IfStream.IsZero() {
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

// copyOnce copies what was read. Whatever became of a call whose answer was lost, the destination tells: the wrapped key
// is random, so that what carries it was made by us.
func (p *Project) copyOnce(
	ctx context.Context, o *opened, source, dest target, opts *CopyOptions, req metainfo.CopyObjectRequest,
) (*metainfo.Object, error) {
	wrapped, err := wrapKey(dest.keys, dest.bucket, dest.key, o.content)
	if err != nil {
		return nil, err
	}
	req.Auth, req.Bucket, req.Key, req.Stream = p.auth(), source.bucket, source.encrypted, o.record.Stream
	req.Version, req.ToBucket, req.ToKey, req.WrappedKey = source.version, dest.bucket, dest.encrypted, wrapped
	if opts.replaces() {
		if req.Metadata, err = replaced(o, opts); err != nil {
			return nil, err
		}
		req.ReplaceMetadata, req.Expires = true, o.record.Expires
		if !opts.Expires.IsZero() {
			req.Expires = opts.Expires
		}
	}
	return callOnce(ctx, p.standalone(), p.meta.CopyObject, &req, func(ctx context.Context, err error) (*metainfo.Object, error) {
		return p.ours(ctx, dest, wrapped, err)
	})
}

// replaced seals an object anew with other metadata or tags.
func replaced(o *opened, opts *CopyOptions) ([]byte, error) {
	s := *o.seal
	if opts.Metadata != nil {
		s.custom = opts.Metadata
	}
	if opts.Tags != nil {
		s.tags = opts.Tags
	}
	return sealMetadata(o.content, &s)
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

// restore puts a copy of a version on top of the others, unless it is the latest.
func (p *Project) restore(ctx context.Context, source, dest target) (*Object, error) {
	o, err := p.fetch(ctx, source)
	if err != nil {
		return nil, err
	}
	latest, err := call(ctx, p.standalone(), p.meta.GetObject, &metainfo.ObjectRequest{
		Auth: p.auth(), Bucket: dest.bucket, Key: dest.encrypted,
	})
	switch {
	case err == nil && latest.Stream == o.record.Stream && latest.Version == o.record.Version:
		return o.object(source.key), nil
	case err != nil && !errors.Is(err, metainfo.ErrDeleteMarker) && !errors.Is(err, metainfo.ErrObjectNotFound):
		return nil, err
	}
	return p.copyChanging(ctx, source, dest, &CopyOptions{}, metainfo.CopyObjectRequest{})
}
