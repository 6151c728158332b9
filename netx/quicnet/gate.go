package quicnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/quic-go/quic-go"
)

// errFull makes quic-go answer CONNECTION_REFUSED.
var errFull = errors.New("too many connections")

// gate counts incoming connections from their first packet on, and refuses those over a limit before any cryptography.
type gate struct {
	opts  Options
	count *counters

	mu          sync.Mutex // guards the fields below
	total       int
	handshaking int
	byAddr      map[netip.Addr]int
}

// attempt is one incoming connection. It travels in the context of its connection.
type attempt struct {
	handshaking bool // guarded by gate.mu
}

type attemptKey struct{}

// admit is called by quic-go for each incoming connection; its context ends with the connection.
func (g *gate) admit(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	ip := addrOf(info.RemoteAddr)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= g.opts.MaxConns || g.byAddr[ip] >= g.opts.MaxConnsPerAddress {
		g.count.refusedLimit.Inc()
		return nil, errFull
	}
	g.total++
	g.handshaking++
	g.byAddr[ip]++
	a := &attempt{handshaking: true}
	context.AfterFunc(ctx, func() { g.leave(a, ip) })
	return context.WithValue(ctx, attemptKey{}, a), nil
}

// accepted notes that the handshake of a connection is done.
func (g *gate) accepted(ctx context.Context) {
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settleLocked(a)
}

func (g *gate) leave(a *attempt, ip netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settleLocked(a)
	g.total--
	g.byAddr[ip]--
	if g.byAddr[ip] == 0 {
		delete(g.byAddr, ip)
	}
}

func (g *gate) settleLocked(a *attempt) {
	if a.handshaking {
		a.handshaking = false
		g.handshaking--
	}
}

// busy makes quic-go ask clients to prove their address while many handshakes are under way: packets with invented
// senders then cost us a packet each, and no memory.
func (g *gate) busy(net.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.handshaking >= g.opts.MaxHandshakes
}

// addrOf is the address that a connection is counted with: of IPv6 the first of its /64, which is what one customer has
// to choose addresses from (RFC 6177).
func addrOf(address net.Addr) netip.Addr {
	const customerBits = 64
	udp, ok := address.(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := udp.AddrPort().Addr().Unmap()
	if !ip.Is6() {
		return ip
	}
	return netip.PrefixFrom(ip.WithZone(""), customerBits).Masked().Addr()
}
