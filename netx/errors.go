package netx

import (
	"context"
	"errors"
	"fmt"
)

// Code is the kind of an error, as it crosses the wire. The list is append-only.
type Code uint8

// The codes.
const (
	OK              Code = 0  // no error
	Invalid         Code = 1  // the request makes no sense, now or later
	Unauthenticated Code = 2  // who asks is not known
	Denied          Code = 3  // who asks may not
	NotFound        Code = 4  // what is asked for is not there
	Exists          Code = 5  // what is to be made is there already
	Exhausted       Code = 6  // a limit, quota or disk is used up
	Conflict        Code = 7  // somebody else was first; read again and decide
	Unavailable     Code = 8  // try again, here or elsewhere
	Corrupt         Code = 9  // bytes are not what they must be
	Internal        Code = 10 // a fault of the peer that answers
	Cancelled       Code = 11 // the work is not wanted any more
)

var codeNames = [...]string{
	"ok", "invalid", "unauthenticated", "denied", "not_found", "exists", "exhausted",
	"conflict", "unavailable", "corrupt", "internal", "cancelled",
}

// String returns the name used in logs and metrics.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code_%d", uint8(c))
}

// Reason tells sentinels of one Code apart on the wire. Each wing owns a range: netx 1-99, pieces 100-199, metainfo
// 200-399. Zero is no particular reason.
type Reason uint16

// Error is a sentinel that crosses the wire: errors.Is matches it by Code and Reason.
type Error struct {
	Code   Code
	Reason Reason
	text   string
}

// Sentinel makes an error value of a wing's error list.
func Sentinel(code Code, reason Reason, text string) *Error {
	return &Error{Code: code, Reason: reason, text: text}
}

// Error returns the sentence of the sentinel, or the kind where the other end sent an unknown reason.
func (e *Error) Error() string {
	if e.text != "" {
		return e.text
	}
	return "peer answered: " + e.Code.String()
}

// Is matches sentinels by Code and Reason.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code && other.Reason == e.Reason
}

// The sentinels of netx.
var (
	// ErrClosed is returned by everything on a closed transport, listener, connection or stream.
	ErrClosed = Sentinel(Unavailable, 1, "connection closed")
	// ErrTimeout is returned when a deadline passed or the peer fell silent.
	ErrTimeout = Sentinel(Unavailable, 2, "timed out")
	// ErrUnreachable is returned by Dial when no peer answered.
	ErrUnreachable = Sentinel(Unavailable, 3, "peer unreachable")
	// ErrRefused is returned by Dial when the peer takes no more connections now.
	ErrRefused = Sentinel(Unavailable, 4, "connection refused")
	// ErrIdentity is returned by Dial when another peer answered than the one that was meant.
	ErrIdentity = Sentinel(Denied, 5, "another peer answered at this address")
	// ErrMalformed is returned when a peer sent what is not the protocol.
	ErrMalformed = Sentinel(Invalid, 6, "malformed message")
	// ErrTooLarge is returned when a peer sent a header over its limit.
	ErrTooLarge = Sentinel(Invalid, 7, "message over its limit")
	// ErrUnknownMethod is returned for an operation that the peer does not serve.
	ErrUnknownMethod = Sentinel(Invalid, 8, "peer does not know this operation: is it the right kind and version of peer?")
	// ErrBusy is returned when a peer refuses an operation because it runs as many as it may.
	ErrBusy = Sentinel(Exhausted, 9, "peer busy")
)

// Errors lists the sentinels of netx.
func Errors() []*Error {
	return []*Error{
		ErrClosed, ErrTimeout, ErrUnreachable, ErrRefused, ErrIdentity, ErrMalformed, ErrTooLarge, ErrUnknownMethod, ErrBusy,
	}
}

// CodeOf returns the kind of err: that of the first sentinel inside it, Cancelled and Unavailable for the errors of a
// context, else Internal.
func CodeOf(err error) Code {
	code, _ := Classify(err)
	return code
}

// Classify returns what of err crosses the wire.
func Classify(err error) (Code, Reason) {
	var e *Error
	switch {
	case err == nil:
		return OK, 0
	case errors.As(err, &e):
		return e.Code, e.Reason
	case errors.Is(err, context.Canceled):
		return Cancelled, 0
	case errors.Is(err, context.DeadlineExceeded):
		return Unavailable, ErrTimeout.Reason
	}
	return Internal, 0
}

// FromWire returns the sentinel of the list that has this code and reason, else an Error of the same kind.
func FromWire(code Code, reason Reason, lists ...[]*Error) error {
	if code == OK {
		return nil
	}
	for _, list := range lists {
		for _, e := range list {
			if e.Code == code && e.Reason == reason && reason != 0 {
				return e
			}
		}
	}
	return &Error{Code: code, Reason: reason}
}
