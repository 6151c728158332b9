package pieces

import "storj/netx"

// The sentinels of pieces: limits and orders.
var (
	// ErrMalformed is returned for bytes or numbers that make no sense.
	ErrMalformed = netx.Sentinel(netx.Invalid, 100, "malformed piece request")
	// ErrLimit is returned for an order limit that is not of this satellite for this node, piece, action or uplink.
	ErrLimit = netx.Sentinel(netx.Denied, 101, "order limit is not valid for this")
	// ErrLimitExpired is returned for a limit that is past its expiry or from another time altogether.
	ErrLimitExpired = netx.Sentinel(netx.Denied, 102, "order limit has expired (is the clock right?)")
	// ErrLimitUsed is returned for a limit whose serial number was seen before.
	ErrLimitUsed = netx.Sentinel(netx.Denied, 103, "order limit was used before")
	// ErrUntrusted is returned by a node for a satellite that it has not joined.
	ErrUntrusted = netx.Sentinel(netx.Denied, 104, "node does not serve this satellite")
	// ErrOrder is returned for an order that is not signed by the limit's uplink, shrinks, or is over its limit.
	ErrOrder = netx.Sentinel(netx.Denied, 105, "order is not valid")
	// ErrNotReady is returned by a node that has not yet had its keys from the satellite.
	ErrNotReady = netx.Sentinel(netx.Unavailable, 106, "node has not checked in with the satellite yet")
)

// The sentinels of pieces: bytes.
var (
	// ErrNotFound is returned for a piece that the store does not have.
	ErrNotFound = netx.Sentinel(netx.NotFound, 120, "piece not found")
	// ErrExists is returned for a piece that the store has already.
	ErrExists = netx.Sentinel(netx.Exists, 121, "piece exists already")
	// ErrCorrupt is returned for bytes that do not match their checksum or hash.
	ErrCorrupt = netx.Sentinel(netx.Corrupt, 122, "piece is damaged")
	// ErrHash is returned when uploaded bytes are not those that the uplink signed.
	ErrHash = netx.Sentinel(netx.Corrupt, 123, "uploaded bytes do not match their signed hash")
	// ErrRange is returned for a range outside the piece.
	ErrRange = netx.Sentinel(netx.Invalid, 124, "range outside the piece")
	// ErrNoSpace is returned when a piece does not fit the space that the node has left to give.
	ErrNoSpace = netx.Sentinel(netx.Exhausted, 125, "node has no space left")
	// ErrStoreClosed is returned by a store after Close, or after its disk went away.
	ErrStoreClosed = netx.Sentinel(netx.Unavailable, 126, "piece store is closed")
	// ErrDisk is returned when the disk failed; what was not acknowledged is not stored.
	ErrDisk = netx.Sentinel(netx.Unavailable, 127, "storage disk failed")
)

// The sentinels of pieces: segments.
var (
	// ErrTooFewPieces is returned when a segment cannot be rebuilt, or not be stored safely, with the nodes that answer.
	ErrTooFewPieces = netx.Sentinel(netx.Unavailable, 140, "too few storage nodes answered")
	// ErrStalled is the cause noted for a node that made no progress.
	ErrStalled = netx.Sentinel(netx.Unavailable, 141, "storage node stalled")
)

// The sentinels of pieces: nodes and their satellite.
var (
	// ErrToken is returned for a join token that is wrong, used up or expired.
	ErrToken = netx.Sentinel(netx.Denied, 160, "join token is wrong, used up or expired: ask the satellite's owner for a new one")
	// ErrNotJoined is returned when a node checks in that never joined.
	ErrNotJoined = netx.Sentinel(netx.Denied, 161, "this node has not joined the satellite: start it once with --join TOKEN")
	// ErrPingBack is returned when the satellite cannot reach the node at the address it gave.
	ErrPingBack = netx.Sentinel(netx.Unavailable, 162, "the satellite cannot reach this node at its address: check --address, port forwarding and firewall")
)

// Errors lists the sentinels of pieces.
func Errors() []*netx.Error {
	return []*netx.Error{
		ErrMalformed, ErrLimit, ErrLimitExpired, ErrLimitUsed, ErrUntrusted, ErrOrder, ErrNotReady,
		ErrNotFound, ErrExists, ErrCorrupt, ErrHash, ErrRange, ErrNoSpace, ErrStoreClosed, ErrDisk,
		ErrTooFewPieces, ErrStalled, ErrToken, ErrNotJoined, ErrPingBack,
	}
}
