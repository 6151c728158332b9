package repair

import (
	"sync"
	"time"

	"storj/netx"
	"storj/pieces"
)

const (
	// outageMost is how long nodes are not given up while more than half of those that were in contact are gone at once:
	// then it is the satellite's own line, or the network's. Source: the same rule of package reputation.
	outageMost = 24 * time.Hour
	// outageDoubt is how long at first, and riseDoubt how long after a node came back, few pieces in reach are no reason for
	// a repair then: the nodes come back one by one, and each segment would be rebuilt from the first of them.
	outageDoubt = time.Hour
	riseDoubt   = 30 * time.Minute
	// usualFor is how long the most nodes in contact at a time are remembered.
	usualFor = 6 * time.Hour
)

// hearing tells whether the satellite hears its nodes. All methods may be called concurrently.
type hearing struct {
	wasLost func(netx.NodeID) bool
	note    func(began bool, online, usual int) // of an outage; called without the lock

	mu      sync.Mutex // guards the fields below
	usual   int        // nodes in contact, the most of late
	usualAt time.Time
	online  int       // at the last look
	rose    time.Time // when it grew last
	outage  time.Time // since when more than half are gone; zero: they are not
}

// look takes what is known of nodes. held: no node is given up for its silence; rising: nor does it matter how many
// pieces are in reach.
func (h *hearing) look(list []Node, now time.Time) (held, rising bool) {
	online, known := 0, 0
	for i := range list {
		n := &list[i]
		if n.State == pieces.Disqualified || n.State == pieces.Exited {
			continue
		}
		if n.Online {
			online++
		}
		if !h.wasLost(n.ID) {
			known++
		}
	}
	h.mu.Lock()
	if h.usualAt.IsZero() {
		h.usual, h.usualAt, h.online = known, now, online // as it was before the start
	}
	if online > h.online {
		h.rose = now
		if h.online == 0 && !h.outage.IsZero() {
			h.outage = now // until now nobody could come back
		}
	}
	h.online = online
	was, usual := h.outage, h.usual
	h.judge(online, now)
	held = !h.outage.IsZero()
	rising = held && (now.Sub(h.outage) < outageDoubt || now.Sub(h.rose) < riseDoubt)
	h.mu.Unlock()
	if held != !was.IsZero() {
		h.note(held, online, usual)
	}
	return held, rising
}

// judge begins or ends an outage. It ends when nine in ten are back, or, if anybody is there at all, after outageMost.
func (h *hearing) judge(online int, now time.Time) {
	switch {
	case h.outage.IsZero() && 2*online < h.usual:
		h.outage = now
	case h.outage.IsZero() && online < h.usual && now.Sub(h.usualAt) < usualFor:
	case h.outage.IsZero(), 10*online >= 9*h.usual, online > 0 && now.Sub(h.outage) >= outageMost:
		h.outage, h.usual, h.usualAt = time.Time{}, online, now
	}
}
