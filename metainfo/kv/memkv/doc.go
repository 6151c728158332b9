// Package memkv is the kv engine in memory: for tests, and for networks that need not outlive their process.
//
//	store := memkv.New(memkv.Options{})
//
// With Options.RunTwice every function given to Update runs once for nothing before the run that counts, as it may on
// engines that retry; tests use it to find functions that must not be retried.
//
// # Concurrency
//
// Updates run one after another. Views run on an immutable root, and wait for nobody.
package memkv
