package rpc

// The goroutines of a Pool: one per dial in progress, ended by its timeout or by Close, and a timer that closes idle
// connections while there are any. Close waits for all of them.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"storj/netx"
)

// Pool keeps one connection per peer and purpose, and makes calls on them.
type Pool struct {
	transport netx.Transport
	opts      PoolOptions
	count     *poolCounters
	scratch   scratch
	running   sync.WaitGroup

	mu       sync.Mutex // guards the fields below and those of every entry
	closed   bool
	entries  map[entryKey]*entry
	silences map[netx.NodeURL]silence
	sweeper  *time.Timer // set while it runs
}

type entryKey struct {
	id      netx.NodeID
	purpose netx.Purpose
}

// entry is a connection, or the dial for it. After ready is closed, conn and err never change.
type entry struct {
	key     entryKey
	ready   chan struct{}
	cancel  context.CancelFunc // ends the dial
	conn    netx.Conn
	err     error
	active  int       // streams, and calls that wait for the dial
	used    time.Time // when active last changed
	retired bool      // not in the map any more: closed when active is 0
}

// silence remembers a peer that did not answer.
type silence struct {
	until time.Time
	delay time.Duration
}

// maxSilences bounds the memory of peers that did not answer; above it, any one is forgotten.
const maxSilences = 4096

// Delays between attempts at a peer that refuses: its accept queue is full for a moment (quic-go holds 32, measured).
const (
	refusedDelayMin = 10 * time.Millisecond
	refusedDelayMax = 500 * time.Millisecond
)

// NewPool makes an empty pool. The transport stays the caller's, who closes it after the pool.
func NewPool(transport netx.Transport, opts PoolOptions) *Pool {
	opts = opts.withDefaults()
	return &Pool{
		transport: transport,
		opts:      opts,
		count:     newPoolCounters(opts.Metrics),
		entries:   make(map[entryKey]*entry),
		silences:  make(map[netx.NodeURL]silence),
	}
}

// Get returns the pooled connection to peer, dialing when there is none. Streams opened on it keep it from being closed
// as idle; its Close closes it for everybody.
//
// Errors: those of Transport.Dial; ErrUnreachable at once for a peer that lately did not answer; ErrBusy when all
// connections of the pool are in use; the context's.
func (p *Pool) Get(ctx context.Context, peer netx.NodeURL, purpose netx.Purpose) (netx.Conn, error) {
	e, _, err := p.acquire(ctx, peer, purpose)
	if err != nil {
		return nil, err
	}
	p.release(e)
	return &pooledConn{Conn: e.conn, pool: p, entry: e}, nil
}

// Forget drops what the pool remembers of a peer that did not answer, so that it is dialed again at once.
func (p *Pool) Forget(peer netx.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for url := range p.silences {
		if url.ID == peer {
			delete(p.silences, url)
		}
	}
}

// Close ends every dial and connection of the pool and waits for its goroutines.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	var conns []netx.Conn
	for _, e := range p.entries {
		e.cancel()
		if e.conn != nil {
			conns = append(conns, e.conn)
		}
	}
	clear(p.entries)
	if p.sweeper != nil && p.sweeper.Stop() {
		p.running.Done()
	}
	p.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close(netx.Cancelled) // best effort: it may have ended already
	}
	p.running.Wait()
	return nil
}

// acquire returns the entry of a living connection, counted as in use, and whether it had to be dialed.
func (p *Pool) acquire(ctx context.Context, peer netx.NodeURL, purpose netx.Purpose) (*entry, bool, error) {
	e, fresh, err := p.reserve(ctx, peer, purpose)
	if err != nil {
		return nil, false, fmt.Errorf("connect to %s: %w", peer, err)
	}
	if fresh {
		select {
		case <-e.ready:
		case <-ctx.Done():
			p.release(e)
			return nil, false, fmt.Errorf("connect to %s: %w", peer, ctx.Err())
		}
	}
	if e.err != nil {
		p.release(e)
		return nil, false, fmt.Errorf("connect to %s: %w", peer, e.err)
	}
	return e, fresh, nil
}

// reserve finds the entry or starts its dial, which outlives this caller: others may wait for it.
func (p *Pool) reserve(ctx context.Context, peer netx.NodeURL, purpose netx.Purpose) (e *entry, fresh bool, err error) {
	now := time.Now()
	key := entryKey{peer.ID, purpose}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false, netx.ErrClosed
	}
	if e := p.entries[key]; e != nil {
		if !e.dead() {
			e.active++
			e.used = now
			return e, e.conn == nil, nil
		}
		p.removeLocked(e)
	}
	if now.Before(p.silences[peer].until) {
		p.count.silenced.Inc()
		return nil, false, fmt.Errorf("%w: it did not answer a moment ago", netx.ErrUnreachable)
	}
	if len(p.entries) >= p.opts.MaxConns && !p.evictLocked() {
		return nil, false, fmt.Errorf("%w: all %d connections in use", netx.ErrBusy, p.opts.MaxConns)
	}
	dialCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.opts.DialTimeout)
	e = &entry{key: key, ready: make(chan struct{}), cancel: cancel, active: 1, used: now}
	p.entries[key] = e
	p.running.Go(func() { p.runDial(dialCtx, e, peer) })
	return e, true, nil
}

// dead says whether the connection has ended. A dial in progress is alive; a failed one is not in the map.
func (e *entry) dead() bool {
	if e.conn == nil {
		return false
	}
	select {
	case <-e.conn.Done():
		return true
	default:
		return false
	}
}

func (p *Pool) runDial(ctx context.Context, e *entry, peer netx.NodeURL) {
	defer e.cancel()
	conn, err := p.dial(ctx, peer, e.key.purpose)
	p.mu.Lock()
	if err == nil && p.closed {
		late := conn
		defer func() { _ = late.Close(netx.Cancelled) }() // best effort: nobody will use it
		conn, err = nil, netx.ErrClosed
	}
	e.conn, e.err = conn, err
	if err == nil {
		delete(p.silences, peer)
		p.startSweeperLocked()
	} else {
		if p.entries[e.key] == e {
			delete(p.entries, e.key)
		}
		if errors.Is(err, netx.ErrUnreachable) {
			p.silenceLocked(peer)
		}
	}
	p.mu.Unlock()
	p.count.dial(err)
	close(e.ready)
}

// dial tries until the peer takes the connection or ctx ends: a refusal is a full queue, and passes.
func (p *Pool) dial(ctx context.Context, peer netx.NodeURL, purpose netx.Purpose) (netx.Conn, error) {
	for delay := refusedDelayMin; ; delay = min(2*delay, refusedDelayMax) {
		conn, err := p.transport.Dial(ctx, peer, purpose)
		if !errors.Is(err, netx.ErrRefused) {
			return conn, err
		}
		timer := time.NewTimer(delay/2 + rand.N(delay))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
	}
}

func (p *Pool) silenceLocked(peer netx.NodeURL) {
	delay := min(max(2*p.silences[peer].delay, p.opts.SilenceMin), p.opts.SilenceMax)
	if len(p.silences) >= maxSilences {
		for other := range p.silences {
			delete(p.silences, other)
			break
		}
	}
	p.silences[peer] = silence{until: time.Now().Add(delay), delay: delay}
}

// release gives back what acquire counted.
func (p *Pool) release(e *entry) {
	p.mu.Lock()
	e.active--
	e.used = time.Now()
	conn := e.conn
	unused := e.retired && e.active == 0
	p.mu.Unlock()
	if unused && conn != nil {
		_ = conn.Close(netx.OK) // best effort: nobody uses it
	}
}

// retire stops handing out a connection that is suspect; it is closed after its last stream.
func (p *Pool) retire(e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.entries[e.key] == e {
		delete(p.entries, e.key)
		e.retired = true
		p.count.retired.Inc()
	}
}

// removeLocked takes a dead or unused connection out and closes it on another goroutine: closing may send.
func (p *Pool) removeLocked(e *entry) {
	delete(p.entries, e.key)
	e.retired = true
	p.running.Go(func() { _ = e.conn.Close(netx.OK) }) // best effort: nobody uses it
}

// evictLocked removes the connection that was unused for longest, and says whether there was one.
func (p *Pool) evictLocked() bool {
	var oldest *entry
	for _, e := range p.entries {
		if e.active == 0 && e.conn != nil && (oldest == nil || e.used.Before(oldest.used)) {
			oldest = e
		}
	}
	if oldest != nil {
		p.removeLocked(oldest)
	}
	return oldest != nil
}

func (p *Pool) startSweeperLocked() {
	if p.sweeper != nil {
		return
	}
	p.running.Add(1)
	p.sweeper = time.AfterFunc(p.opts.IdleTimeout/2, p.sweep)
}

// sweep closes idle connections and, while some are left, sets the timer again.
func (p *Pool) sweep() {
	defer p.running.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	limit := time.Now().Add(-p.opts.IdleTimeout)
	for _, e := range p.entries {
		if e.active == 0 && e.conn != nil && (e.dead() || !e.used.After(limit)) {
			p.removeLocked(e)
		}
	}
	p.sweeper = nil
	if len(p.entries) > 0 {
		p.startSweeperLocked()
	}
}
