package logstore

import (
	"sync"

	"storj/pieces"
)

// The sizes of pooled buffers in bytes: small records, a small piece at its largest, a batch.
const (
	tinyBuffer  = 8 << 10
	smallBuffer = smallPiece + 8<<10
	batchBuffer = batchBytes
)

// A small piece fits its buffer together with the largest record around it.
var _ [smallBuffer - (minRecord + smallPiece + crcSize*smallPiece/blockSize + pieces.MaxProofSize)]struct{}

// buffers are the pooled buffers of a store's hot paths.
type buffers struct{ tiny, small, batch sync.Pool }

func newBuffers() *buffers {
	b := &buffers{}
	for size, pool := range map[int]*sync.Pool{tinyBuffer: &b.tiny, smallBuffer: &b.small, batchBuffer: &b.batch} {
		pool.New = func() any {
			p := make([]byte, size)
			return &p
		}
	}
	return b
}

// get returns a buffer of at least size bytes. Give it back with put.
func (b *buffers) get(size int64) *[]byte {
	switch {
	case size <= tinyBuffer:
		return b.tiny.Get().(*[]byte)
	case size <= smallBuffer:
		return b.small.Get().(*[]byte)
	case size <= batchBuffer:
		return b.batch.Get().(*[]byte)
	}
	p := make([]byte, size)
	return &p
}

// put gives a buffer back; nobody may use it any more.
func (b *buffers) put(p *[]byte) {
	switch len(*p) {
	case tinyBuffer:
		b.tiny.Put(p)
	case smallBuffer:
		b.small.Put(p)
	case batchBuffer:
		b.batch.Put(p)
	}
}
