package rpc_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"

	"storj/ecenc/wire"
	"storj/netx"
	"storj/netx/identity"
	"storj/netx/memnet"
	"storj/netx/nettest"
	"storj/netx/quicnet"
	"storj/netx/rpc"
)

// The methods of these tests.
const (
	methodEcho   rpc.Method = 1 // unary: answers what it is told
	methodFail   rpc.Method = 2 // unary: answers errHouse
	methodPanic  rpc.Method = 3 // unary
	methodWait   rpc.Method = 4 // unary: waits for the end of its context
	methodPut    rpc.Method = 5 // stream: reads to the end, answers how much
	methodGet    rpc.Method = 6 // stream: answers, then writes Number bytes
	methodMirror rpc.Method = 7 // stream: writes back what it reads
	methodReject rpc.Method = 8 // stream: errHouse at once
	methodBreak  rpc.Method = 9 // stream: errHouse after the reply
	methodNoSuch rpc.Method = 99
)

var (
	errHouse   = netx.Sentinel(netx.Denied, 7001, "not in this house")
	houseErrs  = []*netx.Error{errHouse}
	errPrivate = errors.New("private detail")
)

type note struct {
	Text   []byte
	Number int64
}

func (n *note) Fields(c *wire.Codec) {
	c.Bytes(1, &n.Text, 1<<20)
	c.Int(2, &n.Number)
}

// world is a server with the methods above, and a pool that reaches it.
type world struct {
	server  *rpc.Server
	pool    *rpc.Pool
	pair    nettest.Pair
	url     netx.NodeURL
	metrics *metrics.Set
	stop    func()
}

type tuning struct {
	server rpc.Options
	pool   rpc.PoolOptions
}

// each runs test on a world in memory and on one over QUIC.
func each(t *testing.T, tune tuning, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("mem", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, memPair(memnet.New(1)), tune)
		defer w.stop()
		test(t, w)
	})
	t.Run("quic", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, quicPair(t), tune)
		defer w.stop()
		test(t, w)
	})
}

func memPair(network *memnet.Network) nettest.Pair {
	client, server := netx.NodeID{1}, netx.NodeID{2}
	return nettest.Pair{
		Client: network.Transport(client), ClientID: client,
		Server: network.Transport(server), ServerID: server,
	}
}

func quicPair(t testing.TB) nettest.Pair {
	t.Helper()
	var transports [2]netx.Transport
	var ids [2]netx.NodeID
	for i := range transports {
		id, err := identity.Generate()
		if err != nil {
			t.Fatal(err)
		}
		if transports[i], err = quicnet.New(id, quicnet.Options{}); err != nil {
			t.Fatal(err)
		}
		ids[i] = id.ID()
	}
	return nettest.Pair{Client: transports[0], Server: transports[1], ClientID: ids[0], ServerID: ids[1]}
}

func newWorld(t testing.TB, pair nettest.Pair, tune tuning) *world {
	t.Helper()
	return newWorldLogging(t, pair, tune, zerolog.Nop())
}

func newWorldLogging(t testing.TB, pair nettest.Pair, tune tuning, log zerolog.Logger) *world {
	t.Helper()
	set := metrics.NewSet()
	tune.server.Metrics, tune.pool.Metrics = set, set
	w := &world{
		server:  rpc.NewServer(log, tune.server),
		pool:    rpc.NewPool(pair.Client, tune.pool),
		pair:    pair,
		url:     pair.URL(),
		metrics: set,
	}
	registerMethods(w.server)
	listener, err := pair.Server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := w.server.Serve(ctx, listener); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	w.stop = func() {
		cancel()
		serving.Wait()
		if err := errors.Join(w.pool.Close(), pair.Client.Close(), pair.Server.Close()); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	return w
}

func registerMethods(s *rpc.Server) {
	limits := rpc.Limits{MaxRequest: 1 << 10}
	rpc.Unary(s, methodEcho, rpc.Limits{MaxRequest: 1 << 20}, func(_ context.Context, _ rpc.Peer, req *note) (*note, error) {
		return req, nil
	})
	rpc.Unary(s, methodFail, limits, func(context.Context, rpc.Peer, *note) (*note, error) {
		return nil, errors.Join(errPrivate, errHouse)
	})
	rpc.Unary(s, methodPanic, limits, func(context.Context, rpc.Peer, *note) (*note, error) { panic("boom") })
	rpc.Unary(s, methodWait, limits, func(ctx context.Context, _ rpc.Peer, _ *note) (*note, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	s.Stream(methodPut, 1<<10, func(_ context.Context, _ rpc.Peer, header []byte, st *rpc.ServerStream) error {
		n, err := io.Copy(io.Discard, st)
		if err != nil {
			return err
		}
		return st.Reply(&note{Text: header, Number: n})
	})
	s.Stream(methodGet, 1<<10, serveGet)
	s.Stream(methodMirror, 1<<10, func(_ context.Context, _ rpc.Peer, _ []byte, st *rpc.ServerStream) error {
		if err := st.Reply(&note{}); err != nil {
			return err
		}
		_, err := io.Copy(st, st)
		return err
	})
	s.Stream(methodReject, 1<<10, func(context.Context, rpc.Peer, []byte, *rpc.ServerStream) error { return errHouse })
	s.Stream(methodBreak, 1<<10, func(_ context.Context, _ rpc.Peer, _ []byte, st *rpc.ServerStream) error {
		if err := st.Reply(&note{}); err != nil {
			return err
		}
		return errHouse
	})
}

func serveGet(_ context.Context, _ rpc.Peer, header []byte, st *rpc.ServerStream) error {
	var req note
	if err := wire.Unmarshal(header, &req); err != nil {
		return netx.ErrMalformed
	}
	buf := make([]byte, 32<<10)
	left := int(req.Number)
	first := min(left, len(buf))
	if err := st.ReplyBody(&note{Number: req.Number}, buf[:first]); err != nil {
		return err
	}
	for left -= first; left > 0; left -= min(left, len(buf)) {
		if _, err := st.Write(buf[:min(left, len(buf))]); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) call(t *testing.T, method rpc.Method, req *note) (note, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var resp note
	err := w.pool.Call(ctx, w.url, netx.Control, method, req, &resp, houseErrs)
	return resp, err
}

// counter reads one of the world's metrics.
func (w *world) counter(name string) int { return int(w.metrics.GetOrCreateCounter(name).Get()) }

// eventually waits until the condition holds: metrics are counted after the peer has its answer.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !condition(); {
		if time.Now().After(limit) {
			t.Fatalf("never: %s", what)
		}
		<-time.NewTimer(time.Millisecond).C
	}
}
