package placement

import (
	"hash/fnv"
	"sync"

	"storj/netx"
)

// Snapshot is one state of a Directory.
type Snapshot struct {
	byID   map[netx.NodeID]*entry
	online int
	views  map[uint32]*view // by number of the rule; 0 is always there
}

// entry is a node in a snapshot. It does not change.
type entry struct {
	url      netx.NodeURL
	tags     []string
	domain   int32 // number of its failure domain in this snapshot
	online   bool
	eligible bool // it takes pieces
	nearFull bool
	fresh    bool // not vetted, in a network that vets
	score    *score
}

// better says whether e is a better choice than other.
func (e *entry) better(other *entry) bool {
	if e.nearFull != other.nearFull {
		return other.nearFull
	}
	if a, b := e.score.level(), other.score.level(); a != b {
		return a > b
	}
	return e.score.pace() < other.score.pace()
}

// unit is the eligible nodes of one failure domain: at most one of them takes a piece of a segment.
type unit struct {
	domain int32
	nodes  []*entry
}

// view is a snapshot as one rule allows it.
type view struct {
	rule    *Rule
	domains int    // with an eligible node
	units   []unit // no empty ones
	fresh   []unit // of nodes that are not vetted
	sites   []site // of a rule with DistinctBy; their units are those of the view
	usable  int    // sites with an eligible node
	siteOf  map[string]int
	orders  sync.Pool // *[]uint32, each a permutation of the indices of units
}

// site is the units that share a value of the rule's tag.
type site struct {
	group uint32
	units []unit
}

func newSnapshot(nodes map[netx.NodeID]Node, rules []Rule, judge func(Node) entry) *Snapshot {
	s := &Snapshot{byID: make(map[netx.NodeID]*entry, len(nodes)), views: make(map[uint32]*view, len(rules))}
	entries := make([]entry, 0, len(nodes)) // one allocation; never grows, so pointers stay
	domains := make(map[string]int32)
	for id, node := range nodes {
		entries = append(entries, judge(node))
		e := &entries[len(entries)-1]
		number, known := domains[node.Domain]
		if !known {
			number = int32(len(domains))
			domains[node.Domain] = number
		}
		e.domain = number
		s.byID[id] = e
		if e.online {
			s.online++
		}
	}
	for i := range rules {
		s.views[rules[i].Number] = newView(&rules[i], entries, len(domains))
	}
	return s
}

func newView(rule *Rule, entries []entry, domains int) *view {
	v := &view{rule: rule}
	index := newIndex(domains)
	if rule.DistinctBy == "" {
		vetted, fresh := collector{at: index}, collector{at: newIndex(domains)}
		for i := range entries {
			switch e := &entries[i]; {
			case !e.eligible || !rule.Allows(e.tags):
			case e.fresh:
				fresh.add(e)
			default:
				vetted.add(e)
			}
		}
		v.units, v.fresh, v.domains = vetted.units, fresh.units, len(vetted.units)
		for _, u := range fresh.units {
			if vetted.at[u.domain] == 0 {
				v.domains++
			}
		}
		return v
	}
	v.gatherSites(entries)
	return v
}

// gatherSites sorts the nodes of a rule with DistinctBy by site and domain.
func (v *view) gatherSites(entries []entry) {
	v.siteOf = make(map[string]int)
	var bySite []map[int32]*unit
	for i := range entries {
		e := &entries[i]
		if !v.rule.Allows(e.tags) {
			continue
		}
		value := TagValue(e.tags, v.rule.DistinctBy)
		at, known := v.siteOf[value]
		if !known {
			at = len(v.sites)
			v.siteOf[value] = at
			v.sites = append(v.sites, site{group: groupOf(value)})
			bySite = append(bySite, make(map[int32]*unit))
		}
		if !e.eligible {
			continue
		}
		u := bySite[at][e.domain]
		if u == nil {
			u = &unit{domain: e.domain}
			bySite[at][e.domain] = u
		}
		u.nodes = append(u.nodes, e)
	}
	for at, units := range bySite {
		for _, u := range units {
			v.sites[at].units = append(v.sites[at].units, *u)
			v.units = append(v.units, *u)
		}
		if len(units) > 0 {
			v.usable++
		}
	}
	v.domains = len(v.units)
}

// collector puts nodes into units by domain.
type collector struct {
	units []unit
	at    []int32 // by domain, index into units plus one
}

func newIndex(domains int) []int32 { return make([]int32, domains) }

func (c *collector) add(e *entry) {
	at := c.at[e.domain]
	if at == 0 {
		c.units = append(c.units, unit{domain: e.domain})
		at = int32(len(c.units))
		c.at[e.domain] = at
	}
	u := &c.units[at-1]
	u.nodes = append(u.nodes, e)
}

// groupOf names a site by a number other than 0, the same in every snapshot.
func groupOf(value string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(value)) // never fails
	return max(h.Sum32(), 1)
}

// Domains is the number of failure domains with a node that may be picked.
func (s *Snapshot) Domains() int { return s.DomainsFor(0) }

// DomainsFor is the number of failure domains with a node that may be picked under a rule; 0 for a rule that
// is not known.
func (s *Snapshot) DomainsFor(rule uint32) int {
	v := s.views[rule]
	if v == nil {
		return 0
	}
	return v.domains
}

// Len is the number of nodes known, Online that of those in contact.
func (s *Snapshot) Len() int { return len(s.byID) }

// Online is the number of nodes in contact.
func (s *Snapshot) Online() int { return s.online }

// Node says where a node is and whether it is in contact.
func (s *Snapshot) Node(id netx.NodeID) (url netx.NodeURL, online, known bool) {
	e := s.byID[id]
	if e == nil {
		return netx.NodeURL{}, false, false
	}
	return e.url, e.online, true
}

// Eligible says whether a node takes new pieces.
func (s *Snapshot) Eligible(id netx.NodeID) bool {
	e := s.byID[id]
	return e != nil && e.eligible
}

// Rule returns a rule. Known is false for a number that the owner has not defined.
func (s *Snapshot) Rule(number uint32) (rule Rule, known bool) {
	v := s.views[number]
	if v == nil {
		return Rule{}, false
	}
	return *v.rule, true
}

// Place is where a node stands under a rule.
type Place struct {
	Allowed bool   // the rule lets it have pieces
	Group   uint32 // pieces with one Group would be lost together: its failure domain, or its site under DistinctBy; never 0
	Most    int    // how many pieces of a segment of that many in all may have the node's Group
}

// Place says where a node stands under a rule, whether it is in contact or not. A node that is not known is not allowed;
// a rule that is not known allows nobody.
func (s *Snapshot) Place(rule uint32, id netx.NodeID, pieces int) Place {
	e, v := s.byID[id], s.views[rule]
	if e == nil || v == nil || !v.rule.Allows(e.tags) {
		return Place{}
	}
	if v.rule.DistinctBy == "" {
		return Place{Allowed: true, Group: uint32(e.domain) + 1, Most: 1}
	}
	sites := max(v.usable, 1)
	value := TagValue(e.tags, v.rule.DistinctBy)
	return Place{Allowed: true, Group: groupOf(value), Most: (pieces + sites - 1) / sites}
}
