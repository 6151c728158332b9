// Package orderlog keeps the orders of a node's downloads until their satellite has taken them.
//
//	log, err := orderlog.Open(orderlog.Options{Dir: dir, Used: node.MarkUsed})
//	log.Append(&limit, &signed, &order)         // at the end of each download
//	group.Add("orders", log)                    // syncs
//	for _, part := range log.Ready() {          // windows that are over
//		err := log.Batches(part, func(b Batch) error { ... send; the same again until it is answered ... })
//		err = log.Settled(part)
//	}
//
// A window is an hour, that in which the limit was made. Its orders are ready when every limit of it has expired, and a
// while for downloads that had begun. What comes later still makes another part of the window, with batch numbers that go
// on, so that a batch once sent never changes.
//
// # FORMAT
//
// Dir has a folder for each satellite, named by its ID, with files
//
//	HHHHHHHHHH-BBBBBBBB.open      a part of a window that may grow: hours since 1970, number of its first batch; decimal
//	HHHHHHHHHH-BBBBBBBB.sealed    one that does not grow any more, on its way to the satellite
//	HHHHHHHHHH-BBBBBBBB.settled   one that the satellite has taken; kept for a week to look at
//
// A file is records, numbers big endian:
//
//	OFFSET  SIZE  FIELD
//	0       4     size S of the body, 1 to 1024
//	4       4     CRC-32C of size and body
//	8       S     pieces.SettledOrder, package wire
//
// Batch i of a part is its records from i x pieces.MaxSettle on, at most that many. Version rule: a new format gets new file
// extensions. A torn tail is cut off when the file is opened; a damaged record ends the file, what is behind it is lost.
//
// # What a crash costs
//
// Records are written at once and synced within a second: kill -9 loses nothing that Append has returned from, a power cut
// at most the last second. Of downloads that were running, both lose the order.
//
// # Concurrency
//
// All methods may be called concurrently, but one goroutine at a time settles: Ready, Batches, Settled. Run is one goroutine.
//
// # Why
//
// Files are append-only, named by what the satellite asks for, and their state is their name: there is no index that could
// disagree. Sealing by renaming makes batches repeatable after a lost answer or a crash, which is what makes settling
// idempotent.
package orderlog
