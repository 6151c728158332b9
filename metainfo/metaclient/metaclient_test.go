package metaclient_test

import (
	"context"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"storj/metainfo"
	"storj/metainfo/metaclient"
	"storj/metainfo/metatest"
	"storj/netx"
	"storj/netx/memnet"
	"storj/netx/rpc"
)

func TestService(t *testing.T) {
	t.Parallel()
	metatest.Run(t, serve)
}

// serve puts the wire between the suite and the endpoint.
func serve(t *testing.T, w *metatest.World) metainfo.Service {
	svc, _ := serveOver(t, w.Endpoint)
	return svc
}

// gated is a transport that can be kept from dialing while its connections are cut.
type gated struct {
	netx.Transport
	network *memnet.Network
	cutting sync.RWMutex
}

func (g *gated) Dial(ctx context.Context, peer netx.NodeURL, purpose netx.Purpose) (netx.Conn, error) {
	g.cutting.RLock()
	defer g.cutting.RUnlock()
	return g.Transport.Dial(ctx, peer, purpose)
}

// cut ends all connections.
func (g *gated) cut() {
	g.cutting.Lock()
	defer g.cutting.Unlock()
	g.network.Kill(uplinkID())
	g.network.Revive(uplinkID())
}

func satelliteID() netx.NodeID { return netx.NodeID{1} }
func uplinkID() netx.NodeID    { return netx.NodeID{2} }

// serveOver serves a service on a network in memory and returns a client of it.
func serveOver(t *testing.T, inner metainfo.Service) (metainfo.Service, *gated) {
	network := memnet.New(1)
	satellite, uplink := network.Transport(satelliteID()), &gated{Transport: network.Transport(uplinkID()), network: network}
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	metaclient.Register(server, inner)
	listener, err := satellite.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, listener) }()
	pool := rpc.NewPool(uplink, rpc.PoolOptions{})
	t.Cleanup(func() {
		cancel()
		for _, err := range []error{<-done, pool.Close(), uplink.Close(), satellite.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	return metaclient.New(pool, netx.NodeURL{ID: satellite.ID(), Address: satellite.Address()}), uplink
}
