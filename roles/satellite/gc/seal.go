package gc

import (
	"context"
	"fmt"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
)

// Finish adds what was copied meanwhile and seals the filters. Errors: errClock, that of Hold, those of the database.
func (f *Filters) Finish(ctx context.Context) error {
	p := f.pass
	f.pass = nil
	if p == nil {
		return nil
	}
	if err := f.hold(netx.NodeID{}); err != nil {
		return err
	}
	wall := time.Now().Round(0).Sub(p.started.Round(0))
	if drift := (wall - time.Since(p.started)).Abs(); drift > maxDrift {
		return fmt.Errorf("%w, by %v", errClock, drift)
	}
	if err := p.addEmpty(ctx); err != nil {
		return err
	}
	if err := f.addCopies(ctx, p); err != nil {
		return fmt.Errorf("add copies: %w", err)
	}
	if err := f.seal(ctx, p); err != nil {
		return fmt.Errorf("seal garbage filters: %w", err)
	}
	if err := f.opts.DB.PruneCopies(ctx, p.started.Add(-2*Margin)); err != nil {
		return fmt.Errorf("prune copies: %w", err)
	}
	return nil
}

// addCopies adds what copies brought to where the pass had been. It runs within a transaction, where no node can be
// looked up; all of them are known by now.
func (f *Filters) addCopies(ctx context.Context, p *pass) error {
	return f.opts.DB.CopiedSegments(ctx, p.started.Add(-Margin), func(segments []metainfo.Segment) error {
		for i := range segments {
			for _, piece := range segments[i].Pieces {
				b := p.nodes[piece.Alias]
				if b == nil {
					return fmt.Errorf("%w: alias %d", errUnknownNode, piece.Alias)
				}
				if b.filter != nil { // not counted: the pass may have
					b.filter.Add(segments[i].Root.Derive(b.node, piece.Number))
				}
			}
		}
		return nil
	})
}

// addEmpty gives nodes of which no piece was seen an empty filter: all that they have is garbage.
func (p *pass) addEmpty(ctx context.Context) error {
	nodes, err := p.f.opts.DB.Nodes(ctx)
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	for _, n := range nodes {
		if _, err := p.node(ctx, n.Alias); err != nil {
			return err
		}
	}
	return nil
}

// seal writes down what the pass has seen, and hands its filters to the sender.
func (f *Filters) seal(ctx context.Context, p *pass) error {
	state := f.after(p)
	counts := make(map[metainfo.NodeAlias]int64, len(p.nodes))
	made := make(map[netx.NodeID]*sealed)
	rows := make(map[netx.NodeID]NodeStatus)
	for alias, b := range p.nodes {
		counts[alias] = b.count
		if b.filter == nil {
			continue
		}
		if before := f.expected(alias); before >= shrinkFrom && b.count < before/2 {
			f.opts.Event(fmt.Sprintf("garbage filter of node %s held back: %d pieces were %d; the next pass decides",
				b.node.Short(), b.count, before))
			continue
		}
		s := &sealed{header: b.filter.Header(p.started.Add(-f.opts.Skew).UTC().Round(0)), bits: b.filter.Bits(), made: p.started}
		made[b.node] = s
		rows[b.node] = NodeStatus{Node: b.node, Pieces: b.filter.Count(), Size: b.filter.Size(), Made: p.started.UTC().Round(0)}
		f.pieces.AddInt64(b.filter.Count())
	}
	if err := f.write(ctx, state, counts, rows); err != nil {
		return err
	}
	f.mu.Lock()
	f.state, f.counts = state, counts
	for id, s := range made {
		row := rows[id]
		row.Sent = f.status[id].Sent
		f.sealed[id], f.status[id] = s, row
	}
	f.mu.Unlock()
	if len(made) > 0 {
		f.log.Info().Int("count", len(made)).Int64("dur_ms", time.Since(p.started).Milliseconds()).Msg("garbage filters made")
		select {
		case f.wake <- struct{}{}:
		default: // it is awake
		}
	}
	return nil
}

// after is the state when the pass has ended well.
func (f *Filters) after(p *pass) stateRow {
	f.mu.Lock()
	defer f.mu.Unlock()
	state := f.state
	if p.build == nil {
		return state // it counted; filters are due
	}
	if state.round.IsZero() {
		state.round = p.started.UTC().Round(0)
	}
	if state.next = p.next; p.next == 0 {
		state.built, state.round = state.round, time.Time{}
	}
	return state
}

// write replaces the rows of counts, and those of nodes that have a new filter.
func (f *Filters) write(
	ctx context.Context, state stateRow, counts map[metainfo.NodeAlias]int64, rows map[netx.NodeID]NodeStatus,
) error {
	return f.opts.DB.Store().Update(ctx, func(tx kv.Tx) error {
		if err := stateTable().Put(tx, struct{}{}, &state); err != nil {
			return err
		}
		err := countTable().Scan(tx, countTable().All(), func(alias metainfo.NodeAlias, _ *countRow) (bool, error) {
			return true, countTable().Delete(tx, alias)
		})
		if err != nil {
			return err
		}
		for alias, count := range counts {
			if err := countTable().Put(tx, alias, &countRow{count}); err != nil {
				return err
			}
		}
		for id, row := range rows {
			old, err := nodeTable().Get(tx, id)
			if err == nil {
				row.Sent = old.Sent
			}
			if err := nodeTable().Put(tx, id, &row); err != nil {
				return err
			}
		}
		return nil
	})
}
