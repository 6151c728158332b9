package piecenode

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/blake3"

	"storj/ecenc/wire"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

func (n *Node) upload(ctx context.Context, _ rpc.Peer, header []byte, st *rpc.ServerStream) (err error) {
	var req pieces.UploadHeader
	if err := decodeHeader(header, &req); err != nil {
		return n.refuse("malformed", err)
	}
	if req.Size <= 0 || req.Size > pieces.MaxPieceSize {
		return n.refuse("malformed", pieces.ErrRange)
	}
	limit, key, err := n.admit(&req.Limit, pieces.Action.IsPut)
	if err != nil {
		return err
	}
	if req.Size > limit.Limit {
		return n.refuse("limit", pieces.ErrLimit)
	}
	if err := n.opts.Throttle.Admit(limit.Action); err != nil {
		return n.refuse("bandwidth", err)
	}
	w, err := n.opts.Store.Create(ctx, pieces.CreateOptions{
		Satellite: limit.Satellite, Piece: limit.Piece, Size: req.Size, Expires: limit.PieceExpires,
	})
	if err != nil {
		return err
	}
	defer func() { _ = w.Cancel() }() // after Commit it does nothing
	hash, err := n.receive(ctx, st, w, req.Size, n.pace(st, req.Size))
	if err != nil {
		n.count.cancelledUploads.Inc()
		return err
	}
	signed, err := receiveHash(st)
	if err != nil {
		n.count.cancelledUploads.Inc()
		return err
	}
	if signed.Piece != limit.Piece || signed.Size != req.Size || signed.Hash != hash || !signed.Verify(limit.UplinkKey) {
		return n.refuse("hash", pieces.ErrHash)
	}
	proof := pieces.Proof{Limit: req.Limit, Hash: *signed}
	if err := w.Commit(ctx, wire.Marshal(&proof)); err != nil {
		return err
	}
	n.count.uploads.Inc()
	n.count.bytesIn.Add(int(req.Size))
	n.opts.Ledger.Moved(limit.Satellite, limit.Action, req.Size)
	ack := pieces.PieceAck{Piece: limit.Piece, Size: req.Size, Hash: hash, Created: n.opts.Now()}
	ack.Sign(key)
	return st.Reply(&ack)
}

// receive moves size bytes of body into w and returns their hash.
func (n *Node) receive(
	ctx context.Context, st *rpc.ServerStream, w io.Writer, size int64, pace pace,
) (hash [32]byte, err error) {
	hasher := n.buffers.hashers.Get().(*blake3.Hasher)
	defer n.buffers.hashers.Put(hasher)
	hasher.Reset()
	buf := n.buffers.get(size)
	defer n.buffers.put(buf)
	for left := size; left > 0; {
		chunk := (*buf)[:min(left, int64(len(*buf)))]
		if err := n.opts.Throttle.Wait(ctx, len(chunk)); err != nil {
			return hash, err
		}
		if err := fill(st, chunk, pace); err != nil {
			return hash, err
		}
		_, _ = hasher.Write(chunk) // never fails
		if _, err := w.Write(chunk); err != nil {
			return hash, err
		}
		left -= int64(len(chunk))
	}
	hasher.Sum(hash[:0])
	return hash, nil
}

// fill reads exactly len(chunk) bytes from a peer that must keep moving.
func fill(st *rpc.ServerStream, chunk []byte, pace pace) error {
	for len(chunk) > 0 {
		if err := pace.step(); err != nil {
			return err
		}
		read, err := st.Read(chunk)
		chunk = chunk[read:]
		if len(chunk) == 0 {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: upload ended %d bytes early", pieces.ErrMalformed, len(chunk))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// receiveHash reads the trailer of an upload and the end of the stream.
func receiveHash(st *rpc.ServerStream) (*pieces.PieceHash, error) {
	raw, err := readFrame(st, pieces.MaxProofSize)
	if err != nil {
		return nil, err
	}
	var hash pieces.PieceHash
	if err := wire.Unmarshal(raw, &hash); err != nil {
		return nil, pieces.ErrMalformed
	}
	var one [1]byte
	if n, err := st.Read(one[:]); n != 0 || !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: bytes after the hash", pieces.ErrMalformed)
	}
	return &hash, nil
}

// readFrame reads a message of at most limit bytes behind its length. Errors: io.EOF when the stream ended before it.
func readFrame(r io.Reader, limit int) ([]byte, error) {
	var length [binary.MaxVarintLen32]byte
	for i := range length {
		if _, err := io.ReadFull(r, length[i:i+1]); err != nil {
			if i == 0 {
				return nil, err
			}
			return nil, fmt.Errorf("%w: frame cut short", pieces.ErrMalformed)
		}
		if length[i] >= 0x80 {
			continue
		}
		size, n := binary.Uvarint(length[:i+1])
		if n <= 0 || size > uint64(limit) {
			return nil, netx.ErrTooLarge
		}
		raw := make([]byte, size)
		if _, err := io.ReadFull(r, raw); err != nil {
			return nil, fmt.Errorf("%w: frame cut short", pieces.ErrMalformed)
		}
		return raw, nil
	}
	return nil, netx.ErrTooLarge
}
