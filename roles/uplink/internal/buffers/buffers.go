// Package buffers lends memory for segments: small ones freely, large ones within a bound.
//
//	pool := buffers.New(64<<20, 16)
//	lease := pool.Lease()
//	buf, err := lease.Take(ctx, need)   // at least need bytes; waits for its turn when that is a large one
//	lease.Return()
//
// Sizes are 8 KiB times a power of eight, up to the pool's size, so that a segment which grows is copied a seventh part
// over. Those up to 4 MiB are small.
//
// # Concurrency
//
// Pool may be used concurrently; a Lease is for one goroutine at a time.
//
// # Why
//
// A buffer of the full size is kept for the next lease while anybody has one, so that a long upload allocates twice and
// not once a segment; without that, garbage of 64 MiB a piece doubles what the process needs. The last one is held
// weakly: the next upload finds it if it comes before the next garbage collection, and an idle process has none.
// A lease waits only once, so that leases cannot wait for each other in a circle.
package buffers

import (
	"context"
	"sync"
	"weak"
)

const (
	firstSize = 8 << 10
	lastSmall = 4 << 20
	growth    = 8
)

var _ [1]struct{} = [lastSmall%(firstSize*growth*growth*growth) + 1]struct{}{}

// Pool lends buffers.
type Pool struct {
	size  int // of a full buffer, bytes
	slots chan struct{}

	mu   sync.Mutex // guards the fields below
	free []*block   // no more than there are slots
	lent int
	last weak.Pointer[block] // when none is lent
}

// block is a full buffer.
type block struct{ buf []byte }

// New makes a pool of buffers of at most size bytes, with at most count large ones at once.
func New(size, count int) *Pool {
	return &Pool{size: size, slots: make(chan struct{}, count)}
}

// Size is that of a full buffer in bytes.
func (p *Pool) Size() int { return p.size }

// Large is how many large buffers are lent.
func (p *Pool) Large() int { return len(p.slots) }

// Lease is the memory of one segment.
type Lease struct {
	pool *Pool
	slot bool
	full *block
}

// Lease starts with no memory.
func (p *Pool) Lease() *Lease { return &Lease{pool: p} }

// Take returns an empty buffer of need bytes or more; need is at most the pool's size. What was taken before stays
// valid until Return. It waits only for the first large one, and then while there are too many.
//
// Errors: the cause of ctx.
func (l *Lease) Take(ctx context.Context, need int) ([]byte, error) {
	size := firstSize
	for size < need {
		size *= growth
	}
	if size > lastSmall && !l.slot {
		select {
		case l.pool.slots <- struct{}{}:
			l.slot = true
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if size < l.pool.size {
		return make([]byte, 0, size), nil
	}
	if l.full == nil {
		l.full = l.pool.take()
	}
	return l.full.buf, nil
}

// Return gives the memory back. It may be repeated.
func (l *Lease) Return() {
	if l.full != nil {
		l.pool.put(l.full)
		l.full = nil
	}
	if l.slot {
		l.slot = false
		<-l.pool.slots
	}
}

func (p *Pool) take() *block {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lent++
	if last := len(p.free) - 1; last >= 0 {
		b := p.free[last]
		p.free = p.free[:last]
		return b
	}
	if b := p.last.Value(); b != nil {
		p.last = weak.Pointer[block]{}
		return b
	}
	return &block{make([]byte, 0, p.size)}
}

func (p *Pool) put(b *block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lent--; p.lent > 0 {
		p.free = append(p.free, b)
		return
	}
	p.free, p.last = nil, weak.Make(b)
}
