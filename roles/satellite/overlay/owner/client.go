package owner

import (
	"context"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/placement"
)

const callTimeout = 30 * time.Second

// Client is the Owner of a running satellite. It works only for who holds the satellite's identity.
type Client struct {
	pool      *rpc.Pool
	satellite netx.NodeURL
}

var _ Owner = (*Client)(nil)

// NewClient returns a client; the pool's transport must have the satellite's own identity. The pool stays the caller's.
func NewClient(pool *rpc.Pool, satellite netx.NodeURL) *Client {
	return &Client{pool: pool, satellite: satellite}
}

func (c *Client) call(ctx context.Context, method rpc.Method, req, resp wire.Message) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.pool.Call(ctx, c.satellite, netx.Control, method, req, resp,
		metainfo.Errors(), pieces.Errors(), kv.Errors(), Errors())
}

func (c *Client) node(ctx context.Context, method rpc.Method, req *nodeRequest) (netx.NodeID, error) {
	reply := new(nodeReply)
	err := c.call(ctx, method, req, reply)
	return reply.ID, err
}

// Standings returns the standing of every node.
func (c *Client) Standings(ctx context.Context) (all []NodeStanding, err error) {
	for more := true; more && err == nil; {
		reply := new(standingsReply)
		err = c.call(ctx, MethodStandings, &pageRequest{Offset: uint32(len(all))}, reply)
		all, more = append(all, reply.Items...), reply.More && len(reply.Items) > 0
	}
	return all, err
}

// ShowNode returns all that is known of a node.
func (c *Client) ShowNode(ctx context.Context, node string) (*NodeReport, error) {
	report := new(NodeReport)
	return report, c.call(ctx, MethodShowNode, &nodeRequest{Node: node}, report)
}

// Reinstate gives a node a clean page.
func (c *Client) Reinstate(ctx context.Context, node string) (netx.NodeID, error) {
	return c.node(ctx, MethodReinstate, &nodeRequest{Node: node})
}

// Disqualify ends a node's part in the network.
func (c *Client) Disqualify(ctx context.Context, node, reason string) (netx.NodeID, error) {
	return c.node(ctx, MethodDisqualify, &nodeRequest{Node: node, Reason: reason})
}

// Forgive gives a node fresh scores.
func (c *Client) Forgive(ctx context.Context, node string) (netx.NodeID, error) {
	return c.node(ctx, MethodForgive, &nodeRequest{Node: node})
}

// AcceptTags accepts tags of a node.
func (c *Client) AcceptTags(ctx context.Context, node string, tags []string) (netx.NodeID, error) {
	return c.node(ctx, MethodAcceptTags, &nodeRequest{Node: node, Tags: tags})
}

// SetRule adds or changes a placement rule. It is checked before it is sent: the wire has no place for the details.
func (c *Client) SetRule(ctx context.Context, rule placement.Rule) (*placement.Rule, error) {
	if err := rule.Validate(); err != nil {
		return nil, asRule(err)
	}
	saved := new(placement.Rule)
	return saved, c.call(ctx, MethodSetRule, &rule, saved)
}

// Rules returns all placement rules.
func (c *Client) Rules(ctx context.Context) ([]RuleReport, error) {
	reply := new(rulesReply)
	err := c.call(ctx, MethodRules, new(pieces.Empty), reply)
	return reply.Items, err
}
