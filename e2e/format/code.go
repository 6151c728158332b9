package format

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// mul multiplies in GF(2^8) modulo x^8+x^4+x^3+x^2+1. Section 10.
func mul(a, b byte) (product byte) {
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			product ^= a
		}
		carry := a&0x80 != 0
		a <<= 1
		if carry {
			a ^= 0x1d
		}
	}
	return product
}

// inverse is a^254.
func inverse(a byte) byte { return power(a, 254) }

// power is a^n, with 0^0 = 1.
func power(a byte, n int) byte {
	result := byte(1)
	for range n {
		result = mul(result, a)
	}
	return result
}

// multiply returns the product of two matrices.
func multiply(a, b [][]byte) [][]byte {
	out := make([][]byte, len(a))
	for r := range a {
		out[r] = make([]byte, len(b[0]))
		for c := range out[r] {
			for i := range b {
				out[r][c] ^= mul(a[r][i], b[i][c])
			}
		}
	}
	return out
}

// invert returns the inverse of a square matrix, by Gauss-Jordan elimination.
func invert(m [][]byte) ([][]byte, error) {
	size := len(m)
	work := make([][]byte, size)
	for r := range m {
		work[r] = append(slices.Clone(m[r]), make([]byte, size)...)
		work[r][size+r] = 1
	}
	for c := range size {
		pivot := slices.IndexFunc(work[c:], func(row []byte) bool { return row[c] != 0 })
		if pivot < 0 {
			return nil, errors.New("matrix has no inverse")
		}
		work[c], work[c+pivot] = work[c+pivot], work[c]
		scale := inverse(work[c][c])
		for i := range work[c] {
			work[c][i] = mul(work[c][i], scale)
		}
		for r := range work {
			if factor := work[r][c]; r != c && factor != 0 {
				for i := range work[r] {
					work[r][i] ^= mul(factor, work[c][i])
				}
			}
		}
	}
	for r := range work {
		work[r] = work[r][size:]
	}
	return work, nil
}

// Matrix returns the matrix of a code: row i makes piece i of required data pieces. Section 10.
func Matrix(required, total int) ([][]byte, error) {
	vandermonde := make([][]byte, total)
	for r := range vandermonde {
		vandermonde[r] = make([]byte, required)
		for c := range vandermonde[r] {
			vandermonde[r][c] = power(byte(r), c)
		}
	}
	top, err := invert(vandermonde[:required])
	if err != nil {
		return nil, err
	}
	return multiply(vandermonde, top), nil
}

// join rebuilds the ciphertext of a segment from any Required of its pieces.
func (s *Segment) join() ([]byte, error) {
	numbers := slices.Sorted(maps.Keys(s.Pieces))
	if len(numbers) < s.Required || s.Required < 1 || s.Total > 255 || s.ShareSize < 1 {
		return nil, fmt.Errorf("%d of %d pieces", len(numbers), s.Required)
	}
	numbers = numbers[:s.Required]
	matrix, err := Matrix(s.Required, s.Total)
	if err != nil {
		return nil, err
	}
	var rows, shares [][]byte
	stripe := int64(s.Required) * int64(s.ShareSize)
	size := (s.EncryptedSize + stripe - 1) / stripe * int64(s.ShareSize)
	for _, number := range numbers {
		if number < 0 || number >= s.Total || int64(len(s.Pieces[number])) != size {
			return nil, fmt.Errorf("piece %d of %d bytes, not %d", number, len(s.Pieces[number]), size)
		}
		rows = append(rows, matrix[number])
		shares = append(shares, s.Pieces[number])
	}
	decode, err := invert(rows)
	if err != nil {
		return nil, err
	}
	data := combine(decode, shares)
	var out []byte
	for at := 0; at < int(size); at += s.ShareSize {
		for _, piece := range data {
			out = append(out, piece[at:at+s.ShareSize]...)
		}
	}
	return out[:s.EncryptedSize], nil
}

// combine multiplies a matrix with pieces, byte by byte.
func combine(matrix, pieces [][]byte) [][]byte {
	out := make([][]byte, len(matrix))
	for r, row := range matrix {
		out[r] = make([]byte, len(pieces[0]))
		for i, factor := range row {
			if factor == 0 {
				continue
			}
			var table [256]byte
			for v := range table {
				table[v] = mul(factor, byte(v))
			}
			for at, v := range pieces[i] {
				out[r][at] ^= table[v]
			}
		}
	}
	return out
}
