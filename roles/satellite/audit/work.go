package audit

// The goroutines of an Auditor: Run starts Workers of them, each of which takes a piece from the queue, asks for it and
// pauses; and one that puts contained pieces back into the queue when they are due. Run waits for all.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"storj/ecenc/bao"
	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/pieces"
	"storj/roles/satellite/reputation"
)

// Run audits until ctx ends.
func (a *Auditor) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	for range a.opts.Workers {
		workers.Go(func() { a.runWorker(ctx) })
	}
	ticker := time.NewTicker(a.opts.Retry / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			a.queueDue(time.Now())
		}
	}
}

// Close does nothing: store and pool are the satellite's.
func (a *Auditor) Close() error { return nil }

func (a *Auditor) runWorker(ctx context.Context) {
	for {
		it, pause, ok := a.next()
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-a.signal:
			}
			continue
		}
		a.audit(ctx, it)
		if ctx.Err() != nil || !sleep(ctx, pause*time.Duration(a.opts.Workers)) {
			return
		}
	}
}

// sleep says whether it slept to the end.
func sleep(ctx context.Context, span time.Duration) bool {
	if span <= 0 {
		return true
	}
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Drain works on the queue at once, on the caller's goroutine, and returns how many pieces it asked for.
func (a *Auditor) Drain(ctx context.Context) (asked int) {
	for ctx.Err() == nil {
		it, _, ok := a.next()
		if !ok {
			break
		}
		a.audit(ctx, it)
		asked++
	}
	return asked
}

// subject is a piece as the segment's record has it.
type subject struct {
	item
	segment metainfo.Segment
	node    netx.NodeURL
	wanted  wanted
}

// outcome is what came of asking.
type outcome struct {
	verdict reputation.Verdict // 0: nothing was learned
	hung    bool               // no answer in time
	text    string
	offset  int64
	length  int64
	took    time.Duration
}

// audit asks for one piece and sees to what follows.
func (a *Auditor) audit(ctx context.Context, it item) {
	s, err := a.look(ctx, it)
	switch {
	case errors.Is(err, errGone):
		a.forget(ctx, it)
		return
	case err != nil:
		return // the overlay looks after the node, or the database is to be asked another time
	}
	var o outcome
	if it.tries == 0 {
		o = a.prove(ctx, s)
	} else {
		o = a.fetch(ctx, s)
	}
	if ctx.Err() != nil {
		return
	}
	if err := a.conclude(ctx, s, o); err != nil && ctx.Err() == nil {
		a.log.Warn().Stringer("node", it.node).Err(err).Msg("audit not concluded")
	}
}

var (
	// errGone is returned by look when nobody should have the piece any more, or its node does not count.
	errGone = errors.New("the piece is not wanted any more")
	// errAway is returned by look for a node that is known to be out of contact.
	errAway = errors.New("the node is away")
)

// look finds out what a piece must be now. Errors: errGone, errAway, those of the database.
func (a *Auditor) look(ctx context.Context, it item) (*subject, error) {
	seg, err := a.opts.DB.Segment(ctx, it.stream, it.position)
	switch {
	case errors.Is(err, metainfo.ErrObjectNotFound):
		return nil, errGone
	case err != nil:
		return nil, err
	case !names(&seg, it), !seg.Expires.IsZero() && time.Until(seg.Expires) < 0:
		return nil, errGone
	}
	url, online, known := a.opts.Directory.Snapshot().Node(it.node)
	state, _ := a.opts.Book.State(it.node)
	switch {
	case !known, state == pieces.Disqualified, state == pieces.Exited:
		return nil, errGone
	case !online:
		return nil, errAway
	}
	return &subject{item: it, segment: seg, node: url, wanted: wanted{
		satellite: a.opts.Satellite, node: it.node, secret: a.opts.Secret,
		piece: seg.Root.Derive(it.node, it.number), size: seg.Redundancy.PieceSize(seg.EncryptedSize),
		signer: a.opts.Limits.UploadKey(seg.Root).Public, created: seg.Created,
	}}, nil
}

// names says whether the segment still has the piece.
func names(seg *metainfo.Segment, it item) bool {
	return slices.Contains(seg.Pieces, metainfo.Piece{Number: it.number, Alias: it.alias})
}

// randomGroup returns a range of whole groups of a piece: one.
func randomGroup(size int64) (offset, length int64) {
	groups := (size + bao.GroupSize - 1) / bao.GroupSize
	offset = rand.Int64N(groups) * bao.GroupSize
	return offset, min(bao.GroupSize, size-offset)
}

// conclude sees to what follows from an outcome.
func (a *Auditor) conclude(ctx context.Context, s *subject, o outcome) error {
	a.count(o)
	if o.hung || o.verdict == reputation.Faulty {
		if s.tries < maxTries {
			return a.contain(ctx, s, o)
		}
		if o.hung {
			o.verdict, o.text = reputation.TimedOut, fmt.Sprintf("no answer in %d tries: %s", s.tries+1, o.text)
		}
	}
	if o.verdict == 0 || o.verdict == reputation.Away {
		return a.unreached(s, o)
	}
	gone := o.verdict.Failed() || o.verdict == reputation.Faulty
	if gone {
		now, err := a.opts.DB.Segment(ctx, s.stream, s.position)
		if err != nil || !names(&now, s.item) || now.Root != s.segment.Root {
			a.forget(ctx, s.item) // it was deleted, overwritten or repaired meanwhile: nobody is to blame
			return nil
		}
		s.segment = now
	}
	a.opts.Book.Report(s.item.node, finding(s, o))
	err := a.note(ctx, s, o)
	if o.verdict == reputation.Trashed {
		a.restoreTrash(ctx, s.node)
	}
	if gone {
		err = errors.Join(err, a.remove(ctx, s))
	}
	a.forget(ctx, s.item)
	return err
}

// unreached has the overlay look after a node; a contained piece stays contained.
func (a *Auditor) unreached(s *subject, o outcome) error {
	if o.verdict == reputation.Away && a.opts.Suspect != nil {
		a.opts.Suspect([]netx.NodeID{s.item.node})
	}
	return nil
}

// remove takes a piece out of its segment, as far as that is safe.
func (a *Auditor) remove(ctx context.Context, s *subject) error {
	place := metabase.SegmentPlace{Stream: s.stream, Position: s.position}
	if !a.mayRemove(place, &s.segment) {
		a.event("a piece that node %s does not have is left in its segment: too many were taken out, or too few are left",
			s.item.node.Short())
		return nil
	}
	saw := s.segment.Pieces
	with := slices.DeleteFunc(slices.Clone(saw), func(p metainfo.Piece) bool { return p.Number == s.number })
	err := a.opts.DB.ReplacePieces(ctx, place, saw, with, time.Time{})
	if errors.Is(err, metainfo.ErrObjectChanged) || errors.Is(err, metainfo.ErrObjectNotFound) {
		return nil // somebody else changed it: the next pass looks again
	}
	if err != nil {
		return fmt.Errorf("take piece out of segment: %w", err)
	}
	a.opts.Metrics.GetOrCreateCounter("storj_audit_removed_pieces_total").Inc()
	if a.opts.Removed != nil {
		a.opts.Removed(s.stream, s.position)
	}
	return nil
}

// mayRemove counts a removal, if it is safe.
func (a *Auditor) mayRemove(place metabase.SegmentPlace, seg *metainfo.Segment) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(seg.Pieces) <= seg.Redundancy.Required || a.removed[place] >= maxRemoved {
		return false
	}
	a.removed[place]++
	return true
}

func (a *Auditor) event(format string, args ...any) {
	if a.opts.Event != nil {
		a.opts.Event(fmt.Sprintf(format, args...))
	}
}

func (a *Auditor) count(o outcome) {
	name := o.verdict.String()
	if o.hung {
		name = "hung"
	}
	a.opts.Metrics.GetOrCreateCounter(fmt.Sprintf("storj_audit_verdicts_total{verdict=%q}", name)).Inc()
}

// finding is what the book is told of an outcome.
func finding(s *subject, o outcome) reputation.Finding {
	return reputation.Finding{Verdict: o.verdict, Piece: s.wanted.piece, Text: o.text}
}
