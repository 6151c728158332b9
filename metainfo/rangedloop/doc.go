// Package rangedloop passes over all segments, for every observer at once.
//
//	loop := rangedloop.New(db, rangedloop.Options{Log: log})
//	loop.Add("repair", checker)
//	report, err := loop.Pass(ctx)              // the role calls it every two hours
//
// A pass divides the stream IDs, which are random, into ranges, and walks each range page by page; each page is a
// transaction of its own. Each Observer has a Partial for each range.
//
// # What may go wrong
//
//   - An observer's error: it sits out the rest of the pass and is named in the Report; the others go on.
//   - An error of the store: the page is read again, from the place reached, after a pause that doubles. When it fails
//     for the tenth time running, the pass ends and no observer finishes.
//   - A row that cannot be read: it is passed over and counted. Observers that are not Tolerant do not finish.
//   - A count of segments that cannot be: the rows are also counted by their keys alone, before the pass and after it.
//     When what was processed is not within 3 % (and ten) of what lies between the two, no observer finishes.
//   - ctx ends: the pass ends, no observer finishes.
//
// Observers that work with what they see at once, such as repair, have done so by then; those that need the whole, such
// as garbage collection, throw it away.
//
// # Concurrency
//
// One Pass runs at a time; a second waits for it. Add comes before the first Pass.
//
// # Why
//
// One pass for all, because reading is what costs. Small transactions, because a long one keeps bbolt from using the
// pages again that commits meanwhile free. A checker's pass over 1,000,000 segments of 80 pieces on bbolt costs 2 to 3 s of
// CPU, both counts included, and 146 bytes of garbage a segment (roles/satellite/repair, BenchmarkCheckerPass; 2026-11).
package rangedloop
