package logstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"storj/pieces"
)

// A directory that was given up comes back without a restart: when its marker is there again and a small file can be
// written, what is left of it in memory is closed and it is opened anew, like at the start. Until then nothing of the old
// may touch its files: who held a log when it was given up has let go of it, or the return waits.

// probeName is a file that is written to see whether a disk takes any.
const probeName = "probe"

// reviveAll tries the directories that were given up, each when it is its turn.
func (s *Store) reviveAll(ctx context.Context) {
	if s.enter() != nil {
		return
	}
	defer s.exit()
	for _, d := range s.list() {
		d.mu.Lock()
		due := d.fault != nil && !d.moving && !d.now().Before(d.retryAt)
		d.mu.Unlock()
		if !due || s.stopped(ctx) != nil {
			continue
		}
		if err := s.revive(ctx, d); err != nil {
			s.log.Debug().Err(err).Str("dir", d.path).Msg("storage directory is not back yet")
			d.mu.Lock()
			d.retryLater()
			d.mu.Unlock()
		}
	}
}

// errHeld is returned while somebody still holds something of a directory.
var errHeld = errors.New("directory is still held")

// revive opens a directory that was given up anew and puts it in the place of the old.
func (s *Store) revive(ctx context.Context, d *dir) error {
	s.tendMu.Lock()
	defer s.tendMu.Unlock()
	if err := probe(d.fs, d.path, d.id); err != nil {
		return err
	}
	if err := s.letGo(d); err != nil {
		return err
	}
	now := newDir(Dir{Path: d.path, Capacity: d.capacity}, s.opts)
	now.wake = s.wake
	d.mu.Lock()
	now.retryWait = d.retryWait
	d.mu.Unlock()
	opts := s.opts
	opts.Setup = false
	if err := openDir(ctx, now, opts); err != nil {
		return errors.Join(err, now.close())
	}
	if d.id != (storeID{}) && now.id != d.id {
		return errors.Join(fmt.Errorf("store %s: %w", d.path, ErrMarker), now.close())
	}
	s.swap(d, now)
	s.log.Info().Str("dir", d.path).Msg("storage directory is back")
	return nil
}

// probe says whether a directory can be opened: the marker is there, of the store that it was if that is known, and the
// disk takes a file.
func probe(fsys FS, path string, id storeID) error {
	found, err := readMarker(fsys, path)
	if err != nil {
		return err
	}
	if id != (storeID{}) && found != id {
		return fmt.Errorf("store %s: %w: restart to take it as it is", path, ErrMarker)
	}
	name := filepath.Join(path, probeName)
	_ = fsys.Remove(name) // best effort: of a probe that was interrupted
	f, err := fsys.OpenFile(name, true)
	if err != nil {
		return diskErr("probe disk", err)
	}
	_, err = f.WriteAt([]byte("probe\n"), 0)
	if err = errors.Join(err, f.Sync(), f.Close(), fsys.Remove(name)); err != nil {
		return diskErr("probe disk", err)
	}
	return nil
}

// letGo cancels the writers of a directory that is given up and closes it. Errors: errHeld while somebody is in the middle
// of a write, a mutation or a flush.
func (s *Store) letGo(d *dir) error {
	for _, w := range s.openWriters() {
		if w.dir == d {
			_ = w.Cancel() // best effort: what it wrote is cut off by the next open
		}
	}
	if !d.tendMu.TryLock() {
		return errHeld
	}
	defer d.tendMu.Unlock()
	if !d.mutMu.TryLock() {
		return errHeld
	}
	defer d.mutMu.Unlock()
	if !d.flushMu.TryLock() {
		return errHeld
	}
	defer d.flushMu.Unlock()
	d.mu.Lock()
	busy := d.busy
	d.mu.Unlock()
	if busy > 0 {
		return errHeld
	}
	_ = d.close() // best effort: what it had is on the disk, or lost with it
	return nil
}

// Retry tries directories that were given up at once; it returns how many are still not served.
func (s *Store) Retry(ctx context.Context) (faulty int) {
	for _, d := range s.list() {
		d.mu.Lock()
		d.retryAt = d.now()
		d.mu.Unlock()
	}
	s.reviveAll(ctx)
	return len(s.list()) - len(s.serving())
}

// Drop takes a directory that was given up out of the store for good: its pieces answer ErrNotFound from then on. Errors:
// ErrNotFound for a path that is no directory of the store, ErrExists for one that is served.
func (s *Store) Drop(path string) error {
	s.tendMu.Lock()
	defer s.tendMu.Unlock()
	for _, d := range s.list() {
		if d.path != path {
			continue
		}
		if d.faulted() == nil {
			return fmt.Errorf("drop %s: %w: it is being served", path, pieces.ErrExists)
		}
		if len(s.list()) == 1 {
			return fmt.Errorf("drop %s: %w: it is the only one", path, pieces.ErrExists)
		}
		if err := s.letGo(d); err != nil {
			return fmt.Errorf("drop %s: %w", path, err)
		}
		s.swap(d, nil)
		return nil
	}
	return fmt.Errorf("drop %s: %w", path, pieces.ErrNotFound)
}
