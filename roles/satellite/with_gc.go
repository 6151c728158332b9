package satellite

import (
	"context"

	"storj/netx"
	"storj/netx/rpc"
	"storj/roles/lifecycle"
	"storj/roles/satellite/events"
	"storj/roles/satellite/gc"
)

// addGC adds what tells nodes which pieces to keep.
func (s *Satellite) addGC(ctx context.Context) error {
	pool := rpc.NewPool(s.opts.Transport, rpc.PoolOptions{})
	s.group.Add("garbage connections", lifecycle.Closer(pool.Close))
	s.filters = gc.New(gc.Options{
		DB: s.db, Nodes: snapshotNodes{s}, Pool: pool, Hold: s.holdGarbage,
		Event: func(text string) { s.events.Add(events.Garbage, text) },
		Every: s.opts.Tune.GarbageInterval, Skew: s.opts.Tune.GarbageSkew, Metrics: s.metrics, Log: s.opts.Log,
	})
	if err := s.filters.Load(ctx); err != nil {
		return err
	}
	gc.Register(s.server, s.opts.Identity.ID(), s.filters)
	s.segments.Add("gc", s.filters)
	s.group.Add("gc", s.filters)
	return nil
}

// holdGarbage says why no garbage filter is made, or sent to a node: a doubted clock, a restored database.
func (s *Satellite) holdGarbage(node netx.NodeID) error {
	if err := s.clock.MayDelete(); err != nil {
		return err
	}
	return s.reviver.Hold(node)
}

// snapshotNodes says where nodes are, by what selection knows.
type snapshotNodes struct{ s *Satellite }

// Node says where a node is and whether it is in contact.
func (n snapshotNodes) Node(id netx.NodeID) (url netx.NodeURL, online, known bool) {
	return n.s.directory.Snapshot().Node(id)
}

// Filters makes garbage filters and sends them.
func (s *Satellite) Filters() *gc.Filters { return s.filters }
