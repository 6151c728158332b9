package logstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"storj/netx"
	"storj/pieces"
)

// listChunk is how many entries are copied out of the index at a time, so that no transaction stays open for long.
const listChunk = 1000

// journal writes one mutation record durably and then runs apply with mu held.
func (d *dir) journal(k kind, satellite netx.NodeID, at uint32, items []item, apply func()) error {
	r := &request{
		hdr:   header{kind: k, size: uint32(len(items) * itemSize), created: int64(at), satellite: satellite},
		buf:   appendItems(make([]byte, headerSize, recordSize(int64(len(items)*itemSize), 0)), items),
		apply: func(location) { apply() },
	}
	r.sums = blockSums(r.buf[headerSize:])
	return d.append(class{journal: true}, r)
}

// step is one entry that a mutation changes.
type step struct {
	key      key
	old, now *entry // now nil: delete
}

// mutate changes the entries of the pieces for which next returns a new state; it returns how many. ok false leaves an
// entry alone, nil deletes it. Durable on return.
func (d *dir) mutate(k kind, satellite netx.NodeID, at uint32, ids []pieces.PieceID,
	next func(entry) (now *entry, ok bool)) (n int64, err error) {
	for chunk := range slices.Chunk(ids, maxItems) {
		if err := d.flushIfFull(); err != nil {
			return n, err
		}
		done, err := d.mutateChunk(k, satellite, at, chunk, next)
		n += done
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (d *dir) mutateChunk(k kind, satellite netx.NodeID, at uint32, ids []pieces.PieceID,
	next func(entry) (*entry, bool)) (int64, error) {
	d.mutMu.Lock()
	defer d.mutMu.Unlock()
	var steps []step
	var items []item
	seen := make(map[pieces.PieceID]bool, len(ids))
	for _, id := range ids {
		key := key{satellite, id}
		old, found, err := d.lookup(key)
		if err != nil {
			return 0, err
		}
		if !found || seen[id] {
			continue
		}
		if now, ok := next(old); ok {
			seen[id] = true
			steps = append(steps, step{key, &old, now})
			items = append(items, item{id, old.at})
		}
	}
	if len(steps) == 0 {
		return 0, nil
	}
	err := d.journal(k, satellite, at, items, func() {
		for _, s := range steps {
			d.apply(s.key, s.old, s.now)
		}
	})
	if err != nil {
		return 0, err
	}
	return int64(len(steps)), nil
}

// each runs fn for every directory that serves and adds up. A faulty directory is an error only when none serves: what
// it holds is out of reach, not gone.
func (s *Store) each(ctx context.Context, verb string, fn func(*dir) (int64, error)) (n int64, err error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.exit()
	serving := false
	var fault error
	for _, d := range s.list() {
		if err := s.stopped(ctx); err != nil {
			return n, err
		}
		if fault = errors.Join(fault, d.faulted()); d.faulted() != nil {
			continue
		}
		serving = true
		done, err := fn(d)
		n += done
		if err != nil {
			return n, fmt.Errorf("%s: %w", verb, err)
		}
	}
	if !serving {
		return 0, fmt.Errorf("%s: %w", verb, fault)
	}
	return n, nil
}

// Trash implements pieces.Store. A piece that is in the trash already keeps its date.
func (s *Store) Trash(ctx context.Context, satellite netx.NodeID, ids []pieces.PieceID, at time.Time) error {
	seconds := toSeconds(at)
	_, err := s.each(ctx, "trash pieces", func(d *dir) (int64, error) {
		return d.mutate(kindTrash, satellite, seconds, ids, func(e entry) (*entry, bool) {
			if e.trashed != 0 {
				return nil, false
			}
			e.trashed = seconds
			return &e, true
		})
	})
	return err
}

// Restore implements pieces.Store. One more error: ErrDisk when a directory is not served, after all others were seen to:
// what the satellite wants back may be in its trash, so it must ask again.
func (s *Store) Restore(ctx context.Context, satellite netx.NodeID, since time.Time) (int64, error) {
	from := toSeconds(since)
	n, err := s.each(ctx, "restore pieces", func(d *dir) (int64, error) {
		return d.overTrash(ctx, s, satellite, from, 1<<32-1, func(ids []pieces.PieceID) (int64, error) {
			return d.mutate(kindRestore, satellite, toSeconds(s.now()), ids, func(e entry) (*entry, bool) {
				ok := e.trashed != 0 && e.trashed >= from
				e.trashed = 0
				return &e, ok
			})
		})
	})
	for _, d := range s.list() {
		if fault := d.faulted(); err == nil && fault != nil {
			err = fmt.Errorf("restore pieces: %w", fault)
		}
	}
	return n, err
}

// EmptyTrash implements pieces.Store.
func (s *Store) EmptyTrash(ctx context.Context, satellite netx.NodeID, before time.Time) (int64, error) {
	end := toSeconds(before)
	return s.each(ctx, "empty trash", func(d *dir) (int64, error) {
		if end == 0 {
			return 0, nil
		}
		return d.overTrash(ctx, s, satellite, 0, end-1, func(ids []pieces.PieceID) (int64, error) {
			return d.mutate(kindDelete, satellite, toSeconds(s.now()), ids, func(e entry) (*entry, bool) {
				return nil, e.trashed != 0 && e.trashed < end
			})
		})
	})
}

// overTrash hands the pieces of a satellite that went to the trash from first to last, both included, to fn in chunks.
func (d *dir) overTrash(ctx context.Context, s *Store, satellite netx.NodeID, first, last uint32,
	fn func([]pieces.PieceID) (int64, error)) (n int64, err error) {
	from := trashKey(key{satellite: satellite}, first)
	prefix := satellite[:]
	return d.overKeys(ctx, s, d.names.trash, from, func(chunk [][]byte) (int64, bool, error) {
		var ids []pieces.PieceID
		end := false
		for _, k := range chunk {
			if end = !bytes.HasPrefix(k, prefix) || binary.BigEndian.Uint32(k[32:]) > last; end {
				break
			}
			ids = append(ids, pieces.PieceID(k[36:]))
		}
		n, err := fn(ids)
		return n, end, err
	})
}

// overKeys flushes and then hands the keys of a bucket to fn in chunks, until it says end.
func (d *dir) overKeys(ctx context.Context, s *Store, bucket, from []byte,
	fn func(keys [][]byte) (n int64, end bool, err error)) (n int64, err error) {
	if err := d.flush(); err != nil {
		return 0, err
	}
	for {
		if err := s.stopped(ctx); err != nil {
			return n, err
		}
		chunk, err := d.keyChunk(bucket, from)
		if err != nil || len(chunk) == 0 {
			return n, err
		}
		done, end, err := fn(chunk)
		n += done
		if err != nil || end {
			return n, err
		}
		from = append(chunk[len(chunk)-1], 0)
	}
}

func (d *dir) keyChunk(bucket, from []byte) (keys [][]byte, err error) {
	err = d.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, _ := c.Seek(from); k != nil && len(keys) < maxItems; k, _ = c.Next() {
			if len(k) != 68 {
				return fmt.Errorf("key of %d bytes in the index: %w", len(k), pieces.ErrCorrupt)
			}
			keys = append(keys, bytes.Clone(k))
		}
		return nil
	})
	return keys, err
}

// DeleteExpired implements pieces.Store.
func (s *Store) DeleteExpired(ctx context.Context, now time.Time) (int64, error) {
	return s.each(ctx, "delete expired pieces", func(d *dir) (int64, error) {
		n, err := d.overKeys(ctx, s, d.names.expiry, nil, func(chunk [][]byte) (int64, bool, error) {
			return d.deleteExpired(chunk, now)
		})
		if n > 0 && err == nil {
			err = d.flush() // unlinks the logs of the days that are over
		}
		return n, err
	})
}

// deleteExpired deletes the pieces of the expiry list that come before now, one satellite after the other.
func (d *dir) deleteExpired(chunk [][]byte, now time.Time) (n int64, end bool, err error) {
	expired := func(at uint32) bool { return fromSeconds(at).Before(now) }
	byOwner := map[netx.NodeID][]pieces.PieceID{}
	for _, k := range chunk {
		if end = !expired(binary.BigEndian.Uint32(k)); end {
			break
		}
		owner := netx.NodeID(k[4:36])
		byOwner[owner] = append(byOwner[owner], pieces.PieceID(k[36:]))
	}
	for owner, ids := range byOwner {
		done, err := d.mutate(kindDelete, owner, toSeconds(now), ids, func(e entry) (*entry, bool) {
			return nil, e.expires != 0 && expired(e.expires)
		})
		n += done
		if err != nil {
			return n, true, err
		}
	}
	return n, end, nil
}

// Pieces implements pieces.Store. fn runs outside every lock and transaction.
func (s *Store) Pieces(ctx context.Context, satellite netx.NodeID, fn func(pieces.Info) error) error {
	_, err := s.each(ctx, "list pieces", func(d *dir) (int64, error) {
		if err := d.flush(); err != nil {
			return 0, err
		}
		return 0, d.overEntries(satellite, listChunk, func(chunk []listed) error {
			if err := s.stopped(ctx); err != nil {
				return err
			}
			for _, l := range chunk {
				if err := fn(l.entry.info(l.key.piece)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return err
}

// listed is one entry of the index.
type listed struct {
	key   key
	entry entry
}

// overEntries hands the entries of a satellite to fn in chunks, as the index has them after the last flush.
func (d *dir) overEntries(satellite netx.NodeID, size int, fn func([]listed) error) error {
	var from []byte
	for {
		var chunk []listed
		err := d.view(func(tx *bbolt.Tx) error {
			b := tx.Bucket(d.names.pieces).Bucket(satellite[:])
			if b == nil {
				return nil
			}
			c := b.Cursor()
			for k, v := c.Seek(from); k != nil && len(chunk) < size; k, v = c.Next() {
				e, err := decodeEntry(v)
				if err != nil || len(k) != len(pieces.PieceID{}) {
					return fmt.Errorf("entry in the index: %w", pieces.ErrCorrupt)
				}
				chunk = append(chunk, listed{key{satellite, pieces.PieceID(k)}, e})
			}
			return nil
		})
		if err != nil || len(chunk) == 0 {
			return err
		}
		from = append(bytes.Clone(chunk[len(chunk)-1].key.piece[:]), 0) // first: fn may sort
		if err := fn(chunk); err != nil {
			return err
		}
	}
}
