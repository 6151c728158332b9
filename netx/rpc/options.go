package rpc

import (
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"storj/netx"
)

// Peer is who calls: the verified NodeID and where it calls from (host:port).
type Peer struct {
	ID         netx.NodeID
	RemoteAddr string
}

// Options bounds what strangers can make a Server do. A zero field is its default.
type Options struct {
	Metrics *metrics.Set // nil: counted, but shown nowhere

	MaxStreams        int // operations at once; 4096
	MaxStreamsPerPeer int // operations at once of one NodeID; 256, as many as QUIC gives one connection
	// MaxStreamsPerAddress bounds operations at once from one IP address (of IPv6: one /64), since NodeIDs cost nothing; 1024.
	MaxStreamsPerAddress int
	MaxConns             int // connections at once; 4096 (an idle one is ~55 KB, measured 2026-11)
	MaxConnsPerAddress   int // connections at once from one IP address or /64; 1024: many peers may share one
	// MaxBodies bounds the bytes of unary requests over 64 KiB that are held at once, since strangers can send those before
	// anybody asks who they are; 256 MiB. Smaller ones are always received.
	MaxBodies       int
	HeaderTimeout   time.Duration // from the opening of a stream to the end of its request head; 10 s
	TransferTimeout time.Duration // to receive a unary request, and to hand over its response; 30 s
}

func (o Options) withDefaults() Options {
	setDefault(&o.MaxStreams, 4096)
	setDefault(&o.MaxStreamsPerPeer, 256)
	setDefault(&o.MaxStreamsPerAddress, 1024)
	setDefault(&o.MaxConns, 4096)
	setDefault(&o.MaxConnsPerAddress, 1024)
	setDefault(&o.MaxBodies, 256<<20)
	setDefault(&o.HeaderTimeout, 10*time.Second)
	setDefault(&o.TransferTimeout, 30*time.Second)
	if o.Metrics == nil {
		o.Metrics = metrics.NewSet()
	}
	return o
}

// Limits bounds one unary method. A zero field is its default.
type Limits struct {
	MaxRequest int           // bytes of the request's message; 64 KiB
	Timeout    time.Duration // of the handler's context; 1 minute
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.MaxRequest, 64<<10)
	setDefault(&l.Timeout, time.Minute)
	return l
}

// PoolOptions tunes a Pool. A zero field is its default.
type PoolOptions struct {
	Metrics *metrics.Set // nil: counted, but shown nowhere

	MaxConns    int           // connections kept; 512. When all of them are in use, more are refused with ErrBusy
	IdleTimeout time.Duration // an unused connection is closed after it; 2 minutes
	DialTimeout time.Duration // all attempts of one dial together; 5 s
	CallTimeout time.Duration // of a call whose context has no deadline; 1 minute
	SilenceMin  time.Duration // how long a peer that did not answer is not dialed again; 2 s, doubling
	SilenceMax  time.Duration // the longest of it; 30 s
}

func (o PoolOptions) withDefaults() PoolOptions {
	setDefault(&o.MaxConns, 512)
	setDefault(&o.IdleTimeout, 2*time.Minute)
	setDefault(&o.DialTimeout, 5*time.Second)
	setDefault(&o.CallTimeout, time.Minute)
	setDefault(&o.SilenceMin, 2*time.Second)
	setDefault(&o.SilenceMax, 30*time.Second)
	if o.Metrics == nil {
		o.Metrics = metrics.NewSet()
	}
	return o
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// scratch lends buffers of scratchSize bytes.
type scratch struct{ pool sync.Pool }

func (s *scratch) get() *[]byte {
	if b, ok := s.pool.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, scratchSize)
	return &b
}

func (s *scratch) put(b *[]byte) { s.pool.Put(b) }
