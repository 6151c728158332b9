package logstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"storj/netx"
	"storj/pieces"
)

// Store keeps pieces in the logs of one or more directories.
type Store struct {
	dirs    atomic.Pointer[[]*dir] // replaced as a whole, by swap, when a directory comes back
	opts    Options                // with defaults
	now     func() time.Time
	log     zerolog.Logger
	compact float64
	noSync  bool
	wakeRun chan struct{} // capacity 1: something waits for a flush
	closing chan struct{} // closed when Close begins
	dirsMu  sync.Mutex    // one change of dirs at a time
	tendMu  sync.Mutex    // one directory at a time is brought back or dropped; outermost
	moveMu  sync.Mutex    // one move at a time; outermost

	mu      sync.Mutex // guards the fields below
	flights map[key]*flight
	writers map[*writer]struct{}
	closed  bool
	running int
	idle    chan struct{} // closed when closed is set and running is 0
	ended   chan struct{} // closed when Close has ended
}

var _ pieces.Store = (*Store)(nil)

// flight is the writers that are open for one piece.
type flight struct {
	mu sync.Mutex // held by the one that commits

	writers   int // Store.mu guards these
	contended bool
}

// Open opens the store in directories that Setup has made ready.
//
// What a crash left is mended: unfinished pieces are cut off, and the index learns what it missed from the logs, or
// everything if it is lost. After a Close it takes milliseconds. Errors: ErrNoMarker, ErrMarker, ErrLocked, those of
// the disk.
func Open(ctx context.Context, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	if len(opts.Dirs) == 0 {
		return nil, fmt.Errorf("open store without a directory: %w", pieces.ErrMalformed)
	}
	s := &Store{
		opts: opts, now: opts.Now, log: opts.Log, compact: opts.CompactBelow, noSync: opts.NoSync,
		wakeRun: make(chan struct{}, 1), closing: make(chan struct{}), idle: make(chan struct{}), ended: make(chan struct{}),
		flights: map[key]*flight{}, writers: map[*writer]struct{}{},
	}
	serving := 0
	dirs := make([]*dir, 0, len(opts.Dirs))
	for _, spec := range opts.Dirs {
		d := newDir(spec, opts)
		d.wake = s.wake
		dirs = append(dirs, d)
		s.setDirs(dirs)
		err := openDir(ctx, d, opts)
		switch {
		case err == nil:
			serving++
		case opts.AllowFaulty && ctx.Err() == nil:
			d.giveUp(err)
		default:
			return nil, errors.Join(err, s.Close())
		}
	}
	if serving == 0 {
		return nil, errors.Join(dirs[0].faulted(), s.Close())
	}
	return s, nil
}

// list returns the directories.
func (s *Store) list() []*dir { return *s.dirs.Load() }

func (s *Store) setDirs(dirs []*dir) { s.dirs.Store(&dirs) }

// swap puts one directory in the place of another, or takes it out with now nil.
func (s *Store) swap(old, now *dir) {
	s.dirsMu.Lock()
	defer s.dirsMu.Unlock()
	dirs := make([]*dir, 0, len(s.list()))
	for _, d := range s.list() {
		switch {
		case d != old:
			dirs = append(dirs, d)
		case now != nil:
			dirs = append(dirs, now)
		}
	}
	s.setDirs(dirs)
}

// openDir takes the lock of a directory and makes it ready.
func openDir(ctx context.Context, d *dir, opts Options) (err error) {
	if opts.Setup {
		if err := Setup(d.path); err != nil {
			return err
		}
	}
	if d.id, err = readMarker(d.fs, d.path); err != nil {
		return err
	}
	if d.lock, err = lockDir(ctx, d.path); err != nil {
		return fmt.Errorf("open store %s: %w", d.path, err)
	}
	total, free, err := d.fs.Usage(d.path)
	if err != nil {
		return diskErr("open store "+d.path, err)
	}
	d.diskFree = free
	switch {
	case opts.Reserve > 0:
		d.reserve = opts.Reserve
	case opts.Reserve == 0:
		d.reserve = min(maxReserve, total/reservePart)
	}
	if err := d.replay(ctx); err != nil {
		return fmt.Errorf("open store %s: %w", d.path, err)
	}
	return nil
}

// wake tells Run that something waits for a flush.
func (s *Store) wake() {
	select {
	case s.wakeRun <- struct{}{}:
	default: // it knows
	}
}

// enter begins a call; exit ends it. Close waits in between.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return pieces.ErrStoreClosed
	}
	s.running++
	return nil
}

func (s *Store) exit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	if s.closed && s.running == 0 {
		close(s.idle)
	}
}

// stopped says whether long work must end.
func (s *Store) stopped(ctx context.Context) error {
	select {
	case <-s.closing:
		return pieces.ErrStoreClosed
	default:
		return ctx.Err()
	}
}

// Create implements pieces.Store.
func (s *Store) Create(ctx context.Context, opts pieces.CreateOptions) (pieces.Writer, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.exit()
	w, err := s.create(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("create piece %s of %d bytes: %w", opts.Piece, opts.Size, err)
	}
	return w, nil
}

func (s *Store) create(ctx context.Context, opts pieces.CreateOptions) (*writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opts.Size < 0 || opts.Size > pieces.MaxPieceSize {
		return nil, pieces.ErrMalformed
	}
	w := &writer{
		store: s, key: key{opts.Satellite, opts.Piece}, reserved: maxRecordSize(opts.Size),
		hdr: header{
			kind: kindPiece, size: uint32(opts.Size), satellite: opts.Satellite, piece: opts.Piece,
			created: int64(toSeconds(s.now())), expires: int64(toSecondsUp(opts.Expires)),
		},
	}
	s.takeOff(w) // before the look at the index: who commits from now on sees this writer
	_, _, err := s.find(w.key)
	switch {
	case err == nil:
		err = pieces.ErrExists
	case errors.Is(err, pieces.ErrNotFound), errors.Is(err, pieces.ErrDisk):
		w.dir, err = s.place(w.reserved)
	}
	if err == nil {
		if err = w.dir.newWriter(ctx, w); err != nil {
			w.dir.unreserve(w.reserved)
		}
	}
	if err != nil {
		w.done = true
		s.landed(w)
		return nil, err
	}
	return w, nil
}

// takeOff enters a writer in the lists.
func (s *Store) takeOff(w *writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flights[w.key]
	if f == nil {
		f = &flight{}
		s.flights[w.key] = f
	}
	f.writers++
	f.contended = f.contended || f.writers > 1
	w.flight = f
	s.writers[w] = struct{}{}
}

// landed takes a writer off the lists.
func (s *Store) landed(w *writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.writers, w)
	w.flight.writers--
	if w.flight.writers == 0 {
		delete(s.flights, w.key)
	}
}

func (s *Store) contended(f *flight) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.contended
}

// place picks a directory for a record and reserves its space there: at random, by free space, so that several disks
// work at once and fill up together. Errors: ErrNoSpace, ErrDisk when no directory serves.
func (s *Store) place(bytes int64) (*dir, error) {
	var fault error
	serving := false
	open := make([]*dir, 0, len(s.list()))
	weights := make([]int64, 0, len(s.list()))
	var sum int64
	for _, d := range s.list() {
		err := d.writable()
		if err == nil {
			err = d.refreshSpace()
		}
		if err != nil {
			fault = errors.Join(fault, err)
			continue
		}
		serving = true
		d.mu.Lock()
		free := d.free()
		d.mu.Unlock()
		if free >= bytes {
			open, weights = append(open, d), append(weights, free>>10+1)
			sum += free>>10 + 1
		}
	}
	for len(open) > 0 {
		i, pick := 0, rand.Int64N(sum)
		for ; pick >= weights[i]; i++ {
			pick -= weights[i]
		}
		if open[i].reserveBytes(bytes) == nil {
			return open[i], nil
		}
		sum -= weights[i]
		open = append(open[:i], open[i+1:]...)
		weights = append(weights[:i], weights[i+1:]...)
	}
	if !serving {
		return nil, fault
	}
	return nil, pieces.ErrNoSpace
}

// find looks for a piece in all directories. Errors: ErrNotFound; ErrDisk when a directory that is not served may
// have it.
func (s *Store) find(k key) (*dir, entry, error) {
	var fault error
	for _, d := range s.list() {
		if err := d.faulted(); err != nil {
			fault = err
			continue
		}
		e, found, err := d.lookup(k)
		if err != nil && d.isRetired() {
			return nil, entry{}, errGone
		}
		if err != nil {
			return nil, entry{}, err
		}
		if found {
			return d, e, nil
		}
	}
	if fault != nil {
		return nil, entry{}, fault
	}
	return nil, entry{}, pieces.ErrNotFound
}

// Open implements pieces.Store. One more error: ErrDisk when a directory that is not served may have the piece.
func (s *Store) Open(ctx context.Context, satellite netx.NodeID, piece pieces.PieceID) (pieces.Reader, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.exit()
	r, err := s.open(ctx, key{satellite, piece})
	if err != nil {
		return nil, fmt.Errorf("open piece %s: %w", piece, err)
	}
	return r, nil
}

// open retries when the piece moved between the look at the index and the opening of the log.
func (s *Store) open(ctx context.Context, k key) (*reader, error) {
	for range 10 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d, e, err := s.find(k)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		r, err := d.openAt(s, k, e)
		if err == nil || !errors.Is(err, errGone) {
			return r, err
		}
	}
	return nil, fmt.Errorf("log of the piece is missing: %w", pieces.ErrCorrupt)
}

// Usage implements pieces.Store.
func (s *Store) Usage() map[netx.NodeID]pieces.Usage {
	all := map[netx.NodeID]pieces.Usage{}
	for _, d := range s.list() {
		d.mu.Lock()
		for satellite, u := range d.usage {
			sum := all[satellite]
			sum.Pieces += u.Pieces
			sum.Bytes += u.Bytes
			sum.TrashPieces += u.TrashPieces
			sum.TrashBytes += u.TrashBytes
			all[satellite] = sum
		}
		d.mu.Unlock()
	}
	return all
}

// Space implements pieces.Store. Garbage holds the journals too.
func (s *Store) Space() (sum pieces.Space) {
	for _, d := range s.list() {
		status, space := d.status()
		sum.Dirs = append(sum.Dirs, status)
		sum.Capacity += space.Capacity
		sum.Used += space.Used
		sum.Trash += space.Trash
		sum.Garbage += space.Garbage
		sum.Free += space.Free
	}
	return sum
}

// Close implements pieces.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.ended
		return nil
	}
	s.closed = true
	close(s.closing)
	if s.running == 0 {
		close(s.idle)
	}
	s.mu.Unlock()
	defer close(s.ended)
	<-s.idle
	var err error
	for _, w := range s.openWriters() {
		err = errors.Join(err, w.Cancel())
	}
	for _, d := range s.list() {
		err = errors.Join(err, d.close())
	}
	return err
}

func (s *Store) openWriters() []*writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := make([]*writer, 0, len(s.writers))
	for w := range s.writers {
		open = append(open, w)
	}
	return open
}

// close flushes and frees a directory. One that is half open it leaves as it was found, for the next replay.
func (d *dir) close() (err error) {
	d.mu.Lock()
	flush := d.whole && d.fault == nil && !d.retired
	d.mu.Unlock()
	if d.db != nil {
		if flush {
			err = d.flush()
		}
		err = errors.Join(err, d.db.Close())
	}
	d.mu.Lock()
	var files []File
	for _, l := range d.logs {
		if l.file != nil && !(d.retired && l.refs > 0) {
			files = append(files, l.file)
		}
	}
	d.mu.Unlock()
	for _, f := range files {
		if cerr := f.Close(); cerr != nil && !errors.Is(cerr, os.ErrClosed) {
			err = errors.Join(err, cerr)
		}
	}
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}
