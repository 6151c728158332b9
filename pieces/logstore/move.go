package logstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"storj/pieces"
)

// A directory is moved while it is used. Logs are copied one by one, as far as they are committed: what is copied does not
// change any more, since nothing is compacted meanwhile. Then, for the seconds that it takes, nothing is written; what came
// since is copied, with the journals and the index. Then the marker changes hands:
//
//	1  the caller notes that the new directory takes the place of the old (Moving.Switch)
//	2  the old marker is renamed to storj-store.moved: nobody opens the old directory any more
//	3  the marker that the new directory was given at the start, storj-store.arriving, is renamed to storj-store
//
// Up to 2 the old directory counts, from then on the new one: FinishMove does 3 after a crash in between. A move that was
// interrupted before is asked for again and finds what was copied; a log that was being copied has the suffix .part.

const (
	arrivingName = markerName + ".arriving"
	movedName    = markerName + ".moved"
	partSuffix   = ".part"
	copyBytes    = 1 << 20
	// movePatience is how long uploads that have begun may take to end before a directory is switched.
	movePatience = 30 * time.Second
	movePoll     = 50 * time.Millisecond
)

// Moving is what a move calls; both may be nil.
type Moving struct {
	// Progress is told how much is copied of how much, in bytes.
	Progress func(copied, total int64)
	// Switch is called when all is copied, and must durably note that the new directory takes the place of the old if
	// FinishMove says so.
	Switch func() error
}

// mover is one move.
type mover struct {
	store  *Store
	dir    *dir
	to     string
	how    Moving
	copied int64
}

// Move moves what is in one directory of the store to another, which is made, or is one that an interrupted move left. The
// old one keeps its files, without a marker. Errors: ErrNotFound for a path that is no served directory of the store,
// ErrNotEmpty, ErrNoSpace.
func (s *Store) Move(ctx context.Context, from, to string, how Moving) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.exit()
	s.moveMu.Lock()
	defer s.moveMu.Unlock()
	i := slices.IndexFunc(s.list(), func(d *dir) bool { return d.path == from && d.faulted() == nil })
	if i < 0 || slices.ContainsFunc(s.list(), func(d *dir) bool { return d.path == to }) {
		return fmt.Errorf("move %s to %s: %w: not two different directories, the first in use", from, to, pieces.ErrNotFound)
	}
	m := &mover{store: s, dir: s.list()[i], to: to, how: how}
	if err := m.run(ctx); err != nil {
		return fmt.Errorf("move %s to %s: %w", from, to, err)
	}
	return nil
}

func (m *mover) run(ctx context.Context) error {
	if err := m.prepare(); err != nil {
		return err
	}
	d := m.dir
	d.tendMu.Lock() // waits for a compaction
	d.mu.Lock()
	d.moving = true
	d.mu.Unlock()
	d.tendMu.Unlock()
	defer func() {
		d.mu.Lock()
		d.moving, d.frozen = false, d.frozen && d.retired
		d.mu.Unlock()
	}()
	if err := m.checkSpace(); err != nil {
		return err
	}
	for pass := 0; pass < 2; pass++ { // the second finds what came during the first
		if err := m.copyLogs(ctx, false); err != nil {
			return err
		}
	}
	return m.change(ctx)
}

// prepare makes the new directory, or takes over what an interrupted move has left in it.
func (m *mover) prepare() error {
	if err := os.MkdirAll(m.to, 0o700); err != nil {
		return diskErr("make directory", err)
	}
	if _, err := readMarker(m.dir.fs, m.to); !errors.Is(err, ErrNoMarker) {
		return errors.Join(ErrNotEmpty, err)
	}
	arriving, err := m.dir.fs.ReadFile(filepath.Join(m.to, arrivingName))
	ours, readErr := m.dir.fs.ReadFile(filepath.Join(m.dir.path, markerName))
	switch {
	case readErr != nil:
		return diskErr("read marker", readErr)
	case err == nil && !bytes.Equal(arriving, ours):
		return fmt.Errorf("%w: of another move", ErrNotEmpty)
	case err == nil:
		return m.sweep()
	case !errors.Is(err, os.ErrNotExist):
		return diskErr("read marker", err)
	}
	if err := checkEmpty(m.to); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(m.to, logsName), 0o700); err != nil {
		return diskErr("make directory", err)
	}
	return diskErr("write marker", writeFileDurable(filepath.Join(m.to, arrivingName), ours))
}

// sweep removes what an interrupted move cannot build on: half copies, and journals, which may have been compacted since.
func (m *mover) sweep() error {
	files, err := m.dir.fs.List(filepath.Join(m.to, logsName))
	if err != nil {
		return diskErr("list logs", err)
	}
	for name := range files {
		l, ok := parseName(name)
		if ok && !l.class.journal {
			continue
		}
		if err := m.dir.fs.Remove(filepath.Join(m.to, logsName, name)); err != nil {
			return diskErr("remove half copy", err)
		}
	}
	return nil
}

// checkSpace compares what is to be copied with what the new disk has beyond the reserve.
func (m *mover) checkSpace() error {
	_, free, err := m.dir.fs.Usage(m.to)
	if err != nil {
		return diskErr("ask for free space", err)
	}
	there, err := m.dir.fs.List(filepath.Join(m.to, logsName))
	if err != nil {
		return diskErr("list logs", err)
	}
	need := m.total() + max(m.dir.reserve, 0)
	for _, size := range there {
		need -= size
	}
	if free < need {
		return fmt.Errorf("%w: %d bytes more are needed", pieces.ErrNoSpace, need-free)
	}
	return nil
}

func (m *mover) total() int64 {
	m.dir.mu.Lock()
	defer m.dir.mu.Unlock()
	return m.dir.committed
}

// copyLogs copies logs as far as they are committed now; journals only when nothing is written any more.
func (m *mover) copyLogs(ctx context.Context, journals bool) error {
	all, logs := (&checker{dir: m.dir}).snapshot()
	if journals {
		logs = append(logs, all...)
	}
	there, err := m.dir.fs.List(filepath.Join(m.to, logsName))
	if err != nil {
		return diskErr("list logs", err)
	}
	m.copied = 0
	for _, x := range logs {
		have := there[x.log.name()]
		if x.log.class.journal || have > x.end {
			have = 0
		}
		m.copied += have
		if have == x.end && x.end > 0 {
			continue
		}
		if err := m.copyLog(ctx, x, have); err != nil {
			return fmt.Errorf("copy log %s: %w", x.log.name(), err)
		}
	}
	if err := m.dir.fs.SyncDir(filepath.Join(m.to, logsName)); err != nil {
		return diskErr("sync directory", err)
	}
	return m.removeGone(there)
}

// removeGone removes copies of logs that were unlinked meanwhile.
func (m *mover) removeGone(there map[string]int64) error {
	known := map[string]bool{}
	m.dir.mu.Lock()
	for _, l := range m.dir.logs {
		known[l.name()] = true
	}
	m.dir.mu.Unlock()
	for name := range there {
		if known[name] {
			continue
		}
		if err := m.dir.fs.Remove(filepath.Join(m.to, logsName, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return diskErr("remove copy", err)
		}
	}
	return nil
}

// copyLog copies a log from have bytes on and reads the copy back.
func (m *mover) copyLog(ctx context.Context, x extent, have int64) error {
	from, err := m.dir.acquire(x.log)
	if errors.Is(err, errGone) {
		return nil
	}
	if errors.Is(err, pieces.ErrCorrupt) {
		return nil // it is missing: the copy misses it too, and its pieces are as damaged as before
	}
	if err != nil {
		return err
	}
	defer m.dir.release(x.log)
	path := filepath.Join(m.to, logsName, x.log.name())
	fs := m.dir.fs
	if have > 0 {
		err = fs.Rename(path, path+partSuffix)
	} else {
		_ = fs.Remove(path) // best effort: a journal of an earlier pass
		_ = fs.Remove(path + partSuffix)
	}
	if err != nil {
		return diskErr("rename", err)
	}
	to, err := fs.OpenFile(path+partSuffix, have == 0)
	if err != nil {
		return diskErr("create copy", err)
	}
	err = m.copyRange(ctx, from, to, have, x.end)
	if err = errors.Join(err, diskErr("close copy", to.Close())); err != nil {
		return err
	}
	return diskErr("rename", fs.Rename(path+partSuffix, path))
}

// copyRange copies, syncs, and compares checksums of what was read there and back. A log that is shorter than it should be,
// or cannot be read in places, is copied as far as it goes, with zeros for the rest: its pieces are damaged already.
func (m *mover) copyRange(ctx context.Context, from, to File, start, end int64) error {
	buf := make([]byte, copyBytes)
	var sums []uint32
	for pos := start; pos < end; {
		if err := m.store.stopped(ctx); err != nil {
			return err
		}
		p := buf[:min(int64(len(buf)), end-pos)]
		if n, err := from.ReadAt(p, pos); n < len(p) {
			if watchErr := m.dir.watch(); watchErr != nil {
				return watchErr
			}
			m.dir.log.Warn().Err(err).Int64("bytes", int64(len(p)-n)).Msg("part of a log could not be read and was not moved")
			clear(p[n:])
		}
		if _, err := to.WriteAt(p, pos); err != nil {
			return diskErr("write copy", err)
		}
		sums = append(sums, checksum(p))
		pos += int64(len(p))
		m.copied += int64(len(p))
		if m.how.Progress != nil {
			m.how.Progress(m.copied, m.total())
		}
	}
	if err := to.Sync(); err != nil {
		return diskErr("sync copy", err)
	}
	for pos := start; pos < end; {
		p := buf[:min(int64(len(buf)), end-pos)]
		if err := readFull(to, p, pos); err != nil {
			return err
		}
		if checksum(p) != sums[0] {
			return fmt.Errorf("the new disk gives back other bytes than were written: %w", pieces.ErrCorrupt)
		}
		sums = sums[1:]
		pos += int64(len(p))
	}
	return nil
}

// change stops writing, copies the rest and lets the new directory take the place of the old.
func (m *mover) change(ctx context.Context) error {
	d, s := m.dir, m.store
	d.mu.Lock()
	d.frozen = true
	d.mu.Unlock()
	if err := m.waitForWriters(ctx); err != nil {
		return err
	}
	d.mutMu.Lock()
	defer d.mutMu.Unlock()
	if err := d.flush(); err != nil {
		return err
	}
	d.flushMu.Lock()
	defer d.flushMu.Unlock()
	if err := m.copyLogs(ctx, true); err != nil {
		return err
	}
	if err := m.copyIndex(); err != nil {
		return err
	}
	if m.how.Switch != nil {
		if err := m.how.Switch(); err != nil {
			return err
		}
	}
	if err := d.fs.Rename(filepath.Join(d.path, markerName), filepath.Join(d.path, movedName)); err != nil {
		return diskErr("retire marker", err)
	}
	now := newDir(Dir{Path: m.to, Capacity: d.capacity}, s.opts)
	now.wake = s.wake
	err := d.fs.SyncDir(d.path)
	if err == nil {
		_, err = FinishMoveOn(d.fs, d.path, m.to)
	}
	if err == nil {
		opts := s.opts
		opts.Setup = false
		err = openDir(context.WithoutCancel(ctx), now, opts)
	}
	if err != nil { // the old one is no more, the new one not yet: it is tried again like a disk that was away
		now.giveUp(err)
	}
	s.swap(d, now)
	m.retire()
	s.log.Info().Str("dir", m.to).Msg("storage directory moved")
	return err
}

// retire closes the old directory; who reads a piece in it may go on.
func (m *mover) retire() {
	d := m.dir
	d.mu.Lock()
	d.retired = true
	for _, l := range d.logs {
		l.gone = l.gone || l.refs > 0 // whoever has it closes it
	}
	d.mu.Unlock()
	_ = d.close() // best effort: all is in the new one
}

// waitForWriters waits until nobody writes to the directory, and cancels who takes too long.
func (m *mover) waitForWriters(ctx context.Context) error {
	for deadline := time.Now().Add(movePatience); ; {
		open := slices.DeleteFunc(m.store.openWriters(), func(w *writer) bool { return w.dir != m.dir })
		m.dir.mu.Lock()
		busy := m.dir.busy
		m.dir.mu.Unlock()
		if len(open) == 0 && busy == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			for _, w := range open {
				_ = w.Cancel() // best effort: the next open cuts it off
			}
		}
		if err := m.store.pace(ctx, int64(movePoll), int64(time.Second)); err != nil {
			return err
		}
	}
}

// copyIndex copies the index in one transaction, to save the new directory a rebuild.
func (m *mover) copyIndex() (err error) {
	path := filepath.Join(m.to, indexName)
	f, err := os.OpenFile(path+partSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return diskErr("copy index", err)
	}
	err = m.dir.view(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(f)
		return err
	})
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+partSuffix, path)
	}
	if err == nil {
		err = m.dir.fs.SyncDir(m.to)
	}
	return diskErr("copy index", err)
}

// FinishMove says which of two directories counts after a move from one to the other that may have been interrupted, and
// finishes what is left to do. It must not be called while a store has either open. Errors: ErrNoMarker when neither is
// there.
func FinishMove(from, to string) (current string, err error) { return FinishMoveOn(osFS{}, from, to) }

// FinishMoveOn is FinishMove on a disk of tests.
func FinishMoveOn(fsys FS, from, to string) (current string, err error) {
	if _, err := readMarker(fsys, from); !errors.Is(err, ErrNoMarker) {
		return from, err
	}
	if _, err := readMarker(fsys, to); !errors.Is(err, ErrNoMarker) {
		return to, err
	}
	if _, err := fsys.ReadFile(filepath.Join(from, movedName)); err != nil {
		return to, fmt.Errorf("store %s, moved from %s: %w", to, from, ErrNoMarker)
	}
	if err := fsys.Rename(filepath.Join(to, arrivingName), filepath.Join(to, markerName)); err != nil {
		return to, diskErr("finish move", err)
	}
	return to, diskErr("finish move", fsys.SyncDir(to))
}
