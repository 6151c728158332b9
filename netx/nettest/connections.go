package nettest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"storj/netx"
	"storj/netx/rpc"
)

func testIdentities(t *testing.T, p Pair) {
	e := Connect(t, p, netx.Control)
	if got := e.Client.Peer(); got != p.ServerID {
		t.Errorf("client sees %s, want %s", got, p.ServerID)
	}
	if got := e.Server.Peer(); got != p.ClientID {
		t.Errorf("server sees %s, want %s", got, p.ClientID)
	}
	if got := e.Client.RemoteAddr(); got != p.Server.Address() {
		t.Errorf("client is connected to %s, want %s", got, p.Server.Address())
	}
	if got := e.Server.RemoteAddr(); got != p.Client.Address() {
		t.Errorf("server is connected to %s, want %s", got, p.Client.Address())
	}
}

func testWrongIdentity(t *testing.T, p Pair) {
	if _, err := p.Server.Listen(); err != nil {
		t.Fatal(err)
	}
	wrong := netx.NodeURL{ID: p.ClientID, Address: p.Server.Address()}
	if _, err := p.Client.Dial(ctxOf(t), wrong, netx.Data); !errors.Is(err, netx.ErrIdentity) {
		t.Errorf("dial: %v, want %v", err, netx.ErrIdentity)
	}
}

func testNobody(t *testing.T, p Pair) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := p.Client.Dial(ctx, p.URL(), netx.Data); !errors.Is(err, netx.ErrUnreachable) {
		t.Errorf("dial: %v, want %v", err, netx.ErrUnreachable)
	}
}

func testDialContext(t *testing.T, p Pair) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Client.Dial(ctx, p.URL(), netx.Data); !errors.Is(err, context.Canceled) {
		t.Errorf("dial: %v, want %v", err, context.Canceled)
	}
}

func testPurposes(t *testing.T, p Pair) {
	e := Connect(t, p, netx.Control)
	exchange(t, e)
	second, err := p.Client.Dial(ctxOf(t), p.URL(), netx.Data)
	if err != nil {
		t.Fatal(err)
	}
	server, err := e.Listener.Accept(ctxOf(t))
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, Ends{Client: second, Server: server})
}

func testCloseConn(t *testing.T, p Pair) {
	e := Connect(t, p, netx.Data)
	s := open(t, e, "x")
	reads := blocked(func() error { _, err := s.Client.Read(make([]byte, 1)); return err })
	accepts := blocked(func() error { _, err := e.Client.AcceptStream(t.Context()); return err })
	remote := blocked(func() error { _, err := s.Server.Read(make([]byte, 1)); return err })
	remoteAccepts := blocked(func() error { _, err := e.Server.AcceptStream(t.Context()); return err })
	if err := e.Client.Close(netx.Cancelled); err != nil {
		t.Fatal(err)
	}
	within(t, "own end", e.Client.Done())
	within(t, "peer's end", e.Server.Done())
	wantError(t, "own read", reads, netx.ErrClosed)
	wantError(t, "own accept", accepts, netx.ErrClosed)
	wantError(t, "peer's read", remote, netx.ErrClosed)
	wantError(t, "peer's accept", remoteAccepts, netx.ErrClosed)
	if _, err := e.Client.OpenStream(t.Context()); !errors.Is(err, netx.ErrClosed) {
		t.Errorf("open after close: %v, want %v", err, netx.ErrClosed)
	}
	if _, err := s.Server.Write([]byte("x")); !errors.Is(err, netx.ErrClosed) {
		t.Errorf("peer's write: %v, want %v", err, netx.ErrClosed)
	}
}

func testCloseTransport(t *testing.T, p Pair) {
	e := Connect(t, p, netx.Data)
	s := open(t, e, "x")
	accepts := blocked(func() error { _, err := e.Listener.Accept(t.Context()); return err })
	reads := blocked(func() error { _, err := s.Server.Read(make([]byte, 1)); return err })
	peer := blocked(func() error { _, err := s.Client.Read(make([]byte, 1)); return err })
	if err := p.Server.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, "accept", accepts, netx.ErrClosed)
	wantError(t, "read", reads, netx.ErrClosed)
	wantError(t, "peer's read", peer, netx.ErrClosed)
	within(t, "peer's connection", e.Client.Done())
	if _, err := p.Server.Dial(ctxOf(t), p.URL(), netx.Data); !errors.Is(err, netx.ErrClosed) {
		t.Errorf("dial on a closed transport: %v, want %v", err, netx.ErrClosed)
	}
	if err := p.Server.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func testCloseListener(t *testing.T, p Pair) {
	e := Connect(t, p, netx.Data)
	accepts := blocked(func() error { _, err := e.Listener.Accept(t.Context()); return err })
	if err := e.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, "accept", accepts, netx.ErrClosed)
	exchange(t, e) // what was accepted lives on
}

// testManyDials dials from 80 pools at once: more than the accept queue of QUIC holds.
func testManyDials(t *testing.T, p Pair) {
	const dials = 80
	listener, err := p.Server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() {
		for {
			if _, err := listener.Accept(ctx); err != nil {
				return
			}
		}
	})
	var dialing sync.WaitGroup
	for range dials {
		dialing.Go(func() {
			pool := rpc.NewPool(p.Client, rpc.PoolOptions{DialTimeout: patience})
			defer func() { _ = pool.Close() }()
			if _, err := pool.Get(ctx, p.URL(), netx.Data); err != nil {
				t.Errorf("dial: %v", err)
			}
		})
	}
	dialing.Wait()
}
