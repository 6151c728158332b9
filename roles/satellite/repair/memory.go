package repair

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// memory bounds the bytes of pieces that all repairs hold together.
type memory struct {
	limit   int64
	weights *semaphore.Weighted
	buffers sync.Pool // *[]byte: pieces of one network are of few sizes
}

func newMemory(limit int64) *memory {
	return &memory{limit: limit, weights: semaphore.NewWeighted(limit)}
}

// loan is memory that one repair may use. It is used by one goroutine.
type loan struct {
	m       *memory
	granted int64
	taken   int64
	buffers []*[]byte
}

// borrow waits until some bytes are free. Who wants more than there is at all gets what there is, and works in parts.
func (m *memory) borrow(ctx context.Context, bytes int64) (*loan, error) {
	bytes = min(bytes, m.limit)
	if err := m.weights.Acquire(ctx, bytes); err != nil {
		return nil, err
	}
	return &loan{m: m, granted: bytes}, nil
}

// left is what was granted and not taken.
func (l *loan) left() int64 { return l.granted - l.taken }

// take returns a buffer, of arbitrary content, until free. A segment that is larger than the bound is taken all the same:
// a bound that leaves segments unrepaired would be none.
func (l *loan) take(bytes int64) []byte {
	l.taken += bytes
	buffer, _ := l.m.buffers.Get().(*[]byte)
	if buffer == nil || int64(cap(*buffer)) < bytes {
		fresh := make([]byte, bytes)
		buffer = &fresh
	}
	l.buffers = append(l.buffers, buffer)
	return (*buffer)[:bytes]
}

// free gives everything back. Nobody may use the buffers any more.
func (l *loan) free() {
	for _, buffer := range l.buffers {
		l.m.buffers.Put(buffer)
	}
	l.buffers = nil
	l.m.weights.Release(l.granted)
}
