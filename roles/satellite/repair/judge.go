package repair

import (
	"time"

	"storj/ecenc"
	"storj/metainfo"
)

// Class is the state of a piece.
type Class uint8

// The classes. A piece that is not healthy does not count towards the repair threshold.
const (
	Healthy        Class = iota
	Missing              // its node is lost
	Damaged              // its node reported it, or did not have it when asked
	OnSuspended          // its node is suspended
	Clumped              // another piece lies in the same failure domain
	OnExiting            // its node exits
	OutOfPlacement       // the placement does not allow its node
	classes
)

// String names the class.
func (c Class) String() string {
	names := [classes]string{"healthy", "missing", "damaged", "suspended", "clumped", "exiting", "out of placement"}
	if c < classes {
		return names[c]
	}
	return "unknown"
}

// Reason is why a segment is to be worked on.
type Reason uint8

// The reasons, the worst first.
const (
	None        Reason = iota
	Irreparable        // fewer pieces than required can be had
	Endangered         // so few pieces are in reach that waiting for sleeping nodes is a risk
	Few                // healthy pieces are at or below the repair threshold
	Rotten             // a node reported a piece as damaged
	Underfull          // stored with fewer pieces than wanted, because nodes were missing then
	Move               // pieces of an exiting node, or at a place that is not allowed
	reasons
)

// String names the reason.
func (r Reason) String() string {
	names := [reasons]string{"none", "irreparable", "endangered", "few", "damaged", "underfull", "move"}
	if r < reasons {
		return names[r]
	}
	return "unknown"
}

// underfullAge is how long after it was stored a segment is filled up. Later it has lost pieces like others, and waits
// for the threshold like others.
const underfullAge = 7 * 24 * time.Hour

// piece is what is thought of one piece of a segment, in the order of its record.
type piece struct {
	metainfo.Piece
	fact
}

// Verdict is what is thought of a segment.
type Verdict struct {
	Reason  Reason
	Healthy int // pieces of class Healthy
	Reach   int // of them, on nodes in contact
	Sources int // pieces of any class that could be read now
	Hope    int // and those whose nodes may come back
	Classes [classes]int
}

// Below says whether a segment has fewer pieces than it should and the network could hold more.
func (v *Verdict) Below(r, room int) bool { return v.Healthy < min(r, room) }

// judge looks at segments. It is used by one goroutine.
type judge struct {
	view   *View
	damage *damageView // nil: none is known

	placement uint32
	lens      *lens
	groups    []groupCount // by group of the lens
	stamp     uint32
	pieces    []piece // of the segment looked at last

	matched map[damageKey]bool // damaged pieces that belong to a segment; nil: they are not noted
}

// groupCount counts pieces of the segment with this stamp.
type groupCount struct {
	stamp uint32
	count uint32
}

func newJudge(view *View, damage *damageView) *judge {
	j := &judge{view: view, damage: damage}
	j.focus(0)
	return j
}

func (j *judge) focus(placement uint32) {
	j.placement, j.lens = placement, j.view.lens(placement)
	j.groups, j.stamp = make([]groupCount, len(j.lens.names)+1), 0
}

// look judges a remote segment and leaves its pieces in j.pieces.
func (j *judge) look(s *metainfo.Segment) Verdict {
	if s.Placement != j.placement {
		j.focus(s.Placement)
	}
	if j.stamp++; j.stamp == 0 { // once in 4 billion segments
		clear(j.groups)
		j.stamp = 1
	}
	r := &s.Redundancy
	share := uint32(j.lens.share(max(len(s.Pieces), r.Optimal)))
	var v Verdict
	if cap(j.pieces) < len(s.Pieces) {
		j.pieces = make([]piece, len(s.Pieces), 2*len(s.Pieces))
	}
	j.pieces = j.pieces[:len(s.Pieces)]
	facts := j.lens.facts
	for i, at := range s.Pieces {
		p := &j.pieces[i]
		*p = piece{Piece: at, fact: fact{class: Missing}}
		if int(at.Alias) < len(facts) {
			p.fact = facts[at.Alias]
		}
		if p.class == Healthy {
			if g := &j.groups[p.group]; g.stamp != j.stamp {
				*g = groupCount{stamp: j.stamp, count: 1}
			} else if g.count++; g.count > share {
				p.class = Clumped
			}
		}
		if j.damage != nil {
			j.lookForDamage(s, p)
		}
		v.count(p)
	}
	v.Healthy = v.Classes[Healthy]
	v.Reason = j.reason(s, &v)
	return v
}

// count adds a piece.
func (v *Verdict) count(p *piece) {
	v.Classes[p.class]++
	if p.class == Damaged || p.cond == Gone {
		return
	}
	v.Hope++
	if p.online {
		v.Sources++
		if p.class == Healthy {
			v.Reach++
		}
	}
}

// lookForDamage overrules the class of a piece that was reported, and frees its place in its domain.
func (j *judge) lookForDamage(s *metainfo.Segment, p *piece) {
	id, damaged := j.damage.find(j.view, s, p.Piece)
	if !damaged {
		return
	}
	if p.class == Healthy {
		j.groups[p.group].count--
	}
	p.class = Damaged
	if j.matched != nil {
		j.matched[damageKey{j.view.nodes[p.Alias].ID, id}] = true
	}
}

func (j *judge) reason(s *metainfo.Segment, v *Verdict) Reason {
	r := &s.Redundancy
	switch {
	case v.Sources < r.Required:
		return Irreparable
	case v.Healthy <= r.Repair && v.Healthy < r.Optimal:
		return Few
	case v.Reach <= danger(r.Required, r.Repair) && v.Reach < r.Optimal && !j.view.rising:
		return Endangered
	case v.Classes[OnExiting]+v.Classes[OutOfPlacement] > 0:
		return Move
	case v.Classes[Damaged] > 0:
		return Rotten
	case len(s.Pieces) < r.Optimal && s.Repaired.IsZero() && j.view.At.Sub(s.Created) < underfullAge &&
		v.Below(r.Optimal, j.lens.room):
		return Underfull
	}
	return None
}

// danger is the number of pieces in reach at or below which a segment is not left waiting for nodes that sleep: half way
// between what rebuilds it and what queues it.
func danger(required, repair int) int { return required + (repair-required)/2 }

// Judge looks at segments, for other observers of the loop. It is used by one goroutine.
type Judge struct{ j *judge }

// NewJudge returns a judge under a view; no piece is damaged.
func NewJudge(view *View) *Judge { return &Judge{newJudge(view, nil)} }

// NewJudge returns a judge under a view, with the damage that is known now.
func (s *Service) NewJudge(view *View) *Judge { return &Judge{newJudge(view, s.damage.snapshot(view))} }

// Look judges a remote segment.
func (j *Judge) Look(s *metainfo.Segment) Verdict { return j.j.look(s) }

// Healthy appends the nodes of the healthy pieces of the segment that was looked at last to dst.
func (j *Judge) Healthy(dst []metainfo.NodeAlias) []metainfo.NodeAlias {
	for i := range j.j.pieces {
		if p := &j.j.pieces[i]; p.class == Healthy {
			dst = append(dst, p.Alias)
		}
	}
	return dst
}

// Danger is the number of pieces at or below which a segment is endangered: half way between what rebuilds it and what
// queues it.
func Danger(r *ecenc.Redundancy) int { return danger(r.Required, r.Repair) }
