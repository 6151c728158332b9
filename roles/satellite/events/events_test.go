package events

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"storj/ecenc/wire"
	"storj/metainfo/kv"
	"storj/metainfo/kv/memkv"
)

func open(t *testing.T, store kv.Store, opts Options) *Log {
	t.Helper()
	l, err := Open(t.Context(), store, opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// run runs a log; the function returned stops it.
func run(t *testing.T, l *Log) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestEventsLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memkv.New(memkv.Options{})
		l := open(t, store, Options{})
		stop := run(t, l)
		for i := range MaxEvents + 300 {
			l.Addf(NodeLost, "node %d", i)
			time.Sleep(time.Minute / 4)
		}
		l.Add(Repair, "finished")
		stop()
		list := l.List(2 * MaxEvents)
		if len(list) != MaxEvents || list[0].Text != "finished" || list[1].Text != fmt.Sprintf("node %d", MaxEvents+299) {
			t.Fatalf("%d events, the newest %+v", len(list), list[:2])
		}
		again := open(t, store, Options{})
		if !reflect.DeepEqual(again.List(2*MaxEvents), list) {
			t.Error("events are others after a restart")
		}
		stop = run(t, again)
		again.Add(Repair, "after")
		time.Sleep(2 * time.Second)
		stop()
		if third := open(t, store, Options{}).List(2); len(third) != 2 || third[0].Text != "after" || third[1].Text != "finished" {
			t.Errorf("after another restart %+v", third)
		}
	})
}

func TestRepeatedEventsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, memkv.New(memkv.Options{}), Options{})
		start := time.Now().UTC()
		for range 10 {
			l.Add(Verdict, "node a lies")
			l.Add(Damage, "node a lies") // another kind
			time.Sleep(10 * time.Minute)
		}
		time.Sleep(time.Hour)
		l.Add(Verdict, "node a lies")
		list := l.List(10)
		if len(list) != 3 || list[0].Count != 1 || list[2].Count != 10 || !list[2].Time.Equal(start) ||
			!list[2].Last.Equal(start.Add(90*time.Minute)) {
			t.Errorf("%+v", list)
		}
	})
}

func TestTextIsMadeHarmless(t *testing.T) {
	t.Parallel()
	l := open(t, memkv.New(memkv.Options{}), Options{})
	for text, want := range map[string]string{
		"plain":                            "plain",
		"\x1b[2Jgone\n":                    "?[2Jgone?",
		"\xff":                             "?",
		"turned\u202e":                     "turned?",
		strings.Repeat("ä", maxText):       strings.Repeat("ä", maxText/2),
		"x" + strings.Repeat("ä", maxText): "x" + strings.Repeat("ä", maxText/2-1),
	} {
		l.Add(Kind(text), text)
		e := l.List(1)[0]
		if e.Text != want || len(e.Kind) > maxKind || !utf8.ValidString(string(e.Kind)) {
			t.Errorf("%q is kept as %q, kind %q", text, e.Text, e.Kind)
		}
	}
	if len(l.List(-1)) != 0 || len(l.List(1)) != 1 {
		t.Error("limit is not kept")
	}
}

// brokenStore fails updates while it is broken.
type brokenStore struct {
	kv.Store
	broken atomic.Bool
}

var errBroken = errors.New("broken")

func (s *brokenStore) Update(ctx context.Context, fn func(kv.Tx) error) error {
	if s.broken.Load() {
		return errBroken
	}
	return s.Store.Update(ctx, fn)
}

func TestWhatCouldNotBeWrittenIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &brokenStore{Store: memkv.New(memkv.Options{})}
		store.broken.Store(true)
		var failures atomic.Int32
		l := open(t, store, Options{Failed: func(err error) {
			if errors.Is(err, errBroken) {
				failures.Add(1)
			}
		}})
		stop := run(t, l)
		l.Add(Repair, "one")
		time.Sleep(3 * time.Minute)
		store.broken.Store(false)
		time.Sleep(3 * time.Minute)
		stored := open(t, store, Options{}).List(10)
		stop()
		if len(stored) != 1 || failures.Load() != 3 {
			t.Errorf("%+v after %d failures", stored, failures.Load())
		}
	})
}

func FuzzEvent(f *testing.F) {
	now := time.Unix(1_800_000_000, 0).UTC()
	f.Add(wire.Marshal(&Event{Time: now, Last: now, Count: 1, Kind: Repair, Text: "x"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e, again Event
		if wire.Unmarshal(b, &e) != nil {
			return
		}
		if err := wire.Unmarshal(wire.Marshal(&e), &again); err != nil || !reflect.DeepEqual(e, again) {
			t.Fatalf("%+v became %+v, %v", e, again, err)
		}
	})
}
