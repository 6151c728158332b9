package care

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"storj/metainfo/kv"
	"storj/pieces"
)

const (
	// MaxJump is how far the clock may be ahead of where it should be before deletions are held.
	MaxJump = 24 * time.Hour
	// MaxSkew is how far the median of nodes' clocks may be from the satellite's to confirm it.
	MaxSkew = pieces.MaxClockSkew
	// lookEvery is how often the clock is looked at and written down, askEvery how often nodes are asked while it is doubted.
	lookEvery = 15 * time.Minute
	askEvery  = time.Minute
	// quorum is how many nodes must be heard, or all that there are.
	quorum = 3
)

// ErrClock is returned by MayDelete while the clock is doubted.
var ErrClock = errors.New("the clock jumped ahead: nothing is deleted for its age until nodes, or the owner, confirm it")

// ClockOptions says how to tell the time. Store is needed.
type ClockOptions struct {
	Store kv.Store
	// Peers asks nodes for their clocks, and returns how far each is from ours, and how many nodes there are. Nil: nobody can
	// be asked.
	Peers func(ctx context.Context) (offsets []time.Duration, nodes int)
	// Now returns the time of day, and a time that no clock setting changes; nil: the machine's.
	Now   func() (wall time.Time, steady time.Duration)
	Event func(text string) // told what the owner should know; nil: nobody
	Log   zerolog.Logger
}

// Clock doubts the machine's clock.
type Clock struct {
	opts   ClockOptions
	log    zerolog.Logger
	doubts chan struct{} // capacity 1: a doubt has come up

	mu      sync.Mutex    // guards the fields below
	seen    time.Time     // last time believed
	steady  time.Duration // when that was
	doubted bool
}

// NewClock returns a clock; see Load.
func NewClock(opts ClockOptions) *Clock {
	if opts.Now == nil {
		start := time.Now()
		opts.Now = func() (time.Time, time.Duration) {
			now := time.Now()
			return now.Round(0), now.Sub(start)
		}
	}
	if opts.Event == nil {
		opts.Event = func(string) {}
	}
	c := &Clock{opts: opts, log: opts.Log.With().Str("svc", "clock").Logger(), doubts: make(chan struct{}, 1)}
	c.seen, c.steady = opts.Now()
	return c
}

// Load reads the last time seen by an earlier process.
func (c *Clock) Load(ctx context.Context) error {
	var row clockRow
	err := c.opts.Store.View(ctx, func(tx kv.Tx) (err error) {
		row, err = clockTable().Get(tx, struct{}{})
		return err
	})
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load clock: %w", err)
	}
	c.mu.Lock()
	c.seen = row.seen
	c.mu.Unlock()
	c.look()
	return nil
}

// look compares the clock with where it should be, and returns how far it is ahead.
func (c *Clock) look() (ahead time.Duration, doubted bool) {
	wall, steady := c.opts.Now()
	c.mu.Lock()
	ahead = wall.Sub(c.seen) - (steady - c.steady)
	came := ahead > MaxJump && !c.doubted
	c.doubted = c.doubted && ahead > MaxJump || came // a clock that is set back again is believed
	if doubted = c.doubted; !doubted {
		c.seen, c.steady = wall, steady
	}
	c.mu.Unlock()
	if came {
		c.opts.Event(fmt.Sprintf("clock is %s ahead of the last time seen: deletions are held until nodes confirm it", ahead.Round(time.Hour)))
		c.log.Warn().Int64("dur_ms", ahead.Milliseconds()).Msg("clock doubted")
		select {
		case c.doubts <- struct{}{}:
		default: // it is known
		}
	}
	return ahead, doubted
}

// MayDelete says whether what is old may be deleted. Errors: ErrClock.
func (c *Clock) MayDelete() error {
	if ahead, doubted := c.look(); doubted {
		return fmt.Errorf("%w (%s)", ErrClock, ahead.Round(time.Hour))
	}
	return nil
}

// Confirm believes the clock as it is: for the owner.
func (c *Clock) Confirm(ctx context.Context) error {
	wall, steady := c.opts.Now()
	c.mu.Lock()
	c.seen, c.steady, c.doubted = wall, steady, false
	c.mu.Unlock()
	return c.save(ctx)
}

// Run writes the time down, and asks nodes while the clock is doubted, until ctx ends.
func (c *Clock) Run(ctx context.Context) error {
	for {
		wait := lookEvery
		if _, doubted := c.look(); !doubted {
			if err := c.save(ctx); err != nil && ctx.Err() == nil {
				c.log.Warn().Err(err).Msg("time not written down")
			}
		} else if !c.ask(ctx) {
			wait = askEvery
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-c.doubts:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// Close does nothing: the store is the satellite's.
func (c *Clock) Close() error { return nil }

// ask has nodes confirm the clock, and says whether they did.
func (c *Clock) ask(ctx context.Context) bool {
	if c.opts.Peers == nil {
		return false
	}
	offsets, nodes := c.opts.Peers(ctx)
	if len(offsets) == 0 || len(offsets) < min(quorum, nodes) {
		return false
	}
	slices.Sort(offsets)
	if median := offsets[len(offsets)/2]; median.Abs() > MaxSkew {
		c.log.Warn().Int64("dur_ms", median.Milliseconds()).Msg("clocks of nodes contradict the clock")
		return false
	}
	if err := c.Confirm(ctx); err != nil {
		return false
	}
	c.opts.Event(fmt.Sprintf("clock confirmed by %d nodes", len(offsets)))
	return true
}

func (c *Clock) save(ctx context.Context) error {
	c.mu.Lock()
	row := clockRow{seen: c.seen.UTC()}
	c.mu.Unlock()
	return c.opts.Store.Update(ctx, func(tx kv.Tx) error { return clockTable().Put(tx, struct{}{}, &row) })
}
