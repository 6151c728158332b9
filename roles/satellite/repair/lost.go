package repair

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"storj/metainfo/kv"
	"storj/netx"
	"storj/pieces"
)

// maxGap is the longest time between two observations that counts as observed: while the satellite is off, nobody sees
// nodes fail.
const maxGap = 24 * time.Hour

// losses counts which nodes were lost, over how many node-days. All methods may be called concurrently.
type losses struct {
	store kv.Store

	mu       sync.Mutex // guards the fields below
	lost     map[netx.NodeID]time.Time
	exposure exposureRow
}

func loadLosses(ctx context.Context, store kv.Store) (*losses, error) {
	l := &losses{store: store}
	err := store.View(ctx, func(tx kv.Tx) error {
		l.lost, l.exposure = make(map[netx.NodeID]time.Time), exposureRow{}
		row, err := exposureTable().Get(tx, oneKey{})
		if err != nil && !errors.Is(err, kv.ErrNotFound) {
			return err
		}
		l.exposure = row
		return lostTable().Scan(tx, lostTable().All(), func(node netx.NodeID, row *timeRow) (bool, error) {
			l.lost[node] = row.at
			return true, nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("load lost nodes: %w", err)
	}
	return l, nil
}

// observe compares a view with what was known and returns the nodes that were lost since, and those that came back.
func (l *losses) observe(ctx context.Context, view *View) (gone, back []*Node, err error) {
	l.mu.Lock()
	exposure := l.exposure
	standing := 0
	for alias, n := range view.nodes {
		if n == nil || n.State == pieces.Exited {
			continue
		}
		_, was := l.lost[n.ID]
		is := view.conds[alias].Lost()
		switch {
		case is && !was:
			gone = append(gone, n)
		case was && !is:
			back = append(back, n)
		}
		if !is {
			standing++
		}
	}
	l.mu.Unlock()
	if !exposure.until.IsZero() {
		passed := min(max(view.At.Sub(exposure.until), 0), maxGap)
		exposure.seconds += int64(passed.Seconds()) * int64(standing)
	}
	exposure.until = view.At
	exposure.losses = uint32(max(0, int(exposure.losses)+len(gone)-len(back)))
	err = l.store.Update(ctx, func(tx kv.Tx) error {
		for _, n := range gone {
			if err := lostTable().Put(tx, n.ID, &timeRow{view.At}); err != nil {
				return err
			}
		}
		for _, n := range back {
			if err := lostTable().Delete(tx, n.ID); err != nil {
				return err
			}
		}
		return exposureTable().Put(tx, oneKey{}, &exposure)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("note lost nodes: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.exposure = exposure
	for _, n := range gone {
		l.lost[n.ID] = view.At
	}
	for _, n := range back {
		delete(l.lost, n.ID)
	}
	return gone, back, nil
}

// was says whether a node was lost when it was last observed.
func (l *losses) was(id netx.NodeID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, lost := l.lost[id]
	return lost
}

// NodeFailures is what was observed of failing nodes.
type NodeFailures struct {
	Lost       int     // nodes, those that came back not counted
	NodeDays   float64 // observed
	RatePerDay float64 // of a node, with the prior
}

func (l *losses) failures() NodeFailures {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := NodeFailures{Lost: int(l.exposure.losses), NodeDays: float64(l.exposure.seconds) / (24 * 60 * 60)}
	f.RatePerDay = rateOf(float64(f.Lost), f.NodeDays)
	return f
}
