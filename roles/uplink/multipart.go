package uplink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"storj/ecenc"
	"storj/metainfo"
)

// MaxParts is the most parts of an upload, and the highest number of one.
const MaxParts = metainfo.MaxParts

// PendingUpload is an upload in parts that has not ended.
type PendingUpload struct {
	Key       string
	IsPrefix  bool   // in a listing: stands for the uploads of objects under Key, which ends in "/"; the rest is then zero
	ID        string // 32 characters; with the key it is all that another process needs to go on
	Created   time.Time
	Expires   time.Time // of the object; zero: never
	Custom    CustomMetadata
	Tags      Tags
	Retention Retention
	LegalHold bool
}

// Part is a part of an upload, or of an object that was uploaded in parts.
type Part struct {
	Number   int
	Created  time.Time
	Size     int64          // bytes of content
	Metadata CustomMetadata // what was kept with it, such as a checksum
}

// BeginUpload starts an upload in parts: they come by UploadPart, in any order, at the same time, from several processes;
// CommitUpload makes them an object. The satellite removes what has not been touched for long.
//
// IfAbsent, IfRevision and ContentSizeHint of the options have no effect; CommitUpload has its own.
// Errors: ErrBucketNotFound, ErrObjectKeyInvalid, ErrMetadataInvalid, ErrPermissionDenied.
func (p *Project) BeginUpload(ctx context.Context, bucket, key string, opts *UploadOptions) (upload *PendingUpload, err error) {
	const op = "begin upload"
	if opts == nil {
		opts = &UploadOptions{}
	}
	if _, err := opts.verify(); err != nil {
		return nil, wrap(op, err)
	}
	err = p.do(ctx, op, func(ctx context.Context) error {
		upload, err = p.beginUpload(ctx, bucket, key, opts)
		return err
	})
	return upload, err
}

func (p *Project) beginUpload(ctx context.Context, bucket, key string, opts *UploadOptions) (*PendingUpload, error) {
	t, sizes, err := p.locateAndSizes(ctx, bucket, key)
	if err != nil {
		return nil, err
	}
	var content ecenc.Key
	rand.Read(content[:]) // never fails: it ends the program instead
	wrapped, err := wrapKey(t.keys, t.bucket, t.key, content)
	if err != nil {
		return nil, err
	}
	s := &seal{segmentSize: sizes.segment, custom: opts.Metadata, tags: opts.Tags}
	sealed, err := sealMetadata(content, s)
	if err != nil {
		return nil, err
	}
	begun, err := call(ctx, p.standalone(), p.meta.BeginObject, &metainfo.BeginObjectRequest{
		Auth: p.auth(), Bucket: t.bucket, Key: t.encrypted, Expires: opts.Expires, Multipart: true, WrappedKey: wrapped,
		Metadata: sealed, Retention: opts.Retention.record(), LegalHold: opts.LegalHold,
	})
	if err != nil {
		return nil, p.found(bucket, err)
	}
	if begun.Stream.IsZero() {
		return nil, fmt.Errorf("%w: upload without a name", ErrInternal)
	}
	p.uploads.put(uploadKey{bucket, key, begun.Stream}, &openUpload{token: begun.Upload, content: content, seal: s, made: time.Now()})
	return &PendingUpload{
		Key: key, ID: begun.Stream.String(), Created: time.Now(), Expires: opts.Expires, Custom: opts.Metadata.Clone(),
		Tags: opts.Tags.Clone(), Retention: opts.Retention, LegalHold: opts.LegalHold,
	}, nil
}

// upload finds an upload in parts by its ID. Errors: ErrInvalid, ErrUploadLost, ErrWrongPassphrase, ErrCorrupt.
func (p *Project) upload(ctx context.Context, bucket, key, id string) (target, uploadKey, *openUpload, error) {
	stream, err := parseStream("upload", id)
	if err == nil && stream.IsZero() {
		err = fmt.Errorf("%w: no upload is named", ErrInvalid)
	}
	if err != nil {
		return target{}, uploadKey{}, nil, err
	}
	t, err := p.locate(ctx, bucket, key)
	if err != nil {
		return target{}, uploadKey{}, nil, p.found(bucket, err)
	}
	name := uploadKey{bucket, key, stream}
	if known := p.uploads.get(name); known != nil {
		return t, name, known, nil
	}
	got, err := call(ctx, p.standalone(), p.meta.GetUpload, &metainfo.UploadRequest{
		Auth: p.auth(), Bucket: bucket, Key: t.encrypted, Stream: stream,
	})
	if err != nil {
		return target{}, name, nil, p.found(bucket, err)
	}
	content, s, err := t.openPending(got)
	if err != nil {
		return target{}, name, nil, err
	}
	u := &openUpload{token: got.Upload, content: content, seal: s, pending: got, made: time.Now()}
	p.uploads.put(name, u)
	return t, name, u, nil
}

func (t *target) openPending(u *metainfo.PendingUpload) (ecenc.Key, *seal, error) {
	content, err := unwrapKey(t.keys, t.bucket, t.key, u.WrappedKey)
	if err != nil {
		return ecenc.Key{}, nil, err
	}
	s, err := openSeal(content, u.Metadata)
	return content, s, err
}

// pendingOf returns what the caller gets to see; s may be nil.
func pendingOf(u *metainfo.PendingUpload, key string, s *seal) *PendingUpload {
	pending := &PendingUpload{
		Key: key, ID: u.Stream.String(), Created: u.Created, Expires: u.Expires, Retention: retentionOf(u.Retention),
		LegalHold: u.LegalHold,
	}
	if s != nil {
		pending.Custom, pending.Tags = s.custom, s.tags
	}
	return pending
}

// StatUpload returns what is known of an upload in parts.
//
// Errors: ErrUploadLost, ErrInvalid, ErrWrongPassphrase.
func (p *Project) StatUpload(ctx context.Context, bucket, key, id string) (upload *PendingUpload, err error) {
	err = p.do(ctx, "stat upload", func(ctx context.Context) error {
		if stream, err := parseStream("upload", id); err == nil {
			p.uploads.forget(uploadKey{bucket, key, stream})
		}
		_, _, u, err := p.upload(ctx, bucket, key, id)
		if err == nil {
			upload = pendingOf(u.pending, key, u.seal)
		}
		return err
	})
	return upload, err
}

// CommitUploadOptions tunes CommitUpload. The zero value, and nil, is all parts and the metadata of BeginUpload.
type CommitUploadOptions struct {
	Parts      []int // numbers of those to keep, ascending; empty: all
	IfAbsent   bool  // as in UploadOptions
	IfRevision string
	Metadata   CustomMetadata // instead of what BeginUpload was given, unless nil
	Tags       Tags           // instead of what BeginUpload was given, unless nil
}

// CommitUpload makes an object of the parts, in order of their numbers. It may be repeated.
//
// Errors: ErrUploadLost, ErrPartInvalid for parts that are not there or when there are none; ErrObjectExists with IfAbsent;
// ErrObjectChanged and ErrObjectNotFound with IfRevision; ErrMetadataInvalid, ErrLimitExceeded.
func (p *Project) CommitUpload(ctx context.Context, bucket, key, id string, opts *CommitUploadOptions) (object *Object, err error) {
	const op = "commit upload"
	if opts == nil {
		opts = &CommitUploadOptions{}
	}
	check := UploadOptions{Metadata: opts.Metadata, Tags: opts.Tags, IfRevision: opts.IfRevision}
	ifStream, err := check.verify()
	if err != nil {
		return nil, wrap(op, err)
	}
	err = p.do(ctx, op, func(ctx context.Context) error {
		object, err = p.commitUpload(ctx, bucket, key, id, opts, ifStream)
		return err
	})
	return object, err
}

func (p *Project) commitUpload(
	ctx context.Context, bucket, key, id string, opts *CommitUploadOptions, ifStream metainfo.StreamID,
) (*Object, error) {
	t, name, u, err := p.upload(ctx, bucket, key, id)
	if err != nil {
		return p.committed(ctx, t, bucket, key, name.stream, err)
	}
	req := &metainfo.CommitObjectRequest{Auth: p.auth(), Upload: u.token, IfAbsent: opts.IfAbsent, IfStream: ifStream}
	if req.WrappedKey, err = wrapKey(t.keys, t.bucket, t.key, u.content); err != nil {
		return nil, err
	}
	var record *metainfo.Object
	for attempt := 1; ; attempt++ {
		if err := p.sealUpload(ctx, u, opts, req); err != nil {
			return p.committed(ctx, t, bucket, key, name.stream, err)
		}
		record, err = call(ctx, p.midway(), p.meta.CommitObject, req)
		if errors.Is(err, metainfo.ErrPart) && attempt < maxChanges {
			continue // a part was replaced since they were listed
		}
		if err != nil {
			return p.committed(ctx, t, bucket, key, name.stream, err)
		}
		break
	}
	p.uploads.forget(name)
	o, err := t.open(record)
	if err != nil {
		return nil, err
	}
	return o.object(key), nil
}

// committed returns the object of an upload that is not there any more because it was committed before, or cause.
func (p *Project) committed(ctx context.Context, t target, bucket, key string, stream metainfo.StreamID, cause error) (*Object, error) {
	if !errors.Is(cause, metainfo.ErrUpload) {
		return nil, p.found(bucket, cause)
	}
	p.uploads.forget(uploadKey{bucket, key, stream})
	if t.keys == nil {
		var err error
		if t, err = p.locate(ctx, bucket, key); err != nil {
			return nil, cause
		}
	}
	o, err := p.fetch(ctx, t)
	if err != nil || o.record.Stream != stream {
		return nil, cause
	}
	return o.object(key), nil
}

// sealUpload fills in what a commit says of the parts as they are now.
func (p *Project) sealUpload(ctx context.Context, u *openUpload, opts *CommitUploadOptions, req *metainfo.CommitObjectRequest) (err error) {
	s := *u.seal
	if opts.Metadata != nil {
		s.custom = opts.Metadata
	}
	if opts.Tags != nil {
		s.tags = opts.Tags
	}
	if req.Parts, err = p.sealParts(ctx, u, &s, opts.Parts); err != nil {
		return err
	}
	req.Segments, req.PlainSize = s.segments, s.plainSize
	req.Metadata, err = sealMetadata(u.content, &s)
	return err
}

// sealParts fills in what the seal says of parts: of those with these numbers, or of all. It returns their numbers.
//
// What is sealed comes from the seals of the parts, so that the satellite cannot make the object another size.
func (p *Project) sealParts(ctx context.Context, u *openUpload, s *seal, wanted []int) (numbers []uint32, err error) {
	s.parts, s.segments, s.plainSize = []partRun{}, 0, 0
	sizes := &layout{segmentSize: s.segmentSize}
	next := 0
	err = p.eachPart(ctx, metainfo.ListPartsRequest{Upload: u.token}, func(record *metainfo.Part) error {
		if len(wanted) > 0 {
			if next == len(wanted) || int(record.Number) < wanted[next] {
				return nil
			}
			if int(record.Number) > wanted[next] {
				return fmt.Errorf("%w: part %d was not uploaded", ErrPartInvalid, wanted[next])
			}
			next++
		}
		part, err := openPart(u.content, record)
		if err != nil {
			return err
		}
		s.parts = appendPart(s.parts, record.Number, part.plainSize)
		s.plainSize += part.plainSize
		s.segments += uint32(sizes.segmentsOf(part.plainSize))
		numbers = append(numbers, record.Number)
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case next < len(wanted):
		return nil, fmt.Errorf("%w: part %d was not uploaded", ErrPartInvalid, wanted[next])
	case len(numbers) == 0:
		return nil, fmt.Errorf("%w: no part was uploaded", ErrPartInvalid)
	}
	return numbers, nil
}

// eachPart calls fn with the parts of an upload or an object, by number.
func (p *Project) eachPart(ctx context.Context, req metainfo.ListPartsRequest, fn func(*metainfo.Part) error) error {
	for {
		req.Auth = p.auth()
		list, err := call(ctx, p.standalone(), p.meta.ListParts, &req)
		if err != nil {
			return err
		}
		for i := range list.Parts {
			part := &list.Parts[i]
			if part.Number <= req.Cursor {
				return fmt.Errorf("%w: parts out of order", ErrInternal)
			}
			req.Cursor = part.Number
			if err := fn(part); err != nil {
				return err
			}
		}
		if !list.More || len(list.Parts) == 0 {
			return nil
		}
	}
}

// AbortUpload ends an upload in parts and removes them. It may be repeated: what is not there any more is no error.
//
// Errors: ErrInvalid, ErrPermissionDenied.
func (p *Project) AbortUpload(ctx context.Context, bucket, key, id string) error {
	return p.do(ctx, "abort upload", func(ctx context.Context) error {
		_, name, u, err := p.upload(ctx, bucket, key, id)
		if errors.Is(err, metainfo.ErrUpload) {
			return nil
		}
		if err != nil {
			return err
		}
		p.uploads.forget(name)
		req := &metainfo.AbortObjectRequest{Auth: p.auth(), Upload: u.token}
		_, err = call(ctx, p.standalone(), noResult(p.meta.AbortObject), req)
		if errors.Is(err, metainfo.ErrUpload) {
			return nil
		}
		return err
	})
}
