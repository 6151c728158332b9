package segmentio

import (
	"crypto/ed25519"
	"sync"
	"time"

	"storj/ecenc/erasure"
	"storj/netx/rpc"
)

// Options tunes a Client; the zero value works.
type Options struct {
	// MaxStreams bounds the large pieces (over largePiece) of one segment that are on their way at once; 24. Streams of
	// several segments add up. With 80 at once instead of 20, 29/80 cost 1.8 instead of 1.4 times the CPU of bare streams
	// and sent 2 % more (110 processes on 2 cores, 2026-11); 16 connections fill 100 Mbit/s with 0.5 % loss.
	MaxStreams int
	// Stall is the least time without progress after which a node is passed over; 750 ms. The measure is a multiple of
	// what its peers need, when that is more.
	Stall time.Duration
	// GiveUp is the time without any progress of a segment after which it fails; 15 s.
	GiveUp time.Duration
	// Window bounds the bytes of stripes that a download holds; 8 MiB, and never less than minWindowRows stripes.
	Window int64
}

func (o Options) withDefaults() Options {
	if o.MaxStreams == 0 {
		o.MaxStreams = 24
	}
	if o.Stall == 0 {
		o.Stall = 750 * time.Millisecond
	}
	if o.GiveUp == 0 {
		o.GiveUp = 15 * time.Second
	}
	if o.Window == 0 {
		o.Window = 8 << 20
	}
	return o
}

// largePiece is the size in bytes above which MaxStreams holds: of smaller ones, what counts is the round trip.
const largePiece = 256 << 10

// shared is what the segments of a Client have in common.
type shared struct {
	codes   erasure.Cache
	parity  buffers
	windows buffers
}

// buffers recycles buffers of about one size.
type buffers struct{ pool sync.Pool }

// New makes a Client. It starts nothing and needs no Close; pool stays the caller's.
func New(pool *rpc.Pool, opts Options) *Client {
	return &Client{pool: pool, opts: opts.withDefaults(), nodes: newMemory(), shared: &shared{}}
}

// pieceKey makes the private key of a segment's limits from its seed.
func pieceKey(seed [32]byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seed[:]) }

func (b *buffers) get(size int) *[]byte {
	if buf, ok := b.pool.Get().(*[]byte); ok && cap(*buf) >= size {
		*buf = (*buf)[:size]
		return buf
	}
	buf := make([]byte, size)
	return &buf
}

func (b *buffers) put(buf *[]byte) {
	if cap(*buf) >= minRecycled {
		b.pool.Put(buf)
	}
}

// minRecycled keeps the small buffers of small segments out of the pool, where they would push out large ones.
const minRecycled = 64 << 10
