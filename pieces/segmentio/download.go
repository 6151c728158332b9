package segmentio

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"storj/ecenc/erasure"
	"storj/netx"
	"storj/pieces"
	"storj/pieces/piececlient"
)

// minWindowRows is how many stripes a download holds at the least: what a node sends ahead while another is late.
const minWindowRows = 8

// Stats counts what a download cost.
type Stats struct {
	PiecesAsked int   // fetches started
	Hedges      int   // of them, in place of one that was late or failed
	Bytes       int64 // piece bytes received
}

// Download is a range of a segment on its way. Next and Close are called by one goroutine; Corrupt and Stats by any.
type Download struct {
	c    *Client
	req  *DownloadRequest
	code *erasure.Code
	key  ed25519.PrivateKey

	ctx     context.Context // of the call that made it; ends with Close
	cancel  context.CancelFunc
	workers sync.WaitGroup
	wake    chan struct{} // for the conductor: one token

	bytes atomic.Int64

	mu       sync.Mutex // guards the fields below
	cond     *sync.Cond // a fetch moved, the head moved, or the end
	ring     ring
	head     int64 // first stripe not yet given back by the consumer
	fetches  map[int]*fetch
	queue    []pieces.PieceLimit
	failures []NodeError
	corrupt  []netx.NodeID
	stats    Stats
	err      error

	// The fields below belong to the goroutine that calls Next.
	given   int64  // bytes of the range handed out
	held    int64  // stripes that the last Next returned
	decoded []byte // the last stripe that had to be decoded
}

// fetch is one piece being read from a stripe on. Fields are guarded by Download.mu, but for moved.
type fetch struct {
	limit   pieces.PieceLimit
	from    int64 // first stripe
	have    int64 // first stripe that is not there
	failed  bool
	late    bool // another was started in its place
	started time.Time
	moved   atomic.Int64 // when bytes last arrived, Unix nanoseconds
}

// Download starts reading a range. The context bounds the whole download.
func (c *Client) Download(ctx context.Context, req *DownloadRequest) *Download {
	d := &Download{c: c, req: req, key: pieceKey(req.PieceKey), fetches: make(map[int]*fetch), wake: make(chan struct{}, 1)}
	d.cond = sync.NewCond(&d.mu)
	d.ctx, d.cancel = context.WithCancel(ctx)
	code, err := c.shared.codes.Get(req.Redundancy)
	if err == nil && (req.Offset < 0 || req.Length <= 0 || req.Offset+req.Length > req.EncryptedSize) {
		err = pieces.ErrRange
	}
	if err != nil {
		d.err = err
		return d
	}
	d.code = code
	first, end := d.rows()
	d.head = first
	if req.UploadKey != [32]byte{} {
		d.workers.Go(d.runVerified)
		return d
	}
	d.ring = newRing(code, end-first, c.opts.Window, c.shared)
	d.queue = c.orderDownload(req.Limits, code.Required())
	d.workers.Go(d.run)
	return d
}

// rows are the stripes [first, end) that the range touches.
func (d *Download) rows() (first, end int64) {
	stripe := d.req.Redundancy.StripeSize()
	return d.req.Offset / stripe, (d.req.Offset + d.req.Length + stripe - 1) / stripe
}

// orderDownload puts data pieces first, and pieces of nodes that failed lately last.
func (c *Client) orderDownload(limits []pieces.PieceLimit, required int) []pieces.PieceLimit {
	rank := func(l pieces.PieceLimit) int {
		switch {
		case c.nodes.suspect(l.Node.ID):
			return 2
		case l.Number >= required:
			return 1
		}
		return 0
	}
	ranks := make(map[int]int, len(limits))
	for _, l := range limits {
		ranks[l.Number] = rank(l)
	}
	sorted := slices.Clone(limits)
	slices.SortStableFunc(sorted, func(a, b pieces.PieceLimit) int { return cmp.Compare(ranks[a.Number], ranks[b.Number]) })
	return sorted
}

// Next returns the following bytes of the range, whole stripes but for its ends. The caller may change them, until the
// next call. Errors: io.EOF at the end, *TooFewError, the cause of the context.
func (d *Download) Next() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held > 0 {
		d.head += d.held
		d.held = 0
		d.cond.Broadcast()
	}
	if d.given == d.req.Length {
		return nil, io.EOF
	}
	for d.err == nil && !d.readyLocked(d.head) {
		d.cond.Wait()
	}
	if d.err != nil {
		return nil, d.err
	}
	return d.takeLocked()
}

// takeLocked cuts the range out of the ready stripes that lie side by side in the ring, or out of one that has to be
// decoded.
func (d *Download) takeLocked() (run []byte, err error) {
	_, end := d.rows()
	count := int64(1)
	if d.wholeLocked(d.head) {
		for d.head+count < end && count < maxRun && d.ring.adjacent(d.head, count) && d.wholeLocked(d.head+count) {
			count++
		}
		run = d.ring.stripes(d.head, count)
	} else if run, err = d.decodeLocked(d.head); err != nil {
		return nil, err
	}
	stripe := d.req.Redundancy.StripeSize()
	start := max(0, d.req.Offset-d.head*stripe)
	stop := min(count*stripe, d.req.Offset+d.req.Length-d.head*stripe)
	d.held = count
	d.given += stop - start
	return run[start:stop], nil
}

// maxRun bounds the stripes that one Next returns, so that those behind them keep moving.
const maxRun = 4

// readyLocked says whether a stripe can be had from what has arrived.
func (d *Download) readyLocked(row int64) bool {
	have := 0
	for _, f := range d.fetches {
		if f.from <= row && row < f.have {
			have++
		}
	}
	return have >= d.code.Required() || d.wholeLocked(row)
}

// wholeLocked says whether all that is asked of a stripe lies in data pieces that have arrived.
func (d *Download) wholeLocked(row int64) bool {
	first, last := d.wanted(row)
	for number := first; number <= last; number++ {
		if f := d.fetches[number]; f == nil || f.from > row || row >= f.have {
			return false
		}
	}
	return true
}

// wanted are the data pieces [first, last] which the range touches in a stripe.
func (d *Download) wanted(row int64) (first, last int) {
	r := d.req.Redundancy
	start := max(d.req.Offset-row*r.StripeSize(), 0)
	end := min(d.req.Offset+d.req.Length-row*r.StripeSize(), r.StripeSize())
	return int(start / int64(r.ShareSize)), int((end - 1) / int64(r.ShareSize))
}

// decodeLocked rebuilds a stripe of which data shares are missing. The result lies outside of the ring: a late fetch
// may still be writing the missing shares there.
func (d *Download) decodeLocked(row int64) (stripe []byte, err error) {
	shares := make([][]byte, d.code.Total())
	for number, f := range d.fetches {
		if f.from <= row && row < f.have {
			shares[number] = d.ring.cell(row, number)
		}
	}
	d.decoded, err = d.code.DecodeStripes(shares, d.decoded[:0])
	if err != nil {
		return nil, fmt.Errorf("decode stripe %d: %w", row, err)
	}
	return d.decoded, nil
}

// Close ends the download, wherever it is, and waits for its goroutines.
func (d *Download) Close() error {
	d.cancel()
	d.fail(context.Canceled)
	d.workers.Wait()
	d.ring.close()
	return nil
}

// Corrupt names the nodes that sent something else than was uploaded; see DownloadRequest.UploadKey.
func (d *Download) Corrupt() []netx.NodeID {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.corrupt)
}

// Stats returns what the download has cost so far.
func (d *Download) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stats
	s.Bytes = d.bytes.Load()
	return s
}

// fail ends the download with err, if it has not ended before.
func (d *Download) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
	d.cond.Broadcast()
}

// run conducts: it starts fetches and replaces those that fail or are late.
func (d *Download) run() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	d.startInitial()
	watch := watcher{d: d, progress: time.Now()}
	for {
		done, err := watch.look(time.Now())
		if err != nil {
			d.fail(err)
		}
		if done || err != nil {
			return
		}
		select {
		case <-d.wake:
		case <-ticker.C:
		case <-d.ctx.Done():
			d.fail(context.Cause(d.ctx))
			return
		}
	}
}

// startInitial starts the data pieces that the range touches, or others in the place of those whose nodes are missing
// or failed lately.
func (d *Download) startInitial() {
	d.mu.Lock()
	defer d.mu.Unlock()
	first, end := d.rows()
	low, high := 0, d.code.Required()-1
	if end-first == 1 {
		low, high = d.wanted(first)
	}
	good := func(l pieces.PieceLimit) bool {
		return l.Number >= low && l.Number <= high && !d.c.nodes.suspect(l.Node.ID)
	}
	found := 0
	for _, l := range d.queue {
		if good(l) {
			found++
		}
	}
	if found < high-low+1 { // then it takes a decoded stripe
		for range min(d.code.Required(), len(d.queue)) {
			d.startNextLocked(first)
		}
		return
	}
	d.queue = slices.DeleteFunc(d.queue, func(l pieces.PieceLimit) bool {
		if good(l) {
			d.startLocked(l, first)
			return true
		}
		return false
	})
}

func (d *Download) startNextLocked(row int64) bool {
	if len(d.queue) == 0 {
		return false
	}
	limit := d.queue[0]
	d.queue = d.queue[1:]
	d.startLocked(limit, row)
	return true
}

func (d *Download) startLocked(limit pieces.PieceLimit, row int64) {
	now := time.Now()
	f := &fetch{limit: limit, from: row, have: row, started: now}
	f.moved.Store(now.UnixNano())
	d.fetches[limit.Number] = f
	d.stats.PiecesAsked++
	d.workers.Go(func() { d.runFetch(f) })
}

// runFetch reads one piece into the ring.
func (d *Download) runFetch(f *fetch) {
	err := d.read(f)
	if d.ctx.Err() != nil {
		return
	}
	d.mu.Lock()
	if err != nil {
		f.failed = true
		d.failures = append(d.failures, NodeError{Node: f.limit.Node.ID, Err: err})
	}
	d.mu.Unlock()
	if err != nil {
		d.c.nodes.failed(f.limit.Node.ID)
	} else {
		d.c.nodes.succeeded(f.limit.Node.ID)
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *Download) read(f *fetch) error {
	_, end := d.rows()
	share := int64(d.code.ShareSize())
	r, err := piececlient.Open(d.ctx, d.c.pool, piececlient.DownloadOptions{
		Node: f.limit.Node, Limit: f.limit.Limit, Key: d.key, Offset: f.from * share, Length: (end - f.from) * share,
	})
	if err != nil {
		return err
	}
	defer r.Close()
	if r.Size() != d.req.Redundancy.PieceSize(d.req.EncryptedSize) {
		return fmt.Errorf("%w: node has a piece of %d bytes", pieces.ErrCorrupt, r.Size())
	}
	for row := f.from; row < end; row++ {
		cell := d.room(row, f)
		if cell == nil {
			return nil // closed
		}
		if err := d.fill(r, cell, f); err != nil {
			return err
		}
		d.arrived(f, row)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: node sent more than was asked for", pieces.ErrCorrupt)
	}
	return nil
}

// room waits until the window reaches a stripe and returns where its share goes; nil after the end.
func (d *Download) room(row int64, f *fetch) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.err == nil && row >= d.head+d.ring.rows {
		d.cond.Wait()
		f.moved.Store(time.Now().UnixNano()) // it was not the node that waited
	}
	if d.err != nil {
		return nil
	}
	return d.ring.cell(row, f.limit.Number)
}

func (d *Download) fill(r io.Reader, cell []byte, f *fetch) error {
	for len(cell) > 0 {
		n, err := r.Read(cell)
		cell = cell[n:]
		d.bytes.Add(int64(n))
		if n > 0 {
			f.moved.Store(time.Now().UnixNano())
		}
		if err != nil && len(cell) > 0 {
			return err
		}
	}
	return nil
}

func (d *Download) arrived(f *fetch, row int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f.have = row + 1
	if row == d.head {
		d.cond.Broadcast()
	}
}
