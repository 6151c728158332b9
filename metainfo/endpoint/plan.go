package endpoint

import (
	"fmt"
	"time"

	"storj/ecenc"
	"storj/metainfo"
	"storj/netx"
	"storj/pieces"
)

// enough is how many pieces a commit needs: more than the repair threshold, so that the segment is not lost to the next
// failures; where the numbers leave no room in between, optimal.
func enough(r ecenc.Redundancy) int { return min(r.Repair+1, r.Optimal) }

// putLimit is the most bytes of a piece of a segment.
func putLimit(r ecenc.Redundancy) int64 {
	return r.WithShareSize(metainfo.SegmentCipherSize).PieceSize(metainfo.SegmentCipherSize)
}

// plan chooses nodes for one attempt at a segment. Errors: ErrNotEnoughNodes.
func (e *Endpoint) plan(t *target, position metainfo.Position) (*metainfo.SegmentPlan, error) {
	up := &t.up
	scheme := e.opts.Nodes.Redundancy(up.placement)
	nodes := e.opts.Nodes.Pick(up.placement, scheme.Total, nil)
	if len(nodes) < enough(scheme) {
		return nil, fmt.Errorf("%w: %d of the %d that %s needs", metainfo.ErrNotEnoughNodes, len(nodes), enough(scheme), scheme)
	}
	token := segmentToken{
		project: up.project, bucket: up.bucket, key: up.key, stream: t.stream, position: position,
		root: pieces.NewPieceID(), scheme: scheme, created: time.Now().UTC(), expires: up.expires,
		placement: up.placement,
	}
	numbers := make([]int, len(nodes))
	for i := range numbers {
		numbers[i] = i
	}
	key := e.opts.Limits.UploadKey(token.root)
	return &metainfo.SegmentPlan{
		Token:      e.sealer.seal(kindSegment, &token),
		Redundancy: scheme,
		PieceKey:   key.Seed,
		Limits:     e.putLimits(&token, key, numbers, nodes),
	}, nil
}

// replace gives other nodes for pieces of a plan; numbers are valid and distinct.
func (e *Endpoint) replace(token *segmentToken, numbers []int, exclude []netx.NodeID) []pieces.PieceLimit {
	nodes := e.opts.Nodes.Pick(token.placement, len(numbers), exclude)
	if len(nodes) == 0 {
		return nil
	}
	return e.putLimits(token, e.opts.Limits.UploadKey(token.root), numbers[:len(nodes)], nodes)
}

func (e *Endpoint) putLimits(token *segmentToken, key PieceKey, numbers []int, nodes []PickedNode) []pieces.PieceLimit {
	targets := make([]LimitTarget, len(nodes))
	for i, node := range nodes {
		targets[i] = LimitTarget{Number: numbers[i], Node: node.NodeURL, Group: node.Group}
	}
	bytes := putLimit(token.scheme)
	e.opts.Usage.Allocated(Allocation{
		Project: token.project, Bucket: token.bucket, Action: pieces.ActionPut, Limits: bytes * int64(len(nodes)),
	})
	return e.opts.Limits.Limits(LimitRequest{
		Action:       pieces.ActionPut,
		Root:         token.root,
		Bytes:        bytes,
		PieceExpires: token.expires,
		Uplink:       key.Public,
		BucketTag:    e.opts.Limits.BucketTag(token.project, token.bucket),
		Targets:      targets,
	})
}
