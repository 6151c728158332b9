// Package accounting counts what is moved and stored, for whom and by which node: settlement of orders, tallies of what
// lies at rest, and what was asked for. Nothing here decides; it is for bills, payouts and people.
//
//	acc := accounting.New(accounting.Options{DB: db, Satellite: id, Secret: secret, OpenTag: signer.OpenBucketTag, Log: log})
//	acc.Register(server)                                  // nodes settle
//	loop.Add("accounting", acc.NodeTally())               // bytes at rest, by node
//	group.Add("accounting", acc)                          // hourly tally of buckets, writing of counters
//	endpoint.New(endpoint.Options{Usage: acc, ...})       // tells what it hands out
//	report, err := acc.Usage(ctx, accounting.Query{From: first, To: next})
//
// # What a customer pays for
//
// Three numbers of each bucket and day: Asked, the bytes of objects that downloads were for; Settled, the bytes that
// nodes have shown signed orders for; Allocated, what the order limits allowed. Billed is the smaller of Asked and Settled,
// plus the inline bytes, which no node has to do with. So a customer pays neither for pieces that were asked for beside
// the needed ones to be fast (Settled is larger), nor for a download that was broken off (Asked is larger). What Settled
// is above Billed is shown apart, as Waste. Days are UTC, and those of the order limits.
//
// # Settlement
//
// A node hands in the orders of an hour in batches. An order counts once if its limit was made by this satellite for this
// node in that hour, with the node's key of that time and, since the node has that key too, a serial that orders.Issued
// knows, allows reading, and the uplink has signed no more than it allows. Each batch with such orders is a row with the
// serials that it counted, under the hash of its content: the same batch again is answered from it; orders that another batch of the hour has counted are accepted and not counted again. So batches may come
// twice, in any order, cut anew, before and after a restart. Hours older than MaxWindowAge are refused, and their rows
// deleted: memory and disk are bounded by 8 bytes an order for that long.
//
// # Tallies
//
// Each hour the objects of each bucket are added up and count for the time since the last tally; a pass of the loop does
// the same for nodes. Time in which the satellite did not run counts up to MaxGap. Sizes of buckets are those of
// ciphertext without the erasure code; sizes of nodes are those of pieces.
//
// # KEYS
//
// day is Unix time / 86400, hour is Unix time / 3600, both 4 bytes. Rows of days are kept for Retention.
//
//	z/accounting/b/ day(4) project(16) text(bucket)       bytes asked, settled, allocated, inline, uploaded; byte-, object-, segment-hours
//	z/accounting/n/ day(4) node(32)                       bytes settled by action, orders; byte-hours
//	z/accounting/s/ hour(4) node(32) content(16)          a batch: the answer, serials counted
//	z/accounting/t/ project(16) text(bucket)              the last tally
//	z/accounting/last                                     when buckets and nodes were tallied
//
// # Concurrency
//
// All methods may be called concurrently, but for those of the NodeTally, which are the loop's.
//
// # Why
//
// No row is written when a limit is made: limits carry their bucket, encrypted. Rows are of days and not of hours, since
// nobody asks for hours and the batches keep settlement exact without them. Amounts are int64 bytes and byte-hours, which
// hold a thousand petabytes for a year; nothing is a float.
package accounting
