// Package filter is the garbage filter: a Bloom filter of the pieces that a node is to keep, made by its satellite from
// a complete pass over all segments.
//
//	f := filter.New(count, seed, filter.DefaultRate)    // satellite; a new seed for every pass
//	f.Add(id)                                           // of each piece on that node
//	header := f.Header(created)                         // pieces.RetainHeader, then f.Bits() on the stream
//
//	f, err := filter.FromHeader(&header, bits)          // node
//	garbage := !f.Contains(id)
//
// What was added is contained, always. What was not is contained with the false positive rate: that much garbage stays
// until a later filter, whose other seed errs about other pieces.
//
// Marshal and Unmarshal are one filter with its date as bytes, for a file.
//
// # FORMAT
//
// Bit b of the filter is bit b%8, the lowest is 0, of byte b/8. With m bits and seed s, piece p sets the bits
//
//	h1 = mix(le64(p[0:8]) ^ s), h2 = mix(le64(p[8:16]) + s) | 1
//	bit i = high 64 bits of (h1 + i*h2) * m, for i from 0 to Hashes-1, sums and products modulo 2^64 and 2^128
//
// where mix(x) is the finalizer of SplitMix64: x ^= x>>30; x *= bf58476d1ce4e5b9; x ^= x>>27; x *= 94d049bb133111eb;
// x ^= x>>31. A filter as bytes is
//
//	OFFSET  SIZE  FIELD
//	0       1     version, 1
//	1       2     n, length of the header, big endian
//	3       n     pieces.RetainHeader, package wire
//	3+n     Size  the bits
//	...     4     CRC-32C of all before, big endian
//
// Version rule: a reader refuses other versions; a filter that cannot be read is dropped, the next pass makes another.
//
// # Concurrency
//
// Add and Merge are for one goroutine; Contains may be called concurrently once nothing is added any more. A pass in
// several ranges fills one filter a range, of equal size and seed, and merges them.
//
// # Why
//
// 1 % costs 9.6 bits a piece (1.2 MB for a million pieces, 26 million pieces within pieces.MaxFilter), where the existing
// system's 10 % costs 4.8: for 0.6 MB more once a pass, a hundredth of the garbage survives the first filter and a
// ten-thousandth the second. Past MaxFilter the filter is full sooner and the rate worse, never wrong. Piece IDs are HMACs
// already, so two words of them, mixed with the seed, are hash enough; both words must change with the seed in different
// ways, else the same pieces would collide under every seed. Source: Kirsch and Mitzenmacher, Less hashing, same
// performance, 2006; Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014.
package filter
