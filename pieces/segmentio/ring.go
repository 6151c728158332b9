package segmentio

import "storj/ecenc/erasure"

// ring holds the shares of a window of stripes: data shares of a stripe side by side, as in the segment, parity shares
// apart, allocated when a piece is first used. Row r lies in slot r-first modulo rows.
type ring struct {
	first  int64
	rows   int64
	share  int64
	stripe int64
	data   *[]byte
	parity map[int][]byte
	shared *shared
}

func newRing(code *erasure.Code, rows, window int64, s *shared) ring {
	stripe := int64(code.StripeSize())
	rows = min(rows, max(window/stripe, minWindowRows))
	return ring{
		rows: rows, share: int64(code.ShareSize()), stripe: stripe,
		data: s.windows.get(int(rows * stripe)), parity: make(map[int][]byte), shared: s,
	}
}

// cell is where the share of a piece in a stripe goes.
func (r *ring) cell(row int64, number int) []byte {
	slot := (row - r.first) % r.rows
	if start := int64(number) * r.share; start < r.stripe {
		return (*r.data)[slot*r.stripe+start:][:r.share:r.share]
	}
	shares, ok := r.parity[number]
	if !ok {
		shares = make([]byte, r.rows*r.share)
		r.parity[number] = shares
	}
	return shares[slot*r.share:][:r.share:r.share]
}

// adjacent says whether row+count lies behind row+count-1 in memory.
func (r *ring) adjacent(row, count int64) bool { return (row-r.first+count)%r.rows != 0 }

// stripes are count rows side by side.
func (r *ring) stripes(row, count int64) []byte {
	start := (row - r.first) % r.rows * r.stripe
	return (*r.data)[start : start+count*r.stripe]
}

// close gives the memory back; no cell may be used after it.
func (r *ring) close() {
	if r.data != nil {
		r.shared.windows.put(r.data)
		r.data = nil
	}
}
