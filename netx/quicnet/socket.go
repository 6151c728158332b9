package quicnet

import (
	"net"
	"net/netip"
	"strings"
)

// wantBuffer is the size of the socket's buffers in bytes that quic-go asks for, too: at 1 Gbit/s it holds what arrives
// in 56 ms without the process running.
const wantBuffer = 7 << 20

// openSocket binds a UDP socket and asks for large buffers.
func openSocket(address string) (*net.UDPConn, error) {
	local, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	network := "udp"
	if ip, ok := netip.AddrFromSlice(local.IP); ok && ip.Unmap().Is4() && !strings.HasPrefix(address, "[") {
		network = "udp4"
	}
	udp, err := net.ListenUDP(network, local)
	if err != nil {
		return nil, err
	}
	raiseBuffers(udp)
	return udp, nil
}

// warnSmallBuffers tells the operator what the system did not grant.
func (t *Transport) warnSmallBuffers() {
	if size, known := receiveBuffer(t.udp); known && size < wantBuffer/2 {
		t.log.Warn().Int("bytes", size).Str("hint", "raise net.core.rmem_max and net.core.wmem_max to 7500000").
			Msg("udp receive buffer is small")
	}
}
