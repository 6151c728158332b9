// Package ordered is a sorted map with byte keys and snapshots that cost nothing to take.
//
//	var m ordered.Map[int]
//	m.Set(key, 1)
//	snapshot := m       // m must not be changed any more ...
//	next := m.Clone()   // ... but its clone may
//
// # Concurrency
//
// A map that nobody changes may be read, and cloned, by many goroutines.
//
// # Why
//
// A treap with path copying: a few dozen lines, logarithmic in everything, and a transaction that fails is dropped by
// forgetting its root. Nodes made by the map itself are changed in place, so a run of writes copies each path once.
package ordered
