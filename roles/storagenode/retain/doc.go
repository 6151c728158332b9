// Package retain throws away what a satellite does not need any more: it takes garbage filters, keeps the newest of each
// satellite on disk until it was applied, and puts into the trash what is not in it.
//
//	c, err := retain.New(retain.Options{Dir: dir, Store: store})
//	piecenode.New(piecenode.Options{Collector: c, ...})
//	group.Add("retain", c)
//
// A piece goes to the trash if it was made before the filter's date, as the store has it, and is not in the filter. It can
// be read and restored for a week. Filters are applied one after another, whoever they are from, since one may be 32 MiB.
// Restore takes back what went to the trash, drops the filter that waits and stops the one that is being applied: who asks
// for that has found the filter wrong.
//
// # FORMAT
//
// Dir has one file a satellite, SATELLITE.filter, as pieces/filter says; SATELLITE.part is one that is just being received.
// A file that cannot be read is removed: the satellite makes another.
//
// # Concurrency
//
// All methods may be called concurrently. Run is one goroutine, which sleeps until a filter comes.
//
// # Why
//
// A filter is on disk before its satellite is answered, because it will not send it again, and its application may take
// long and be interrupted; to apply one twice does no harm.
package retain
