// Package bao proves that some bytes are part of a larger content whose BLAKE3 hash is known, without sending the rest.
//
//	slice, err := bao.Slice(nil, reader, size, offset, length)       // who has the content
//	data, err := bao.Verify(hash, size, offset, length, slice)       // who has only its hash
//
// # FORMAT: slice
//
// A slice of the Bao encoding (O'Connor, "Bao", spec of 2019) over groups of 32 chunks, which is GroupSize bytes:
//
//	OFFSET  SIZE  FIELD
//	0       8     size of the whole content, little endian
//	8       64    hashes of the left and the right half, of each node of the tree above a group of the range
//	...     n     each group that the range touches, whole; the last of the content may be short
//
// Nodes and groups stand in the order of a walk from the root, left before right; a content of one group has no nodes.
// The left half of a node is the largest power of two of chunks that leaves something for the right one (BLAKE3 paper,
// section 2.1). Nothing may follow. SliceSize says how long a slice is, so another length is refused unread.
//
// Example: bytes 0 to 1 of the content "abc" are
//
//	03 00 00 00 00 00 00 00 61 62 63
//
// under the hash 6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85.
//
// # Concurrency
//
// Functions without state.
//
// # Why
//
// An audit that downloads a share from every node of a segment to find out about one costs 80 connections; this costs
// one, and the satellite needs no content to compare with, only the hash that the uplink signed. Groups of 32 KiB keep a
// proof of a 2 MiB piece at 33 KiB, six hashes deep, and let whoever cuts it hash 32 chunks at a time. The tree is
// rebuilt for every slice: a second copy of the hashes on disk, to save a millisecond for each audit, could rot too.
package bao
