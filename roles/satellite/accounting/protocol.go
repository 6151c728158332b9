package accounting

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/netx/rpc"
	"storj/roles/satellite/admin"
)

// MethodUsage is the number on netx/rpc of the method for the satellite's own identity.
const MethodUsage = 453

const callTimeout = time.Minute

// lists sorts what was added up, and cuts it.
func (u *usage) lists() (buckets []BucketUsage, nodes []NodeUsage, cut bool) {
	for _, b := range u.buckets {
		buckets = append(buckets, *b)
	}
	for _, n := range u.nodes {
		nodes = append(nodes, *n)
	}
	slices.SortFunc(buckets, func(a, b BucketUsage) int {
		return cmp.Or(bytes.Compare(a.Project[:], b.Project[:]), strings.Compare(a.Bucket, b.Bucket))
	})
	slices.SortFunc(nodes, func(a, b NodeUsage) int { return bytes.Compare(a.Node[:], b.Node[:]) })
	cut = len(buckets) > maxItems || len(nodes) > maxItems
	return buckets[:min(len(buckets), maxItems)], nodes[:min(len(nodes), maxItems)], cut
}

// RegisterAdmin has the server answer the satellite's own identity.
func (a *Accounting) RegisterAdmin(s *rpc.Server, self netx.NodeID) {
	admin.Serve(s, self, MethodUsage, func(ctx context.Context, q *Query) (*Report, error) { return a.Usage(ctx, *q) })
}

// Client asks a running satellite. It works only for who holds the satellite's identity.
type Client struct {
	pool      *rpc.Pool
	satellite netx.NodeURL
}

// NewClient returns a client; the pool stays the caller's.
func NewClient(pool *rpc.Pool, satellite netx.NodeURL) *Client { return &Client{pool, satellite} }

// Usage adds up days.
func (c *Client) Usage(ctx context.Context, q Query) (*Report, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	report := new(Report)
	err := c.pool.Call(ctx, c.satellite, netx.Control, MethodUsage, &q, report, metainfo.Errors(), kv.Errors())
	return report, err
}
