package netx

import (
	"context"
	"io"
	"time"
)

// Purpose says what a connection is for, which decides its key agreement.
type Purpose uint8

const (
	// Control connections go to a satellite and carry API keys: hybrid post-quantum key agreement.
	Control Purpose = iota
	// Data connections go to nodes and carry ciphertext: X25519 only, half the CPU of a handshake (measured 2026-11:
	// 1.1 against 2.1 ms).
	Data
)

// Transport dials peers and listens for them.
//
// The NodeID of the other end is verified before Dial or Accept returns. Close unblocks every call on the transport,
// its listener, connections and streams, and waits for its goroutines. All methods may be called concurrently.
type Transport interface {
	// Dial connects to peer. Errors: ErrRefused when the peer answered that it will not, ErrIdentity when somebody
	// else answered, ErrUnreachable when nobody did before ctx ended or the handshake timed out.
	Dial(ctx context.Context, peer NodeURL, purpose Purpose) (Conn, error)
	// Listen starts accepting on the transport's own socket. It may be called once.
	Listen() (Listener, error)
	// Address is the local host:port of the socket.
	Address() string
	// Close ends everything.
	Close() error
}

// Listener hands out connections whose peer has proved its NodeID.
type Listener interface {
	// Accept waits for the next connection. Errors: ErrClosed after Close.
	Accept(ctx context.Context) (Conn, error)
	// Close stops accepting; connections that were accepted live on.
	Close() error
}

// Conn is a connection to one peer. All methods may be called concurrently.
type Conn interface {
	// Peer is the verified NodeID of the other end.
	Peer() NodeID
	// RemoteAddr is the host:port of the other end.
	RemoteAddr() string
	// OpenStream starts a stream; it waits while the peer allows no more. The peer sees it at the first write.
	OpenStream(ctx context.Context) (Stream, error)
	// AcceptStream waits for the next stream that the peer opened.
	AcceptStream(ctx context.Context) (Stream, error)
	// Done is closed when the connection has ended for whatever reason.
	Done() <-chan struct{}
	// Close ends the connection and all its streams, telling the peer why.
	Close(code Code) error
}

// Stream carries bytes both ways until each side has ended its own.
//
// A stream holds credit of the connection until both sides have read to io.EOF or cancelled: whoever is done must do
// one of the two (measured 2026-11: not doing so stalls the connection). Read and Write may run concurrently with each
// other; Cancel and SetDeadline with anything. Errors: the peer's Code after it cancelled (as *Error), ErrTimeout past
// the deadline, ErrClosed when the connection ended.
type Stream interface {
	io.Reader
	io.Writer
	// CloseWrite ends the writing side: the peer reads io.EOF after what was written.
	CloseWrite() error
	// Cancel aborts both directions, telling the peer why; a direction that CloseWrite has ended arrives all the same.
	// After a complete exchange it does nothing.
	Cancel(code Code)
	// SetDeadline bounds reads and writes; the zero time means none.
	SetDeadline(t time.Time) error
}
