// Package reputation is what a satellite thinks of its nodes, why, and since when.
//
//	book, err := reputation.Open(ctx, store, reputation.Options{Contacts: contacts, Event: tell, Changed: refresh})
//	group.Add("reputation", book)                         // samples contact, writes, ends quarantines
//	book.Report(node, reputation.Finding{Verdict: reputation.Lost, Piece: id, Text: "..."})     // audit, repair
//	book.Seen(node)                                       // check-in, an answered probe
//	standing := book.Standing(node)                       // told to the node, shown to the owner
//	err = book.Reinstate(ctx, node)                       // the owner's word
//
// # Scores
//
// The audit score is alpha/(alpha+beta): each audit turns both by lambda and adds one to alpha (proved) or beta (failed),
// from 1000 and 0, lambda 0.999. So forty-one failures in a row, or four in a hundred for long, end at 0.96. The unknown
// score is the same of refusals and broken answers, from 1 and 0, lambda 0.95. Source: the existing system, s:
// satellite/reputation.
//
// The online score is the mean over 30 days, in windows of 12 hours, of the part of samples in which the node was in
// contact; windows before a node joined count as online, the one that runs does not count. A sample is taken every hour
// (Options.SampleEvery). None is taken while the satellite has not run for two check-in intervals, nor for up to a day
// while more than half of the nodes that were in contact have gone at once: then it was the satellite or its own line.
//
// # States
//
//	healthy       none of the following
//	offline       out of contact for longer than its Patience, or an online score under 0.6; ends by itself
//	suspended     unknown score at or under 0.6, by three answers at least; ends by itself when the node answers again
//	exiting       by the wish of its owner, until cancelled; exited when a complete pass finds no piece on it
//	quarantined   it answered an audit with something that no honest disk makes (altered bytes, another piece, an old
//	              copy), or its audit score is at or under 0.99
//	disqualified  by the owner, or at the end of a quarantine
//
// A quarantine lasts 14 days. If the node lied or its audit score is at or under 0.96 it is then disqualified; if it has
// passed so many audits since that its score is over 0.99 again it is healthy; else it stays for the owner to decide.
// Nothing is for good: Reinstate gives every node back a clean page. No more than a tenth of the nodes, and at least two,
// are quarantined on one day by themselves: more than that is a fault of the satellite's, say a wrong secret after a
// restore, until a person says otherwise.
//
// Patience is how long a node may be away before it counts as missing: 4 hours, and once and a half its usual longest
// absence, up to a day. A node that sleeps 8 hours each night is missed on its first night alone, and its online score of
// about 0.7 keeps it in selection.
//
// # KEYS
//
//	z/reputation/ node(32)     scores, states with their times, reason, windows
//
// # Concurrency
//
// All methods may be called concurrently. Changed and Event are called without a lock held. Run has one goroutine.
// Changes are written together, a minute after the first; samples alone when a window ends. A crash loses that much.
//
// # Why
//
// The existing system disqualifies at once and for good, and its operators lose years of reputation to a mount point that
// came up empty. Quarantine protects the data as well, since no piece there counts, and can be taken back. Contact is
// sampled rather than taken from audits, so that a node with few pieces is measured as well as one with many.
package reputation
