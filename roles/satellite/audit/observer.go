package audit

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"storj/metainfo"
	"storj/metainfo/rangedloop"
	"storj/netx"
)

// observer fills the queue of an Auditor from a pass.
type observer struct {
	a       *Auditor
	watched map[metainfo.NodeAlias]bool
	started time.Time
	total   *selection

	aliases map[metainfo.NodeAlias]netx.NodeID // of nodes that had pieces in the last pass
	credit  map[netx.NodeID]float64            // audits that a node is due
	before  time.Time                          // when the last complete pass ended
}

var _ rangedloop.Tolerant = (*observer)(nil)

// Observer returns what selects pieces in each pass over the segments. It is for one loop.
func (a *Auditor) Observer() rangedloop.Observer {
	return &observer{
		a: a, aliases: make(map[metainfo.NodeAlias]netx.NodeID), credit: make(map[netx.NodeID]float64),
	}
}

// Start implements rangedloop.Observer.
func (o *observer) Start(_ context.Context, started time.Time) error {
	o.started = started
	o.watched = make(map[metainfo.NodeAlias]bool)
	for alias, id := range o.aliases {
		if o.a.opts.Book.Record(id).Watched {
			o.watched[alias] = true
		}
	}
	o.total = newSelection(o.watched, nil)
	return nil
}

// Fork implements rangedloop.Observer.
func (o *observer) Fork(context.Context) (rangedloop.Partial, error) {
	rng := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	return &partial{selection: newSelection(o.watched, rng), soon: o.started.Add(tooSoon)}, nil
}

// Join implements rangedloop.Observer.
func (o *observer) Join(_ context.Context, p rangedloop.Partial) error {
	o.total.join(p.(*partial).selection)
	return nil
}

// Finish implements rangedloop.Observer: it turns picks into work.
func (o *observer) Finish(ctx context.Context) error { return o.finish(ctx, true) }

// FinishWithout implements rangedloop.Tolerant: what was seen can be audited, but a node of which nothing was seen may
// have pieces.
func (o *observer) FinishWithout(ctx context.Context, _ int64) error { return o.finish(ctx, false) }

func (o *observer) finish(ctx context.Context, whole bool) error {
	var aliases []metainfo.NodeAlias
	for alias := range o.total.nodes {
		if o.total.nodes[alias].count > 0 {
			aliases = append(aliases, metainfo.NodeAlias(alias))
		}
	}
	ids, err := o.a.opts.DB.NodeIDs(ctx, aliases)
	if err != nil {
		return err
	}
	clear(o.aliases)
	counts := make(map[netx.NodeID]int64, len(ids))
	for i, id := range ids {
		o.aliases[aliases[i]] = id
		counts[id] = o.total.nodes[aliases[i]].count
	}
	if whole {
		o.a.opts.Book.SetPieces(o.started, counts)
	}
	o.a.fill(o.queue(ids, aliases), o.elapsed())
	o.total = nil
	return nil
}

// elapsed is the time since the last complete pass ended; at first, that of one audit at the usual pace.
func (o *observer) elapsed() time.Duration {
	now := time.Now()
	if o.before.IsZero() {
		o.before = now
		return 0
	}
	elapsed := min(now.Sub(o.before), day)
	o.before = now
	return elapsed
}

const (
	day = 24 * time.Hour
	// tooSoon is how long before its expiry a segment is left alone.
	tooSoon = time.Hour
)

// queue takes of each node's picks as many as it is due, in random order of nodes, one of each before the second of any.
func (o *observer) queue(ids []netx.NodeID, aliases []metainfo.NodeAlias) []item {
	elapsed := day
	if !o.before.IsZero() {
		elapsed = min(time.Since(o.before), day)
	}
	credit := make(map[netx.NodeID]float64, len(ids))
	due := make([]int, len(ids))
	for i, id := range ids {
		picks := o.total.nodes[aliases[i]].picks
		slices.SortFunc(picks, byKey) // in this order they are drawn one after another
		most := float64(len(picks))
		c := min(o.credit[id]+o.a.pace(id)*elapsed.Hours()/day.Hours(), most)
		if o.before.IsZero() {
			c = min(1, most) // how long ago it was audited is not known
		}
		due[i] = int(c)
		credit[id] = c - float64(due[i])
	}
	o.credit = credit
	var items []item
	order := rand.Perm(len(ids))
	for round := 0; ; round++ {
		before := len(items)
		for _, i := range order {
			if round < due[i] {
				items = append(items, item{node: ids[i], alias: aliases[i], pick: o.total.nodes[aliases[i]].picks[round]})
			}
		}
		if len(items) == before {
			return items
		}
	}
}

// partial looks at one range.
type partial struct {
	*selection
	soon time.Time
}

// Process implements rangedloop.Partial.
func (p *partial) Process(_ context.Context, segments []metainfo.Segment) error {
	for i := range segments {
		s := &segments[i]
		if s.IsInline() || !s.Expires.IsZero() && s.Expires.Before(p.soon) {
			continue
		}
		p.add(s, float64(max(s.Redundancy.PieceSize(s.EncryptedSize), 1)))
	}
	return nil
}
