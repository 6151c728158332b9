package endpoint

import (
	"fmt"
	"slices"

	"storj/ecenc"
	"storj/ecenc/cipher"
	"storj/metainfo"
	"storj/netx"
	"storj/pieces"
)

// verdict is what the acknowledgements of a segment are worth.
type verdict struct {
	stored  []pieces.StoredPiece // valid, by ascending number
	invalid []netx.NodeID        // acknowledged what is not so: their fault, not the uplink's, who cannot check it
	// lopsided says that the loss of one group would lose the segment, and that nothing better could be had.
	lopsided bool
}

func (v *verdict) nodes() []netx.NodeID {
	ids := make([]netx.NodeID, len(v.stored))
	for i := range v.stored {
		ids[i] = v.stored[i].Node
	}
	return ids
}

// checkSizes checks the sizes of a segment against each other. Errors: ErrSegment.
func checkSizes(s *metainfo.NewSegment) error {
	limit := int64(metainfo.SegmentCipherSize)
	if len(s.Token) == 0 {
		limit = metainfo.InlineSize
	}
	plain, err := cipher.PlainSize(s.EncryptedSize)
	switch {
	case err != nil, s.EncryptedSize > limit, plain != s.PlainSize, s.PlainOffset < 0, s.PlainOffset > maxPartSize:
		return fmt.Errorf("%w: %d bytes, %d encrypted, at %d", metainfo.ErrSegment, s.PlainSize, s.EncryptedSize, s.PlainOffset)
	case len(s.Token) == 0 && int64(len(s.Inline)) != s.EncryptedSize,
		len(s.Token) == 0 && len(s.Pieces) != 0,
		len(s.Token) != 0 && len(s.Inline) != 0:
		return fmt.Errorf("%w: neither inline nor remote", metainfo.ErrSegment)
	}
	return nil
}

// maxPartSize is the plaintext of the most segments that a part can have.
const maxPartSize = metainfo.SegmentSize * metainfo.MaxSegments

// withShares puts the share size that the uplink chose into the scheme of its plan. Errors: ErrSegment.
func withShares(scheme ecenc.Redundancy, shareSize int) (ecenc.Redundancy, error) {
	scheme.ShareSize = shareSize
	if shareSize <= 0 || scheme.Validate() != nil {
		return scheme, fmt.Errorf("%w: shares of %d bytes", metainfo.ErrSegment, shareSize)
	}
	return scheme, nil
}

// checkAcks sorts the acknowledgements of a segment.
//
// A number or node that comes twice or cannot be is the uplink's fault and ErrSegment. An acknowledgement that is not
// valid is dropped. ErrAcks when too few are left, or too many of them would be lost together.
func (e *Endpoint) checkAcks(token *segmentToken, scheme ecenc.Redundancy, s *metainfo.NewSegment) (verdict, error) {
	if len(s.Pieces) > scheme.Total {
		return verdict{}, fmt.Errorf("%w: %d pieces of %s", metainfo.ErrSegment, len(s.Pieces), scheme)
	}
	var byNumber [ecenc.MaxTotal]*pieces.StoredPiece
	seen := make(map[netx.NodeID]bool, len(s.Pieces))
	for i := range s.Pieces {
		p := &s.Pieces[i]
		if p.Number < 0 || p.Number >= scheme.Total || byNumber[p.Number] != nil || seen[p.Node] {
			return verdict{}, fmt.Errorf("%w: piece %d twice, out of range, or its node twice", metainfo.ErrSegment, p.Number)
		}
		byNumber[p.Number], seen[p.Node] = p, true
	}
	size := scheme.PieceSize(s.EncryptedSize)
	v := verdict{stored: make([]pieces.StoredPiece, 0, len(s.Pieces))}
	for number, p := range byNumber[:scheme.Total] {
		switch {
		case p == nil:
		case p.Ack.Size == size && p.Ack.Piece == token.root.Derive(p.Node, number) && e.opts.Limits.CheckAck(p.Node, &p.Ack):
			v.stored = append(v.stored, *p)
		default:
			v.invalid = append(v.invalid, p.Node)
		}
	}
	if len(v.stored) < enough(scheme) {
		return v, fmt.Errorf("%w: %d of the %d that %s needs", metainfo.ErrAcks, len(v.stored), enough(scheme), scheme)
	}
	return v, e.checkGroups(token, scheme, s, &v)
}

// checkGroups checks that a segment survives the loss of any one group of nodes. One that does not is refused where there
// are nodes that were not tried: the uplink stopped too early. Else there is nothing better to be had.
//
// Errors: ErrAcks.
func (e *Endpoint) checkGroups(token *segmentToken, scheme ecenc.Redundancy, s *metainfo.NewSegment, v *verdict) error {
	grouper, ok := e.opts.Nodes.(Grouper)
	if !ok {
		return nil
	}
	stored := v.nodes()
	counts, most := make(map[uint32]int), 1
	for _, group := range grouper.Groups(token.placement, stored) {
		if group != 0 { // 0 is a domain of its own
			counts[group]++
			most = max(most, counts[group])
		}
	}
	if len(stored)-most >= scheme.Required || most == 1 {
		return nil
	}
	tried := slices.Concat(stored, v.invalid, s.Failed)
	if len(tried) < scheme.Total && len(e.opts.Nodes.Pick(token.placement, 1, tried)) > 0 {
		return fmt.Errorf("%w: %d of %d pieces would be lost together", metainfo.ErrAcks, most, len(stored))
	}
	v.lopsided = true
	return nil
}
