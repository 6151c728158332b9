// Package contacttest is a satellite in miniature for tests: it takes tokens and check-ins, calls nodes back,
// hands out real keys, and fails on request.
package contacttest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"storj/ecenc"
	"storj/netx"
	"storj/netx/memnet"
	"storj/netx/rpc"
	"storj/pieces"
)

// Satellite answers nodes. Its fields may be changed with Set while it runs.
type Satellite struct {
	URL    netx.NodeURL
	Secret ecenc.Key
	pool   *rpc.Pool

	mu sync.Mutex // guards the fields below
	State
}

// State is what decides how a Satellite answers, and what it was told.
type State struct {
	Epoch    uint32
	Interval time.Duration
	Clock    time.Duration // ahead of the true time
	Fail     error         // of every check-in; nil: none
	PingBack bool          // call nodes back
	Standing pieces.Standing
	// LoseSettles is how many requests to settle are counted and then not answered; DamageFails fails the reports of damage.
	LoseSettles int
	DamageFails bool

	Tokens   map[[pieces.TokenSecretSize]byte]int // uses left
	Joined   map[netx.NodeID]bool
	CheckIns []pieces.CheckIn
	Times    []time.Time // of CheckIns
	Joins    int         // requests, whatever became of them

	Settles int // requests, answered or not
	Batches map[BatchKey]pieces.SettleReply
	Settled map[pieces.SerialNumber]int64 // amounts
	Damaged []pieces.PieceID
}

// BatchKey names what a node hands in.
type BatchKey struct {
	Node   netx.NodeID
	Window time.Time
	Batch  uint32
}

// Start runs a satellite on a network in memory until the end of the test, in the test's bubble if there is one.
func Start(t *testing.T, network *memnet.Network, id byte) *Satellite {
	t.Helper()
	transport := network.Transport(netx.NodeID{id, 's'})
	return StartOn(t, transport, transport.ID())
}

// StartOn runs a satellite on a transport, which it closes at the end of the test.
func StartOn(t *testing.T, transport netx.Transport, id netx.NodeID) *Satellite {
	t.Helper()
	s := &Satellite{
		URL:    netx.NodeURL{ID: id, Address: transport.Address()},
		Secret: ecenc.Key{id[0], 1},
		pool:   rpc.NewPool(transport, rpc.PoolOptions{}),
		State: State{
			Epoch: 7, Interval: time.Hour, PingBack: true,
			Tokens: make(map[[pieces.TokenSecretSize]byte]int), Joined: make(map[netx.NodeID]bool),
			Batches: make(map[BatchKey]pieces.SettleReply), Settled: make(map[pieces.SerialNumber]int64),
		},
	}
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	rpc.Unary(server, pieces.MethodJoin, rpc.Limits{}, s.join)
	rpc.Unary(server, pieces.MethodCheckIn, rpc.Limits{}, s.checkIn)
	rpc.Unary(server, pieces.MethodSettle, rpc.Limits{MaxRequest: 1 << 20}, s.settle)
	rpc.Unary(server, pieces.MethodReportDamage, rpc.Limits{}, s.reportDamage)
	listener, err := transport.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		_ = s.pool.Close() // best effort: it is over
		_ = transport.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// Set changes or reads the state.
func (s *Satellite) Set(change func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.State)
}

// Snapshot returns a copy of the state; its maps must not be read while the satellite runs.
func (s *Satellite) Snapshot() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.State
}

// Token returns a token that may be used so many times.
func (s *Satellite) Token(uses int) pieces.JoinToken {
	token := pieces.NewJoinToken(s.URL, time.Time{})
	s.Set(func(st *State) { st.Tokens[token.Secret] = uses })
	return token
}

// Key is the key that a node shares with the satellite in an epoch.
func (s *Satellite) Key(node netx.NodeID, epoch uint32) pieces.NodeKey {
	return pieces.DeriveNodeKey(s.Secret, node, epoch)
}

func (s *Satellite) join(_ context.Context, peer rpc.Peer, req *pieces.JoinRequest) (*pieces.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Joins++
	if s.Tokens[req.Secret] == 0 {
		return nil, pieces.ErrToken
	}
	s.Tokens[req.Secret]--
	s.Joined[peer.ID] = true
	return nil, nil
}

func (s *Satellite) checkIn(ctx context.Context, peer rpc.Peer, req *pieces.CheckIn) (*pieces.CheckInReply, error) {
	s.mu.Lock()
	st, joined := s.State, s.Joined[peer.ID]
	s.CheckIns, s.Times = append(s.CheckIns, *req), append(s.Times, time.Now())
	s.mu.Unlock()
	switch {
	case st.Fail != nil:
		return nil, st.Fail
	case !joined:
		return nil, pieces.ErrNotJoined
	}
	address := req.Address
	if host, port, err := net.SplitHostPort(address); err == nil && host == "" {
		seen, _, _ := net.SplitHostPort(peer.RemoteAddr)
		address = net.JoinHostPort(seen, port)
	}
	if st.PingBack && !req.Leaving {
		url := netx.NodeURL{ID: peer.ID, Address: address}
		if err := s.pool.Call(ctx, url, netx.Data, pieces.MethodPing, new(pieces.Empty), new(pieces.PingReply)); err != nil {
			return nil, pieces.ErrPingBack
		}
	}
	keys := []pieces.NodeKey{s.Key(peer.ID, st.Epoch), s.Key(peer.ID, st.Epoch-1)}
	return &pieces.CheckInReply{Keys: keys, Address: address, Interval: st.Interval, Time: time.Now().Add(st.Clock).UTC(),
		Standing: st.Standing}, nil
}

// settle counts the orders of a batch once, as a satellite does.
func (s *Satellite) settle(_ context.Context, peer rpc.Peer, req *pieces.SettleRequest) (*pieces.SettleReply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Settles++
	key := BatchKey{peer.ID, req.Window, req.Batch}
	reply, known := s.Batches[key]
	if !known {
		for _, order := range req.Orders {
			reply.Bytes += s.take(peer.ID, req.Window, &order, &reply)
		}
		s.Batches[key] = reply
	}
	if s.LoseSettles > 0 {
		s.LoseSettles--
		return nil, netx.ErrTimeout
	}
	return &reply, nil
}

// take checks one order and returns its bytes. The caller holds mu.
func (s *Satellite) take(node netx.NodeID, window time.Time, order *pieces.SettledOrder, reply *pieces.SettleReply) int64 {
	limit, err := order.Limit.Decode()
	_, twice := s.Settled[limit.Serial]
	ok := err == nil && !twice && limit.Node == node && order.Limit.Verify(s.Key(node, limit.Epoch)) &&
		order.Order.Verify(limit.UplinkKey) && limit.Created.Truncate(time.Hour).Equal(window)
	if !ok {
		reply.Rejected++
		return 0
	}
	reply.Accepted++
	s.Settled[limit.Serial] = order.Order.Amount
	return order.Order.Amount
}

func (s *Satellite) reportDamage(_ context.Context, _ rpc.Peer, req *pieces.DamageReport) (*pieces.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.DamageFails {
		return nil, netx.ErrTimeout
	}
	s.Damaged = append(s.Damaged, req.Pieces...)
	return nil, nil
}

// Pool makes calls as the satellite.
func (s *Satellite) Pool() *rpc.Pool { return s.pool }
