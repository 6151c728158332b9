package piecenode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"storj/ecenc/wire"
	"storj/netx/rpc"
	"storj/pieces"
)

func (n *Node) download(ctx context.Context, _ rpc.Peer, header []byte, st *rpc.ServerStream) error {
	var req pieces.DownloadHeader
	if err := decodeHeader(header, &req); err != nil {
		return n.refuse("malformed", err)
	}
	if req.Offset < 0 || req.Length <= 0 || req.Offset > pieces.MaxPieceSize || req.Length > pieces.MaxPieceSize {
		return n.refuse("malformed", pieces.ErrRange)
	}
	limit, _, err := n.admit(&req.Limit, pieces.Action.IsGet)
	if err != nil {
		return err
	}
	orders := orderBook{limit: &limit, wanted: req.Length, wake: make(chan struct{}, 1)}
	if err := orders.add(&req.Order); err != nil {
		return n.refuse("order", err)
	}
	if req.Length > limit.Limit {
		return n.refuse("limit", pieces.ErrLimit)
	}
	if err := n.opts.Throttle.Admit(limit.Action); err != nil {
		return n.refuse("bandwidth", err)
	}
	r, err := n.opts.Store.Open(ctx, limit.Satellite, limit.Piece)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // read only
	info := r.Info()
	if req.Offset+req.Length > info.Size {
		return pieces.ErrRange
	}
	reply := pieces.DownloadReply{Size: info.Size, Trashed: !info.Trashed.IsZero()}
	if req.WantProof {
		if reply.Proof, err = r.Proof(); err != nil {
			return err
		}
	}
	sent, err := n.send(ctx, st, &req, &reply, r, &orders)
	if sent > 0 {
		n.count.bytesOut.Add(int(sent))
		n.opts.Ledger.Moved(limit.Satellite, limit.Action, sent)
		n.opts.Ledger.Order(&limit, &req.Limit, &orders.highest)
	}
	if err == nil {
		n.count.downloads.Inc()
	}
	return err
}

// send answers and moves the bytes as far as they are ordered. It returns how many were handed to the stream.
func (n *Node) send(
	ctx context.Context, st *rpc.ServerStream, req *pieces.DownloadHeader, reply *pieces.DownloadReply,
	r io.ReaderAt, orders *orderBook,
) (sent int64, err error) {
	// The smaller the piece, the more it matters that reply and bytes share packets.
	buf := n.buffers.get(req.Length)
	defer n.buffers.put(buf)
	first := (*buf)[:min(req.Length, int64(len(*buf)), orders.amount.Load())]
	if _, err := r.ReadAt(first, req.Offset); err != nil {
		return 0, err
	}
	pace := n.pace(st, req.Length)
	if err := n.turn(ctx, pace, len(first)); err != nil {
		return 0, err
	}
	if err := st.ReplyBody(reply, first); err != nil {
		return 0, err
	}
	sent = int64(len(first))
	if sent < req.Length {
		var stop func()
		ctx, stop = orders.follow(ctx, st)
		defer stop()
	}
	for sent < req.Length {
		ordered, err := orders.wait(ctx, sent, time.Until(pace.deadline()))
		if err != nil {
			return sent, err
		}
		chunk := (*buf)[:min(req.Length-sent, int64(len(*buf)), ordered-sent)]
		if _, err := r.ReadAt(chunk, req.Offset+sent); err != nil {
			return sent, err
		}
		if err := n.turn(ctx, pace, len(chunk)); err != nil {
			return sent, err
		}
		if _, err := st.Write(chunk); err != nil {
			return sent, err
		}
		sent += int64(len(chunk))
	}
	return sent, st.CloseWrite()
}

// turn waits until the owner's bandwidth has room for n bytes and starts the clock of the step that moves them.
func (n *Node) turn(ctx context.Context, p pace, bytes int) error {
	if err := n.opts.Throttle.Wait(ctx, bytes); err != nil {
		return err
	}
	return p.step()
}

// orderBook holds the highest order of a download. One goroutine adds, another waits.
type orderBook struct {
	limit  *pieces.OrderLimit
	wanted int64 // bytes of the range: more than that needs no order
	amount atomic.Int64
	wake   chan struct{} // one token: the amount grew

	highest pieces.Order // of who adds, until it has ended
}

// minOrderStep is the least that an order adds, unless it is the last: each costs us a signature check, and orders for a
// byte each would be a cheap way to keep a node busy. A quarter of the smallest step of the protocol.
const minOrderStep = pieces.FirstOrderBytes / 4

// add checks an order against the limit and the one before it.
func (b *orderBook) add(order *pieces.Order) error {
	before := b.amount.Load()
	valid := order.Serial == b.limit.Serial && order.Amount > before && order.Amount <= b.limit.Limit
	needed := before < b.wanted && (order.Amount >= b.wanted || order.Amount-before >= minOrderStep)
	if !valid || !needed || !order.Verify(b.limit.UplinkKey) {
		return pieces.ErrOrder
	}
	b.highest = *order
	b.amount.Store(order.Amount)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return nil
}

// follow reads further orders from the stream until it ends or one is not valid. The returned context ends with the
// cause of a bad order; stop must be called and waits.
func (b *orderBook) follow(ctx context.Context, st *rpc.ServerStream) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			raw, err := readFrame(st, pieces.MaxOrderSize)
			if errors.Is(err, io.EOF) {
				return
			}
			var order pieces.Order
			if err == nil && wire.Unmarshal(raw, &order) != nil {
				err = pieces.ErrMalformed
			}
			if err == nil {
				err = b.add(&order)
			}
			if err != nil {
				cancel(fmt.Errorf("read order: %w", err))
				return
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		_ = st.SetDeadline(time.Now()) // ends a read that waits for an order which will not come
		<-done
		_ = st.SetDeadline(time.Time{})
	}
}

// wait returns the amount ordered, once it is more than sent.
func (b *orderBook) wait(ctx context.Context, sent int64, patience time.Duration) (int64, error) {
	if amount := b.amount.Load(); amount > sent {
		return amount, nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-b.wake:
			if amount := b.amount.Load(); amount > sent {
				return amount, nil
			}
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-timer.C:
			return 0, fmt.Errorf("%w: no order for more than %d bytes", pieces.ErrOrder, sent)
		}
	}
}
