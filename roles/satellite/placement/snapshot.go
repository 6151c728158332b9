package placement

import (
	"math/rand/v2"
	"sync"

	"storj/netx"
)

// Snapshot is one state of a Directory.
type Snapshot struct {
	byID    map[netx.NodeID]*entry
	domains [][]*entry // eligible nodes by domain; no empty ones
	online  int
	orders  sync.Pool // *[]uint32, each a permutation of the domains' indices
}

type entry struct {
	url    netx.NodeURL
	domain int // index into domains; -1: not eligible
	online bool
	score  *score
}

func newSnapshot(nodes map[netx.NodeID]Node, scores map[netx.NodeID]*score, state func(Node) (online, eligible bool)) *Snapshot {
	s := &Snapshot{byID: make(map[netx.NodeID]*entry, len(nodes))}
	entries := make([]entry, 0, len(nodes)) // one allocation; never grows, so pointers stay
	index := make(map[string]int)
	for id, node := range nodes {
		online, eligible := state(node)
		entries = append(entries, entry{url: node.URL, domain: -1, online: online, score: scores[id]})
		e := &entries[len(entries)-1]
		s.byID[id] = e
		if online {
			s.online++
		}
		if !eligible {
			continue
		}
		at, known := index[node.Domain]
		if !known {
			at = len(s.domains)
			index[node.Domain] = at
			s.domains = append(s.domains, nil)
		}
		e.domain = at
		s.domains[at] = append(s.domains[at], e)
	}
	return s
}

// Domains is the number of failure domains with a node that may be picked.
func (s *Snapshot) Domains() int { return len(s.domains) }

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

// Pick returns up to count nodes, each of another failure domain, none of a domain of the excluded nodes. Domains are
// drawn at random with equal chances; of two draws the node that did better lately is taken. Fewer are returned where
// there are fewer.
func (s *Snapshot) Pick(count int, exclude []netx.NodeID) []netx.NodeURL {
	count = min(count, len(s.domains))
	if count <= 0 {
		return nil
	}
	order := s.borrow()
	defer s.orders.Put(order)
	left := s.setAside(*order, exclude)
	picked := make([]netx.NodeURL, 0, min(count, len(left)))
	for len(picked) < cap(picked) {
		a, b := rand.IntN(len(left)), rand.IntN(len(left))
		node, other := s.draw(left[a]), s.draw(left[b])
		if other.score.level() > node.score.level() {
			a, node = b, other
		}
		picked = append(picked, node.url)
		left[0], left[a] = left[a], left[0]
		left = left[1:]
	}
	return picked
}

// borrow returns a permutation of all domains; which one does not matter, since every draw is random.
func (s *Snapshot) borrow() *[]uint32 {
	if order, ok := s.orders.Get().(*[]uint32); ok {
		return order
	}
	order := make([]uint32, len(s.domains))
	for i := range order {
		order[i] = uint32(i)
	}
	return &order
}

// setAside moves the domains of the excluded nodes to the end and returns what is before them.
func (s *Snapshot) setAside(order []uint32, exclude []netx.NodeID) []uint32 {
	if len(exclude) == 0 {
		return order
	}
	banned := make(map[uint32]bool, len(exclude))
	for _, id := range exclude {
		if e := s.byID[id]; e != nil && e.domain >= 0 {
			banned[uint32(e.domain)] = true
		}
	}
	if len(banned) == 0 {
		return order
	}
	kept := 0
	for i, domain := range order {
		if !banned[domain] {
			order[kept], order[i] = order[i], order[kept]
			kept++
		}
	}
	return order[:kept]
}

func (s *Snapshot) draw(domain uint32) *entry {
	nodes := s.domains[domain]
	if len(nodes) == 1 {
		return nodes[0]
	}
	return nodes[rand.IntN(len(nodes))]
}
