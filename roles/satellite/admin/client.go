package admin

import (
	"context"
	"slices"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

const callTimeout = 30 * time.Second

// Client is the Admin of a running satellite. It works only for who holds the satellite's identity.
type Client struct {
	pool      *rpc.Pool
	satellite netx.NodeURL
}

var _ Admin = (*Client)(nil)

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

// Status says how the satellite is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	status := new(Status)
	return status, c.call(ctx, MethodStatus, new(pieces.Empty), status)
}

// CreateProject makes a project.
func (c *Client) CreateProject(ctx context.Context, name string) (*Project, error) {
	project := new(Project)
	return project, c.call(ctx, MethodCreateProject, &nameRequest{Name: name}, project)
}

// ListProjects returns all projects.
func (c *Client) ListProjects(ctx context.Context) ([]Project, error) {
	return pages[Project](ctx, c, MethodListProjects, nameRequest{}, func(r *nameRequest, _ *Project) { r.Offset += maxPage })
}

// CreateAPIKey makes a key.
func (c *Client) CreateAPIKey(ctx context.Context, project, name string) (string, error) {
	reply := new(textReply)
	err := c.call(ctx, MethodCreateAPIKey, &nameRequest{Project: project, Name: name}, reply)
	return reply.Text, err
}

// ListAPIKeys returns the keys of a project.
func (c *Client) ListAPIKeys(ctx context.Context, project string) ([]APIKey, error) {
	return pages[APIKey](ctx, c, MethodListAPIKeys, nameRequest{Project: project}, func(r *nameRequest, _ *APIKey) { r.Offset += maxPage })
}

// RevokeAPIKey ends a key.
func (c *Client) RevokeAPIKey(ctx context.Context, project, name string) error {
	return c.call(ctx, MethodRevokeAPIKey, &nameRequest{Project: project, Name: name}, new(pieces.Empty))
}

// CreateToken makes a join token.
func (c *Client) CreateToken(ctx context.Context, uses int, life time.Duration) (string, error) {
	if err := checkToken(uses, life); err != nil {
		return "", err
	}
	reply := new(textReply)
	err := c.call(ctx, MethodCreateToken, &tokenRequest{Uses: uint32(uses), Life: life}, reply)
	return reply.Text, err
}

// ListNodes returns all nodes.
func (c *Client) ListNodes(ctx context.Context) ([]Node, error) {
	nodes, err := pages[Node](ctx, c, MethodListNodes, nameRequest{}, func(r *nameRequest, last *Node) { r.Cursor = last.ID })
	slices.SortStableFunc(nodes, onlineFirst)
	return nodes, err
}

// pages asks for a list page by page; next turns a request into that for the page after last.
func pages[T any, P interface {
	*T
	wire.Message
}](ctx context.Context, c *Client, method rpc.Method, req nameRequest, next func(req *nameRequest, last *T)) ([]T, error) {
	var all []T
	for {
		reply := new(page[T, P])
		if err := c.call(ctx, method, &req, reply); err != nil {
			return nil, err
		}
		all = append(all, reply.Items...)
		if !reply.More || len(reply.Items) == 0 {
			return all, nil
		}
		next(&req, &all[len(all)-1])
	}
}
