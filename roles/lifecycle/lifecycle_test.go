package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

type journal struct {
	mu    sync.Mutex // guards the field below
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// service notes what is done to it; it takes `stopping` to stop and fails after `fails` when set.
type service struct {
	name     string
	journal  *journal
	stopping time.Duration
	fails    time.Duration
	closeErr error
}

var errBroken = errors.New("broken")

func (s *service) Run(ctx context.Context) error {
	if s.fails > 0 {
		select {
		case <-time.After(s.fails):
			return errBroken
		case <-ctx.Done():
			return nil
		}
	}
	<-ctx.Done()
	time.Sleep(s.stopping)
	s.journal.add("stopped " + s.name)
	return nil
}

func (s *service) Close() error {
	s.journal.add("closed " + s.name)
	return s.closeErr
}

func TestGroupStopsAndClosesInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		g := NewGroup(zerolog.Nop())
		g.Add("a", &service{name: "a", journal: j})
		g.Add("b", &service{name: "b", journal: j, stopping: time.Second})
		g.Add("c", &service{name: "c", journal: j})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		if err := g.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		want := []string{"stopped c", "stopped b", "stopped a", "closed c", "closed b", "closed a"}
		if !slices.Equal(j.lines, want) {
			t.Fatalf("order %q, want %q", j.lines, want)
		}
	})
}

func TestGroupFirstErrorStopsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		g := NewGroup(zerolog.Nop())
		g.Add("a", &service{name: "a", journal: j})
		g.Add("bad", &service{name: "bad", journal: j, fails: time.Minute})
		g.Add("fine", Func(func(context.Context) error { return nil }))
		err := g.Run(t.Context())
		if !errors.Is(err, errBroken) || !strings.HasPrefix(err.Error(), "bad: ") {
			t.Fatalf("error %v, want that of bad with its name", err)
		}
		if !slices.Equal(j.lines, []string{"stopped a"}) {
			t.Fatalf("journal %q", j.lines)
		}
	})
}

func TestGroupNamesTheSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		g := NewGroup(zerolog.New(&out))
		g.Add("quick", &service{name: "quick", journal: &journal{}})
		g.Add("turtle", &service{name: "turtle", journal: &journal{}, stopping: 2*slowAfter + time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), `"name":"turtle"`); n != 2 || strings.Contains(out.String(), "quick") {
			t.Fatalf("log names turtle %d times, want 2, and nobody else:\n%s", n, out.String())
		}
	})
}

func TestGroupCloseStopsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		g := NewGroup(zerolog.Nop())
		g.Add("a", &service{name: "a", journal: j, closeErr: errBroken})
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		synctest.Wait()
		if err := g.Close(); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "close a") {
			t.Fatalf("close error %v", err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := g.Run(t.Context()); !errors.Is(err, errRunning) {
			t.Fatalf("second run: %v", err)
		}
	})
}

func TestGroupCloseWithoutRun(t *testing.T) {
	j := &journal{}
	g := NewGroup(zerolog.Nop())
	g.Add("a", Closer(func() error { j.add("closed"); return nil }))
	if err := g.Close(); err != nil || len(j.lines) != 1 {
		t.Fatalf("close: %v, %q", err, j.lines)
	}
}

func TestLoop(t *testing.T) {
	tests := []struct {
		name string
		opts LoopOptions
		run  time.Duration
		min  int64
		max  int64
	}{
		{name: "an interval first", run: 59 * time.Second, min: 0, max: 0},
		{name: "at once", opts: LoopOptions{AtOnce: true}, run: 59 * time.Second, min: 1, max: 1},
		{name: "many", run: 10*time.Minute + time.Second, min: 10, max: 10},
		{name: "jitter", opts: LoopOptions{Jitter: 0.5}, run: 100 * time.Minute, min: 67, max: 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				loop := NewLoop("test", time.Minute, func(context.Context) error { return nil }, test.opts)
				ctx, cancel := context.WithTimeout(t.Context(), test.run)
				defer cancel()
				if err := loop.Run(ctx); err != nil {
					t.Fatal(err)
				}
				if n := loop.Status().Rounds; n < test.min || n > test.max {
					t.Fatalf("%d rounds, want %d to %d", n, test.min, test.max)
				}
			})
		})
	}
}

func TestLoopTriggerWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds := 0
		loop := NewLoop("test", time.Hour, func(context.Context) error {
			rounds++
			if rounds == 2 {
				return errBroken
			}
			return nil
		}, LoopOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- loop.Run(ctx) }()
		if err := loop.TriggerWait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := loop.TriggerWait(t.Context()); !errors.Is(err, errBroken) {
			t.Fatalf("second round: %v", err)
		}
		if status := loop.Status(); status.Rounds != 2 || !errors.Is(status.Err, errBroken) {
			t.Fatalf("status %+v", status)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		ended, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := loop.TriggerWait(ended); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("trigger of an ended loop: %v", err)
		}
	})
}
