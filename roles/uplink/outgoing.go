package uplink

// How what is written goes out, be it an object or a part of one:
//
//	Write (caller) ── seals into the buffer of segment i
//	  │  i outgrows the inline size: runPlan asks the satellite for a plan of i, while i fills
//	  │  i is full and more comes: runSegment(i) takes it; Write goes on with i+1 when there is a slot
//	  ▼
//	runSegment(i) ── plan ─> nodes ─> CommitSegment ─> gives memory and slot back        (SegmentsPerUpload at once)
//	Commit (caller) ── the last segment likewise, waits for the others, CommitObject or CommitPart
//
// Whatever fails cancels the context with the cause; Write and Commit return it. Every goroutine ends with that context,
// and Commit and Abort wait for them.

import (
	"context"
	"io"
	"sync"
	"time"

	"storj/ecenc"
	"storj/ecenc/cipher"
	"storj/metainfo"
	"storj/roles/uplink/internal/buffers"
	"storj/roles/uplink/internal/sealing"
)

// outgoing is a stream of segments on its way: what Upload and PartUpload have in common.
type outgoing struct {
	project     *Project
	op          string
	bucket      string
	sizes       *sizes
	segmentSize int64 // plaintext of a full segment, bytes
	content     ecenc.Key
	part        uint32 // number; 0 for an object uploaded in one go
	hint        int64  // bytes that are expected; 0: not known
	// start begins it at the satellite, with the plan of the first segment if that is wanted.
	start func(ctx context.Context, plan bool) (*metainfo.BeginObjectResult, error)

	ctx    context.Context // of the call that made it; ends with Commit or Abort, or at the first failure
	detach func(error)
	slots  chan struct{}  // one for each segment in memory
	work   sync.WaitGroup // runPlan and runSegment

	mu      sync.Mutex // guards the fields below; held while Write waits
	done    bool
	broken  error    // what Write failed of
	current *segment // being filled; nil before the first byte
	next    uint32   // index of the next segment
	plain   int64    // bytes written
	begun   *future[*metainfo.BeginObjectResult]
	sent    bool // a segment went to the satellite, so that an abort must tell it
}

// segment is one segment on its way.
type segment struct {
	index  uint32
	offset int64 // plaintext bytes before it in its part
	body   *sealing.Segment
	lease  *buffers.Lease
	plan   *future[*plan] // nil while it may still be inline
}

// open ties the stream to the context of its maker and to the project. With a hint the first segment is planned at once.
func (u *outgoing) open(ctx context.Context) (err error) {
	u.slots = make(chan struct{}, u.project.config.SegmentsPerUpload)
	if u.ctx, u.detach, err = u.project.attach(ctx, nil); err != nil {
		return wrap(u.op, err)
	}
	if u.hint <= 0 || cipher.EncryptedSize(u.hint) <= u.sizes.inline {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.startSegment(); err != nil {
		return wrap(u.op, u.stop(err))
	}
	u.requestPlan(u.current)
	return nil
}

// Write takes content. It encrypts before it returns, and waits while SegmentsPerUpload segments are on their way.
//
// Errors: whatever made the upload fail, now or in the background; the upload is then to be aborted. ErrUploadDone.
func (u *outgoing) write(p []byte) (n int, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return 0, wrap(u.op, ErrUploadDone)
	}
	for len(p) > 0 && u.broken == nil {
		took, err := u.fill(p)
		if err != nil {
			u.broken = wrap(u.op, u.stop(err))
		}
		p, n = p[took:], n+took
	}
	return n, u.broken
}

// fill moves as much of p into the current segment as it takes, and on to the next when that is full.
func (u *outgoing) fill(p []byte) (int, error) {
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
func (u *outgoing) remote(seg *segment) bool { return seg.body.EncryptedSize() > u.sizes.inline }

// startSegment waits for a slot and begins the next segment.
func (u *outgoing) startSegment() error {
	select {
	case u.slots <- struct{}{}:
	case <-u.ctx.Done():
		return cause(u.ctx)
	}
	body, err := sealing.New(u.content, u.part, u.next, u.segmentSize)
	if err != nil {
		return err
	}
	u.current = &segment{index: u.next, offset: u.plain, body: body, lease: u.sizes.buffers.Lease()}
	u.next++
	return nil
}

// reserve sees to memory for n more bytes. A first segment grows with its content; those behind it are likely to fill.
func (u *outgoing) reserve(seg *segment, n int) error {
	need := seg.body.Need(n)
	if need <= seg.body.Cap() {
		return nil
	}
	full := u.sizes.buffers.Size()
	if hint := cipher.EncryptedSize(max(0, u.hint)); seg.index == 0 {
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
func (u *outgoing) dispatch() error {
	seg := u.current
	u.ensureBegun(seg)
	if u.remote(seg) && seg.plan == nil {
		u.requestPlan(seg)
	}
	u.current, u.sent = nil, true
	data := seg.body.Close()
	begun := u.begun
	if !u.run(func() { u.runSegment(begun, seg, data) }) {
		u.release(seg)
		return ErrClosed
	}
	return nil
}

// run runs work on a goroutine that Commit, Abort and Close wait for. It says false when the project is closed.
func (u *outgoing) run(work func()) bool {
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

func (u *outgoing) release(seg *segment) {
	seg.lease.Return()
	<-u.slots
}

// end has commit end the stream, once.
func (u *outgoing) end(ctx context.Context, commit func() error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return wrap(u.op, ErrUploadDone)
	}
	u.done = true
	if err := u.stop(u.commit(ctx, commit)); err != nil {
		u.abandon(ctx)
		return wrap(u.op, err)
	}
	return nil
}

// commit runs the last steps under both contexts.
func (u *outgoing) commit(ctx context.Context, steps func() error) error {
	if u.broken != nil {
		return u.broken
	}
	done, err := u.project.begin()
	if err != nil {
		return err
	}
	defer done()
	defer context.AfterFunc(ctx, func() { u.detach(cause(ctx)) })()
	if u.ctx.Err() != nil {
		return cause(u.ctx)
	}
	return steps()
}

// abort ends the stream without effect. It unblocks Write and Commit.
func (u *outgoing) abort(ctx context.Context) error {
	u.detach(ErrUploadDone)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return wrap(u.op, ErrUploadDone)
	}
	u.done = true
	_ = u.stop(nil) // what it may have failed of is of no interest any more
	u.abandon(ctx)
	return nil
}

// stop ends what runs in the background and frees the memory. Of err and what ended the context before, it returns the
// first; nil after success.
func (u *outgoing) stop(err error) error {
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

// abandon tells the satellite, if it knows of the stream at all, that nothing will come of it.
func (u *outgoing) abandon(ctx context.Context) {
	if !u.sent || u.begun == nil || u.begun.err != nil || u.begun.value == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	// best effort: see abandonTimeout
	_ = u.project.meta.AbortObject(ctx, &metainfo.AbortObjectRequest{Auth: u.project.auth(), Upload: u.begun.value.Upload})
}

// readFrom writes what it reads from r, to its end.
func (u *outgoing) readFrom(r io.Reader) (n int64, err error) {
	buf := make([]byte, firstRead)
	for {
		got, err := r.Read(buf)
		if got > 0 {
			wrote, err := u.write(buf[:got])
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
