package storagenode

import (
	"context"
	"fmt"
	"time"

	"storj/ecenc/wire"
	"storj/netx/rpc"
	"storj/pieces"
)

// careStatus fills in what the rooms say.
func (n *Node) careStatus(s *Status) {
	scrub, gate := n.scrub.Status(), n.gate.Status()
	s.Scrub = ScrubStatus{
		Every: scrub.Every, Started: scrub.Started, Bytes: scrub.Bytes, Pieces: scrub.Pieces, Found: scrub.Found,
		LastEnded: scrub.Last.Ended, LastStarted: scrub.Last.Started, LastBytes: scrub.Last.Bytes,
		LastPieces: scrub.Last.Pieces, LastFound: scrub.Last.Found, Pending: int64(scrub.Pending),
	}
	s.Bandwidth = BandwidthStatus{Rate: gate.Rate, Monthly: gate.Monthly, Used: n.book.Month(), Full: n.gate.Full()}
	s.Forgetting = n.contact.Forgotten()
	s.LostOrders = int64(n.orders.Lost())
	garbage, unsettled := n.collector.Status(), n.orders.Unsettled()
	for i := range s.Satellites {
		sat := &s.Satellites[i]
		if g, known := garbage[sat.Satellite.ID]; known {
			sat.Garbage = GarbageStatus{
				Waiting: g.Waiting || g.Running, Created: g.Created.UTC(), Applied: g.Applied, Checked: g.Checked,
				Trashed: g.Trashed, Bytes: g.Bytes,
			}
		}
		sat.Orders, sat.Ordered = unsettled[sat.Satellite.ID].Orders, unsettled[sat.Satellite.ID].Bytes
	}
}

// ownerCall makes a unary method that answers only the node itself.
func ownerCall[Req, Resp any, PReq interface {
	*Req
	wire.Message
}, PResp interface {
	*Resp
	wire.Message
}](n *Node, method rpc.Method, do func(context.Context, *Req) (*Resp, error)) {
	limits := rpc.Limits{MaxRequest: 2*maxPath + maxText, Timeout: time.Hour}
	rpc.Unary[Req, Resp, PReq, PResp](n.server, method, limits, func(ctx context.Context, peer rpc.Peer, req *Req) (*Resp, error) {
		if peer.ID != n.id.ID() {
			return nil, ErrNotOwner
		}
		return do(ctx, req)
	})
}

// registerOwner adds what the owner may have done.
func (n *Node) registerOwner() {
	ownerCall(n, MethodExit, func(_ context.Context, req *ExitRequest) (*pieces.Empty, error) {
		return new(pieces.Empty), n.exit(req.Satellite, req.Cancel)
	})
	ownerCall(n, MethodForget, func(_ context.Context, req *ForgetRequest) (*pieces.Empty, error) {
		return new(pieces.Empty), n.forget(req.Satellite, req.Insist)
	})
	ownerCall(n, MethodDisk, func(ctx context.Context, req *DiskRequest) (*DiskReply, error) {
		count, err := n.forgetDisk(ctx, req.Path)
		return &DiskReply{Reported: count}, err
	})
	ownerCall(n, MethodUsage, func(_ context.Context, req *UsageRequest) (*UsageReply, error) {
		return n.Usage(req.Month)
	})
	n.server.Stream(MethodMove, 2*maxPath+maxText, n.serveMove)
}

// Usage is what was stored and moved in a month, like 2026-11; empty is this one. Errors: pieces.ErrMalformed.
func (n *Node) Usage(month string) (*UsageReply, error) {
	if month == "" {
		month = n.opts.Now().UTC().Format("2006-01")
	}
	n.book.Sample()
	days, err := n.book.Days(month)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", pieces.ErrMalformed, err)
	}
	reply := &UsageReply{Month: month}
	for _, d := range days[:min(len(days), maxUsage)] {
		reply.Days = append(reply.Days, UsageDay{Date: d.Date, Satellite: d.Satellite, Day: d.Day})
	}
	return reply, nil
}
