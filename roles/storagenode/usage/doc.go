// Package usage is what a node has stored and moved for each satellite on each day, by its own counting.
//
//	book, err := usage.Open(usage.Options{Dir: dir, Stored: stored})
//	book.Moved(satellite, pieces.ActionGet, n)     // from every operation
//	group.Add("usage", book)                       // samples what is stored, saves
//	days, err := book.Days("2026-11")
//
// # FORMAT
//
// Dir has one JSON file a month, replaced as a whole, YYYY-MM.json:
//
//	{"version": 1, "days": {"2026-11-22": {"SATELLITE ID": {"put": 1, "get": 2, ...}}}}
//
// Days are those of UTC, numbers bytes; byte_seconds is the integral of what was stored. Unknown fields are ignored,
// another version is durable.ErrDamaged: the file is set aside and counting begins anew.
//
// # Concurrency
//
// All methods may be called concurrently. Run is one goroutine, which sleeps while nothing moves but for a sample now and
// then.
//
// # Why
//
// The node's own numbers are there to be compared with the satellite's, and for the owner's monthly cap. So they may lose
// the last minutes at a power cut, and in return cost nothing: a map in memory, written out at most every few minutes.
package usage
