package repair

import (
	"math"
	"time"
)

const (
	// priorRate is the failure rate of a node a day, before any was observed. Source: the existing system's
	// probability-based health, 5.435e-5 (2 % a year).
	priorRate = 5.435e-5
	// priorWeight is how much the prior counts, in node-days: as much as half a failure.
	priorWeight = 10_000
	// sleepRisk is the chance that a node which is out of contact, but not yet long enough to be given up, does not come
	// back. One in ten: most are asleep, restart or have lost their line for an hour.
	sleepRisk = 0.1
)

// rateOf is the failure rate of nodes a day: the mean of a gamma distribution with the prior above.
func rateOf(losses, nodeDays float64) float64 {
	return (priorRate*priorWeight + losses) / (priorWeight + nodeDays)
}

// Survival estimates how likely segments are lost.
//
// A segment with h healthy pieces, of which any k rebuild it, is lost when more than h-k of them vanish before it is
// repaired. Within the horizon T each piece on a node in contact vanishes with 1 - exp(-rate T), each piece on a node
// out of contact with sleepRisk, independently: pieces lie in distinct failure domains. So the number that vanish is the
// sum of two binomial ones, and Loss is its upper tail. Nodes that fail together (a site that burns) are not in it:
// package durability counts those one by one.
//
// It is used by one goroutine.
type Survival struct {
	vanish float64 // of a piece on a node in contact, within the horizon
	cache  map[survivalKey]float64
}

type survivalKey struct{ reach, asleep, required uint8 }

// NewSurvival returns an estimator for a failure rate a day and the time within which a segment is repaired.
func NewSurvival(ratePerDay float64, horizon time.Duration) *Survival {
	days := horizon.Hours() / 24
	return &Survival{vanish: -math.Expm1(-ratePerDay * days), cache: make(map[survivalKey]float64)}
}

// Loss is the chance that a segment is lost within the horizon: with reach pieces on nodes in contact and asleep ones on
// nodes out of contact. It is 1 when there are fewer than required.
func (s *Survival) Loss(reach, asleep, required int) float64 {
	if reach+asleep < required {
		return 1
	}
	key := survivalKey{uint8(reach), uint8(asleep), uint8(required)}
	loss, known := s.cache[key]
	if !known {
		loss = tailOfTwo(reach, s.vanish, asleep, sleepRisk, reach+asleep-required)
		s.cache[key] = loss
	}
	return loss
}

// Vanish is the chance that a piece on a node in contact vanishes within the horizon.
func (s *Survival) Vanish() float64 { return s.vanish }

// Tail is the chance that of n things, which happen with chance p each, more than spare happen.
func Tail(n int, p float64, spare int) float64 { return tail(n, p, spare) }

// tailOfTwo is the chance that Bin(n, p) + Bin(m, q) is more than spare.
func tailOfTwo(n int, p float64, m int, q float64, spare int) float64 {
	total := 0.0
	for lost := range m + 1 {
		total += binomial(m, lost, q) * tail(n, p, spare-lost)
	}
	return min(total, 1)
}

// tail is the chance that Bin(n, p) is more than spare.
func tail(n int, p float64, spare int) float64 {
	if spare < 0 {
		return 1
	}
	total := 0.0
	for i := n; i > spare; i-- { // the small ones first
		total += binomial(n, i, p)
	}
	return min(total, 1)
}

// binomial is the chance that exactly i of n happen.
func binomial(n, i int, p float64) float64 {
	switch {
	case p <= 0:
		return float64(1 - min(i, 1))
	case p >= 1:
		return float64(1 - min(n-i, 1))
	}
	ln := func(x int) float64 { v, _ := math.Lgamma(float64(x + 1)); return v }
	return math.Exp(ln(n) - ln(i) - ln(n-i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
}
