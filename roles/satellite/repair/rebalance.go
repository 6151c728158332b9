package repair

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"storj/ecenc"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop"
	"storj/netx"
	"storj/pieces"
	"storj/pieces/segmentio"
	"storj/roles/satellite/events"
)

const (
	// DefaultRebalanceRate is the budget in bytes a second, read and written: a terabyte in six days, a tenth of what a
	// home line carries.
	DefaultRebalanceRate = 4 << 20
	// maxCandidates bounds the segments that wait to be rewritten; the next pass finds the others.
	maxCandidates = 20_000
)

// RebalanceOptions tunes the rebalance. A zero field is its default.
type RebalanceOptions struct {
	Auto           bool  // always on; else it is started by command
	BytesPerSecond int64 // DefaultRebalanceRate
}

// RebalanceStatus is how far a rebalance is.
type RebalanceStatus struct {
	On        bool
	Auto      bool
	Started   time.Time
	Segments  int64 // rewritten since
	Bytes     int64 // moved for that
	Waiting   int64 // segments that the last pass found outgrown and that were not rewritten yet
	BytesLeft int64 // of ciphertext in them
}

// outgrown says whether a segment of scheme have is worth being written anew as want. It is, when as much overhead
// tolerates half as many losses again (and at least one more), or when the expansion falls by a fifth without tolerating
// fewer. Small steps are left: a network that grows by one node a week would otherwise be rewritten every week.
func outgrown(have, want ecenc.Redundancy) bool {
	spareHave, spareWant := have.Optimal-have.Required, want.Optimal-want.Required
	more := 2*spareWant >= 3*spareHave && spareWant > spareHave
	cheaper := 5*want.Optimal*have.Required <= 4*have.Optimal*want.Required && spareWant >= spareHave
	return more || cheaper
}

// balance is the state of the rebalance.
type balance struct {
	s    *Service
	wake chan struct{} // capacity 1: there may be work

	mu         sync.Mutex // guards the fields below
	row        rebalanceRow
	candidates []metabase.SegmentPlace // of the last pass, not yet rewritten
	waiting    int64
	bytesLeft  int64
	skip       map[metabase.SegmentPlace]int // failures
}

func loadBalance(ctx context.Context, s *Service) (*balance, error) {
	b := &balance{s: s, wake: make(chan struct{}, 1), skip: make(map[metabase.SegmentPlace]int)}
	if s.opts.Rebalance.BytesPerSecond <= 0 {
		s.opts.Rebalance.BytesPerSecond = DefaultRebalanceRate
	}
	err := s.opts.DB.Store().View(ctx, func(tx kv.Tx) error {
		row, err := rebalanceTable().Get(tx, oneKey{})
		if errors.Is(err, kv.ErrNotFound) {
			return nil
		}
		b.row = row
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load rebalance: %w", err)
	}
	return b, nil
}

func (b *balance) save(ctx context.Context) error {
	b.mu.Lock()
	row := b.row
	b.mu.Unlock()
	return b.s.opts.DB.Store().Update(ctx, func(tx kv.Tx) error { return rebalanceTable().Put(tx, oneKey{}, &row) })
}

// SetRebalance starts or stops the rebalance. It survives a restart.
func (s *Service) SetRebalance(ctx context.Context, on bool) error {
	b := s.balance
	b.mu.Lock()
	changed := b.row.on != on
	if changed {
		b.row.on = on
		if on {
			b.row.started, b.row.segments, b.row.bytes = time.Now().UTC(), 0, 0
		} else {
			b.candidates = nil
		}
	}
	b.mu.Unlock()
	if !changed {
		return nil
	}
	s.note(events.Rebalance, "rebalance %s", map[bool]string{true: "started", false: "stopped"}[on])
	return b.save(ctx)
}

// Rebalance says how far the rebalance is.
func (s *Service) Rebalance() RebalanceStatus { return s.balance.status() }

func (b *balance) status() RebalanceStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	auto := b.s.opts.Rebalance.Auto
	return RebalanceStatus{
		On: b.row.on || auto, Auto: auto, Started: b.row.started, Segments: b.row.segments, Bytes: b.row.bytes,
		Waiting: b.waiting, BytesLeft: b.bytesLeft,
	}
}

// balanceObserver finds segments that the network has outgrown.
type balanceObserver struct {
	s     *Service
	view  *View
	found outgrowth
}

// outgrowth is what was found.
type outgrowth struct {
	places   []metabase.SegmentPlace
	segments int64
	bytes    int64
}

var _ rangedloop.Tolerant = (*balanceObserver)(nil)

// Start begins a pass.
func (o *balanceObserver) Start(ctx context.Context, _ time.Time) (err error) {
	o.found = outgrowth{}
	o.view, err = o.s.View(ctx)
	return err
}

// Fork returns what looks at a range.
func (o *balanceObserver) Fork(context.Context) (rangedloop.Partial, error) {
	return &balancePartial{judge: newJudge(o.view, nil), want: o.s.opts.Redundancy}, nil
}

type balancePartial struct {
	judge *judge
	want  func(placement uint32) ecenc.Redundancy
	found outgrowth

	asked     bool // scheme is that of placement
	placement uint32
	scheme    ecenc.Redundancy
}

// Process notes segments that are outgrown and can be read.
func (p *balancePartial) Process(_ context.Context, segments []metainfo.Segment) error {
	for i := range segments {
		s := &segments[i]
		if s.IsInline() {
			continue
		}
		if !p.asked || s.Placement != p.placement {
			p.asked, p.placement, p.scheme = true, s.Placement, p.want(s.Placement)
		}
		if !outgrown(s.Redundancy, p.scheme) || p.judge.look(s).Sources < s.Redundancy.Required {
			continue
		}
		p.found.segments++
		p.found.bytes += s.EncryptedSize
		if len(p.found.places) < maxCandidates {
			p.found.places = append(p.found.places, metabase.SegmentPlace{Stream: s.Stream, Position: s.Position})
		}
	}
	return nil
}

// Join adds what a range has found.
func (o *balanceObserver) Join(_ context.Context, p rangedloop.Partial) error {
	found := &p.(*balancePartial).found
	room := max(0, maxCandidates-len(o.found.places))
	o.found.places = append(o.found.places, found.places[:min(room, len(found.places))]...)
	o.found.segments += found.segments
	o.found.bytes += found.bytes
	return nil
}

// FinishWithout is Finish.
func (o *balanceObserver) FinishWithout(ctx context.Context, _ int64) error { return o.Finish(ctx) }

// Finish hands over what was found; a rebalance that finds nothing more is done.
func (o *balanceObserver) Finish(ctx context.Context) error {
	b := o.s.balance
	b.mu.Lock()
	b.waiting, b.bytesLeft = o.found.segments, o.found.bytes
	done := b.row.on && o.found.segments == 0
	started, segments := b.row.started, b.row.segments
	if b.row.on || o.s.opts.Rebalance.Auto {
		b.candidates = o.found.places
	}
	if done {
		b.row.on = false
	}
	clear(b.skip)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	if !done {
		return nil
	}
	o.s.note(events.Rebalance, "rebalance finished: %d segments rewritten since %s", segments, started.Format(time.DateOnly))
	return b.save(ctx)
}

// run rewrites one segment after the other, within the budget.
func (b *balance) run(ctx context.Context) {
	for ctx.Err() == nil {
		at, ok := b.next()
		if !ok {
			select {
			case <-ctx.Done():
			case <-b.wake:
			}
			continue
		}
		limited, cancel := context.WithTimeout(ctx, workTimeout)
		moved, err := b.s.rewrite(limited, at)
		cancel()
		if err != nil && ctx.Err() == nil {
			b.s.log.Warn().Stringer("stream", at.Stream).Err(err).Msg("segment not rewritten")
			moved += chunk // failures must not spin
		}
		b.note(ctx, moved, err)
		pause := time.NewTimer(time.Duration(float64(moved) / float64(b.s.opts.Rebalance.BytesPerSecond) * float64(time.Second)))
		select {
		case <-ctx.Done():
			pause.Stop()
		case <-pause.C:
		}
	}
}

func (b *balance) next() (at metabase.SegmentPlace, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.row.on && !b.s.opts.Rebalance.Auto || len(b.candidates) == 0 {
		return at, false
	}
	at, b.candidates = b.candidates[0], b.candidates[1:]
	return at, true
}

// note counts a segment, and writes the count now and then.
func (b *balance) note(ctx context.Context, moved int64, err error) {
	b.mu.Lock()
	if err == nil && moved > 0 {
		b.row.segments++
		b.waiting = max(0, b.waiting-1)
	}
	b.row.bytes += moved
	save := b.row.segments%64 == 0 || len(b.candidates) == 0
	b.mu.Unlock()
	if save {
		if err := b.save(ctx); err != nil && ctx.Err() == nil {
			b.s.log.Warn().Err(err).Msg("progress of rebalance not kept")
		}
	}
}

// rewrite reads a segment and stores it anew under the scheme of today, with another root. It returns the bytes moved; 0
// when there is nothing to be done.
func (s *Service) rewrite(ctx context.Context, at metabase.SegmentPlace) (moved int64, err error) {
	record, err := s.opts.DB.LiveSegment(ctx, at)
	if errors.Is(err, metainfo.ErrObjectNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	scheme := s.opts.Redundancy(record.Placement)
	if record.IsInline() || !outgrown(record.Redundancy, scheme) {
		return 0, nil
	}
	scheme = scheme.WithShareSize(record.EncryptedSize)
	need := int64(record.Redundancy.Required)*record.Redundancy.PieceSize(record.EncryptedSize) + 2*record.EncryptedSize
	memory, err := s.borrow(ctx, need)
	if err != nil {
		return 0, err
	}
	defer memory.free()
	read, written := s.moved.read.Load(), int64(0)
	content, err := s.wholeSegment(ctx, &record, memory)
	if err == nil {
		written, err = s.storeAnew(ctx, at, &record, scheme, content)
		s.moved.written.Add(written)
	}
	return s.moved.read.Load() - read + written, err
}

// wholeSegment reads the ciphertext of a segment from verified pieces.
func (s *Service) wholeSegment(ctx context.Context, record *metainfo.Segment, memory *loan) ([]byte, error) {
	view, err := s.View(ctx)
	if err != nil {
		return nil, err
	}
	g := s.segment(record)
	j := newJudge(view, s.damage.snapshot(view))
	report := &Report{Place: metabase.SegmentPlace{Stream: record.Stream, Position: record.Position}}
	w := &job{segment: g, view: view, verdict: j.look(record), pieces: j.pieces, lens: j.lens, report: report, bad: make(map[int]error)}
	shares, err := g.gather(ctx, view, w.sources(), memory.take(int64(record.Redundancy.Required)*g.size), w.found)
	if err != nil {
		return nil, errors.Join(err, w.remember(ctx))
	}
	code, err := s.codes.Get(record.Redundancy)
	if err != nil {
		return nil, err
	}
	padded := code.Stripes(record.EncryptedSize) * int64(code.StripeSize())
	content, err := code.DecodeStripes(shares, memory.take(padded)[:0])
	if err != nil {
		return nil, fmt.Errorf("decode verified pieces: %w", err)
	}
	return content[:record.EncryptedSize], nil
}

// storeAnew uploads the ciphertext under a new root and changes the record. It returns the piece bytes sent.
func (s *Service) storeAnew(
	ctx context.Context, at metabase.SegmentPlace, record *metainfo.Segment, scheme ecenc.Redundancy, content []byte,
) (int64, error) {
	next := *record
	next.Root, next.Redundancy = pieces.NewPieceID(), scheme
	g := s.segment(&next)
	nodes := s.opts.Pick(record.Placement, scheme.Total, nil)
	if len(nodes) < scheme.Optimal {
		return 0, metainfo.ErrNotEnoughNodes
	}
	limits := make([]pieces.PieceLimit, len(nodes))
	for i, node := range nodes {
		limits[i] = g.limit(pieces.ActionPutRepair, i, node, g.upload)
	}
	result, err := s.uploads.Upload(ctx, &segmentio.UploadRequest{
		Data: content, Redundancy: scheme, PieceKey: g.upload.Seed, Limits: limits,
		Replace: func(_ context.Context, failed []int, exclude []netx.NodeID) ([]pieces.PieceLimit, error) {
			var more []pieces.PieceLimit
			for i, node := range s.opts.Pick(record.Placement, len(failed), exclude) {
				more = append(more, g.limit(pieces.ActionPutRepair, failed[i], node, g.upload))
			}
			return more, nil
		},
	})
	if err != nil {
		return 0, fmt.Errorf("store segment anew: %w", err)
	}
	list, err := g.acknowledged(ctx, result.Pieces)
	if err != nil {
		return result.BytesSent, err
	}
	if len(list) < scheme.Optimal {
		return result.BytesSent, fmt.Errorf("store segment anew: %w", pieces.ErrTooFewPieces)
	}
	err = s.opts.DB.ReplaceSegment(ctx, at, record, metabase.Rewritten{
		Root: next.Root, Redundancy: scheme, Pieces: list, Repaired: time.Now().UTC(),
	})
	if errors.Is(err, metainfo.ErrObjectNotFound) || errors.Is(err, metainfo.ErrObjectChanged) {
		return result.BytesSent, nil // what was stored is garbage; the next pass looks again
	}
	return result.BytesSent, err
}

// acknowledged are the pieces whose acknowledgement is that of their node.
func (g *segment) acknowledged(ctx context.Context, stored []pieces.StoredPiece) ([]metainfo.Piece, error) {
	var list []metainfo.Piece
	for i := range stored {
		p := &stored[i]
		if p.Ack.Piece != g.record.Root.Derive(p.Node, p.Number) || p.Ack.Size != g.size || !g.s.opts.Signer.CheckAck(p.Node, &p.Ack) {
			continue
		}
		alias, err := g.s.opts.DB.Aliases(ctx, []netx.NodeID{p.Node})
		if err != nil {
			return nil, err
		}
		list = append(list, metainfo.Piece{Number: p.Number, Alias: alias[0]})
	}
	return list, nil
}
