package nettest

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"storj/netx"
)

// Pair is two transports that can reach each other. The suite closes them.
type Pair struct {
	Client, Server     netx.Transport
	ClientID, ServerID netx.NodeID
}

// URL is where the server of the pair is.
func (p Pair) URL() netx.NodeURL { return netx.NodeURL{ID: p.ServerID, Address: p.Server.Address()} }

// patience bounds every wait of the suite; a test which meets it has hung.
const patience = 20 * time.Second

// Run runs the suite on pairs from make.
func Run(t *testing.T, make func(t *testing.T) Pair) {
	for _, test := range tests() {
		t.Run(test.name, func(t *testing.T) {
			pair := make(t)
			t.Cleanup(func() { closePair(t, pair) })
			test.run(t, pair)
		})
	}
	t.Run("no goroutine is left", func(t *testing.T) {
		CheckLeaks(t, func() {
			pair := make(t)
			exchange(t, Connect(t, pair, netx.Data))
			closePair(t, pair)
		})
	})
}

type suiteTest struct {
	name string
	run  func(t *testing.T, p Pair)
}

func tests() []suiteTest {
	return []suiteTest{
		{"identities are verified", testIdentities},
		{"another identity is refused", testWrongIdentity},
		{"nobody answers", testNobody},
		{"dial gives up with its context", testDialContext},
		{"purposes", testPurposes},
		{"echo", testEcho},
		{"half close", testHalfClose},
		{"a close keeps what was written", testCloseKeeps},
		{"cancel by the reader", testCancelByReader},
		{"cancel by the writer", testCancelByWriter},
		{"cancel after the end", testCancelAfterEnd},
		{"cancel unblocks its own side", testCancelOwn},
		{"deadline", testDeadline},
		{"many streams", testManyStreams},
		{"stream limit", testStreamLimit},
		{"large transfers", testLarge},
		{"both directions at once", testDuplex},
		{"close of a connection unblocks everything", testCloseConn},
		{"close of a transport unblocks everything", testCloseTransport},
		{"close of a listener", testCloseListener},
		{"many dials at once", testManyDials},
	}
}

func closePair(t *testing.T, p Pair) {
	t.Helper()
	if err := errors.Join(p.Client.Close(), p.Server.Close()); err != nil {
		t.Errorf("close transports: %v", err)
	}
}

// Ends is the two ends of one connection.
type Ends struct {
	Client, Server netx.Conn
	Listener       netx.Listener
}

// Connect listens on the server of the pair and dials it.
func Connect(t *testing.T, p Pair, purpose netx.Purpose) Ends {
	t.Helper()
	listener, err := p.Server.Listen()
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	client, err := p.Client.Dial(ctxOf(t), p.URL(), purpose)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	server, err := listener.Accept(ctxOf(t))
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	return Ends{Client: client, Server: server, Listener: listener}
}

// ctxOf is the test's context with an end.
func ctxOf(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// Streams is the two ends of one stream.
type Streams struct{ Client, Server netx.Stream }

// open opens a stream and writes hello, without which the server does not see it.
func open(t *testing.T, e Ends, hello string) Streams {
	t.Helper()
	client, err := e.Client.OpenStream(ctxOf(t))
	if err != nil {
		t.Fatalf("open stream: %v", err)
	}
	if _, err := client.Write([]byte(hello)); err != nil {
		t.Fatalf("write: %v", err)
	}
	server, err := e.Server.AcceptStream(ctxOf(t))
	if err != nil {
		t.Fatalf("accept stream: %v", err)
	}
	got := make([]byte, len(hello))
	if _, err := io.ReadFull(server, got); err != nil || string(got) != hello {
		t.Fatalf("first read: %q, %v; want %q", got, err, hello)
	}
	return Streams{Client: client, Server: server}
}

// exchange sends a message there and one back, with both ends read.
func exchange(t *testing.T, e Ends) {
	t.Helper()
	s := open(t, e, "ping")
	finish(t, s.Client, s.Server, "")
	finish(t, s.Server, s.Client, "pong")
}

// finish ends the direction from one to the other, which must read exactly text before the end.
func finish(t *testing.T, from io.Writer, to io.Reader, text string) {
	t.Helper()
	if text != "" {
		if _, err := from.Write([]byte(text)); err != nil {
			t.Fatalf("write: %v", err)
		}
	}
	if err := from.(netx.Stream).CloseWrite(); err != nil {
		t.Fatalf("close write: %v", err)
	}
	got, err := io.ReadAll(to)
	if err != nil || string(got) != text {
		t.Fatalf("read to the end: %q, %v; want %q", got, err, text)
	}
}

// within fails the test when what hangs.
func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		t.Fatalf("%s: still waiting after %s", what, patience)
	}
}

// blocked runs call on a goroutine of its own and returns its error on a channel.
func blocked(call func() error) <-chan error {
	out := make(chan error, 1)
	go func() { out <- call() }()
	return out
}

// wantError fails the test unless the call ends with the wanted error.
func wantError(t *testing.T, what string, errs <-chan error, want error) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-errs:
		if !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", what, err, want)
		}
	case <-timer.C:
		t.Fatalf("%s: still blocked after %s", what, patience)
	}
}

// CheckLeaks runs what and fails the test when goroutines of this module or of QUIC are left that were not there
// before. It allows them a while to end: closing a connection ends them, but does not wait for the scheduler.
func CheckLeaks(t *testing.T, what func()) {
	t.Helper()
	before := goroutines()
	what()
	limit := time.Now().Add(patience)
	var left []string
	for time.Now().Before(limit) {
		left = left[:0]
		for name, stack := range goroutines() {
			if _, was := before[name]; !was {
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return
		}
		timer := time.NewTimer(5 * time.Millisecond)
		<-timer.C
	}
	t.Errorf("%d goroutines left:\n%s", len(left), strings.Join(left, "\n\n"))
}

// goroutines returns the stacks of ours, by goroutine.
func goroutines() map[string]string {
	buf := make([]byte, 4<<20)
	all := string(buf[:runtime.Stack(buf, true)])
	out := make(map[string]string)
	for stack := range strings.SplitSeq(all, "\n\n") {
		if strings.Contains(stack, "testing.tRunner") || !strings.Contains(stack, "storj/") && !strings.Contains(stack, "quic-go") {
			continue
		}
		name, _, _ := strings.Cut(stack, " [")
		out[name] = stack
	}
	return out
}
