package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"storj/netx"
	"storj/netx/nettest"
	"storj/netx/rpc"
)

func TestCallEchoes(t *testing.T) {
	t.Parallel()
	each(t, tuning{}, func(t *testing.T, w *world) {
		for _, size := range []int{0, 1, 120, 127, 128, 2000, 2048, 2049, 70_000, 500_000} {
			want := bytes.Repeat([]byte{0xa5}, size)
			got, err := w.call(t, methodEcho, &note{Text: want, Number: int64(size)})
			if err != nil || !bytes.Equal(got.Text, want) || got.Number != int64(size) {
				t.Errorf("%d bytes: got %d bytes, %v", size, len(got.Text), err)
			}
		}
		if got := w.counter("storj_rpc_pool_dials_total"); got != 1 {
			t.Errorf("%d dials, want 1", got)
		}
	})
}

func TestCallErrorsCrossAsSentinels(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		method rpc.Method
		size   int
		want   error
		code   netx.Code
	}{
		{name: "sentinel of a wing", method: methodFail, want: errHouse, code: netx.Denied},
		{name: "panic", method: methodPanic, code: netx.Internal},
		{name: "unknown method", method: methodNoSuch, want: netx.ErrUnknownMethod, code: netx.Invalid},
		{name: "request over its limit", method: methodFail, size: 2000, want: netx.ErrTooLarge, code: netx.Invalid},
		{name: "large request over its limit", method: methodFail, size: 900_000, want: netx.ErrTooLarge, code: netx.Invalid},
	}
	each(t, tuning{}, func(t *testing.T, w *world) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				_, err := w.call(t, test.method, &note{Text: make([]byte, test.size)})
				if err == nil || netx.CodeOf(err) != test.code || test.want != nil && !errors.Is(err, test.want) {
					t.Errorf("error %v, want %v, code %s", err, test.want, test.code)
				}
				if err != nil && (strings.Contains(err.Error(), errPrivate.Error()) || strings.Contains(err.Error(), "boom")) {
					t.Errorf("text crossed the wire: %v", err)
				}
			})
		}
		if _, err := w.call(t, methodEcho, &note{Number: 1}); err != nil {
			t.Errorf("the connection does not work any more: %v", err)
		}
	})
}

func TestCallContext(t *testing.T) {
	t.Parallel()
	each(t, tuning{}, func(t *testing.T, w *world) {
		for name, test := range map[string]struct {
			ctx  func() (context.Context, context.CancelFunc)
			want error
		}{
			"cancelled": {want: context.Canceled, ctx: func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(50*time.Millisecond, cancel)
				return ctx, cancel
			}},
			"past its deadline": {want: netx.ErrTimeout, ctx: func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), 50*time.Millisecond)
			}},
		} {
			ctx, cancel := test.ctx()
			var resp note
			err := w.pool.Call(ctx, w.url, netx.Control, methodWait, &note{}, &resp)
			cancel()
			if !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", name, err, test.want)
			}
		}
	})
}

func TestCallTimeoutWithoutDeadline(t *testing.T) {
	t.Parallel()
	each(t, tuning{pool: rpc.PoolOptions{CallTimeout: 50 * time.Millisecond}}, func(t *testing.T, w *world) {
		var resp note
		err := w.pool.Call(t.Context(), w.url, netx.Control, methodWait, &note{}, &resp)
		if !errors.Is(err, netx.ErrTimeout) {
			t.Errorf("call: %v, want %v", err, netx.ErrTimeout)
		}
		if got := w.counter("storj_rpc_pool_retired_total"); got != 1 {
			t.Errorf("%d connections retired, want the silent one", got)
		}
	})
}

func TestCallsAtOnce(t *testing.T) {
	t.Parallel()
	each(t, tuning{}, func(t *testing.T, w *world) {
		var calling sync.WaitGroup
		for i := range 100 {
			calling.Go(func() {
				want := fmt.Sprintf("caller %d", i)
				for range 5 {
					got, err := w.call(t, methodEcho, &note{Text: []byte(want)})
					if err != nil || string(got.Text) != want {
						t.Errorf("got %q, %v; want %q", got.Text, err, want)
					}
				}
			})
		}
		calling.Wait()
		if got := w.counter("storj_rpc_pool_dials_total"); got != 1 {
			t.Errorf("%d dials, want one that all waited for", got)
		}
		eventually(t, "500 calls counted", func() bool {
			return w.counter(`storj_rpc_server_calls_total{method="1",code="ok"}`) == 500
		})
	})
}

func TestNothingIsLeft(t *testing.T) {
	for name, pair := range map[string]func() nettest.Pair{
		"mem":  func() nettest.Pair { return newMemPair() },
		"quic": func() nettest.Pair { return quicPair(t) },
	} {
		t.Run(name, func(t *testing.T) {
			nettest.CheckLeaks(t, func() {
				w := newWorld(t, pair(), tuning{})
				if _, err := w.call(t, methodEcho, &note{}); err != nil {
					t.Error(err)
				}
				waiting := make(chan error, 1)
				go func() {
					_, err := w.call(t, methodWait, &note{})
					waiting <- err
				}()
				st, err := w.pool.Open(t.Context(), w.url, netx.Control, methodMirror, &note{})
				if err == nil {
					err = st.Response(&note{})
				}
				if err != nil {
					t.Error(err)
				}
				w.stop()
				if <-waiting == nil {
					t.Error("a call outlived its server")
				}
			})
		})
	}
}
