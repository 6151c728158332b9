package placement

import (
	"net/netip"

	"storj/netx"
)

// Widths of a public network that counts as one failure domain, in bits.
const (
	domainBits4 = 24
	domainBits6 = 64
)

// sharedSpace is the carrier-grade NAT range, which overlay networks use as well: private for our purpose (RFC 6598).
var sharedSpace = netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)

// DomainOf returns the failure domain of a node: the name that its owner gave, else by the IP address at which it is
// reached. An invalid address counts as private.
func DomainOf(id netx.NodeID, addr netip.Addr, named string) string {
	addr = addr.Unmap().WithZone("")
	switch {
	case named != "":
		return "name:" + named
	case !addr.IsValid(), addr.IsLoopback(), addr.IsPrivate(), addr.IsLinkLocalUnicast(), addr.IsUnspecified(),
		sharedSpace.Contains(addr):
		return "node:" + string(id[:])
	}
	bits := domainBits6
	if addr.Is4() {
		bits = domainBits4
	}
	prefix, err := addr.Prefix(bits)
	if err != nil { // cannot be: both widths fit
		return "node:" + string(id[:])
	}
	return "net:" + prefix.String()
}
