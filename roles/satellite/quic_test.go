package satellite

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"storj/metainfo"
	"storj/netx"
	"storj/netx/identity"
	"storj/netx/quicnet"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/admin"
)

// quicPeer is an identity with a socket on loopback.
func quicPeer(t *testing.T, id *identity.Identity) (*quicnet.Transport, *rpc.Pool) {
	t.Helper()
	transport, err := quicnet.New(id, quicnet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	pool := rpc.NewPool(transport, rpc.PoolOptions{})
	t.Cleanup(func() {
		if err := errors.Join(pool.Close(), transport.Close()); err != nil {
			t.Error(err)
		}
	})
	return transport, pool
}

func generate(t *testing.T) *identity.Identity {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestOnRealSockets joins a node and administers the satellite over QUIC, with the database on disk.
func TestOnRealSockets(t *testing.T) {
	t.Parallel()
	id := generate(t)
	wire, err := quicnet.New(id, quicnet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sat, err := New(t.Context(), Options{
		Identity: id, Transport: wire, DBPath: filepath.Join(t.TempDir(), "satellite.db"), Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, sat.Run, sat.Close)
	<-sat.Ready()

	_, owner := quicPeer(t, id) // the command line on the satellite's machine
	adm := admin.NewClient(owner, sat.URL())
	text, err := adm.CreateToken(t.Context(), 1, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	token, err := pieces.ParseJoinToken(text)
	if err != nil {
		t.Fatal(err)
	}

	transport, pool := quicPeer(t, generate(t))
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	rpc.Unary(server, pieces.MethodPing, rpc.Limits{}, func(context.Context, rpc.Peer, *pieces.Empty) (*pieces.PingReply, error) {
		return &pieces.PingReply{Time: time.Now()}, nil
	})
	listener, err := transport.Listen()
	if err != nil {
		t.Fatal(err)
	}
	run(t, func(ctx context.Context) error { return server.Serve(ctx, listener) }, func() error { return nil })
	err = pool.Call(t.Context(), token.Satellite, netx.Control, pieces.MethodJoin, &pieces.JoinRequest{Secret: token.Secret}, new(pieces.Empty))
	if err != nil {
		t.Fatal(err)
	}
	reply := new(pieces.CheckInReply)
	report := &pieces.CheckIn{Address: transport.Address(), Capacity: 1 << 40, Free: 1 << 40, Time: time.Now()}
	if err := pool.Call(t.Context(), token.Satellite, netx.Control, pieces.MethodCheckIn, report, reply); err != nil {
		t.Fatal(err)
	}
	status, err := adm.Status(t.Context())
	if err != nil || status.Online != 1 || status.Redundancy != "1/1/1/1" || len(status.Warnings) != 1 || status.DBBytes == 0 {
		t.Errorf("status %+v, %v", status, err)
	}
	if _, err := admin.NewClient(pool, sat.URL()).Status(t.Context()); !errors.Is(err, metainfo.ErrAdmin) {
		t.Errorf("a node asked for the status: %v", err)
	}
}

// run runs until the test ends.
func run(t *testing.T, serve func(context.Context) error, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, stop()); err != nil {
			t.Error(err)
		}
	})
}
