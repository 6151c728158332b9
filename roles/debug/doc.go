// Package debug shows the inside of a process over HTTP, to its own machine only.
//
//	GET /metrics   counters in Prometheus text format, with those of the process
//	GET /health    JSON: 200 when every check passes, else 503
//	GET /debug/pprof/...   only when asked for
//
//	server, err := debug.New(log, debug.Options{Address: "127.0.0.1:0", Metrics: sets, Checks: checks})
//	group.Add("debug", server)
//
// # Concurrency
//
// Checks run one after another on the request's goroutine and may be called concurrently by several requests.
//
// # Why
//
// Metrics tell strangers who stores how much, and profiles can stop a process, so an address that others can reach is
// refused unless it is asked for in so many words.
package debug
