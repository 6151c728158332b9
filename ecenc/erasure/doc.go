// Package erasure turns stripes into shares and shares back into stripes.
//
// Code holds one redundancy scheme at one share size; Cache hands out Codes that share their matrices.
//
//	code, err := cache.Get(redundancy)                    // redundancy.ShareSize is set
//	err = code.EncodeShares(segment, []int{0, 1, 2, 7}, out)
//	segment, err = code.DecodeStripes(shares, nil)        // shares[i] of piece i; nil is absent
//
// # Layout
//
// A segment is consecutive stripes of Required x ShareSize bytes, the last one padded with zeros. Share i of stripe s
// of a data piece is a slice of the segment; a parity piece is a linear combination of the data pieces:
//
//	piece i < Required   segment[(s*Required+i)*ShareSize:][:ShareSize]
//	piece i >= Required  row i-Required of the parity matrix, times the data shares of stripe s
//
// A piece is its shares, stripe after stripe. Row j depends on Required and j alone, never on Total: schemes that
// differ only in Total agree on the pieces they share (a test holds this).
//
// # Lies
//
// The code repairs absence, not alteration. A share with wrong bytes gives a wrong stripe and no error: callers pass
// shares verified against a hash, or authenticate what comes out.
//
// # Concurrency
//
// Code and Cache may be used by many goroutines at once. A call uses one core; for wide schemes the library does the
// work on one goroutine of its own while the caller waits.
//
// # Why
//
// Only what is asked for is computed: encoding takes the requested rows of the parity matrix, decoding the rows of
// the inverse that give the missing data pieces, each as a matrix of its own for the library. So the library's own
// decoder runs only on unit vectors, to make such a matrix, and its inversion cache, which never evicts (29 of 110
// has more loss patterns than memory), stays off; the few matrices in use are kept here, bounded by maxPlans.
//
// The library uses GFNI for matrices over 10 x 10 only on its path for several goroutines. Measured on one core of an
// EPYC with GFNI, 29 data and 51 parity shares of 32 KiB: 0.68 GB/s on the path for one, 2.2 GB/s on the other held
// to one goroutine; decoding with 14 and 29 data pieces missing 8.1 and 4.4 GB/s, on the path for one 3.5 and 1.0.
// Building the matrix of 29/110 takes 0.3 ms, hence Cache; a loss pattern not met before costs 0.1 ms.
package erasure
