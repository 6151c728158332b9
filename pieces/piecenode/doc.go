// Package piecenode serves the piece protocol of a node: it checks limits and orders and moves bytes between streams
// and a pieces.Store.
//
//	node := piecenode.New(piecenode.Options{ID: id, Store: store, Keys: keyring})
//	node.Register(server)
//
// # What is checked before a byte moves
//
// The limit names this node, a satellite whose keys the node has, and the action; its authentication is right; it is
// neither expired nor made at another time than now, give or take pieces.MaxClockSkew, nor good for over a day; its
// serial number was not seen before; size or range fit it. Downloads also need orders signed by the limit's uplink key,
// each for a fair step. What fails is counted by cause.
//
// An operation that stands still, or is below half a KiB a second on the whole, is ended.
//
// # Concurrency
//
// Each operation runs on the goroutine of its stream; a download that its first order does not cover has a second one
// which reads orders and ends with it.
//
// # Why
//
// The table of used serial numbers lives in memory: replaying an upload meets ErrExists, replaying a download after a
// restart costs the node one piece of bandwidth within the hour that the limit lives.
package piecenode
