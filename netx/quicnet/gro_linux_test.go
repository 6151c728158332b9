package quicnet

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// cmsg builds one control message.
func cmsg(level, kind int32, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(len(data)))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

func groSize(n uint32) []byte {
	return cmsg(unix.IPPROTO_UDP, unix.UDP_GRO, binary.NativeEndian.AppendUint32(nil, n))
}

func TestTakeSegmentSize(t *testing.T) {
	t.Parallel()
	tos := cmsg(unix.IPPROTO_IP, unix.IP_TOS, []byte{2})
	info := cmsg(unix.IPPROTO_IP, unix.IP_PKTINFO, make([]byte, 12))
	tests := []struct {
		name    string
		oob     []byte
		whole   int
		segment int
		left    []byte
	}{
		{name: "nothing", whole: 700, segment: 700},
		{name: "empty datagram", whole: 0, segment: 1},
		{name: "only GRO", oob: groSize(1200), whole: 3000, segment: 1200},
		{name: "GRO first", oob: slices.Concat(groSize(1200), tos, info), whole: 3000, segment: 1200, left: slices.Concat(tos, info)},
		{name: "GRO between", oob: slices.Concat(tos, groSize(9), info), whole: 3000, segment: 9, left: slices.Concat(tos, info)},
		{name: "GRO last", oob: slices.Concat(tos, info, groSize(1452)), whole: 3000, segment: 1452, left: slices.Concat(tos, info)},
		{name: "without GRO", oob: slices.Concat(tos, info), whole: 3000, segment: 3000, left: slices.Concat(tos, info)},
		{name: "size of nothing", oob: groSize(0), whole: 3000, segment: 3000},
		{name: "negative size", oob: groSize(1 << 31), whole: 3000, segment: 3000},
		{name: "cut short", oob: slices.Concat(tos, info[:9]), whole: 3000, segment: 3000, left: tos},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			oob := bytes.Clone(test.oob)
			segment, left := takeSegmentSize(oob, test.whole)
			if segment != test.segment || !bytes.Equal(oob[:left], test.left) {
				t.Errorf("segment %d, left %x; want %d, %x", segment, oob[:left], test.segment, test.left)
			}
		})
	}
}

func FuzzTakeSegmentSize(f *testing.F) {
	f.Add(groSize(1200), 3000)
	f.Add(append(groSize(1), groSize(2)...), 3000)
	f.Add([]byte{1}, 0)
	f.Fuzz(func(t *testing.T, oob []byte, whole int) {
		size := len(oob)
		oob = append(make([]byte, 0, size+oobSize), oob...) // the kernel's are aligned, as large allocations are
		segment, left := takeSegmentSize(oob, whole)
		if segment < 1 || left < 0 || left > size {
			t.Fatalf("segment %d, %d of %d bytes left", segment, left, size)
		}
	})
}

// TestReadBatchSplits sends datagrams of many sizes, segmented by the kernel and singly, and reads each as it was sent.
func TestReadBatchSplits(t *testing.T) {
	t.Parallel()
	server, client := socket(t), socket(t)
	conn, ok := receiver(server, false).(*groConn)
	if !ok {
		t.Skip("this kernel has no UDP_GRO")
	}
	var want [][]byte
	for i, burst := range []struct{ size, count int }{{1452, 14}, {100, 3}, {1200, 1}, {1452, 2}, {1, 5}, {900, 20}} {
		payload := bytes.Repeat([]byte{byte('a' + i)}, burst.size*burst.count-burst.size/3) // the last one is shorter
		for part := range slices.Chunk(payload, burst.size) {
			want = append(want, part)
		}
		sendSegmented(t, client, server.LocalAddr().(*net.UDPAddr), payload, burst.size)
	}
	if err := server.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(want); {
		ms := make([]ipv4.Message, 8)
		for j := range ms {
			ms[j].Buffers, ms[j].OOB = [][]byte{make([]byte, 1452)}, make([]byte, 128)
		}
		n, err := conn.ReadBatch(ms, 0)
		if err != nil || n == 0 {
			t.Fatalf("after %d of %d datagrams: %d, %v", i, len(want), n, err)
		}
		for _, m := range ms[:n] {
			if got := m.Buffers[0][:m.N]; !bytes.Equal(got, want[i]) {
				t.Fatalf("datagram %d: %d bytes of %q, want %d of %q", i, len(got), got[:1], len(want[i]), want[i][:1])
			}
			if m.Addr.String() != client.LocalAddr().String() {
				t.Fatalf("datagram %d: from %s", i, m.Addr)
			}
			i++
		}
	}
}

func socket(t *testing.T) *net.UDPConn {
	t.Helper()
	udp, err := openSocket("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = udp.Close() }) // best effort: the test is over
	return udp
}

func sendSegmented(t *testing.T, from *net.UDPConn, to *net.UDPAddr, payload []byte, size int) {
	t.Helper()
	oob := cmsg(unix.IPPROTO_UDP, unix.UDP_SEGMENT, binary.NativeEndian.AppendUint16(nil, uint16(size)))
	if _, _, err := from.WriteMsgUDP(payload, oob, to); err != nil {
		t.Skipf("this kernel does not segment: %v", err)
	}
}
