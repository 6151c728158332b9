package segmentio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/zeebo/blake3"

	"storj/ecenc/wire"
	"storj/netx"
	"storj/pieces"
	"storj/pieces/piececlient"
)

// runVerified reads whole pieces, uses only those that match the hash which the uploader signed, and puts the range
// into the ring at once. It is the way out after what was read did not decrypt, so it favours plainness over speed.
func (d *Download) runVerified() {
	good := make([][]byte, d.code.Total())
	had := 0
	limits := d.c.orderDownload(d.req.Limits, d.code.Required())
	for had < d.code.Required() && len(limits) > 0 {
		batch := limits[:min(d.code.Required()-had, len(limits))]
		limits = limits[len(batch):]
		for _, piece := range d.readVerified(batch) {
			good[piece.number] = piece.content
			had++
		}
		if d.ctx.Err() != nil {
			d.fail(context.Cause(d.ctx))
			return
		}
	}
	if had < d.code.Required() {
		d.mu.Lock()
		causes := slices.Clone(d.failures)
		d.mu.Unlock()
		d.fail(&TooFewError{Had: had, Needed: d.code.Required(), Causes: causes})
		return
	}
	if err := d.publish(good); err != nil {
		d.fail(err)
	}
}

type verifiedPiece struct {
	number  int
	content []byte
}

// readVerified reads pieces side by side and returns those that are right.
func (d *Download) readVerified(limits []pieces.PieceLimit) []verifiedPiece {
	results := make(chan *verifiedPiece, len(limits))
	for _, limit := range limits {
		d.mu.Lock()
		d.stats.PiecesAsked++
		d.mu.Unlock()
		d.workers.Go(func() {
			content, err := d.readWhole(limit)
			if err == nil {
				results <- &verifiedPiece{number: limit.Number, content: content}
				return
			}
			d.mu.Lock()
			d.failures = append(d.failures, NodeError{Node: limit.Node.ID, Err: err})
			if netx.CodeOf(err) == netx.Corrupt {
				d.corrupt = append(d.corrupt, limit.Node.ID)
			}
			d.mu.Unlock()
			d.c.nodes.failed(limit.Node.ID)
			results <- nil
		})
	}
	var good []verifiedPiece
	for range limits {
		if piece := <-results; piece != nil {
			good = append(good, *piece)
		}
	}
	return good
}

// readWhole reads a piece and checks it. Errors: pieces.ErrCorrupt when the node lied.
func (d *Download) readWhole(limit pieces.PieceLimit) ([]byte, error) {
	ctx, cancel := context.WithCancel(d.ctx)
	defer cancel()
	size := d.req.Redundancy.PieceSize(d.req.EncryptedSize)
	idle := time.AfterFunc(d.c.opts.GiveUp, cancel)
	defer idle.Stop()
	r, err := piececlient.Open(ctx, d.c.pool, piececlient.DownloadOptions{
		Node: limit.Node, Limit: limit.Limit, Key: d.key, Length: size, WantProof: true,
	})
	if errors.Is(err, pieces.ErrRange) {
		return nil, fmt.Errorf("%w: node has a shorter piece", pieces.ErrCorrupt)
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.Size() != size {
		return nil, fmt.Errorf("%w: node has a piece of %d bytes", pieces.ErrCorrupt, r.Size())
	}
	content := make([]byte, size)
	for got := 0; got < len(content); {
		n, err := r.Read(content[got:])
		got += n
		d.bytes.Add(int64(n))
		idle.Reset(d.c.opts.GiveUp)
		if err != nil && got < len(content) {
			return nil, err
		}
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		return nil, fmt.Errorf("%w: node sent more than was asked for", pieces.ErrCorrupt)
	}
	return content, d.check(limit, r.Proof(), content)
}

// check compares a piece with the proof that its node gave.
func (d *Download) check(limit pieces.PieceLimit, rawProof, content []byte) error {
	asked, err := limit.Limit.Decode()
	if err != nil {
		return err
	}
	var proof pieces.Proof
	if err := wire.Unmarshal(rawProof, &proof); err != nil {
		return fmt.Errorf("%w: malformed proof", pieces.ErrCorrupt)
	}
	hash := &proof.Hash
	switch {
	case hash.Piece != asked.Piece || hash.Size != int64(len(content)):
		return fmt.Errorf("%w: proof of another piece", pieces.ErrCorrupt)
	case !hash.Verify(d.req.UploadKey):
		return fmt.Errorf("%w: hash was not signed by the uploader", pieces.ErrCorrupt)
	case blake3.Sum256(content) != hash.Hash:
		return fmt.Errorf("%w: bytes do not match their signed hash", pieces.ErrCorrupt)
	}
	return nil
}

// publish decodes the stripes of the range and makes them ready.
func (d *Download) publish(good [][]byte) error {
	first, end := d.rows()
	share := int64(d.code.ShareSize())
	for i, content := range good {
		if content != nil {
			good[i] = content[first*share : end*share]
		}
	}
	decoded, err := d.code.DecodeStripes(good, nil)
	if err != nil {
		return fmt.Errorf("decode verified pieces: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.head = first
	d.ring = ring{
		first: first, rows: end - first, share: share, stripe: d.req.Redundancy.StripeSize(), data: &decoded, shared: &shared{},
	}
	for number := range d.code.Required() { // the decoded stripes hold every data piece
		d.fetches[number] = &fetch{from: first, have: end}
	}
	d.cond.Broadcast()
	return nil
}
