package piececlient

import (
	"context"

	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

// Prove asks a node for proof that it has a piece. Nothing of the answer is checked but its encoding: that is for who
// knows which piece was meant.
//
// Only the piece's satellite is answered. Errors: sentinels of pieces and netx.
func Prove(ctx context.Context, pool *rpc.Pool, node netx.NodeURL, req *pieces.ProveRequest) (*pieces.ProveReply, error) {
	reply := new(pieces.ProveReply)
	err := pool.CallWith(ctx, rpc.CallOptions{
		Peer: node, Purpose: netx.Data, Method: pieces.MethodProve, Idempotent: true, MaxResponse: pieces.MaxProveReply,
	}, req, reply, pieces.Errors())
	if err != nil {
		return nil, err
	}
	return reply, nil
}
