package uplink

// How an upload flows:
//
//	Write (caller) ── seals into the buffer of segment i
//	  │  i outgrows the inline size: runPlan asks the satellite for a plan of i, while i fills
//	  │  i is full and more comes: runSegment(i) takes it; Write goes on with i+1 when there is a slot
//	  ▼
//	runSegment(i) ── plan ─> nodes ─> CommitSegment ─> gives memory and slot back        (SegmentsPerUpload at once)
//	Commit (caller) ── the last segment likewise, waits for the others, CommitObject
//
// Whatever fails cancels the upload's context with the cause; Write and Commit return it. Every goroutine ends with
// that context, and Commit and Abort wait for them.

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"time"

	"storj/ecenc"
	"storj/ecenc/cipher"
	"storj/metainfo"
	"storj/roles/uplink/internal/buffers"
	"storj/roles/uplink/internal/sealing"
)

// UploadOptions tunes an upload. The zero value, and nil, is the default.
type UploadOptions struct {
	Expires  time.Time      // when the object is deleted; zero: never
	Metadata CustomMetadata // as by SetMetadata
	IfAbsent bool           // Commit fails with ErrObjectExists if there is an object of this key by then
	// ContentSizeHint is how many bytes will be written, when known, else 0: memory is then taken once and the first
	// segment is planned at once. It may be wrong.
	ContentSizeHint int64
}

// Upload is an object on its way. Nothing is visible before Commit, which replaces an object of the same key. End it
// with Commit or Abort. Write, Commit and SetMetadata may be called concurrently, to little use; Abort unblocks them.
type Upload struct {
	project *Project
	target  target
	opts    UploadOptions
	sizes   *sizes
	content ecenc.Key
	wrapped []byte // content key

	ctx    context.Context // of the call that made it; ends with Commit or Abort, or at the first failure
	detach func(error)
	slots  chan struct{}  // one for each segment in memory
	work   sync.WaitGroup // runPlan and runSegment

	mu      sync.Mutex // guards the fields below; held while Write waits
	done    bool
	broken  error // what Write failed of
	custom  CustomMetadata
	current *segment // being filled; nil before the first byte
	next    uint32   // index of the next segment
	plain   int64    // bytes written
	begun   *future[*metainfo.BeginObjectResult]
	sent    bool // a segment went to the satellite, so that an abort must tell it
}

// segment is one segment of an upload.
type segment struct {
	index  uint32
	offset int64 // plaintext bytes before it
	body   *sealing.Segment
	lease  *buffers.Lease
	plan   *future[*plan] // nil while it may still be inline
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
	if err := opts.Metadata.Verify(); err != nil {
		return nil, err
	}
	var u *Upload
	err := p.do(ctx, uploadOp, func(ctx context.Context) (err error) {
		u, err = p.newUpload(ctx, bucket, key, *opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	if u.ctx, u.detach, err = p.attach(ctx, nil); err != nil {
		return nil, wrap(uploadOp, err)
	}
	if hint := opts.ContentSizeHint; hint > 0 && cipher.EncryptedSize(hint) > u.sizes.inline {
		u.mu.Lock()
		defer u.mu.Unlock()
		if err := u.startSegment(); err != nil {
			return nil, wrap(uploadOp, u.stop(err))
		}
		u.requestPlan(u.current)
	}
	return u, nil
}

// newUpload gathers what an upload needs; the two questions that the first one of a process puts to the satellite go
// out side by side.
func (p *Project) newUpload(ctx context.Context, bucket, key string, opts UploadOptions) (*Upload, error) {
	asked := newFuture[*sizes]()
	var asking sync.WaitGroup
	asking.Go(func() { asked.run(ctx, p.segmentSizes) })
	t, err := p.locate(ctx, bucket, key)
	asking.Wait()
	if err != nil {
		return nil, p.found(bucket, err)
	}
	if asked.err != nil {
		return nil, asked.err
	}
	u := &Upload{
		project: p, target: t, opts: opts, sizes: asked.value, custom: opts.Metadata.Clone(),
		slots: make(chan struct{}, p.config.SegmentsPerUpload),
	}
	rand.Read(u.content[:]) // never fails: it ends the program instead
	u.wrapped, err = wrapKey(t.keys, t.bucket, t.key, u.content)
	return u, err
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
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return wrap(uploadOp, ErrUploadDone)
	}
	u.custom = custom.Clone()
	return nil
}

// Write takes content. It encrypts before it returns, and waits while SegmentsPerUpload segments are on their way.
//
// Errors: whatever made the upload fail, now or in the background; the upload is then to be aborted. ErrUploadDone.
func (u *Upload) Write(p []byte) (n int, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return 0, wrap(uploadOp, ErrUploadDone)
	}
	for len(p) > 0 && u.broken == nil {
		took, err := u.fill(p)
		if err != nil {
			u.broken = wrap(uploadOp, u.stop(err))
		}
		p, n = p[took:], n+took
	}
	return n, u.broken
}

// fill moves as much of p into the current segment as it takes, and on to the next when that is full.
func (u *Upload) fill(p []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, cause(u.ctx)
	}
	if u.current != nil && u.current.body.Room() == 0 {
		if err := u.dispatch(); err != nil {
			return 0, err
		}
	}
	if u.current == nil {
		if err := u.startSegment(); err != nil {
			return 0, err
		}
	}
	seg := u.current
	p = p[:min(int64(len(p)), seg.body.Room())]
	if err := u.reserve(seg, len(p)); err != nil {
		return 0, err
	}
	seg.body.Write(p)
	u.plain += int64(len(p))
	if seg.plan == nil && u.remote(seg) {
		u.requestPlan(seg)
	}
	return len(p), nil
}

// remote says whether a segment is too large to be inline.
func (u *Upload) remote(seg *segment) bool { return seg.body.EncryptedSize() > u.sizes.inline }

// startSegment waits for a slot and begins the next segment.
func (u *Upload) startSegment() error {
	select {
	case u.slots <- struct{}{}:
	case <-u.ctx.Done():
		return cause(u.ctx)
	}
	body, err := sealing.New(u.content, u.next, u.sizes.segment)
	if err != nil {
		return err
	}
	u.current = &segment{index: u.next, offset: u.plain, body: body, lease: u.sizes.buffers.Lease()}
	u.next++
	return nil
}

// reserve sees to memory for n more bytes. A first segment grows with its content; those behind it are likely to fill.
func (u *Upload) reserve(seg *segment, n int) error {
	need := seg.body.Need(n)
	if need <= seg.body.Cap() {
		return nil
	}
	full := u.sizes.buffers.Size()
	if hint := cipher.EncryptedSize(max(0, u.opts.ContentSizeHint)); seg.index == 0 {
		need = max(need, int(min(hint, int64(full))))
	} else {
		need = full
	}
	buf, err := seg.lease.Take(u.ctx, need)
	if err != nil {
		return cause(u.ctx)
	}
	seg.body.Grow(buf)
	return nil
}

// dispatch sends the current segment, which is full and not the last, on its way.
func (u *Upload) dispatch() error {
	seg := u.current
	u.ensureBegun(seg)
	if u.remote(seg) && seg.plan == nil {
		u.requestPlan(seg)
	}
	u.current, u.sent = nil, true
	data := seg.body.Close()
	begun := u.begun
	if !u.start(func() { u.runSegment(begun, seg, data) }) {
		u.release(seg)
		return ErrClosed
	}
	return nil
}

// start runs work on a goroutine that Commit, Abort and Close wait for. It says false when the project is closed.
func (u *Upload) start(work func()) bool {
	done, err := u.project.begin()
	if err != nil {
		return false
	}
	u.work.Go(func() {
		defer done()
		work()
	})
	return true
}

func (u *Upload) release(seg *segment) {
	seg.lease.Return()
	<-u.slots
}

// Commit makes what was written an object, and returns it. The upload is over then, also when Commit fails.
//
// Errors: ErrObjectExists with IfAbsent, ErrUploadDone, and whatever made the upload fail.
func (u *Upload) Commit(ctx context.Context) (*Object, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return nil, wrap(uploadOp, ErrUploadDone)
	}
	u.done = true
	record, err := u.commit(ctx)
	err = u.stop(err)
	if err != nil {
		u.abandon(ctx)
		return nil, wrap(uploadOp, err)
	}
	object := systemOf(record, u.target.key)
	object.Custom = u.custom
	return object, nil
}

// Abort ends the upload without an object. It unblocks Write and Commit. After either of Commit and Abort it returns
// ErrUploadDone and does nothing, so that it may be deferred.
func (u *Upload) Abort(ctx context.Context) error {
	u.detach(ErrUploadDone)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return wrap(uploadOp, ErrUploadDone)
	}
	u.done = true
	_ = u.stop(nil) // what it may have failed of is of no interest any more
	u.abandon(ctx)
	return nil
}

// stop ends what runs in the background and frees the memory. Of err and what ended the upload's context before, it
// returns the first; nil after success.
func (u *Upload) stop(err error) error {
	if err != nil && u.ctx.Err() != nil {
		err = cause(u.ctx)
	}
	u.detach(ErrUploadDone)
	u.work.Wait()
	if u.current != nil {
		u.release(u.current)
		u.current = nil
	}
	return err
}

// abandonTimeout bounds the goodbye of an upload; the satellite removes what is left of it by itself after a day.
const abandonTimeout = 5 * time.Second

// abandon tells the satellite, if it knows of the upload at all, that nothing will come of it.
func (u *Upload) abandon(ctx context.Context) {
	if !u.sent || u.begun == nil || u.begun.err != nil || u.begun.value == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	// best effort: see abandonTimeout
	_ = u.project.meta.AbortObject(ctx, &metainfo.AbortObjectRequest{Auth: u.project.auth(), Upload: u.begun.value.Upload})
}

// ReadFrom writes what it reads from r, to its end; io.Copy calls it.
func (u *Upload) ReadFrom(r io.Reader) (n int64, err error) {
	buf := make([]byte, firstRead)
	for {
		got, err := r.Read(buf)
		if got > 0 {
			wrote, err := u.Write(buf[:got])
			n += int64(wrote)
			if err != nil {
				return n, err
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if got == len(buf) && len(buf) < largeRead {
			buf = make([]byte, largeRead)
		}
	}
}

const (
	// firstRead is all that a small object needs, in bytes.
	firstRead = cipher.PlainBlockSize
	// largeRead is whole blocks, all but one of which are sealed straight from the buffer, in bytes.
	largeRead = 16 * cipher.PlainBlockSize
)

var (
	_ io.Writer     = (*Upload)(nil)
	_ io.ReaderFrom = (*Upload)(nil)
)
