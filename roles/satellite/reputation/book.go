package reputation

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"storj/metainfo/kv"
	"storj/netx"
	"storj/pieces"
)

const (
	// DefaultQuarantine is how long a quarantine lasts before it is judged.
	DefaultQuarantine = 14 * 24 * time.Hour
	// LostAfter is how long after its last contact a node counts as lost. Source: row O23.
	LostAfter = 30 * 24 * time.Hour
	// defaultSample is how often contact is sampled, defaultInterval how often nodes check in.
	defaultSample   = time.Hour
	defaultInterval = time.Hour
)

// Contact is what the overlay knows of a node's presence.
type Contact struct {
	Node netx.NodeID
	Last time.Time // it was heard of
	Gone bool      // it does not answer, or said that it leaves
}

// Options tunes a Book. The zero value works, without samples.
type Options struct {
	Contacts    func() []Contact // all nodes; called by Run, without a lock held; nil: contact is not sampled
	Interval    time.Duration    // between check-ins; an hour
	SampleEvery time.Duration    // an hour
	Quarantine  time.Duration    // DefaultQuarantine
	Vetting     bool             // new nodes have to prove themselves: for open networks
	// Changed is told when the state of nodes changed; nil: nobody. It must not block for long.
	Changed func(nodes []netx.NodeID)
	// Event is told, in a sentence, what the owner would want to know; nil: nobody.
	Event func(text string)
	// Failed is told when the book could not be written; it is tried again. nil: nobody.
	Failed func(err error)
}

// Book is what is thought of all nodes.
type Book struct {
	store  kv.Store
	opts   Options
	signal chan struct{} // capacity 1: there is something to write

	mu          sync.RWMutex // guards the fields below
	nodes       map[netx.NodeID]*record
	started     time.Time
	quarantines []time.Time // that began by themselves within a day
	held        bool        // there were more, and it was told
	online      int         // nodes in contact by the last sample that counted
	outage      time.Time   // since when too many are gone at once; zero: they are not
}

// Open reads the book.
func Open(ctx context.Context, store kv.Store, opts Options) (*Book, error) {
	setDefault(&opts.Interval, defaultInterval)
	setDefault(&opts.SampleEvery, defaultSample)
	setDefault(&opts.Quarantine, DefaultQuarantine)
	b := &Book{store: store, opts: opts, signal: make(chan struct{}, 1), started: time.Now()}
	err := store.View(ctx, func(tx kv.Tx) error {
		b.nodes, b.online = make(map[netx.NodeID]*record), 0
		return table().Scan(tx, table().All(), func(id netx.NodeID, r *record) (bool, error) {
			b.nodes[id] = r
			if r.contact.away.IsZero() && r.disqualified.IsZero() {
				b.online++ // as it was: a satellite that starts without a line is told from a network that died
			}
			return true, nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read reputation: %w", err)
	}
	return b, nil
}

func setDefault(field *time.Duration, value time.Duration) {
	if *field == 0 {
		*field = value
	}
}

// notices is what is told after the lock is given back.
type notices struct {
	changed []netx.NodeID
	events  []string
}

func (n *notices) change(id netx.NodeID) { n.changed = append(n.changed, id) }
func (n *notices) event(format string, args ...any) {
	n.events = append(n.events, fmt.Sprintf(format, args...))
}

// update runs fn with the lock held and tells the rest of the world what came of it.
func (b *Book) update(fn func(n *notices, now time.Time)) {
	var n notices
	b.mu.Lock()
	fn(&n, time.Now().UTC())
	b.mu.Unlock()
	select {
	case b.signal <- struct{}{}:
	default: // Run knows already
	}
	b.tell(&n)
}

func (b *Book) tell(n *notices) {
	if len(n.changed) > 0 && b.opts.Changed != nil {
		b.opts.Changed(n.changed)
	}
	for _, text := range n.events {
		if b.opts.Event != nil {
			b.opts.Event(text)
		}
	}
}

// record returns the record of a node, a fresh one if there is none. It is called with mu held.
func (b *Book) record(id netx.NodeID, now time.Time) *record {
	r := b.nodes[id]
	if r == nil {
		r = newRecord(now)
		b.nodes[id] = r
	}
	return r
}

// Report counts what came of asking a node for a piece.
func (b *Book) Report(id netx.NodeID, f Finding) {
	b.update(func(n *notices, now time.Time) {
		if !f.At.IsZero() {
			now = f.At.UTC()
		}
		r := b.record(id, now)
		r.count(f)
		if r.suspend(now) {
			n.change(id)
			if r.suspended.IsZero() {
				n.event("node %s answers audits again: no longer suspended", id.Short())
			} else {
				n.event("node %s suspended: %s", id.Short(), r.reason)
			}
		}
		if f.Verdict.Failed() {
			b.tryQuarantine(id, r, now, n)
		}
	})
}

// tryQuarantine quarantines a convicted node, unless that happens too often. It is called with mu held.
func (b *Book) tryQuarantine(id netx.NodeID, r *record, now time.Time, n *notices) {
	if !r.convicted() || !r.quarantined.IsZero() || !r.disqualified.IsZero() {
		return
	}
	b.quarantines = slices.DeleteFunc(b.quarantines, func(t time.Time) bool { return now.Sub(t) > 24*time.Hour })
	if most := max(2, len(b.nodes)/10); len(b.quarantines) >= most {
		if !b.held {
			b.held = true
			n.event("more than %d nodes failed audits badly within a day: likely a fault of the satellite itself, so the others "+
				"are not quarantined until tomorrow", most)
		}
		return
	}
	b.held = false
	b.quarantines = append(b.quarantines, now)
	r.quarantined, r.dirty = now, true
	n.change(id)
	n.event("node %s quarantined: %s", id.Short(), r.reason)
}

// Seen notes that a node was heard of just now.
func (b *Book) Seen(id netx.NodeID) {
	b.mu.RLock()
	r := b.nodes[id]
	news := r == nil || !r.contact.away.IsZero()
	b.mu.RUnlock()
	if !news {
		return
	}
	b.update(func(n *notices, now time.Time) {
		r := b.record(id, now)
		r.dirty = true
		b.back(id, r, now, n)
	})
}

// back ends an absence. It is called with mu held.
func (b *Book) back(id netx.NodeID, r *record, now time.Time, n *notices) {
	away := now.Sub(r.contact.away)
	if !r.contact.seen(now) {
		return
	}
	if r.lost || away > MaxPatience {
		n.event("node %s is back after %s", id.Short(), away.Round(time.Hour))
	}
	r.lost = false
	if r.judgeContact(now) {
		n.change(id)
	}
}

// SetExiting notes whether the owner of a node wants it to leave for good.
func (b *Book) SetExiting(id netx.NodeID, exiting bool) {
	b.mu.RLock()
	r := b.nodes[id]
	same := exiting == (r != nil && !r.exiting.IsZero())
	b.mu.RUnlock()
	if same {
		return
	}
	b.update(func(n *notices, now time.Time) {
		r := b.record(id, now)
		r.dirty = true
		n.change(id)
		if exiting {
			r.exiting = now
			n.event("node %s is leaving for good: its pieces are being moved", id.Short())
			return
		}
		r.exiting, r.exited = time.Time{}, time.Time{}
		n.event("node %s stays after all", id.Short())
	})
}

// SetPieces notes how many pieces each node has, by a complete pass that began at started; nodes without any are left
// out. An exiting node without pieces has exited.
func (b *Book) SetPieces(started time.Time, counts map[netx.NodeID]int64) {
	b.update(func(n *notices, now time.Time) {
		for id := range counts {
			b.record(id, now)
		}
		for id, r := range b.nodes {
			r.pieces = counts[id]
			if !r.exiting.IsZero() && r.exiting.Before(started) && r.exited.IsZero() && r.pieces == 0 {
				r.exited, r.dirty = now, true
				n.change(id)
				n.event("node %s has no piece any more that is needed: it has exited", id.Short())
			}
		}
	})
}

// Standing is what is thought of a node. One that was never heard of is healthy.
func (b *Book) Standing(id netx.NodeID) pieces.Standing {
	b.mu.RLock()
	defer b.mu.RUnlock()
	r := b.nodes[id]
	if r == nil {
		return pieces.Standing{AuditScore: 1, UnknownScore: 1, OnlineScore: 1, Vetted: !b.opts.Vetting}
	}
	return r.standing(b.opts.Vetting, time.Now())
}

// State is the state of a node, and whether it takes its full share of new pieces.
func (b *Book) State(id netx.NodeID) (state pieces.State, vetted bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	r := b.nodes[id]
	if r == nil {
		return pieces.Healthy, !b.opts.Vetting
	}
	state, _ = r.state()
	return state, !b.opts.Vetting || r.vetted(time.Now())
}

// Patience is how long a node may be out of contact before its pieces count as missing.
func (b *Book) Patience(id netx.NodeID) time.Duration {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if r := b.nodes[id]; r != nil {
		return r.contact.patience()
	}
	return MinPatience
}

// Record is the numbers behind a standing.
type Record struct {
	Audits   uint64
	Failures uint64
	Watched  bool // it failed lately and is looked at more closely
	Lied     bool
	Pieces   int64 // by the last complete pass since the satellite started
	First    time.Time
}

// Record returns the numbers behind a node's standing.
func (b *Book) Record(id netx.NodeID) Record {
	b.mu.RLock()
	defer b.mu.RUnlock()
	r := b.nodes[id]
	if r == nil {
		return Record{}
	}
	return Record{r.audits, r.failures, r.watch > 0, r.lied, r.pieces, r.first}
}

// States lists all states.
func States() iter.Seq[pieces.State] {
	return func(yield func(pieces.State) bool) {
		for s := pieces.Healthy; s <= pieces.Exited; s++ {
			if !yield(s) {
				return
			}
		}
	}
}

// Count is the number of nodes in a state.
func (b *Book) Count(state pieces.State) (n int) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, r := range b.nodes {
		if s, _ := r.state(); s == state {
			n++
		}
	}
	return n
}
