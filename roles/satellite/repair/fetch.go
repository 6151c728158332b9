package repair

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/zeebo/blake3"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/endpoint"
	"storj/netx"
	"storj/pieces"
	"storj/pieces/piececlient"
)

const (
	// maxStreams bounds the pieces of one segment that are on their way at once. Source: that of pieces/segmentio.
	maxStreams = 24
	// idleTimeout ends a transfer that makes no progress.
	idleTimeout = 30 * time.Second
	// chunk is how many bytes are read or written at a time.
	chunk = 256 << 10
)

var (
	// errAltered is what a fetch returns for bytes or a proof that are not those which the uploader signed: no honest node
	// sends such, its store checks what it reads.
	errAltered = errors.New("piece is not what was uploaded")
	// errBroken is what it returns when the node itself says that the piece is damaged, or has not all of it.
	errBroken = errors.New("node has a damaged piece")
)

// segment is what transfers of a segment's pieces share.
type segment struct {
	s      *Service
	record *metainfo.Segment
	size   int64 // of a piece, bytes
	upload endpoint.PieceKey
}

func (s *Service) segment(record *metainfo.Segment) *segment {
	return &segment{
		s: s, record: record, size: record.Redundancy.PieceSize(record.EncryptedSize), upload: s.opts.Signer.UploadKey(record.Root),
	}
}

// limit makes the limit of one piece on one node.
func (g *segment) limit(action pieces.Action, number int, node netx.NodeURL, key endpoint.PieceKey) pieces.PieceLimit {
	return g.s.opts.Signer.Limits(endpoint.LimitRequest{
		Action: action, Root: g.record.Root, Bytes: g.size, PieceExpires: g.record.Expires, Uplink: key.Public,
		Targets: []endpoint.LimitTarget{{Number: number, Node: node}},
	})[0]
}

// kept is how a node keeps a piece.
type kept struct {
	trashed bool      // it is about to delete it
	created time.Time // as its uploader signed
}

// fetch reads a whole piece into dst, g.size bytes, and checks it against the hash that its uploader signed.
//
// Errors: errAltered, errBroken, pieces.ErrNotFound; else the node could not be asked.
func (g *segment) fetch(ctx context.Context, number int, node netx.NodeURL, dst []byte) (kept, error) {
	ctx, idle, cancel := watch(ctx)
	defer cancel()
	key := g.s.opts.Signer.DownloadKey()
	limit := g.limit(pieces.ActionGetRepair, number, node, key)
	r, err := piececlient.Open(ctx, g.s.opts.Pool, piececlient.DownloadOptions{
		Node: node, Limit: limit.Limit, Key: ed25519.NewKeyFromSeed(key.Seed[:]), Length: g.size, WantProof: true,
	})
	if err != nil {
		return kept{}, reason(ctx, err)
	}
	defer r.Close()
	if r.Size() != g.size {
		return kept{}, fmt.Errorf("%w: %d bytes, not %d", errBroken, r.Size(), g.size)
	}
	if err := g.read(ctx, r, dst, idle); err != nil {
		return kept{}, reason(ctx, err)
	}
	created, err := g.check(number, node.ID, r.Proof(), dst)
	return kept{trashed: r.Trashed(), created: created}, err
}

func (g *segment) read(ctx context.Context, r io.Reader, dst []byte, idle *time.Timer) error {
	for got := 0; got < len(dst); {
		part := dst[got:min(got+chunk, len(dst))]
		n, err := r.Read(part)
		got += n
		idle.Reset(idleTimeout)
		if err != nil && got < len(dst) {
			return err
		}
		if err := g.s.spend(ctx, n); err != nil {
			return err
		}
		g.s.moved.read.Add(int64(n))
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		return errAltered
	}
	return nil
}

// check compares a piece with the proof that its node gave, and returns when it was made.
func (g *segment) check(number int, node netx.NodeID, rawProof, content []byte) (created time.Time, err error) {
	var proof pieces.Proof
	if wire.Unmarshal(rawProof, &proof) != nil {
		return created, fmt.Errorf("%w: malformed proof", errAltered)
	}
	hash := &proof.Hash
	switch {
	case hash.Piece != g.record.Root.Derive(node, number) || hash.Size != g.size:
		return created, fmt.Errorf("%w: proof of another piece", errAltered)
	case !hash.Verify(g.upload.Public):
		return created, fmt.Errorf("%w: hash without the uploader's signature", errAltered)
	case blake3.Sum256(content) != hash.Hash:
		return created, fmt.Errorf("%w: bytes do not match their signed hash", errAltered)
	}
	return hash.Created, nil
}

// watch returns a context that ends when idle is not reset in time.
func watch(ctx context.Context) (context.Context, *time.Timer, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	idle := time.AfterFunc(idleTimeout, func() { cancel(pieces.ErrStalled) })
	return ctx, idle, func() {
		idle.Stop()
		cancel(context.Canceled)
	}
}

// reason is why a transfer ended: because it stalled, when it was stopped for that.
func reason(ctx context.Context, err error) error {
	if errors.Is(err, pieces.ErrRange) || errors.Is(err, pieces.ErrCorrupt) {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(cause, pieces.ErrStalled) {
		return cause
	}
	return err
}

// fetched is the end of one fetch.
type fetched struct {
	from    piece
	content []byte
	err     error
}

// gather reads exactly Required pieces from the first sources that give them, at most maxStreams at a time; bad is told
// of each source that failed.
//
// Returns the contents by number, parts of buffer, which has room for Required pieces. Errors: pieces.ErrTooFewPieces.
func (g *segment) gather(ctx context.Context, view *View, sources []piece, buffer []byte, bad func(piece, error)) ([][]byte, error) {
	required := g.record.Redundancy.Required
	shares := make([][]byte, g.record.Redundancy.Total)
	free := make([][]byte, required)
	for i := range free {
		free[i] = buffer[int64(i)*g.size:][:g.size:g.size]
	}
	results := make(chan fetched)
	running, have, next := 0, 0, 0
	var last error
	for have < required {
		for next < len(sources) && running < min(maxStreams, required-have) {
			from, dst := sources[next], free[len(free)-1]
			free = free[:len(free)-1]
			next++
			running++
			go func() {
				_, err := g.fetch(ctx, from.Number, view.Node(from.Alias).URL, dst)
				results <- fetched{from, dst, err}
			}()
		}
		if running == 0 {
			return nil, errors.Join(fmt.Errorf("%w: %d of %d", pieces.ErrTooFewPieces, have, required), last)
		}
		r := <-results // every fetch that was started is waited for: running is 0 when this loop ends
		running--
		if r.err != nil {
			free, last = append(free, r.content), r.err
			if ctx.Err() == nil {
				bad(r.from, r.err)
			}
			continue
		}
		shares[r.from.Number] = r.content
		have++
	}
	return shares, nil
}
