package segmentio

import (
	"context"
	"fmt"
	"io"

	"storj/ecenc"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

// Client moves segments to and from nodes. It remembers which nodes failed or stalled lately and asks them last. Its
// methods may be called concurrently.
type Client struct {
	pool   *rpc.Pool
	opts   Options
	nodes  *memory
	shared *shared
}

// UploadRequest is one segment to be stored.
type UploadRequest struct {
	Data       []byte           // the segment's ciphertext; read only until Upload returns
	Redundancy ecenc.Redundancy // with ShareSize
	PieceKey   [32]byte         // Ed25519 seed of the limits' uplink key
	Limits     []pieces.PieceLimit
	// Replace asks for other nodes for the pieces whose nodes failed; nil when there are none to ask for. It is called by
	// one goroutine at a time.
	Replace func(ctx context.Context, failed []int, exclude []netx.NodeID) ([]pieces.PieceLimit, error)
}

// UploadResult is a stored segment.
type UploadResult struct {
	Pieces    []pieces.StoredPiece // ascending Number
	Failed    []netx.NodeID        // nodes that failed or stalled
	BytesSent int64                // piece bytes handed to the transport, with those of pieces that were then cancelled
}

// DownloadRequest is a range of one segment to be read.
type DownloadRequest struct {
	Redundancy    ecenc.Redundancy
	EncryptedSize int64
	Offset        int64 // of the ciphertext, bytes
	Length        int64
	PieceKey      [32]byte // Ed25519 seed of the limits' uplink key
	Limits        []pieces.PieceLimit
	// UploadKey, when set, makes every piece be read whole and checked against the hash that this key signed; pieces that
	// do not match are named in Download.Corrupt and not used.
	UploadKey [32]byte
}

// TooFewError says how many pieces of a segment could be had. It matches pieces.ErrTooFewPieces.
type TooFewError struct {
	Had    int
	Needed int
	Causes []NodeError // one for each node that failed
}

// NodeError is what went wrong at one node.
type NodeError struct {
	Node netx.NodeID
	Err  error
}

// Error gives the counts and the first cause.
func (e *TooFewError) Error() string {
	text := fmt.Sprintf("%s: had %d pieces, needed %d", pieces.ErrTooFewPieces, e.Had, e.Needed)
	if len(e.Causes) > 0 {
		text += fmt.Sprintf(" (%d nodes failed, first: %s: %v)", len(e.Causes), e.Causes[0].Node.Short(), e.Causes[0].Err)
	}
	return text
}

// Unwrap matches pieces.ErrTooFewPieces.
func (e *TooFewError) Unwrap() error { return pieces.ErrTooFewPieces }

var _ io.Closer = (*Download)(nil)
