package memstore

import (
	"context"
	"time"

	"storj/netx"
	"storj/pieces"
)

// Trash implements pieces.Store. A piece that is in the trash already keeps its date.
func (s *Store) Trash(ctx context.Context, satellite netx.NodeID, ids []pieces.PieceID, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	for _, id := range ids {
		it := s.find(satellite, id)
		if it == nil || !it.info.Trashed.IsZero() {
			continue
		}
		it.info.Trashed = at.UTC()
		moveToTrash(&s.satellites[satellite].usage, 1, it.info.Size)
	}
	return nil
}

// moveToTrash moves count pieces of size bytes from live to trash; negative numbers move back.
func moveToTrash(u *pieces.Usage, count, size int64) {
	u.Pieces -= count
	u.Bytes -= size
	u.TrashPieces += count
	u.TrashBytes += size
}

// ready says whether the store serves. The caller holds mu.
func (s *Store) ready(ctx context.Context) error {
	if s.closed {
		return pieces.ErrStoreClosed
	}
	return ctx.Err()
}

// Restore implements pieces.Store.
func (s *Store) Restore(ctx context.Context, satellite netx.NodeID, since time.Time) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	sh := s.satellites[satellite]
	if sh == nil {
		return 0, nil
	}
	var n int64
	for _, it := range sh.items {
		if it.info.Trashed.IsZero() || it.info.Trashed.Before(since) {
			continue
		}
		it.info.Trashed = time.Time{}
		moveToTrash(&sh.usage, -1, -it.info.Size)
		n++
	}
	return n, nil
}

// EmptyTrash implements pieces.Store.
func (s *Store) EmptyTrash(ctx context.Context, satellite netx.NodeID, before time.Time) (int64, error) {
	return s.deleteIf(ctx, func(sat netx.NodeID, info pieces.Info) bool {
		return sat == satellite && !info.Trashed.IsZero() && info.Trashed.Before(before)
	})
}

// DeleteExpired implements pieces.Store.
func (s *Store) DeleteExpired(ctx context.Context, now time.Time) (int64, error) {
	return s.deleteIf(ctx, func(_ netx.NodeID, info pieces.Info) bool {
		return !info.Expires.IsZero() && info.Expires.Before(now)
	})
}

// deleteIf deletes what drop selects and returns how many that were.
func (s *Store) deleteIf(ctx context.Context, drop func(netx.NodeID, pieces.Info) bool) (n int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	for sat, sh := range s.satellites {
		for id, it := range sh.items {
			if drop(sat, it.info) {
				s.remove(sat, sh, id, it)
				n++
			}
		}
	}
	return n, nil
}

// remove forgets one piece, and its satellite with the last one. The caller holds mu.
func (s *Store) remove(sat netx.NodeID, sh *shelf, id pieces.PieceID, it *item) {
	if !it.info.Trashed.IsZero() {
		moveToTrash(&sh.usage, -1, -it.info.Size)
	}
	sh.usage.Pieces--
	sh.usage.Bytes -= it.info.Size
	s.stored -= it.info.Size
	delete(sh.items, id)
	if len(sh.items) == 0 {
		delete(s.satellites, sat)
	}
}

// Pieces implements pieces.Store. fn runs without a lock, on a copy of the list.
func (s *Store) Pieces(ctx context.Context, satellite netx.NodeID, fn func(pieces.Info) error) error {
	infos, err := s.list(ctx, satellite)
	if err != nil {
		return err
	}
	for _, info := range infos {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(info); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) list(ctx context.Context, satellite netx.NodeID) ([]pieces.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	sh := s.satellites[satellite]
	if sh == nil {
		return nil, nil
	}
	infos := make([]pieces.Info, 0, len(sh.items))
	for _, it := range sh.items {
		infos = append(infos, it.info)
	}
	return infos, nil
}
