package satellite

import (
	"context"
	"errors"
	"time"

	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/lifecycle"
	"storj/roles/satellite/durability"
	"storj/roles/satellite/events"
	"storj/roles/satellite/orders"
	"storj/roles/satellite/placement"
	"storj/roles/satellite/repair"
	"storj/roles/satellite/reputation"
)

const (
	// loopJitter spreads the passes over all segments.
	loopJitter = 0.1
	// firstLook is how long after the start the first pass begins: by then all nodes were asked whether they are there.
	firstLook = 2 * time.Minute
	// passRest is how many times as long as a pass took nobody is hurried into the next.
	passRest = 20
)

// RepairOptions tunes repair. A zero field is its default.
type RepairOptions struct {
	Workers        int   // segments at once; repair.DefaultWorkers
	Memory         int64 // bytes of pieces held by all; repair.DefaultMemory
	BytesPerSecond int64 // read and written; 0: no bound
	RebalanceAuto  bool  // segments whose scheme the network has outgrown are rewritten without being asked
	RebalanceRate  int64 // bytes a second; repair.DefaultRebalanceRate
}

// openEvents reads the story of the network so far, to which services add, and makes the loop, to which they add
// observers.
func (s *Satellite) openEvents(ctx context.Context) error {
	log, err := events.Open(ctx, s.db.Store(), events.Options{Failed: func(err error) {
		s.log.Warn().Err(err).Msg("events not written")
	}})
	if err != nil {
		return err
	}
	s.events = log
	s.group.Add("events", log)
	s.segments = rangedloop.New(s.db, rangedloop.Options{Log: s.opts.Log})
	return nil
}

// addRepair adds what finds segments that have lost pieces, and repairs them.
func (s *Satellite) addRepair(ctx context.Context, signer *orders.Signer) (err error) {
	pool := rpc.NewPool(s.opts.Transport, rpc.PoolOptions{})
	s.group.Add("repair connections", lifecycle.Closer(pool.Close))
	known := &nodes{s}
	s.hurry = make(chan struct{}, 1)
	s.repair, err = repair.New(ctx, repair.Options{
		DB: s.db, Nodes: &repairNodes{s}, Signer: signer, Pool: pool, Events: s.events, Metrics: s.metrics, Log: s.opts.Log,
		Redundancy: known.Redundancy, Suspect: s.overlay.Suspect, Hurry: s.Hurry, Report: s.reportFinding,
		Pick: func(placement uint32, count int, exclude []netx.NodeID) []netx.NodeURL {
			picked := known.Pick(placement, count, exclude)
			urls := make([]netx.NodeURL, len(picked))
			for i := range picked {
				urls[i] = picked[i].NodeURL
			}
			return urls
		},
		Workers: s.opts.Repair.Workers, Memory: s.opts.Repair.Memory, BytesPerSecond: s.opts.Repair.BytesPerSecond,
		Interval: s.opts.Tune.LoopInterval,
		Rebalance: repair.RebalanceOptions{
			Auto: s.opts.Repair.RebalanceAuto, BytesPerSecond: s.opts.Repair.RebalanceRate,
		},
	})
	if err != nil {
		return err
	}
	s.durability = durability.New(durability.Options{Repair: s.repair, Events: s.events, Loop: s.segments, Metrics: s.metrics})
	s.repair.Register(s.server, s.opts.Identity.ID())
	s.durability.Register(s.server, s.opts.Identity.ID())
	s.segments.Add("repair", s.repair.Checker())
	s.segments.Add("rebalance", s.repair.Rebalancer())
	s.segments.Add("durability", s.durability.Observer())
	s.group.Add("repair", s.repair)
	return nil
}

// addLoop adds the passes over all segments. It comes after everything that rides along.
func (s *Satellite) addLoop() {
	s.passes = lifecycle.NewLoop("rangedloop", s.opts.Tune.LoopInterval, func(ctx context.Context) error {
		_, err := s.segments.Pass(ctx)
		return err
	}, lifecycle.LoopOptions{Log: s.opts.Log, Jitter: loopJitter})
	s.group.Add("rangedloop", s.passes)
	s.group.Add("hurry", lifecycle.Func(s.runHurry))
}

// Pass passes over all segments now, after the pass that may be running; the satellite must run.
func (s *Satellite) Pass(ctx context.Context) error { return s.passes.TriggerWait(ctx) }

// Repair is the repair service, Durability what is known of the chances of what is stored.
func (s *Satellite) Repair() *repair.Service { return s.repair }

// Durability is what is known of the chances of what is stored.
func (s *Satellite) Durability() *durability.Service { return s.durability }

// Events is the story of the network.
func (s *Satellite) Events() *events.Log { return s.events }

// Hurry asks for a pass soon. It does not block.
func (s *Satellite) Hurry() {
	select {
	case s.hurry <- struct{}{}:
	default:
	}
}

// runHurry looks for a reason to make the next pass sooner: a node that was lost, or somebody who asks; and makes the
// first one a while after the start, when the nodes have been asked whether they are there.
func (s *Satellite) runHurry(ctx context.Context) error {
	look := time.NewTimer(min(firstLook, s.opts.Tune.LookInterval))
	defer look.Stop()
	asked := true
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.hurry:
			asked = true
			continue // until the next look: many ask at once
		case <-look.C:
			look.Reset(s.opts.Tune.LookInterval)
		}
		lost, err := s.repair.NodesLost(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("nodes not looked at")
		}
		last := s.segments.Last()
		if !asked && !lost || time.Since(last.Started) < passRest*last.Took {
			continue
		}
		asked = false
		if err := s.Pass(ctx); err != nil && ctx.Err() == nil {
			s.log.Debug().Err(err).Msg("hurried pass failed") // the loop has logged why
		}
	}
}

// reportFinding tells the reputation what repair found out about a node.
func (s *Satellite) reportFinding(f repair.Finding) {
	verdict := reputation.Damaged
	switch {
	case f.Altered:
		verdict = reputation.Altered
	case f.Absent:
		verdict = reputation.Lost
	}
	s.book.Report(f.Node, reputation.Finding{Verdict: verdict, Piece: f.Piece, Text: "read by repair: " + f.Detail})
}

// underfull has a segment filled up that was stored with fewer than optimal pieces.
func (s *Satellite) underfull(stream metainfo.StreamID, position metainfo.Position) {
	s.metrics.GetOrCreateCounter("storj_segments_underfull_total").Inc()
	s.repair.Enqueue(metabase.SegmentPlace{Stream: stream, Position: position})
}

// repairNodes is the satellite's answer to what repair asks of nodes.
type repairNodes struct{ s *Satellite }

var _ repair.Nodes = (*repairNodes)(nil)

// Nodes returns what is known of all nodes.
func (r *repairNodes) Nodes(ctx context.Context) ([]repair.Node, error) {
	known, snapshot := r.s.directory.Nodes(), r.s.directory.Snapshot()
	list := make([]repair.Node, 0, len(known))
	for _, n := range known {
		aliases, err := r.s.db.Aliases(ctx, []netx.NodeID{n.URL.ID}) // from memory
		if errors.Is(err, metabase.ErrNode) {
			continue // it has no row yet, hence no piece
		}
		if err != nil {
			return nil, err
		}
		_, online, _ := snapshot.Node(n.URL.ID)
		state, _ := r.s.book.State(n.URL.ID)
		list = append(list, repair.Node{
			ID: n.URL.ID, URL: n.URL, Alias: aliases[0], State: state, Online: online,
			Eligible:    online && state == pieces.Healthy && r.s.directory.HasRoom(n),
			LastContact: n.LastContact, Patience: r.s.book.Patience(n.URL.ID), Domain: n.Domain, Tags: n.Tags,
		})
	}
	return list, nil
}

// Group says where a node stands under a placement. A placement that is not defined any more allows what the default one
// does: its segments are not moved because its rule was lost.
func (r *repairNodes) Group(number uint32, n *repair.Node) (domain string, allowed bool) {
	rule, known := r.s.directory.Snapshot().Rule(number)
	if !known {
		return n.Domain, true
	}
	if rule.DistinctBy == "" {
		return n.Domain, rule.Allows(n.Tags)
	}
	return rule.DistinctBy + "=" + placement.TagValue(n.Tags, rule.DistinctBy), rule.Allows(n.Tags)
}
