package repair

import (
	"cmp"
	"context"
	"sync"
	"time"

	"storj/metainfo"
	"storj/netx"
	"storj/pieces"
)

// DefaultLostAfter is how long after its last contact a node's pieces count as missing, if nothing is known of its
// habits. The existing system's 4 hours would repair everything that lies on machines which sleep at night, each night; a
// node that is gone is then noticed 20 hours later. Segments with few pieces in reach do not wait that long, see Endangered.
const DefaultLostAfter = 24 * time.Hour

// Node is what repair must know of a node.
type Node struct {
	ID          netx.NodeID
	URL         netx.NodeURL
	Alias       metainfo.NodeAlias
	State       pieces.State
	Online      bool // in contact: it can be asked
	Eligible    bool // it may take new pieces
	LastContact time.Time
	Patience    time.Duration // without contact, after which its pieces count as missing; 0: ViewOptions.LostAfter
	Domain      string        // failure domain
	Tags        []string      // name=value
}

// Nodes knows the nodes.
type Nodes interface {
	// Nodes returns what is known of every node that ever joined, now.
	Nodes(ctx context.Context) ([]Node, error)
	// Group returns the failure domain of a node under a placement, and whether its pieces may lie there at all.
	Group(placement uint32, n *Node) (domain string, allowed bool)
}

// Condition is what a node's state means for its pieces. The order matters: from fine downward they are better sources.
type Condition uint8

// The conditions.
const (
	Gone        Condition = iota // unknown, exited or disqualified: its pieces do not count, it is not asked
	Quarantined                  // it lost or altered pieces: they do not count, but a verified one is as good as any
	Away                         // no contact for longer than LostAfter
	Suspended                    // it answers audits with errors
	Exiting                      // its pieces are to be moved
	Asleep                       // well, but not in contact
	Fine
)

// Lost says whether pieces of a node in this condition count as missing.
func (c Condition) Lost() bool { return c <= Away }

// ViewOptions says when a node counts as lost.
type ViewOptions struct {
	LostAfter time.Duration
	// Since is when the satellite began to listen: before, nobody could be in contact.
	Since time.Time
	// WasLost says of a node that it was lost when it was last seen; nil: of none.
	WasLost func(netx.NodeID) bool

	// hear says of what is known of all nodes whether it is the satellite that does not hear; nil: never.
	hear func(list []Node, now time.Time) (held, rising bool)
	held bool // its answer: nobody is given up for silence
}

// conditionOf says how a node is.
func (o *ViewOptions) conditionOf(n *Node, now time.Time) Condition {
	switch {
	case n.State == pieces.Disqualified || n.State == pieces.Exited:
		return Gone
	case n.State == pieces.Quarantined:
		return Quarantined
	case !n.Online && o.away(n, now):
		return Away
	case n.State == pieces.Suspended:
		return Suspended
	case n.State == pieces.Exiting:
		return Exiting
	case !n.Online:
		return Asleep
	}
	return Fine
}

func (o *ViewOptions) away(n *Node, now time.Time) bool {
	last, wasLost := n.LastContact, o.WasLost != nil && o.WasLost(n.ID)
	if o.held && !wasLost {
		return false
	}
	if last.After(now) { // by a clock that was ahead: it may have been at any time
		last = o.Since
	}
	if o.Since.After(last) {
		if wasLost {
			return true
		}
		last = o.Since
	}
	return now.Sub(last) > cmp.Or(n.Patience, o.LostAfter)
}

// View is the nodes at one instant. It may be used concurrently.
type View struct {
	At    time.Time
	nodes []*Node // by alias; nil: unknown
	conds []Condition
	ids   map[netx.NodeID]*Node
	known Nodes
	// rising: nodes are just coming back after all were away; how many are in contact means nothing.
	rising bool

	mu     sync.Mutex // guards the field below
	lenses map[uint32]*lens
}

// lens is a view under one placement. It never changes.
type lens struct {
	facts []fact   // by alias
	names []string // of the groups
	live  int      // groups with a node that is not lost
	room  int      // groups with a node that may take pieces
}

// fact is what the judge needs of a node under a placement, small because it is read for each piece.
type fact struct {
	group  uint32 // of the failure domain; from 0
	cond   Condition
	class  Class // of its pieces, unless they are damaged or clumped
	online bool  // it can be asked
}

// NewView asks for all nodes.
func NewView(ctx context.Context, source Nodes, opts ViewOptions) (*View, error) {
	list, err := source.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	highest := metainfo.NodeAlias(0)
	for i := range list {
		highest = max(highest, list[i].Alias)
	}
	v := &View{
		At: time.Now().UTC(), known: source, nodes: make([]*Node, highest+1), conds: make([]Condition, highest+1),
		ids: make(map[netx.NodeID]*Node, len(list)), lenses: make(map[uint32]*lens),
	}
	if opts.hear != nil {
		opts.held, v.rising = opts.hear(list, v.At)
	}
	for i := range list {
		n := &list[i]
		v.ids[n.ID] = n
		v.nodes[n.Alias], v.conds[n.Alias] = n, opts.conditionOf(n, v.At)
	}
	return v, nil
}

// Len is one more than the highest alias.
func (v *View) Len() int { return len(v.nodes) }

// Node returns a node, or nil.
func (v *View) Node(alias metainfo.NodeAlias) *Node {
	if int(alias) >= len(v.nodes) {
		return nil
	}
	return v.nodes[alias]
}

// Condition says how a node is; one that is not known is gone.
func (v *View) Condition(alias metainfo.NodeAlias) Condition {
	if int(alias) >= len(v.conds) {
		return Gone
	}
	return v.conds[alias]
}

// byID returns a node, or nil.
func (v *View) byID(id netx.NodeID) *Node { return v.ids[id] }

// lens returns the view under a placement.
func (v *View) lens(placement uint32) *lens {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.lenses[placement]
	if l == nil {
		l = v.newLens(placement)
		v.lenses[placement] = l
	}
	return l
}

func (v *View) newLens(placement uint32) *lens {
	l := &lens{facts: make([]fact, len(v.nodes))}
	index := make(map[string]uint32)
	live, room := make(map[uint32]bool), make(map[uint32]bool)
	for alias, n := range v.nodes {
		cond := v.conds[alias]
		l.facts[alias] = fact{cond: cond, class: Missing}
		if n == nil {
			continue
		}
		domain, allowed := v.known.Group(placement, n)
		group, known := index[domain]
		if !known {
			group = uint32(len(l.names))
			index[domain] = group
			l.names = append(l.names, domain)
		}
		l.facts[alias] = fact{group: group, cond: cond, class: classOf(cond, allowed), online: n.Online && cond != Gone}
		if allowed && !cond.Lost() {
			live[group] = true
		}
		if allowed && n.Eligible {
			room[group] = true
		}
	}
	l.live, l.room = len(live), len(room)
	return l
}

// classOf is the class of a piece for what its node is.
func classOf(cond Condition, allowed bool) Class {
	switch {
	case cond.Lost():
		return Missing
	case cond == Suspended:
		return OnSuspended
	case cond == Exiting:
		return OnExiting
	case !allowed:
		return OutOfPlacement
	}
	return Healthy
}

// share is the most pieces of a segment that may lie in one domain: one, unless there are fewer domains than pieces.
func (l *lens) share(wanted int) int {
	if l.live == 0 {
		return wanted
	}
	return (wanted + l.live - 1) / l.live
}
