package segmentio

import (
	"fmt"
	"sync"

	"storj/ecenc/erasure"
)

const (
	// groupStripes is how many stripes are encoded at a time.
	groupStripes = 4
	// groupWindow is how many encoded groups are kept for those who come later. With 29/80 a group is 6.7 MB of parity.
	groupWindow = 4
)

// encoder gives the senders of one segment the shares of their pieces. Its methods may be called concurrently.
type encoder struct {
	code    *erasure.Code
	data    []byte // the segment
	stripes int    // how many
	parity  []int  // pieces that are computed together, for the senders started first
	index   map[int]int
	shared  *shared

	slots [groupWindow]slot
}

// slot holds the parity of one group, or of another one that uses the same slot later.
type slot struct {
	mu    sync.Mutex // guards the fields below; held while encoding, so that others wait for the result
	group int        // -1: empty
	users int        // senders that read bufs now
	bufs  []*[]byte  // one for each of encoder.parity
}

func newEncoder(code *erasure.Code, data []byte, initial []int, s *shared) *encoder {
	e := &encoder{
		code: code, data: data, stripes: int(code.Stripes(int64(len(data)))), shared: s, index: make(map[int]int),
	}
	for _, number := range initial {
		if number >= code.Required() {
			e.index[number] = len(e.parity)
			e.parity = append(e.parity, number)
		}
	}
	for i := range e.slots {
		e.slots[i].group = -1
	}
	return e
}

// close gives the buffers back. No sender may be running.
func (e *encoder) close() {
	for i := range e.slots {
		for _, buf := range e.slots[i].bufs {
			e.shared.parity.put(buf)
		}
		e.slots[i].bufs = nil
	}
}

// source returns the shares of one piece, in order.
func (e *encoder) source(number int) *source {
	return &source{e: e, number: number}
}

// groupSize is the bytes of one piece in a group.
func (e *encoder) groupSize(group int) int {
	return min(groupStripes, e.stripes-group*groupStripes) * e.code.ShareSize()
}

// encode computes the shares of pieces in a group into out.
func (e *encoder) encode(group int, numbers []int, out [][]byte) error {
	stripe := e.code.StripeSize()
	first := group * groupStripes
	count := min(groupStripes, e.stripes-first)
	start, end := first*stripe, (first+count)*stripe
	if end <= len(e.data) {
		return e.code.EncodeShares(e.data[start:end], numbers, out)
	}
	padded := make([]byte, count*stripe) // at the end of a segment only
	copy(padded, e.data[start:])
	return e.code.EncodeShares(padded, numbers, out)
}

// acquire returns the shares of parity piece number in a group, from the window when they are there or can be made
// there. The caller calls release when it has used them.
func (e *encoder) acquire(group, number int) (shares []byte, release func(), err error) {
	at, together := e.index[number]
	s := &e.slots[group%groupWindow]
	if !together {
		return e.alone(group, number)
	}
	s.mu.Lock()
	if s.group != group && (s.group > group || s.users > 0) {
		s.mu.Unlock()
		return e.alone(group, number)
	}
	defer s.mu.Unlock()
	if s.group != group {
		if err := e.fill(s, group); err != nil {
			return nil, nil, err
		}
	}
	s.users++
	return *s.bufs[at], func() {
		s.mu.Lock()
		s.users--
		s.mu.Unlock()
	}, nil
}

// fill computes a group into a slot that nobody uses.
func (e *encoder) fill(s *slot, group int) error {
	size := e.groupSize(group)
	if s.bufs == nil {
		s.bufs = make([]*[]byte, len(e.parity))
		for i := range s.bufs {
			s.bufs[i] = e.shared.parity.get(size)
		}
	}
	out := make([][]byte, len(s.bufs))
	for i, buf := range s.bufs {
		*buf = (*buf)[:size] // only the last group is smaller, and it comes last
		out[i] = *buf
	}
	s.group = -1
	if err := e.encode(group, e.parity, out); err != nil {
		return err
	}
	s.group = group
	return nil
}

// alone computes a group for one piece.
func (e *encoder) alone(group, number int) (shares []byte, release func(), err error) {
	buf := e.shared.parity.get(e.groupSize(group))
	if err := e.encode(group, []int{number}, [][]byte{*buf}); err != nil {
		e.shared.parity.put(buf)
		return nil, nil, err
	}
	return *buf, func() { e.shared.parity.put(buf) }, nil
}

// source hands over one piece; see piececlient.Source.
type source struct {
	e       *encoder
	number  int
	next    int // data: share; parity: group
	padding []byte
	release func()
}

// Next returns the following shares.
func (s *source) Next() ([]byte, error) {
	if s.number < s.e.code.Required() {
		return s.nextData(), nil
	}
	s.close()
	if s.next*groupStripes >= s.e.stripes {
		return nil, fmt.Errorf("piece %d has no group %d", s.number, s.next)
	}
	shares, release, err := s.e.acquire(s.next, s.number)
	s.release = release
	s.next++
	return shares, err
}

// nextData returns a share of the segment, or the zeros that fill up the last ones.
func (s *source) nextData() []byte {
	if len(s.padding) > 0 {
		padding := s.padding
		s.padding = nil
		return padding
	}
	share := s.e.code.DataShare(s.e.data, s.next, s.number)
	s.next++
	missing := s.e.code.ShareSize() - len(share)
	if missing == 0 {
		return share
	}
	if len(share) == 0 {
		return make([]byte, missing)
	}
	s.padding = make([]byte, missing)
	return share
}

// close gives back what Next returned last.
func (s *source) close() {
	if s.release != nil {
		s.release()
		s.release = nil
	}
}
