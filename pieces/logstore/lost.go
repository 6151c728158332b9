package logstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"storj/netx"
	"storj/pieces"
)

// lostChunk is how many pieces are handed over at a time.
const lostChunk = 1000

// Lost hands the pieces of a directory that was given up to fn, as far as its index can still be read; fn must not keep
// the slice. Errors: fn's; ErrNotFound for a path that is no directory of the store, ErrExists for one that is served,
// ErrDisk when there is no index to read.
func (s *Store) Lost(ctx context.Context, path string, fn func(netx.NodeID, []pieces.PieceID) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.exit()
	s.tendMu.Lock() // nobody brings it back meanwhile
	defer s.tendMu.Unlock()
	for _, d := range s.list() {
		if d.path != path {
			continue
		}
		if d.faulted() == nil {
			return fmt.Errorf("list lost pieces of %s: %w: it is being served", path, pieces.ErrExists)
		}
		if err := d.eachLost(ctx, s, fn); err != nil {
			return fmt.Errorf("list lost pieces of %s: %w", path, err)
		}
		return nil
	}
	return fmt.Errorf("list lost pieces of %s: %w", path, pieces.ErrNotFound)
}

// eachLost reads the index, which is open unless the directory never was.
func (d *dir) eachLost(ctx context.Context, s *Store, fn func(netx.NodeID, []pieces.PieceID) error) error {
	r := d
	if d.db == nil {
		db, err := bbolt.Open(filepath.Join(d.path, indexName), 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
		if err != nil {
			return fmt.Errorf("open index: %w: %w", err, pieces.ErrDisk)
		}
		r = newDir(Dir{Path: d.path}, s.opts)
		r.db = db
		defer func() { _ = db.Close() }() // best effort: read only
	}
	owners, err := r.owners()
	for _, owner := range owners {
		if err != nil {
			return err
		}
		err = r.overEntries(owner, lostChunk, func(chunk []listed) error {
			if err := s.stopped(ctx); err != nil {
				return err
			}
			ids := make([]pieces.PieceID, len(chunk))
			for i, l := range chunk {
				ids[i] = l.key.piece
			}
			return fn(owner, ids)
		})
	}
	if errors.Is(err, pieces.ErrCorrupt) {
		return fmt.Errorf("%w: %w", err, pieces.ErrDisk)
	}
	return err
}
