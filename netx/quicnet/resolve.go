package quicnet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"storj/netx"
)

// resolve turns host:port into at most one address of each family that the socket can send to, IPv4 first.
func (t *Transport) resolve(ctx context.Context, address string) ([]*net.UDPAddr, error) {
	if literal, err := netip.ParseAddrPort(address); err == nil {
		return []*net.UDPAddr{udpAddr(literal.Addr(), literal.Port())}, nil
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %q is not host:port", netx.ErrUnreachable, address)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("%w: %q is no port number", netx.ErrUnreachable, service)
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", netx.ErrUnreachable, err)
	}
	var v4, v6 *net.UDPAddr
	for _, ip := range found {
		switch ip = ip.Unmap(); {
		case ip.Is4() && v4 == nil:
			v4 = udpAddr(ip, uint16(port))
		case !ip.Is4() && v6 == nil && t.speaksIPv6():
			v6 = udpAddr(ip, uint16(port))
		}
	}
	var out []*net.UDPAddr
	for _, a := range []*net.UDPAddr{v4, v6} {
		if a != nil {
			out = append(out, a)
		}
	}
	if out == nil {
		return nil, fmt.Errorf("%w: %s has no address that our socket can reach", netx.ErrUnreachable, host)
	}
	return out, nil
}

func udpAddr(ip netip.Addr, port uint16) *net.UDPAddr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), port))
}

// speaksIPv6 says whether the socket is one of IPv6; that one also reaches IPv4 unless it is bound to one address.
func (t *Transport) speaksIPv6() bool {
	local, ok := t.udp.LocalAddr().(*net.UDPAddr)
	return ok && local.IP.To4() == nil
}
