package quicnet

import (
	"context"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"storj/netx"
	"storj/netx/identity"
)

// listener moves connections out of quic-go's queue of 32 into its own, which is longer.
type listener struct {
	transport *Transport
	ql        *quic.Listener
	queue     chan *conn    // closed by nobody; capacity is Options.AcceptQueue
	done      chan struct{} // closed by Close
	close     func() error
}

var _ netx.Listener = (*listener)(nil)

func newListener(t *Transport, ql *quic.Listener) *listener {
	l := &listener{transport: t, ql: ql, queue: make(chan *conn, t.opts.AcceptQueue), done: make(chan struct{})}
	l.close = sync.OnceValue(func() error {
		close(l.done)
		return ql.Close()
	})
	return l
}

// runAccept runs until the listener is closed, then closes what nobody accepted.
func (l *listener) runAccept() {
	for {
		qc, err := l.ql.Accept(never{})
		if err != nil {
			break
		}
		l.take(qc)
	}
	_ = l.close() // best effort: the transport failed under us, or Close was called
	for {
		select {
		case c := <-l.queue:
			_ = c.Close(netx.Unavailable) // best effort: nobody will use it
		default:
			return
		}
	}
}

func (l *listener) take(qc *quic.Conn) {
	t := l.transport
	t.gate.accepted(qc.Context())
	peer, err := identity.PeerID(qc.ConnectionState().TLS)
	if err != nil {
		_ = qc.CloseWithError(quic.ApplicationErrorCode(netx.Unauthenticated), "") // best effort: a stranger
		return
	}
	c := &conn{qc: qc, peer: peer}
	if !t.register(c) {
		_ = c.Close(netx.Unavailable) // best effort: the transport is closing
		return
	}
	select {
	case l.queue <- c:
		t.count.accepted.Inc()
	default:
		t.count.refusedQueue.Inc()
		_ = c.Close(netx.Exhausted) // best effort: the peer is being turned away
	}
}

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

// Close stops accepting. Connections that were accepted live on, those in the queue are closed.
func (l *listener) Close() error { return l.close() }

// never is the context of the accept loop, which ends with its listener.
type never struct{}

func (never) Deadline() (time.Time, bool) { return time.Time{}, false }
func (never) Done() <-chan struct{}       { return nil }
func (never) Err() error                  { return nil }
func (never) Value(any) any               { return nil }
