package repair

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"storj/metainfo"
	"storj/metainfo/rangedloop/looptest"
	"storj/netx"
	"storj/pieces"
)

// viewOf makes a view of nodes, one for each letter: F fine, a asleep, A away, S suspended, Q quarantined, D disqualified,
// E exiting, e exiting and offline, X exited, O out of placement, C fine in the domain of the first. Alias i+1 is node i.
func viewOf(t *testing.T, letters string) *View {
	t.Helper()
	known := &lettered{}
	for i, letter := range letters {
		n := Node{
			ID: netx.NodeID{byte(i), 1}, Alias: metainfo.NodeAlias(i + 1), Online: true, Eligible: letter == 'F',
			LastContact: time.Now(), Domain: fmt.Sprint(i),
		}
		switch letter {
		case 'a':
			n.Online, n.LastContact = false, time.Now().Add(-time.Hour)
		case 'A':
			n.Online, n.LastContact = false, time.Now().Add(-100*time.Hour)
		case 'S':
			n.State = pieces.Suspended
		case 'Q':
			n.State = pieces.Quarantined
		case 'D':
			n.State = pieces.Disqualified
		case 'E':
			n.State = pieces.Exiting
		case 'e':
			n.State, n.Online = pieces.Exiting, false
		case 'X':
			n.State = pieces.Exited
		case 'O':
			n.Tags = []string{"out"}
		case 'C':
			n.Domain = "0"
		}
		known.list = append(known.list, n)
	}
	view, err := NewView(t.Context(), known, ViewOptions{LostAfter: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return view
}

type lettered struct{ list []Node }

func (l *lettered) Nodes(context.Context) ([]Node, error)  { return l.list, nil }
func (l *lettered) Group(_ uint32, n *Node) (string, bool) { return n.Domain, len(n.Tags) == 0 }

func TestJudge(t *testing.T) {
	t.Parallel()
	small := redundancy(4, 6, 8, 10)
	fine := "FFFFFFFFFFFFFFFFFFFF"
	for _, tt := range []struct {
		on      string // the nodes of pieces 0, 1, ...
		spare   string
		reason  Reason
		healthy int
		reach   int
		sources int
	}{
		{"FFFFFFFF", "", None, 8, 8, 8},
		{"FFFFFFFa", fine, None, 8, 7, 7},
		{"FFFFFaaa", fine, Endangered, 8, 5, 5},
		{"FFFFFFaa", fine, None, 8, 6, 6},
		{"FFFFFFFD", fine, None, 7, 7, 7},
		{"FFFFFFDD", fine, Few, 6, 6, 6},
		{"FFFFFFXX", fine, Few, 6, 6, 6},
		{"FFFFFFAA", fine, Few, 6, 6, 6},
		{"FFFFFFQQ", fine, Few, 6, 6, 8},
		{"FFFFFFSS", fine, Few, 6, 6, 8},
		{"FFFFFFFS", fine, None, 7, 7, 8},
		{"FFFFFFFE", fine, Move, 7, 7, 8},
		{"FFFFFFFe", fine, Move, 7, 7, 7},
		{"FFFFFFFO", fine, Move, 7, 7, 8},
		{"FFFFFFFC", fine, None, 7, 7, 8},
		{"FFFFFFCC", fine, Few, 6, 6, 8},
		{"FFFaaaaa", fine, Irreparable, 8, 3, 3},
		{"FFFDDDDD", fine, Irreparable, 3, 3, 3},
		{"FFFQDDDD", fine, Few, 3, 3, 4},
		{"FFFFFFF", fine, Underfull, 7, 7, 7},
		{"FFFFFFF", "", None, 7, 7, 7},
		{"FFFFFFFF?", "", None, 8, 8, 8}, // of a node that nobody knows
	} {
		t.Run(tt.on+" "+string(rune('0'+len(tt.spare)/10)), func(t *testing.T) {
			t.Parallel()
			unknown := len(tt.on) > 0 && tt.on[len(tt.on)-1] == '?'
			nodes := tt.on
			if unknown {
				nodes = tt.on[:len(tt.on)-1]
			}
			view := viewOf(t, nodes+tt.spare)
			var on []metainfo.NodeAlias
			for i := range nodes {
				on = append(on, metainfo.NodeAlias(i+1))
			}
			if unknown {
				on = append(on, 1000)
			}
			s := looptest.Segment(1, small, on)
			s.Created = time.Now().Add(-time.Hour)
			j := newJudge(view, nil)
			for range 3 { // the same each time
				v := j.look(&s)
				if v.Reason != tt.reason || v.Healthy != tt.healthy || v.Reach != tt.reach || v.Sources != tt.sources {
					t.Errorf("%s, %d healthy, %d in reach, %d sources; want %s, %d, %d, %d", v.Reason, v.Healthy, v.Reach, v.Sources,
						tt.reason, tt.healthy, tt.reach, tt.sources)
				}
			}
		})
	}
}

// TestJudgeSchemes looks at the ends of schemes: what has all that it can have is left alone.
func TestJudgeSchemes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                             string
		required, repair, optimal, total int
		on                               string
		reason                           Reason
	}{
		{"one node", 1, 1, 1, 1, "F", None},
		{"one node, asleep", 1, 1, 1, 1, "a", Irreparable},
		{"two nodes", 1, 1, 2, 2, "FF", None},
		{"two nodes, one lost", 1, 1, 2, 2, "FD", Few},
		{"two nodes, one asleep", 1, 1, 2, 2, "Fa", Endangered},
		{"four nodes", 2, 3, 4, 4, "FFFF", None},
		{"four nodes, one lost", 2, 3, 4, 4, "FFFD", Few},
		{"four nodes, one asleep", 2, 3, 4, 4, "FFFa", None},
		{"threshold is optimal", 2, 4, 4, 4, "FFFF", None},
		{"threshold is optimal, one lost", 2, 4, 4, 4, "FFFD", Few},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var on []metainfo.NodeAlias
			for i := range tt.on {
				on = append(on, metainfo.NodeAlias(i+1))
			}
			s := looptest.Segment(1, redundancy(tt.required, tt.repair, tt.optimal, tt.total), on)
			if v := newJudge(viewOf(t, tt.on), nil).look(&s); v.Reason != tt.reason {
				t.Errorf("%s, want %s", v.Reason, tt.reason)
			}
		})
	}
}

func TestSurvival(t *testing.T) {
	t.Parallel()
	s := NewSurvival(priorRate, 24*time.Hour)
	if loss := s.Loss(3, 0, 4); loss != 1 {
		t.Errorf("fewer than required: %v", loss)
	}
	if loss := s.Loss(4, 0, 4); math.Abs(loss-4*priorRate) > priorRate/100 {
		t.Errorf("none to spare: %v, want about four times the rate", loss)
	}
	if loss := s.Loss(3, 1, 4); math.Abs(loss-sleepRisk) > 0.001 {
		t.Errorf("one asleep that is needed: %v", loss)
	}
	last := 1.0
	for healthy := 29; healthy <= 80; healthy++ { // one more piece is always better
		loss := s.Loss(healthy, 0, 29)
		if loss >= last || loss <= 0 {
			t.Fatalf("%d healthy: %v after %v", healthy, loss, last)
		}
		if asleep := s.Loss(healthy-1, 1, 29); asleep <= loss {
			t.Fatalf("%d healthy, one asleep: %v, all awake %v", healthy, asleep, loss)
		}
		last = loss
	}
	if slow := NewSurvival(priorRate, 30*24*time.Hour); slow.Loss(35, 0, 29) <= s.Loss(35, 0, 29) {
		t.Error("slow repair is as good as fast repair")
	}
	// Against the plain sum for small numbers: 3 nodes at 0.5, more than one of them.
	if got := tail(3, 0.5, 1); math.Abs(got-0.5) > 1e-12 {
		t.Errorf("tail %v", got)
	}
	if got := tailOfTwo(2, 0.5, 1, 0.5, 1); math.Abs(got-0.5) > 1e-12 {
		t.Errorf("tail of two %v", got)
	}
	for _, p := range []float64{0, 1} {
		if got := binomial(5, 5, p); got != p {
			t.Errorf("binomial at %v: %v", p, got)
		}
		if got := binomial(5, 0, p); got != 1-p {
			t.Errorf("binomial at %v: %v", p, got)
		}
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	if got := rateOf(0, 0); got != priorRate {
		t.Errorf("nothing observed: %v", got)
	}
	if got := rateOf(100, 1e6); math.Abs(got-1e-4) > 2e-6 {
		t.Errorf("much observed: %v", got)
	}
}
