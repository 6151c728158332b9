// Package memstore is a pieces.Store in memory, for tests and for networks that live in one process.
//
//	st := memstore.New(memstore.Options{Capacity: 1 << 30})
//	w, err := st.Create(ctx, pieces.CreateOptions{Satellite: sat, Piece: id, Size: 4096})
//	...
//
// It keeps every promise of pieces.Store except surviving the process. Three verbs play faults: Damage, Alter, Lose; Scrub finds what Damage did, and not
// what Alter did.
//
// # Concurrency
//
// One mutex guards all maps and is held over memory operations only. The bytes of a committed piece never change, so
// readers take no lock; Alter replaces them with a changed copy.
package memstore
