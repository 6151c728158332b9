package endpoint

import (
	"time"

	"storj/ecenc"
	"storj/metainfo"
	"storj/netx"
	"storj/pieces"
)

// NodePicker knows the nodes. All methods may be called concurrently and do not block.
type NodePicker interface {
	// Placement says whether the owner has defined the rule of this number; 0 always is.
	Placement(placement uint32) bool
	// Redundancy is the scheme for a segment written now under a placement; ShareSize is 0.
	Redundancy(placement uint32) ecenc.Redundancy
	// Pick returns up to count nodes that the placement allows, in distinct failure domains where there are as many, none
	// of a domain of the excluded ones.
	Pick(placement uint32, count int, exclude []netx.NodeID) []PickedNode
	// Node says where a node is and whether it is in contact.
	Node(id netx.NodeID) (url netx.NodeURL, online, known bool)
	// Report takes what a committed segment tells of nodes.
	Report(stored, failed []netx.NodeID)
	// Suspect takes nodes of which an uplink says that some do not answer. It is a hint, not believed unchecked.
	Suspect(nodes []netx.NodeID)
}

// Grouper is an optional power of a NodePicker, found by assertion: it says which nodes would be lost together.
type Grouper interface {
	// Groups returns the group of each node's failure domain, in the same order, as in pieces.PieceLimit. It does not block.
	Groups(placement uint32, nodes []netx.NodeID) []uint32
}

// Allocation is what was handed out for one request.
type Allocation struct {
	Project metainfo.ProjectID
	Bucket  string
	Action  pieces.Action
	Limits  int64 // bytes that all limits together allow to move
	Useful  int64 // plaintext bytes of objects that they are for
}

// Usage takes what is handed out, for accounts. It may be called concurrently and must not block.
//
// A download is told of at each batch of its limits. An upload is told of twice: its limits when they are planned, with
// Useful 0, and what came of them when the segment is committed, with Limits 0.
type Usage interface {
	Allocated(a Allocation)
}

// PickedNode is a node that may take a piece, and the group of its failure domain as in pieces.PieceLimit.
type PickedNode struct {
	netx.NodeURL
	Group uint32
}

// PieceKey is the Ed25519 key pair of the uplink in the limits of one segment.
type PieceKey struct {
	Seed   [32]byte
	Public [32]byte
}

// LimitTarget is one piece on one node.
type LimitTarget struct {
	Number int
	Node   netx.NodeURL
	Group  uint32 // as in pieces.PieceLimit
}

// LimitRequest asks for a limit for each target.
type LimitRequest struct {
	Action       pieces.Action
	Root         pieces.PieceID
	Bytes        int64
	PieceExpires time.Time // zero: never
	Uplink       [32]byte  // public piece key
	BucketTag    []byte    // of LimitSigner.BucketTag; shared by the limits, read only
	Targets      []LimitTarget
}

// LimitSigner makes order limits and checks acknowledgements. All methods may be called concurrently and do not block.
type LimitSigner interface {
	// UploadKey returns the key of the limits by which the segment with this root is written: the same each time.
	UploadKey(root pieces.PieceID) PieceKey
	// DownloadKey returns a fresh key.
	DownloadKey() PieceKey
	// BucketTag encrypts the bucket's name for the satellite itself.
	BucketTag(project metainfo.ProjectID, bucket string) []byte
	// Limits returns one limit for each target, in the same order.
	Limits(req LimitRequest) []pieces.PieceLimit
	// CheckAck says whether the node made the acknowledgement.
	CheckAck(node netx.NodeID, ack *pieces.PieceAck) bool
}
