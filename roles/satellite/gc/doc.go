// Package gc tells nodes which pieces to keep: after a complete pass over all segments each node is sent a Bloom filter
// of its pieces (package pieces/filter), and it trashes what is older and not in it.
//
//	filters := gc.New(gc.Options{DB: db, Nodes: directory, Pool: pool, Log: log})
//	err := filters.Load(ctx)
//	loop.Add("gc", filters)                        // rangedloop.Observer
//	group.Add("gc", filters)                       // sends what was sealed
//
// # Why no live piece is ever outside of a filter
//
// A piece is live while a segment row names it. Of a pass that began at T, the header's date is T less Skew (72 h): the
// node leaves younger pieces alone. A piece that is older was uploaded by a token that was good for MaxUploadAge (48 h),
// so the first row that named it was committed before T. From then on only copies bring it into other rows. When the
// filters are sealed, one snapshot of the database gives all segments of streams that were changed by a copy, or by a
// repair, since T (less Margin, for clocks and for transactions on their way): they are added. So a row that is there
// at that instant was either there during the whole pass, which has seen it, or is among those of the log; and a row
// that comes later has its pieces from one that was there at that instant.
//
// A filter is therefore as right a week later as it is at once. It holds while copies and repairs note themselves in the
// log within their transactions, and repair, when a node says that it has such a piece already, takes it only if it is
// much younger than Skew: an older one may be garbage of which a filter knows.
//
// # What stops a filter
//
//   - The loop's guards: rows that could not be read, a count of segments that cannot be.
//   - A piece on a node that the database does not know.
//   - The clock was set by more than an hour while the pass ran.
//   - Options.Hold: a restored database whose nodes have not revived their trash, a clock that jumped.
//   - A node has less than half the pieces that it had in the pass before, and had a thousand: it gets none until another
//     pass has seen the same.
//
// # Memory
//
// A filter has 9.6 bits a piece: 1.2 MB for a million pieces, at most pieces.MaxFilter (26 million). They are sized by
// the node's count in an earlier pass and a quarter more; the first pass of a database only counts. When the filters of
// all nodes take more than Options.MaxMemory, a pass makes those of some nodes and the next pass goes on. Sealed filters
// are kept until their node has taken them or MaxAge has passed, so the most is twice MaxMemory.
//
// # KEYS
//
//	z/gc/state                   when filters were made last, which node is next
//	z/gc/count/ alias(4)         how many pieces the node had
//	z/gc/node/  node(32)         the last filter: its size, when it was made, when the node took it
//
// # Concurrency
//
// The Observer's methods are called as package rangedloop says. Run, Status and RestoreTrash may be called beside them.
//
// # Why
//
// Deletes touch metadata only, so nodes learn of them by what is left. A filter that is sent whole needs no memory of
// what was told before, on either side: a lost one is replaced by the next.
package gc
