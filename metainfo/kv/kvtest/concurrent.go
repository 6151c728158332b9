package kvtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"storj/metainfo/kv"
)

// add raises a counter by n.
func add(tx kv.Tx, key string, n uint64) error {
	b, err := tx.Get([]byte(key))
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	return tx.Put([]byte(key), binary.BigEndian.AppendUint64(nil, decode(b)+n))
}

func testFailed(t *testing.T, s kv.Store) {
	put(t, s, "a", "1", "b", "2")
	spoil := func(tx kv.Tx) error {
		return errors.Join(tx.Put([]byte("a"), []byte("x")), tx.Delete([]byte("b")), tx.Put([]byte("c"), nil))
	}
	fault := errors.New("fault")
	err := s.Update(t.Context(), func(tx kv.Tx) error { return errors.Join(spoil(tx), fault) })
	if !errors.Is(err, fault) {
		t.Errorf("error: %v", err)
	}
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("panic reached the caller as %v", v)
			}
		}()
		_ = s.Update(t.Context(), func(tx kv.Tx) error {
			_ = spoil(tx)
			panic("boom")
		})
		t.Error("panic was swallowed")
	}()
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.Update(t.Context(), func(tx kv.Tx) error {
			_ = spoil(tx)
			runtime.Goexit()
			return nil
		})
		t.Error("Goexit returned")
	})
	wg.Wait()
	if got := get(t, s, "a") + get(t, s, "b") + get(t, s, "c"); got != "12<none>" {
		t.Errorf("failed functions left %q", got)
	}
	put(t, s, "a", "3")
	if got := get(t, s, "a"); got != "3" {
		t.Errorf("store is stuck: %q", got)
	}
}

func testSnapshot(t *testing.T, s kv.Store) {
	put(t, s, "a", "old", "b", "old")
	err := s.View(t.Context(), func(tx kv.Tx) error {
		c := tx.Cursor(kv.Range{})
		defer c.Close()
		if !c.Next() || string(c.Value()) != "old" {
			t.Errorf("first row: %q", c.Value())
		}
		var wg sync.WaitGroup
		wg.Go(func() { put(t, s, "a", "new", "b", "new", "c", "new") })
		wg.Wait()
		if got := get(t, s, "a"); got != "new" {
			t.Errorf("other view: %q", got)
		}
		for c.Next() {
			if string(c.Value()) != "old" {
				t.Errorf("snapshot sees %q = %q", c.Key(), c.Value())
			}
		}
		got, err := tx.Get([]byte("a"))
		if string(got) != "old" {
			t.Errorf("snapshot sees a = %q", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// testCounters would lose increments on a store that is not serializable.
func testCounters(t *testing.T, s kv.Store) {
	const workers, times = 16, 25
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range times {
				err := s.Update(t.Context(), func(tx kv.Tx) error {
					return errors.Join(add(tx, "all", 1), add(tx, fmt.Sprint("own ", w), 1), add(tx, fmt.Sprint("i ", i), 1))
				})
				if err != nil {
					t.Errorf("increment: %v", err)
				}
				if got := decode([]byte(get(t, s, fmt.Sprint("own ", w)))); got != uint64(i+1) {
					t.Errorf("own write is not visible after Update: %d, want %d", got, i+1)
				}
			}
		})
	}
	wg.Wait()
	if got := decode([]byte(get(t, s, "all"))); got != workers*times {
		t.Errorf("counter is %d, want %d", got, workers*times)
	}
	if st := s.Stats(); st.Updates < workers*times || st.Commits > st.Updates {
		t.Errorf("stats: %+v", st)
	}
}

func testConcurrentFailures(t *testing.T, s kv.Store) {
	const workers, times = 16, 20
	fault := errors.New("fault")
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range times {
				fails := (w+i)%3 == 0
				err := s.Update(t.Context(), func(tx kv.Tx) error {
					if err := add(tx, "all", 1); err != nil || !fails {
						return err
					}
					return fault
				})
				if fails != errors.Is(err, fault) || !fails && err != nil {
					t.Errorf("function got another's outcome: %v", err)
				}
			}
		})
	}
	wg.Wait()
	want := uint64(0)
	for w := range workers {
		for i := range times {
			if (w+i)%3 != 0 {
				want++
			}
		}
	}
	if got := decode([]byte(get(t, s, "all"))); got != want {
		t.Errorf("counter is %d, want %d", got, want)
	}
}

// testWriteSkew has pairs of transactions each of which reads what the other writes: one of a pair must see it.
func testWriteSkew(t *testing.T, s kv.Store) {
	for round := range 30 {
		a, b := fmt.Sprint("a", round), fmt.Sprint("b", round)
		claim := func(mine, other string) {
			err := s.Update(t.Context(), func(tx kv.Tx) error {
				if _, err := tx.Get([]byte(other)); !errors.Is(err, kv.ErrNotFound) {
					return err
				}
				return tx.Put([]byte(mine), []byte("on duty"))
			})
			if err != nil {
				t.Errorf("claim: %v", err)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { claim(a, b) })
		wg.Go(func() { claim(b, a) })
		wg.Wait()
		if (get(t, s, a) == "<none>") == (get(t, s, b) == "<none>") {
			t.Fatalf("round %d: %s and %s", round, get(t, s, a), get(t, s, b))
		}
	}
}

func testCancelQueued(t *testing.T, s kv.Store) {
	inside, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		entered := sync.OnceFunc(func() { close(inside) }) // the function may run twice
		err := s.Update(t.Context(), func(tx kv.Tx) error {
			entered()
			<-leave
			return tx.Put([]byte("first"), nil)
		})
		if err != nil {
			t.Errorf("first: %v", err)
		}
	})
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		err := s.Update(ctx, func(tx kv.Tx) error { return tx.Put([]byte("cancelled"), nil) })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		close(leave)
	})
	cancel()
	wg.Wait()
	if got := get(t, s, "cancelled") + get(t, s, "first"); got != "<none>" {
		t.Errorf("store has %q", got)
	}
	put(t, s, "after", "")
}

func testCancelledBefore(t *testing.T, s kv.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, run := range map[string]func(context.Context, func(kv.Tx) error) error{"view": s.View, "update": s.Update} {
		err := run(ctx, func(kv.Tx) error {
			t.Errorf("%s ran its function", name)
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testClosed(t *testing.T, s kv.Store) {
	var wg sync.WaitGroup
	for range 8 { // some before, some after: each has a plain outcome
		wg.Go(func() {
			if err := s.Update(t.Context(), func(tx kv.Tx) error { return add(tx, "n", 1) }); err != nil && !errors.Is(err, kv.ErrClosed) {
				t.Errorf("update beside close: %v", err)
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	for name, run := range map[string]func(context.Context, func(kv.Tx) error) error{"view": s.View, "update": s.Update} {
		if err := run(t.Context(), func(kv.Tx) error { return nil }); !errors.Is(err, kv.ErrClosed) {
			t.Errorf("%s on a closed store: %v", name, err)
		}
	}
}
