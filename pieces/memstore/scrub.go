package memstore

import (
	"bytes"
	"context"
	"slices"

	"storj/netx"
	"storj/pieces"
)

var _ pieces.Scrubber = (*Store)(nil)

// place is where a piece stands in the order of a scrub: satellite, piece.
type place [64]byte

func placeOf(sat netx.NodeID, id pieces.PieceID) (p place) {
	copy(p[:], sat[:])
	copy(p[32:], id[:])
	return p
}

// Scrub implements pieces.Scrubber. A place is the last piece that was looked at; each step sorts all of them.
func (s *Store) Scrub(ctx context.Context, from []byte, budget int64) (step pieces.ScrubStep, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return step, err
	}
	var order []place
	for sat, sh := range s.satellites {
		for id := range sh.items {
			if p := placeOf(sat, id); bytes.Compare(p[:], from) > 0 {
				order = append(order, p)
			}
		}
	}
	slices.SortFunc(order, func(a, b place) int { return bytes.Compare(a[:], b[:]) })
	for i, p := range order {
		sat := netx.NodeID(p[:32])
		it := s.find(sat, pieces.PieceID(p[32:]))
		step.Pieces++
		step.Bytes += it.info.Size
		if it.damaged {
			step.Damaged = append(step.Damaged, pieces.DamagedPiece{Satellite: sat, Info: it.info})
		}
		if step.Bytes >= budget && i < len(order)-1 {
			step.Next = p[:]
			break
		}
	}
	return step, nil
}
