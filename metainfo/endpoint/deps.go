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
	// Redundancy is the scheme for a segment written now; ShareSize is 0.
	Redundancy() ecenc.Redundancy
	// Pick returns up to count nodes in distinct failure domains, none of a domain of the excluded ones.
	Pick(count int, exclude []netx.NodeID) []netx.NodeURL
	// Node says where a node is and whether it is in contact.
	Node(id netx.NodeID) (url netx.NodeURL, online, known bool)
	// Report takes what a committed segment tells of nodes.
	Report(stored, failed []netx.NodeID)
	// Suspect takes nodes of which an uplink says that some do not answer. It is a hint, not believed unchecked.
	Suspect(nodes []netx.NodeID)
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
