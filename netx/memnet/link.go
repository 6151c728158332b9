package memnet

import (
	"context"
	"fmt"
	"sync"
	"time"

	"storj/netx"
)

// link is a connection with its two ends.
type link struct {
	network *Network
	latency time.Duration // one way

	mu       sync.Mutex // guards the fields below and everything in conns and streams of this link
	ends     [2]*conn   // never changes
	blocked  bool       // nothing is delivered
	perWrite time.Duration
	silence  *time.Timer // runs while blocked
	streams  map[*pair]struct{}
}

// conn is one end of a link.
type conn struct {
	link *link
	host *host // where this end is
	peer *host

	accept chan *stream  // the capacity is what credit allows: sends never wait
	credit chan struct{} // one token for each stream that this end has open
	done   chan struct{}
	err    error // why done is closed; guarded by link.mu
	late   error // how the other end closed while the link was blocked; guarded by link.mu
}

var _ netx.Conn = (*conn)(nil)

// newLink is called under the network's mutex.
func newLink(n *Network, from, to *host, latency time.Duration) *link {
	l := &link{network: n, latency: latency, perWrite: from.perWrite + to.perWrite, streams: make(map[*pair]struct{})}
	l.ends = [2]*conn{newConn(l, from, to), newConn(l, to, from)}
	return l
}

func newConn(l *link, at, peer *host) *conn {
	return &conn{
		link: l, host: at, peer: peer,
		accept: make(chan *stream, maxStreams),
		credit: make(chan struct{}, maxStreams),
		done:   make(chan struct{}),
	}
}

func (c *conn) other() *conn {
	if c.link.ends[0] == c {
		return c.link.ends[1]
	}
	return c.link.ends[0]
}

// Peer is the NodeID of the other end.
func (c *conn) Peer() netx.NodeID { return c.peer.id }

// RemoteAddr is the address of the other end.
func (c *conn) RemoteAddr() string { return c.peer.address }

// Done is closed when this end has ended.
func (c *conn) Done() <-chan struct{} { return c.done }

// OpenStream waits for credit.
func (c *conn) OpenStream(ctx context.Context) (netx.Stream, error) {
	select {
	case <-c.done:
		return nil, c.failure()
	default:
	}
	select {
	case c.credit <- struct{}{}:
		return c.newPair()
	case <-c.done:
		return nil, c.failure()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *conn) newPair() (netx.Stream, error) {
	l := c.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	p := newPair(c)
	l.streams[p] = struct{}{}
	return &p.ends[0], nil
}

// AcceptStream waits for a stream that the peer has written to.
func (c *conn) AcceptStream(ctx context.Context) (netx.Stream, error) {
	select {
	case s := <-c.accept:
		return s, nil
	case <-c.done:
		return nil, c.failure()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *conn) failure() error {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	return c.err
}

// Close ends the connection here at once, and at the peer when it is told.
func (c *conn) Close(code netx.Code) error {
	l := c.link
	l.mu.Lock()
	if c.err == nil {
		l.endLocked(c, netx.ErrClosed)
		told := fmt.Errorf("%w by the peer: %s", netx.ErrClosed, code)
		if code == netx.Exhausted {
			told = fmt.Errorf("%w: %w", netx.ErrBusy, netx.ErrClosed)
		}
		if l.blocked {
			c.other().late = told
		} else {
			l.endLocked(c.other(), told)
		}
	}
	over := l.overLocked()
	l.mu.Unlock()
	if over {
		l.network.remove(l)
	}
	return nil
}

// cut ends both ends, as when the machine between them is gone.
func (l *link) cut(err error) {
	l.mu.Lock()
	l.endLocked(l.ends[0], err)
	l.endLocked(l.ends[1], err)
	l.overLocked()
	l.mu.Unlock()
	l.network.remove(l)
}

// endLocked ends one end and wakes everybody on it.
func (l *link) endLocked(c *conn, err error) {
	if c.err != nil {
		return
	}
	c.err = err
	close(c.done)
	for p := range l.streams {
		p.wakeLocked()
	}
}

// overLocked says whether both ends have ended, and then lets go of timers.
func (l *link) overLocked() bool {
	if l.ends[0].err == nil || l.ends[1].err == nil {
		return false
	}
	if l.silence != nil {
		l.silence.Stop()
	}
	for p := range l.streams {
		p.stopTimersLocked()
	}
	return true
}

// apply takes over the verbs of the network, which holds its own mutex.
func (l *link) apply(blocked bool, perWrite time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.perWrite = perWrite
	if l.blocked == blocked {
		return
	}
	l.blocked = blocked
	if blocked {
		l.silence = time.AfterFunc(silenceTimeout, func() { l.cut(netx.ErrTimeout) })
		return
	}
	l.silence.Stop()
	for _, c := range l.ends {
		if c.late != nil {
			l.endLocked(c, c.late)
		}
	}
	for p := range l.streams {
		p.wakeLocked()
	}
}

// after wakes those that wait on cond. It takes the mutex, since a waiter that has looked but not yet blocked would
// miss it.
func (l *link) after(wait time.Duration, cond *sync.Cond) *time.Timer {
	return time.AfterFunc(wait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		cond.Broadcast()
	})
}
