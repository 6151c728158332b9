package memnet_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"storj/netx"
	"storj/netx/memnet"
	"storj/netx/nettest"
)

var (
	alice = netx.NodeID{1}
	bob   = netx.NodeID{2}
)

func newPair(*testing.T) nettest.Pair {
	network := memnet.New(1)
	return pairOn(network)
}

func pairOn(network *memnet.Network) nettest.Pair {
	return nettest.Pair{
		Client: network.Transport(alice), ClientID: alice,
		Server: network.Transport(bob), ServerID: bob,
	}
}

func TestTransport(t *testing.T) { nettest.Run(t, newPair) }

// connected runs test in a bubble with a stream that carried one byte each way.
func connected(t *testing.T, test func(t *testing.T, network *memnet.Network, e nettest.Ends, client, server netx.Stream)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(1)
		pair := pairOn(network)
		defer pair.Client.Close()
		defer pair.Server.Close()
		e := nettest.Connect(t, pair, netx.Data)
		client, server := streamOn(t, e)
		test(t, network, e, client, server)
	})
}

func streamOn(t *testing.T, e nettest.Ends) (client, server netx.Stream) {
	t.Helper()
	client, err := e.Client.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	send(t, client, "x")
	server, err = e.Server.AcceptStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, server, "x")
	return client, server
}

func send(t *testing.T, s netx.Stream, text string) {
	t.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func want(t *testing.T, s netx.Stream, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(s, got); err != nil || string(got) != text {
		t.Fatalf("read %q, %v; want %q", got, err, text)
	}
}

func TestPartitionAndHeal(t *testing.T) {
	t.Parallel()
	connected(t, func(t *testing.T, network *memnet.Network, e nettest.Ends, client, server netx.Stream) {
		network.Partition(alice, bob)
		send(t, client, "late")
		if err := server.SetDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, netx.ErrTimeout) {
			t.Errorf("read across a partition: %v, want %v", err, netx.ErrTimeout)
		}
		if err := server.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(10*time.Second, func() { network.Heal(alice, bob) })
		start := time.Now()
		want(t, server, "late")
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("arrived after %s, want 10s", took)
		}
	})
}

func TestPartitionKillsSilentConnections(t *testing.T) {
	t.Parallel()
	connected(t, func(t *testing.T, network *memnet.Network, e nettest.Ends, client, server netx.Stream) {
		start := time.Now()
		network.Hang(bob)
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, netx.ErrTimeout) {
			t.Errorf("read: %v, want %v", err, netx.ErrTimeout)
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("died after %s, want 1m", took)
		}
		<-e.Server.Done()
	})
}

func TestPartitionedDialTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(1)
		pair := pairOn(network)
		defer pair.Client.Close()
		defer pair.Server.Close()
		if _, err := pair.Server.Listen(); err != nil {
			t.Fatal(err)
		}
		network.Partition(alice, bob)
		start := time.Now()
		_, err := pair.Client.Dial(t.Context(), pair.URL(), netx.Data)
		if took := time.Since(start); !errors.Is(err, netx.ErrUnreachable) || took != 5*time.Second {
			t.Errorf("dial: %v after %s; want %v after 5s", err, took, netx.ErrUnreachable)
		}
	})
}

func TestCloseAcrossAPartitionIsSeenWhenHealed(t *testing.T) {
	t.Parallel()
	connected(t, func(t *testing.T, network *memnet.Network, e nettest.Ends, client, server netx.Stream) {
		network.Partition(alice, bob)
		if err := e.Client.Close(netx.Cancelled); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		select {
		case <-e.Server.Done():
			t.Error("the close crossed the partition")
		default:
		}
		network.Heal(alice, bob)
		<-e.Server.Done()
	})
}

func TestKillAndRevive(t *testing.T) {
	t.Parallel()
	connected(t, func(t *testing.T, network *memnet.Network, e nettest.Ends, client, server netx.Stream) {
		network.Kill(bob)
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, netx.ErrClosed) {
			t.Errorf("read: %v, want %v", err, netx.ErrClosed)
		}
		third := network.Transport(netx.NodeID{3})
		defer third.Close()
		url := netx.NodeURL{ID: bob, Address: e.Client.RemoteAddr()}
		if _, err := third.Dial(t.Context(), url, netx.Data); !errors.Is(err, netx.ErrUnreachable) {
			t.Errorf("dial: %v, want %v", err, netx.ErrUnreachable)
		}
		network.Revive(bob)
		conn, err := third.Dial(t.Context(), url, netx.Data)
		if err != nil {
			t.Fatal(err)
		}
		accepted, err := e.Listener.Accept(t.Context())
		if err != nil || accepted.Peer() != third.ID() {
			t.Fatalf("accept: %v", err)
		}
		_ = conn.Close(netx.OK) // best effort: the test is over
	})
}

func TestSlow(t *testing.T) {
	t.Parallel()
	connected(t, func(t *testing.T, network *memnet.Network, e nettest.Ends, client, server netx.Stream) {
		network.Slow(bob, 100*time.Millisecond)
		start := time.Now()
		for range 5 {
			send(t, client, "x")
		}
		want(t, server, "xxxxx")
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("5 writes took %s, want 500ms", took)
		}
	})
}

func TestLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(1)
		network.SetLatency(30*time.Millisecond, 0)
		pair := pairOn(network)
		defer pair.Client.Close()
		defer pair.Server.Close()
		start := time.Now()
		e := nettest.Connect(t, pair, netx.Data)
		if took := time.Since(start); took != 60*time.Millisecond {
			t.Errorf("dial took %s, want 60ms", took)
		}
		client, server := streamOn(t, e)
		start = time.Now()
		send(t, client, "ping")
		want(t, server, "ping")
		send(t, server, "pong")
		want(t, client, "pong")
		if took := time.Since(start); took != 60*time.Millisecond {
			t.Errorf("round trip took %s, want 60ms", took)
		}
	})
}

func TestWriteWaitsForTheWindow(t *testing.T) {
	t.Parallel()
	connected(t, func(t *testing.T, network *memnet.Network, e nettest.Ends, client, server netx.Stream) {
		wrote := make(chan error, 1)
		go func() {
			_, err := client.Write(make([]byte, 1<<20))
			wrote <- err
		}()
		synctest.Wait()
		select {
		case err := <-wrote:
			t.Fatalf("write of 1 MiB did not wait: %v", err)
		default:
		}
		if _, err := io.ReadFull(server, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		if err := <-wrote; err != nil {
			t.Error(err)
		}
	})
}

func TestReopenedTransportKeepsItsAddress(t *testing.T) {
	t.Parallel()
	network := memnet.New(1)
	first := network.Transport(alice)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := network.Transport(alice)
	defer second.Close()
	if first.Address() != second.Address() {
		t.Errorf("address %s, want %s", second.Address(), first.Address())
	}
	if _, err := second.Dial(context.Background(), netx.NodeURL{ID: bob, Address: "10.9.9.9:7777"}, netx.Data); !errors.Is(err, netx.ErrUnreachable) {
		t.Errorf("dial of no host: %v, want %v", err, netx.ErrUnreachable)
	}
}
