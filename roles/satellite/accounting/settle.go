package accounting

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/orders"
)

const (
	// MaxWindowAge is how long after its start an hour may be settled. Source: nodes keep settled orders as long.
	MaxWindowAge = 7 * 24 * time.Hour
	// maxBatches bounds the batches of a node in one hour: a million orders.
	maxBatches = 1000
	// settleRequest bounds a request in bytes, settleTimeout the work on it.
	settleRequest = pieces.MaxSettle*(pieces.MaxLimitSize+pieces.MaxOrderSize+64) + 1024
	settleTimeout = 2 * time.Minute
)

// errBatches is returned to a node that cuts an hour into too many batches.
var errBatches = netx.Sentinel(netx.Exhausted, 0, "too many batches of one hour")

// Register has the server take orders from nodes.
func (a *Accounting) Register(s *rpc.Server) {
	limits := rpc.Limits{MaxRequest: settleRequest, Timeout: settleTimeout}
	rpc.Unary(s, pieces.MethodSettle, limits, func(ctx context.Context, peer rpc.Peer, req *pieces.SettleRequest) (*pieces.SettleReply, error) {
		return a.Settle(ctx, peer.ID, req)
	})
}

// Settle counts the orders that a node hands in. It may be repeated, see the package comment.
//
// Errors: pieces.ErrMalformed for a time that is no whole hour, lies ahead, or more than MaxWindowAge back;
// pieces.ErrNotJoined; those of the database, after which nothing was counted.
func (a *Accounting) Settle(ctx context.Context, node netx.NodeID, req *pieces.SettleRequest) (*pieces.SettleReply, error) {
	now := time.Now()
	if req.Window.Unix()%hourSeconds != 0 || req.Window.Nanosecond() != 0 || req.Window.After(now.Add(pieces.MaxClockSkew)) ||
		now.Sub(req.Window) > MaxWindowAge {
		return nil, fmt.Errorf("%w: orders of %s", pieces.ErrMalformed, req.Window.UTC().Format(time.RFC3339))
	}
	if _, err := a.opts.DB.Node(ctx, node); err != nil {
		return nil, fmt.Errorf("settle: %w: %w", pieces.ErrNotJoined, err)
	}
	key := batchKey{hour: hourOf(req.Window), node: node, digest: digestOf(req)}
	if reply, known, err := a.answered(ctx, key); known || err != nil {
		return reply, err
	}
	b := a.verify(node, req)
	if len(b.orders) == 0 { // junk leaves no trace; to ask again costs the node as much as us
		a.rejected.AddInt64(b.rejected)
		return &pieces.SettleReply{Rejected: b.rejected}, nil
	}
	if err := a.count(ctx, key, b); err != nil {
		return nil, fmt.Errorf("settle: %w", err)
	}
	a.settled.AddInt64(b.row.reply.Bytes)
	a.rejected.AddInt64(b.row.reply.Rejected)
	return &b.row.reply, nil
}

// digestOf names a batch by its content.
func digestOf(req *pieces.SettleRequest) (digest [digestSize]byte) {
	sum := sha256.Sum256(wire.Marshal(req))
	copy(digest[:], sum[:])
	return digest
}

// answered returns the answer to a batch that was counted before.
func (a *Accounting) answered(ctx context.Context, key batchKey) (reply *pieces.SettleReply, known bool, err error) {
	err = a.opts.DB.Store().View(ctx, func(tx kv.Tx) error {
		row, err := batches().Get(tx, key)
		reply, known = &row.reply, err == nil
		if errors.Is(err, kv.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("settle: %w", err)
	}
	return reply, known, nil
}

// valid is an order that may be counted.
type valid struct {
	serial [serialSize]byte
	action pieces.Action
	bytes  int64
	bucket bucketKey
	named  bool // the limit names a bucket
	day    uint32
}

// batch is a request after it was looked at.
type batch struct {
	orders   []valid
	rejected int64
	row      batchRow // set by count
}

// verify looks at each order. It touches no database.
func (a *Accounting) verify(node netx.NodeID, req *pieces.SettleRequest) *batch {
	b := &batch{orders: make([]valid, 0, len(req.Orders))}
	keys := make(map[uint32]pieces.NodeKey, 1) // by epoch; an hour has one, or two
	for i := range req.Orders {
		if v, ok := a.verifyOrder(node, req.Window, &req.Orders[i], keys); ok {
			b.orders = append(b.orders, v)
		} else {
			b.rejected++
		}
	}
	return b
}

func (a *Accounting) verifyOrder(node netx.NodeID, window time.Time, o *pieces.SettledOrder, keys map[uint32]pieces.NodeKey) (v valid, ok bool) {
	limit, err := o.Limit.Decode()
	if err != nil || limit.Satellite != a.opts.Satellite || limit.Node != node || !limit.Action.IsGet() ||
		limit.Created.Before(window) || !limit.Created.Before(window.Add(time.Hour)) ||
		o.Order.Serial != limit.Serial || o.Order.Amount <= 0 || o.Order.Amount > limit.Limit {
		return v, false
	}
	epoch := uint32(limit.Created.Unix() / int64(orders.Epoch/time.Second))
	if limit.Epoch != epoch {
		return v, false
	}
	key, known := keys[epoch]
	if !known {
		key = pieces.DeriveNodeKey(a.opts.Secret, node, epoch)
		keys[epoch] = key
	}
	if !o.Limit.Verify(key) || !orders.Issued(a.opts.Secret, &limit) || !o.Order.Verify(limit.UplinkKey) {
		return v, false
	}
	v = valid{
		serial: [serialSize]byte(limit.Serial[len(limit.Serial)-serialSize:]),
		action: limit.Action, bytes: o.Order.Amount, day: dayOf(limit.Created),
	}
	if len(limit.BucketTag) > 0 {
		project, bucket, err := a.opts.OpenTag(limit.BucketTag)
		v.bucket, v.named = bucketKey{project, bucket}, err == nil
	}
	return v, true
}

// count writes a batch down, leaving out what other batches of the hour have counted, and sets its row.
func (a *Accounting) count(ctx context.Context, key batchKey, b *batch) error {
	return a.opts.DB.Store().Update(ctx, func(tx kv.Tx) error {
		b.row = batchRow{reply: pieces.SettleReply{Rejected: b.rejected, Accepted: int64(len(b.orders))}}
		old, err := batches().Get(tx, key)
		if err == nil { // the same came twice at once
			b.row = old
			return nil
		}
		if !errors.Is(err, kv.ErrNotFound) {
			return err
		}
		seen, err := serialsOf(tx, key)
		if err != nil {
			return err
		}
		var sum nodeRow
		buckets := make(map[bucketDay]int64)
		for i := range b.orders {
			v := &b.orders[i]
			if seen[v.serial] {
				continue
			}
			seen[v.serial] = true
			b.row.serials = append(b.row.serials, v.serial[:]...)
			b.row.reply.Bytes += v.bytes
			sum.count(v.action, v.bytes)
			if v.named && v.action == pieces.ActionGet {
				buckets[bucketDay{v.day, v.bucket}] += v.bytes
			}
		}
		for day, bytes := range buckets {
			if err := addRow(tx, bucketDays(), day, &bucketRow{settled: bytes}); err != nil {
				return err
			}
		}
		day := uint32(uint64(key.hour) * hourSeconds / daySeconds)
		if err := addRow(tx, nodeDays(), nodeDay{day, key.node}, &sum); err != nil {
			return err
		}
		return batches().Put(tx, key, &b.row)
	})
}

// serialsOf returns what the node's batches of the hour have counted. Errors: errBatches.
func serialsOf(tx kv.Tx, key batchKey) (map[[serialSize]byte]bool, error) {
	prefix := append(binary.BigEndian.AppendUint32(nil, key.hour), key.node[:]...)
	seen := make(map[[serialSize]byte]bool)
	count := 0
	err := batches().Scan(tx, batches().Prefix(prefix), func(_ batchKey, row *batchRow) (bool, error) {
		if count++; count >= maxBatches {
			return false, errBatches
		}
		for s := row.serials; len(s) >= serialSize; s = s[serialSize:] {
			seen[[serialSize]byte(s)] = true
		}
		return true, nil
	})
	return seen, err
}
