package repair

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/pieces"
)

const (
	// maxDamage bounds the reported pieces of one node that are kept, maxDamaged those of all. A node that is told
	// netx.ErrBusy reports again later, when the first ones were replaced.
	maxDamage  = 20_000
	maxDamaged = 1_000_000
)

// damage is the pieces that nodes reported as damaged or lost, or did not have when they were read. All methods may be
// called concurrently.
type damage struct {
	store kv.Store

	mu    sync.Mutex // guards the fields below
	nodes map[netx.NodeID]reports
	count int
}

// reports are pieces and when they were reported. A map that was handed out is never changed again.
type reports map[pieces.PieceID]time.Time

func loadDamage(ctx context.Context, store kv.Store) (*damage, error) {
	d := &damage{store: store}
	err := store.View(ctx, func(tx kv.Tx) error {
		d.nodes, d.count = make(map[netx.NodeID]reports), 0
		return damageTable().Scan(tx, damageTable().All(), func(k damageKey, row *timeRow) (bool, error) {
			if d.nodes[k.node] == nil {
				d.nodes[k.node] = make(reports)
			}
			d.nodes[k.node][k.piece] = row.at
			d.count++
			return d.count < maxDamaged, nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("load damage reports: %w", err)
	}
	return d, nil
}

// report keeps pieces of a node and says how many were new. Errors: netx.ErrBusy when there are too many already; those
// of the store, and then none is kept.
func (d *damage) report(ctx context.Context, node netx.NodeID, list []pieces.PieceID) (int, error) {
	d.mu.Lock()
	have := d.nodes[node]
	fresh := make(reports)
	now := time.Now().UTC()
	for _, id := range list {
		if _, known := have[id]; !known {
			fresh[id] = now
		}
	}
	full := len(have)+len(fresh) > maxDamage || d.count+len(fresh) > maxDamaged
	d.mu.Unlock()
	if full {
		return 0, netx.ErrBusy
	}
	if len(fresh) == 0 {
		return 0, nil
	}
	err := d.store.Update(ctx, func(tx kv.Tx) error {
		for id, at := range fresh {
			if err := damageTable().Put(tx, damageKey{node, id}, &timeRow{at}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("keep damage report: %w", err)
	}
	d.change(node, func(r reports) { maps.Copy(r, fresh) })
	return len(fresh), nil
}

// forget drops reports: the pieces were replaced, or belong to nothing.
func (d *damage) forget(ctx context.Context, node netx.NodeID, list []pieces.PieceID) error {
	d.mu.Lock()
	have := d.nodes[node]
	known := list[:0:0]
	for _, id := range list {
		if _, ok := have[id]; ok {
			known = append(known, id)
		}
	}
	d.mu.Unlock()
	if len(known) == 0 {
		return nil
	}
	err := d.store.Update(ctx, func(tx kv.Tx) error {
		for _, id := range known {
			if err := damageTable().Delete(tx, damageKey{node, id}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("drop damage reports: %w", err)
	}
	d.change(node, func(r reports) {
		for _, id := range known {
			delete(r, id)
		}
	})
	return nil
}

// change replaces the reports of a node by a changed copy.
func (d *damage) change(node netx.NodeID, fn func(reports)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := maps.Clone(d.nodes[node])
	if next == nil {
		next = make(reports)
	}
	before := len(next)
	fn(next)
	d.count += len(next) - before
	if len(next) == 0 {
		delete(d.nodes, node)
		return
	}
	d.nodes[node] = next
}

// len is the number of reports.
func (d *damage) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}

// snapshot returns the reports as of now, by alias; nil when there are none.
func (d *damage) snapshot(view *View) *damageView {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.nodes) == 0 {
		return nil
	}
	s := &damageView{byAlias: make([]reports, view.Len())}
	for alias := range s.byAlias {
		if n := view.Node(metainfo.NodeAlias(alias)); n != nil {
			s.byAlias[alias] = d.nodes[n.ID]
		}
	}
	return s
}

// damageView is reports by alias. It never changes.
type damageView struct{ byAlias []reports }

// find returns the ID of a piece if it was reported.
func (s *damageView) find(view *View, seg *metainfo.Segment, at metainfo.Piece) (pieces.PieceID, bool) {
	if int(at.Alias) >= len(s.byAlias) || s.byAlias[at.Alias] == nil {
		return pieces.PieceID{}, false
	}
	id := seg.Root.Derive(view.Node(at.Alias).ID, at.Number)
	_, reported := s.byAlias[at.Alias][id]
	return id, reported
}
