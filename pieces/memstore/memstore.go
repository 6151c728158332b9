package memstore

import (
	"context"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"storj/netx"
	"storj/pieces"
)

// Options of a Store; the zero value works.
type Options struct {
	Capacity int64            // bytes of content it takes; 0: no limit
	Now      func() time.Time // nil: time.Now
}

// Store keeps pieces in maps.
type Store struct {
	capacity int64
	now      func() time.Time

	mu         sync.Mutex // guards the fields below
	satellites map[netx.NodeID]*shelf
	stored     int64 // bytes, live and trash
	reserved   int64 // bytes announced by open writers
	closed     bool
}

var _ pieces.Store = (*Store)(nil)

// shelf holds the pieces of one satellite.
type shelf struct {
	items map[pieces.PieceID]*item
	usage pieces.Usage
}

// item is one piece. Its body is read without a lock and therefore never written.
type item struct {
	info    pieces.Info
	body    []byte
	proof   []byte
	damaged bool
}

// New returns an empty store.
func New(opts Options) *Store {
	if opts.Capacity == 0 {
		opts.Capacity = math.MaxInt64
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Store{capacity: opts.Capacity, now: opts.Now, satellites: map[netx.NodeID]*shelf{}}
}

// Create implements pieces.Store. Memory is taken as bytes arrive, not as they are announced.
func (s *Store) Create(ctx context.Context, opts pieces.CreateOptions) (pieces.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opts.Size < 0 || opts.Size > pieces.MaxPieceSize {
		return nil, fmt.Errorf("create piece of %d bytes: %w", opts.Size, pieces.ErrMalformed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, pieces.ErrStoreClosed
	case s.find(opts.Satellite, opts.Piece) != nil:
		return nil, fmt.Errorf("create piece %s: %w", opts.Piece, pieces.ErrExists)
	case opts.Size > s.capacity-s.stored-s.reserved:
		return nil, fmt.Errorf("create piece of %d bytes: %w", opts.Size, pieces.ErrNoSpace)
	}
	s.reserved += opts.Size
	return &writer{store: s, opts: opts}, nil
}

// find returns an item or nil. The caller holds mu.
func (s *Store) find(satellite netx.NodeID, piece pieces.PieceID) *item {
	sh := s.satellites[satellite]
	if sh == nil {
		return nil
	}
	return sh.items[piece]
}

// Open implements pieces.Store.
func (s *Store) Open(ctx context.Context, satellite netx.NodeID, piece pieces.PieceID) (pieces.Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, pieces.ErrStoreClosed
	}
	it := s.find(satellite, piece)
	switch {
	case it == nil:
		return nil, fmt.Errorf("open piece %s: %w", piece, pieces.ErrNotFound)
	case it.damaged:
		return nil, fmt.Errorf("open piece %s: %w", piece, pieces.ErrCorrupt)
	}
	return &reader{store: s, info: it.info, body: it.body, proof: it.proof}, nil
}

// Usage implements pieces.Store.
func (s *Store) Usage() map[netx.NodeID]pieces.Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[netx.NodeID]pieces.Usage, len(s.satellites))
	for id, sh := range s.satellites {
		all[id] = sh.usage
	}
	return all
}

// Space implements pieces.Store. Headers cost nothing here, so Used is content only.
func (s *Store) Space() pieces.Space {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := pieces.Space{Capacity: s.capacity, Free: max(0, s.capacity-s.stored-s.reserved)}
	for _, sh := range s.satellites {
		sp.Used += sh.usage.Bytes
		sp.Trash += sh.usage.TrashBytes
	}
	return sp
}

// Close implements pieces.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.satellites = map[netx.NodeID]*shelf{}
	return nil
}

// writer gathers one piece. Its own fields belong to the goroutine that uses it.
type writer struct {
	store *Store
	opts  pieces.CreateOptions
	body  []byte
	done  bool
}

// Write implements pieces.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.done || w.store.isClosed() {
		return 0, pieces.ErrStoreClosed
	}
	if int64(len(p)) > w.opts.Size-int64(len(w.body)) {
		return 0, fmt.Errorf("write past the announced %d bytes: %w", w.opts.Size, pieces.ErrMalformed)
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Commit implements pieces.Writer.
func (w *writer) Commit(ctx context.Context, proof []byte) error {
	if w.done {
		return pieces.ErrStoreClosed
	}
	w.done = true
	s := w.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved -= w.opts.Size
	switch {
	case s.closed:
		return pieces.ErrStoreClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case int64(len(w.body)) != w.opts.Size:
		return fmt.Errorf("commit %d bytes of announced %d: %w", len(w.body), w.opts.Size, pieces.ErrMalformed)
	case len(proof) > pieces.MaxProofSize:
		return fmt.Errorf("commit with a proof of %d bytes: %w", len(proof), pieces.ErrMalformed)
	case s.find(w.opts.Satellite, w.opts.Piece) != nil:
		return fmt.Errorf("commit piece %s: %w", w.opts.Piece, pieces.ErrExists)
	}
	sh := s.satellites[w.opts.Satellite]
	if sh == nil {
		sh = &shelf{items: map[pieces.PieceID]*item{}}
		s.satellites[w.opts.Satellite] = sh
	}
	sh.items[w.opts.Piece] = &item{
		info: pieces.Info{
			Piece: w.opts.Piece, Size: w.opts.Size,
			Created: s.now().UTC(), Expires: w.opts.Expires,
		},
		body:  w.body,
		proof: append([]byte(nil), proof...),
	}
	sh.usage.Pieces++
	sh.usage.Bytes += w.opts.Size
	s.stored += w.opts.Size
	return nil
}

// Cancel implements pieces.Writer.
func (w *writer) Cancel() error {
	if w.done {
		return nil
	}
	w.done, w.body = true, nil
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.reserved -= w.opts.Size
	return nil
}

// reader reads one piece.
type reader struct {
	store *Store
	info  pieces.Info
	body  []byte
	proof []byte
}

// Info implements pieces.Reader.
func (r *reader) Info() pieces.Info { return r.info }

// Proof implements pieces.Reader.
func (r *reader) Proof() ([]byte, error) { return append([]byte(nil), r.proof...), nil }

// Close implements pieces.Reader.
func (r *reader) Close() error { return nil }

// ReadAt implements pieces.Reader.
func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d: %w", off, pieces.ErrRange)
	}
	if r.store.isClosed() {
		return 0, pieces.ErrStoreClosed
	}
	if off >= int64(len(r.body)) {
		return 0, io.EOF
	}
	n := copy(p, r.body[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
