package repair

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"storj/ecenc"
	"storj/metainfo"
	"storj/netx"
	"storj/pieces"
)

// crowd is ten nodes, a piece on each.
type crowd struct {
	list    []Node
	hearing hearing
	noted   int
	segment metainfo.Segment
}

func (c *crowd) Nodes(context.Context) ([]Node, error)  { return append([]Node(nil), c.list...), nil }
func (c *crowd) Group(_ uint32, n *Node) (string, bool) { return n.Domain, true }
func (c *crowd) look(t *testing.T) (reason Reason, away int) {
	t.Helper()
	for i := range c.list {
		if c.list[i].Online {
			c.list[i].LastContact = time.Now()
		}
	}
	view, err := NewView(t.Context(), c, ViewOptions{LostAfter: DefaultLostAfter, hear: c.hearing.look})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range c.list {
		if view.Condition(n.Alias) == Away {
			away++
		}
	}
	v := newJudge(view, nil).look(&c.segment)
	return v.Reason, away
}

func newCrowd() *crowd {
	c := &crowd{segment: metainfo.Segment{
		Created: time.Now(), Redundancy: ecenc.Redundancy{Required: 4, Repair: 6, Optimal: 8, Total: 10}, EncryptedSize: 1 << 20,
	}}
	c.hearing = hearing{wasLost: func(netx.NodeID) bool { return false }, note: func(bool, int, int) { c.noted++ }}
	for i := range 10 {
		c.list = append(c.list, Node{
			ID: netx.NodeID{byte(i + 1)}, Alias: metainfo.NodeAlias(i + 1), State: pieces.Healthy, Online: true, Eligible: true,
			Patience: 4 * time.Hour, Domain: fmt.Sprint(i),
		})
		c.segment.Pieces = append(c.segment.Pieces, metainfo.Piece{Number: i, Alias: metainfo.NodeAlias(i + 1)})
	}
	return c
}

func (c *crowd) online(from, to int, online bool) {
	for i := from; i < to; i++ {
		c.list[i].Online = online
	}
}

// TestOutage has the satellite's line down for hours: when its nodes come back one by one, none is given up and nothing
// is rebuilt from the first of them. One of them stays away and is given up then.
func TestOutage(t *testing.T) {
	t.Parallel()
	for _, hours := range []time.Duration{5, 30} {
		for _, neighbour := range []int{0, 1} { // nodes on the satellite's own network
			synctest.Test(t, func(t *testing.T) {
				if neighbour > 0 && hours > 24 {
					return // then it is believed
				}
				c := newCrowd()
				check := func(what string) {
					if reason, away := c.look(t); away > 0 || reason != None && reason != Irreparable {
						t.Errorf("%d hours, %s: %s, %d given up", hours, what, reason, away)
					}
					time.Sleep(10 * time.Minute)
				}
				check("before")
				for i := 9; i >= neighbour; i-- { // not all are missed at once
					c.online(i, i+1, false)
					if i > 5 {
						check(fmt.Sprintf("%d missed", 10-i))
					}
				}
				for start := time.Now(); time.Since(start) < hours*time.Hour; {
					check("during")
				}
				for i := neighbour; i < 8; i++ {
					c.online(i, i+1, true)
					check(fmt.Sprintf("%d back", i+1))
				}
				c.online(8, 9, true)
				if _, away := c.look(t); away != 1 {
					t.Errorf("%d hours: %d given up at the end", hours, away)
				}
				if c.noted != 2 {
					t.Errorf("told of it %d times", c.noted)
				}
			})
		}
	}
}

// TestMostNodesDie has six of ten burn: what is left is rebuilt soon, and after a day the six are given up.
func TestMostNodesDie(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		c.look(t)
		c.online(4, 10, false)
		first := time.Duration(0)
		for start := time.Now(); time.Since(start) < 40*time.Hour; time.Sleep(10 * time.Minute) {
			reason, away := c.look(t)
			if first == 0 && reason == Endangered {
				first = time.Since(start)
			}
			if since := time.Since(start); (since > 25*time.Hour) != (away == 6) && (since < 23*time.Hour || since > 25*time.Hour) {
				t.Fatalf("after %v %d are given up", since, away)
			}
		}
		if first == 0 || first > 2*time.Hour {
			t.Errorf("rebuilt after %v", first)
		}
	})
}

// TestContactInTheFuture has a node whose last contact was noted by a clock that was a year ahead.
func TestContactInTheFuture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, opts := newCrowd(), ViewOptions{LostAfter: DefaultLostAfter, Since: time.Now()}
		for i := range c.list {
			c.list[i].LastContact = time.Now().Add(365 * 24 * time.Hour)
		}
		c.online(9, 10, false)
		for _, want := range []Condition{Asleep, Away} {
			view, err := NewView(t.Context(), c, opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := view.Condition(10); got != want || view.Condition(1) != Fine {
				t.Errorf("condition %d, want %d", got, want)
			}
			time.Sleep(5 * time.Hour)
		}
	})
}
