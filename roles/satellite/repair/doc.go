// Package repair keeps segments alive: it finds those that have lost pieces, and makes the pieces anew on other nodes.
//
//	svc, err := repair.New(ctx, repair.Options{DB: db, Nodes: nodes, Signer: signer, Pool: pool, Pick: pick, ...})
//	loop.Add("repair", svc.Checker())
//	svc.Register(server, id)                  // damage reports of nodes; the owner's methods
//	err = svc.Run(ctx)                        // works off the queue
//
// # The way of a segment
//
// A View is what is known of all nodes at one instant; each node has a Condition. The checker judges every segment of a
// pass under a view that was taken at its start: each piece has a Class, and what its healthy pieces are worth is the
// segment's Reason to be worked on, if any. Such segments are queued at once, in the order of Survival.Loss, the chance
// that they are lost before they are repaired. A worker judges again, under a view not older than a minute, and then
//
//   - reads exactly Required pieces, whole, each checked against the hash that its uploader signed; a node that sends
//     something else, or has nothing, is named to the reputation and not used;
//   - computes only the pieces that are missing, and stores them under a new number on a node in another domain, signed
//     with the segment's own upload key: an audit cannot tell them from those that the uplink stored;
//   - replaces the record's pieces if they are still those that it saw; what others changed meanwhile is kept, and an
//     object that was deleted stays deleted.
//
// Where the only reason is that nodes exit or must not have pieces, these are copied as they are. Where a segment has
// enough without them, they are just taken out of the record.
//
// # What counts
//
// Pieces of nodes that sleep count as healthy until LostAfter, so that a network of machines which are off at night is
// not rebuilt each morning; their pieces stay in the record after a repair, as far as there are numbers. But a segment
// with few pieces in reach (half way between Required and Repair) does not wait. A segment with fewer than Required
// pieces in reach is irreparable: it is kept as it is, counted, shown, and tried again when nodes come back.
//
// When more than half of the nodes are out of contact at once, it is likely the satellite's own line: for a day nobody is
// given up for silence, and while they come back, one by one, nothing is rebuilt from the first of them (hearing.go).
//
// # Rebalance
//
// A segment keeps the scheme that it was written with. In a network that has grown, the rebalance reads such segments
// and stores them anew, under another root, one at a time and within a budget of bytes. It is started by command, or
// always on by setting. Copies of a segment are rewritten one by one.
//
// # KEYS
//
//	z/repair/damage/ node(32) piece(32)    when it was reported
//	z/repair/lost/ node(32)                when a node was given up; deleted when it comes back
//	z/repair/exposure                      node-days observed, losses
//	z/repair/rebalance                     on, since, segments, bytes
//
// # Memory
//
// A repair holds Required pieces and those that it makes: 181 MiB for 64 MiB at 29/80. All together hold at most
// Options.Memory; who wants more works in parts. The pieces must be whole because their hash is that of the whole. Such a
// repair costs 1.4 times the CPU of moving the same bytes with piececlient (BenchmarkRepair64MiB, 29 read, 49 written).
//
// # Concurrency
//
// All methods of a Service may be called concurrently. One pass at a time rides its observers.
//
// # Why
//
// The queue is in memory and made anew by each pass: a queue in the database has to be kept true against deletions and
// other repairs, and what it holds is known two hours after a restart in any case. Repair reads k pieces where a
// download would, but trusts nothing that it reads: a wrong byte would be encoded into every new piece.
package repair
