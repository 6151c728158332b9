package lifecycle

// The goroutines of a Group: Run starts one for each Runner and waits for all of them. When ctx ends or one of them
// returns an error, Run cancels them one after another, the last added first, and waits for each.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// slowAfter is how long a service may take to stop before the log names it.
const slowAfter = 5 * time.Second

// Runner is a service.
type Runner interface {
	// Run blocks until the work, and every goroutine that it started, has ended. It returns nil when ctx ended.
	Run(ctx context.Context) error
	// Close frees what New took. It may be called again, and without Run.
	Close() error
}

// Func makes a Runner of a function that needs no Close.
type Func func(ctx context.Context) error

// Run calls the function.
func (f Func) Run(ctx context.Context) error { return f(ctx) }

// Close does nothing.
func (f Func) Close() error { return nil }

// Closer makes a Runner of something that only has to be closed: its Run waits for ctx.
type Closer func() error

// Run waits for ctx.
func (c Closer) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Close calls the function.
func (c Closer) Close() error { return c() }

var (
	_ Runner = Func(nil)
	_ Runner = Closer(nil)
)

// errRunning is returned by a second Run.
var errRunning = errors.New("group ran already")

// Group is the services of a process.
type Group struct {
	log   zerolog.Logger
	items []*item

	mu     sync.Mutex // guards the fields below
	ran    bool
	cancel context.CancelFunc // of Run
	ended  chan struct{}      // closed when Run has returned; nil before Run
}

type item struct {
	name   string
	runner Runner
	cancel context.CancelFunc
	done   chan struct{} // closed when Run of the runner has returned
}

// NewGroup returns a group without services.
func NewGroup(log zerolog.Logger) *Group {
	return &Group{log: log.With().Str("svc", "lifecycle").Logger()}
}

// Add appends a service. What it uses must have been added before it.
func (g *Group) Add(name string, runner Runner) {
	g.items = append(g.items, &item{name: name, runner: runner, done: make(chan struct{})})
}

// Run runs all services until ctx ends (nil), or until one of them fails: that error, with the service's name. A
// service that ends without an error does not stop the others. It may be called once.
func (g *Group) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g.mu.Lock()
	if g.ran {
		g.mu.Unlock()
		return errRunning
	}
	g.ran, g.cancel, g.ended = true, cancel, make(chan struct{})
	g.mu.Unlock()
	defer close(g.ended)

	failed := make(chan error, len(g.items)) // one slot each: nobody blocks
	for _, it := range g.items {
		g.start(ctx, it, failed)
	}
	var first error
	select {
	case <-ctx.Done():
	case first = <-failed:
	}
	for i := len(g.items) - 1; i >= 0; i-- {
		g.stop(g.items[i])
	}
	close(failed)
	for err := range failed {
		first = errors.Join(first, err)
	}
	return first
}

func (g *Group) start(ctx context.Context, it *item, failed chan<- error) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	it.cancel = cancel
	go func() {
		defer close(it.done)
		if err := it.runner.Run(own); err != nil {
			failed <- fmt.Errorf("%s: %w", it.name, err)
		}
	}()
}

// stop waits for as long as the service takes, and names it when that is long.
func (g *Group) stop(it *item) {
	it.cancel()
	started := time.Now()
	slow := time.NewTicker(slowAfter)
	defer slow.Stop()
	for {
		select {
		case <-it.done:
			return
		case <-slow.C:
			g.log.Warn().Str("name", it.name).Int64("dur_ms", time.Since(started).Milliseconds()).Msg("service slow to stop")
		}
	}
}

// Close stops Run, waits for it, and closes all services, the last added first. Errors are joined, with names.
func (g *Group) Close() error {
	g.mu.Lock()
	cancel, ended := g.cancel, g.ended
	g.ran = true
	g.mu.Unlock()
	if ended != nil {
		cancel()
		<-ended
	}
	var errs []error
	for i := len(g.items) - 1; i >= 0; i-- {
		if err := g.items[i].runner.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", g.items[i].name, err))
		}
	}
	return errors.Join(errs...)
}
