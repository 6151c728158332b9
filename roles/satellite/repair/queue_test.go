package repair

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"storj/metainfo"
	"storj/metainfo/metabase"
)

func place(i int) metabase.SegmentPlace {
	return metabase.SegmentPlace{Stream: metainfo.StreamID{byte(i), byte(i >> 8), byte(i >> 16)}}
}

func task(i int, loss float64) Task {
	return Task{Place: place(i), Reason: Few, Loss: loss, Queued: time.Now()}
}

func TestQueueOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := newQueue(0)
		rng := rand.New(rand.NewPCG(1, 1))
		for _, i := range rng.Perm(100) {
			q.add(task(i, float64(i)/100))
			q.add(task(i, float64(i)/100)) // once is enough
		}
		for i := 99; i >= 0; i-- {
			got, err := q.next(t.Context())
			if err != nil || got.Place != place(i) {
				t.Fatalf("at %d: %v, %v", i, got, err)
			}
			q.done(got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if got, err := q.next(ctx); err == nil {
			t.Errorf("an empty queue gave %v", got)
		}
		if busy, waiting := q.load(); busy != 0 || waiting != 0 {
			t.Errorf("%d busy, %d waiting", busy, waiting)
		}
	})
}

func TestQueuePasses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := newQueue(0)
		q.begin()
		for i := range 10 {
			q.add(task(i, 0.5))
		}
		running, err := q.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		q.begin()
		queued := time.Now()
		nap(time.Hour)
		for i := range 5 {
			q.add(task(i, 0.9))
		}
		q.end()
		if busy, _ := q.load(); busy != 5 && busy != 6 {
			t.Errorf("%d left of 5 seen again", busy)
		}
		q.done(running)
		for range 4 {
			got, err := q.next(t.Context())
			if err != nil || got.Loss != 0.9 || !got.Queued.Equal(queued) {
				t.Fatalf("%+v, %v", got, err)
			}
			q.done(got)
		}
	})
}

func TestQueueRetries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := newQueue(0)
		q.add(task(1, 0.5))
		var waits []time.Duration
		for range 12 {
			started := time.Now()
			got, err := q.next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			waits = append(waits, time.Since(started))
			q.retry(got)
			q.begin()
			q.add(task(1, 0.6)) // a pass sees it again: that is no reason to hurry
			q.end()
		}
		if waits[0] != 0 || waits[1] != firstRetry || waits[2] != 2*firstRetry || waits[11] != maxRetry {
			t.Errorf("waits %v", waits)
		}
	})
}

func TestQueueParks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := newQueue(0)
		q.add(task(1, 0.5))
		take := func() *Task {
			t.Helper()
			got, _ := q.take(time.Now())
			return got
		}
		q.park(take(), Few)
		nap(1000 * time.Hour)
		if got := take(); got != nil {
			t.Errorf("parked task came back by itself: %+v", got)
		}
		q.wakeParked()
		q.park(take(), Irreparable)
		if list, count := q.list(Irreparable, 10); len(list) != 1 || count != 1 {
			t.Errorf("%d irreparable", count)
		}
		q.begin()
		q.add(task(1, 0.5))
		q.end()
		if got := take(); got == nil || got.Reason != Few {
			t.Errorf("a pass does not try a parked task again: %+v", got)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const limit = 1000
		q := newQueue(limit)
		q.begin()
		rng := rand.New(rand.NewPCG(2, 2))
		for i := range 20 * limit {
			q.add(task(i, rng.Float64()))
			if len(q.tasks) > limit {
				t.Fatalf("%d tasks", len(q.tasks))
			}
		}
		q.end()
		c := q.counts()
		if c.ready < limit/2 || c.dropped != int64(20*limit-c.ready) {
			t.Fatalf("%+v", c)
		}
		for range c.ready {
			got, err := q.next(t.Context())
			if err != nil || got.Loss < 0.9 {
				t.Fatalf("kept one of loss %v, %v", got.Loss, err)
			}
			q.done(got)
		}
		q.add(task(1_000_000, 0.01))
		if busy, _ := q.load(); busy != 1 {
			t.Error("a queue that was full once takes nothing any more")
		}
	})
}

func BenchmarkQueue(b *testing.B) {
	q := newQueue(0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		q.add(task(i, float64(i*7919%1000)))
	}
}
