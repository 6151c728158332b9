package segmentio

import (
	"fmt"
	"sync"

	"storj/ecenc/erasure"
)

const (
	// groupStripes is how many stripes are encoded at a time.
	groupStripes = 4
	// maxCohort is how many parity pieces are computed together: about as many as are on their way at once, so that what
	// is computed for all is not kept for long.
	maxCohort = 17
)

// encoder gives the senders of one segment the shares of their pieces. Its methods may be called concurrently.
//
// It holds what was computed and not yet sent: at the most the parity of the segment, when some senders are slow.
type encoder struct {
	code    *erasure.Code
	data    []byte // the segment
	stripes int    // how many
	shared  *shared
	seats   map[int]seat // of the parity pieces that are computed together, by number
}

// seat is the place of a piece in its cohort.
type seat struct {
	c  *cohort
	at int
}

// cohort is parity pieces that are computed together, a group of stripes at a time.
type cohort struct {
	numbers []int
	groups  []group
}

// group holds the shares of a cohort in some stripes. Each share is used once, by the sender of its piece.
type group struct {
	mu    sync.Mutex // guards the fields below; held while encoding, so that others wait for the result
	made  bool
	bufs  []*[]byte // one for each number of the cohort; nil after its use
	taken []bool
}

func newEncoder(code *erasure.Code, data []byte, initial []int, s *shared) *encoder {
	e := &encoder{
		code: code, data: data, stripes: int(code.Stripes(int64(len(data)))), shared: s, seats: make(map[int]seat),
	}
	groups := (e.stripes + groupStripes - 1) / groupStripes
	var c *cohort
	for _, number := range initial {
		if number < code.Required() {
			continue
		}
		if c == nil || len(c.numbers) == maxCohort {
			c = &cohort{groups: make([]group, groups)}
		}
		e.seats[number] = seat{c: c, at: len(c.numbers)}
		c.numbers = append(c.numbers, number)
	}
	return e
}

// close gives the buffers back. No sender may be running.
func (e *encoder) close() {
	for _, s := range e.seats {
		for i := range s.c.groups {
			if g := &s.c.groups[i]; g.made && g.bufs[s.at] != nil {
				e.shared.parity.put(g.bufs[s.at])
			}
		}
	}
}

// source returns the shares of one piece, in order.
func (e *encoder) source(number int) *source {
	return &source{e: e, number: number}
}

// groupSize is the bytes of one piece in a group.
func (e *encoder) groupSize(index int) int {
	return min(groupStripes, e.stripes-index*groupStripes) * e.code.ShareSize()
}

// encode computes the shares of pieces in a group into out.
func (e *encoder) encode(index int, numbers []int, out [][]byte) error {
	stripe := e.code.StripeSize()
	first := index * groupStripes
	count := min(groupStripes, e.stripes-first)
	start, end := first*stripe, (first+count)*stripe
	if end <= len(e.data) {
		return e.code.EncodeShares(e.data[start:end], numbers, out)
	}
	padded := make([]byte, count*stripe) // at the end of a segment only
	copy(padded, e.data[start:])
	return e.code.EncodeShares(padded, numbers, out)
}

// acquire returns the shares of parity piece number in a group: those computed with its cohort, or computed alone when
// the piece has no cohort or had them before. The caller calls release when it has used them.
func (e *encoder) acquire(number, index int) (shares []byte, release func(), err error) {
	s, together := e.seats[number]
	if !together {
		return e.alone(number, index)
	}
	g := &s.c.groups[index]
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.made {
		if err := e.fill(s.c, g, index); err != nil {
			return nil, nil, err
		}
	}
	if g.taken[s.at] {
		return e.alone(number, index)
	}
	g.taken[s.at] = true
	buf := g.bufs[s.at]
	return *buf, func() {
		g.mu.Lock()
		g.bufs[s.at] = nil
		g.mu.Unlock()
		e.shared.parity.put(buf)
	}, nil
}

// fill computes a group for its cohort.
func (e *encoder) fill(c *cohort, g *group, index int) error {
	size := e.groupSize(index)
	bufs := make([]*[]byte, len(c.numbers))
	out := make([][]byte, len(c.numbers))
	for i := range bufs {
		bufs[i] = e.shared.parity.get(size)
		out[i] = *bufs[i]
	}
	if err := e.encode(index, c.numbers, out); err != nil {
		return err
	}
	g.bufs, g.taken, g.made = bufs, make([]bool, len(bufs)), true
	return nil
}

// alone computes a group for one piece.
func (e *encoder) alone(number, index int) (shares []byte, release func(), err error) {
	buf := e.shared.parity.get(e.groupSize(index))
	if err := e.encode(index, []int{number}, [][]byte{*buf}); err != nil {
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
	shares, release, err := s.e.acquire(s.number, s.next)
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
