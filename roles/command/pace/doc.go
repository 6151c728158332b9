// Package pace holds the bytes of many transfers down to one rate.
//
//	limit, err := pace.Parse("20MB/s")
//	l := pace.New(limit)                  // nil for no limit: it then does nothing
//	r := l.Reader(ctx, file)              // as many as there are, side by side
//
// # Concurrency
//
// A Limiter may be used by many goroutines, which share its rate; a reader or writer by one.
//
// # Why
//
// Content is counted, before it is cut into pieces, since that is what progress shows and what a person knows: an upload
// sends up to some 2.8 times as much, as its network's redundancy has it.
package pace
