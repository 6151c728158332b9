package quicnet

import (
	"encoding/binary"
	"errors"
	"net"
	"syscall"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// With UDP_GRO (Linux 5.0) the kernel hands over several datagrams of one sender as one buffer, and a control message
// with their common size: fewer system calls, and one trip through the IP stack for all of them.

const (
	superPackets = 4        // buffers per recvmmsg
	superSize    = 64 << 10 // bytes; the kernel joins up to 64 KiB
	oobSize      = 256      // bytes; room for TOS, packet info and GRO
)

// groConn is a UDP socket whose ReadBatch takes joined datagrams apart. It is read by one goroutine of quic-go.
type groConn struct {
	*net.UDPConn
	batch *ipv4.PacketConn
	super []ipv4.Message

	next    int // the buffer of super that is being taken apart
	filled  int // buffers of super that hold something
	offset  int // bytes of super[next] that were handed out
	segment int // size of a datagram in super[next]; 0 before it is known
}

var _ quic.OOBCapablePacketConn = (*groConn)(nil)

// receiver wraps the socket for quic.Transport, with GRO where the kernel has it.
func receiver(udp *net.UDPConn, plain bool) net.PacketConn {
	if plain || !enableGRO(udp) {
		return udp
	}
	c := &groConn{UDPConn: udp, batch: ipv4.NewPacketConn(udp), super: make([]ipv4.Message, superPackets)}
	for i := range c.super {
		c.super[i].Buffers = [][]byte{make([]byte, superSize)}
		c.super[i].OOB = make([]byte, oobSize)
	}
	return c
}

func enableGRO(udp *net.UDPConn) bool {
	raw, err := udp.SyscallConn()
	if err != nil {
		return false
	}
	var setErr error
	err = raw.Control(func(fd uintptr) {
		setErr = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	})
	return err == nil && setErr == nil
}

// ReadBatch fills ms with one datagram each: first those left over from the last call, else it reads more. Datagrams
// that do not fit their buffer are cut, as the kernel does; none of QUIC's are that long.
func (c *groConn) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	if c.next == c.filled {
		n, err := c.batch.ReadBatch(c.super, flags)
		c.next, c.filled, c.offset, c.segment = 0, max(n, 0), 0, 0
		if err != nil {
			return 0, err
		}
	}
	n := 0
	for n < len(ms) && c.next < c.filled {
		c.split(&ms[n])
		n++
	}
	return n, nil
}

// split hands out the next datagram.
func (c *groConn) split(to *ipv4.Message) {
	from := &c.super[c.next]
	if c.segment == 0 {
		c.segment, from.NN = takeSegmentSize(from.OOB[:from.NN], from.N)
	}
	end := min(c.offset+c.segment, from.N)
	to.N = copy(to.Buffers[0], from.Buffers[0][c.offset:end])
	to.NN = copy(to.OOB, from.OOB[:from.NN])
	to.Addr = from.Addr // shared by the datagrams of one buffer: nobody changes it
	to.Flags = from.Flags
	c.offset = end
	if c.offset >= from.N {
		c.next, c.offset, c.segment = c.next+1, 0, 0
	}
}

// takeSegmentSize finds the size of the joined datagrams among the control messages and cuts that message out: quic-go
// has room for its own only (128 bytes, and an error of its parser ends the transport). Without one there is one
// datagram of whole bytes. It returns the size and how much of oob is left.
func takeSegmentSize(oob []byte, whole int) (segment, left int) {
	for at := 0; at < len(oob); {
		head, data, rest, err := unix.ParseOneSocketControlMessage(oob[at:])
		if err != nil {
			return max(whole, 1), at // what follows is cut short
		}
		end := len(oob) - len(rest)
		if head.Level == unix.IPPROTO_UDP && head.Type == unix.UDP_GRO && len(data) >= 4 {
			if size := int(int32(binary.NativeEndian.Uint32(data))); size > 0 {
				segment = size
			}
			oob = append(oob[:at], rest...)
			continue
		}
		at = end
	}
	if segment == 0 {
		segment = max(whole, 1)
	}
	return segment, len(oob)
}

// raiseBuffers asks for large socket buffers, past the system's limit where we may.
func raiseBuffers(udp *net.UDPConn) {
	raw, err := udp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // best effort: warnSmallBuffers tells the outcome
		raise(int(fd), unix.SO_RCVBUF, unix.SO_RCVBUFFORCE)
		raise(int(fd), unix.SO_SNDBUF, unix.SO_SNDBUFFORCE)
	})
}

func raise(fd, option, force int) {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, wantBuffer); errors.Is(err, syscall.EPERM) {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, wantBuffer) // best effort, as above
	}
}

// receiveBuffer is the size that the system granted, in bytes. The kernel reports twice what holds data (man 7 socket).
func receiveBuffer(udp *net.UDPConn) (size int, known bool) {
	raw, err := udp.SyscallConn()
	if err != nil {
		return 0, false
	}
	var getErr error
	err = raw.Control(func(fd uintptr) {
		size, getErr = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	})
	return size / 2, err == nil && getErr == nil
}
