package audit

import (
	"math"
	"math/rand/v2"
	"slices"

	"storj/metainfo"
)

const (
	// slots is how many pieces of a node a pass selects (row R4), watchedSlots that of a node that failed lately.
	slots        = 3
	watchedSlots = 12
	// maxAlias bounds the memory of a pass against a record that was never written by this satellite.
	maxAlias = 1 << 24
)

// pick is one piece of a node.
type pick struct {
	stream   metainfo.StreamID
	position metainfo.Position
	number   int
	key      float64 // exponential with the rate of the piece's weight: the smallest are kept
}

// reservoir holds the picks of one node.
type reservoir struct {
	skip  float64 // weight that passes until the next pick; only while full
	count int64   // pieces seen
	picks []pick
}

// selection is the reservoirs of all nodes by alias.
type selection struct {
	nodes   []reservoir
	watched map[metainfo.NodeAlias]bool // read only
	rng     *rand.Rand
}

func newSelection(watched map[metainfo.NodeAlias]bool, rng *rand.Rand) *selection {
	return &selection{watched: watched, rng: rng}
}

func (s *selection) slots(alias metainfo.NodeAlias) int {
	if s.watched[alias] {
		return watchedSlots
	}
	return slots
}

// add shows a segment's pieces of weight bytes each to the reservoirs.
//
// Source: Efraimidis and Spirakis 2006. Of independent exponential variables with rates w, the k smallest are a weighted
// sample without replacement. With T the greatest that is kept, the weight that passes until a smaller one comes is
// exponential with rate T.
func (s *selection) add(seg *metainfo.Segment, weight float64) {
	for _, p := range seg.Pieces {
		if p.Alias >= maxAlias {
			continue
		}
		if int(p.Alias) >= len(s.nodes) {
			s.grow(int(p.Alias) + 1)
		}
		r := &s.nodes[p.Alias]
		r.count++
		full := len(r.picks) > 0 && r.skip > 0
		if full {
			if r.skip -= weight; r.skip > 0 {
				continue
			}
		}
		s.take(r, seg, p, weight)
	}
}

func (s *selection) grow(size int) {
	s.nodes = append(s.nodes, make([]reservoir, max(size, 2*len(s.nodes))-len(s.nodes))...)
}

// take puts a piece into a reservoir: any while there is room, else one whose key is known to be smaller than the greatest.
func (s *selection) take(r *reservoir, seg *metainfo.Segment, p metainfo.Piece, weight float64) {
	limit := s.slots(p.Alias)
	u := 1 - s.rng.Float64() // (0, 1]
	fresh := pick{stream: seg.Stream, position: seg.Position, number: p.Number}
	if len(r.picks) < limit {
		fresh.key = -math.Log(u) / weight
		r.picks = append(r.picks, fresh)
	} else {
		last := greatest(r.picks)
		fresh.key = -math.Log1p(-u*-math.Expm1(-weight*r.picks[last].key)) / weight
		r.picks[last] = fresh
	}
	if len(r.picks) == limit {
		r.skip = -math.Log(1-s.rng.Float64()) / r.picks[greatest(r.picks)].key
		r.skip = max(r.skip, math.SmallestNonzeroFloat64) // zero says not full
	}
}

func greatest(picks []pick) int {
	at := 0
	for i := range picks {
		if picks[i].key > picks[at].key {
			at = i
		}
	}
	return at
}

// join adds the picks of another selection, which is not used afterwards. Nothing is added to s after the first join.
func (s *selection) join(other *selection) {
	if len(other.nodes) > len(s.nodes) {
		s.nodes, other.nodes = other.nodes, s.nodes
	}
	for i := range other.nodes {
		mine, theirs := &s.nodes[i], &other.nodes[i]
		mine.count += theirs.count
		if len(theirs.picks) == 0 {
			continue
		}
		mine.picks = append(mine.picks, theirs.picks...)
		slices.SortFunc(mine.picks, byKey)
		mine.picks = mine.picks[:min(len(mine.picks), s.slots(metainfo.NodeAlias(i)))]
	}
}

func byKey(a, b pick) int {
	switch {
	case a.key < b.key:
		return -1
	case a.key > b.key:
		return 1
	}
	return 0
}
