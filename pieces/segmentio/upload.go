package segmentio

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"storj/netx"
	"storj/pieces"
	"storj/pieces/piececlient"
)

// tick is how often the conductors look for stalls.
const tick = 50 * time.Millisecond

// Upload stores a segment on as many nodes as its scheme wants, or on more than Repair when no more can be had. Where
// limits have groups it goes on until the loss of any one group would leave Required pieces, as far as the limits go.
//
// Errors: *TooFewError (pieces.ErrTooFewPieces); the cause of ctx. Whatever it returns, every goroutine has ended.
func (c *Client) Upload(ctx context.Context, req *UploadRequest) (*UploadResult, error) {
	code, err := c.shared.codes.Get(req.Redundancy)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	u := &upload{
		c: c, req: req, ctx: ctx,
		size:    req.Redundancy.PieceSize(int64(len(req.Data))),
		key:     pieceKey(req.PieceKey),
		queue:   c.order(req.Limits),
		asked:   nodesOf(req.Limits),
		active:  make(map[*attempt]struct{}),
		events:  make(chan event),
		stored:  make(map[int]pieces.StoredPiece),
		groupOf: make(map[int]uint32),
		started: time.Now(),
	}
	u.grouped = slices.ContainsFunc(req.Limits, func(l pieces.PieceLimit) bool { return l.Group != 0 })
	initial := make([]int, 0, req.Redundancy.Optimal)
	for _, limit := range u.queue[:min(len(u.queue), req.Redundancy.Optimal)] {
		initial = append(initial, limit.Number)
	}
	u.enc = newEncoder(code, req.Data, initial, c.shared)
	err = u.conduct()
	cancel()
	u.senders.Wait()
	u.enc.close()
	if err != nil {
		return nil, err
	}
	return u.result(), nil
}

// order puts limits of nodes that failed lately last, and else keeps the order of numbers: data pieces first, so that
// downloads find them.
func (c *Client) order(limits []pieces.PieceLimit) []pieces.PieceLimit {
	sorted := slices.Clone(limits)
	rank := func(l pieces.PieceLimit) int {
		if c.nodes.suspect(l.Node.ID) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(sorted, func(a, b pieces.PieceLimit) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Number, b.Number))
	})
	return sorted
}

func nodesOf(limits []pieces.PieceLimit) []netx.NodeID {
	nodes := make([]netx.NodeID, len(limits))
	for i := range limits {
		nodes[i] = limits[i].Node.ID
	}
	return nodes
}

// upload conducts one segment. Its fields belong to the conductor; senders speak through events and their attempt.
type upload struct {
	c       *Client
	req     *UploadRequest
	ctx     context.Context // of this call
	enc     *encoder
	size    int64 // of each piece
	key     ed25519.PrivateKey
	started time.Time

	queue     []pieces.PieceLimit
	asked     []netx.NodeID // all that were ever in queue: none is to get a second piece
	active    map[*attempt]struct{}
	events    chan event
	senders   sync.WaitGroup
	stored    map[int]pieces.StoredPiece
	groupOf   map[int]uint32  // of stored pieces
	grouped   bool            // some limits have a group
	durations []time.Duration // of stored pieces
	failures  []NodeError
	retry     []int // numbers whose nodes failed
	replacing bool
	dry       bool // Replace has no more
	sent      atomic.Int64
}

// attempt is one piece on its way to one node.
type attempt struct {
	limit   pieces.PieceLimit
	started time.Time
	suspect bool // its node failed lately
	lagging bool // another was started in its place

	sent     atomic.Int64
	seen     int64 // sent at the last look
	progress time.Time
}

// event is the end of a sender, or of a Replace call.
type event struct {
	a      *attempt
	ack    *pieces.PieceAck
	err    error
	limits []pieces.PieceLimit
}

func (u *upload) conduct() error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		u.launch()
		if done, err := u.finished(); done {
			return err
		}
		select {
		case e := <-u.events:
			u.handle(e)
		case now := <-ticker.C:
			u.watch(now)
		case <-u.ctx.Done():
			return context.Cause(u.ctx)
		}
	}
}

// launch starts as many pieces as are still wanted, and asks for other nodes when there are none left to start.
func (u *upload) launch() {
	wanted := u.req.Redundancy.Optimal - len(u.stored) - u.running()
	for wanted > 0 && len(u.queue) > 0 && (u.size <= largePiece || len(u.active) < u.c.opts.MaxStreams) {
		limit := u.queue[0]
		u.queue = u.queue[1:]
		if _, stored := u.stored[limit.Number]; stored {
			continue
		}
		u.start(limit)
		wanted--
	}
	if wanted <= 0 {
		u.spread()
	}
	if wanted > 0 && len(u.queue) == 0 && len(u.retry) > 0 {
		u.replace()
	}
}

// running counts the senders that are expected to end well.
func (u *upload) running() (n int) {
	for a := range u.active {
		if !a.lagging {
			n++
		}
	}
	return n
}

func (u *upload) start(limit pieces.PieceLimit) {
	now := time.Now()
	a := &attempt{limit: limit, started: now, progress: now, suspect: u.c.nodes.suspect(limit.Node.ID)}
	u.active[a] = struct{}{}
	u.senders.Go(func() {
		source := u.enc.source(limit.Number)
		defer source.close()
		ack, err := piececlient.Upload(u.ctx, u.c.pool, piececlient.UploadOptions{
			Node: limit.Node, Limit: limit.Limit, Key: u.key, Size: u.size, Source: source, Sent: &a.sent,
		})
		u.sent.Add(a.sent.Load())
		u.tell(event{a: a, ack: ack, err: err})
	})
}

// tell hands an event to the conductor, as long as it listens.
func (u *upload) tell(e event) {
	select {
	case u.events <- e:
	case <-u.ctx.Done():
	}
}

// maxAsked is how many nodes are asked to store a segment before no more are sought, as a multiple of its pieces. After
// that what fails is not the nodes; and a request to replace some names at most twice ecenc.MaxTotal to be excluded.
const maxAsked = 2

// replace asks for other nodes, one call at a time.
func (u *upload) replace() {
	if u.req.Replace == nil || u.replacing || u.dry {
		return
	}
	u.replacing = true
	failed := u.retry
	u.retry = nil
	exclude := slices.Clone(u.asked)
	u.senders.Go(func() {
		limits, err := u.req.Replace(u.ctx, failed, exclude)
		u.tell(event{limits: limits, err: err})
	})
}

func (u *upload) handle(e event) {
	if e.a == nil {
		u.replacing = false
		fresh := slices.DeleteFunc(e.limits, func(l pieces.PieceLimit) bool { return slices.Contains(u.asked, l.Node.ID) })
		u.queue, u.asked = append(u.queue, fresh...), append(u.asked, nodesOf(fresh)...)
		u.dry = e.err != nil || len(fresh) == 0 || len(u.asked) >= maxAsked*u.req.Redundancy.Total
		return
	}
	delete(u.active, e.a)
	node := e.a.limit.Node.ID
	if e.err != nil {
		u.fail(e.a, e.err)
		return
	}
	u.c.nodes.succeeded(node)
	u.durations = append(u.durations, time.Since(e.a.started))
	u.groupOf[e.a.limit.Number] = e.a.limit.Group
	u.stored[e.a.limit.Number] = pieces.StoredPiece{Number: e.a.limit.Number, Node: node, Ack: *e.ack}
}

func (u *upload) fail(a *attempt, err error) {
	u.c.nodes.failed(a.limit.Node.ID)
	u.failures = append(u.failures, NodeError{Node: a.limit.Node.ID, Err: err})
	if !a.lagging {
		u.retry = append(u.retry, a.limit.Number)
	}
}

// watch marks senders that stalled or fell far behind.
func (u *upload) watch(now time.Time) {
	pace := u.pace(now)
	typical := median(u.durations)
	for a := range u.active {
		if sent := a.sent.Load(); sent != a.seen {
			a.seen, a.progress = sent, now
		}
		if a.lagging {
			continue
		}
		patience := max(u.c.opts.Stall, 8*pace, 2*typical)
		if a.suspect {
			patience = max(u.c.opts.Stall/5, 2*typical)
		}
		half := 2*len(u.durations) >= u.req.Redundancy.Optimal
		stalled := now.Sub(a.progress) > patience
		behind := half && now.Sub(a.started) > u.c.opts.Stall+3*typical
		if stalled || behind {
			a.lagging = true
			u.retry = append(u.retry, a.limit.Number)
			u.c.nodes.failed(a.limit.Node.ID)
		}
	}
}

// pace is what the median running sender has needed for a chunk so far; zero while nothing has moved.
func (u *upload) pace(now time.Time) time.Duration {
	const chunk = 32 << 10
	var paces []time.Duration
	for a := range u.active {
		if sent := a.sent.Load(); sent > 0 {
			paces = append(paces, now.Sub(a.started)*chunk/time.Duration(max(sent, chunk)))
		}
	}
	return median(paces)
}

func median(spans []time.Duration) time.Duration {
	if len(spans) == 0 {
		return 0
	}
	sorted := slices.Clone(spans)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

// finished says whether there is nothing more to wait for, and whether what is stored is enough.
func (u *upload) finished() (bool, error) {
	r := u.req.Redundancy
	if len(u.stored) >= r.Optimal && (!u.grouped || u.secured(len(u.stored), u.storedGroups()) || !u.canSpread()) {
		return true, nil
	}
	more := len(u.queue) > 0 || u.replacing || (len(u.retry) > 0 && u.req.Replace != nil && !u.dry)
	if more || u.running() > 0 {
		return false, nil
	}
	if len(u.stored) > r.Repair {
		return true, nil
	}
	needed := min(r.Repair+1, r.Optimal)
	if len(u.stored)+len(u.active) >= needed && u.moving() {
		return false, nil
	}
	for a := range u.active {
		u.failures = append(u.failures, NodeError{Node: a.limit.Node.ID, Err: pieces.ErrStalled})
	}
	return true, &TooFewError{Had: len(u.stored), Needed: needed, Causes: u.failures}
}

// moving says whether a sender that was given up on may still end well: some byte moved not long ago.
func (u *upload) moving() bool {
	last := u.started
	for a := range u.active {
		if a.progress.After(last) {
			last = a.progress
		}
	}
	return time.Since(last) < u.c.opts.GiveUp
}

func (u *upload) result() *UploadResult {
	res := &UploadResult{BytesSent: u.sent.Load()}
	for _, piece := range u.stored {
		res.Pieces = append(res.Pieces, piece)
	}
	slices.SortFunc(res.Pieces, func(a, b pieces.StoredPiece) int { return cmp.Compare(a.Number, b.Number) })
	for _, failure := range u.failures {
		res.Failed = append(res.Failed, failure.Node)
	}
	for a := range u.active {
		if a.lagging {
			res.Failed = append(res.Failed, a.limit.Node.ID)
		}
	}
	return res
}
