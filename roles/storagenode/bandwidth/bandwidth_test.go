package bandwidth

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"storj/netx"
	"storj/pieces"
)

const megabit = 125_000

func office() []Span {
	return []Span{
		{Start: 8 * time.Hour, End: 23 * time.Hour, Rate: 5 * megabit},
		{Start: 23 * time.Hour, End: 8 * time.Hour},
	}
}

func TestRateAt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		schedule []Span
		at       string
		want     int64
	}{
		{"no schedule", nil, "12:00:00", 20 * megabit},
		{"start of a span", office(), "08:00:00", 5 * megabit},
		{"end of a span is not in it", office(), "23:00:00", 0},
		{"past midnight", office(), "03:00:00", 0},
		{"last second of the night", office(), "07:59:59", 0},
		{"gap falls back", []Span{{Start: 0, End: time.Hour, Rate: 7}}, "01:00:00", 20 * megabit},
		{"whole day", []Span{{Start: 0, End: 24 * time.Hour, Rate: 7}}, "23:59:59", 7},
		{"equal ends are a whole day", []Span{{Start: 9 * time.Hour, End: 9 * time.Hour, Rate: 7}}, "02:00:00", 7},
		{"first that fits", []Span{{0, 2 * time.Hour, 1}, {time.Hour, 3 * time.Hour, 2}}, "01:30:00", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			at, err := time.ParseInLocation(time.TimeOnly, test.at, time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			g := New(Options{Rate: 20 * megabit, Schedule: test.schedule, Location: time.UTC})
			if got := g.RateAt(at); got != test.want {
				t.Errorf("rate %d, want %d", got, test.want)
			}
		})
	}
}

// TestWait moves bytes across the border of two spans and measures how long it takes.
func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UTC() // midnight in a bubble
		g := New(Options{Location: time.UTC, Schedule: []Span{
			{Start: 0, End: time.Minute, Rate: 1 << 20}, {Start: time.Minute, End: 2 * time.Minute, Rate: 4 << 20},
		}})
		moved := 0
		for time.Since(now) < 90*time.Second {
			if err := g.Wait(t.Context(), 128<<10); err != nil {
				t.Fatal(err)
			}
			moved += 128 << 10
		}
		if want := 60<<20 + 30*4<<20; moved < want*98/100 || moved > want*103/100 {
			t.Errorf("moved %d bytes, want about %d", moved, want)
		}
		free := time.Now()
		time.Sleep(time.Minute) // the second span is over: no limit
		free = free.Add(time.Minute)
		for range 1000 {
			if err := g.Wait(t.Context(), 128<<10); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(free); took > time.Second {
			t.Errorf("without limit 128 MB took %v", took)
		}
	})
}

func TestWaitEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{Rate: 1000})
		if err := g.Wait(t.Context(), burst); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Wait(ctx, burst); !errors.Is(err, netx.ErrTimeout) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("deadline: %v", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := g.Wait(ctx, burst); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

func TestMonth(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		used   int64
		action pieces.Action
		err    error
		full   bool
	}{
		{"upload below", 949, pieces.ActionPut, nil, false},
		{"upload near the cap", 950, pieces.ActionPut, ErrMonth, true},
		{"repair upload near the cap", 950, pieces.ActionPutRepair, ErrMonth, true},
		{"download near the cap", 999, pieces.ActionGet, nil, true},
		{"download at the cap", 1000, pieces.ActionGet, ErrMonth, true},
		{"audit past the cap", 2000, pieces.ActionGetAudit, nil, true},
		{"repair past the cap", 2000, pieces.ActionGetRepair, nil, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := New(Options{Monthly: 1000, Used: func() int64 { return test.used }})
			if err := g.Admit(test.action); !errors.Is(err, test.err) {
				t.Errorf("got %v", err)
			}
			if g.Full() != test.full || g.Status().Used != test.used {
				t.Errorf("full %v, status %+v", g.Full(), g.Status())
			}
		})
	}
	if err := New(Options{}).Admit(pieces.ActionPut); err != nil {
		t.Errorf("without a cap: %v", err)
	}
}

func BenchmarkWaitUnlimited(b *testing.B) {
	g := New(Options{Schedule: []Span{{Start: 0, End: 24 * time.Hour}}})
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Wait(b.Context(), 128<<10); err != nil {
			b.Fatal(err)
		}
	}
}
