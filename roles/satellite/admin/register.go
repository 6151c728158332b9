package admin

import (
	"bytes"
	"context"
	"slices"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

// Register has the server answer the methods with adm, for the peer self alone.
func Register(s *rpc.Server, self netx.NodeID, adm Admin) {
	Serve(s, self, MethodStatus, func(ctx context.Context, _ *pieces.Empty) (*Status, error) { return adm.Status(ctx) })
	Serve(s, self, MethodCreateProject, func(ctx context.Context, r *nameRequest) (*Project, error) {
		return adm.CreateProject(ctx, r.Name)
	})
	Serve(s, self, MethodListProjects, func(ctx context.Context, r *nameRequest) (*page[Project, *Project], error) {
		all, err := adm.ListProjects(ctx)
		return cut[Project](all, int(r.Offset)), err
	})
	Serve(s, self, MethodCreateAPIKey, func(ctx context.Context, r *nameRequest) (*textReply, error) {
		text, err := adm.CreateAPIKey(ctx, r.Project, r.Name)
		return &textReply{Text: text}, err
	})
	Serve(s, self, MethodListAPIKeys, func(ctx context.Context, r *nameRequest) (*page[APIKey, *APIKey], error) {
		all, err := adm.ListAPIKeys(ctx, r.Project)
		return cut[APIKey](all, int(r.Offset)), err
	})
	Serve(s, self, MethodRevokeAPIKey, func(ctx context.Context, r *nameRequest) (*pieces.Empty, error) {
		return new(pieces.Empty), adm.RevokeAPIKey(ctx, r.Project, r.Name)
	})
	Serve(s, self, MethodCreateToken, func(ctx context.Context, r *tokenRequest) (*textReply, error) {
		text, err := adm.CreateToken(ctx, int(r.Uses), r.Life)
		return &textReply{Text: text}, err
	})
	Serve(s, self, MethodListNodes, func(ctx context.Context, r *nameRequest) (*page[Node, *Node], error) {
		all, err := adm.ListNodes(ctx)
		return cut[Node](all, nodesUpTo(all, r.Cursor)), err
	})
}

// Serve registers a method for one peer, the satellite's own identity; others get metainfo.ErrAdmin. Services of the
// satellite use it for what only the owner may ask of them.
func Serve[Req, Resp any, PReq interface {
	*Req
	wire.Message
}, PResp interface {
	*Resp
	wire.Message
}](s *rpc.Server, self netx.NodeID, method rpc.Method, handler func(ctx context.Context, req *Req) (*Resp, error)) {
	rpc.Unary[Req, Resp, PReq, PResp](s, method, rpc.Limits{},
		func(ctx context.Context, peer rpc.Peer, req *Req) (*Resp, error) {
			if peer.ID != self {
				return nil, metainfo.ErrAdmin
			}
			return handler(ctx, req)
		})
}

// cut returns the page of all that starts at an index.
func cut[T any, P interface {
	*T
	wire.Message
}](all []T, from int) *page[T, P] {
	from = min(max(from, 0), len(all))
	end := min(from+maxPage, len(all))
	return &page[T, P]{Items: all[from:end], More: end < len(all)}
}

// nodesUpTo sorts nodes by ID and returns how many come up to the cursor; none does for the zero ID.
func nodesUpTo(nodes []Node, cursor netx.NodeID) int {
	slices.SortFunc(nodes, func(a, b Node) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	if cursor.IsZero() {
		return 0
	}
	at, found := slices.BinarySearchFunc(nodes, cursor, func(n Node, id netx.NodeID) int { return bytes.Compare(n.ID[:], id[:]) })
	if found {
		at++
	}
	return at
}
