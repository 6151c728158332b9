package rpc

// The goroutines of a Server: Serve accepts connections and starts one ServeConn each; that accepts streams and starts
// one run each. Each waits for those that it started. A connection that ends cancels the context of its handlers.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/rs/zerolog"

	"storj/ecenc/wire"
	"storj/netx"
)

// StreamHandler serves one streaming operation. header is the request's message, not yet decoded, owned by the handler.
//
// ctx ends with the connection and with the server. An error before Reply is answered as its code and reason, after it
// the stream is cancelled with the code. The handler must not use st after it has returned.
type StreamHandler func(ctx context.Context, peer Peer, header []byte, st *ServerStream) error

// unaryHandler takes the encoded request and returns the response.
type unaryHandler func(ctx context.Context, peer Peer, body []byte) (wire.Message, error)

type method struct {
	number Method
	limits Limits
	unary  unaryHandler // one of the two is set
	stream StreamHandler
	calls  callCounters
}

// Server answers the methods registered with Unary and Stream. Registration comes before Serve.
type Server struct {
	log     zerolog.Logger
	opts    Options
	methods map[Method]*method
	count   *serverCounters
	scratch scratch

	mu            sync.Mutex // guards the fields below
	streams       int
	byPeer        map[netx.NodeID]int
	streamsByAddr map[string]int
	bodies        int // bytes
	conns         int
	byAddr        map[string]int
}

// NewServer makes a server without methods.
func NewServer(log zerolog.Logger, opts Options) *Server {
	opts = opts.withDefaults()
	return &Server{
		log:     log.With().Str("svc", "rpc").Logger(),
		opts:    opts,
		methods: make(map[Method]*method),
		count:   newServerCounters(opts.Metrics),
		byPeer:  make(map[netx.NodeID]int),
		byAddr:  make(map[string]int),

		streamsByAddr: make(map[string]int),
	}
}

// Unary registers a method whose request is Req and whose response is Resp.
//
// The handler's request is its own; a nil response is an empty one. It runs concurrently with itself. It panics when the
// method is taken.
func Unary[Req, Resp any, PReq interface {
	*Req
	wire.Message
}, PResp interface {
	*Resp
	wire.Message
}](s *Server, number Method, limits Limits, handler func(ctx context.Context, peer Peer, req *Req) (*Resp, error)) {
	unary := func(ctx context.Context, peer Peer, body []byte) (wire.Message, error) {
		req := new(Req)
		if err := decode(body, PReq(req)); err != nil {
			return nil, err
		}
		resp, err := handler(ctx, peer, req)
		if err != nil {
			return nil, err
		}
		if resp == nil {
			resp = new(Resp)
		}
		return PResp(resp), nil
	}
	s.register(&method{number: number, limits: limits.withDefaults(), unary: unary})
}

// Stream registers a streaming method whose request message has at most maxHeader bytes. It panics when the method is
// taken.
func (s *Server) Stream(number Method, maxHeader int, handler StreamHandler) {
	s.register(&method{number: number, limits: Limits{MaxRequest: maxHeader}, stream: handler})
}

func (s *Server) register(m *method) {
	if _, taken := s.methods[m.number]; taken {
		panic(fmt.Sprintf("rpc: method %d registered twice", m.number))
	}
	m.calls = newCallCounters(s.opts.Metrics, m.number)
	s.methods[m.number] = m
}

// Serve accepts connections and answers on them until ctx ends; then it closes the listener and every connection, and
// returns nil after the last handler has. When the listener fails first, it does the same and returns that error.
func (s *Server) Serve(ctx context.Context, listener netx.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	defer func() { _ = listener.Close() }() // best effort: it may be closed already
	for {
		conn, err := listener.Accept(ctx)
		if ctx.Err() != nil {
			if conn != nil {
				_ = conn.Close(netx.Unavailable) // best effort: we are stopping
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept connections: %w", err)
		}
		host := HostOf(conn.RemoteAddr())
		if cause := s.admitConn(host); cause != "" {
			s.count.refuse(cause)
			_ = conn.Close(netx.Exhausted) // best effort: the peer is being turned away
			continue
		}
		running.Go(func() {
			defer s.releaseConn(host)
			s.ServeConn(ctx, conn)
		})
	}
}

// ServeConn answers on one connection until it or ctx ends, closes it, and returns after its last handler has. It lets a
// peer that dialed answer too: behind a NAT, the connection that it opened is the only one.
func (s *Server) ServeConn(ctx context.Context, conn netx.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	defer func() { _ = conn.Close(netx.Unavailable) }() // best effort: it may have ended already
	peer := Peer{ID: conn.Peer(), RemoteAddr: conn.RemoteAddr()}
	host := HostOf(peer.RemoteAddr)
	for {
		stream, err := conn.AcceptStream(ctx)
		if err != nil {
			return // the connection ended, or ctx did: both are how connections end
		}
		if cause := s.admitStream(peer.ID, host); cause != "" {
			s.count.refuse(cause)
			s.refuse(stream, netx.ErrBusy)
			continue
		}
		running.Go(func() {
			defer s.releaseStream(peer.ID, host)
			s.run(ctx, peer, stream)
		})
	}
}

func (s *Server) admitConn(host string) (cause string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.conns >= s.opts.MaxConns:
		return causeConns
	case s.byAddr[host] >= s.opts.MaxConnsPerAddress:
		return causeConnsAddress
	}
	s.conns++
	s.byAddr[host]++
	return ""
}

func (s *Server) releaseConn(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns--
	decrement(s.byAddr, host)
}

func (s *Server) admitStream(id netx.NodeID, host string) (cause string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.streams >= s.opts.MaxStreams:
		return causeStreams
	case s.byPeer[id] >= s.opts.MaxStreamsPerPeer:
		return causeStreamsPeer
	case s.streamsByAddr[host] >= s.opts.MaxStreamsPerAddress:
		return causeStreamsAddr
	}
	s.streams++
	s.byPeer[id]++
	s.streamsByAddr[host]++
	return ""
}

func (s *Server) releaseStream(id netx.NodeID, host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams--
	decrement(s.byPeer, id)
	decrement(s.streamsByAddr, host)
}

// admitBody makes room for a large request and says whether there is some; releaseBody gives it back.
func (s *Server) admitBody(size int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bodies+size > s.opts.MaxBodies {
		return false
	}
	s.bodies += size
	return true
}

func (s *Server) releaseBody(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies -= size
}

func decrement[K comparable](counts map[K]int, key K) {
	if counts[key] == 1 {
		delete(counts, key)
		return
	}
	counts[key]--
}

// HostOf names the network that an address (host:port) is counted with: the IPv4 address, of IPv6 the /64, which is what
// one customer has to choose addresses from (RFC 6177).
func HostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip.WithZone(""), customerBits).Masked().String()
}

// customerBits is the length of the IPv6 prefix that counts as one address.
const customerBits = 64

// logOutcome writes what the peer is not told: the text of an error which is our own fault. Others are only counted;
// among them those without a reason of ours: they came in as a code from the wire, and whoever sends it must not be able
// to fill the log.
func (s *Server) logOutcome(number Method, peer Peer, err error) {
	code, _ := netx.Classify(err)
	if e, known := errors.AsType[*netx.Error](err); code != netx.Internal || known && e.Reason == 0 {
		return
	}
	event := s.log.Warn()
	if errors.Is(err, errPanic) {
		event = s.log.Error()
	}
	event.Uint16("method", uint16(number)).Stringer("node", peer.ID).Err(err).Msg("call failed")
}
