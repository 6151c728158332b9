package memnet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"storj/netx"
)

const (
	handshakeTimeout = 5 * time.Second  // of a dial that nobody answers
	silenceTimeout   = 60 * time.Second // after which a connection without delivery dies
	acceptQueue      = 256              // connections waiting for Accept
	maxStreams       = 256              // streams at once that each side of a connection may open
	windowSize       = 256 << 10        // bytes of a stream on their way, per direction
)

// Transport is one peer's door to a Network.
type Transport struct {
	network *Network
	host    *host
	done    chan struct{} // closed by Close

	// network.mu guards the fields below
	closed   bool
	listener *listener
}

var _ netx.Transport = (*Transport)(nil)

func newTransport(n *Network, h *host) *Transport {
	return &Transport{network: n, host: h, done: make(chan struct{})}
}

// Address is the peer's address on the network.
func (t *Transport) Address() string { return t.host.address }

// ID is the NodeID that the transport proves.
func (t *Transport) ID() netx.NodeID { return t.host.id }

// Dial connects to peer. It takes two latencies, or the handshake's timeout of 5 s when the peer is out of reach.
func (t *Transport) Dial(ctx context.Context, peer netx.NodeURL, _ netx.Purpose) (netx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := t.handshake(ctx, peer.Address); err != nil {
		return nil, fmt.Errorf("dial %s: %w", peer, err)
	}
	c, err := t.connect(peer)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", peer, err)
	}
	return c, nil
}

// handshake waits as long as one takes.
func (t *Transport) handshake(ctx context.Context, address string) error {
	n := t.network
	n.mu.Lock()
	to := n.byAddress[address]
	blocked := to != nil && n.blockedLocked(t.host, to)
	wait := 2 * n.latencyLocked()
	n.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return dialContext(err)
	}
	if !blocked && wait == 0 {
		return nil
	}
	var elapsed <-chan time.Time // never, when blocked
	if !blocked {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		elapsed = timer.C
	}
	select {
	case <-elapsed:
		return nil
	case <-ctx.Done():
		return dialContext(ctx.Err())
	case <-t.done:
		return netx.ErrClosed
	}
}

func dialContext(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: no answer", netx.ErrUnreachable)
	}
	return err
}

// connect makes the connection and puts the other end in the listener's queue.
func (t *Transport) connect(peer netx.NodeURL) (*conn, error) {
	n := t.network
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.byAddress[peer.Address]
	switch {
	case t.closed:
		return nil, netx.ErrClosed
	case t.host.killed || to == nil || to.killed || to.transport == nil || to.transport.listener == nil:
		return nil, fmt.Errorf("%w: nobody listens", netx.ErrUnreachable)
	case n.blockedLocked(t.host, to):
		return nil, fmt.Errorf("%w: no answer", netx.ErrUnreachable)
	case to.id != peer.ID:
		return nil, fmt.Errorf("%w: %s", netx.ErrIdentity, to.id)
	}
	l := newLink(n, t.host, to, n.latencyLocked())
	select {
	case to.transport.listener.queue <- l.ends[1]:
	default:
		return nil, netx.ErrRefused
	}
	n.links[l] = struct{}{}
	return l.ends[0], nil
}

// Listen starts accepting.
func (t *Transport) Listen() (netx.Listener, error) {
	t.network.mu.Lock()
	defer t.network.mu.Unlock()
	if t.closed {
		return nil, netx.ErrClosed
	}
	if t.listener != nil {
		return nil, errors.New("memnet: Listen called twice")
	}
	t.listener = &listener{transport: t, queue: make(chan *conn, acceptQueue), done: make(chan struct{})}
	return t.listener, nil
}

// Close ends the listener and every connection.
func (t *Transport) Close() error {
	n := t.network
	n.mu.Lock()
	if t.closed {
		n.mu.Unlock()
		return nil
	}
	t.closed = true
	t.host.transport = nil
	close(t.done)
	listener := t.listener
	t.listener = nil
	var own []*conn
	for l := range n.links {
		for _, c := range l.ends {
			if c.host == t.host {
				own = append(own, c)
			}
		}
	}
	n.mu.Unlock()
	for _, c := range own {
		_ = c.Close(netx.Unavailable) // best effort: it may have ended already
	}
	if listener != nil {
		return listener.Close()
	}
	return nil
}

// listener queues the accepting ends of connections.
type listener struct {
	transport *Transport
	queue     chan *conn // closed by nobody
	done      chan struct{}
	once      sync.Once
}

var _ netx.Listener = (*listener)(nil)

// Accept waits for the next connection.
func (l *listener) Accept(ctx context.Context) (netx.Conn, error) {
	select {
	case <-l.done:
		return nil, netx.ErrClosed
	default:
	}
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, netx.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close stops accepting and closes what nobody accepted.
func (l *listener) Close() error {
	l.once.Do(l.shut)
	return nil
}

func (l *listener) shut() {
	n := l.transport.network
	n.mu.Lock()
	if l.transport.listener == l {
		l.transport.listener = nil
	}
	close(l.done)
	n.mu.Unlock() // from here on, nothing is put in the queue
	for {
		select {
		case c := <-l.queue:
			_ = c.Close(netx.Unavailable) // best effort: nobody will use it
		default:
			return
		}
	}
}
