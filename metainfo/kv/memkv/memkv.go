package memkv

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	"storj/metainfo/kv"
	"storj/metainfo/kv/ordered"
)

// Options of a store. The zero value is the usual one.
type Options struct {
	// RunTwice runs each function of Update twice, the first time for nothing.
	RunTwice bool
}

// Store is a kv.Store in memory.
type Store struct {
	opts    Options
	writer  chan struct{} // holds one token while somebody updates; capacity 1
	closed  chan struct{}
	close   sync.Once
	root    atomic.Pointer[snapshot]
	updates atomic.Uint64
	commits atomic.Uint64
}

// snapshot is an immutable state of the store.
type snapshot struct {
	rows ordered.Map[[]byte]
	size int64 // bytes of keys and values
}

var _ kv.Store = (*Store)(nil)

// New returns an empty store.
func New(opts Options) *Store {
	s := &Store{opts: opts, writer: make(chan struct{}, 1), closed: make(chan struct{})}
	s.root.Store(new(snapshot))
	return s
}

// View implements kv.Store.
func (s *Store) View(ctx context.Context, fn func(kv.Tx) error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	t := &tx{snapshot: *s.root.Load(), readOnly: true}
	defer t.end()
	return fn(t)
}

// Update implements kv.Store.
func (s *Store) Update(ctx context.Context, fn func(kv.Tx) error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	select {
	case s.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return kv.ErrClosed
	}
	defer func() { <-s.writer }()
	if s.opts.RunTwice {
		if _, err := s.run(fn); err != nil {
			return err
		}
	}
	next, err := s.run(fn)
	if err != nil {
		return err
	}
	s.root.Store(next)
	s.commits.Add(1)
	return nil
}

func (s *Store) run(fn func(kv.Tx) error) (*snapshot, error) {
	s.updates.Add(1)
	base := s.root.Load()
	t := &tx{snapshot: snapshot{rows: base.rows.Clone(), size: base.size}}
	defer t.end()
	if err := fn(t); err != nil {
		return nil, err
	}
	return &t.snapshot, nil
}

// Stats implements kv.Store.
func (s *Store) Stats() kv.Stats {
	return kv.Stats{SizeBytes: s.root.Load().size, Updates: s.updates.Load(), Commits: s.commits.Load()}
}

// Close implements kv.Store. The content is gone.
func (s *Store) Close() error {
	s.close.Do(func() {
		close(s.closed)
		s.writer <- struct{}{} // waits for the update that runs
		s.root.Store(new(snapshot))
	})
	return nil
}

func (s *Store) usable(ctx context.Context) error {
	select {
	case <-s.closed:
		return kv.ErrClosed
	default:
		return ctx.Err()
	}
}

// tx is a transaction on a snapshot; an update has its own clone of the rows.
type tx struct {
	snapshot
	readOnly bool
	done     bool
	written  int // bytes
}

func (t *tx) end() { t.done = true }

// Get implements kv.Tx.
func (t *tx) Get(key []byte) ([]byte, error) {
	if t.done {
		return nil, kv.ErrTxDone
	}
	value, ok := t.rows.Get(key)
	if !ok {
		return nil, kv.ErrNotFound
	}
	return value, nil
}

// Put implements kv.Tx.
func (t *tx) Put(key, value []byte) error {
	if err := t.writable(len(key) + len(value)); err != nil {
		return err
	}
	if err := kv.CheckPut(key, value); err != nil {
		return err
	}
	if old, ok := t.rows.Get(key); ok {
		t.size -= int64(len(key) + len(old))
	}
	t.size += int64(len(key) + len(value))
	t.rows.Set(bytes.Clone(key), append(make([]byte, 0, len(value)), value...))
	return nil
}

// Delete implements kv.Tx.
func (t *tx) Delete(key []byte) error {
	if err := t.writable(len(key)); err != nil {
		return err
	}
	if old, ok := t.rows.Get(key); ok {
		t.size -= int64(len(key) + len(old))
		t.rows.Delete(key)
	}
	return nil
}

func (t *tx) writable(size int) error {
	switch {
	case t.done:
		return kv.ErrTxDone
	case t.readOnly:
		return kv.ErrReadOnly
	}
	t.written += size
	if t.written > kv.MaxTxSize {
		return kv.ErrTooLarge
	}
	return nil
}

// Cursor implements kv.Tx.
func (t *tx) Cursor(r kv.Range) kv.Cursor { return &cursor{tx: t, r: r} }

type cursor struct {
	tx         *tx
	r          kv.Range
	key, value []byte
	started    bool
	err        error
}

// Next implements kv.Cursor.
func (c *cursor) Next() bool {
	switch {
	case !c.started && c.r.Reverse && c.r.End == nil:
		c.started = true
		return c.set(c.tx.rows.Last())
	case !c.started && c.r.Reverse:
		return c.seek(c.r.End, ordered.Below)
	case !c.started:
		return c.seek(c.r.Start, ordered.AtLeast)
	case c.key == nil:
		return false
	case c.r.Reverse:
		return c.seek(c.key, ordered.Below)
	}
	return c.seek(c.key, ordered.Above)
}

// Seek implements kv.Cursor.
func (c *cursor) Seek(key []byte) bool {
	switch {
	case !c.r.Reverse && bytes.Compare(key, c.r.Start) < 0:
		return c.seek(c.r.Start, ordered.AtLeast)
	case !c.r.Reverse:
		return c.seek(key, ordered.AtLeast)
	case c.r.End != nil && bytes.Compare(key, c.r.End) >= 0:
		return c.seek(c.r.End, ordered.Below)
	}
	return c.seek(key, ordered.AtMost)
}

func (c *cursor) seek(key []byte, bound ordered.Bound) bool {
	c.started = true
	return c.set(c.tx.rows.Seek(key, bound))
}

func (c *cursor) set(key, value []byte, ok bool) bool {
	c.key, c.value = nil, nil
	if c.tx.done {
		c.err = kv.ErrTxDone
		return false
	}
	if !ok || !c.r.Contains(key) {
		return false
	}
	c.key, c.value = key, value
	return true
}

func (c *cursor) Key() []byte   { return c.key }
func (c *cursor) Value() []byte { return c.value }
func (c *cursor) Err() error    { return c.err }
func (c *cursor) Close()        {}
