package erasure

import (
	"fmt"
	"slices"
)

// DecodeStripes rebuilds R stripes from the shares of at least Required pieces and appends them to dst.
//
// Shape: len(shares) == Total, or less when the last ones are absent; shares[i] belongs to piece i and is R*ShareSize
// bytes, the same R for all; nil or empty is absent. Appends R*Required*ShareSize bytes: the zeros that pad the last
// stripe of a segment are included, and the caller cuts them off. When all data pieces are present they are copied and
// nothing is computed; else only the missing ones are. More than Required shares are allowed, and the excess ignored.
// Ownership: dst is appended to and must not overlap the shares, which are read only and not kept.
// Errors: ErrTooFew, ErrShape. ALTERED SHARES ARE NOT NOTICED: the result is wrong and the error nil.
func (c *Code) DecodeStripes(shares [][]byte, dst []byte) ([]byte, error) {
	used, size, err := c.choose(shares)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	dst = slices.Grow(dst, size*c.required)[:start+size*c.required]
	if err := c.decodeInto(shares, used, size/c.share, dst[start:]); err != nil {
		return dst[:start], err
	}
	return dst, nil
}

// choose returns the pieces to decode from, in ascending order: every data piece there is, then parity up to Required;
// and the bytes in each.
func (c *Code) choose(shares [][]byte) (used []int, size int, err error) {
	if len(shares) > c.total {
		return nil, 0, fmt.Errorf("%w: %d shares of %d pieces", ErrShape, len(shares), c.total)
	}
	used = make([]int, 0, c.required)
	for i, share := range shares {
		if len(share) == 0 {
			continue
		}
		if size == 0 {
			size = len(share)
		}
		if len(share) != size || size%c.share != 0 {
			return nil, 0, fmt.Errorf("%w: piece %d has %d bytes", ErrShape, i, len(share))
		}
		if len(used) < c.required {
			used = append(used, i)
		}
	}
	if len(used) < c.required {
		return nil, 0, fmt.Errorf("%w: %d of %d", ErrTooFew, len(used), c.required)
	}
	return used, size, nil
}

// decodeInto copies the data shares that are there and computes the others in place, in dst.
func (c *Code) decodeInto(shares [][]byte, used []int, count int, dst []byte) error {
	var missing []int
	for i := range c.required {
		if len(shares[i]) == 0 {
			missing = append(missing, i)
			continue
		}
		for s := range count {
			copy(dst[(s*c.required+i)*c.share:][:c.share], shares[i][s*c.share:])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	p, err := c.matrix.decodePlan(used, missing, c.share)
	if err != nil {
		return err
	}
	shards := make([][]byte, c.required+len(missing))
	for s := range count {
		for i, piece := range used {
			shards[i] = shares[piece][s*c.share:][:c.share]
		}
		for j, piece := range missing {
			shards[c.required+j] = dst[(s*c.required+piece)*c.share:][:c.share]
		}
		if err := p.encoder.Encode(shards); err != nil {
			return fmt.Errorf("decode stripe %d: %w", s, err)
		}
	}
	return nil
}
