// Package audit asks nodes, one at a time, to prove that they have what they took.
//
//	auditor, err := audit.Open(ctx, audit.Options{DB: db, Store: store, Book: book, Pool: pool, ...})
//	loop.Add("audit", auditor.Observer())         // every pass over the segments fills the queue
//	group.Add("audit", auditor)                   // works on it
//	list, err := auditor.Evidence(ctx, node, 20)  // why the node has the scores that it has
//
// # Which pieces
//
// In a pass each node gets a reservoir of 3 of its pieces (12 while it is watched), weighted by size: Efraimidis and
// Spirakis 2006, algorithm A-Res with exponential jumps, so that a piece costs a subtraction. How many of them are asked
// for follows from time, not from the number of passes or pieces: 12 a day (Options.PerDay), 4 times that until a node
// has passed 100, and up to 12 times while it is watched, which is for 50 audits after each failure. The queue is in
// random order of nodes, one piece each before the second of any, and is spread over the time until the next pass. It
// lives in memory: a pass makes another.
//
// # One audit
//
// The satellite asks for a random group of 32 KiB of the piece. The node answers with a Bao slice and with what it kept
// beside the piece: the limit by which it took it and the hash that the uplink signed. What must hold:
//
//	piece ID of limit and hash   root piece ID of the segment, derived for the node and number
//	signature of the hash        by the upload key that follows from the root
//	size                         the segment's, by its scheme
//	slice                        leads from the bytes asked for to the signed hash
//
// The satellite knows all of it without having seen the piece; nothing of it is stored for audits. What comes of it is a
// reputation.Verdict. The limit's MAC tells a proof of something else that this node was given, swapped or outdated, from
// one that nobody made, altered.
//
// # What can be told apart, and what cannot
//
// Lost and damaged are the node's own words. A node that answers with other bytes, another piece or an older one has
// proof against it. One that hangs is contained: the piece is downloaded whole, up to three times two hours apart, and
// counts as failed if that never succeeds. One that breaks the connection is asked twice, then counts as unknown. One whose
// disk is away says so; it is asked again like one that hangs, and then loses the piece without a failed audit.
//
// A node that does not keep a piece but fetches it from another node when asked cannot be told from one that keeps it by
// any proof of content. What bounds it: pieces of two nodes are different bytes, so it needs `required` others and
// their limits, which the satellite gives to customers only; and it takes time. An answer that takes longer than 2 s and
// 1 s for each 10 MB of piece is noted as slow in the evidence; it is not a failure.
//
// # What follows
//
// A failed piece is taken out of the segment, by compare-and-set on what was audited; repair finds the segment in its
// next pass. Never more than 6 pieces of a segment in one pass, nor one when only `required` are left: then the fault may
// be the satellite's. A verdict counts only if the segment still names the piece when the answer is there. A piece that
// was served from the trash counts as proved, and the node is asked, once a day at most, to take back all that it trashed
// for this satellite: what is garbage goes there again by itself.
//
// # KEYS
//
//	z/audit/e/ node(32) time(8, Unix ns)     verdict, piece, segment, what was asked and what came; 20 for each node
//	z/audit/p/ node(32) piece(32)            contained piece: segment, tries, when next
//
// # Concurrency
//
// The Observer belongs to the loop. All else may be called concurrently. Run starts Options.Workers goroutines and one
// for contained pieces, and waits for them.
//
// # Why
//
// The existing system downloads a share from every node of a segment and decodes to find the liar: 80 connections for one
// verdict, and no verdict when fewer than 29 answer. A proof costs one, needs no other node, and can be shown to the
// node's owner. Pace by time makes a node with ten pieces as well known as one with ten million.
package audit
