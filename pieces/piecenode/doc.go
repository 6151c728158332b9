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
// # What only a satellite may ask
//
// Proofs (pieces.MethodProve), garbage filters and the way back out of the trash answer to a peer whose own pieces they are
// about: its NodeID is that of a satellite that the node has joined. At most Options.MaxProofs proofs are cut at once, in
// memory of a few blocks each. Whether a proof proves anything is for the satellite to say.
//
// # Bandwidth
//
// Every chunk of an upload or download takes its turn at Options.Throttle before it moves; audits and what a satellite asks
// for do not. A cancelled upload costs the owner's month what arrived of it, an upload counts in the ledger when it is kept.
//
// # Concurrency
//
// Each operation runs on the goroutine of its stream; a download that its first order does not cover has a second one
// which reads orders and ends with it.
//
// # Why
//
// The table of used serial numbers lives in memory. After a restart replaying an upload meets ErrExists; of downloads the
// Ledger has the serials, and MarkUsed brings back those that have not expired, so that no honest uplink is refused and
// only what a crash took from the ledger, its last second, could be had twice.
package piecenode
