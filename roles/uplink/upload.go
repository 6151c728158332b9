package uplink

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"time"

	"storj/metainfo"
)

// UploadOptions tunes an upload. The zero value, and nil, is the default.
type UploadOptions struct {
	Expires  time.Time      // when the object is deleted; zero: never, or as the bucket has it
	Metadata CustomMetadata // as by SetMetadata
	Tags     Tags           // as by SetTags
	IfAbsent bool           // Commit fails with ErrObjectExists if there is an object of this key by then
	// IfRevision has Commit fail unless the object of this key then is the one with this Object.Revision: with
	// ErrObjectChanged, or with ErrObjectNotFound if there is none.
	IfRevision string
	Retention  Retention // of the new version; zero: as the bucket has it
	LegalHold  bool
	// ContentSizeHint is how many bytes will be written, when known, else 0: memory is then taken once and the first
	// segment is planned at once. It may be wrong.
	ContentSizeHint int64
}

// verify checks what can be checked without the satellite, and returns the stream that the upload depends on.
func (o *UploadOptions) verify() (metainfo.StreamID, error) {
	if err := o.Metadata.Verify(); err != nil {
		return metainfo.StreamID{}, err
	}
	if err := o.Tags.Verify(); err != nil {
		return metainfo.StreamID{}, err
	}
	if err := o.Retention.verify(); err != nil {
		return metainfo.StreamID{}, err
	}
	return parseRevision(o.IfRevision)
}

// Upload is an object on its way. Nothing is visible before Commit, which replaces an object of the same key, or in a
// versioned bucket puts a version on top. End it with Commit or Abort. Write, Commit, SetMetadata and SetTags may be
// called concurrently, to little use; Abort unblocks them.
type Upload struct {
	out      outgoing
	target   target
	opts     UploadOptions
	ifStream metainfo.StreamID
	wrapped  []byte // content key

	mu     sync.Mutex // guards the fields below
	custom CustomMetadata
	tags   Tags
}

const uploadOp = "upload"

// Upload starts an upload. Its context bounds the whole of it, until Commit or Abort.
//
// Errors: ErrBucketNotFound, ErrObjectKeyInvalid, ErrMetadataInvalid, ErrPermissionDenied. What the satellite finds
// wrong may show at a later Write or at Commit.
func (p *Project) Upload(ctx context.Context, bucket, key string, opts *UploadOptions) (*Upload, error) {
	if opts == nil {
		opts = &UploadOptions{}
	}
	ifStream, err := opts.verify()
	if err != nil {
		return nil, wrap(uploadOp, err)
	}
	u := &Upload{opts: *opts, ifStream: ifStream, custom: opts.Metadata.Clone(), tags: opts.Tags.Clone()}
	err = p.do(ctx, uploadOp, func(ctx context.Context) error { return u.prepare(ctx, p, bucket, key) })
	if err != nil {
		return nil, err
	}
	return u, u.out.open(ctx)
}

// prepare gathers what an upload needs; the two questions that the first one of a process puts to the satellite go out
// side by side.
func (u *Upload) prepare(ctx context.Context, p *Project, bucket, key string) error {
	t, sizes, err := p.locateAndSizes(ctx, bucket, key)
	if err != nil {
		return err
	}
	u.target = t
	u.out = outgoing{
		project: p, op: uploadOp, bucket: bucket, sizes: sizes, segmentSize: sizes.segment, hint: u.opts.ContentSizeHint,
		start: u.begin,
	}
	rand.Read(u.out.content[:]) // never fails: it ends the program instead
	u.wrapped, err = wrapKey(t.keys, t.bucket, t.key, u.out.content)
	return err
}

// locateAndSizes is locate and segmentSizes at once.
func (p *Project) locateAndSizes(ctx context.Context, bucket, key string) (target, *sizes, error) {
	asked := newFuture[*sizes]()
	var asking sync.WaitGroup
	asking.Go(func() { asked.run(ctx, p.segmentSizes) })
	t, err := p.locate(ctx, bucket, key)
	asking.Wait()
	if err != nil {
		return target{}, nil, p.found(bucket, err)
	}
	return t, asked.value, asked.err
}

// begin starts the upload at the satellite.
func (u *Upload) begin(ctx context.Context, plan bool) (*metainfo.BeginObjectResult, error) {
	p := u.out.project
	return call(ctx, p.opening(), p.meta.BeginObject, &metainfo.BeginObjectRequest{
		Auth: p.auth(), Bucket: u.target.bucket, Key: u.target.encrypted, Expires: u.opts.Expires, Plan: plan,
	})
}

// Put stores what it reads from r, to its end, as an object: Upload, Write and Commit in one.
//
// Errors: those of Upload and Commit, and of r.
func (p *Project) Put(ctx context.Context, bucket, key string, r io.Reader, opts *UploadOptions) (*Object, error) {
	u, err := p.Upload(ctx, bucket, key, opts)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(u, r); err != nil {
		return nil, errors.Join(err, ignoreDone(u.Abort(ctx)))
	}
	return u.Commit(ctx)
}

func ignoreDone(err error) error {
	if errors.Is(err, ErrUploadDone) {
		return nil
	}
	return err
}

// SetMetadata replaces the custom metadata that Commit will store.
//
// Errors: ErrMetadataInvalid, ErrUploadDone.
func (u *Upload) SetMetadata(custom CustomMetadata) error {
	if err := custom.Verify(); err != nil {
		return err
	}
	return u.set(func() { u.custom = custom.Clone() })
}

// SetTags replaces the tags that Commit will store.
//
// Errors: ErrMetadataInvalid, ErrUploadDone.
func (u *Upload) SetTags(tags Tags) error {
	if err := tags.Verify(); err != nil {
		return err
	}
	return u.set(func() { u.tags = tags.Clone() })
}

func (u *Upload) set(change func()) error {
	u.out.mu.Lock()
	done := u.out.done
	u.out.mu.Unlock()
	if done {
		return wrap(uploadOp, ErrUploadDone)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	change()
	return nil
}

// Write takes content. It encrypts before it returns, and waits while SegmentsPerUpload segments are on their way.
//
// Errors: whatever made the upload fail, now or in the background; the upload is then to be aborted. ErrUploadDone.
func (u *Upload) Write(p []byte) (n int, err error) { return u.out.write(p) }

// ReadFrom writes what it reads from r, to its end; io.Copy calls it.
func (u *Upload) ReadFrom(r io.Reader) (n int64, err error) { return u.out.readFrom(r) }

// Commit makes what was written an object, and returns it. The upload is over then, also when Commit fails.
//
// Errors: ErrObjectExists with IfAbsent; ErrObjectChanged and ErrObjectNotFound with IfRevision; ErrObjectLockDisabled and
// ErrRetentionInvalid; ErrUploadDone; ErrLimitExceeded; and whatever made the upload fail.
func (u *Upload) Commit(ctx context.Context) (object *Object, err error) {
	u.mu.Lock()
	custom, tags := u.custom, u.tags
	u.mu.Unlock()
	err = u.out.end(ctx, func() error {
		record, err := u.commit(custom, tags)
		if err == nil {
			object = systemOf(record, u.target.key)
			object.Custom, object.Tags = custom, tags
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return object, nil
}

func (u *Upload) commit(custom CustomMetadata, tags Tags) (record *metainfo.Object, err error) {
	p := u.out.project
	req := &metainfo.CommitObjectRequest{
		Auth: p.auth(), WrappedKey: u.wrapped, IfAbsent: u.opts.IfAbsent, IfStream: u.ifStream,
		Retention: u.opts.Retention.record(), LegalHold: u.opts.LegalHold,
	}
	seal := func() (err error) {
		req.Segments = u.out.next
		req.Metadata, err = sealMetadata(u.out.content, &seal{
			segments: u.out.next, plainSize: u.out.plain, segmentSize: u.out.segmentSize, custom: custom, tags: tags,
		})
		return err
	}
	err = u.out.finish(func(last *metainfo.NewSegment) error {
		req.Bucket, req.Key, req.Expires, req.Last = u.target.bucket, u.target.encrypted, u.opts.Expires, last
		if err := seal(); err != nil {
			return err
		}
		record, err = u.commitInline(req)
		return err
	}, func(token []byte, last *metainfo.NewSegment) error {
		req.Upload, req.Last = token, last
		if err := seal(); err != nil {
			return err
		}
		record, err = call(u.out.ctx, p.midway(), p.meta.CommitObject, req)
		return err
	})
	return record, p.found(u.target.bucket, err)
}

// commitInline stores a small object in one round trip. Nothing tells the satellite that a repeated call is the same
// one: so before it is repeated, and when it is refused, what is there is looked at.
func (u *Upload) commitInline(req *metainfo.CommitObjectRequest) (*metainfo.Object, error) {
	p := u.out.project
	return callOnce(u.out.ctx, p.midway(), p.meta.CommitObject, req, func(ctx context.Context, err error) (*metainfo.Object, error) {
		return p.ours(ctx, u.target, u.wrapped, err)
	})
}

// Abort ends the upload without an object. It unblocks Write and Commit. After either of Commit and Abort it returns
// ErrUploadDone and does nothing, so that it may be deferred.
func (u *Upload) Abort(ctx context.Context) error { return u.out.abort(ctx) }

var (
	_ io.Writer     = (*Upload)(nil)
	_ io.ReaderFrom = (*Upload)(nil)
)
