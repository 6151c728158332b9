package quicnet

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/quic-go/quic-go"

	"storj/netx"
)

// dialError translates what a dial ended with.
func dialError(err error) error {
	if errors.Is(err, netx.ErrIdentity) || errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, quic.ErrTransportClosed) {
		return netx.ErrClosed
	}
	if e, ok := errors.AsType[*quic.TransportError](err); ok {
		if e.Remote && e.ErrorCode == quic.ConnectionRefused {
			return netx.ErrRefused
		}
		return fmt.Errorf("%w: %s", netx.ErrUnreachable, e.ErrorCode)
	}
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		return closedBy(e)
	}
	// Timeouts of the handshake and of ctx, and errors of the socket: nobody answered.
	return fmt.Errorf("%w: %v", netx.ErrUnreachable, err)
}

// connError translates what a connection ended with. Every result but ErrTimeout is an ErrClosed.
func connError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[*quic.IdleTimeoutError](err); ok {
		return netx.ErrTimeout
	}
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		return closedBy(e)
	}
	return fmt.Errorf("%w: %v", netx.ErrClosed, err)
}

// closedBy translates the close of a connection. That a peer has no room is worth telling apart.
func closedBy(e *quic.ApplicationError) error {
	switch {
	case !e.Remote:
		return netx.ErrClosed
	case codeOf(uint64(e.ErrorCode)) == netx.Exhausted:
		return fmt.Errorf("%w: %w", netx.ErrBusy, netx.ErrClosed)
	}
	return fmt.Errorf("%w by the peer: %s", netx.ErrClosed, codeOf(uint64(e.ErrorCode)))
}

// streamError translates what a read or write ended with; io.EOF is not its business.
func streamError(err error) error {
	if e, ok := errors.AsType[*quic.StreamError](err); ok {
		if !e.Remote {
			return fmt.Errorf("%w: stream cancelled", netx.ErrClosed)
		}
		return netx.FromWire(codeOf(uint64(e.ErrorCode)), 0)
	}
	if errors.Is(err, net.ErrClosed) { // every error which ends a connection wraps it
		return connError(err)
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return netx.ErrTimeout
	}
	return connError(err)
}

// codeOf reads a code from the wire. Zero in a reset is the reset of a peer that had no code to give.
func codeOf(wire uint64) netx.Code {
	if wire == 0 {
		return netx.Cancelled
	}
	if wire > 0xff {
		return netx.Internal
	}
	return netx.Code(wire)
}
