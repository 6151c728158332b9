package placement

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"storj/netx"
	"storj/pieces"
)

// sited makes nodes, each a domain of its own, with a site tag; sites[i] of them at site i.
func sited(sites ...int) []Node {
	var nodes []Node
	for site, count := range sites {
		for _, n := range network(count, 1) {
			n.URL.ID = nodeID(1000*site + len(nodes))
			n.Domain = fmt.Sprint("node ", n.URL.ID)
			n.Tags = []string{fmt.Sprint("site=", site)}
			nodes = append(nodes, n)
		}
	}
	return nodes
}

func spread(dir *Directory, picked []Picked) map[string]int {
	count := make(map[string]int)
	for _, p := range picked {
		node, _ := dir.Get(p.ID)
		count[TagValue(node.Tags, "site")]++
	}
	return count
}

func TestPickSpreadsOverSites(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		sites  []int
		rule   Rule
		count  int
		want   int // picked
		low    int // the least and the most of a site with nodes
		top    int
		groups int
	}{
		{name: "three sites, even", sites: []int{10, 10, 10}, count: 9, want: 9, low: 3, top: 3, groups: 3},
		{name: "three sites, one over", sites: []int{10, 10, 10}, count: 10, want: 10, low: 3, top: 4, groups: 3},
		{name: "a small site", sites: []int{10, 2, 10}, count: 12, want: 12, low: 2, top: 5, groups: 3},
		{name: "more sites than pieces", sites: []int{2, 2, 2, 2, 2, 2}, count: 4, want: 4, low: 0, top: 1, groups: 4},
		{name: "all there are", sites: []int{1, 2, 3}, count: 100, want: 6, low: 1, top: 3, groups: 3},
		{name: "too few sites", sites: []int{10, 10}, rule: Rule{MinSites: 3}, count: 6},
		{name: "enough sites", sites: []int{10, 10, 1}, rule: Rule{MinSites: 3}, count: 6, want: 6, low: 1, top: 3, groups: 3},
		{name: "one excluded", sites: []int{10, 10, 10}, rule: Rule{Exclude: []string{"site=1"}}, count: 6, want: 6, low: 0, top: 3, groups: 2},
	}
	for _, test := range tests {
		dir := NewDirectory(Options{})
		dir.Put(sited(test.sites...)...)
		test.rule.Number, test.rule.Name, test.rule.DistinctBy = 4, "sites", "site"
		dir.SetRules([]Rule{test.rule})
		for range 50 {
			picked := dir.Snapshot().PickFor(4, test.count, nil)
			count, groups, seen := spread(dir, picked), make(map[uint32]string), make(map[netx.NodeID]bool)
			for _, p := range picked {
				node, _ := dir.Get(p.ID)
				site := TagValue(node.Tags, "site")
				if before, known := groups[p.Group]; p.Group == 0 || known && before != site || seen[p.ID] {
					t.Fatalf("%s: group %d is %s and %s, or node twice", test.name, p.Group, before, site)
				}
				groups[p.Group], seen[p.ID] = site, true
			}
			if len(picked) != test.want || len(groups) != test.groups {
				t.Fatalf("%s: %d picked, %d groups", test.name, len(picked), len(groups))
			}
			for site := range test.sites {
				if n := count[fmt.Sprint(site)]; test.want > 0 && (n < test.low || n > test.top) {
					t.Fatalf("%s: spread %v, want %d to %d of each", test.name, count, test.low, test.top)
				}
			}
		}
	}
}

// TestReplacementsKeepTheSpread picks in two steps, as uploads do when nodes fail.
func TestReplacementsKeepTheSpread(t *testing.T) {
	t.Parallel()
	dir := NewDirectory(Options{})
	nodes := sited(10, 10, 10)
	dir.Put(nodes...)
	dir.SetRules([]Rule{{Number: 1, Name: "sites", DistinctBy: "site"}})
	snap := dir.Snapshot()
	exclude := []netx.NodeID{nodes[0].URL.ID, nodes[1].URL.ID, nodes[2].URL.ID, nodes[10].URL.ID}
	for range 50 {
		picked := snap.PickFor(1, 5, exclude)
		count := spread(dir, picked)
		if len(picked) != 5 || count["0"] != 0 || count["1"] != 2 || count["2"] != 3 {
			t.Fatalf("three and one taken, five more: %v", count)
		}
		for _, p := range picked {
			if p.ID == exclude[0] || p.ID == exclude[3] {
				t.Fatal("excluded node picked")
			}
		}
	}
	first, again := snap.PickFor(1, 1, nil)[0], snap.Place(1, snap.PickFor(1, 1, nil)[0].ID, 9)
	if place := snap.Place(1, first.ID, 9); place.Group != first.Group || !place.Allowed || place.Most != 3 || again.Most != 3 {
		t.Errorf("place %+v of a node picked with group %d", place, first.Group)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	dir := NewDirectory(Options{})
	nodes := network(6, 2) // three domains
	nodes[0].Tags = []string{"country=DE"}
	nodes[1].LastContact = time.Time{} // away
	dir.Put(nodes...)
	dir.SetRules([]Rule{{Number: 1, Name: "de", Require: []string{"country=DE"}}})
	snap := dir.Snapshot()
	a, b, c := snap.Place(0, nodeID(0), 4), snap.Place(0, nodeID(1), 4), snap.Place(0, nodeID(2), 4)
	if !a.Allowed || a.Group != b.Group || a.Group == c.Group || a.Group == 0 || a.Most != 1 {
		t.Errorf("places %+v %+v %+v", a, b, c)
	}
	if !snap.Place(1, nodeID(0), 4).Allowed || snap.Place(1, nodeID(2), 4).Allowed || snap.Place(9, nodeID(0), 4).Allowed ||
		snap.Place(0, nodeID(99), 4).Allowed {
		t.Error("allowed wrongly")
	}
	if snap.DomainsFor(1) != 1 || snap.DomainsFor(9) != 0 || snap.Domains() != 3 || len(snap.PickFor(9, 3, nil)) != 0 {
		t.Errorf("%d and %d domains", snap.DomainsFor(1), snap.Domains())
	}
	if snap.Eligible(nodeID(1)) || !snap.Eligible(nodeID(0)) || snap.Eligible(nodeID(99)) {
		t.Error("eligible wrongly")
	}
	picked := snap.PickFor(0, 3, []netx.NodeID{nodeID(1)}) // not eligible, but its domain is taken all the same
	for _, p := range picked {
		if p.ID == nodeID(0) {
			t.Error("a second node of a domain that is taken")
		}
	}
}

// TestChoiceOfTwo compares how often nodes that are worse in one way are picked.
func TestChoiceOfTwo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		make func(dir *Directory, bad []Node)
	}{
		{"near full", func(dir *Directory, bad []Node) {
			for _, n := range bad {
				n.Free = 2 * pieces.MaxPieceSize
				dir.Put(n)
			}
		}},
		{"failing", func(dir *Directory, bad []Node) {
			for range 20 {
				dir.Report(nil, []netx.NodeID{bad[0].URL.ID, bad[1].URL.ID})
			}
		}},
		{"slow", func(dir *Directory, bad []Node) {
			for _, n := range bad {
				for range 50 {
					dir.Observe(n.URL.ID, 3*time.Second)
				}
			}
			dir.Observe(nodeID(777), time.Second) // nobody
		}},
	}
	for _, test := range tests {
		dir := NewDirectory(Options{})
		nodes := network(20, 1)
		dir.Put(nodes...)
		for _, n := range nodes[2:] {
			dir.Observe(n.URL.ID, 20*time.Millisecond)
		}
		test.make(dir, nodes[:2])
		hits := 0
		const rounds = 4000
		for range rounds {
			for _, p := range dir.Snapshot().PickFor(0, 2, nil) {
				if p.ID == nodes[0].URL.ID || p.ID == nodes[1].URL.ID {
					hits++
				}
			}
		}
		if hits == 0 || hits > rounds/10 {
			t.Errorf("%s: picked %d times in %d rounds", test.name, hits, rounds)
		}
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	state := pieces.Healthy
	dir := NewDirectory(Options{Standing: func(id netx.NodeID) (pieces.State, bool) {
		if id == nodeID(0) {
			return state, true
		}
		return pieces.Healthy, true
	}})
	dir.Put(network(3, 1)...)
	for state = pieces.Healthy; state <= pieces.Exited; state++ {
		dir.Rebuild()
		want := 2
		if state == pieces.Healthy {
			want = 3
		}
		if snap := dir.Snapshot(); snap.Domains() != want || snap.Online() != 3 {
			t.Errorf("%s: %d domains, %d online", state, snap.Domains(), snap.Online())
		}
	}
}

// TestVettingShare: in an open network nodes that are not vetted get one piece in twenty; in a small one their share; where
// only they are left, all.
func TestVettingShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fresh := func(nodes, vetted, count int) (share float64, picked int) {
			dir := NewDirectory(Options{Vetting: true, Standing: func(id netx.NodeID) (pieces.State, bool) {
				for i := range vetted {
					if id == nodeID(i) {
						return pieces.Healthy, true
					}
				}
				return pieces.Healthy, false
			}})
			dir.Put(network(nodes, 1)...)
			const rounds = 400
			hits := 0
			for range rounds {
				list := dir.Snapshot().PickFor(0, count, nil)
				seen := make(map[netx.NodeID]bool)
				for _, p := range list {
					if seen[p.ID] {
						t.Fatal("node twice")
					}
					seen[p.ID] = true
				}
				picked = len(list)
				for i := vetted; i < nodes; i++ {
					if seen[nodeID(i)] {
						hits++
					}
				}
			}
			if got := dir.Snapshot().Domains(); got != nodes {
				t.Errorf("%d domains of %d nodes", got, nodes)
			}
			return float64(hits) / float64(rounds*count), picked
		}
		if share, picked := fresh(200, 150, 40); share < 0.04 || share > 0.06 || picked != 40 {
			t.Errorf("large network: %.3f of the pieces, %d picked", share, picked)
		}
		if share, picked := fresh(60, 30, 20); share < 0.4 || share > 0.6 || picked != 20 {
			t.Errorf("small network: %.3f of the pieces, %d picked", share, picked)
		}
		if share, picked := fresh(200, 10, 40); share < 0.7 || picked != 40 {
			t.Errorf("hardly any is vetted: %.3f of the pieces, %d picked", share, picked)
		}
		if _, picked := fresh(120, 119, 120); picked != 120 {
			t.Errorf("all are needed: %d picked", picked)
		}
	})
}

func BenchmarkPickSites(b *testing.B) {
	dir := NewDirectory(Options{})
	dir.Put(sited(200, 200, 200, 200, 200)...)
	dir.SetRules([]Rule{{Number: 1, Name: "sites", DistinctBy: "site"}})
	b.ReportAllocs()
	for b.Loop() {
		if len(dir.Snapshot().PickFor(1, 110, nil)) != 110 {
			b.Fatal("too few")
		}
	}
}
