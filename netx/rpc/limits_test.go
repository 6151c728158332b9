package rpc_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"storj/netx"
	"storj/netx/memnet"
	"storj/netx/nettest"
	"storj/netx/rpc"
)

// raw opens a stream below the pool, to say what no client of ours says.
func (w *world) raw(t *testing.T) netx.Stream {
	t.Helper()
	conn, err := w.pair.Client.Dial(t.Context(), w.url, netx.Data)
	if err != nil {
		t.Fatal(err)
	}
	st, err := conn.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestServerAnswersMalformedRequests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, request string // hex
		want          *netx.Error
		refused       string
	}{
		{name: "another version", request: "02000100", want: netx.ErrUnknownMethod, refused: "unknown_method"},
		{name: "nothing", request: "", want: netx.ErrMalformed, refused: "malformed"},
		{name: "cut in the head", request: "0100", want: netx.ErrMalformed, refused: "malformed"},
		{name: "cut in the length", request: "01000180", want: netx.ErrMalformed, refused: "malformed"},
		{name: "length not in shortest form", request: "0100018000", want: netx.ErrMalformed, refused: "malformed"},
		{name: "length without end", request: "010001ffffffffffffffffffff", want: netx.ErrMalformed, refused: "malformed"},
		{name: "length over all limits", request: "010001ffffffffffffffff7f", want: netx.ErrTooLarge, refused: "too_large"},
		{name: "cut in the message", request: "010001050a02", want: netx.ErrMalformed, refused: "malformed"},
		{name: "bytes after the message", request: "0100010000", want: netx.ErrMalformed, refused: "malformed"},
		{name: "no message of that method", request: "010001020a05", want: netx.ErrMalformed},
	}
	each(t, tuning{}, func(t *testing.T, w *world) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				counter := `storj_rpc_server_refused_total{cause="` + test.refused + `"}`
				before := w.counter(counter)
				request, err := hex.DecodeString(test.request)
				if err != nil {
					t.Fatal(err)
				}
				st := w.raw(t)
				if _, err := st.Write(request); err != nil {
					t.Fatal(err)
				}
				_ = st.CloseWrite() // best effort: the server may have stopped reading already
				answer, err := io.ReadAll(st)
				want := []byte{byte(test.want.Code), byte(test.want.Reason >> 8), byte(test.want.Reason), 0}
				if err != nil || string(answer) != string(want) {
					t.Errorf("answer %x, %v; want %x", answer, err, want)
				}
				if test.refused != "" {
					eventually(t, "counted as "+test.refused, func() bool { return w.counter(counter) == before+1 })
				}
			})
		}
	})
}

func TestSlowHeaderIsCutOff(t *testing.T) {
	t.Parallel()
	each(t, tuning{server: rpc.Options{HeaderTimeout: 50 * time.Millisecond}}, func(t *testing.T, w *world) {
		st := w.raw(t)
		if _, err := st.Write([]byte{1, 0}); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(st)
		if err != nil || len(answer) != 4 || netx.Code(answer[0]) != netx.Unavailable {
			t.Errorf("answer %x, %v; want code %s", answer, err, netx.Unavailable)
		}
		eventually(t, "counted as slow", func() bool { return w.counter(`storj_rpc_server_refused_total{cause="slow"}`) == 1 })
	})
}

func TestTooManyStreamsAreRefused(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]rpc.Options{
		"streams_peer": {MaxStreamsPerPeer: 2},
		"streams":      {MaxStreams: 2},

		"streams_address": {MaxStreamsPerAddress: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, tuning{server: opts}, func(t *testing.T, w *world) {
				var held []*rpc.ClientStream
				for range 2 {
					st := w.open(t, methodMirror, &note{})
					if err := st.Response(&note{}); err != nil {
						t.Fatal(err)
					}
					held = append(held, st)
				}
				if _, err := w.call(t, methodEcho, &note{}); !errors.Is(err, netx.ErrBusy) {
					t.Errorf("call: %v, want %v", err, netx.ErrBusy)
				}
				if err := w.open(t, methodPut, &note{}).Response(&note{}); !errors.Is(err, netx.ErrBusy) {
					t.Errorf("stream: %v, want %v", err, netx.ErrBusy)
				}
				if got := w.counter(`storj_rpc_server_refused_total{cause="` + name + `"}`); got != 2 {
					t.Errorf("%d refused, want 2", got)
				}
				held[0].Cancel(netx.Cancelled)
				eventually(t, "room after a stream has ended", func() bool {
					_, err := w.call(t, methodEcho, &note{})
					return err == nil
				})
				held[1].Cancel(netx.Cancelled)
			})
		})
	}
}

func TestTooManyConnectionsAreRefused(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]rpc.Options{
		"connections":         {MaxConns: 2},
		"connections_address": {MaxConnsPerAddress: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, tuning{server: opts}, func(t *testing.T, w *world) {
				for range 2 {
					w.mustEcho(t)
				}
				conn, err := w.pair.Client.Dial(t.Context(), w.url, netx.Data)
				if err == nil {
					<-conn.Done()
					_, err = conn.OpenStream(t.Context())
				}
				if !errors.Is(err, netx.ErrBusy) {
					t.Errorf("third connection: %v, want %v", err, netx.ErrBusy)
				}
				eventually(t, "counted", func() bool { return w.counter(`storj_rpc_server_refused_total{cause="`+name+`"}`) == 1 })
			})
		})
	}
}

// mustEcho makes a call on a connection of its own, which stays open.
func (w *world) mustEcho(t *testing.T) {
	t.Helper()
	st := w.raw(t)
	if _, err := st.Write([]byte{1, 0, byte(methodEcho), 0}); err != nil {
		t.Fatal(err)
	}
	if err := st.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(st); err != nil || string(answer) != "\x00\x00\x00\x00" {
		t.Fatalf("answer %x, %v", answer, err)
	}
}

// TestStrangersCannotFillTheLog resets the answer to a call with the code of a fault: it is the peer's word, not ours.
func TestStrangersCannotFillTheLog(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string]func() nettest.Pair{
		"mem":  func() nettest.Pair { return memPair(memnet.New(1)) },
		"quic": func() nettest.Pair { return quicPair(t) },
	} {
		t.Run(name, func(t *testing.T) {
			var log lockedBuffer
			w := newWorldLogging(t, pair(), tuning{}, zerolog.New(&log))
			st := w.raw(t)
			if _, err := st.Write([]byte{1, 0, byte(methodMirror), 0}); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(st, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			st.Cancel(netx.Internal)
			eventually(t, "the handler ended", func() bool {
				return w.counter(`storj_rpc_server_calls_total{method="7",code="internal"}`) == 1
			})
			if _, err := w.call(t, methodPanic, &note{}); err == nil {
				t.Error("a panic was answered with success")
			}
			w.stop()
			if lines := bytes.Count(log.bytes(), []byte("\n")); lines != 1 || !bytes.Contains(log.bytes(), []byte("boom")) {
				t.Errorf("log has %d lines, want that of the panic only:\n%s", lines, log.bytes())
			}
		})
	}
}

// lockedBuffer takes a log from many goroutines.
type lockedBuffer struct {
	mu   sync.Mutex // guards the field below
	text []byte
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *lockedBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.text)
}

// TestLargeRequestsShareMemory announces a large request and withholds it.
func TestLargeRequestsShareMemory(t *testing.T) {
	t.Parallel()
	each(t, tuning{server: rpc.Options{MaxBodies: 150 << 10}}, func(t *testing.T, w *world) {
		large := &note{Text: make([]byte, 100<<10)}
		var st netx.Stream
		eventually(t, "no room for another large request", func() bool {
			if st != nil { // the call came before the announcement, and had the room
				st.Cancel(netx.Cancelled)
			}
			st = w.raw(t)
			if _, err := st.Write([]byte{1, 0, byte(methodEcho), 0x80, 0x80, 0x06}); err != nil { // 96 KiB
				t.Fatal(err)
			}
			_, err := w.call(t, methodEcho, large)
			return errors.Is(err, netx.ErrBusy)
		})
		if _, err := w.call(t, methodEcho, &note{Text: make([]byte, 60<<10)}); err != nil {
			t.Errorf("small request: %v", err)
		}
		if got := w.counter(`storj_rpc_server_refused_total{cause="bodies"}`); got == 0 { // more when a refusal overtook the answer that says why
			t.Error("refusals are not counted")
		}
		st.Cancel(netx.Cancelled)
		eventually(t, "room after it has ended", func() bool {
			_, err := w.call(t, methodEcho, large)
			return err == nil
		})
	})
}
