package boltkv

// Group commit: one baton goes round among the goroutines that call Update.
//
//	caller:  takes the baton if nobody has it, else queues and waits for it
//	         runs its function on the batch's write set, on its own goroutine
//	         passes the baton to the first in the queue, and waits for the batch to end;
//	         with nobody waiting, or the batch full, ends it: writes, syncs, tells all members
//	         and passes the baton on, to begin the next batch
//
// While one batch is being synced the next ones queue, so that batches grow with the load and a lone caller never
// waits. mu is held over memory only. The batch itself needs no lock: it belongs to who holds the baton, until done
// is closed.
//
// A function that panics or ends its goroutine passes the baton on from a deferred call.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"storj/metainfo/kv"
	"storj/metainfo/kv/ordered"
)

const (
	maxWaiting    = 16 << 10     // Updates in the queue
	maxBatch      = 1024         // functions in a batch
	maxBatchBytes = kv.MaxTxSize // written by a batch before it is ended
	maxYields     = 4            // times that the end of a batch is put off to let runnable callers join
	slowYield     = 200 * time.Microsecond
	yieldPause    = 64 // batches that do not yield after a slow one
)

// batch is what will be one transaction on the file.
type batch struct {
	tx      *bolt.Tx // its pages stay as they were until the end
	bucket  *bolt.Bucket
	writes  ordered.Map[write]
	bytes   int
	members int
	tight   bool          // members must free more than they write
	err     error         // set before done is closed
	done    chan struct{} // closed when the batch has ended
}

// write is a value to put, or nil to delete.
type write struct{ value []byte }

type waiter struct {
	turn chan *batch // receives the batch to join, or nil to begin one; capacity 1
	last bool        // it is Close, and keeps the baton
}

// Update implements kv.Store.
func (s *Store) Update(ctx context.Context, fn func(kv.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.fullUntil.Load() > time.Now().UnixNano() {
		return kv.ErrFull
	}
	b, err := s.takeBaton(ctx)
	if err != nil {
		return err
	}
	if b == nil {
		if b, err = s.begin(); err != nil {
			s.passBaton()
			return err
		}
	}
	fnErr := s.join(b, fn)
	<-b.done
	if b.err != nil {
		return b.err // what fn saw may not exist, so neither does its own error
	}
	return fnErr
}

// join runs fn as a member of b and passes the baton, whatever fn does.
func (s *Store) join(b *batch, fn func(kv.Tx) error) error {
	t := &tx{bucket: b.bucket, writes: b.writes.Clone(), tight: b.tight}
	defer func() {
		t.done = true
		s.handOver(b)
	}()
	b.members++
	s.updates.Add(1)
	err := fn(t)
	if err == nil && t.tight && t.grown > 0 {
		err = kv.ErrFull
	}
	if err == nil {
		b.writes = t.writes
		b.bytes += t.bytes
	}
	return err
}

// takeBaton returns the batch to join, nil to begin one.
func (s *Store) takeBaton(ctx context.Context) (*batch, error) {
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return nil, kv.ErrClosed
	case s.broken != nil:
		s.mu.Unlock()
		return nil, s.broken
	case len(s.waiting) >= maxWaiting:
		s.mu.Unlock()
		return nil, kv.ErrBusy
	case !s.running:
		s.running = true
		s.mu.Unlock()
		return nil, nil
	}
	w := &waiter{turn: make(chan *batch, 1)}
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()

	select {
	case b := <-w.turn:
		return b, nil
	case <-ctx.Done():
	}
	if s.unqueue(w) {
		return nil, ctx.Err()
	}
	if b := <-w.turn; b != nil { // it came at the same moment
		s.handOver(b)
	} else {
		s.passBaton()
	}
	return nil, ctx.Err()
}

// unqueue takes w out of the queue and says whether it was there.
func (s *Store) unqueue(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiting {
		if other == w {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// begin starts a batch. The caller holds the baton.
func (s *Store) begin() (*batch, error) {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken != nil {
		return nil, broken
	}
	tx, err := s.db.Begin(true)
	if err != nil {
		return nil, translate(err)
	}
	return &batch{tx: tx, bucket: tx.Bucket(bucketName()), tight: s.tight(tx), done: make(chan struct{})}, nil
}

// handOver gives the baton to the next member of b, or ends b.
func (s *Store) handOver(b *batch) {
	if b.members < maxBatch && b.bytes < maxBatchBytes {
		if w := s.nextMember(); w != nil {
			w.turn <- b
			return
		}
	}
	b.err = s.commit(b)
	s.mu.Lock()
	s.last = b.members
	s.pause = max(s.pause-1, 0)
	s.mu.Unlock()
	close(b.done)
	s.passBaton()
}

// nextMember returns who joins the batch next, nil for nobody. After a batch of several it gives way a few times
// first: the others were told a moment ago and are about to call again. (Measured 2026-11, 64 clients: 62 functions a
// commit instead of 32.) Where the processors are busy giving way takes long, and is left out for a while.
func (s *Store) nextMember() *waiter {
	for range maxYields {
		s.mu.Lock()
		w := s.dequeue()
		yield := s.last > 1 && s.pause == 0
		s.mu.Unlock()
		if w != nil || !yield {
			return w
		}
		start := time.Now()
		runtime.Gosched()
		if time.Since(start) > slowYield {
			s.mu.Lock()
			s.pause = yieldPause
			s.mu.Unlock()
		}
	}
	return nil
}

// dequeue takes the first waiter, but not Close, which must have no batch. The caller holds mu.
func (s *Store) dequeue() *waiter {
	if len(s.waiting) == 0 || s.waiting[0].last {
		return nil
	}
	w := s.waiting[0]
	s.waiting[0] = nil
	s.waiting = s.waiting[1:]
	return w
}

// passBaton lets the next in the queue begin a batch.
func (s *Store) passBaton() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.running = false
		return
	}
	w := s.waiting[0]
	s.waiting = s.waiting[1:]
	w.turn <- nil // has room
}

// commit writes the batch to the file and waits for the disk.
func (s *Store) commit(b *batch) (err error) {
	if b.writes.Len() == 0 {
		return translate(b.tx.Rollback())
	}
	id := b.tx.ID()
	defer func() {
		if v := recover(); v != nil { // an assertion of bbolt
			err = s.breakDown(fmt.Errorf("commit: %v", v))
			_ = b.tx.Rollback() // so that Close finds the lock free
		}
	}()
	if err = apply(b); err != nil {
		_ = b.tx.Rollback() // the error that counts is err
	} else if err = b.tx.Commit(); err != nil && s.advanced(id) {
		return s.breakDown(err)
	}
	if err = translate(err); errors.Is(err, kv.ErrFull) {
		s.fullUntil.Store(time.Now().Add(fullPause).UnixNano())
	}
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	s.commits.Add(1)
	return nil
}

func apply(b *batch) error {
	for key, w, ok := b.writes.Seek(nil, ordered.AtLeast); ok; key, w, ok = b.writes.Seek(key, ordered.Above) {
		var err error
		if w.value == nil {
			err = b.bucket.Delete(key)
		} else {
			err = b.bucket.Put(key, w.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// advanced says whether the transaction is what a reader would see although its commit failed: then its last page
// was written and not synced, and writing on could overwrite what a crash falls back to.
func (s *Store) advanced(id int) bool {
	tx, err := s.db.Begin(false)
	if err != nil {
		return true
	}
	defer func() { _ = tx.Rollback() }() // read only
	return tx.ID() >= id
}

// breakDown stops all further writes.
func (s *Store) breakDown(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = fmt.Errorf("%w: %w", kv.ErrUncertain, cause)
	}
	return s.broken
}

// translate gives bbolt's and the system's errors the names of kv.
func translate(err error) error {
	var name error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, bolterrors.ErrMaxSizeReached):
		name = kv.ErrFull
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen), errors.Is(err, bolterrors.ErrTxClosed):
		name = kv.ErrClosed
	case errors.Is(err, bolterrors.ErrTimeout):
		return kv.ErrLocked
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch),
		errors.Is(err, bolterrors.ErrChecksum):
		name = kv.ErrCorrupt
	default:
		return err
	}
	return fmt.Errorf("%w: %w", name, err)
}
