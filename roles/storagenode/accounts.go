package storagenode

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/storagenode/bandwidth"
	"storj/roles/storagenode/orderlog"
	"storj/roles/storagenode/usage"
)

// stateDir is where a room of the node keeps its files; empty: nowhere.
func (n *Node) stateDir(name string) string {
	if n.opts.InMemory {
		return ""
	}
	return filepath.Join(n.opts.Dir, name)
}

// openAccounts opens what counts: bytes for the owner, orders for the satellites.
func (n *Node) openAccounts(context.Context) (err error) {
	if n.book, err = usage.Open(usage.Options{Dir: n.stateDir(usageDir), Stored: n.storedBytes, Now: n.opts.Now}); err != nil {
		return err
	}
	n.group.Add("usage", n.book)
	opts := n.opts.Bandwidth
	opts.Used, opts.Now = n.book.Month, n.opts.Now
	n.gate = bandwidth.New(opts)
	return nil
}

// openOrders comes after the node of the piece protocol, which is told the serials that were used.
func (n *Node) openOrders(used func(netx.NodeID, pieces.SerialNumber)) (err error) {
	n.orders, err = orderlog.Open(orderlog.Options{
		Dir: n.stateDir(ordersDir), NoSync: n.opts.RelaxedSync, Used: used, Now: n.opts.Now, Log: n.opts.Log,
	})
	if err == nil {
		n.group.Add("orders", n.orders)
	}
	return err
}

func (n *Node) storedBytes() map[netx.NodeID]int64 {
	all := make(map[netx.NodeID]int64)
	for id, u := range n.store.Usage() {
		all[id] = u.Bytes
	}
	return all
}

// ledger is what the piece protocol tells.
type ledger struct{ node *Node }

// Order implements piecenode.Ledger.
func (l ledger) Order(limit *pieces.OrderLimit, signed *pieces.SignedLimit, order *pieces.Order) {
	l.node.orders.Append(limit, signed, order)
}

// Moved implements piecenode.Ledger.
func (l ledger) Moved(satellite netx.NodeID, action pieces.Action, bytes int64) {
	l.node.book.Moved(satellite, action, bytes)
}

// settle hands in the orders of every window that is over. What a satellite does not answer waits for the next round, and
// does not keep others from theirs.
func (n *Node) settle(ctx context.Context) error {
	parts, err := n.orders.Ready()
	away := map[netx.NodeID]bool{}
	for _, part := range parts {
		if away[part.Satellite] || ctx.Err() != nil {
			continue
		}
		url, urlErr := n.contact.URL(part.Satellite)
		if urlErr != nil {
			continue // it is being forgotten
		}
		if settleErr := n.settlePart(ctx, url, part); settleErr != nil {
			away[part.Satellite] = true
			err = errors.Join(err, fmt.Errorf("settle orders of %s: %w", part.Satellite.Short(), settleErr))
		}
	}
	return errors.Join(err, n.orders.Prune())
}

func (n *Node) settlePart(ctx context.Context, url netx.NodeURL, part orderlog.Part) error {
	var taken pieces.SettleReply
	err := n.orders.Batches(part, func(b orderlog.Batch) error {
		req := &pieces.SettleRequest{Window: part.Window, Batch: b.Number, Orders: b.Orders}
		var reply pieces.SettleReply
		err := n.pool.CallWith(ctx, rpc.CallOptions{
			Peer: url, Purpose: netx.Control, Method: pieces.MethodSettle, Idempotent: true,
		}, req, &reply, pieces.Errors())
		taken.Accepted += reply.Accepted
		taken.Rejected += reply.Rejected
		taken.Bytes += reply.Bytes
		return err
	})
	if err != nil {
		return err
	}
	if err := n.orders.Settled(part); err != nil {
		return err
	}
	n.opts.Metrics.GetOrCreateCounter("storj_node_settled_orders_total").Add(int(taken.Accepted))
	n.opts.Metrics.GetOrCreateCounter("storj_node_settled_bytes_total").Add(int(taken.Bytes))
	n.opts.Metrics.GetOrCreateCounter("storj_node_settle_rejected_orders_total").Add(int(taken.Rejected))
	event := n.log.Info()
	if taken.Rejected > 0 {
		event = n.log.Warn()
	}
	event.Stringer("node", part.Satellite).Time("window", part.Window).Int64("orders", taken.Accepted).
		Int64("rejected", taken.Rejected).Int64("bytes", taken.Bytes).Msg("orders settled")
	return n.book.Settled(part.Satellite, part.Window, taken.Bytes)
}
