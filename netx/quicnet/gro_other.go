//go:build !linux

package quicnet

import "net"

// receiver hands the socket to quic.Transport as it is: there is no GRO here.
func receiver(udp *net.UDPConn, _ bool) net.PacketConn { return udp }

// raiseBuffers asks for large socket buffers.
func raiseBuffers(udp *net.UDPConn) {
	_ = udp.SetReadBuffer(wantBuffer)  // best effort: the system's limit stands
	_ = udp.SetWriteBuffer(wantBuffer) // best effort, as above
}

func receiveBuffer(*net.UDPConn) (size int, known bool) { return 0, false }
