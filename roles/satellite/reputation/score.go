package reputation

import (
	"math"
	"time"
)

// Source: the defaults of the existing system (features rows O20 to O23).
const (
	auditLambda   = 0.999
	auditAlpha    = 1000
	unknownLambda = 0.95
	unknownAlpha  = 1

	// QuarantineScore is the audit score at or under which a node is quarantined: ten failures in a row.
	QuarantineScore = 0.99
	// DisqualifyScore is the audit score at or under which a quarantine ends with disqualification.
	DisqualifyScore = 0.96
	// SuspendScore is the unknown score at or under which a node is suspended.
	SuspendScore = 0.6
	// minUnknown is how much there must be against a node that is new: two broken answers and a third, as they fade. Without
	// it the first one would suspend it, and a small network has no node to spare.
	minUnknown = 2.5
	// OfflineScore is the online score under which a node is offline.
	OfflineScore = 0.6

	// Window is the unit of the online score, History how many are kept: 30 days.
	Window  = 12 * time.Hour
	History = 60
)

// beta is a score of successes and failures that forgets.
type beta struct{ alpha, beta float64 }

func newAudit() beta   { return beta{alpha: auditAlpha} }
func newUnknown() beta { return beta{alpha: unknownAlpha} }

// add turns what was by lambda and adds one observation.
func (b *beta) add(good bool, lambda float64) {
	b.alpha, b.beta = b.alpha*lambda, b.beta*lambda
	if good {
		b.alpha++
	} else {
		b.beta++
	}
}

func (b beta) score() float64 { return b.alpha / (b.alpha + b.beta) }

// valid says whether a stored score can be one.
func (b beta) valid() bool {
	return b.alpha >= 0 && b.beta >= 0 && b.alpha+b.beta > 0 && !math.IsInf(b.alpha+b.beta, 0)
}

// cell counts the samples of one window.
type cell struct{ online, total uint8 }

// contact is a node's samples: the last History windows and the one that runs.
type contact struct {
	window int64         // number of the window that runs, Unix time / Window; 0: none yet
	cells  [History]cell // of window w at w % History; the one that runs is kept apart
	now    cell          // the window that runs
	score  float64       // of the complete windows
	habit  time.Duration // the usual longest absence
	away   time.Time     // since when it is out of contact; zero: it is not
}

func windowAt(t time.Time) int64 { return t.Unix() / int64(Window/time.Second) }

// roll begins the window of an instant, if it has not begun. It says whether it did.
func (c *contact) roll(at time.Time) bool {
	window := windowAt(at)
	if window <= c.window {
		return false
	}
	if c.window != 0 {
		c.cells[c.window%History] = c.now
		for w := max(c.window+1, window-History); w < window; w++ {
			c.cells[w%History] = cell{} // nobody looked
		}
		c.habit -= c.habit / 32 * time.Duration(min(window-c.window, 32))
	}
	c.window, c.now = window, cell{}
	c.score = c.measure()
	return true
}

// measure is the mean over all windows; those without a sample count as online.
func (c *contact) measure() float64 {
	sum := 0.0
	for _, cell := range c.cells {
		if cell.total == 0 {
			sum++
		} else {
			sum += float64(cell.online) / float64(cell.total)
		}
	}
	return sum / History
}

// sample counts whether the node is in contact. last is when it was heard of.
func (c *contact) sample(online bool, last, at time.Time) {
	if c.now.total < math.MaxUint8 {
		c.now.total++
		if online {
			c.now.online++
		}
	}
	switch {
	case online:
		c.seen(at)
	case c.away.IsZero() && !last.IsZero():
		c.away = last
	case c.away.IsZero():
		c.away = at
	}
}

// seen ends an absence and learns from it. It says whether there was one.
func (c *contact) seen(at time.Time) bool {
	if c.away.IsZero() {
		return false
	}
	absence := at.Sub(c.away)
	c.habit = max(absence, c.habit-c.habit/8)
	c.away = time.Time{}
	return true
}

const (
	// MinPatience is the least that Patience is. Source: row O6, the online window of the existing system.
	MinPatience = 4 * time.Hour
	// MaxPatience is the most.
	MaxPatience = 24 * time.Hour
)

// patience is how long the node may be away before it is missed.
func (c *contact) patience() time.Duration {
	return min(max(MinPatience, c.habit*3/2), MaxPatience)
}
