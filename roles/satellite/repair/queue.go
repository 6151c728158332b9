package repair

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"

	"storj/metainfo/metabase"
)

const (
	// DefaultQueueSize is how many segments wait at the most, 150 bytes each. When more need work, the worst are kept; the
	// others are found again by the next pass.
	DefaultQueueSize = 200_000
	firstRetry       = 10 * time.Minute
	maxRetry         = 6 * time.Hour
	// neverBefore marks a task that waits for the next pass: for nodes to come.
	neverBefore = time.Duration(1<<62 - 1)
)

// Task is a segment that needs work.
type Task struct {
	Place    metabase.SegmentPlace
	Reason   Reason
	Loss     float64 // chance that it is lost before it is repaired; the order of the queue
	Healthy  int
	Required int
	Optimal  int
	Size     int64 // bytes of ciphertext
	Queued   time.Time
	Attempts int

	due   time.Time // not before; zero: at once
	pass  uint64    // that saw it last
	index int       // in its heap
	heap  *taskHeap // that it is in; nil: being worked on
}

// queue is the tasks in order of urgency, each place once. All methods may be called concurrently.
type queue struct {
	limit int
	wake  chan struct{} // capacity 1: something may be ready

	mu      sync.Mutex // guards the fields below
	tasks   map[metabase.SegmentPlace]*Task
	ready   taskHeap // worst first
	delayed taskHeap // soonest first
	running int
	pass    uint64
	cutoff  float64 // tasks of no more Loss are not taken while the queue is full; 0: all are
	dropped int64   // since the start of the pass
}

func newQueue(limit int) *queue {
	if limit <= 0 {
		limit = DefaultQueueSize
	}
	return &queue{
		limit: limit, wake: make(chan struct{}, 1), tasks: make(map[metabase.SegmentPlace]*Task),
		ready:   taskHeap{less: func(a, b *Task) bool { return urgency(a, b) < 0 }},
		delayed: taskHeap{less: func(a, b *Task) bool { return a.due.Before(b.due) }},
	}
}

// urgency orders tasks, the most urgent first.
func urgency(a, b *Task) int {
	if c := cmp.Compare(b.Loss, a.Loss); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Reason, b.Reason); c != 0 {
		return c
	}
	return a.Queued.Compare(b.Queued)
}

// begin starts a pass: tasks that it does not see are taken out at its end.
func (q *queue) begin() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pass++
	q.dropped = 0
}

// add queues a segment, or replaces what is known of one that is queued. One that waited for nodes is tried again.
func (q *queue) add(t Task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.pass = q.pass
	old := q.tasks[t.Place]
	switch {
	case old == nil && q.cutoff > 0 && t.Loss <= q.cutoff:
		q.dropped++
		return
	case old == nil:
		old = &t
		q.tasks[t.Place] = old
		if t.due.After(t.Queued) {
			q.push(&q.delayed, old)
		} else {
			q.push(&q.ready, old)
		}
	case old.heap == nil: // being worked on
		old.pass = t.pass
		return
	default:
		waits := old.heap == &q.delayed && !old.due.IsZero()
		t.Queued, t.Attempts, t.due = old.Queued, old.Attempts, old.due
		heap.Remove(old.heap, old.index)
		*old = t
		if waits && t.Attempts > 0 && time.Now().Before(t.due) && !t.waitsForPass() {
			q.push(&q.delayed, old)
		} else {
			old.due = time.Time{}
			q.push(&q.ready, old)
		}
	}
	if len(q.tasks) > q.limit {
		q.shed()
	}
	q.signal()
}

func (t *Task) waitsForPass() bool { return t.due.Sub(t.Queued) > neverBefore/2 }

func (q *queue) push(h *taskHeap, t *Task) {
	t.heap = h
	heap.Push(h, t)
}

// shed keeps the most urgent three quarters. It is called with mu held.
func (q *queue) shed() {
	all := make([]*Task, 0, len(q.tasks))
	for _, t := range q.tasks {
		if t.heap != nil {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, urgency)
	keep := min(q.limit*3/4, len(all))
	for _, t := range all[keep:] {
		q.remove(t)
		q.dropped++
	}
	if keep > 0 {
		q.cutoff = all[keep-1].Loss
	}
}

func (q *queue) remove(t *Task) {
	heap.Remove(t.heap, t.index)
	t.heap = nil
	delete(q.tasks, t.Place)
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// end takes out what the pass has not seen.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.tasks {
		if t.heap != nil && t.pass < q.pass {
			q.remove(t)
		}
	}
	if len(q.tasks) < q.limit/2 {
		q.cutoff = 0
	}
}

// next waits for the most urgent task and takes it. It ends with ctx.
func (q *queue) next(ctx context.Context) (*Task, error) {
	for {
		t, wait := q.take(time.Now())
		if t != nil {
			q.signal() // there may be more, for others who wait
			return t, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-q.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// take returns a task that is due, or how long none will be.
func (q *queue) take(now time.Time) (*Task, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.delayed.Len() > 0 && !q.delayed.list[0].due.After(now) {
		t := heap.Pop(&q.delayed).(*Task)
		q.push(&q.ready, t)
	}
	if q.ready.Len() > 0 {
		t := heap.Pop(&q.ready).(*Task)
		t.heap = nil
		q.running++
		if len(q.tasks) < q.limit/2 {
			q.cutoff = 0
		}
		return t, 0
	}
	if q.delayed.Len() > 0 {
		return nil, min(q.delayed.list[0].due.Sub(now), time.Hour)
	}
	return nil, time.Hour
}

// done takes a task out that is finished.
func (q *queue) done(t *Task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	delete(q.tasks, t.Place)
}

// retry puts a task back that failed: for later, and each time for later still.
func (q *queue) retry(t *Task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	wait := min(firstRetry<<min(t.Attempts, 10), maxRetry)
	t.Attempts++
	t.due = time.Now().Add(wait)
	q.push(&q.delayed, t)
	q.signal()
}

// park puts a task back that no attempt can help before there are other nodes.
func (q *queue) park(t *Task, reason Reason) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	t.Reason = reason
	t.due = t.Queued.Add(neverBefore)
	q.push(&q.delayed, t)
}

// wakeParked tries the parked ones again: a node came.
func (q *queue) wakeParked() {
	q.mu.Lock()
	defer q.mu.Unlock()
	var parked []*Task
	for _, t := range q.delayed.list {
		if t.waitsForPass() {
			parked = append(parked, t)
		}
	}
	for _, t := range parked {
		heap.Remove(&q.delayed, t.index)
		t.due = time.Time{}
		q.push(&q.ready, t)
	}
	q.signal()
}

// load is how many tasks are ready or being worked on, and how many wait.
func (q *queue) load() (busy, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ready.Len() + q.running, q.delayed.Len()
}

// counts is what is in a queue.
type counts struct {
	byReason [reasons]int
	oldest   [reasons]time.Time
	ready    int
	waiting  int // for nodes, or for their next attempt
	running  int
	dropped  int64
}

func (q *queue) counts() (c counts) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.tasks {
		c.byReason[t.Reason]++
		if old := c.oldest[t.Reason]; old.IsZero() || t.Queued.Before(old) {
			c.oldest[t.Reason] = t.Queued
		}
	}
	c.ready, c.waiting, c.running, c.dropped = q.ready.Len(), q.delayed.Len(), q.running, q.dropped
	return c
}

// list returns up to limit tasks of a reason, the longest queued first, and how many there are.
func (q *queue) list(reason Reason, limit int) (tasks []Task, count int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.tasks {
		if t.Reason == reason {
			tasks = append(tasks, *t)
		}
	}
	count = len(tasks)
	slices.SortFunc(tasks, func(a, b Task) int { return a.Queued.Compare(b.Queued) })
	return tasks[:min(limit, count)], count
}

// taskHeap is a heap whose tasks know where they are.
type taskHeap struct {
	list []*Task
	less func(a, b *Task) bool
}

func (h *taskHeap) Len() int           { return len(h.list) }
func (h *taskHeap) Less(i, j int) bool { return h.less(h.list[i], h.list[j]) }
func (h *taskHeap) Swap(i, j int) {
	h.list[i], h.list[j] = h.list[j], h.list[i]
	h.list[i].index, h.list[j].index = i, j
}
func (h *taskHeap) Push(x any) {
	t := x.(*Task)
	t.index = len(h.list)
	h.list = append(h.list, t)
}
func (h *taskHeap) Pop() any {
	last := len(h.list) - 1
	t := h.list[last]
	h.list[last] = nil
	h.list = h.list[:last]
	return t
}
