package quicnet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/rs/zerolog"

	"storj/netx"
	"storj/netx/identity"
)

// connIDSize is the length of our connection IDs in bytes: long enough that those of before a restart never name a
// connection of after it, and get a stateless reset instead.
const connIDSize = 8

// Transport is a peer's socket. Its zero value is of no use; New makes one.
type Transport struct {
	log   zerolog.Logger
	opts  Options
	udp   *net.UDPConn
	qt    *quic.Transport
	count *counters

	server  *tls.Config
	clients [2]*tls.Config // by purpose
	dialing [2]*quic.Config

	gate    gate
	running sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	closed   bool
	listener *listener
	conns    map[*conn]struct{}
}

var _ netx.Transport = (*Transport)(nil)

// New opens the socket. Errors: those of the operating system, as when the port is taken.
func New(id *identity.Identity, opts Options) (*Transport, error) {
	opts = opts.withDefaults()
	udp, err := openSocket(opts.Address)
	if err != nil {
		return nil, fmt.Errorf("open udp socket %s: %w", opts.Address, err)
	}
	t := &Transport{
		log:     opts.Log.With().Str("svc", "quicnet").Logger(),
		opts:    opts,
		udp:     udp,
		count:   newCounters(opts.Metrics),
		server:  serverTLS(id),
		clients: [2]*tls.Config{netx.Control: clientTLS(id, netx.Control), netx.Data: clientTLS(id, netx.Data)},
		dialing: [2]*quic.Config{netx.Control: opts.quicConfig(opts.KeepAlive), netx.Data: opts.quicConfig(0)},
		conns:   make(map[*conn]struct{}),
	}
	t.gate = gate{opts: opts, count: t.count, byAddr: make(map[netip.Addr]int)}
	t.warnSmallBuffers()
	resetKey := quic.StatelessResetKey(id.Secret("quic stateless reset"))
	tokenKey := quic.TokenGeneratorKey(id.Secret("quic address tokens"))
	t.qt = &quic.Transport{
		Conn:                receiver(udp, opts.PlainReceive),
		ConnectionIDLength:  connIDSize,
		StatelessResetKey:   &resetKey,
		TokenGeneratorKey:   &tokenKey,
		ConnContext:         t.gate.admit,
		VerifySourceAddress: t.gate.busy,
	}
	return t, nil
}

// Address is the local host:port of the socket.
func (t *Transport) Address() string { return t.udp.LocalAddr().String() }

// Dial connects to peer. A name with both IPv4 and IPv6 addresses is tried with one of each.
func (t *Transport) Dial(ctx context.Context, peer netx.NodeURL, purpose netx.Purpose) (netx.Conn, error) {
	if int(purpose) >= len(t.clients) {
		purpose = netx.Control
	}
	addresses, err := t.resolve(ctx, peer.Address)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", peer, err)
	}
	for i, address := range addresses {
		shared, cancel := share(ctx, len(addresses)-i)
		conn, dialErr := t.dialOne(shared, address, peer.ID, purpose)
		cancel()
		if dialErr == nil {
			return conn, nil
		}
		err = dialErr
		if !errors.Is(err, netx.ErrUnreachable) {
			break // somebody answered: the other address is the same peer
		}
	}
	return nil, fmt.Errorf("dial %s: %w", peer, err)
}

// share returns a context with its part of the time that ctx leaves for so many.
func share(ctx context.Context, parts int) (context.Context, context.CancelFunc) {
	deadline, bounded := ctx.Deadline()
	if !bounded || parts == 1 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(parts))
}

func (t *Transport) dialOne(
	ctx context.Context, address *net.UDPAddr, peer netx.NodeID, purpose netx.Purpose,
) (netx.Conn, error) {
	qc, err := t.qt.Dial(ctx, address, pinned(t.clients[purpose], peer), t.dialing[purpose])
	if err != nil {
		err = dialError(err)
		t.count.dial(err)
		return nil, err
	}
	c := &conn{qc: qc, peer: peer}
	if !t.register(c) {
		_ = c.Close(netx.Cancelled) // best effort: the transport is closing
		return nil, netx.ErrClosed
	}
	t.count.dial(nil)
	return c, nil
}

// register keeps the connection for Close until it ends, and says whether the transport is still open.
func (t *Transport) register(c *conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.conns[c] = struct{}{}
	t.count.open.Inc()
	context.AfterFunc(c.qc.Context(), func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.conns, c)
		t.count.open.Dec()
	})
	return true
}

// Listen starts accepting on the socket. It may be called once.
func (t *Transport) Listen() (netx.Listener, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, netx.ErrClosed
	}
	if t.listener != nil {
		return nil, errors.New("quicnet: Listen called twice")
	}
	ql, err := t.qt.Listen(t.server, t.opts.quicConfig(0))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", t.Address(), err)
	}
	t.listener = newListener(t, ql)
	t.running.Go(t.listener.runAccept)
	return t.listener, nil
}

// Close tells every peer, ends everything and waits for it.
func (t *Transport) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		t.running.Wait()
		return nil
	}
	t.closed = true
	listener := t.listener
	conns := make([]*conn, 0, len(t.conns))
	for c := range t.conns {
		conns = append(conns, c)
	}
	t.mu.Unlock()
	if listener != nil {
		_ = listener.Close() // best effort: it may be closed already
	}
	var closing sync.WaitGroup
	for _, c := range conns {
		closing.Go(func() { _ = c.Close(netx.Unavailable) }) // best effort: it may have ended already
	}
	closing.Wait()
	err := t.qt.Close()
	t.running.Wait()
	return errors.Join(err, t.udp.Close())
}
