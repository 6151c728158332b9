package reputation

import (
	"context"
	"time"

	"storj/netx"
)

// What the owner decides is written before the call returns.

// Disqualify ends a node's part in the network until it is reinstated.
func (b *Book) Disqualify(ctx context.Context, id netx.NodeID, reason string) error {
	b.update(func(n *notices, now time.Time) {
		r := b.record(id, now)
		r.disqualified, r.dirty = now, true
		r.reason = cut("by the owner of the satellite: "+reason, maxReason)
		n.change(id)
		n.event("node %s disqualified by the owner", id.Short())
	})
	return b.write(ctx, false)
}

// Reinstate takes back quarantine, disqualification, suspension and exit, and gives the node fresh scores.
func (b *Book) Reinstate(ctx context.Context, id netx.NodeID) error {
	b.update(func(n *notices, now time.Time) {
		r := b.record(id, now)
		r.forgive()
		r.disqualified, r.quarantined, r.exited = time.Time{}, time.Time{}, time.Time{}
		n.change(id)
		n.event("node %s reinstated by the owner", id.Short())
	})
	return b.write(ctx, false)
}

// Forgive gives a node fresh scores, which ends a suspension or too much absence; quarantine and disqualification stay.
func (b *Book) Forgive(ctx context.Context, id netx.NodeID) error {
	b.update(func(n *notices, now time.Time) {
		r := b.record(id, now)
		reason := r.reason
		r.forgive()
		if !r.quarantined.IsZero() || !r.disqualified.IsZero() {
			r.reason = reason
		}
		n.change(id)
		n.event("node %s forgiven by the owner", id.Short())
	})
	return b.write(ctx, false)
}
