// Package boltkv is the kv engine on one bbolt file, for one process.
//
//	store, err := boltkv.Open(ctx, path, boltkv.Options{Format: kv.Format{Name: "metabase", Version: 1}})
//	defer store.Close()
//
// Updates that are called concurrently are committed together: see batch.go.
//
// # FORMAT
//
// A bbolt file with the one bucket "kv", whose keys and values are those of package kv. The free list is not written
// (Options.SyncFreelist): it is found again by a walk over the pages when the file is opened.
//
// # Concurrency
//
// A Store may be used by many goroutines. One Update runs at a time, on its caller's goroutine; Views run beside it
// on snapshots. A View that lasts keeps pages from being reused, so long passes are cut into many short Views.
//
// # Why
//
// A commit costs two fsyncs (1.3 ms each, measured 2026-11), whatever it carries, so what matters is how much it
// carries. bbolt's own Batch runs functions again when one of them fails, and waits a while for company. Here each
// function writes into a sorted map over the file's unchanged pages: a failed one is dropped without a trace, and
// writing happens once, in order of keys, when the batch ends. It also avoids cursors over pages changed by the same
// transaction, which in bbolt 1.5 end early at a page that deletions have emptied (Cursor.Prev).
//
// The file is mapped far beyond its end at once, because growing the map waits for every View.
//
// The free list is not written because a commit writes all of it: with 400 MB free, a put of 100 bytes took 11.7 ms
// with the list and 0.7 ms without; opening a file of 750 MB took 7 and 380 ms (measured 2026-11, file in memory).
//
// # When space runs out
//
// Deleting writes pages too, so growth is refused while a reserve remains (space.go), and what frees more than it
// writes goes on. If a commit still fails for want of space, nothing of it is kept and the store goes on when there is
// some. A commit that fails after its last page was written leaves the store readable only, until it is opened again.
// The file never shrinks by itself: freed pages are used again, and Compact rewrites a closed file.
//
// # Damage
//
// Open looks at all pages of the tree before bbolt does (preflight.go): damaged meta pages and a tree that cannot be
// walked are kv.ErrCorrupt, where bbolt would end the process. It reads 900 MB a second (page cache, 2026-11).
// Damaged keys and values are found by Check.
package boltkv
