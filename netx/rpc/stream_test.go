package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"storj/netx"
	"storj/netx/memnet"
	"storj/netx/nettest"
	"storj/netx/rpc"
)

func newMemPair() nettest.Pair { return memPair(memnet.New(1)) }

func (w *world) open(t *testing.T, method rpc.Method, header *note) *rpc.ClientStream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	st, err := w.pool.Open(ctx, w.url, netx.Data, method, header)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestStreamPut(t *testing.T) {
	t.Parallel()
	each(t, tuning{}, func(t *testing.T, w *world) {
		for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 3 << 20} {
			st := w.open(t, methodPut, &note{Text: []byte("head")})
			if n, err := st.Write(make([]byte, size)); n != size || err != nil {
				t.Fatalf("write of %d: %d, %v", size, n, err)
			}
			if err := st.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			var resp note
			if err := st.Response(&resp); err != nil || resp.Number != int64(size) {
				t.Errorf("put %d bytes: server has %d, %v", size, resp.Number, err)
			}
			if n, err := st.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("after the response: %d, %v", n, err)
			}
		}
	})
}

func TestStreamGet(t *testing.T) {
	t.Parallel()
	each(t, tuning{}, func(t *testing.T, w *world) {
		for _, size := range []int{0, 1, 32 << 10, 3 << 20} {
			st := w.open(t, methodGet, &note{Number: int64(size)})
			if _, err := st.Read(make([]byte, 1)); err == nil {
				t.Error("Read before Response: no error")
			}
			var resp note
			err := st.Response(&resp)
			if err == nil {
				err = st.CloseWrite()
			}
			got, readErr := io.ReadAll(st)
			if err != nil || readErr != nil || len(got) != size || resp.Number != int64(size) {
				t.Errorf("get %d bytes: %d, %v, %v", size, len(got), err, readErr)
			}
			st.Cancel(netx.Cancelled)
		}
	})
}

func TestStreamBothWays(t *testing.T) {
	t.Parallel()
	each(t, tuning{}, func(t *testing.T, w *world) {
		st := w.open(t, methodMirror, &note{})
		defer st.Cancel(netx.Cancelled)
		if err := st.Response(&note{}); err != nil {
			t.Fatal(err)
		}
		want := bytes.Repeat([]byte("0123456789"), 200_000)
		wrote := make(chan error, 1)
		go func() {
			_, err := st.Write(want)
			wrote <- errors.Join(err, st.CloseWrite())
		}()
		got, err := io.ReadAll(st)
		if err := errors.Join(err, <-wrote); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back, %v; want %d", len(got), err, len(want))
		}
	})
}

func TestStreamErrors(t *testing.T) {
	t.Parallel()
	each(t, tuning{}, func(t *testing.T, w *world) {
		t.Run("before the reply", func(t *testing.T) {
			st := w.open(t, methodReject, &note{})
			if err := st.Response(&note{}, houseErrs); !errors.Is(err, errHouse) {
				t.Errorf("response: %v, want %v", err, errHouse)
			}
		})
		t.Run("before the reply, while writing", func(t *testing.T) {
			st := w.open(t, methodReject, &note{})
			var err error
			for err == nil {
				_, err = st.Write(make([]byte, 1<<16))
			}
			if netx.CodeOf(err) != netx.Denied {
				t.Errorf("write: %v, want code %s", err, netx.Denied)
			}
			if err := st.Response(&note{}, houseErrs); !errors.Is(err, errHouse) {
				t.Errorf("response: %v, want %v", err, errHouse)
			}
		})
		t.Run("after the reply", func(t *testing.T) {
			st := w.open(t, methodBreak, &note{})
			err := st.Response(&note{}, houseErrs)
			if err == nil { // a reset may overtake the reply
				_, err = io.ReadAll(st)
			}
			if netx.CodeOf(err) != netx.Denied {
				t.Errorf("read: %v, want code %s", err, netx.Denied)
			}
			st.Cancel(netx.Cancelled)
		})
		t.Run("unknown method", func(t *testing.T) {
			if err := w.open(t, methodNoSuch, &note{}).Response(&note{}); !errors.Is(err, netx.ErrUnknownMethod) {
				t.Errorf("response: %v, want %v", err, netx.ErrUnknownMethod)
			}
		})
		t.Run("header over its limit", func(t *testing.T) {
			err := w.open(t, methodPut, &note{Text: make([]byte, 1<<11)}).Response(&note{})
			if !errors.Is(err, netx.ErrTooLarge) {
				t.Errorf("response: %v, want %v", err, netx.ErrTooLarge)
			}
		})
	})
}

// TestStreamsLeaveNoCredit makes more exchanges, each ending differently, than the connection has streams.
func TestStreamsLeaveNoCredit(t *testing.T) {
	t.Parallel()
	const rounds = 150
	each(t, tuning{}, func(t *testing.T, w *world) {
		for range rounds {
			cancelled := w.open(t, methodPut, &note{})
			if _, err := cancelled.Write([]byte("some")); err != nil {
				t.Fatal(err)
			}
			cancelled.Cancel(netx.Cancelled)

			unread := w.open(t, methodGet, &note{Number: 100_000})
			if err := unread.Response(&note{}); err != nil {
				t.Fatal(err)
			}
			unread.Cancel(netx.Cancelled)

			open := w.open(t, methodGet, &note{Number: 10}) // its writing side is never closed
			if err := open.Response(&note{}); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(open); err != nil {
				t.Fatal(err)
			}
			open.Cancel(netx.Cancelled)

			if err := w.open(t, methodReject, &note{}).Response(&note{}, houseErrs); !errors.Is(err, errHouse) {
				t.Fatal(err)
			}
		}
		if _, err := w.call(t, methodEcho, &note{}); err != nil {
			t.Error(err)
		}
	})
}

func TestStreamContextCancels(t *testing.T) {
	t.Parallel()
	each(t, tuning{}, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		st, err := w.pool.Open(ctx, w.url, netx.Data, methodMirror, &note{})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Response(&note{}); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(20*time.Millisecond, cancel)
		if _, err := st.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("read: %v, want %v", err, context.Canceled)
		}
		st.Cancel(netx.Cancelled)
	})
}
