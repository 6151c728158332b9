package e2e

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// Where every node has a piece of each segment, a piece that has rotted can only be stored anew on the node whose disk
// did it: the node finds it, says so, throws it away, and takes it again.
func TestRotWhereEveryNodeHasAPiece(t *testing.T) {
	if testing.Short() {
		t.Skip("writes ten stores on disk")
	}
	for _, scheme := range []string{"4/8/10/10", "2/9/10/10"} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startStory(t, scheme, 24*time.Hour)
				defer s.end()
				s.store()
				s.pass(3 * time.Hour)
				count, err := flipPieces(filepath.Join(s.disk(2), "logs"), rand.New(rand.NewPCG(1, 2)))
				if err != nil || count == 0 {
					t.Fatalf("%d pieces altered: %v", count, err)
				}
				s.pass(5 * 24 * time.Hour)
				health := s.sat.Durability().Health()
				if health.Repair.Damaged != 0 || len(health.Repair.Queue) != 0 || health.Lost != 0 {
					t.Errorf("five days after %d pieces rotted: %s; %+v", count, health.Sentence, health.Repair)
				}
				if scheme == "2/9/10/10" && (len(health.Margins) != 1 || health.Margins[0].Margin != 8) {
					t.Errorf("margins %+v: not every piece was stored anew", health.Margins)
				}
			})
		})
	}
}
