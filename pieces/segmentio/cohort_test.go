package segmentio

import (
	"testing"
	"testing/synctest"
	"time"

	"storj/pieces"
)

// TestCohorts uploads with pieces that share domains: it is not done until the loss of any one domain is survived, as far
// as there are limits. The scheme is 4/6/8/10.
func TestCohorts(t *testing.T) {
	tests := []struct {
		name   string
		groups [10]uint32 // of each number
		dead   []int      // numbers whose nodes do not answer
		stored int
		left   int // after the worst loss
	}{
		{name: "a domain each", stored: 8, left: 7},
		{name: "spread evenly", groups: [10]uint32{1, 2, 3, 1, 2, 3, 1, 2, 3, 1}, stored: 8, left: 5},
		{name: "two sites", groups: [10]uint32{1, 2, 1, 2, 1, 2, 1, 2, 1, 2}, stored: 8, left: 4},
		{name: "most in one site", groups: [10]uint32{1, 1, 1, 1, 1, 1, 2, 2, 3, 3}, stored: 8, left: 4},
		{name: "one more is enough", groups: [10]uint32{1, 1, 1, 1, 1, 2, 2, 3, 3, 3}, stored: 8, left: 4},
		{name: "all in one site", groups: [10]uint32{7, 7, 7, 7, 7, 7, 7, 7, 7, 7}, stored: 8, left: 0},
		{name: "the others are dead", groups: [10]uint32{1, 1, 1, 1, 1, 1, 1, 1, 2, 2}, dead: []int{8, 9}, stored: 8, left: 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newMemWorld(t, 10, Options{})
				s := w.newSegment(ten, 1<<20)
				limits := w.putLimits(s, w.nodes)
				groupOf := make(map[int]uint32)
				for i := range limits {
					limits[i].Group = test.groups[limits[i].Number]
					groupOf[limits[i].Number] = limits[i].Group
				}
				for _, number := range test.dead {
					w.net.Kill(w.nodes[number].url.ID)
				}
				begun := time.Now()
				res, err := w.client.Upload(t.Context(), &UploadRequest{
					Data: s.data, Redundancy: s.redundancy, PieceKey: s.seed, Limits: limits,
				})
				if err != nil {
					t.Fatal(err)
				}
				if left := worstLoss(res.Pieces, groupOf); len(res.Pieces) < test.stored || left < test.left {
					t.Errorf("%d pieces, %d after the worst loss; want %d and %d", len(res.Pieces), left, test.stored, test.left)
				}
				if took := time.Since(begun); took > time.Minute {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func worstLoss(stored []pieces.StoredPiece, groupOf map[int]uint32) int {
	count, lost := make(map[uint32]int), 1
	for _, p := range stored {
		if group := groupOf[p.Number]; group != 0 {
			count[group]++
			lost = max(lost, count[group])
		}
	}
	return len(stored) - lost
}
