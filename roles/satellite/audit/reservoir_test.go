package audit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"storj/metainfo"
)

// TestReservoirIsWeighted draws many samples from pieces of sizes 1 to 20, in one selection and in several joined.
func TestReservoirIsWeighted(t *testing.T) {
	const pieces = 20
	rounds := 60_000
	if testing.Short() {
		rounds = 10_000
	}
	for _, parts := range []int{1, 4} {
		t.Run(fmt.Sprint(parts), func(t *testing.T) {
			seed := rand.Uint64()
			rng := rand.New(rand.NewPCG(seed, 1))
			var first, any [pieces]int
			for range rounds {
				total := newSelection(nil, rng)
				part := make([]*selection, parts)
				for i := range part {
					part[i] = newSelection(nil, rng)
				}
				for i := range pieces {
					s := metainfo.Segment{Position: metainfo.Position{Index: uint32(i)}, Pieces: []metainfo.Piece{{Alias: 5}}}
					part[i%parts].add(&s, float64(i+1))
				}
				for _, p := range part {
					total.join(p)
				}
				r := &total.nodes[5]
				if len(r.picks) != slots || r.count != pieces {
					t.Fatalf("%d picks of %d", len(r.picks), r.count)
				}
				at := 0
				for i, p := range r.picks {
					any[p.position.Index]++
					if p.key < r.picks[at].key {
						at = i
					}
				}
				first[r.picks[at].position.Index]++
			}
			sum, chances := float64(pieces*(pieces+1)/2), inclusion(pieces, slots)
			for i := range pieces {
				checkShare(t, seed, fmt.Sprintf("first draw of piece %d", i), first[i], rounds, float64(i+1)/sum)
				checkShare(t, seed, fmt.Sprintf("piece %d", i), any[i], rounds, chances[i])
			}
		})
	}
}

// checkShare allows five standard deviations.
func checkShare(t *testing.T, seed uint64, name string, got, rounds int, want float64) {
	t.Helper()
	mean, sigma := want*float64(rounds), math.Sqrt(want*(1-want)*float64(rounds))
	if math.Abs(float64(got)-mean) > 5*sigma {
		t.Errorf("seed %d, %s: %d of %d, want %.0f", seed, name, got, rounds, mean)
	}
}

// inclusion computes the chance of each piece to be among three drawn one after another without replacement, by weight.
func inclusion(pieces, draws int) []float64 {
	chance := make([]float64, pieces)
	var walk func(p float64, left float64, taken map[int]bool)
	walk = func(p, left float64, taken map[int]bool) {
		if len(taken) == draws {
			for i := range taken {
				chance[i] += p
			}
			return
		}
		for i := range pieces {
			if !taken[i] {
				taken[i] = true
				walk(p*float64(i+1)/left, left-float64(i+1), taken)
				delete(taken, i)
			}
		}
	}
	walk(1, float64(pieces*(pieces+1)/2), map[int]bool{})
	return chance
}

func TestReservoirSmall(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	s := newSelection(map[metainfo.NodeAlias]bool{2: true}, rng)
	for i := range 30 {
		seg := metainfo.Segment{Position: metainfo.Position{Index: uint32(i)}, Pieces: []metainfo.Piece{{Alias: 1}, {Number: 1, Alias: 2}}}
		if i == 0 {
			seg.Pieces = append(seg.Pieces, metainfo.Piece{Number: 2, Alias: 3}, metainfo.Piece{Number: 3, Alias: maxAlias})
		}
		s.add(&seg, 100)
	}
	for alias, want := range map[int]int{0: 0, 1: slots, 2: watchedSlots, 3: 1} {
		if got := len(s.nodes[alias].picks); got != want {
			t.Errorf("node %d has %d picks, want %d", alias, got, want)
		}
	}
	if s.nodes[3].count != 1 || len(s.nodes) > 100 {
		t.Errorf("node 3 has %d pieces, room for %d nodes", s.nodes[3].count, len(s.nodes))
	}
}

// BenchmarkSelect shows a pass segments of 80 pieces over 1,000 nodes.
func BenchmarkSelect(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	segments := make([]metainfo.Segment, 1000)
	for i := range segments {
		for n, alias := range rng.Perm(1000)[:80] {
			segments[i].Pieces = append(segments[i].Pieces, metainfo.Piece{Number: n, Alias: metainfo.NodeAlias(alias + 1)})
		}
	}
	s := newSelection(nil, rng)
	i := 0
	for b.Loop() {
		s.add(&segments[i%1000], 2<<20)
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/80, "ns/piece")
}
