package reputation

// The goroutine of Run: it waits for the next sample, or for a change and then a minute for more; it takes the dirty
// records with mu held and writes them without it. When ctx ends it writes everything, samples too.

import (
	"context"
	"fmt"
	"time"

	"storj/metainfo/kv"
	"storj/netx"
)

const (
	// settle is how long after a change it is written: many come together.
	settle = time.Minute
	// writeRows is the most rows of one transaction.
	writeRows = 1000
)

// Run samples and writes until ctx ends.
func (b *Book) Run(ctx context.Context) error {
	ticker := time.NewTicker(b.opts.SampleEvery)
	defer ticker.Stop()
	var settled <-chan time.Time // nil: nothing waits
	for {
		select {
		case <-ctx.Done():
			return b.write(context.WithoutCancel(ctx), true)
		case <-b.signal:
			if settled == nil {
				settled = time.After(settle)
			}
			continue
		case <-ticker.C:
			b.Sample()
		case <-settled:
		}
		settled = nil
		if err := b.write(ctx, false); err != nil && ctx.Err() == nil && b.opts.Failed != nil {
			b.opts.Failed(err)
		}
	}
}

// Close does nothing: Run has written, and the store is the satellite's.
func (b *Book) Close() error { return nil }

// Sample looks who is in contact and ends what has lasted long enough. Run calls it.
func (b *Book) Sample() {
	if b.opts.Contacts == nil {
		return
	}
	contacts := b.opts.Contacts()
	b.update(func(n *notices, now time.Time) {
		online := 0
		for _, c := range contacts {
			if b.inContact(c, now) {
				online++
			}
		}
		counts := b.trusted(online, now)
		for _, c := range contacts {
			r := b.record(c.Node, now)
			if r.contact.roll(now) {
				r.dirty = true
			}
			if counts {
				b.sample(c, r, now, n)
			}
			b.endQuarantine(c.Node, r, now, n)
		}
	})
}

func (b *Book) inContact(c Contact, now time.Time) bool {
	return !c.Gone && now.Sub(c.Last) <= 2*b.opts.Interval
}

// trusted says whether a sample says something of the nodes rather than of the satellite. It is called with mu held.
func (b *Book) trusted(online int, now time.Time) bool {
	if now.Sub(b.started) < 2*b.opts.Interval {
		return false
	}
	if 2*online < b.online {
		if b.outage.IsZero() {
			b.outage = now
		}
		if now.Sub(b.outage) < 24*time.Hour {
			return false
		}
	}
	b.online, b.outage = online, time.Time{}
	return true
}

// sample is called with mu held.
func (b *Book) sample(c Contact, r *record, now time.Time, n *notices) {
	online := b.inContact(c, now)
	if online {
		b.back(c.Node, r, now, n)
	}
	r.contact.sample(online, c.Last, now)
	r.sample = true
	if r.judgeContact(now) {
		n.change(c.Node)
	}
	if !r.lost && !r.contact.away.IsZero() && now.Sub(r.contact.away) > LostAfter {
		r.lost, r.dirty = true, true
		n.event("node %s has been away for 30 days: lost", c.Node.Short())
	}
}

// endQuarantine judges a quarantine that has lasted long enough, and tries again one that was held back. It is called
// with mu held.
func (b *Book) endQuarantine(id netx.NodeID, r *record, now time.Time, n *notices) {
	b.tryQuarantine(id, r, now, n)
	if r.quarantined.IsZero() || !r.disqualified.IsZero() || now.Sub(r.quarantined) < b.opts.Quarantine {
		return
	}
	switch score := r.audit.score(); {
	case r.lied || score <= DisqualifyScore:
		r.disqualified, r.dirty = now, true
		n.change(id)
		n.event("node %s disqualified at the end of its quarantine: %s", id.Short(), r.reason)
	case score > QuarantineScore:
		r.quarantined, r.dirty = time.Time{}, true
		n.change(id)
		n.event("node %s has passed its audits: quarantine ended", id.Short())
	}
}

// write stores the records that changed; with all, also those of which only samples did.
func (b *Book) write(ctx context.Context, all bool) error {
	for {
		ids, rows := b.take(all)
		if len(ids) == 0 {
			return nil
		}
		err := b.store.Update(ctx, func(tx kv.Tx) error {
			for i := range ids {
				if err := table().Put(tx, ids[i], &rows[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.giveBack(ids)
			return fmt.Errorf("write reputation: %w", err)
		}
	}
}

// take returns copies of records to be written, and marks them as written.
func (b *Book) take(all bool) (ids []netx.NodeID, rows []record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, r := range b.nodes {
		if !r.dirty && !(all && r.sample) {
			continue
		}
		r.dirty, r.sample = false, false
		ids, rows = append(ids, id), append(rows, *r)
		if len(ids) == writeRows {
			break
		}
	}
	return ids, rows
}

func (b *Book) giveBack(ids []netx.NodeID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		b.nodes[id].dirty = true
	}
}
