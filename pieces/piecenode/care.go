package piecenode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"storj/ecenc/bao"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/filter"
)

// Ledger keeps account of what moved. It may be called concurrently and must not block for long.
type Ledger interface {
	// Order keeps the highest order of a download that has ended. Nothing that it is given may be kept.
	Order(limit *pieces.OrderLimit, signed *pieces.SignedLimit, order *pieces.Order)
	// Moved counts bytes that an operation of a satellite's limit moved.
	Moved(satellite netx.NodeID, action pieces.Action, bytes int64)
}

// Throttle is what bandwidth the owner gives. It may be called concurrently.
type Throttle interface {
	// Admit says whether an operation may start. Errors: pieces' or netx', as the peer is to see them.
	Admit(action pieces.Action) error
	// Wait waits for the turn of n bytes, at most chunkSize. Errors: the context's.
	Wait(ctx context.Context, n int) error
}

// Collector takes what a satellite says about garbage. It may be called concurrently.
type Collector interface {
	// Retain reads the bits of a filter, header.Size bytes, and keeps it durably: it is applied later.
	Retain(ctx context.Context, satellite netx.NodeID, header *pieces.RetainHeader, bits io.Reader) error
	// Restore takes pieces out of the trash that were put there at or after since, and drops the filter that waits.
	Restore(ctx context.Context, satellite netx.NodeID, since time.Time) (int64, error)
}

type noLedger struct{}

func (noLedger) Order(*pieces.OrderLimit, *pieces.SignedLimit, *pieces.Order) {}
func (noLedger) Moved(netx.NodeID, pieces.Action, int64)                      {}

type noThrottle struct{}

func (noThrottle) Admit(pieces.Action) error       { return nil }
func (noThrottle) Wait(context.Context, int) error { return nil }

const (
	maxProveRequest = 256
	proveTimeout    = time.Minute
	// restoreTimeout is long: the trash of a week may be millions of pieces.
	restoreTimeout = 10 * time.Minute
)

// registerCare adds what only satellites may ask.
func (n *Node) registerCare(s *rpc.Server) {
	rpc.Unary(s, pieces.MethodProve, rpc.Limits{MaxRequest: maxProveRequest, Timeout: proveTimeout}, n.prove)
	if n.opts.Collector == nil {
		return
	}
	s.Stream(pieces.MethodRetain, pieces.MaxHeaderSize, n.retain)
	rpc.Unary(s, pieces.MethodRestoreTrash, rpc.Limits{MaxRequest: maxProveRequest, Timeout: restoreTimeout}, n.restoreTrash)
}

// satelliteOnly says whether the peer is a satellite that the node has joined; it may be so before its first check-in.
func (n *Node) satelliteOnly(peer rpc.Peer) error {
	if _, err := n.opts.Keys.NodeKeys(peer.ID); err != nil && !errors.Is(err, pieces.ErrNotReady) {
		return n.refuse("satellite", err)
	}
	return nil
}

// prove cuts a slice out of a piece of the satellite that asks.
func (n *Node) prove(ctx context.Context, peer rpc.Peer, req *pieces.ProveRequest) (*pieces.ProveReply, error) {
	if err := n.satelliteOnly(peer); err != nil {
		return nil, err
	}
	if req.Length < 1 || req.Length > pieces.MaxSlice || req.Offset < 0 {
		return nil, n.refuse("malformed", pieces.ErrRange)
	}
	select {
	case n.proving <- struct{}{}:
		defer func() { <-n.proving }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r, err := n.opts.Store.Open(ctx, peer.ID, req.Piece)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // read only
	info := r.Info()
	reply := &pieces.ProveReply{Size: info.Size, Trashed: !info.Trashed.IsZero()}
	if reply.Proof, err = r.Proof(); err != nil {
		return nil, err
	}
	reply.Slice, err = bao.Slice(nil, &whileAsked{ctx, r}, info.Size, req.Offset, req.Length)
	if errors.Is(err, bao.ErrRange) {
		return nil, n.refuse("malformed", pieces.ErrRange)
	}
	if err != nil {
		return nil, fmt.Errorf("prove piece %s: %w", req.Piece, err)
	}
	n.count.proofs.Inc()
	n.opts.Ledger.Moved(peer.ID, pieces.ActionGetAudit, int64(len(reply.Slice)))
	return reply, nil
}

// whileAsked ends the reading of a piece when nobody waits for it any more.
type whileAsked struct {
	ctx context.Context // of the one call that this lives in
	r   io.ReaderAt
}

// ReadAt reads unless the call has ended.
func (w *whileAsked) ReadAt(p []byte, off int64) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.ReadAt(p, off)
}

// retain takes a garbage filter. The answer says that it is kept, not that it was applied.
func (n *Node) retain(ctx context.Context, peer rpc.Peer, raw []byte, st *rpc.ServerStream) error {
	if err := n.satelliteOnly(peer); err != nil {
		return err
	}
	var header pieces.RetainHeader
	if err := decodeHeader(raw, &header); err != nil {
		return n.refuse("malformed", err)
	}
	if err := filter.CheckHeader(&header); err != nil {
		return n.refuse("malformed", fmt.Errorf("%w: %w", pieces.ErrMalformed, err))
	}
	body := &pacedReader{st: st, pace: n.pace(st, header.Size)}
	if err := n.opts.Collector.Retain(ctx, peer.ID, &header, io.LimitReader(body, header.Size)); err != nil {
		return err
	}
	var one [1]byte
	if got, err := st.Read(one[:]); got != 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: bytes after the filter", pieces.ErrMalformed)
	}
	n.count.filters.Inc()
	return st.Reply(new(pieces.Empty))
}

// pacedReader reads from a peer that must keep moving.
type pacedReader struct {
	st   *rpc.ServerStream
	pace pace
}

// Read reads one step.
func (r *pacedReader) Read(p []byte) (int, error) {
	if err := r.pace.step(); err != nil {
		return 0, err
	}
	return r.st.Read(p)
}

func (n *Node) restoreTrash(
	ctx context.Context, peer rpc.Peer, req *pieces.RestoreTrashRequest,
) (*pieces.RestoreTrashReply, error) {
	if err := n.satelliteOnly(peer); err != nil {
		return nil, err
	}
	count, err := n.opts.Collector.Restore(ctx, peer.ID, req.Since)
	if err != nil {
		return nil, err
	}
	return &pieces.RestoreTrashReply{Pieces: count}, nil
}
