package segmentio

import "storj/pieces"

// groups counts pieces by the domain in which they would be lost together. Pieces of group 0 have a domain each and are
// not counted: losing one of them is what the scheme is for.
type groups map[uint32]int

func (g groups) add(group uint32) {
	if group != 0 {
		g[group]++
	}
}

// worst returns the group with the most pieces, and how many; 0 when there is none.
func (g groups) worst() (group uint32, count int) {
	for at, n := range g {
		if n > count || n == count && at < group {
			group, count = at, n
		}
	}
	return group, count
}

// secured says whether a segment of count pieces outlives the loss of any one group.
func (u *upload) secured(count int, g groups) bool {
	_, worst := g.worst()
	return worst == 0 || count-worst >= u.req.Redundancy.Required
}

// storedGroups counts the pieces that are stored.
func (u *upload) storedGroups() groups {
	g := make(groups)
	for number := range u.stored {
		g.add(u.groupOf[number])
	}
	return g
}

// expected counts the pieces that are stored or expected to be.
func (u *upload) expected() (count int, g groups) {
	g = u.storedGroups()
	count = len(u.stored)
	for a := range u.active {
		if !a.lagging {
			g.add(a.limit.Group)
			count++
		}
	}
	return count, g
}

// spread starts pieces of other groups than the one that holds too many, as long as that helps. Only uploads under a
// rule with fewer sites than pieces come here.
func (u *upload) spread() {
	for u.grouped {
		count, g := u.expected()
		worst, _ := g.worst()
		if u.secured(count, g) {
			return
		}
		limit, found := u.takeOutside(worst)
		if !found {
			return
		}
		u.start(limit)
	}
}

// takeOutside takes the next limit of another group out of the queue.
func (u *upload) takeOutside(group uint32) (pieces.PieceLimit, bool) {
	for i, limit := range u.queue {
		if _, stored := u.stored[limit.Number]; stored || limit.Group == group {
			continue
		}
		u.queue = append(u.queue[:i:i], u.queue[i+1:]...)
		return limit, true
	}
	return pieces.PieceLimit{}, false
}

// canSpread says whether a piece of another group than the fullest may still come: then optimal is not the end.
func (u *upload) canSpread() bool {
	worst, _ := u.storedGroups().worst()
	for a := range u.active {
		if !a.lagging && a.limit.Group != worst {
			return true
		}
	}
	for _, limit := range u.queue {
		if _, stored := u.stored[limit.Number]; !stored && limit.Group != worst {
			return true
		}
	}
	return false
}
