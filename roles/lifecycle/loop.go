package lifecycle

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"storj/netx"
)

// LoopOptions tunes a Loop. The zero value works.
type LoopOptions struct {
	Log    zerolog.Logger
	Jitter float64 // part of the interval, 0 to 1, by which each wait is lengthened or shortened at random
	AtOnce bool    // do the first round when Run starts, not an interval later
}

// Loop does one thing at intervals: the wait runs from the end of a round to the start of the next, so that rounds
// never overlap. A round that fails is logged and the loop goes on.
type Loop struct {
	name     string
	interval time.Duration
	opts     LoopOptions
	do       func(ctx context.Context) error
	trigger  chan chan error // unbuffered: taken between rounds

	mu     sync.Mutex // guards the fields below
	status LoopStatus
}

// LoopStatus is what a loop did last.
type LoopStatus struct {
	Rounds int64
	Last   time.Time     // end of the last round
	Took   time.Duration // of the last round
	Err    error         // of the last round
}

var _ Runner = (*Loop)(nil)

// NewLoop returns a loop that calls do. It panics when interval is not positive.
func NewLoop(name string, interval time.Duration, do func(ctx context.Context) error, opts LoopOptions) *Loop {
	if interval <= 0 {
		panic(fmt.Sprintf("loop %s: interval %v", name, interval))
	}
	opts.Log = opts.Log.With().Str("svc", name).Logger()
	return &Loop{name: name, interval: interval, opts: opts, do: do, trigger: make(chan chan error)}
}

// Run does rounds until ctx ends.
func (l *Loop) Run(ctx context.Context) error {
	wait := l.wait()
	if l.opts.AtOnce {
		wait = 0
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		var reply chan error
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case reply = <-l.trigger:
		}
		err := l.round(ctx)
		if reply != nil {
			reply <- err
		}
		timer.Reset(l.wait())
	}
}

// TriggerWait has the loop do a round now, after the one that may be running, and returns its error. It needs Run to be
// running; it gives up when ctx ends.
func (l *Loop) TriggerWait(ctx context.Context) error {
	reply := make(chan error, 1) // the loop never waits for us
	select {
	case l.trigger <- reply:
	case <-ctx.Done():
		return fmt.Errorf("trigger %s: %w", l.name, ctx.Err())
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", l.name, ctx.Err())
	}
}

// Status says what the loop did last.
func (l *Loop) Status() LoopStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Close does nothing: a loop holds nothing.
func (l *Loop) Close() error { return nil }

func (l *Loop) round(ctx context.Context) error {
	started := time.Now()
	err := l.do(ctx)
	took := time.Since(started)
	l.mu.Lock()
	l.status = LoopStatus{Rounds: l.status.Rounds + 1, Last: started.Add(took), Took: took, Err: err}
	l.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		l.opts.Log.Warn().Stringer("code", netx.CodeOf(err)).Int64("dur_ms", took.Milliseconds()).Err(err).Msg("round failed")
	}
	return err
}

func (l *Loop) wait() time.Duration {
	spread := time.Duration(float64(l.interval) * min(max(l.opts.Jitter, 0), 1))
	if spread < 1 {
		return l.interval
	}
	return l.interval - spread + rand.N(2*spread)
}
