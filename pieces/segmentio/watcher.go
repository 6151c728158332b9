package segmentio

import (
	"slices"
	"time"

	"storj/pieces"
)

// watcher decides when a download needs another piece. It belongs to the conductor.
type watcher struct {
	d        *Download
	row      int64     // first stripe that was not ready at the last look
	progress time.Time // when that stripe became the first
	pace     time.Duration
	full     time.Time // when the window was last full: silence before that is no fault of a node
}

// look starts pieces in the place of those that failed or are late. It says whether every stripe is ready, or why that
// can no longer be.
func (w *watcher) look(now time.Time) (done bool, err error) {
	d := w.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return true, nil
	}
	_, end := d.rows()
	row := max(w.row, d.head)
	for row < end && d.readyLocked(row) {
		row++
	}
	if row > w.row {
		w.note(row, now)
	}
	if row == end {
		return true, nil
	}
	full := row >= d.head+d.ring.rows
	if full { // the consumer is what is slow
		w.full = now
	}
	for missing := w.missingLocked(row, now); missing > 0 && d.startNextLocked(row); missing-- {
		d.stats.Hedges++
	}
	return false, w.hopeless(row, now)
}

// note keeps how fast stripes become ready.
func (w *watcher) note(row int64, now time.Time) {
	if w.row > 0 {
		pace := now.Sub(w.progress) / time.Duration(row-w.row)
		w.pace = (3*w.pace + pace) / 4
	}
	w.row, w.progress = row, now
}

// missingLocked counts the pieces to be started so that a stripe will have enough, and marks those that are late.
func (w *watcher) missingLocked(row int64, now time.Time) int {
	d := w.d
	first, end := d.rows()
	hopeful := 0 // pieces that have the stripe, or will soon
	var waiting []*fetch
	for _, f := range d.fetches {
		switch {
		case f.from > row:
		case row < f.have:
			hopeful++
		case !f.failed:
			waiting = append(waiting, f)
		}
	}
	patience := max(w.d.c.opts.Stall/2, 8*w.pace)
	for _, f := range waiting {
		silent := now.Sub(latest(time.Unix(0, f.moved.Load()), w.full)) > patience
		holdsUp := now.Sub(latest(w.progress, w.full)) > 2*patience && hopeful >= d.code.Required()-len(d.queue)
		if !f.late && (silent || holdsUp) {
			f.late = true
			d.c.nodes.failed(f.limit.Node.ID)
		}
		if !f.late {
			hopeful++
		}
	}
	needed := d.code.Required()
	if low, high := d.wanted(first); end-first == 1 && d.hopefulLocked(row, low, high) {
		return 0
	}
	return needed - hopeful
}

// hopefulLocked says whether the data pieces [low, high] have a stripe or will have it soon.
func (d *Download) hopefulLocked(row int64, low, high int) bool {
	for number := low; number <= high; number++ {
		f := d.fetches[number]
		if f == nil || f.from > row || (row >= f.have && (f.failed || f.late)) {
			return false
		}
	}
	return true
}

// hopeless returns the error when a stripe cannot be had any more, or not in time.
func (w *watcher) hopeless(row int64, now time.Time) error {
	d := w.d
	have, possible := 0, len(d.queue)
	last := latest(w.progress, w.full)
	for _, f := range d.fetches {
		switch {
		case f.from <= row && row < f.have:
			have++
			possible++
		case f.from <= row && !f.failed:
			possible++
			last = latest(last, time.Unix(0, f.moved.Load()))
		}
	}
	if low, high := d.wanted(row); d.hopefulLocked(row, low, high) {
		return nil
	}
	if possible >= d.code.Required() && now.Sub(last) < d.c.opts.GiveUp {
		return nil
	}
	failures := slices.Clone(d.failures) // fetches that still run add to it
	for _, f := range d.fetches {
		if f.late && !f.failed {
			failures = append(failures, NodeError{Node: f.limit.Node.ID, Err: pieces.ErrStalled})
		}
	}
	if possible < d.code.Required() {
		have = possible // those on their way would have arrived
	}
	return &TooFewError{Had: have, Needed: d.code.Required(), Causes: failures}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
