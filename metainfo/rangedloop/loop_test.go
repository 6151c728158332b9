package rangedloop_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"storj/ecenc"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop"
	"storj/metainfo/rangedloop/looptest"
)

func scheme() ecenc.Redundancy {
	return ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: 4, Repair: 6, Optimal: 8, Total: 10}
}

// world is a database with segments and a loop over it.
type world struct {
	*testing.T
	store  *faultyStore
	db     *metabase.DB
	loop   *rangedloop.Loop
	placed []metainfo.Segment
}

// faultyStore fails the Views for which fault says so; it is told how many there were before.
type faultyStore struct {
	kv.Store
	mu    sync.Mutex // guards the fields below
	views int
	fault func(view int) error
}

func (s *faultyStore) View(ctx context.Context, fn func(kv.Tx) error) error {
	s.mu.Lock()
	s.views++
	var err error
	if s.fault != nil {
		err = s.fault(s.views)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Store.View(ctx, fn)
}

func newWorld(t *testing.T, segments int, opts rangedloop.Options) *world {
	t.Helper()
	w := &world{T: t, store: &faultyStore{Store: memkv.New(memkv.Options{})}}
	db, err := metabase.Open(t.Context(), w.store)
	if err != nil {
		t.Fatal(err)
	}
	for i := range segments {
		w.placed = append(w.placed, looptest.Segment(i, scheme(), []metainfo.NodeAlias{1, 2, 3, 4, 5, 6, 7, 8}))
	}
	if err := looptest.Put(t.Context(), w.store, w.placed...); err != nil {
		t.Fatal(err)
	}
	w.db, w.loop = db, rangedloop.New(db, opts)
	return w
}

// recorder notes its calls and what it sees; fail makes the named call fail.
type recorder struct {
	fail    string
	onPage  func()
	calls   []string
	seen    map[metabase.SegmentPlace]int
	joined  int
	without int64
}

var errFails = errors.New("observer fails")

func (r *recorder) call(name string) error {
	r.calls = append(r.calls, name)
	if r.fail == name {
		return errFails
	}
	return nil
}

func (r *recorder) Start(_ context.Context, started time.Time) error {
	r.seen, r.joined, r.calls = make(map[metabase.SegmentPlace]int), 0, nil
	if started.IsZero() {
		return errors.New("no time")
	}
	return r.call("start")
}

func (r *recorder) Fork(context.Context) (rangedloop.Partial, error) {
	return &partial{r: r, seen: make(map[metabase.SegmentPlace]int)}, r.call("fork")
}

func (r *recorder) Join(_ context.Context, p rangedloop.Partial) error {
	maps.Copy(r.seen, p.(*partial).seen)
	r.joined += len(p.(*partial).seen)
	return r.call("join")
}

func (r *recorder) Finish(context.Context) error { return r.call("finish") }

// tolerant can use a pass with rows missing.
type tolerant struct{ recorder }

func (r *tolerant) FinishWithout(_ context.Context, n int64) error {
	r.without = n
	return r.call("finish without")
}

type partial struct {
	r    *recorder
	seen map[metabase.SegmentPlace]int
	last metabase.SegmentPlace
}

func (p *partial) Process(_ context.Context, segments []metainfo.Segment) error {
	if p.r.fail == "process" {
		return errFails
	}
	for _, s := range segments {
		at := metabase.SegmentPlace{Stream: s.Stream, Position: s.Position}
		if string(at.Stream[:]) <= string(p.last.Stream[:]) {
			return fmt.Errorf("%v after %v", at, p.last)
		}
		p.last = at
		p.seen[at] = len(s.Pieces)
	}
	if p.r.onPage != nil {
		p.r.onPage()
	}
	return nil
}

func (w *world) sawAll(r *recorder) {
	w.Helper()
	if len(r.seen) != len(w.placed) || r.joined != len(w.placed) {
		w.Errorf("saw %d segments, %d of them once, of %d", r.joined, len(r.seen), len(w.placed))
	}
	for _, s := range w.placed {
		if r.seen[metabase.SegmentPlace{Stream: s.Stream, Position: s.Position}] != 8 {
			w.Fatalf("segment %s was not seen with its pieces", s.Stream)
		}
	}
}

func TestPassSeesEverything(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ segments, ranges, batch int }{
		{0, 2, 10}, {1, 2, 10}, {1000, 1, 1000}, {1000, 1, 999}, {1000, 2, 7}, {1000, 5, 100}, {300, 16, 1},
	} {
		t.Run(fmt.Sprintf("%d in %d by %d", tt.segments, tt.ranges, tt.batch), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.segments, rangedloop.Options{Ranges: tt.ranges, Batch: tt.batch})
			one, two := &recorder{}, &recorder{}
			w.loop.Add("one", one)
			w.loop.Add("two", two)
			for range 2 {
				report, err := w.loop.Pass(t.Context())
				if err != nil || report.Segments != int64(tt.segments) || len(report.Failed) != 0 || w.loop.Progress() != int64(tt.segments) {
					t.Fatalf("%+v, %v", report, err)
				}
				w.sawAll(one)
				w.sawAll(two)
				want := slices.Concat([]string{"start"}, slices.Repeat([]string{"fork"}, tt.ranges),
					slices.Repeat([]string{"join"}, tt.ranges), []string{"finish"})
				if !slices.Equal(one.calls, want) {
					t.Errorf("calls %q", one.calls)
				}
			}
		})
	}
}

func TestFailingObserverSitsOut(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"start", "fork", "process", "join", "finish"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 100, rangedloop.Options{Ranges: 3, Batch: 10})
			bad, good := &recorder{fail: at}, &recorder{}
			w.loop.Add("bad", bad)
			w.loop.Add("good", good)
			report, err := w.loop.Pass(t.Context())
			if err != nil || len(report.Failed) != 1 || !errors.Is(report.Failed["bad"], errFails) {
				t.Fatalf("%+v, %v", report, err)
			}
			w.sawAll(good)
			if slices.Contains(bad.calls, "finish") != (at == "finish") || !slices.Contains(good.calls, "finish") {
				t.Errorf("calls of bad %q, of good %q", bad.calls, good.calls)
			}
			bad.fail = ""
			if report, err := w.loop.Pass(t.Context()); err != nil || len(report.Failed) != 0 {
				t.Errorf("next pass: %+v, %v", report, err)
			}
			w.sawAll(bad)
		})
	}
}

var errStore = errors.New("store is ill")

func TestStoreErrorsAreResumed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 500, rangedloop.Options{Ranges: 2, Batch: 10})
		r := &recorder{}
		w.loop.Add("r", r)
		w.store.views = 0
		w.store.fault = func(view int) error { // not the counts before: they are first
			if view > 5 && view%2 == 0 && view < 60 {
				return errStore
			}
			return nil
		}
		report, err := w.loop.Pass(t.Context())
		if err != nil || report.Resumed != 27 || len(report.Failed) != 0 {
			t.Fatalf("%+v, %v", report, err)
		}
		w.sawAll(r)

		pages, ended := w.store.views, time.Now()
		w.store.views = 0
		w.store.fault = func(view int) error {
			if view > 20 {
				return errStore
			}
			return nil
		}
		report, err = w.loop.Pass(t.Context())
		if !errors.Is(err, errStore) || !errors.Is(report.Failed["r"], errStore) || slices.Contains(r.calls, "join") {
			t.Errorf("store that stays ill: %+v, %v, calls %q", report, err, r.calls)
		}
		if took := time.Since(ended); took < time.Minute || took > 10*time.Minute || w.store.views > pages {
			t.Errorf("gave up after %v and %d attempts", took, w.store.views)
		}
		w.store.fault = nil
		if _, err := w.loop.Pass(t.Context()); err != nil {
			t.Errorf("store that is well again: %v", err)
		}
		w.sawAll(r)
	})
}

func TestPassEndsWithContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 500, rangedloop.Options{Ranges: 2, Batch: 10})
	ctx, cancel := context.WithCancel(t.Context())
	r := &recorder{onPage: cancel}
	w.loop.Add("r", r)
	report, err := w.loop.Pass(ctx)
	if !errors.Is(err, context.Canceled) || slices.Contains(r.calls, "finish") || report.Segments > 50 {
		t.Errorf("%+v, %v, calls %q", report, err, r.calls)
	}
	r.onPage = nil
	if _, err := w.loop.Pass(t.Context()); err != nil {
		t.Error(err)
	}
	w.sawAll(r)
}

// hider leaves segments out of pages, or adds some twice: what a bug of the ranges would do.
type hider struct {
	*metabase.DB
	change func([]metainfo.Segment) []metainfo.Segment
}

func (h *hider) ReadPage(ctx context.Context, from metabase.SegmentPlace, end metainfo.StreamID, limit int, page *metabase.PageBuffer) (
	metabase.SegmentPlace, bool, error,
) {
	next, more, err := h.DB.ReadPage(ctx, from, end, limit, page)
	page.Segments = h.change(page.Segments)
	return next, more, err
}

func TestCountGuard(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		segments int
		change   func([]metainfo.Segment) []metainfo.Segment
		ok       bool
	}{
		{"all", 1000, func(s []metainfo.Segment) []metainfo.Segment { return s }, true},
		{"two of a hundred missing", 1000, func(s []metainfo.Segment) []metainfo.Segment { return s[min(2, len(s)):] }, true},
		{"five of a hundred missing", 1000, func(s []metainfo.Segment) []metainfo.Segment { return s[min(5, len(s)):] }, false},
		{"twice", 1000, func(s []metainfo.Segment) []metainfo.Segment { return append(s, s[:min(5, len(s))]...) }, false},
		{"none of few", 5, func(s []metainfo.Segment) []metainfo.Segment { return nil }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.segments, rangedloop.Options{})
			loop := rangedloop.New(&hider{w.db, tt.change}, rangedloop.Options{Ranges: 1, Batch: 100})
			r := &recorder{}
			loop.Add("r", r)
			// A page of the same segments again is not in order: only counting may object here.
			_, err := loop.Pass(t.Context())
			finished := slices.Contains(r.calls, "finish")
			if errors.Is(err, rangedloop.ErrCount) == tt.ok || tt.ok != finished {
				t.Errorf("error %v, calls %q", err, r.calls)
			}
		})
	}
}

func TestSegmentsMayComeAndGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1000, rangedloop.Options{Ranges: 1, Batch: 10})
	r := &recorder{}
	gone, added := 0, 1000
	r.onPage = func() { // half of all goes and as much comes, everywhere
		for range 5 {
			if err := errors.Join(looptest.Delete(t.Context(), w.store, w.placed[gone]),
				looptest.Put(t.Context(), w.store, looptest.Segment(added, scheme(), []metainfo.NodeAlias{1}))); err != nil {
				t.Error(err)
			}
			gone, added = gone+1, added+1
		}
	}
	w.loop.Add("r", r)
	report, err := w.loop.Pass(t.Context())
	if err != nil || len(report.Failed) != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, s := range w.placed[gone:] {
		if r.seen[metabase.SegmentPlace{Stream: s.Stream}] == 0 {
			t.Fatal("a segment that was there all the time was not seen")
		}
	}
}

func TestUnreadableRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100, rangedloop.Options{Ranges: 2, Batch: 7})
	for _, s := range w.placed[10:13] {
		if err := looptest.Break(t.Context(), w.store, s); err != nil {
			t.Fatal(err)
		}
	}
	strict, lenient := &recorder{}, &tolerant{}
	w.loop.Add("strict", strict)
	w.loop.Add("lenient", lenient)
	report, err := w.loop.Pass(t.Context())
	if err != nil || report.Unreadable != 3 || report.Segments != 97 || report.Failed["strict"] == nil || report.Failed["lenient"] != nil {
		t.Fatalf("%+v, %v", report, err)
	}
	if slices.Contains(strict.calls, "finish") || lenient.without != 3 || len(lenient.seen) != 97 {
		t.Errorf("calls of strict %q, of lenient %q", strict.calls, lenient.calls)
	}
}

func TestPassesDoNotOverlap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100, rangedloop.Options{Ranges: 1, Batch: 10})
	running := 0
	var most int
	r := &recorder{}
	var mu sync.Mutex
	w.loop.Add("counter", observerFunc(func(start bool) {
		mu.Lock()
		defer mu.Unlock()
		if start {
			running++
			most = max(most, running)
		} else {
			running--
		}
	}))
	w.loop.Add("r", r)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := w.loop.Pass(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most != 1 || w.loop.Last().Segments != 100 {
		t.Errorf("%d passes at once, last %+v", most, w.loop.Last())
	}
}

// observerFunc is told of starts and finishes.
type observerFunc func(start bool)

func (f observerFunc) Start(context.Context, time.Time) error { f(true); return nil }
func (f observerFunc) Fork(context.Context) (rangedloop.Partial, error) {
	return nothing{}, nil
}
func (f observerFunc) Join(context.Context, rangedloop.Partial) error { return nil }
func (f observerFunc) Finish(context.Context) error                   { f(false); return nil }

type nothing struct{}

func (nothing) Process(context.Context, []metainfo.Segment) error { return nil }

// TestStoredFormIsThatOfMetabase reads back what looptest wrote, field by field.
func TestStoredFormIsThatOfMetabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, rangedloop.Options{})
	want := looptest.Segment(1, scheme(), []metainfo.NodeAlias{3, 2, 1})
	want.Position, want.Placement, want.Repaired = metainfo.Position{Part: 1, Index: 2}, 7, want.Created.Add(time.Hour)
	if err := looptest.Put(t.Context(), w.store, want); err != nil {
		t.Fatal(err)
	}
	got, err := w.db.LiveSegment(t.Context(), metabase.SegmentPlace{Stream: want.Stream, Position: want.Position})
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("wrote\n%+v, read\n%+v, %v", want, got, err)
	}
}
