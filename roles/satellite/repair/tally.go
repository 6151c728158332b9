package repair

import (
	"slices"
	"sync"
	"time"

	"storj/metainfo/metabase"
)

// tally counts what was done. Its methods may be called concurrently.
type tally struct {
	mu       sync.Mutex // guards the fields below
	running  map[metabase.SegmentPlace]Running
	day      int64 // Unix day of the counts below
	outcomes [Vanished + 1]int64
	all      [Vanished + 1]int64 // since the start
	since    int                 // segments that had lost pieces, repaired since the queue was last empty
	wait     time.Duration       // from queued to done, moving average
}

// Running is a segment that is being worked on.
type Running struct {
	Place  metabase.SegmentPlace
	Reason Reason
	Since  time.Time
}

func (t *tally) begin(at metabase.SegmentPlace, reason Reason) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running == nil {
		t.running = make(map[metabase.SegmentPlace]Running)
	}
	t.running[at] = Running{at, reason, time.Now().UTC()}
}

func (t *tally) end(r *Report, err error, queued time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, r.Place)
	now := time.Now()
	if day := now.Unix() / (24 * 60 * 60); day != t.day {
		t.day, t.outcomes = day, [Vanished + 1]int64{}
	}
	outcome := r.Outcome
	if err != nil {
		outcome = Failed
	}
	t.outcomes[outcome]++
	t.all[outcome]++
	if outcome != Repaired && outcome != Copied && outcome != Dropped {
		return
	}
	if r.Reason == Irreparable || r.Reason == Endangered || r.Reason == Few {
		t.since++
	}
	if !queued.IsZero() {
		t.wait += (now.Sub(queued) - t.wait) / 16
	}
}

// story returns how many segments were repaired since it was last called.
func (t *tally) story() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	done := t.since
	t.since = 0
	return done
}

func (t *tally) meanWait() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wait
}

// today are the outcomes of the running UTC day; now are the segments being worked on, the longest first.
func (t *tally) today() (outcomes [Vanished + 1]int64, now []Running) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Now().Unix()/(24*60*60) == t.day {
		outcomes = t.outcomes
	}
	for _, r := range t.running {
		now = append(now, r)
	}
	slices.SortFunc(now, func(a, b Running) int { return a.Since.Compare(b.Since) })
	return outcomes, now
}

func (t *tally) total(o Outcome) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[o]
}

// registerMetrics shows the service on /metrics.
func (s *Service) registerMetrics() {
	gauge := func(name string, value func() float64) { s.opts.Metrics.NewGauge(name, value) }
	for r := Irreparable; r < reasons; r++ {
		gauge(`storj_repair_queue_segments{reason="`+r.String()+`"}`, func() float64 { return float64(s.queue.counts().byReason[r]) })
	}
	gauge("storj_repair_queue_dropped_segments", func() float64 { return float64(s.queue.counts().dropped) })
	gauge("storj_repair_running_segments", func() float64 { return float64(s.queue.counts().running) })
	for o := Failed; o <= Vanished; o++ {
		gauge(`storj_repair_done_total{outcome="`+o.String()+`"}`, func() float64 { return float64(s.tally.total(o)) })
	}
	gauge("storj_repair_read_bytes_total", func() float64 { return float64(s.moved.read.Load()) })
	gauge("storj_repair_written_bytes_total", func() float64 { return float64(s.moved.written.Load()) })
	gauge("storj_repair_damaged_pieces", func() float64 { return float64(s.damage.len()) })
	gauge("storj_repair_wait_seconds", func() float64 { return s.tally.meanWait().Seconds() })
	gauge("storj_repair_checked_segments", func() float64 { return float64(s.lastPass().sum.segments) })
	gauge("storj_repair_below_optimal_segments", func() float64 { return float64(s.lastPass().sum.below) })
	gauge("storj_rebalance_segments_total", func() float64 { return float64(s.balance.status().Segments) })
	gauge("storj_rebalance_bytes_total", func() float64 { return float64(s.balance.status().Bytes) })
}
