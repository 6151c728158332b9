package durability

import (
	"math"
	"time"

	"storj/roles/satellite/repair"
)

const daysOfYear = 365

// Estimate is how likely something is lost.
type Estimate struct {
	Segments    float64 // expected to be lost within a year
	Probability float64 // that any is, within a year
	RatePerDay  float64 // of failure of a node
	NodesLost   int64   // observed
	NodeDays    float64
	RepairTime  time.Duration // from the loss of a node to the repair of its segments
}

// estimate computes both bounds of the package comment. nodes is how many have pieces.
func estimate(shapes map[shape]int64, nodes int, failures repair.NodeFailures, repairTime time.Duration) Estimate {
	e := Estimate{
		RatePerDay: failures.RatePerDay, NodesLost: int64(failures.Lost), NodeDays: failures.NodeDays, RepairTime: repairTime,
	}
	if len(shapes) == 0 {
		return e
	}
	survival := repair.NewSurvival(e.RatePerDay, repairTime)
	days := repairTime.Hours() / 24
	least := math.MaxInt
	for k, count := range shapes {
		e.Segments += float64(count) * yearly(k, e.RatePerDay, days, survival)
		least = min(least, min(int(k.reach)+int(k.asleep), int(k.repair))-int(k.required))
	}
	bySegments := -math.Expm1(-e.Segments)
	byNodes := -math.Expm1(-daysOfYear / max(days, 1.0/24) * repair.Tail(nodes, survival.Vanish(), least))
	e.Probability = min(bySegments, byNodes)
	return e
}

// yearly is how often a segment of this shape is lost in a year, in expectation.
func yearly(k shape, rate, days float64, survival *repair.Survival) float64 {
	required, threshold, optimal := int(k.required), int(k.repair), int(k.optimal)
	now := 0.0
	if int(k.reach)+int(k.asleep) < optimal {
		now = survival.Loss(int(k.reach), int(k.asleep), required)
	}
	decay := 0.0
	for i := threshold + 1; i <= optimal; i++ {
		decay += 1 / (float64(i) * rate)
	}
	if decay == 0 {
		decay = 1 / (float64(optimal) * rate)
	}
	episode := repair.Tail(threshold, survival.Vanish(), threshold-required)
	return min(1, now+daysOfYear/(decay+days)*episode)
}
