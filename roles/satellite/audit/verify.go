package audit

import (
	"fmt"
	"time"

	"storj/ecenc"
	"storj/ecenc/bao"
	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/netx"
	"storj/pieces"
	"storj/roles/satellite/reputation"
)

// wanted is what a piece must be.
type wanted struct {
	satellite netx.NodeID
	node      netx.NodeID
	secret    ecenc.Key // of the satellite, for the keys of nodes
	piece     pieces.PieceID
	size      int64     // bytes
	signer    [32]byte  // public key that signed the hash
	created   time.Time // of the segment
}

// proof checks what a node keeps beside a piece and returns the signed hash. The verdict is Proved or one that Lied.
func (w *wanted) proof(raw []byte) (pieces.PieceHash, reputation.Verdict, string) {
	var p pieces.Proof
	if err := wire.Unmarshal(raw, &p); err != nil {
		return p.Hash, reputation.Altered, fmt.Sprintf("the proof of %d bytes is not one", len(raw))
	}
	limit, err := p.Limit.Decode()
	switch {
	case err != nil:
		return p.Hash, reputation.Altered, "the limit in the proof is not one"
	case limit.Piece != w.piece || p.Hash.Piece != w.piece:
		return p.Hash, w.other(&p, &limit), fmt.Sprintf("the proof is of piece %s, taken %s", p.Hash.Piece, date(limit.Created))
	case limit.Satellite != w.satellite || limit.Node != w.node || !limit.Action.IsPut():
		return p.Hash, reputation.Altered, "the limit in the proof is for another satellite, node or action"
	case !p.Hash.Verify(w.signer):
		return p.Hash, reputation.Altered, "the hash in the proof is not signed by who uploaded the segment"
	case p.Hash.Size != w.size:
		return p.Hash, reputation.Altered, fmt.Sprintf("the signed size is %d bytes instead of %d", p.Hash.Size, w.size)
	}
	return p.Hash, reputation.Proved, ""
}

// other tells what a proof of another piece is: one that this node was given before the segment can have been uploaded,
// one that it was given at all, or one that nobody made.
func (w *wanted) other(p *pieces.Proof, limit *pieces.OrderLimit) reputation.Verdict {
	key := pieces.DeriveNodeKey(w.secret, w.node, limit.Epoch)
	switch {
	case limit.Node != w.node || limit.Piece != p.Hash.Piece || !p.Limit.Verify(key):
		return reputation.Altered
	case limit.Created.Before(w.created.Add(-metainfo.MaxUploadAge)):
		return reputation.Outdated
	}
	return reputation.Swapped
}

// slice checks an answer to a ProveRequest.
func (w *wanted) slice(req *pieces.ProveRequest, reply *pieces.ProveReply) (reputation.Verdict, string) {
	hash, verdict, text := w.proof(reply.Proof)
	if verdict != reputation.Proved {
		return verdict, text
	}
	if reply.Size != w.size {
		return reputation.Altered, fmt.Sprintf("the node says that the piece has %d bytes instead of %d", reply.Size, w.size)
	}
	if _, err := bao.Verify(hash.Hash, w.size, req.Offset, req.Length, reply.Slice); err != nil {
		return reputation.Altered, fmt.Sprintf("the bytes do not lead to the signed hash (%d bytes of proof)", len(reply.Slice))
	}
	if reply.Trashed {
		return reputation.Trashed, "it was in the trash"
	}
	return reputation.Proved, ""
}

func date(t time.Time) string { return t.UTC().Format(time.DateTime) }
