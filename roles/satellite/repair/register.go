package repair

import (
	"context"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/admin"
	"storj/roles/satellite/events"
)

const (
	// reportTimeout bounds a damage report on the server.
	reportTimeout = 30 * time.Second
	callTimeout   = 30 * time.Second
)

// Register has the server take damage reports of nodes, and answer the owner, whose identity is self.
func (s *Service) Register(server *rpc.Server, self netx.NodeID) {
	limits := rpc.Limits{MaxRequest: pieces.MaxDamage*(len(pieces.PieceID{})+8) + 64, Timeout: reportTimeout}
	rpc.Unary(server, pieces.MethodReportDamage, limits, s.takeDamage)
	admin.Serve(server, self, MethodStatus, func(context.Context, *pieces.Empty) (*Status, error) {
		status := s.Status()
		return &status, nil
	})
	rpc.Unary(server, MethodRepairSegment, rpc.Limits{Timeout: workTimeout}, // longer than others of the owner
		func(ctx context.Context, peer rpc.Peer, r *segmentRequest) (*Result, error) {
			if peer.ID != self {
				return nil, metainfo.ErrAdmin
			}
			report, err := s.RepairNow(ctx, r.place())
			return newResult(&report, err), nil
		})
	admin.Serve(server, self, MethodRebalance, func(ctx context.Context, r *rebalanceRequest) (*RebalanceStatus, error) {
		var err error
		if r.Action == actionStart || r.Action == actionStop {
			err = s.SetRebalance(ctx, r.Action == actionStart)
		}
		status := s.Rebalance()
		return &status, err
	})
}

// takeDamage keeps what a node says to have lost. Errors: netx.ErrBusy when it reported more than can be kept.
func (s *Service) takeDamage(ctx context.Context, peer rpc.Peer, req *pieces.DamageReport) (*pieces.Empty, error) {
	if _, err := s.opts.DB.Node(ctx, peer.ID); err != nil {
		return nil, pieces.ErrNotJoined
	}
	fresh, err := s.damage.report(ctx, peer.ID, req.Pieces)
	if err != nil {
		return nil, err
	}
	if fresh > 0 {
		s.note(events.Damage, "node %s reports %d damaged pieces", peer.ID.Short(), fresh)
		if s.opts.Hurry != nil {
			s.opts.Hurry()
		}
	}
	return new(pieces.Empty), nil
}

// Status says how repair is.
func (s *Service) Status() Status {
	c, last := s.queue.counts(), s.lastPass()
	outcomes, running := s.tally.today()
	status := Status{
		Checked: last.at, Segments: last.sum.segments, Below: last.sum.below, Waiting: int64(c.waiting), Dropped: c.dropped,
		Damaged: int64(s.damage.len()), MeanWait: s.tally.meanWait(), Read: s.moved.read.Load(), Written: s.moved.written.Load(),
	}
	for r := Irreparable; r < reasons; r++ {
		if c.byReason[r] > 0 {
			status.Queue = append(status.Queue, QueueLine{r.String(), int64(c.byReason[r]), c.oldest[r]})
		}
	}
	for _, r := range running[:min(len(running), maxListed)] {
		status.Running = append(status.Running, SegmentLine{
			Stream: r.Place.Stream, Position: r.Place.Position, Reason: r.Reason.String(), Since: r.Since,
		})
	}
	for o, count := range outcomes {
		if count > 0 {
			status.Today = append(status.Today, Count{Outcome(o).String(), count})
		}
	}
	lost, count := s.queue.list(Irreparable, maxListed)
	status.Lost = int64(count)
	for _, t := range lost {
		status.Irreparable = append(status.Irreparable, SegmentLine{
			t.Place.Stream, t.Place.Position, t.Reason.String(), int64(t.Healthy), int64(t.Required), t.Size, t.Queued,
		})
	}
	return status
}

func newResult(r *Report, err error) *Result {
	result := &Result{
		Outcome: r.Outcome.String(), Reason: r.Reason.String(), Before: int64(r.Before), After: int64(r.After),
		Required: int64(r.Required), Optimal: int64(r.Optimal), Took: r.Took,
	}
	for _, id := range r.Altered {
		result.Altered = append(result.Altered, NodeName{id})
	}
	for _, id := range r.Absent {
		result.Absent = append(result.Absent, NodeName{id})
	}
	if err != nil {
		result.Outcome, result.Error = Failed.String(), err.Error()
		result.Error = result.Error[:min(len(result.Error), 1000)]
	}
	return result
}

// Client asks the repair service of a running satellite. It works only for who holds the satellite's identity.
type Client struct {
	pool      *rpc.Pool
	satellite netx.NodeURL
}

// NewClient returns a client; the pool's transport must have the satellite's own identity. The pool stays the caller's.
func NewClient(pool *rpc.Pool, satellite netx.NodeURL) *Client { return &Client{pool, satellite} }

// Status says how repair is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	status := new(Status)
	return status, c.call(ctx, MethodStatus, new(pieces.Empty), status, callTimeout)
}

// Repair works on one segment now, which may take minutes.
func (c *Client) Repair(ctx context.Context, at metabase.SegmentPlace) (*Result, error) {
	result := new(Result)
	return result, c.call(ctx, MethodRepairSegment, &segmentRequest{at.Stream, at.Position}, result, workTimeout)
}

// Rebalance asks how far the rebalance is; SetRebalance starts or stops it.
func (c *Client) Rebalance(ctx context.Context) (*RebalanceStatus, error) {
	return c.rebalance(ctx, actionStatus)
}

// SetRebalance starts or stops the rebalance.
func (c *Client) SetRebalance(ctx context.Context, on bool) (*RebalanceStatus, error) {
	if on {
		return c.rebalance(ctx, actionStart)
	}
	return c.rebalance(ctx, actionStop)
}

func (c *Client) rebalance(ctx context.Context, action uint32) (*RebalanceStatus, error) {
	status := new(RebalanceStatus)
	return status, c.call(ctx, MethodRebalance, &rebalanceRequest{action}, status, callTimeout)
}

func (c *Client) call(ctx context.Context, method rpc.Method, req, resp wire.Message, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return c.pool.Call(ctx, c.satellite, netx.Control, method, req, resp, metainfo.Errors(), pieces.Errors(), kv.Errors())
}
