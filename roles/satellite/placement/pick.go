package placement

import (
	"math/rand/v2"

	"storj/netx"
)

// Picked is a node to take a piece, and the group of its failure domain: 0 for a domain of its own.
type Picked struct {
	netx.NodeURL
	Group uint32
}

// Pick is PickFor under the default rule.
func (s *Snapshot) Pick(count int, exclude []netx.NodeID) []netx.NodeURL {
	picked := s.PickFor(0, count, exclude)
	urls := make([]netx.NodeURL, len(picked))
	for i := range picked {
		urls[i] = picked[i].NodeURL
	}
	return urls
}

// PickFor returns up to count nodes that the rule allows, each of another failure domain, none of a domain of the
// excluded nodes. Domains are drawn at random with equal chances; of two draws the better node is taken. Fewer are
// returned where there are fewer.
//
// Under DistinctBy, those sites come first that have the fewest of the picked and the excluded.
func (s *Snapshot) PickFor(rule uint32, count int, exclude []netx.NodeID) []Picked {
	v := s.views[rule]
	if v == nil || count <= 0 {
		return nil
	}
	banned := s.domainsOf(exclude)
	if v.rule.DistinctBy != "" {
		return v.pickSites(count, banned, s.takenSites(v, exclude))
	}
	fresh := 0
	if len(v.fresh) > 0 {
		fresh = freshShare(count)
	}
	picked := v.pick(make([]Picked, 0, min(count, len(v.units)+len(v.fresh))), count-fresh, banned)
	if len(v.fresh) == 0 {
		return picked
	}
	for _, p := range picked {
		if banned == nil {
			banned = make(map[int32]bool)
		}
		banned[s.byID[p.ID].domain] = true
	}
	picked = append(picked, drawUnits(nil, count-len(picked), v.fresh, banned)...)
	for _, p := range picked {
		banned[s.byID[p.ID].domain] = true
	}
	return append(picked, drawUnits(nil, count-len(picked), v.units, banned)...)
}

// freshShare is how many of count pieces go to nodes that are not vetted: one in twenty on average. Source: the 5 % of
// the existing system's design; its 1 % of today keeps a node in vetting for months.
func freshShare(count int) int { return (count + rand.IntN(20)) / 20 }

// domainsOf returns the domains of nodes; nil when there are none.
func (s *Snapshot) domainsOf(nodes []netx.NodeID) map[int32]bool {
	if len(nodes) == 0 {
		return nil
	}
	domains := make(map[int32]bool, len(nodes))
	for _, id := range nodes {
		if e := s.byID[id]; e != nil {
			domains[e.domain] = true
		}
	}
	return domains
}

// pick draws from the vetted units, on a borrowed permutation: nothing is copied.
func (v *view) pick(picked []Picked, count int, banned map[int32]bool) []Picked {
	order := v.borrow()
	defer v.orders.Put(order)
	left := *order
	if len(banned) > 0 {
		kept := 0
		for i, at := range left {
			if !banned[v.units[at].domain] {
				left[kept], left[i] = left[i], left[kept]
				kept++
			}
		}
		left = left[:kept]
	}
	for range min(count, len(left)) {
		a, b := rand.IntN(len(left)), rand.IntN(len(left))
		node, other := v.units[left[a]].draw(), v.units[left[b]].draw()
		if other.better(node) {
			a, node = b, other
		}
		picked = append(picked, Picked{NodeURL: node.url})
		left[0], left[a] = left[a], left[0]
		left = left[1:]
	}
	return picked
}

// borrow returns a permutation of all units; which one does not matter, since every draw is random.
func (v *view) borrow() *[]uint32 {
	if order, ok := v.orders.Get().(*[]uint32); ok {
		return order
	}
	order := make([]uint32, len(v.units))
	for i := range order {
		order[i] = uint32(i)
	}
	return &order
}

// drawUnits draws from units that are not banned; they are copied.
func drawUnits(picked []Picked, count int, units []unit, banned map[int32]bool) []Picked {
	if count <= 0 {
		return picked
	}
	left := make([]unit, 0, len(units))
	for _, u := range units {
		if !banned[u.domain] {
			left = append(left, u)
		}
	}
	for range min(count, len(left)) {
		var node *entry
		node, left = drawOne(left)
		picked = append(picked, Picked{NodeURL: node.url})
	}
	return picked
}

// drawOne takes the better of two draws out of the units, of which there is at least one.
func drawOne(left []unit) (*entry, []unit) {
	a, b := rand.IntN(len(left)), rand.IntN(len(left))
	node, other := left[a].draw(), left[b].draw()
	if other.better(node) {
		a, node = b, other
	}
	left[a] = left[len(left)-1]
	return node, left[:len(left)-1]
}

func (u *unit) draw() *entry {
	if len(u.nodes) == 1 {
		return u.nodes[0]
	}
	return u.nodes[rand.IntN(len(u.nodes))]
}

// takenSites counts the excluded nodes of each site.
func (s *Snapshot) takenSites(v *view, exclude []netx.NodeID) []int {
	taken := make([]int, len(v.sites))
	for _, id := range exclude {
		if e := s.byID[id]; e != nil {
			if at, known := v.siteOf[TagValue(e.tags, v.rule.DistinctBy)]; known {
				taken[at]++
			}
		}
	}
	return taken
}

// pickSites spreads nodes evenly over sites.
func (v *view) pickSites(count int, banned map[int32]bool, taken []int) []Picked {
	left := make([][]unit, len(v.sites))
	open := 0
	for i, site := range v.sites {
		for _, u := range site.units {
			if !banned[u.domain] {
				left[i] = append(left[i], u)
			}
		}
		open += len(left[i])
	}
	if v.usable < v.rule.MinSites {
		return nil
	}
	picked := make([]Picked, 0, min(count, open))
	chosen := make(map[int32]bool, cap(picked))
	for len(picked) < count {
		at := emptiest(left, taken)
		if at < 0 {
			break
		}
		var node *entry
		node, left[at] = drawOne(left[at])
		if chosen[node.domain] {
			continue // a domain that lies in two sites
		}
		chosen[node.domain] = true
		taken[at]++
		picked = append(picked, Picked{NodeURL: node.url, Group: v.sites[at].group})
	}
	return picked
}

// emptiest returns the site with the fewest taken of those that have a unit left, at random among equals; -1: none has.
func emptiest(left [][]unit, taken []int) int {
	best, equals := -1, 0
	for i := range left {
		switch {
		case len(left[i]) == 0:
		case best < 0 || taken[i] < taken[best]:
			best, equals = i, 1
		case taken[i] == taken[best]:
			if equals++; rand.IntN(equals) == 0 {
				best = i
			}
		}
	}
	return best
}
