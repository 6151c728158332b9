package uplink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"storj/ecenc/cipher"
	"storj/ecenc/wire"
	"storj/metainfo"
)

// PartOptions tunes the upload of a part. The zero value, and nil, is the default.
type PartOptions struct {
	Metadata        CustomMetadata // as by PartUpload.SetMetadata
	ContentSizeHint int64          // as in UploadOptions
}

// PartUpload is a part on its way. It takes the place of an older part of its number at Commit, and nothing before. End it
// with Commit or Abort. Its methods may be called concurrently as those of Upload.
type PartUpload struct {
	out    outgoing
	upload *openUpload
	name   uploadKey

	mu       sync.Mutex // guards the field below
	metadata CustomMetadata
}

const partOp = "upload part"

// UploadPart starts the upload of a part, numbered from 1 to MaxParts. Its context bounds the whole of it, until Commit or
// Abort. Any size will do, and parts of one size are cheapest.
//
// Errors: ErrUploadLost, ErrPartInvalid, ErrInvalid, ErrMetadataInvalid, ErrWrongPassphrase.
func (p *Project) UploadPart(ctx context.Context, bucket, key, id string, number int, opts *PartOptions) (*PartUpload, error) {
	if opts == nil {
		opts = &PartOptions{}
	}
	if err := verifyPartMetadata(opts.Metadata); err != nil {
		return nil, wrap(partOp, err)
	}
	if number < 1 || number > MaxParts {
		return nil, wrap(partOp, fmt.Errorf("%w: number %d, not 1 to %d", ErrPartInvalid, number, MaxParts))
	}
	u := &PartUpload{metadata: opts.Metadata.Clone()}
	err := p.do(ctx, partOp, func(ctx context.Context) error {
		sizes, err := p.segmentSizes(ctx)
		if err != nil {
			return err
		}
		if _, u.name, u.upload, err = p.upload(ctx, bucket, key, id); err != nil {
			return err
		}
		segment := u.upload.seal.segmentSize
		if segment < 1 || cipher.EncryptedSize(segment) > int64(sizes.buffers.Size()) {
			return fmt.Errorf("%w: upload has segments of %d bytes", ErrUploadLost, segment)
		}
		u.out = outgoing{
			project: p, op: partOp, bucket: bucket, sizes: sizes, segmentSize: segment, content: u.upload.content,
			part: uint32(number), hint: opts.ContentSizeHint, start: u.begin,
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return u, u.out.open(ctx)
}

// begin starts the part at the satellite.
func (u *PartUpload) begin(ctx context.Context, plan bool) (*metainfo.BeginObjectResult, error) {
	p := u.out.project
	begun, err := call(ctx, p.opening(), p.meta.BeginPart, &metainfo.BeginPartRequest{
		Auth: p.auth(), Upload: u.upload.token, Number: u.out.part, Plan: plan,
	})
	if errors.Is(err, metainfo.ErrUpload) {
		p.uploads.forget(u.name)
	}
	return begun, err
}

// PutPart stores what it reads from r, to its end, as a part: UploadPart, Write and Commit in one.
//
// Errors: those of UploadPart and PartUpload.Commit, and of r.
func (p *Project) PutPart(ctx context.Context, bucket, key, id string, number int, r io.Reader, opts *PartOptions) (*Part, error) {
	u, err := p.UploadPart(ctx, bucket, key, id, number, opts)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(u, r); err != nil {
		return nil, errors.Join(err, ignoreDone(u.Abort(ctx)))
	}
	return u.Commit(ctx)
}

// SetMetadata replaces what Commit will keep with the part, at most MaxPartMetadata.
//
// Errors: ErrMetadataInvalid.
func (u *PartUpload) SetMetadata(metadata CustomMetadata) error {
	if err := verifyPartMetadata(metadata); err != nil {
		return wrap(partOp, err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.metadata = metadata.Clone()
	return nil
}

// Write takes content, as Upload.Write does.
func (u *PartUpload) Write(p []byte) (n int, err error) { return u.out.write(p) }

// ReadFrom writes what it reads from r, to its end; io.Copy calls it.
func (u *PartUpload) ReadFrom(r io.Reader) (n int64, err error) { return u.out.readFrom(r) }

// Commit makes what was written the part, and returns it. It is over then, also when Commit fails.
//
// Errors: ErrUploadLost when the upload was committed or aborted meanwhile; ErrUploadDone; and whatever made it fail.
func (u *PartUpload) Commit(ctx context.Context) (part *Part, err error) {
	u.mu.Lock()
	metadata := u.metadata
	u.mu.Unlock()
	err = u.out.end(ctx, func() error {
		return u.out.finish(nil, func(token []byte, last *metainfo.NewSegment) (err error) {
			part, err = u.commit(token, last, metadata)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return part, nil
}

func (u *PartUpload) commit(token []byte, last *metainfo.NewSegment, metadata CustomMetadata) (*Part, error) {
	p := u.out.project
	s := &partSeal{number: u.out.part, plainSize: u.out.plain, metadata: metadata}
	sealed, err := cipher.SealBox(u.out.content, partPurpose, wire.Marshal(s))
	if err != nil {
		return nil, err
	}
	record, err := call(u.out.ctx, p.midway(), p.meta.CommitPart, &metainfo.CommitPartRequest{
		Auth: p.auth(), Upload: token, Last: last, Segments: u.out.next, Metadata: sealed,
	})
	if err != nil {
		return nil, err
	}
	part := partOf(record, s)
	return &part, nil
}

// Abort ends the upload of the part without effect. It unblocks Write and Commit. After either of Commit and Abort it
// returns ErrUploadDone and does nothing, so that it may be deferred.
func (u *PartUpload) Abort(ctx context.Context) error { return u.out.abort(ctx) }

var (
	_ io.Writer     = (*PartUpload)(nil)
	_ io.ReaderFrom = (*PartUpload)(nil)
)
