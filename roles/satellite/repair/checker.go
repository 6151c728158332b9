package repair

import (
	"context"
	"fmt"
	"sync"
	"time"

	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop"
	"storj/netx"
	"storj/pieces"
	"storj/roles/satellite/events"
)

// checker is the observer that queues segments. A segment is queued when it is seen, not at the end of the pass.
type checker struct {
	s *Service

	view    *View
	damage  *damageView
	started time.Time
	gone    []*Node // lost since the pass before
	sum     sums
}

var _ rangedloop.Tolerant = (*checker)(nil)

// sums is what a pass counts.
type sums struct {
	segments int64 // remote ones
	byReason [reasons]int64
	below    int64 // with fewer pieces than optimal, and than the network could hold
	queued   map[metainfo.NodeAlias]int64
	exiting  map[metainfo.NodeAlias]int64 // pieces on nodes that exit
	matched  map[damageKey]bool
}

func newSums() sums {
	return sums{
		queued: make(map[metainfo.NodeAlias]int64), exiting: make(map[metainfo.NodeAlias]int64),
		matched: make(map[damageKey]bool),
	}
}

func (s *sums) add(o *sums) {
	s.segments += o.segments
	s.below += o.below
	for i := range s.byReason {
		s.byReason[i] += o.byReason[i]
	}
	for alias, n := range o.queued {
		s.queued[alias] += n
	}
	for alias, n := range o.exiting {
		s.exiting[alias] += n
	}
	for key := range o.matched {
		s.matched[key] = true
	}
}

// Start takes a fresh view of the nodes.
func (c *checker) Start(ctx context.Context, started time.Time) error {
	view, err := c.s.fresh(ctx)
	if err != nil {
		return err
	}
	gone, back, err := c.s.losses.observe(ctx, view)
	if err != nil {
		return err
	}
	for _, n := range back {
		c.s.note(events.NodeBack, "node %s is back: its pieces count again", n.ID.Short())
	}
	c.view, c.damage, c.started, c.gone, c.sum = view, c.s.damage.snapshot(view), started, gone, newSums()
	c.s.queue.begin()
	return nil
}

// Fork returns what checks one range.
func (c *checker) Fork(context.Context) (rangedloop.Partial, error) {
	p := &checkerPartial{c: c, judge: newJudge(c.view, c.damage), survival: c.s.survival(), sum: newSums()}
	p.judge.matched = p.sum.matched
	for _, n := range c.gone {
		p.sum.queued[n.Alias] = 0
	}
	for alias, cond := range c.view.conds {
		if cond == Exiting {
			p.sum.exiting[metainfo.NodeAlias(alias)] = 0
		}
	}
	return p, nil
}

// checkerPartial checks one range.
type checkerPartial struct {
	c        *checker
	judge    *judge
	survival *Survival
	sum      sums
}

// Process judges segments and queues those that need work.
func (p *checkerPartial) Process(_ context.Context, segments []metainfo.Segment) error {
	for i := range segments {
		s := &segments[i]
		if s.IsInline() || !s.Expires.IsZero() && !s.Expires.After(p.c.started) {
			continue
		}
		v := p.judge.look(s)
		p.count(s, &v)
		if v.Reason == None {
			continue
		}
		p.c.s.queue.add(newTask(s, &v, p.survival, p.c.view.At))
	}
	return nil
}

func newTask(s *metainfo.Segment, v *Verdict, survival *Survival, now time.Time) Task {
	return Task{
		Place: metabase.SegmentPlace{Stream: s.Stream, Position: s.Position}, Reason: v.Reason,
		Loss:    survival.Loss(v.Reach, v.Healthy-v.Reach, s.Redundancy.Required),
		Healthy: v.Healthy, Required: s.Redundancy.Required, Optimal: s.Redundancy.Optimal, Size: s.EncryptedSize, Queued: now,
	}
}

func (p *checkerPartial) count(s *metainfo.Segment, v *Verdict) {
	p.sum.segments++
	p.sum.byReason[v.Reason]++
	if v.Below(s.Redundancy.Optimal, p.judge.lens.live) {
		p.sum.below++
	}
	if v.Classes[OnExiting] > 0 {
		for _, at := range p.judge.pieces {
			if at.class == OnExiting {
				p.sum.exiting[at.Alias]++
			}
		}
	}
	if len(p.c.gone) > 0 && v.Reason != None && v.Classes[Missing] > 0 {
		for _, at := range p.judge.pieces {
			if _, lost := p.sum.queued[at.Alias]; lost {
				p.sum.queued[at.Alias]++
			}
		}
	}
}

// Join adds what a range has counted.
func (c *checker) Join(_ context.Context, p rangedloop.Partial) error {
	c.sum.add(&p.(*checkerPartial).sum)
	return nil
}

// FinishWithout is Finish: a row that cannot be read is not repaired, the others are.
func (c *checker) FinishWithout(ctx context.Context, unreadable int64) error {
	c.s.note(events.Irreparable, "%d segment records cannot be read: `storj satellite check` names them", unreadable)
	return c.finish(ctx, false)
}

// Finish takes out of the queue what is well again, and tells what was found.
func (c *checker) Finish(ctx context.Context) error { return c.finish(ctx, true) }

func (c *checker) finish(ctx context.Context, whole bool) error {
	c.s.queue.end()
	for _, n := range c.gone {
		c.s.note(events.NodeLost, "node %s lost (%s): %d segments queued", n.ID.Short(), c.why(n), c.sum.queued[n.Alias])
	}
	if n := c.sum.byReason[Irreparable]; n > 0 && n != c.s.lastPass().sum.byReason[Irreparable] {
		c.s.note(events.Irreparable, "%d segments cannot be rebuilt from the nodes in contact now", n)
	}
	c.s.setPass(passResult{at: c.view.At, sum: c.sum, exiting: c.exitingNodes()})
	if !whole || c.damage == nil {
		return nil
	}
	return c.forgetUnmatched(ctx)
}

func (c *checker) why(n *Node) string {
	if cond := c.view.Condition(n.Alias); cond != Away {
		return n.State.String()
	}
	return fmt.Sprintf("no contact for %d hours", int(c.view.At.Sub(n.LastContact).Hours()))
}

func (c *checker) exitingNodes() map[netx.NodeID]int64 {
	left := make(map[netx.NodeID]int64, len(c.sum.exiting))
	for alias, count := range c.sum.exiting {
		if n := c.view.Node(alias); n != nil {
			left[n.ID] = count
		}
	}
	return left
}

// forgetUnmatched drops reports of pieces that belong to no segment.
func (c *checker) forgetUnmatched(ctx context.Context) error {
	for alias, list := range c.damage.byAlias {
		var stale []pieces.PieceID
		for id, at := range list {
			if !c.sum.matched[damageKey{c.view.nodes[alias].ID, id}] && at.Before(c.started) {
				stale = append(stale, id)
			}
		}
		if len(stale) == 0 {
			continue
		}
		if err := c.s.damage.forget(ctx, c.view.nodes[alias].ID, stale); err != nil {
			return err
		}
	}
	return nil
}

// passResult is what the last whole pass found.
type passResult struct {
	at      time.Time
	sum     sums
	exiting map[netx.NodeID]int64
}

// passes holds the last result.
type passes struct {
	mu   sync.Mutex // guards the field below
	last passResult
}

func (s *Service) setPass(r passResult) {
	s.passes.mu.Lock()
	defer s.passes.mu.Unlock()
	s.passes.last = r
}

func (s *Service) lastPass() passResult {
	s.passes.mu.Lock()
	defer s.passes.mu.Unlock()
	return s.passes.last
}

// PiecesLeft says how many pieces the last pass found on a node that exits, and whether one was made since it does.
func (s *Service) PiecesLeft(id netx.NodeID) (count int64, known bool) {
	count, known = s.lastPass().exiting[id]
	return count, known
}
