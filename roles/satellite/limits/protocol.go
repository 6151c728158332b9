package limits

import (
	"context"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/admin"
)

// Method numbers on netx/rpc; they answer to the satellite's own identity.
const (
	MethodUsage     = 460
	MethodSetLimits = 461
)

const (
	maxName     = 512
	callTimeout = 2 * time.Minute // usage may have to be counted first
)

// request names a project and, to set them, its limits.
type request struct {
	Project string
	Limits  metainfo.Limits
}

// Fields codes the request for wire.
func (r *request) Fields(c *wire.Codec) {
	c.String(1, &r.Project, maxName)
	c.Message(2, &r.Limits)
}

// Register has the server answer the methods with l, for the peer self alone.
func Register(s *rpc.Server, self netx.NodeID, l Limits) {
	admin.Serve(s, self, MethodUsage, func(ctx context.Context, r *request) (*metainfo.ProjectUsage, error) {
		return l.Usage(ctx, r.Project)
	})
	admin.Serve(s, self, MethodSetLimits, func(ctx context.Context, r *request) (*pieces.Empty, error) {
		return new(pieces.Empty), l.SetLimits(ctx, r.Project, r.Limits)
	})
}

// Client is the Limits of a running satellite. It works only for who holds the satellite's identity.
type Client struct {
	pool      *rpc.Pool
	satellite netx.NodeURL
}

var _ Limits = (*Client)(nil)

// NewClient returns a client; the pool's transport must have the satellite's own identity. The pool stays the caller's.
func NewClient(pool *rpc.Pool, satellite netx.NodeURL) *Client { return &Client{pool, satellite} }

// Usage says what a project uses and may use.
func (c *Client) Usage(ctx context.Context, project string) (*metainfo.ProjectUsage, error) {
	usage := new(metainfo.ProjectUsage)
	return usage, c.call(ctx, MethodUsage, &request{Project: project}, usage)
}

// SetLimits replaces what a project may use.
func (c *Client) SetLimits(ctx context.Context, project string, l metainfo.Limits) error {
	return c.call(ctx, MethodSetLimits, &request{Project: project, Limits: l}, new(pieces.Empty))
}

func (c *Client) call(ctx context.Context, method rpc.Method, req, resp wire.Message) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.pool.Call(ctx, c.satellite, netx.Control, method, req, resp, metainfo.Errors(), pieces.Errors(), kv.Errors())
}
