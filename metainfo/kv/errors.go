package kv

import (
	"errors"

	"storj/netx"
)

// The sentinels which tell a peer something have a code and a reason; kv has the reasons 380-399 of metainfo's range.
var (
	// ErrNotFound is returned by Get for a key that is not there.
	ErrNotFound = errors.New("key not found")
	// ErrReadOnly is returned by writes in a View.
	ErrReadOnly = errors.New("write in a read-only transaction")
	// ErrTxDone is returned by a Tx used after its function returned.
	ErrTxDone = errors.New("transaction used after its end")
	// ErrEmptyKey is returned when a key has no bytes.
	ErrEmptyKey = errors.New("empty key")
	// ErrTooLarge is returned for a key, a value or a transaction over its limit.
	ErrTooLarge = netx.Sentinel(netx.Invalid, 380, "key, value or transaction over its limit")
	// ErrFull is returned by Update when the disk, or the size that the store may have, is used up. Nothing is kept of
	// the transaction; the store goes on when space returns.
	ErrFull = netx.Sentinel(netx.Exhausted, 381, "no space left for metadata")
	// ErrBusy is returned by Update when too many others are waiting.
	ErrBusy = netx.Sentinel(netx.Exhausted, 382, "too many metadata writes are waiting")
	// ErrClosed is returned by everything on a closed store.
	ErrClosed = netx.Sentinel(netx.Unavailable, 383, "metadata store closed")
	// ErrUncertain is returned by Update when the write may or may not last; the store takes no more of them until it
	// is opened again.
	ErrUncertain = netx.Sentinel(netx.Internal, 384, "outcome of a metadata write is uncertain: the store must be opened again")
	// ErrCorrupt is returned for stored bytes that are not what was written.
	ErrCorrupt = netx.Sentinel(netx.Corrupt, 385, "stored metadata is corrupt")

	// ErrLocked is returned when another process holds the file.
	ErrLocked = errors.New("another process holds the file")
	// ErrNewer is returned when the store was written by a later version of this program.
	ErrNewer = errors.New("store was written by a later version")
	// ErrFormat is returned when the store holds something else.
	ErrFormat = errors.New("store holds something else")
)

// Errors lists the sentinels of kv that cross the wire.
func Errors() []*netx.Error {
	return []*netx.Error{ErrTooLarge, ErrFull, ErrBusy, ErrClosed, ErrUncertain, ErrCorrupt}
}
