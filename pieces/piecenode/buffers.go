package piecenode

import (
	"fmt"
	"sync"

	"github.com/VictoriaMetrics/metrics"
	"github.com/zeebo/blake3"
)

const (
	// chunkSize is how much of a piece is read, hashed and written at a time: enough for the hash to use its widest
	// instructions and for one write to the store to be cheap.
	chunkSize = 128 << 10
	smallSize = 16 << 10
)

// buffers recycles chunks and hashers.
type buffers struct {
	chunks, small, hashers sync.Pool
}

func newBuffers() *buffers {
	b := &buffers{}
	b.chunks.New = func() any { return newBuffer(chunkSize) }
	b.small.New = func() any { return newBuffer(smallSize) }
	b.hashers.New = func() any { return blake3.New() }
	return b
}

func newBuffer(size int) *[]byte {
	buf := make([]byte, size)
	return &buf
}

func (b *buffers) get(want int64) *[]byte {
	if want <= smallSize {
		return b.small.Get().(*[]byte)
	}
	return b.chunks.Get().(*[]byte)
}

func (b *buffers) put(buf *[]byte) {
	if len(*buf) == smallSize {
		b.small.Put(buf)
		return
	}
	b.chunks.Put(buf)
}

type counters struct {
	set                                  *metrics.Set
	uploads, cancelledUploads, downloads *metrics.Counter
	bytesIn, bytesOut                    *metrics.Counter
	proofs, filters                      *metrics.Counter
}

func newCounters(set *metrics.Set) *counters {
	return &counters{
		set:              set,
		uploads:          set.GetOrCreateCounter("storj_node_uploads_total"),
		cancelledUploads: set.GetOrCreateCounter("storj_node_uploads_cancelled_total"),
		downloads:        set.GetOrCreateCounter("storj_node_downloads_total"),
		bytesIn:          set.GetOrCreateCounter("storj_node_received_bytes_total"),
		bytesOut:         set.GetOrCreateCounter("storj_node_sent_bytes_total"),
		proofs:           set.GetOrCreateCounter("storj_node_proofs_total"),
		filters:          set.GetOrCreateCounter("storj_node_filters_total"),
	}
}

func (c *counters) refused(cause string) {
	c.set.GetOrCreateCounter(fmt.Sprintf("storj_node_refused_total{cause=%q}", cause)).Inc()
}
