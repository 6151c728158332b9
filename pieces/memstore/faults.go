package memstore

import (
	"context"
	"fmt"

	"storj/netx"
	"storj/pieces"
)

// Damage makes a piece answer ErrCorrupt, as a disk does that rots and is found out. It says whether the piece was
// there.
func (s *Store) Damage(satellite netx.NodeID, piece pieces.PieceID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.find(satellite, piece)
	if it != nil {
		it.damaged = true
	}
	return it != nil
}

// Alter flips the bits of the byte at offset without the store noticing, as a node does that lies. It says whether
// that byte was there.
func (s *Store) Alter(satellite netx.NodeID, piece pieces.PieceID, offset int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.find(satellite, piece)
	if it == nil || offset < 0 || offset >= int64(len(it.body)) {
		return false
	}
	body := append([]byte(nil), it.body...)
	body[offset] ^= 0xff
	it.body = body
	return true
}

// Lose forgets a piece at once. It says whether the piece was there.
func (s *Store) Lose(satellite netx.NodeID, piece pieces.PieceID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.find(satellite, piece)
	if it != nil {
		s.remove(satellite, s.satellites[satellite], piece, it)
	}
	return it != nil
}

// Check implements pieces.Store.
func (s *Store) Check(ctx context.Context) (report pieces.CheckReport, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return report, err
	}
	for sat, sh := range s.satellites {
		var found pieces.Usage
		for _, it := range sh.items {
			report.Pieces++
			report.Bytes += int64(len(it.body))
			if it.damaged || int64(len(it.body)) != it.info.Size {
				report.Damaged = append(report.Damaged, it.info)
			}
			found.Pieces++
			found.Bytes += it.info.Size
			if !it.info.Trashed.IsZero() {
				moveToTrash(&found, 1, it.info.Size)
			}
		}
		if found != sh.usage {
			fault := fmt.Sprintf("satellite %s: counted %+v, found %+v", sat.Short(), sh.usage, found)
			report.Faults = append(report.Faults, fault)
		}
	}
	return report, nil
}
