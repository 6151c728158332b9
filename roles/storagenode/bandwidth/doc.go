// Package bandwidth is how much of the line a node may use: a rate, other rates at other hours, and a cap for the month.
//
//	gate := bandwidth.New(bandwidth.Options{Rate: 2_500_000, Schedule: spans, Monthly: 2e12, Used: book.Month})
//	err := gate.Admit(pieces.ActionPut)       // before an operation
//	err = gate.Wait(ctx, len(chunk))          // before each chunk
//
// Uploads and downloads share one token bucket: on most lines that are worth limiting, either direction hurts the other.
// Of the month's cap the last part is kept for downloads: uploads are refused from 95 % on, downloads of customers at 100 %;
// audits and repairs are always answered, since a node that does not answer those loses its good name. Satellites are to
// be told a free space of 0 while Full says so.
//
// # Concurrency
//
// All methods may be called concurrently. There is no goroutine: the hour is looked at when somebody waits.
//
// # Why
//
// The rate is set again whenever it is found to differ from that of the hour, at most once a second, rather than by a
// timer: an idle node wakes up for nothing.
package bandwidth
