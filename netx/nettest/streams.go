package nettest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"sync"
	"testing"
	"time"

	"storj/netx"
)

func testEcho(t *testing.T, p Pair) {
	e := Connect(t, p, netx.Data)
	for range 3 {
		exchange(t, e)
	}
	exchange(t, Ends{Client: e.Server, Server: e.Client}) // streams of the accepting side
}

func testHalfClose(t *testing.T, p Pair) {
	s := open(t, Connect(t, p, netx.Data), "x")
	finish(t, s.Client, s.Server, "request")
	finish(t, s.Server, s.Client, "response after the request has ended")
	if _, err := s.Client.Write([]byte("x")); err == nil {
		t.Error("write after CloseWrite: no error")
	}
}

// testCloseKeeps cancels right after CloseWrite, as one does who has said all and wants no answer.
func testCloseKeeps(t *testing.T, p Pair) {
	s := open(t, Connect(t, p, netx.Data), "x")
	text := bytes.Repeat([]byte("kept"), 5000)
	if _, err := s.Server.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := s.Server.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	s.Server.Cancel(netx.Exhausted)
	got, err := io.ReadAll(s.Client)
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("read %d bytes, %v; want %d", len(got), err, len(text))
	}
	wantCode(t, "write to who cancelled", writeUntilError(s.Client), netx.Exhausted)
	s.Client.Cancel(netx.Cancelled)
}

func testCancelByReader(t *testing.T, p Pair) {
	s := open(t, Connect(t, p, netx.Data), "x")
	s.Server.Cancel(netx.NotFound)
	wantCode(t, "write", writeUntilError(s.Client), netx.NotFound)
	_, err := s.Client.Read(make([]byte, 1))
	wantCode(t, "read", err, netx.NotFound)
	s.Client.Cancel(netx.Cancelled)
}

func testCancelByWriter(t *testing.T, p Pair) {
	s := open(t, Connect(t, p, netx.Data), "x")
	reads := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, s.Server)
		reads <- err
	}()
	s.Client.Cancel(netx.Corrupt)
	wantCode(t, "read", <-reads, netx.Corrupt)
	wantCode(t, "write", writeUntilError(s.Server), netx.Corrupt)
	s.Server.Cancel(netx.Cancelled)
}

// writeUntilError writes until the peer's cancel has arrived.
func writeUntilError(s netx.Stream) error {
	_ = s.SetDeadline(time.Now().Add(patience)) // an error shows in the write
	for {
		if _, err := s.Write(make([]byte, 1000)); err != nil {
			return err
		}
	}
}

func wantCode(t *testing.T, what string, err error, want netx.Code) {
	t.Helper()
	if e, ok := errors.AsType[*netx.Error](err); !ok || e.Code != want {
		t.Errorf("%s: error %v, want code %s", what, err, want)
	}
}

func testCancelAfterEnd(t *testing.T, p Pair) {
	e := Connect(t, p, netx.Data)
	s := open(t, e, "x")
	finish(t, s.Client, s.Server, "a")
	finish(t, s.Server, s.Client, "b")
	s.Client.Cancel(netx.Cancelled)
	s.Server.Cancel(netx.Cancelled)
	exchange(t, e)
}

func testCancelOwn(t *testing.T, p Pair) {
	s := open(t, Connect(t, p, netx.Data), "x")
	reads := blocked(func() error { _, err := s.Client.Read(make([]byte, 1)); return err })
	s.Client.Cancel(netx.Cancelled)
	wantError(t, "read", reads, netx.ErrClosed)
	if _, err := s.Client.Write([]byte("x")); !errors.Is(err, netx.ErrClosed) {
		t.Errorf("write: %v, want %v", err, netx.ErrClosed)
	}
	s.Server.Cancel(netx.Cancelled)
}

func testDeadline(t *testing.T, p Pair) {
	s := open(t, Connect(t, p, netx.Data), "x")
	start := time.Now()
	if err := s.Client.SetDeadline(start.Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err := s.Client.Read(make([]byte, 1))
	took := time.Since(start)
	if !errors.Is(err, netx.ErrTimeout) || took < 50*time.Millisecond || took > patience/2 {
		t.Errorf("read: %v after %s, want %v after 50ms", err, took, netx.ErrTimeout)
	}
	waiting := blocked(func() error { _, err := s.Server.Read(make([]byte, 1)); return err })
	if err := s.Server.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	wantError(t, "read that was waiting", waiting, netx.ErrTimeout)
	for _, end := range []netx.Stream{s.Client, s.Server} {
		if err := end.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, s.Client, s.Server, "after the deadline was lifted")
	finish(t, s.Server, s.Client, "and back")
}

// testManyStreams makes far more exchanges than streams are allowed at once: none may leave credit behind.
func testManyStreams(t *testing.T, p Pair) {
	const rounds, workers = 600, 8
	e := Connect(t, p, netx.Data)
	ctx := ctxOf(t)
	var running sync.WaitGroup
	running.Go(func() { serveEcho(ctx, e.Server, rounds) })
	for range workers {
		running.Go(func() {
			for range rounds / workers {
				if err := echoOnce(ctx, e.Client, "hello"); err != nil {
					t.Errorf("echo: %v", err)
					return
				}
			}
		})
	}
	running.Wait()
}

// serveEcho answers that many streams, each with what it said.
func serveEcho(ctx context.Context, conn netx.Conn, streams int) {
	var running sync.WaitGroup
	defer running.Wait()
	for range streams {
		stream, err := conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		running.Go(func() {
			if _, err := io.Copy(stream, stream); err != nil || stream.CloseWrite() != nil {
				stream.Cancel(netx.Internal)
			}
		})
	}
}

func echoOnce(ctx context.Context, conn netx.Conn, text string) error {
	stream, err := conn.OpenStream(ctx)
	if err != nil {
		return err
	}
	defer stream.Cancel(netx.Cancelled)
	if _, err := io.WriteString(stream, text); err != nil {
		return err
	}
	if err := stream.CloseWrite(); err != nil {
		return err
	}
	got, err := io.ReadAll(stream)
	if err == nil && string(got) != text {
		err = errors.New("another text came back")
	}
	return err
}

// testStreamLimit opens streams until the peer allows no more, and finds that the end of one makes room.
func testStreamLimit(t *testing.T, p Pair) {
	e := Connect(t, p, netx.Data)
	const tooMany = 5000
	var streams []netx.Stream
	for range tooMany {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		stream, err := e.Client.OpenStream(ctx)
		cancel()
		if err != nil {
			break
		}
		if _, err := stream.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		streams = append(streams, stream)
	}
	if len(streams) == tooMany || len(streams) < 16 {
		t.Fatalf("%d streams at once", len(streams))
	}
	waiting := blocked(func() error { _, err := e.Client.OpenStream(ctxOf(t)); return err })
	accepted, err := e.Server.AcceptStream(ctxOf(t))
	if err != nil {
		t.Fatal(err)
	}
	streams[0].Cancel(netx.Cancelled)
	accepted.Cancel(netx.Cancelled)
	wantError(t, "open", waiting, nil)
}

func testLarge(t *testing.T, p Pair) {
	const size = 16 << 20
	e := Connect(t, p, netx.Data)
	t.Run("to the server", func(t *testing.T) { s := open(t, e, "x"); transfer(t, s.Client, s.Server, size); s.end() })
	t.Run("to the client", func(t *testing.T) { s := open(t, e, "x"); transfer(t, s.Server, s.Client, size); s.end() })
}

func (s Streams) end() {
	s.Client.Cancel(netx.Cancelled)
	s.Server.Cancel(netx.Cancelled)
}

func testDuplex(t *testing.T, p Pair) {
	const size = 4 << 20
	s := open(t, Connect(t, p, netx.Data), "x")
	var running sync.WaitGroup
	running.Go(func() { transfer(t, s.Client, s.Server, size) })
	running.Go(func() { transfer(t, s.Server, s.Client, size) })
	running.Wait()
}

// transfer sends size bytes from one end to the other and compares what arrives. It ends that direction.
func transfer(t *testing.T, from, to netx.Stream, size int) {
	t.Helper()
	sent := make(chan [sha256.Size]byte, 1)
	go func() {
		sum := sha256.New()
		if err := send(io.MultiWriter(from, sum), size); err != nil {
			t.Errorf("send: %v", err)
		}
		if err := from.CloseWrite(); err != nil {
			t.Errorf("close write: %v", err)
		}
		sent <- sumOf(sum)
	}()
	sum := sha256.New()
	n, err := io.Copy(sum, to)
	if want := <-sent; err != nil || int(n) != size || sumOf(sum) != want {
		t.Errorf("received %d bytes, %v; want %d with the same hash", n, err, size)
	}
}

func sumOf(h hash.Hash) [sha256.Size]byte { return [sha256.Size]byte(h.Sum(nil)) }

// send writes size bytes that differ from place to place, in writes of many sizes.
func send(w io.Writer, size int) error {
	buf := make([]byte, 100_003)
	for i := range buf {
		buf[i] = byte(i * 7 >> 3)
	}
	for n := 1; size > 0; n = n*3%len(buf) + 1 {
		part := min(n, size)
		if _, err := w.Write(buf[:part]); err != nil {
			return err
		}
		size -= part
	}
	return nil
}
