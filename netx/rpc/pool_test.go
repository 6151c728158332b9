package rpc_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"storj/netx"
	"storj/netx/memnet"
	"storj/netx/rpc"
)

// bubble runs test on a world in memory whose time costs nothing.
func bubble(t *testing.T, tune tuning, test func(t *testing.T, w *world, network *memnet.Network)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(1)
		w := newWorld(t, memPair(network), tune)
		defer w.stop()
		test(t, w, network)
	})
}

const dials = "storj_rpc_pool_dials_total"

func (w *world) wantDials(t *testing.T, when string, want int) {
	t.Helper()
	if got := w.counter(dials); got != want {
		t.Errorf("%s: %d dials, want %d", when, got, want)
	}
}

func TestPoolRemembersSilence(t *testing.T) {
	bubble(t, tuning{}, func(t *testing.T, w *world, network *memnet.Network) {
		network.Hang(w.pair.ServerID)
		get := func() (time.Duration, error) {
			start := time.Now()
			_, err := w.pool.Get(t.Context(), w.url, netx.Data)
			return time.Since(start), err
		}
		for _, pause := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
			if took, err := get(); took != 5*time.Second || !errors.Is(err, netx.ErrUnreachable) {
				t.Errorf("dial of a hung peer: %s, %v", took, err)
			}
			for _, wait := range []time.Duration{0, pause - 1} {
				time.Sleep(wait)
				if took, err := get(); took != 0 || !errors.Is(err, netx.ErrUnreachable) {
					t.Errorf("within %s: %s, %v; want a failure at once", pause, took, err)
				}
			}
			time.Sleep(1)
		}
		network.Unhang(w.pair.ServerID)
		if _, err := get(); err != nil {
			t.Errorf("dial of the peer when it is back: %v", err)
		}
	})
}

func TestPoolForget(t *testing.T) {
	bubble(t, tuning{}, func(t *testing.T, w *world, network *memnet.Network) {
		network.Kill(w.pair.ServerID)
		if _, err := w.call(t, methodEcho, &note{}); !errors.Is(err, netx.ErrUnreachable) {
			t.Errorf("call of a dead peer: %v", err)
		}
		network.Revive(w.pair.ServerID)
		if _, err := w.call(t, methodEcho, &note{}); !errors.Is(err, netx.ErrUnreachable) {
			t.Errorf("call within the silence: %v", err)
		}
		w.pool.Forget(w.pair.ServerID)
		if _, err := w.call(t, methodEcho, &note{}); err != nil {
			t.Errorf("call after Forget: %v", err)
		}
	})
}

func TestPoolDialOutlivesItsFirstWaiter(t *testing.T) {
	bubble(t, tuning{}, func(t *testing.T, w *world, network *memnet.Network) {
		network.SetLatency(time.Second, 0)
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if _, err := w.pool.Get(impatient, w.url, netx.Data); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("impatient waiter: %v", err)
			}
		})
		synctest.Wait()
		waiting.Go(func() {
			if _, err := w.pool.Get(t.Context(), w.url, netx.Data); err != nil {
				t.Errorf("patient waiter: %v", err)
			}
		})
		waiting.Wait()
		w.wantDials(t, "two waiters", 1)
	})
}

func TestPoolClosesIdleConnections(t *testing.T) {
	bubble(t, tuning{pool: rpc.PoolOptions{IdleTimeout: time.Minute}}, func(t *testing.T, w *world, _ *memnet.Network) {
		idle, err := w.pool.Get(t.Context(), w.url, netx.Control)
		if err != nil {
			t.Fatal(err)
		}
		busy, err := w.pool.Get(t.Context(), w.url, netx.Data)
		if err != nil {
			t.Fatal(err)
		}
		st, err := busy.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		if isDone(idle) {
			t.Error("closed before its time")
		}
		time.Sleep(32 * time.Second)
		synctest.Wait()
		if !isDone(idle) {
			t.Error("idle connection still open")
		}
		if isDone(busy) {
			t.Error("connection with a stream was closed as idle")
		}
		st.Cancel(netx.Cancelled)
		time.Sleep(91 * time.Second)
		synctest.Wait()
		if !isDone(busy) {
			t.Error("connection still open after its stream has ended")
		}
		if _, err := w.call(t, methodEcho, &note{}); err != nil {
			t.Errorf("call after an idle close: %v", err)
		}
	})
}

func isDone(conn netx.Conn) bool {
	select {
	case <-conn.Done():
		return true
	default:
		return false
	}
}

func TestPoolIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(1)
		w := newWorld(t, memPair(network), tuning{pool: rpc.PoolOptions{MaxConns: 2}})
		defer w.stop()
		urls := make([]netx.NodeURL, 3)
		conns := make([]netx.Conn, 3)
		for i := range urls {
			tr := network.Transport(netx.NodeID{byte(10 + i)})
			defer tr.Close()
			if _, err := tr.Listen(); err != nil {
				t.Fatal(err)
			}
			urls[i] = netx.NodeURL{ID: tr.ID(), Address: tr.Address()}
		}
		for i, url := range urls {
			var err error
			if conns[i], err = w.pool.Get(t.Context(), url, netx.Data); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if !isDone(conns[0]) || isDone(conns[1]) || isDone(conns[2]) {
			t.Error("not the connection that was unused for longest was closed")
		}
		for _, conn := range conns[1:] {
			if _, err := conn.OpenStream(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.pool.Get(t.Context(), urls[0], netx.Data); !errors.Is(err, netx.ErrBusy) {
			t.Errorf("third connection in use: %v, want %v", err, netx.ErrBusy)
		}
	})
}

// TestCallAgain lets the connection die before the response comes.
func TestCallAgain(t *testing.T) {
	for name, test := range map[string]struct {
		idempotent bool
		kills      int
		want       error
	}{
		"not idempotent":          {kills: 1, want: netx.ErrClosed},
		"idempotent":              {kills: 1, idempotent: true},
		"idempotent, dying twice": {kills: 2, idempotent: true, want: netx.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, tuning{}, func(t *testing.T, w *world, network *memnet.Network) {
				const methodDying rpc.Method = 50
				calls := 0
				rpc.Unary(w.server, methodDying, rpc.Limits{}, func(context.Context, rpc.Peer, *note) (*note, error) {
					if calls++; calls <= test.kills {
						network.Kill(w.pair.ServerID)
						network.Revive(w.pair.ServerID)
					}
					return &note{}, nil
				})
				w.mustCallEcho(t) // the connection is pooled
				opts := rpc.CallOptions{Peer: w.url, Purpose: netx.Control, Method: methodDying, Idempotent: test.idempotent}
				err := w.pool.CallWith(t.Context(), opts, &note{}, &note{})
				if !errors.Is(err, test.want) || test.want == nil && err != nil {
					t.Errorf("call: %v, want %v", err, test.want)
				}
			})
		})
	}
}

func (w *world) mustCallEcho(t *testing.T) {
	t.Helper()
	if _, err := w.call(t, methodEcho, &note{}); err != nil {
		t.Fatal(err)
	}
}

func TestDeadPooledConnectionIsReplaced(t *testing.T) {
	bubble(t, tuning{}, func(t *testing.T, w *world, network *memnet.Network) {
		for range 3 {
			w.mustCallEcho(t)
			network.Kill(w.pair.ServerID)
			network.Revive(w.pair.ServerID)
		}
		w.wantDials(t, "after three deaths", 3)
	})
}

// refusing is a transport whose first dials are refused.
type refusing struct {
	netx.Transport
	refusals int
}

func (r *refusing) Dial(ctx context.Context, peer netx.NodeURL, purpose netx.Purpose) (netx.Conn, error) {
	if r.refusals > 0 {
		r.refusals--
		return nil, netx.ErrRefused
	}
	return r.Transport.Dial(ctx, peer, purpose)
}

func TestRefusedDialsAreRepeated(t *testing.T) {
	for name, test := range map[string]struct {
		refusals int
		want     error
	}{
		"a few":    {refusals: 5},
		"for good": {refusals: 1 << 30, want: netx.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, tuning{}, func(t *testing.T, w *world, _ *memnet.Network) {
				pool := rpc.NewPool(&refusing{w.pair.Client, test.refusals}, rpc.PoolOptions{})
				defer pool.Close()
				start := time.Now()
				_, err := pool.Get(t.Context(), w.url, netx.Data)
				if !errors.Is(err, test.want) || time.Since(start) > 5*time.Second {
					t.Errorf("get: %v after %s, want %v within 5s", err, time.Since(start), test.want)
				}
			})
		})
	}
}

func TestClosedPool(t *testing.T) {
	bubble(t, tuning{}, func(t *testing.T, w *world, network *memnet.Network) {
		network.Hang(w.pair.ServerID)
		waiting := make(chan error, 1)
		go func() {
			_, err := w.pool.Get(t.Context(), w.url, netx.Data)
			waiting <- err
		}()
		synctest.Wait()
		start := time.Now()
		if err := w.pool.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-waiting; err == nil || time.Since(start) != 0 {
			t.Errorf("dial in progress: %v after %s", err, time.Since(start))
		}
		if _, err := w.pool.Get(t.Context(), w.url, netx.Data); !errors.Is(err, netx.ErrClosed) {
			t.Errorf("get: %v, want %v", err, netx.ErrClosed)
		}
		if err := w.pool.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	})
}

// TestHandlerContextEndsWithTheConnection is why a dead client does not keep the work that it asked for.
func TestHandlerContextEndsWithTheConnection(t *testing.T) {
	bubble(t, tuning{}, func(t *testing.T, w *world, network *memnet.Network) {
		const methodHold rpc.Method = 51
		ended := make(chan error, 1)
		w.server.Stream(methodHold, 10, func(ctx context.Context, peer rpc.Peer, _ []byte, st *rpc.ServerStream) error {
			if peer.ID != w.pair.ClientID || peer.RemoteAddr != w.pair.Client.Address() {
				t.Errorf("peer %v", peer)
			}
			if err := st.Reply(&note{}); err != nil {
				return err
			}
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		})
		st := w.open(t, methodHold, &note{})
		if err := st.Response(&note{}); err != nil {
			t.Fatal(err)
		}
		network.Kill(w.pair.ClientID)
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("handler's context: %v", err)
		}
		st.Cancel(netx.Cancelled)
	})
}

// lateTransport dials well, but comes back only when nobody waits for it any more.
type lateTransport struct{ netx.Transport }

func (l lateTransport) Dial(ctx context.Context, peer netx.NodeURL, purpose netx.Purpose) (netx.Conn, error) {
	conn, err := l.Transport.Dial(context.WithoutCancel(ctx), peer, purpose)
	<-ctx.Done()
	return conn, err
}

func TestPoolClosedDuringDial(t *testing.T) {
	bubble(t, tuning{}, func(t *testing.T, w *world, _ *memnet.Network) {
		pool := rpc.NewPool(lateTransport{w.pair.Client}, rpc.PoolOptions{})
		ended := make(chan error)
		go func() {
			_, err := pool.Get(t.Context(), w.url, netx.Data)
			ended <- err
		}()
		synctest.Wait()
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, netx.ErrClosed) {
			t.Errorf("dial of a pool that was closed meanwhile: %v, want ErrClosed", err)
		}
	})
}
