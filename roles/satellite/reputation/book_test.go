package reputation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo/kv"
	"storj/metainfo/kv/memkv"
	"storj/netx"
	"storj/pieces"
)

func node(n int) netx.NodeID { return netx.NodeID{byte(n), byte(n >> 8), 1} }

// net is nodes that are in contact or not, and the book on them.
type net struct {
	*testing.T
	store kv.Store
	book  *Book
	stop  func()

	mu      sync.Mutex // guards the fields below
	last    map[netx.NodeID]time.Time
	online  func(id netx.NodeID, at time.Time) bool
	events  []string
	changed int
}

// start opens a book on nodes and runs it; it must be called in a bubble.
func start(t *testing.T, nodes int, change func(*Options)) *net {
	w := &net{T: t, store: memkv.New(memkv.Options{}), last: make(map[netx.NodeID]time.Time)}
	for i := range nodes {
		w.last[node(i)] = time.Now()
	}
	w.online = func(netx.NodeID, time.Time) bool { return true }
	w.open(change)
	t.Cleanup(func() {
		w.stop()
		_ = w.store.Close()
	})
	return w
}

func (w *net) open(change func(*Options)) {
	w.Helper()
	opts := Options{
		Contacts: w.contacts,
		Changed:  func([]netx.NodeID) { w.mu.Lock(); w.changed++; w.mu.Unlock() },
		Event:    func(text string) { w.mu.Lock(); w.events = append(w.events, text); w.mu.Unlock() },
		Failed:   func(err error) { w.Error(err) },
	}
	if change != nil {
		change(&opts)
	}
	book, err := Open(w.Context(), w.store, opts)
	if err != nil {
		w.Fatal(err)
	}
	w.book = book
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- book.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := errors.Join(<-done, book.Close()); err != nil {
			w.Error(err)
		}
		w.stop = func() {}
	}
}

func (w *net) contacts() (list []Contact) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.last {
		if w.online(id, time.Now()) {
			w.last[id] = time.Now()
		}
		list = append(list, Contact{Node: id, Last: w.last[id]})
	}
	return list
}

func (w *net) setOnline(online func(id netx.NodeID, at time.Time) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.online = online
}

func (w *net) told(words string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.events, func(e string) bool { return strings.Contains(e, words) })
}

func (w *net) report(id netx.NodeID, count int, v Verdict) {
	for range count {
		w.book.Report(id, Finding{Verdict: v, Piece: pieces.PieceID{9}, Text: "words"})
	}
}

func (w *net) want(id netx.NodeID, state pieces.State) {
	w.Helper()
	if got := w.book.Standing(id); got.State != state {
		w.Errorf("node %d is %s (%s), want %s", id[0], got.State, got.Reason, state)
	}
}

func TestVerdictsMakeStates(t *testing.T) {
	tests := []struct {
		name  string
		count int
		v     Verdict
		state pieces.State
	}{
		{"proved", 500, Proved, pieces.Healthy},
		{"trashed", 500, Trashed, pieces.Healthy},
		{"a few lost", 9, Lost, pieces.Healthy},
		{"many lost", 11, Lost, pieces.Quarantined},
		{"many damaged", 11, Damaged, pieces.Quarantined},
		{"many timed out", 11, TimedOut, pieces.Quarantined},
		{"one altered", 1, Altered, pieces.Quarantined},
		{"one swapped", 1, Swapped, pieces.Quarantined},
		{"one outdated", 1, Outdated, pieces.Quarantined},
		{"refused", 20, Refused, pieces.Suspended},
		{"dropped", 20, Dropped, pieces.Suspended},
		{"faulty", 20, Faulty, pieces.Suspended},
		{"away", 500, Away, pieces.Healthy},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, 3, nil)
				w.report(node(1), 100, Proved)
				w.report(node(1), test.count, test.v)
				w.want(node(1), test.state)
				w.want(node(2), pieces.Healthy)
				if test.state == pieces.Quarantined {
					w.book.Report(node(1), Finding{Verdict: Refused, Text: "later"}) // the reason stays
				}
				s := w.book.Standing(node(1))
				if test.state == pieces.Quarantined && (!strings.Contains(s.Reason, test.v.String()) || s.Piece != pieces.PieceID{9}) {
					t.Errorf("reason %q, piece %v", s.Reason, s.Piece)
				}
			})
		})
	}
}

func TestSuspensionEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 3, nil)
		w.report(node(1), 20, Refused)
		w.want(node(1), pieces.Suspended)
		w.report(node(1), 40, Proved)
		w.want(node(1), pieces.Healthy)
		if !w.told("suspended: refused") || !w.told("no longer suspended") || w.changed != 2 {
			t.Errorf("events %q, %d changes", w.events, w.changed)
		}
	})
}

func TestQuarantineEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 100, nil)
		time.Sleep(3 * time.Hour)     // all of them are known
		w.report(node(1), 1, Altered) // lied
		w.report(node(2), 45, Lost)   // lost nearly all
		w.report(node(3), 11, Lost)   // lost some, and proved much since
		w.report(node(4), 11, Lost)   // lost some, nothing since
		for i := 1; i <= 4; i++ {
			w.want(node(i), pieces.Quarantined)
		}
		w.report(node(3), 500, Proved)
		time.Sleep(DefaultQuarantine - 2*time.Hour)
		for i := 1; i <= 4; i++ {
			w.want(node(i), pieces.Quarantined)
		}
		time.Sleep(4 * time.Hour)
		w.want(node(1), pieces.Disqualified)
		w.want(node(2), pieces.Disqualified)
		w.want(node(3), pieces.Healthy)
		w.want(node(4), pieces.Quarantined)
		for _, i := range []int{1, 2, 4} {
			if err := w.book.Reinstate(t.Context(), node(i)); err != nil {
				t.Fatal(err)
			}
			w.want(node(i), pieces.Healthy)
		}
		time.Sleep(10 * 24 * time.Hour)
		w.want(node(1), pieces.Healthy)
	})
}

// TestOwnFaultIsNotTheNodes: when all nodes fail at once, it is the satellite.
func TestOwnFaultIsNotTheNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 50, nil)
		time.Sleep(3*time.Hour + time.Minute)
		for i := range 50 {
			w.report(node(i), 1, Altered)
		}
		if n := w.book.Count(pieces.Quarantined); n != 5 {
			t.Errorf("%d of 50 nodes quarantined on one day, want 5", n)
		}
		if !w.told("likely a fault of the satellite itself") {
			t.Errorf("nothing was said: %q", w.events)
		}
		time.Sleep(26 * time.Hour)
		if n := w.book.Count(pieces.Quarantined); n != 10 {
			t.Errorf("%d quarantined on the next day, want 10", n)
		}
	})
}

func TestOwnerDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 30, nil)
		ctx := t.Context()
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		check(w.book.Disqualify(ctx, node(1), "stolen"))
		w.want(node(1), pieces.Disqualified)
		if s := w.book.Standing(node(1)); !strings.Contains(s.Reason, "stolen") {
			t.Errorf("reason %q", s.Reason)
		}
		w.stop()
		w.open(nil)
		w.want(node(1), pieces.Disqualified)
		check(w.book.Reinstate(ctx, node(1)))
		w.want(node(1), pieces.Healthy)

		w.report(node(2), 30, Refused)
		w.report(node(3), 1, Swapped)
		check(w.book.Forgive(ctx, node(2)))
		check(w.book.Forgive(ctx, node(3)))
		w.want(node(2), pieces.Healthy)
		w.want(node(3), pieces.Quarantined)
	})
}

func TestExit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 3, nil)
		id := node(1)
		w.book.SetPieces(time.Now(), map[netx.NodeID]int64{id: 7, node(2): 1})
		w.book.SetExiting(id, true)
		w.want(id, pieces.Exiting)
		if left := w.book.Standing(id).PiecesLeft; left != 7 {
			t.Errorf("%d pieces left", left)
		}
		before := time.Now()
		time.Sleep(time.Minute)
		w.book.SetPieces(before.Add(-time.Hour), nil) // a pass from before the exit says nothing
		w.want(id, pieces.Exiting)
		w.book.SetExiting(id, false)
		w.want(id, pieces.Healthy)
		w.book.SetExiting(id, true)
		time.Sleep(time.Minute)
		w.book.SetPieces(time.Now(), map[netx.NodeID]int64{node(2): 1})
		w.want(id, pieces.Exited)
		w.book.SetExiting(id, true) // it says so at each check-in
		w.want(id, pieces.Exited)
	})
}

// TestSleepersAreKept: a tenth of the network sleeps eight hours each night for two months.
func TestSleepersAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 50, nil)
		asleep := func(id netx.NodeID, at time.Time) bool { return id[0] < 5 && at.Hour() < 8 }
		w.setOnline(func(id netx.NodeID, at time.Time) bool { return !asleep(id, at) })
		time.Sleep(24 * time.Hour)
		w.mu.Lock()
		w.changed = 0
		w.mu.Unlock()
		time.Sleep(60 * 24 * time.Hour)
		if w.changed != 0 {
			t.Errorf("nodes changed state %d times after the first night", w.changed)
		}
		for i := range 50 {
			w.want(node(i), pieces.Healthy)
		}
		s := w.book.Standing(node(1))
		if s.OnlineScore < 0.65 || s.OnlineScore > 0.9 || w.book.Standing(node(20)).OnlineScore != 1 {
			t.Errorf("scores %.3f and %.3f", s.OnlineScore, w.book.Standing(node(20)).OnlineScore)
		}
		if p := w.book.Patience(node(1)); p < 8*time.Hour {
			t.Errorf("patience with a sleeper is %v", p)
		}
	})
}

func TestDeadNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 10, nil)
		time.Sleep(24 * time.Hour)
		dead := node(3)
		died := time.Now()
		w.setOnline(func(id netx.NodeID, at time.Time) bool { return id != dead || at.Before(died) })
		time.Sleep(2*time.Hour + time.Minute)
		w.want(dead, pieces.Healthy)
		time.Sleep(4 * time.Hour)
		w.want(dead, pieces.Offline)
		time.Sleep(20 * 24 * time.Hour)
		if s := w.book.Standing(dead); s.OnlineScore > 0.4 {
			t.Errorf("score %.3f after twenty days", s.OnlineScore)
		}
		time.Sleep(15 * 24 * time.Hour)
		if !w.told("away for 30 days: lost") {
			t.Errorf("events %q", w.events)
		}
		w.setOnline(func(netx.NodeID, time.Time) bool { return true })
		w.book.Seen(dead)
		if !w.told("is back after") {
			t.Errorf("events %q", w.events)
		}
		time.Sleep(25 * 24 * time.Hour) // the score needs time
		w.want(dead, pieces.Healthy)
	})
}

// TestOwnOutageIsNotCounted: the satellite is down for a week; then its line is down for half a day.
func TestOwnOutageIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 10, nil)
		time.Sleep(48 * time.Hour)
		w.stop()
		time.Sleep(7 * 24 * time.Hour) // nobody could check in
		w.setOnline(func(netx.NodeID, time.Time) bool { return false })
		w.open(nil)
		time.Sleep(90 * time.Minute) // they are coming back
		w.setOnline(func(netx.NodeID, time.Time) bool { return true })
		time.Sleep(48 * time.Hour)
		for i := range 10 {
			if s := w.book.Standing(node(i)); s.OnlineScore != 1 || s.State != pieces.Healthy {
				t.Errorf("node %d is %s with score %.3f after the satellite was down", i, s.State, s.OnlineScore)
			}
		}
		w.setOnline(func(id netx.NodeID, _ time.Time) bool { return id[0] < 2 })
		time.Sleep(12 * time.Hour)
		for i := range 10 {
			w.want(node(i), pieces.Healthy)
		}
		w.setOnline(func(netx.NodeID, time.Time) bool { return true })
		time.Sleep(24 * time.Hour)
		if s := w.book.Standing(node(5)); s.OnlineScore != 1 {
			t.Errorf("score %.3f after an outage", s.OnlineScore)
		}
		w.setOnline(func(id netx.NodeID, _ time.Time) bool { return id[0] < 2 })
		time.Sleep(60 * time.Hour) // too long for an outage
		w.want(node(5), pieces.Offline)
	})
}

func TestRestartKeepsScores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 300, nil)
		for i := range 300 {
			w.report(node(i), i, Proved)
			w.report(node(i), i%7, Lost)
			w.report(node(i), i%5, Refused)
		}
		time.Sleep(50 * time.Hour)
		before := make([]pieces.Standing, 300)
		records := make([]Record, 300)
		for i := range before {
			before[i], records[i] = w.book.Standing(node(i)), w.book.Record(node(i))
		}
		w.stop()
		w.open(nil)
		for i := range before {
			if got := w.book.Standing(node(i)); got != before[i] {
				t.Fatalf("node %d: %+v, was %+v", i, got, before[i])
			}
			if got := w.book.Record(node(i)); got != records[i] {
				t.Fatalf("node %d: %+v, was %+v", i, got, records[i])
			}
		}
	})
}

// TestCrashLosesAMinute: what was reported a minute ago is there without an orderly end.
func TestCrashLosesAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 3, nil)
		w.report(node(1), 1, Altered)
		time.Sleep(settle + time.Second)
		book, err := Open(t.Context(), w.store, Options{})
		if err != nil || book.Standing(node(1)).State != pieces.Quarantined {
			t.Errorf("after a crash: %+v, %v", book.Standing(node(1)), err)
		}
	})
}

func TestVetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 3, func(o *Options) { o.Vetting = true })
		w.report(node(1), 150, Proved)
		w.report(node(2), 20, Proved)
		if w.book.Standing(node(1)).Vetted || w.book.Standing(node(9)).Vetted {
			t.Error("vetted on the first day")
		}
		time.Sleep(22 * 24 * time.Hour)
		if _, vetted := w.book.State(node(1)); !vetted || w.book.Standing(node(2)).Vetted {
			t.Error("vetted wrongly after three weeks")
		}
	})
}

func FuzzRow(f *testing.F) {
	r := newRecord(time.Unix(1e9, 0))
	r.count(Finding{Verdict: Lost, Text: "gone"})
	r.contact.roll(time.Unix(1.6e9, 0))
	f.Add(wire.Marshal(r))
	f.Add([]byte{})
	f.Add([]byte{0x08, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r record
		if wire.Unmarshal(raw, &r) != nil {
			return
		}
		r.standing(true, time.Now())
		r.count(Finding{Verdict: Proved})
		if s := r.audit.score(); s < 0 || s > 1 {
			t.Errorf("score %v", s)
		}
	})
}

func BenchmarkReport(b *testing.B) {
	book, err := Open(b.Context(), memkv.New(memkv.Options{}), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		book.Report(node(1), Finding{Verdict: Proved})
	}
}

func BenchmarkSample(b *testing.B) {
	for _, count := range []int{200, 20_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			contacts := make([]Contact, count)
			for i := range contacts {
				contacts[i] = Contact{Node: node(i), Last: time.Now().Add(time.Hour)}
			}
			book, err := Open(b.Context(), memkv.New(memkv.Options{}), Options{Contacts: func() []Contact { return contacts }})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				book.Sample()
			}
		})
	}
}
