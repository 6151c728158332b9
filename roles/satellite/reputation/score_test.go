package reputation

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata")

// TestScoresGolden runs histories of audits, written as letters: o proved, x lost, u refused, with a count before them.
func TestScoresGolden(t *testing.T) {
	histories := []struct {
		name  string
		steps []step
	}{
		{"nothing", nil},
		{"a thousand proved", []step{{1000, Proved}}},
		{"one lost", []step{{1, Lost}}},
		{"ten lost", []step{{10, Lost}}},
		{"eleven lost", []step{{11, Lost}}},
		{"forty lost", []step{{40, Lost}}},
		{"forty-one lost", []step{{41, Lost}}},
		{"ten lost, then a thousand proved", []step{{10, Lost}, {1000, Proved}}},
		{"one altered", []step{{100, Proved}, {1, Altered}}},
		{"one refused, new", []step{{1, Refused}}},
		{"one refused, then one proved", []step{{1, Refused}, {1, Proved}}},
		{"one refused of a hundred", []step{{100, Proved}, {1, Refused}}},
		{"ten refused of a hundred", []step{{100, Proved}, {10, Refused}}},
		{"eleven dropped of a hundred", []step{{100, Proved}, {11, Dropped}}},
		{"ten refused, then ten proved", []step{{100, Proved}, {10, Refused}, {10, Proved}}},
		{"away counts nothing", []step{{50, Away}}},
	}
	var got bytes.Buffer
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, h := range histories {
		r := newRecord(at)
		for _, s := range h.steps {
			for range s.count {
				r.count(Finding{Verdict: s.verdict})
				r.suspend(at)
			}
		}
		fmt.Fprintf(&got, "%-34s audit %.6f  unknown %.6f  convicted %-5v  suspended %v\n",
			h.name, r.audit.score(), r.unknown.score(), r.convicted(), !r.suspended.IsZero())
	}
	const path = "testdata/scores.golden"
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("scores differ from %s (%v):\n%s", path, err, got.Bytes())
	}
}

type step struct {
	count   int
	verdict Verdict
}

// TestOnlineScore samples a node hourly for weeks.
func TestOnlineScore(t *testing.T) {
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name     string
		days     int
		online   func(hour int) bool // of the day
		low, top float64
	}{
		{"always there", 60, func(int) bool { return true }, 1, 1},
		{"never there, for two days", 2, func(int) bool { return false }, 0.93, 0.97},
		{"never there, for long", 60, func(int) bool { return false }, 0, 0},
		{"asleep eight hours a night", 60, func(h int) bool { return h >= 6 && h < 22 }, 0.65, 0.68},
		{"awake eight hours a day", 60, func(h int) bool { return h >= 9 && h < 17 }, 0.32, 0.35},
	}
	for _, test := range tests {
		c := contact{score: 1}
		for hour := range test.days*24 + 1 {
			at := start.Add(time.Duration(hour) * time.Hour)
			c.roll(at)
			c.sample(test.online(hour%24), at.Add(-time.Hour), at)
		}
		if c.score < test.low || c.score > test.top {
			t.Errorf("%s: %.3f, want %.2f to %.2f", test.name, c.score, test.low, test.top)
		}
	}
}

// TestPatienceFollowsHabits has a node sleep, then be awake for long, then be away once.
func TestPatienceFollowsHabits(t *testing.T) {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	c := contact{score: 1}
	live := func(hours int, online bool) {
		for range hours {
			c.roll(at)
			c.sample(online, at.Add(-10*time.Minute), at)
			at = at.Add(time.Hour)
		}
	}
	live(16, true)
	if got := c.patience(); got != MinPatience {
		t.Errorf("new node: %v", got)
	}
	for range 5 {
		live(8, false)
		live(16, true)
	}
	if got := c.patience(); got < 11*time.Hour || got > 13*time.Hour {
		t.Errorf("node that sleeps eight hours: %v", got)
	}
	live(40*24, true)
	if got := c.patience(); got > 5*time.Hour {
		t.Errorf("forty days later: %v", got)
	}
	live(100, false)
	live(1, true)
	if got := c.patience(); got != MaxPatience {
		t.Errorf("after four days away: %v", got)
	}
}
