package bandwidth

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"storj/netx"
	"storj/pieces"
)

// ErrMonth is returned when the node has moved what its owner allows in a month.
var ErrMonth = netx.Sentinel(netx.Exhausted, 180, "node has moved what its owner allows this month")

const (
	// burst is the least that the bucket holds, in bytes: two chunks of the piece protocol.
	burst = 256 << 10
	// burstTime is how much of the rate may come at once.
	burstTime = 250 * time.Millisecond
	// uploadPart is which part of the month's cap uploads may use up, in percent.
	uploadPart = 95
	minuteFine = time.Second
)

// Span is a rate for some hours of each day, by the clock on the wall. End at or before Start goes past midnight.
type Span struct {
	Start, End time.Duration // since midnight, below 24 h; End may be 24 h
	Rate       int64         // bytes a second; 0: no limit
}

// Options of New; the zero value limits nothing.
type Options struct {
	Rate     int64          // bytes a second, both directions together; 0: no limit
	Schedule []Span         // first that fits the hour; none: Rate
	Location *time.Location // of the schedule; nil: local time
	Monthly  int64          // bytes a calendar month, both directions together; 0: no cap
	Used     func() int64   // bytes moved this month; needed with Monthly
	Now      func() time.Time
}

// Gate limits operations. Its zero value is not ready.
type Gate struct {
	opts    Options
	limiter *rate.Limiter

	mu     sync.Mutex // guards the fields below
	rate   int64      // that the limiter has
	looked time.Time
}

// New makes a Gate.
func New(opts Options) *Gate {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Location == nil {
		opts.Location = time.Local
	}
	g := &Gate{opts: opts, limiter: rate.NewLimiter(rate.Inf, burst)}
	g.turn(opts.Now())
	return g
}

// RateAt is the rate at an instant in bytes a second; 0: no limit.
func (g *Gate) RateAt(at time.Time) int64 {
	local := at.In(g.opts.Location)
	sinceMidnight := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute +
		time.Duration(local.Second())*time.Second
	for _, span := range g.opts.Schedule {
		if span.covers(sinceMidnight) {
			return span.Rate
		}
	}
	return g.opts.Rate
}

func (s Span) covers(at time.Duration) bool {
	if s.Start < s.End {
		return at >= s.Start && at < s.End
	}
	return at >= s.Start || at < s.End
}

// Admit implements piecenode.Throttle. Errors: ErrMonth.
func (g *Gate) Admit(action pieces.Action) error {
	if g.opts.Monthly == 0 {
		return nil
	}
	switch used := g.opts.Used(); {
	case action.IsPut() && g.full(used), action == pieces.ActionGet && used >= g.opts.Monthly:
		return ErrMonth
	}
	return nil
}

// Full says whether uploads are refused for the rest of the month.
func (g *Gate) Full() bool { return g.opts.Monthly != 0 && g.full(g.opts.Used()) }

func (g *Gate) full(used int64) bool { return used >= g.opts.Monthly/100*uploadPart }

// Wait implements piecenode.Throttle: it waits for the turn of n bytes. Errors: the context's.
func (g *Gate) Wait(ctx context.Context, n int) error {
	if g.opts.Rate == 0 && len(g.opts.Schedule) == 0 {
		return nil
	}
	now := g.opts.Now()
	g.turn(now)
	for n > 0 {
		step := min(n, burst)
		if err := g.limiter.WaitN(ctx, step); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return netx.ErrTimeout // the deadline comes before the turn
		}
		n -= step
	}
	return nil
}

// turn sets the rate of the hour.
func (g *Gate) turn(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if since := now.Sub(g.looked); since >= 0 && since < minuteFine {
		return
	}
	first := g.looked.IsZero()
	g.looked = now
	next := g.RateAt(now)
	if next == g.rate && !first {
		return
	}
	g.rate = next
	if next == 0 {
		g.limiter.SetLimit(rate.Inf)
		return
	}
	g.limiter.SetBurst(int(max(burst, int64(float64(next)*burstTime.Seconds()))))
	g.limiter.SetLimit(rate.Limit(next))
}

// Status is what the gate lets through.
type Status struct {
	Rate    int64 // now, bytes a second; 0: no limit
	Monthly int64 // bytes; 0: no cap
	Used    int64 // this month; 0 without a cap
}

// Status describes the gate.
func (g *Gate) Status() Status {
	s := Status{Rate: g.RateAt(g.opts.Now()), Monthly: g.opts.Monthly}
	if s.Monthly != 0 {
		s.Used = g.opts.Used()
	}
	return s
}
