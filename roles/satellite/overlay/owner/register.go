package owner

import (
	"context"

	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/admin"
	"storj/roles/satellite/placement"
)

// Register has the server answer the methods with o, for the peer self alone; others get metainfo.ErrAdmin.
func Register(s *rpc.Server, self netx.NodeID, o Owner) {
	admin.Serve(s, self, MethodShowNode, func(ctx context.Context, r *nodeRequest) (*NodeReport, error) {
		return o.ShowNode(ctx, r.Node)
	})
	serveNode(s, self, MethodReinstate, func(ctx context.Context, r *nodeRequest) (netx.NodeID, error) {
		return o.Reinstate(ctx, r.Node)
	})
	serveNode(s, self, MethodDisqualify, func(ctx context.Context, r *nodeRequest) (netx.NodeID, error) {
		return o.Disqualify(ctx, r.Node, r.Reason)
	})
	serveNode(s, self, MethodForgive, func(ctx context.Context, r *nodeRequest) (netx.NodeID, error) {
		return o.Forgive(ctx, r.Node)
	})
	serveNode(s, self, MethodAcceptTags, func(ctx context.Context, r *nodeRequest) (netx.NodeID, error) {
		return o.AcceptTags(ctx, r.Node, r.Tags)
	})
	admin.Serve(s, self, MethodSetRule, func(ctx context.Context, r *placement.Rule) (*placement.Rule, error) {
		return o.SetRule(ctx, *r)
	})
	admin.Serve(s, self, MethodRules, func(ctx context.Context, _ *pieces.Empty) (*rulesReply, error) {
		rules, err := o.Rules(ctx)
		return &rulesReply{Items: rules}, err
	})
	admin.Serve(s, self, MethodStandings, func(ctx context.Context, r *pageRequest) (*standingsReply, error) {
		all, err := o.Standings(ctx)
		from := min(int(r.Offset), len(all))
		end := min(from+maxPage, len(all))
		return &standingsReply{Items: all[from:end], More: end < len(all)}, err
	})
}

func serveNode(
	s *rpc.Server, self netx.NodeID, method rpc.Method, do func(ctx context.Context, r *nodeRequest) (netx.NodeID, error),
) {
	admin.Serve(s, self, method, func(ctx context.Context, r *nodeRequest) (*nodeReply, error) {
		id, err := do(ctx, r)
		return &nodeReply{ID: id}, err
	})
}
