package buffers

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
)

const fullSize = 64 << 20

func TestTakeSizes(t *testing.T) {
	t.Parallel()
	pool := New(fullSize, 1)
	tests := []struct{ need, want int }{
		{0, 8 << 10}, {16, 8 << 10}, {8 << 10, 8 << 10}, {8<<10 + 1, 64 << 10}, {512 << 10, 512 << 10},
		{512<<10 + 1, 4 << 20}, {4 << 20, 4 << 20}, {4<<20 + 1, 32 << 20}, {32<<20 + 1, fullSize}, {fullSize, fullSize},
	}
	lease := pool.Lease()
	defer lease.Return()
	for _, test := range tests {
		buf, err := lease.Take(t.Context(), test.need)
		if err != nil || len(buf) != 0 || cap(buf) != test.want {
			t.Errorf("need %d: got %d of %d bytes, %v; want %d", test.need, len(buf), cap(buf), err, test.want)
		}
	}
}

func TestSmallPool(t *testing.T) {
	t.Parallel()
	lease := New(1000, 1).Lease()
	if buf, err := lease.Take(t.Context(), 1000); err != nil || cap(buf) < 1000 {
		t.Fatalf("got %d bytes, %v", cap(buf), err)
	}
	lease.Return()
}

func TestLargeOnesWaitForEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := New(fullSize, 2)
		first, second, third := pool.Lease(), pool.Lease(), pool.Lease()
		for _, l := range []*Lease{first, second} {
			if _, err := l.Take(t.Context(), 5<<20); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := third.Take(t.Context(), lastSmall); err != nil {
			t.Fatalf("a small one had to wait: %v", err)
		}
		got := make(chan error)
		go func() {
			_, err := third.Take(t.Context(), 5<<20)
			got <- err
		}()
		synctest.Wait()
		select {
		case err := <-got:
			t.Fatalf("third large buffer of two: %v", err)
		default:
		}
		if _, err := first.Take(t.Context(), fullSize); err != nil {
			t.Fatalf("a lease waited twice: %v", err)
		}
		first.Return()
		first.Return() // harmless
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		second.Return()
		third.Return()
	})
}

func TestTakeEndsWithContext(t *testing.T) {
	t.Parallel()
	pool := New(fullSize, 1)
	holder := pool.Lease()
	if _, err := holder.Take(t.Context(), fullSize); err != nil {
		t.Fatal(err)
	}
	defer holder.Return()
	cause := errors.New("gone home")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	waiter := pool.Lease()
	if _, err := waiter.Take(ctx, fullSize); !errors.Is(err, cause) {
		t.Fatalf("got %v, want the cause of the context", err)
	}
	waiter.Return() // must not give back a slot that it never had
	if len(pool.slots) != 1 {
		t.Fatalf("%d slots taken, want 1", len(pool.slots))
	}
}

func TestFullBuffersAreUsedAgain(t *testing.T) {
	t.Parallel()
	pool := New(fullSize, 2)
	take := func(l *Lease) *byte {
		t.Helper()
		buf, err := l.Take(t.Context(), fullSize)
		if err != nil {
			t.Fatal(err)
		}
		return &buf[:1][0]
	}
	a, b, c := pool.Lease(), pool.Lease(), pool.Lease()
	first, second := take(a), take(b)
	a.Return()
	if again := take(c); again != first || again == second {
		t.Error("a free buffer was not used again, or one that is lent was")
	}
	b.Return()
	c.Return()
	if len(pool.free) != 0 {
		t.Errorf("%d buffers kept when nobody has one", len(pool.free))
	}
	runtime.GC()
	if pool.last.Value() != nil {
		t.Error("the last buffer outlives a garbage collection")
	}
}
