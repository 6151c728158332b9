package rangedloop

// The goroutines of a Pass: one for each range, on which the Partials of that range are called. Pass waits for all of
// them, then joins and finishes on its own goroutine.

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"storj/metainfo"
	"storj/metainfo/metabase"
)

const (
	// DefaultRanges is how many ranges are walked at the same time. Source of this and the next two: the existing system.
	DefaultRanges = 2
	// DefaultBatch is how many segments are read in one transaction.
	DefaultBatch = 2500
	// DefaultInterval is how long after a pass the next one begins.
	DefaultInterval = 2 * time.Hour

	// maxAttempts is how often running a page is read in vain before the pass fails: with the pauses below, 4 minutes.
	maxAttempts = 10
	firstPause  = 500 * time.Millisecond
	maxPause    = time.Minute

	// suspicious is the deviation of what was processed from what was counted, as a part, above which a pass is not
	// believed. Source: the existing system.
	suspicious = 0.03
	// tolerated is the same for small networks, in segments.
	tolerated = 10
)

var (
	// ErrCount is returned by Pass when fewer or more segments were seen than there can be.
	ErrCount = errors.New("pass saw another number of segments than there are")
	// errUnreadable is what an observer that is not Tolerant has instead of a Finish.
	errUnreadable = errors.New("some segment rows could not be read")
)

// Source is the segments; metabase.DB is one.
type Source interface {
	ReadPage(ctx context.Context, from metabase.SegmentPlace, end metainfo.StreamID, limit int, page *metabase.PageBuffer) (
		next metabase.SegmentPlace, more bool, err error)
	CountSegments(ctx context.Context) (int64, error)
}

var _ Source = (*metabase.DB)(nil)

// Options tunes a Loop. A zero field is its default.
type Options struct {
	Ranges int // walked at the same time
	Batch  int // segments of a page
	Log    zerolog.Logger
}

// Report is what a pass did.
type Report struct {
	Started    time.Time
	Took       time.Duration
	Segments   int64 // processed
	Unreadable int64
	Resumed    int64            // pages that were read again after an error
	Failed     map[string]error // observers that did not finish, by name
}

// Loop passes over all segments.
type Loop struct {
	source    Source
	opts      Options
	observers []named
	passing   chan struct{} // holds a token while a pass runs

	done atomic.Int64 // segments of the pass that runs

	mu   sync.Mutex // guards the field below
	last Report
}

type named struct {
	name string
	Observer
}

// New returns a loop without observers.
func New(source Source, opts Options) *Loop {
	if opts.Ranges <= 0 {
		opts.Ranges = DefaultRanges
	}
	if opts.Batch <= 0 {
		opts.Batch = DefaultBatch
	}
	opts.Log = opts.Log.With().Str("svc", "rangedloop").Logger()
	return &Loop{source: source, opts: opts, passing: make(chan struct{}, 1)}
}

// Add has an observer ride along. The name is for logs and reports.
func (l *Loop) Add(name string, o Observer) { l.observers = append(l.observers, named{name, o}) }

// Last is the report of the last pass that ended, whole or not; zero before the first.
func (l *Loop) Last() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Progress is the number of segments that the running pass, or else the last one, has processed.
func (l *Loop) Progress() int64 { return l.done.Load() }

// Pass passes over all segments once.
//
// Errors: ErrCount; those of the store when it kept failing; that of ctx. Errors of observers are in the report.
func (l *Loop) Pass(ctx context.Context) (Report, error) {
	select {
	case l.passing <- struct{}{}:
		defer func() { <-l.passing }()
	case <-ctx.Done():
		return Report{}, ctx.Err()
	}
	p := &pass{loop: l, report: Report{Started: time.Now().UTC(), Failed: make(map[string]error)}}
	l.done.Store(0)
	err := p.run(ctx)
	p.report.Took = time.Since(p.report.Started)
	l.mu.Lock()
	l.last = p.report
	l.mu.Unlock()
	for name, failure := range p.report.Failed {
		if ctx.Err() == nil {
			l.opts.Log.Warn().Str("name", name).Err(failure).Msg("observer did not finish")
		}
	}
	l.opts.Log.Debug().Int64("count", p.report.Segments).Int64("dur_ms", p.report.Took.Milliseconds()).Err(err).Msg("pass ended")
	return p.report, err
}

// pass is one pass.
type pass struct {
	loop   *Loop
	report Report // Segments, Unreadable and Resumed are set at the end
	active []*rider

	segments, unreadable, resumed atomic.Int64
}

// rider is an observer in a pass. It has failed when err is set.
type rider struct {
	named
	partials []Partial // one for each range

	mu  sync.Mutex // guards the field below
	err error
}

func (r *rider) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

func (r *rider) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (p *pass) run(ctx context.Context) error {
	defer p.note()
	before, err := p.loop.source.CountSegments(ctx)
	if err != nil {
		return fmt.Errorf("count segments: %w", err)
	}
	ranges := divide(p.loop.opts.Ranges)
	p.start(ctx, len(ranges))
	if err := p.walk(ctx, ranges); err != nil {
		return err
	}
	after, err := p.loop.source.CountSegments(ctx)
	if err != nil {
		return fmt.Errorf("count segments: %w", err)
	}
	if seen := p.segments.Load() + p.unreadable.Load(); !plausible(seen, before, after) {
		err := fmt.Errorf("%w: %d, counted %d before and %d after", ErrCount, seen, before, after)
		for _, r := range p.active {
			r.fail(err)
		}
		return err
	}
	p.finish(ctx)
	return ctx.Err()
}

// note completes the report.
func (p *pass) note() {
	p.report.Segments, p.report.Unreadable, p.report.Resumed = p.segments.Load(), p.unreadable.Load(), p.resumed.Load()
	for _, r := range p.active {
		if err := r.failure(); err != nil {
			p.report.Failed[r.name] = err
		}
	}
}

// plausible says whether a pass may have seen so many segments. Those that come or go while it runs are seen or not.
func plausible(seen, before, after int64) bool {
	low, high := float64(min(before, after)), float64(max(before, after))
	return float64(seen) >= low-max(tolerated, low*suspicious) && float64(seen) <= high+max(tolerated, high*suspicious) &&
		(seen > 0 || low == 0)
}

func (p *pass) start(ctx context.Context, ranges int) {
	for _, o := range p.loop.observers {
		r := &rider{named: o, partials: make([]Partial, ranges)}
		p.active = append(p.active, r)
		err := o.Start(ctx, p.report.Started)
		for i := range r.partials {
			if err == nil {
				r.partials[i], err = o.Fork(ctx)
			}
		}
		if err != nil {
			r.fail(fmt.Errorf("start: %w", err))
		}
	}
}

func (p *pass) walk(ctx context.Context, ranges []span) error {
	var walkers sync.WaitGroup
	errs := make([]error, len(ranges))
	for i, s := range ranges {
		walkers.Go(func() { errs[i] = p.walkRange(ctx, s, i) })
	}
	walkers.Wait()
	err := errors.Join(errs...)
	if err != nil {
		for _, r := range p.active {
			r.fail(err)
		}
	}
	return err
}

// walkRange hands every page of a range to the partials of that range.
func (p *pass) walkRange(ctx context.Context, s span, number int) error {
	var page metabase.PageBuffer
	from, failures := metabase.SegmentPlace{Stream: s.start}, 0
	for more := true; more; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		next, again, err := p.loop.source.ReadPage(ctx, from, s.end, p.loop.opts.Batch, &page)
		if err != nil {
			if failures++; failures == maxAttempts || ctx.Err() != nil {
				return fmt.Errorf("read segments at %s %s: %w", from.Stream, from.Position, err)
			}
			p.resumed.Add(1)
			p.loop.opts.Log.Warn().Err(err).Msg("page of segments not read, trying again")
			if !pause(ctx, min(firstPause<<(failures-1), maxPause)) {
				return ctx.Err()
			}
			continue
		}
		failures = 0
		p.process(ctx, number, page.Segments)
		p.segments.Add(int64(len(page.Segments)))
		p.unreadable.Add(int64(page.Unreadable))
		p.loop.done.Add(int64(len(page.Segments)))
		from, more = next, again
	}
	return nil
}

func (p *pass) process(ctx context.Context, number int, segments []metainfo.Segment) {
	if len(segments) == 0 {
		return
	}
	for _, r := range p.active {
		if r.failure() != nil {
			continue
		}
		if err := r.partials[number].Process(ctx, segments); err != nil {
			r.fail(fmt.Errorf("process: %w", err))
		}
	}
}

func (p *pass) finish(ctx context.Context) {
	unreadable := p.unreadable.Load()
	for _, r := range p.active {
		for _, partial := range r.partials {
			if r.failure() != nil {
				break
			}
			if err := r.Join(ctx, partial); err != nil {
				r.fail(fmt.Errorf("join: %w", err))
			}
		}
		if r.failure() != nil {
			continue
		}
		if err := finish(ctx, r.Observer, unreadable); err != nil {
			r.fail(fmt.Errorf("finish: %w", err))
		}
	}
}

func finish(ctx context.Context, o Observer, unreadable int64) error {
	if unreadable == 0 {
		return o.Finish(ctx)
	}
	if tolerant, ok := o.(Tolerant); ok {
		return tolerant.FinishWithout(ctx, unreadable)
	}
	return fmt.Errorf("%w: %d", errUnreadable, unreadable)
}

// pause waits and says whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// span is the streams [start, end); a zero end has no bound.
type span struct {
	start, end metainfo.StreamID
}

// divide cuts all stream IDs into ranges of about one size.
func divide(count int) []span {
	spans := make([]span, count)
	for i := 1; i < count; i++ {
		var cut metainfo.StreamID
		binary.BigEndian.PutUint64(cut[:], math.MaxUint64/uint64(count)*uint64(i))
		spans[i-1].end, spans[i].start = cut, cut
	}
	return spans
}
