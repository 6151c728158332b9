package uplink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"storj/ecenc/cipher"
	"storj/metainfo"
	"storj/metainfo/metaclient"
	"storj/netx"
	"storj/netx/identity"
	"storj/netx/quicnet"
	"storj/netx/rpc"
	"storj/pieces/segmentio"
	"storj/roles/uplink/internal/buffers"
)

// Project is an open access: its connections, caches and memory. All methods may be called concurrently. Close it when
// done.
type Project struct {
	access    *Access
	apiKey    []byte // of access, binary
	config    Config
	meta      metainfo.Service
	segments  *segmentio.Client
	pool      *rpc.Pool
	transport netx.Transport // to be closed; nil when it is the caller's
	stats     counters

	sizes   sizesCache
	buckets bucketCache
	uploads uploadCache

	mu      sync.Mutex // guards the fields below
	closed  bool
	open    map[uint64]handle
	next    uint64
	running sync.WaitGroup // operations; added to under mu
}

// Stats counts what a project moved, since it was opened.
type Stats struct {
	PieceBytesSent     int64 // to nodes, with the pieces that were cancelled
	PieceBytesReceived int64 // from nodes
	NodesAsked         int64 // piece downloads that were started
	SegmentsSent       int64
	SegmentsReceived   int64 // or parts of one, remote
}

type counters struct {
	sent, received, asked, segmentsSent, segmentsReceived atomic.Int64
}

// Open makes a project of an access. It connects to nobody yet: an access that the satellite does not accept shows at
// the first use. ctx bounds Open itself.
//
// Errors: ErrInvalid, ErrInternal when no UDP socket can be had.
func Open(ctx context.Context, config Config, access *Access) (*Project, error) {
	const op = "open project"
	if err := ctx.Err(); err != nil {
		return nil, wrap(op, err)
	}
	if access == nil {
		return nil, wrap(op, fmt.Errorf("%w: no access", ErrAccessInvalid))
	}
	config, err := config.withDefaults()
	if err != nil {
		return nil, wrap(op, err)
	}
	p := &Project{access: access, apiKey: access.apiKey.Bytes(), config: config, open: make(map[uint64]handle)}
	transport := netx.Transport(config.Transport)
	if config.Transport == nil {
		if transport, err = newTransport(); err != nil {
			return nil, wrap(op, err)
		}
		p.transport = transport
	}
	p.pool = rpc.NewPool(transport, rpc.PoolOptions{})
	p.segments = segmentio.New(p.pool, segmentio.Options{})
	p.meta = metaclient.New(p.pool, access.satellite)
	return p, nil
}

// newTransport makes a transport on any free UDP port, under an identity that nobody will see again.
func newTransport() (netx.Transport, error) {
	id, err := identity.Generate()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInternal, err)
	}
	transport, err := quicnet.New(id, quicnet.Options{Address: ":0"})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInternal, err)
	}
	return transport, nil
}

// Close ends every upload and download of the project, waits for them, and frees its connections. It may be repeated.
func (p *Project) Close() error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	open := slices.Collect(maps.Values(p.open))
	p.mu.Unlock()
	for _, h := range open {
		h.cancel(ErrClosed)
	}
	for _, h := range open {
		if h.close != nil {
			h.close()
		}
	}
	p.running.Wait()
	if !first {
		return nil
	}
	err := p.pool.Close()
	if p.transport != nil {
		err = errors.Join(err, p.transport.Close())
	}
	return wrap("close project", err)
}

// Stats returns what the project moved so far. Transfers that run are counted by whole segments.
func (p *Project) Stats() Stats {
	return Stats{
		PieceBytesSent:     p.stats.sent.Load(),
		PieceBytesReceived: p.stats.received.Load(),
		NodesAsked:         p.stats.asked.Load(),
		SegmentsSent:       p.stats.segmentsSent.Load(),
		SegmentsReceived:   p.stats.segmentsReceived.Load(),
	}
}

// handle is an operation or a transfer that Close ends.
type handle struct {
	cancel context.CancelCauseFunc
	close  func() // waits for what begin does not know of; may be nil
}

// attach makes a context that Close cancels, before it calls close. detach ends it.
func (p *Project) attach(ctx context.Context, close func()) (_ context.Context, detach func(error), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, ErrClosed
	}
	ctx, cancel := context.WithCancelCause(ctx)
	id := p.next
	p.next++
	p.open[id] = handle{cancel, close}
	return ctx, func(cause error) {
		cancel(cause)
		p.mu.Lock()
		delete(p.open, id)
		p.mu.Unlock()
	}, nil
}

// begin announces work that Close must wait for, until done is called. The work is to end soon after its context does.
func (p *Project) begin() (done func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	p.running.Add(1)
	return p.running.Done, nil
}

// do runs one operation on the satellite and gives its error the form of this package.
func (p *Project) do(ctx context.Context, op string, work func(ctx context.Context) error) error {
	done, err := p.begin()
	if err != nil {
		return wrap(op, err)
	}
	defer done()
	ctx, detach, err := p.attach(ctx, nil)
	if err != nil {
		return wrap(op, err)
	}
	defer detach(context.Canceled)
	return wrap(op, work(ctx))
}

func (p *Project) auth() metainfo.Auth { return metainfo.Auth{APIKey: p.apiKey} }

// standalone is the policy of a call that may be repeated and that somebody waits for.
func (p *Project) standalone() policy { return policy{callPatience, repeatable} }

// once is the policy of a call that must not be made twice.
func (p *Project) once() policy { return policy{callPatience, unheard} }

// opening is the policy of the call that begins an upload: a network without nodes is said at once.
func (p *Project) opening() policy {
	return policy{p.config.RetryTimeout, func(err error) bool {
		return repeatable(err) && !errors.Is(err, metainfo.ErrNotEnoughNodes)
	}}
}

// midway is the policy of a call in the middle of a transfer, which would be lost with it.
func (p *Project) midway() policy { return policy{p.config.RetryTimeout, repeatable} }

// sizes are what the satellite wants of segments.
type sizes struct {
	segment int64 // most plaintext, bytes
	inline  int64 // most ciphertext that is kept on the satellite, bytes
	buffers *buffers.Pool
}

// sizesCache asks once; a failure is not remembered.
type sizesCache struct {
	mu     sync.Mutex // guards loaded; not held over the call: two may ask at once, to the same end
	loaded *sizes
}

// segmentSizes returns the sizes, from the satellite at the first upload.
func (p *Project) segmentSizes(ctx context.Context) (*sizes, error) {
	p.sizes.mu.Lock()
	loaded := p.sizes.loaded
	p.sizes.mu.Unlock()
	if loaded != nil {
		return loaded, nil
	}
	info, err := call(ctx, p.standalone(), p.meta.ProjectInfo, &metainfo.ProjectInfoRequest{Auth: p.auth()})
	if err != nil {
		return nil, err
	}
	if info.SegmentSize < 1 || info.SegmentSize > metainfo.SegmentSize || info.InlineSize < 0 || info.InlineSize > metainfo.InlineSize {
		return nil, fmt.Errorf("%w: satellite wants segments of %d and inline of %d bytes", ErrInternal, info.SegmentSize, info.InlineSize)
	}
	p.sizes.mu.Lock()
	defer p.sizes.mu.Unlock()
	if p.sizes.loaded == nil {
		pool := buffers.New(int(cipher.EncryptedSize(info.SegmentSize)), p.config.SegmentsInMemory)
		p.sizes.loaded = &sizes{segment: info.SegmentSize, inline: info.InlineSize, buffers: pool}
	}
	return p.sizes.loaded, nil
}

// bucketTTL is how long what is known of a bucket is believed. Only the making of a bucket sets it, so it is wrong only
// when a bucket was deleted and made anew elsewhere.
const bucketTTL = 5 * time.Minute

// maxCachedBuckets bounds the cache; a project has at most metainfo.MaxBuckets.
const maxCachedBuckets = 2 * metainfo.MaxBuckets

// bucketCache remembers which buckets have plain names.
type bucketCache struct {
	mu    sync.Mutex // guards known
	known map[string]knownBucket
}

type knownBucket struct {
	plain bool
	at    time.Time
}

func (c *bucketCache) get(name string) (plain, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.known[name]
	return b.plain, ok && time.Since(b.at) < bucketTTL
}

func (c *bucketCache) put(name string, plain bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxCachedBuckets {
		c.known = make(map[string]knownBucket)
	}
	c.known[name] = knownBucket{plain, time.Now()}
}

func (c *bucketCache) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, name)
}
