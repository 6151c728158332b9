package quicnet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"storj/netx"
	"storj/netx/identity"
)

func newIdentity(t testing.TB) *identity.Identity {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func start(t testing.TB, id *identity.Identity, opts Options) *Transport {
	t.Helper()
	tr, err := New(id, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Close() }) // best effort: most tests have closed it
	return tr
}

func listen(t testing.TB, tr *Transport) netx.Listener {
	t.Helper()
	l, err := tr.Listen()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func dial(t testing.TB, from, to *Transport, id *identity.Identity, purpose netx.Purpose) *conn {
	t.Helper()
	c, err := from.Dial(t.Context(), netx.NodeURL{ID: id.ID(), Address: to.Address()}, purpose)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*conn)
}

// roundTrip makes an exchange, after which session tickets have arrived as well.
func roundTrip(t testing.TB, c *conn, l netx.Listener) {
	t.Helper()
	server, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	st, err := c.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.WriteString(st, "ping"); err == nil {
		err = st.CloseWrite()
	}
	if err != nil {
		t.Fatal(err)
	}
	peer, err := server.AcceptStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(peer, peer); err != nil {
		t.Fatal(err)
	}
	if err := peer.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(st); err != nil || string(got) != "ping" {
		t.Fatalf("echo %q, %v", got, err)
	}
}

// TestResumption dials twice, with a restart of the server in between: its ticket keys come from the identity.
func TestResumption(t *testing.T) {
	t.Parallel()
	serverID := newIdentity(t)
	client := start(t, newIdentity(t), Options{})
	for i, wantResumed := range []bool{false, true, true} {
		server := start(t, serverID, Options{})
		l := listen(t, server)
		c := dial(t, client, server, serverID, netx.Data)
		roundTrip(t, c, l)
		state := c.qc.ConnectionState()
		if state.TLS.DidResume != wantResumed {
			t.Errorf("dial %d: resumed %t, want %t", i, state.TLS.DidResume, wantResumed)
		}
		if !state.GSO {
			t.Logf("dial %d: segmentation on send is off (old kernel?)", i)
		}
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestResumptionStillPins has another server at the address of one that was resumed.
func TestResumptionStillPins(t *testing.T) {
	t.Parallel()
	first, second := newIdentity(t), newIdentity(t)
	client := start(t, newIdentity(t), Options{})
	server := start(t, first, Options{})
	address := server.Address()
	l := listen(t, server)
	roundTrip(t, dial(t, client, server, first, netx.Data), l)
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	other := start(t, second, Options{Address: address})
	listen(t, other)
	_, err := client.Dial(t.Context(), netx.NodeURL{ID: first.ID(), Address: address}, netx.Data)
	if !errors.Is(err, netx.ErrIdentity) {
		t.Errorf("dial: %v, want %v", err, netx.ErrIdentity)
	}
}

func TestKeyAgreementByPurpose(t *testing.T) {
	t.Parallel()
	serverID := newIdentity(t)
	client, server := start(t, newIdentity(t), Options{}), start(t, serverID, Options{})
	listen(t, server)
	for purpose, want := range map[netx.Purpose]tls.CurveID{netx.Control: tls.X25519MLKEM768, netx.Data: tls.X25519} {
		state := dial(t, client, server, serverID, purpose).qc.ConnectionState().TLS
		if state.CurveID != want || state.Version != tls.VersionTLS13 || state.NegotiatedProtocol != alpn {
			t.Errorf("purpose %d: %s, version %#x, protocol %q; want %s", purpose, state.CurveID, state.Version, state.NegotiatedProtocol, want)
		}
	}
}

func TestServerNameIsAHostName(t *testing.T) {
	t.Parallel()
	label := regexp.MustCompile(`^[a-z2-7]{52}$`)
	for _, id := range []netx.NodeID{{}, {0xff, 1, 2}, newIdentity(t).ID()} {
		if got := serverName(id); !label.MatchString(got) {
			t.Errorf("server name %q", got)
		}
	}
}

// TestRestartEndsOldConnections has a server vanish without a word and come back: the stateless reset tells the client.
func TestRestartEndsOldConnections(t *testing.T) {
	t.Parallel()
	serverID := newIdentity(t)
	client := start(t, newIdentity(t), Options{})
	server := start(t, serverID, Options{})
	address := server.Address()
	l := listen(t, server)
	c := dial(t, client, server, serverID, netx.Data)
	roundTrip(t, c, l)
	if err := errors.Join(server.qt.Close(), server.udp.Close()); err != nil { // no CONNECTION_CLOSE goes out
		t.Fatal(err)
	}
	listen(t, start(t, serverID, Options{Address: address}))
	st, err := c.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write([]byte("anyone there? a reset is only sent for packets of some length")); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Read(make([]byte, 1)); !errors.Is(err, netx.ErrClosed) {
		t.Errorf("read: %v, want %v", err, netx.ErrClosed)
	}
}

func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]Options{
		"per address": {MaxConnsPerAddress: 2},
		"in all":      {MaxConns: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			serverID := newIdentity(t)
			client, server := start(t, newIdentity(t), Options{}), start(t, serverID, opts)
			listen(t, server)
			first := dial(t, client, server, serverID, netx.Data)
			dial(t, client, server, serverID, netx.Data)
			url := netx.NodeURL{ID: serverID.ID(), Address: server.Address()}
			if _, err := client.Dial(t.Context(), url, netx.Data); !errors.Is(err, netx.ErrRefused) {
				t.Errorf("third dial: %v, want %v", err, netx.ErrRefused)
			}
			if err := first.Close(netx.OK); err != nil {
				t.Fatal(err)
			}
			for {
				_, err := client.Dial(t.Context(), url, netx.Data)
				if err == nil {
					return
				}
				if !errors.Is(err, netx.ErrRefused) {
					t.Fatalf("dial after one has ended: %v", err)
				}
			}
		})
	}
}

// TestAddressesAreProvedUnderLoad makes every handshake one too many: clients are sent a Retry and pass.
func TestAddressesAreProvedUnderLoad(t *testing.T) {
	t.Parallel()
	serverID := newIdentity(t)
	client, server := start(t, newIdentity(t), Options{}), start(t, serverID, Options{MaxHandshakes: -1})
	l := listen(t, server)
	roundTrip(t, dial(t, client, server, serverID, netx.Data), l)
}

func TestGateCounts(t *testing.T) {
	t.Parallel()
	g := gate{opts: Options{MaxConns: 3, MaxConnsPerAddress: 2, MaxHandshakes: 2}, count: newCounters(Options{}.withDefaults().Metrics), byAddr: map[netip.Addr]int{}}
	enter := func(ip string) (context.Context, context.CancelFunc, error) {
		ctx, cancel := context.WithCancel(t.Context())
		ctx, err := g.admit(ctx, &quic.ClientInfo{RemoteAddr: udpAddr(netip.MustParseAddr(ip), 1)})
		return ctx, cancel, err
	}
	ctx, leaveFirst, err := enter("10.0.0.1")
	if err != nil || g.busy(nil) {
		t.Fatalf("first: %v", err)
	}
	_, leaveSecond, err := enter("10.0.0.1")
	if err != nil || !g.busy(nil) {
		t.Fatalf("second: %v", err)
	}
	if _, _, err := enter("10.0.0.1"); !errors.Is(err, errFull) {
		t.Errorf("third of one address: %v", err)
	}
	g.accepted(ctx)
	g.accepted(ctx)
	if g.busy(nil) {
		t.Error("an accepted connection counts as handshake")
	}
	_, leaveThird, err := enter("10.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := enter("10.0.0.3"); !errors.Is(err, errFull) {
		t.Errorf("fourth in all: %v", err)
	}
	leaveFirst()
	leaveSecond()
	leaveThird()
	for limit := time.Now().Add(10 * time.Second); ; {
		g.mu.Lock()
		left := fmt.Sprint(g.total, g.handshaking, len(g.byAddr))
		g.mu.Unlock()
		if left == "0 0 0" {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("left: %s", left)
		}
		<-time.NewTimer(time.Millisecond).C
	}
}

func TestAddressesThatCountTogether(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, a, b string
		together   bool
	}{
		{"one IPv4 address", "10.0.0.1", "10.0.0.1", true},
		{"two IPv4 addresses", "10.0.0.1", "10.0.0.2", false},
		{"IPv4 in IPv6", "10.0.0.1", "::ffff:10.0.0.1", true},
		{"one /64", "2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		{"two /64", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
	} {
		a, b := addrOf(udpAddr(netip.MustParseAddr(test.a), 1)), addrOf(udpAddr(netip.MustParseAddr(test.b), 2))
		if (a == b) != test.together {
			t.Errorf("%s: counted as %s and %s", test.name, a, b)
		}
	}
}

func TestDialBadAddresses(t *testing.T) {
	t.Parallel()
	client := start(t, newIdentity(t), Options{HandshakeTimeout: 100 * time.Millisecond})
	for _, address := range []string{"", "nohost", "127.0.0.1", "127.0.0.1:0", "localhost:http", "localhost:70000", "[::1]:9"} {
		_, err := client.Dial(t.Context(), netx.NodeURL{ID: netx.NodeID{1}, Address: address}, netx.Data)
		if !errors.Is(err, netx.ErrUnreachable) {
			t.Errorf("%q: %v, want %v", address, err, netx.ErrUnreachable)
		}
	}
}

func TestDialByNameAndWildcardSocket(t *testing.T) {
	t.Parallel()
	serverID := newIdentity(t)
	client, server := start(t, newIdentity(t), Options{Address: ":0"}), start(t, serverID, Options{Address: ":0"})
	l := listen(t, server)
	_, port, err := net.SplitHostPort(server.Address())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1"} {
		c, err := client.Dial(t.Context(), netx.NodeURL{ID: serverID.ID(), Address: host + ":" + port}, netx.Data)
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		roundTrip(t, c.(*conn), l)
	}
}

func TestHandshakeTimeout(t *testing.T) {
	t.Parallel()
	client := start(t, newIdentity(t), Options{HandshakeTimeout: 100 * time.Millisecond})
	silent := socketOf(t)
	_, err := client.Dial(t.Context(), netx.NodeURL{ID: netx.NodeID{1}, Address: silent}, netx.Data)
	if !errors.Is(err, netx.ErrUnreachable) {
		t.Errorf("dial: %v, want %v", err, netx.ErrUnreachable)
	}
}

// socketOf is the address of a socket that nobody reads.
func socketOf(t *testing.T) string {
	t.Helper()
	udp, err := openSocket("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = udp.Close() }) // best effort: the test is over
	return udp.LocalAddr().String()
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	serverID := newIdentity(t)
	client, server := start(t, newIdentity(t), Options{IdleTimeout: 200 * time.Millisecond}), start(t, serverID, Options{})
	l := listen(t, server)
	c := dial(t, client, server, serverID, netx.Data)
	roundTrip(t, c, l)
	if _, err := c.AcceptStream(t.Context()); !errors.Is(err, netx.ErrTimeout) {
		t.Errorf("idle connection ended with %v, want %v", err, netx.ErrTimeout)
	}
}
