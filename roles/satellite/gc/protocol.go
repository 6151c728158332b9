package gc

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/admin"
)

// Method numbers on netx/rpc, for the satellite's own identity.
const (
	MethodStatus       = 450
	MethodRestoreTrash = 451
	MethodPause        = 452
)

const (
	maxProblem = 256
	// maxNodes is the most nodes of one status.
	maxNodes = 20_000
	// callTimeout is for an answer; restoring trash may take a node minutes.
	callTimeout    = 30 * time.Second
	restoreTimeout = 10 * time.Minute
)

// NodeStatus is the last filter of a node.
type NodeStatus struct {
	Node    netx.NodeID
	Pieces  int64     // in the filter
	Size    int64     // bytes
	Made    time.Time // when its pass began
	Sent    time.Time // when the node took a filter last; before Made: it waits for this one
	Problem string    // of the last attempt to send it
}

// Fields codes the status for wire, and for a row, whose key is the node.
func (n *NodeStatus) Fields(c *wire.Codec) {
	c.Fixed(1, n.Node[:])
	c.Int(2, &n.Pieces)
	c.Int(3, &n.Size)
	c.Time(4, &n.Made)
	c.Time(5, &n.Sent)
	c.String(6, &n.Problem, maxProblem)
}

// Status is how far garbage collection is.
type Status struct {
	Built   time.Time     // when the pass began that made the last filters of all nodes; zero: none did
	Every   time.Duration // how often that is
	Paused  time.Time     // until when the owner wants none
	Held    string        // why none are made; empty: nothing holds them
	Waiting int64         // filters not yet sent
	Nodes   []NodeStatus  // that ever had a filter, the longest without one first
}

// Fields codes the status for wire.
func (s *Status) Fields(c *wire.Codec) {
	every := int64(s.Every)
	c.Time(1, &s.Built)
	c.Int(2, &every)
	c.Time(3, &s.Paused)
	c.String(4, &s.Held, maxProblem)
	c.Int(5, &s.Waiting)
	wire.Repeated(c, 6, &s.Nodes, maxNodes)
	s.Every = time.Duration(every)
}

// Status says how far garbage collection is.
func (f *Filters) Status() *Status {
	held := f.hold(netx.NodeID{})
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &Status{Built: f.state.built, Every: max(f.opts.Every, 0), Waiting: int64(len(f.sealed))}
	if time.Now().Before(f.state.paused) {
		s.Paused = f.state.paused
	}
	if held != nil {
		s.Held = shorten(held.Error())
	}
	for _, row := range f.status {
		s.Nodes = append(s.Nodes, row)
	}
	slices.SortFunc(s.Nodes, func(a, b NodeStatus) int {
		return cmp.Or(a.Sent.Compare(b.Sent), bytes.Compare(a.Node[:], b.Node[:]))
	})
	s.Nodes = s.Nodes[:min(len(s.Nodes), maxNodes)]
	return s
}

// Pause has no filters made or sent for so long; 0 ends a pause.
func (f *Filters) Pause(ctx context.Context, span time.Duration) error {
	until := time.Now().Add(span).UTC().Round(0)
	err := f.opts.DB.Store().Update(ctx, func(tx kv.Tx) error {
		row, err := stateTable().Get(tx, struct{}{})
		if err != nil && !errors.Is(err, kv.ErrNotFound) {
			return err
		}
		row.paused = until
		return stateTable().Put(tx, struct{}{}, &row)
	})
	if err != nil {
		return fmt.Errorf("pause garbage collection: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.paused = until
	return nil
}

type restoreRequest struct {
	Node  netx.NodeID
	Since time.Time
}

// Fields codes the request for wire.
func (r *restoreRequest) Fields(c *wire.Codec) {
	c.Fixed(1, r.Node[:])
	c.Time(2, &r.Since)
}

type pauseRequest struct{ Span time.Duration }

// Fields codes the request for wire.
func (r *pauseRequest) Fields(c *wire.Codec) {
	span := int64(r.Span)
	c.Int(1, &span)
	r.Span = time.Duration(span)
}

// Register has the server answer the satellite's own identity.
func Register(s *rpc.Server, self netx.NodeID, f *Filters) {
	admin.Serve(s, self, MethodStatus, func(context.Context, *pieces.Empty) (*Status, error) { return f.Status(), nil })
	admin.Serve(s, self, MethodPause, func(ctx context.Context, r *pauseRequest) (*pieces.Empty, error) {
		return new(pieces.Empty), f.Pause(ctx, r.Span)
	})
	limits := rpc.Limits{Timeout: restoreTimeout}
	rpc.Unary(s, MethodRestoreTrash, limits, func(ctx context.Context, peer rpc.Peer, r *restoreRequest) (*pieces.RestoreTrashReply, error) {
		if peer.ID != self {
			return nil, metainfo.ErrAdmin
		}
		count, err := f.RestoreTrash(ctx, r.Node, r.Since)
		return &pieces.RestoreTrashReply{Pieces: count}, err
	})
}

// Client asks a running satellite. It works only for who holds the satellite's identity.
type Client struct {
	pool      *rpc.Pool
	satellite netx.NodeURL
}

// NewClient returns a client; the pool stays the caller's.
func NewClient(pool *rpc.Pool, satellite netx.NodeURL) *Client { return &Client{pool, satellite} }

func (c *Client) call(ctx context.Context, timeout time.Duration, method rpc.Method, req, resp wire.Message) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return c.pool.Call(ctx, c.satellite, netx.Control, method, req, resp, metainfo.Errors(), pieces.Errors(), kv.Errors())
}

// Status says how far garbage collection is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	s := new(Status)
	return s, c.call(ctx, callTimeout, MethodStatus, new(pieces.Empty), s)
}

// Pause has no filters made or sent for so long; 0 ends a pause.
func (c *Client) Pause(ctx context.Context, span time.Duration) error {
	return c.call(ctx, callTimeout, MethodPause, &pauseRequest{span}, new(pieces.Empty))
}

// RestoreTrash has a node take pieces out of its trash that were put there since.
func (c *Client) RestoreTrash(ctx context.Context, node netx.NodeID, since time.Time) (int64, error) {
	reply := new(pieces.RestoreTrashReply)
	err := c.call(ctx, restoreTimeout, MethodRestoreTrash, &restoreRequest{node, since}, reply)
	return reply.Pieces, err
}
