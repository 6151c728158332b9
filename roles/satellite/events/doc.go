// Package events keeps the story of a network: the last thousand things that its owner would want to have been told.
//
//	log, err := events.Open(ctx, store, events.Options{})
//	log.Add(events.NodeLost, "node 1abc… lost: 120 segments queued")
//	list := log.List(20)                                     // newest first
//
// Add comes from any service and neither blocks nor fails. Run writes what was added, a moment later, many at once; what
// was added in the second before a crash may be missing afterwards. A text that comes again within an hour is counted,
// not repeated, so that a node which fails a thousand audits does not push out what happened yesterday.
//
// # KEYS
//
//	z/events/ number(8)     when, last time, how often, kind, text
//
// Numbers ascend; the oldest rows are deleted when there are more than MaxEvents.
//
// # Concurrency
//
// All methods may be called concurrently. Run has one goroutine, which writes.
package events
