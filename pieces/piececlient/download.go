package piececlient

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"

	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

// DownloadOptions is a range of one piece to be read.
type DownloadOptions struct {
	Node      netx.NodeURL
	Limit     pieces.SignedLimit
	Key       ed25519.PrivateKey // of the limit's uplink key
	Offset    int64
	Length    int64
	WantProof bool
}

// Reader reads the range that Open was asked for, ordering more as it goes. It is used by one goroutine.
type Reader struct {
	st     *rpc.ClientStream
	opts   DownloadOptions
	reply  pieces.DownloadReply
	serial pieces.SerialNumber

	received int64
	ordered  int64
	step     int64
}

// Open asks a node for a range and waits for its answer. Errors: sentinels of pieces and netx.
func Open(ctx context.Context, pool *rpc.Pool, opts DownloadOptions) (*Reader, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	limit, err := opts.Limit.Decode()
	if err != nil {
		return nil, err
	}
	r := &Reader{opts: opts, serial: limit.Serial, step: pieces.FirstOrderBytes}
	header := pieces.DownloadHeader{
		Limit: opts.Limit, Offset: opts.Offset, Length: opts.Length, WantProof: opts.WantProof,
	}
	header.Order = r.nextOrder()
	r.st, err = pool.Open(ctx, opts.Node, netx.Data, pieces.MethodDownload, &header)
	if err != nil {
		return nil, err
	}
	if r.ordered == opts.Length {
		err = r.st.CloseWrite()
	}
	if err == nil {
		err = r.st.Response(&r.reply, pieces.Errors())
	}
	if err == nil && opts.Offset+opts.Length > r.reply.Size {
		err = fmt.Errorf("%w: node has %d bytes of the piece", pieces.ErrCorrupt, r.reply.Size)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Proof is what the node keeps beside the piece, when it was asked for: an encoded pieces.Proof, not yet checked.
func (r *Reader) Proof() []byte { return r.reply.Proof }

// Size is the size of the whole piece, as the node says.
func (r *Reader) Size() int64 { return r.reply.Size }

// Trashed says whether the node found the piece in its trash.
func (r *Reader) Trashed() bool { return r.reply.Trashed }

// Read reads the range to io.EOF. Fewer bytes than asked for are pieces.ErrCorrupt.
func (r *Reader) Read(p []byte) (int, error) {
	if r.received == r.opts.Length {
		return 0, r.end()
	}
	n, err := r.st.Read(p[:min(int64(len(p)), r.opts.Length-r.received)])
	r.received += int64(n)
	if err == nil && r.ordered < r.opts.Length && r.ordered-r.received <= r.step/2 {
		err = r.order()
	}
	if n > 0 {
		return n, nil // an error comes again
	}
	if err == io.EOF {
		return 0, fmt.Errorf("%w: node ended the piece %d bytes early", pieces.ErrCorrupt, r.opts.Length-r.received)
	}
	return 0, err
}

// end reads the end of the stream, which gives its credit back.
func (r *Reader) end() error {
	var one [1]byte
	n, err := r.st.Read(one[:])
	if n > 0 {
		return fmt.Errorf("%w: node sent more than was asked for", pieces.ErrCorrupt)
	}
	if err == nil {
		return nil
	}
	return err
}

// order signs and sends the next order.
func (r *Reader) order() error {
	order := r.nextOrder()
	if _, err := r.st.Write(appendFrame(nil, &order)); err != nil {
		return err
	}
	if r.ordered == r.opts.Length {
		return r.st.CloseWrite()
	}
	return nil
}

func (r *Reader) nextOrder() pieces.Order {
	if r.ordered > 0 {
		r.step = pieces.NextOrderStep(r.step)
	}
	r.ordered = min(r.opts.Length, r.ordered+r.step)
	order := pieces.Order{Serial: r.serial, Amount: r.ordered}
	order.Sign(r.opts.Key)
	return order
}

// Close ends the download, wherever it is.
func (r *Reader) Close() {
	r.st.Cancel(netx.Cancelled) // after a complete exchange it does nothing
}
