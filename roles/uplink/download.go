package uplink

// How a download flows, all on the goroutine that reads, but for what segmentio fetches ahead:
//
//	queue of segments ── current: runs of ciphertext from nodes ─> opened in place ─> caller
//	                  └─ next: started when half of the current one is through
//	queue nearly empty: runPlans asks the satellite for the next batch, in the background
//
// A block that does not open, or a segment of which too few pieces came, is asked for again: see reader.recover.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"storj/ecenc"
	"storj/metainfo"
	"storj/netx"
)

// DownloadOptions is what to read. The zero value, and nil, is the whole of the latest version.
type DownloadOptions struct {
	Offset  int64  // bytes from the start; negative: from the end, and when that is before the start, the start
	Length  int64  // bytes at most; 0 or negative: to the end
	Version string // as in Object
}

// Download is an object being read. What it returns has been authenticated: nodes cannot alter it, and the satellite
// neither, nor cut it short. Close it when done. Reading is for one goroutine; Close, Info and Stats for any.
type Download struct {
	project *Project
	object  *Object
	offset  int64
	length  int64
	meta    *downloadMeta
	detach  func(error)
	plans   sync.WaitGroup // runPlans

	mu      sync.Mutex // guards the fields below; held while Read waits
	queue   []metainfo.DownloadSegment
	batch   *future[*metainfo.DownloadSegmentsResult] // being fetched; nil when none is
	more    bool                                      // the satellite has more than queue
	planned int64                                     // end of what queue, current and next cover, in the object
	current *reader
	next    *reader
	plain   []byte // opened and not yet read
	read    int64  // bytes handed out
	err     error  // sticky; io.EOF after the last byte

	statsMu sync.Mutex // guards stats
	stats   DownloadStats
}

// DownloadStats counts what a download cost.
type DownloadStats struct {
	NodesAsked    int      // piece downloads started
	Hedges        int      // of them, in place of one that was late or failed
	PieceBytes    int64    // received from nodes
	Segments      int      // read from nodes, to their end or in part
	Retries       int      // segments that were asked for again
	CorruptNodes  []string // IDs of nodes that sent something else than was uploaded
	InlineObjects int      // 1 if the content came from the satellite
}

// downloadMeta is how the segments of one object are asked for and opened.
type downloadMeta struct {
	project *Project
	content ecenc.Key
	layout  *layout
	token   []byte
	ctx     context.Context // of the call that made the download; ends with Close
}

const downloadOp = "download"

// Download starts reading an object, or a range of it. The context bounds the whole of it, until Close.
//
// Errors: ErrBucketNotFound, ErrObjectNotFound, ErrDeleteMarker, ErrRangeInvalid, ErrInvalid, ErrWrongPassphrase, ErrCorrupt.
func (p *Project) Download(ctx context.Context, bucket, key string, opts *DownloadOptions) (*Download, error) {
	if opts == nil {
		opts = &DownloadOptions{}
	}
	var d *Download
	err := p.do(ctx, downloadOp, func(ctx context.Context) (err error) {
		d, err = p.newDownload(ctx, bucket, key, *opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	d.mu.Lock() // against a Close of the project that sees the download before it is whole
	defer d.mu.Unlock()
	if d.meta.ctx, d.detach, err = p.attach(ctx, d.shut); err != nil {
		return nil, wrap(downloadOp, err)
	}
	d.fetchPlans()
	return d, nil
}

func (p *Project) newDownload(ctx context.Context, bucket, key string, opts DownloadOptions) (*Download, error) {
	t, err := p.locateVersion(ctx, bucket, key, opts.Version)
	if err != nil {
		return nil, err
	}
	length := opts.Length
	if length <= 0 {
		length = -1
	}
	got, err := call(ctx, p.standalone(), p.meta.Download, &metainfo.DownloadRequest{
		Auth: p.auth(), Bucket: t.bucket, Key: t.encrypted, Offset: opts.Offset, Length: length, Version: t.version,
	})
	if err != nil {
		return nil, p.found(bucket, err)
	}
	o, err := t.open(&got.Object)
	if err != nil {
		return nil, err
	}
	offset, length := resolve(opts, o.seal.plainSize)
	if offset != got.Offset || length != got.Length {
		return nil, fmt.Errorf("%w: satellite made %d+%d of the range, which is %d+%d", ErrCorrupt, got.Offset, got.Length, offset, length)
	}
	placed, err := p.place(ctx, &t, o)
	if err != nil {
		return nil, err
	}
	return &Download{
		project: p, object: o.object(key), offset: offset, length: length, queue: got.Segments, more: got.More,
		meta: &downloadMeta{project: p, content: o.content, layout: placed, token: got.Token}, planned: offset,
	}, nil
}

// place lays out an object. The parts of one that has too many different ones to be sealed come from the satellite, and
// are held against the hash that was.
func (p *Project) place(ctx context.Context, t *target, o *opened) (*layout, error) {
	s := o.seal
	switch {
	case s.parts != nil:
		return newLayout(s, s.parts)
	case s.partsHash == [len(s.partsHash)]byte{}:
		return newLayout(s, []partRun{{first: 0, count: 1, size: s.plainSize}})
	}
	var runs []partRun
	req := metainfo.ListPartsRequest{Bucket: t.bucket, Key: t.encrypted, Version: o.record.Version}
	err := p.eachPart(ctx, req, func(part *metainfo.Part) error {
		if part.PlainSize < 0 || part.PlainSize > maxPartSize {
			return fmt.Errorf("%w: part of %d bytes", ErrCorrupt, part.PlainSize)
		}
		runs = appendPart(runs, part.Number, part.PlainSize)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if hashParts(runs) != s.partsHash {
		return nil, fmt.Errorf("%w: its parts are not those that were stored", ErrCorrupt)
	}
	return newLayout(s, runs)
}

// resolve returns the range in bytes from the start of an object of size bytes.
func resolve(opts DownloadOptions, size int64) (offset, length int64) {
	offset = opts.Offset
	if offset < 0 {
		offset = max(0, size+offset)
	}
	offset = min(offset, size)
	length = size - offset
	if opts.Length > 0 {
		length = min(length, opts.Length)
	}
	return offset, length
}

// Info returns what is known of the object.
func (d *Download) Info() *Object { return d.object }

// Range returns which bytes of the object are being read: Offset from its start, and how many.
func (d *Download) Range() (offset, length int64) { return d.offset, d.length }

// Stats returns what the download has cost so far; segments count when they are through.
func (d *Download) Stats() DownloadStats {
	d.statsMu.Lock()
	defer d.statsMu.Unlock()
	stats := d.stats
	stats.CorruptNodes = slices.Clone(stats.CorruptNodes)
	return stats
}

// Read reads content, in order.
//
// Errors: io.EOF at the end; ErrCorrupt when bytes were altered and not to be had unaltered; ErrUnavailable;
// ErrObjectNotFound when the object was deleted or replaced and more of it is to be asked for; ErrClosed.
func (d *Download) Read(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if err := d.advance(); err != nil {
		return 0, err
	}
	n := copy(p, d.plain)
	d.plain = d.plain[n:]
	d.read += int64(n)
	return n, nil
}

// WriteTo writes what is left to w, without a copy; io.Copy calls it.
func (d *Download) WriteTo(w io.Writer) (n int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if err := d.advance(); err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
		wrote, err := w.Write(d.plain)
		n += int64(wrote)
		d.plain = d.plain[wrote:]
		d.read += int64(wrote)
		if err != nil {
			return n, err
		}
	}
}

// advance sees to it that there is something in plain.
func (d *Download) advance() error {
	for len(d.plain) == 0 && d.err == nil {
		done, err := d.project.begin()
		if err == nil {
			err = d.step()
			done()
		}
		if err != nil && err != io.EOF {
			if d.meta.ctx.Err() != nil {
				err = cause(d.meta.ctx)
			}
			err = wrap(downloadOp, err)
		}
		d.err = err
	}
	if len(d.plain) > 0 {
		return nil
	}
	return d.err
}

// step opens the next run of blocks, or goes on to the next segment.
func (d *Download) step() error {
	if d.read == d.length {
		d.finish(d.current)
		d.current = nil
		return io.EOF
	}
	if d.current == nil {
		if err := d.turn(); err != nil {
			return err
		}
	}
	plain, err := d.current.run()
	if err == io.EOF {
		d.finish(d.current)
		d.current = nil
		return nil
	}
	if err != nil {
		return err
	}
	d.plain = plain
	if d.current.half() {
		return d.prefetch()
	}
	return nil
}

// turn makes the next segment the current one.
func (d *Download) turn() error {
	if err := d.prefetch(); err != nil {
		return err
	}
	for d.next == nil {
		if d.batch == nil {
			return fmt.Errorf("%w: satellite has no segment at %d", ErrCorrupt, d.planned)
		}
		if err := d.takeBatch(); err != nil {
			return err
		}
		if err := d.prefetch(); err != nil {
			return err
		}
	}
	d.current, d.next = d.next, nil
	return nil
}

// prefetch starts the next segment if it is known, and asks for more of them when few are left.
func (d *Download) prefetch() error {
	if d.next != nil || len(d.queue) == 0 || d.planned == d.offset+d.length {
		d.fetchPlans()
		return nil
	}
	seg := &d.queue[0]
	d.queue = d.queue[1:]
	if seg.PlainSize == 0 {
		return d.prefetch() // of an empty part
	}
	next, err := d.meta.newReader(seg, d.planned, d.offset+d.length)
	if err != nil {
		return err
	}
	d.next, d.planned = next, next.end
	d.fetchPlans()
	return nil
}

// fetchPlans asks for the next batch of segments in the background, when the queue is short and there are more.
func (d *Download) fetchPlans() {
	const fewLeft = 1
	if !d.more || d.batch != nil || len(d.queue) > fewLeft {
		return
	}
	from := d.planned
	if len(d.queue) > 0 {
		last := &d.queue[len(d.queue)-1]
		from = last.PlainOffset + last.PlainSize
	}
	batch := newFuture[*metainfo.DownloadSegmentsResult]()
	done, err := d.project.begin()
	if err != nil {
		return // Close is under way: the next step says so
	}
	d.batch = batch
	d.plans.Go(func() {
		defer done()
		batch.run(d.meta.ctx, func(ctx context.Context) (*metainfo.DownloadSegmentsResult, error) {
			return d.meta.ask(ctx, from, d.offset+d.length-from, false)
		})
	})
}

// takeBatch waits for the batch under way.
func (d *Download) takeBatch() error {
	batch := d.batch
	d.batch = nil
	got, err := batch.wait(d.meta.ctx)
	if err != nil {
		return err
	}
	d.more = got.More && len(got.Segments) > 0
	d.queue = append(d.queue, got.Segments...)
	return nil
}

// ask asks the satellite for the segments of a range of the object.
func (m *downloadMeta) ask(ctx context.Context, offset, length int64, verify bool) (*metainfo.DownloadSegmentsResult, error) {
	return call(ctx, m.project.midway(), m.project.meta.DownloadSegments, &metainfo.DownloadSegmentsRequest{
		Auth: m.project.auth(), Token: m.token, Offset: offset, Length: length, Verify: verify,
	})
}

// finish closes a segment's reader and adds up what it cost.
func (d *Download) finish(r *reader) {
	if r == nil {
		return
	}
	r.close()
	p := &d.project.stats
	p.received.Add(r.cost.PieceBytes)
	p.asked.Add(int64(r.cost.NodesAsked))
	p.segmentsReceived.Add(int64(r.cost.Segments))
	d.statsMu.Lock()
	defer d.statsMu.Unlock()
	d.stats.NodesAsked += r.cost.NodesAsked
	d.stats.Hedges += r.cost.Hedges
	d.stats.PieceBytes += r.cost.PieceBytes
	d.stats.Segments += r.cost.Segments
	d.stats.Retries += r.cost.Retries
	d.stats.InlineObjects = max(d.stats.InlineObjects, r.cost.InlineObjects)
	for _, id := range r.cost.CorruptNodes {
		if !slices.Contains(d.stats.CorruptNodes, id) {
			d.stats.CorruptNodes = append(d.stats.CorruptNodes, id)
		}
	}
}

// Close ends the download, wherever it is, and frees what it holds. It unblocks Read. It may be repeated.
func (d *Download) Close() error {
	d.detach(ErrClosed)
	d.shut()
	return nil
}

// shut waits until nothing of the download runs any more, after its context has ended.
func (d *Download) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plans.Wait()
	d.finish(d.current)
	d.finish(d.next)
	d.current, d.next, d.queue, d.plain = nil, nil, nil, nil
	if d.err == nil {
		d.err = wrap(downloadOp, ErrClosed)
	}
}

// readAgain says whether a segment that could not be read may be, with fresh order limits or later.
func readAgain(err error) bool {
	return netx.CodeOf(err) == netx.Unavailable && !errors.Is(err, context.Canceled)
}

var (
	_ io.ReadCloser = (*Download)(nil)
	_ io.WriterTo   = (*Download)(nil)
)
