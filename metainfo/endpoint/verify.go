package endpoint

import (
	"fmt"

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
// valid is dropped. ErrAcks when too few are left.
func (e *Endpoint) checkAcks(root pieces.PieceID, scheme ecenc.Redundancy, s *metainfo.NewSegment) (verdict, error) {
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
		case p.Ack.Size == size && p.Ack.Piece == root.Derive(p.Node, number) && e.opts.Limits.CheckAck(p.Node, &p.Ack):
			v.stored = append(v.stored, *p)
		default:
			v.invalid = append(v.invalid, p.Node)
		}
	}
	if len(v.stored) < enough(scheme) {
		return v, fmt.Errorf("%w: %d of the %d that %s needs", metainfo.ErrAcks, len(v.stored), enough(scheme), scheme)
	}
	return v, nil
}
