package metaclient_test

import (
	"context"
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
	network := memnet.New(1)
	satellite, uplink := network.Transport(netx.NodeID{1}), network.Transport(netx.NodeID{2})
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	metaclient.Register(server, w.Endpoint)
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
	return metaclient.New(pool, netx.NodeURL{ID: satellite.ID(), Address: satellite.Address()})
}
