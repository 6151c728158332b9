package piececlient

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/zeebo/blake3"

	"storj/ecenc/wire"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

// Source hands over the bytes of a piece in order.
type Source interface {
	// Next returns the following bytes, at least one. They are read only and valid until the next call. It is called
	// until UploadOptions.Size bytes were handed over.
	Next() ([]byte, error)
}

// UploadOptions is one piece to be stored.
type UploadOptions struct {
	Node   netx.NodeURL
	Limit  pieces.SignedLimit
	Key    ed25519.PrivateKey // of the limit's uplink key
	Size   int64              // bytes of the piece
	Source Source
	// Sent, when not nil, counts the bytes handed to the transport; it may be read meanwhile.
	Sent *atomic.Int64
}

// smallPiece is the size up to which a piece, its header and its hash are written at once.
const smallPiece = 16 << 10

// Upload stores a piece and returns the node's acknowledgement, whose authentication only the satellite can check;
// its other fields are checked here. Errors: sentinels of pieces and netx, and those of Source.
func Upload(ctx context.Context, pool *rpc.Pool, opts UploadOptions) (*pieces.PieceAck, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	limit, err := opts.Limit.Decode()
	if err != nil {
		return nil, err
	}
	header := pieces.UploadHeader{Limit: opts.Limit, Size: opts.Size}
	st, err := pool.Open(ctx, opts.Node, netx.Data, pieces.MethodUpload, &header)
	if err != nil {
		return nil, err
	}
	defer st.Cancel(netx.Cancelled) // after a complete exchange it does nothing

	hash := pieces.PieceHash{Piece: limit.Piece, Size: opts.Size}
	sendErr := send(st, &opts, &hash)
	if own, ok := errors.AsType[*sourceError](sendErr); ok {
		return nil, own.err
	}
	// A node that refuses answers and stops reading: its answer says more than the failed write.
	var ack pieces.PieceAck
	if err := st.Response(&ack, pieces.Errors()); err != nil {
		return nil, err
	}
	if sendErr != nil {
		return nil, fmt.Errorf("%w: node acknowledged a piece before its end", pieces.ErrCorrupt)
	}
	if ack.Piece != hash.Piece || ack.Size != hash.Size || ack.Hash != hash.Hash {
		return nil, fmt.Errorf("%w: node acknowledged another piece", pieces.ErrCorrupt)
	}
	return &ack, nil
}

// sourceError is a failure on our side, which no answer of the node explains.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }

func send(st *rpc.ClientStream, opts *UploadOptions, hash *pieces.PieceHash) error {
	hasher := blake3.New()
	var small []byte
	for left := opts.Size; left > 0; {
		chunk, err := opts.Source.Next()
		if err != nil {
			return &sourceError{err: err}
		}
		if len(chunk) == 0 || int64(len(chunk)) > left {
			panic(fmt.Sprintf("piececlient: source gave %d bytes with %d left", len(chunk), left))
		}
		_, _ = hasher.Write(chunk) // never fails
		left -= int64(len(chunk))
		if opts.Size <= smallPiece {
			small = append(small, chunk...)
			continue
		}
		if _, err := st.Write(chunk); err != nil {
			return err
		}
		opts.progress(len(chunk))
	}
	hasher.Sum(hash.Hash[:0])
	hash.Created = time.Now().UTC()
	hash.Sign(opts.Key)
	if _, err := st.Write(appendFrame(small, hash)); err != nil {
		return err
	}
	opts.progress(len(small))
	return st.CloseWrite()
}

func (o *UploadOptions) progress(bytes int) {
	if o.Sent != nil {
		o.Sent.Add(int64(bytes))
	}
}

// appendFrame appends a message behind its length.
func appendFrame(dst []byte, m wire.Message) []byte {
	raw := wire.Marshal(m)
	dst = binary.AppendUvarint(dst, uint64(len(raw)))
	return append(dst, raw...)
}
