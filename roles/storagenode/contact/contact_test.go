package contact

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"storj/netx"
	"storj/netx/memnet"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/storagenode/contact/contacttest"
)

// node is a Contact on a network of its own, in a bubble.
type node struct {
	*Contact
	network   *memnet.Network
	transport *memnet.Transport
	free      atomic.Int64
	machine   atomic.Pointer[string]
	log       bytes.Buffer // read it only when nothing runs
	file      string
	stop      context.CancelFunc
	done      chan error
}

func newNode(t *testing.T, network *memnet.Network, file string) *node {
	t.Helper()
	n := &node{network: network, transport: network.Transport(netx.NodeID{9}), file: file}
	n.free.Store(1 << 40)
	n.machine.Store(new(string))
	n.open(t)
	return n
}

func (n *node) open(t *testing.T) {
	t.Helper()
	pool := rpc.NewPool(n.transport, rpc.PoolOptions{})
	var err error
	n.Contact, err = New(Options{
		File: n.file, Pool: pool, Log: zerolog.New(zerolog.SyncWriter(&n.log)).Level(zerolog.InfoLevel),
		Report:  func() pieces.CheckIn { return pieces.CheckIn{Address: ":7777", Version: "v1", Free: n.free.Load()} },
		Machine: func() string { return *n.machine.Load() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
}

// start runs the contact, and a server that answers pings.
func (n *node) start(t *testing.T) {
	t.Helper()
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	rpc.Unary(server, pieces.MethodPing, rpc.Limits{}, func(context.Context, rpc.Peer, *pieces.Empty) (*pieces.PingReply, error) {
		return new(pieces.PingReply), nil
	})
	listener, err := n.transport.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	runCtx, stop := context.WithCancel(t.Context())
	n.stop, n.done = stop, make(chan error, 1)
	go func() { n.done <- n.Run(runCtx) }()
	t.Cleanup(func() {
		n.halt(t)
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
}

// halt stops Run and waits for it; a second time it does nothing.
func (n *node) halt(t *testing.T) {
	t.Helper()
	n.stop()
	if n.done == nil {
		return
	}
	if err := <-n.done; err != nil {
		t.Error(err)
	}
	n.done = nil
}

// settled lets virtual time pass until everything that was due has happened.
func settled(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func bubble(t *testing.T, f func(t *testing.T, network *memnet.Network)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, memnet.New(1)) })
}

func TestJoinAndReport(t *testing.T) {
	bubble(t, func(t *testing.T, network *memnet.Network) {
		sat := contacttest.Start(t, network, 1)
		n := newNode(t, network, filepath.Join(t.TempDir(), "satellites.json"))
		if _, err := n.NodeKeys(sat.URL.ID); !errors.Is(err, pieces.ErrUntrusted) {
			t.Errorf("keys before joining: %v", err)
		}
		if err := n.Join(t.Context(), sat.Token(1)); err != nil {
			t.Fatal(err)
		}
		if _, err := n.NodeKeys(sat.URL.ID); !errors.Is(err, pieces.ErrNotReady) {
			t.Errorf("keys before the first report: %v", err)
		}
		n.start(t)
		keys, err := n.NodeKeys(sat.URL.ID)
		want := []pieces.NodeKey{sat.Key(n.transport.ID(), 7), sat.Key(n.transport.ID(), 6)}
		if err != nil || !slices.Equal(keys, want) {
			t.Errorf("keys %v, %v", keys, err)
		}
		status := n.Status()
		if len(status) != 1 || !status[0].Reached(time.Now()) || status[0].Epoch != 7 || status[0].Address != n.transport.Address() {
			t.Errorf("status %+v", status)
		}

		sat.Set(func(st *contacttest.State) { st.Epoch = 8 })
		settled(70 * time.Minute)
		if keys, _ := n.NodeKeys(sat.URL.ID); keys[0].Epoch != 8 || keys[1].Epoch != 7 {
			t.Errorf("keys after a new epoch are of %d and %d", keys[0].Epoch, keys[1].Epoch)
		}
		settled(24 * time.Hour)
		if count := len(sat.Snapshot().CheckIns); count < 22 || count > 29 {
			t.Errorf("%d reports in 25 hours", count)
		}
		n.halt(t)
		last := sat.Snapshot().CheckIns
		if !last[len(last)-1].Leaving || last[0].Leaving {
			t.Error("only the last report must say that the node leaves")
		}
	})
}

func TestSatelliteAway(t *testing.T) {
	bubble(t, func(t *testing.T, network *memnet.Network) {
		sat := contacttest.Start(t, network, 1)
		n := newNode(t, network, "")
		if err := n.Join(t.Context(), sat.Token(1)); err != nil {
			t.Fatal(err)
		}
		n.start(t)
		network.Kill(sat.URL.ID)
		settled(3 * time.Hour)
		if s := n.Status()[0]; s.Reached(time.Now()) || netx.CodeOf(s.Err) != netx.Unavailable {
			t.Errorf("status while the satellite is away: %+v", s)
		}
		if _, err := n.NodeKeys(sat.URL.ID); err != nil {
			t.Errorf("keys while the satellite is away: %v", err)
		}
		network.Revive(sat.URL.ID)
		settled(longestRetry + time.Second)
		if s := n.Status()[0]; !s.Reached(time.Now()) || s.Err != nil {
			t.Errorf("status after the satellite came back: %+v", s)
		}
		n.halt(t)
		if warnings := strings.Count(n.log.String(), "check-in failed"); warnings < 1 || warnings > 4 {
			t.Errorf("a satellite that was away was logged %d times at warning or more", warnings)
		}
	})
}

// A satellite that comes back after seconds is found after seconds.
func TestRetryIsQuickAtFirst(t *testing.T) {
	bubble(t, func(t *testing.T, network *memnet.Network) {
		sat := contacttest.Start(t, network, 1)
		n := newNode(t, network, "")
		if err := n.Join(t.Context(), sat.Token(1)); err != nil {
			t.Fatal(err)
		}
		network.Kill(sat.URL.ID)
		n.start(t)
		settled(4 * time.Second)
		network.Revive(sat.URL.ID)
		settled(15 * time.Second)
		if !n.Status()[0].Reached(time.Now()) {
			t.Errorf("not reached: %+v", n.Status()[0])
		}
	})
}

func TestReportsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, network *memnet.Network) {
		sat := contacttest.Start(t, network, 1)
		n := newNode(t, network, "")
		if err := n.Join(t.Context(), sat.Token(1)); err != nil {
			t.Fatal(err)
		}
		n.start(t)
		reports := func() int { return len(sat.Snapshot().CheckIns) }
		expect := func(want int, when string) {
			t.Helper()
			if got := reports(); got != want {
				t.Fatalf("%s: %d reports, want %d", when, got, want)
			}
		}
		expect(1, "at the start")
		n.Wake()
		synctest.Wait()
		expect(2, "after Wake")
		n.Wake()
		settled(time.Second)
		expect(2, "after Wake again")
		n.free.Store(LowSpace - 1)
		settled(watchEvery)
		expect(3, "when space ran low")
		settled(5 * watchEvery)
		expect(3, "while space is low")
		n.free.Store(LowSpace)
		settled(watchEvery)
		expect(4, "when there is space again")
		machine := "192.0.2.7/24"
		n.machine.Store(&machine)
		settled(watchEvery)
		expect(5, "when addresses changed")
		settled(5 * watchEvery)
		expect(5, "long before the interval is over")
	})
}

func TestTokens(t *testing.T) {
	bubble(t, func(t *testing.T, network *memnet.Network) {
		sat := contacttest.Start(t, network, 1)
		file := filepath.Join(t.TempDir(), "satellites.json")
		n := newNode(t, network, file)
		if err := n.Join(t.Context(), sat.Token(0)); !errors.Is(err, pieces.ErrToken) {
			t.Errorf("used-up token: %v", err)
		}
		if n.Count() != 0 {
			t.Error("a refused token left a satellite behind")
		}
		token := sat.Token(1)
		if err := n.Join(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if err := n.Join(t.Context(), token); err != nil {
			t.Errorf("the same token again: %v", err)
		}
		if joins := sat.Snapshot().Joins; joins != 2 {
			t.Errorf("%d requests to join", joins)
		}
		n.open(t) // as after a restart
		if n.Count() != 1 {
			t.Fatal("the satellite was forgotten")
		}
		if err := n.Join(t.Context(), token); err != nil {
			t.Errorf("the same token after a restart: %v", err)
		}
		if !strings.Contains(n.log.String(), "satellite joined already") {
			t.Error("nothing said that the satellite was joined already")
		}
	})
}

// A satellite that has lost the node is joined again with the token at hand.
func TestForgottenNodeJoinsAgain(t *testing.T) {
	bubble(t, func(t *testing.T, network *memnet.Network) {
		sat := contacttest.Start(t, network, 1)
		n := newNode(t, network, "")
		if err := n.Add(sat.URL); err != nil {
			t.Fatal(err)
		}
		if err := n.Join(t.Context(), sat.Token(1)); err != nil {
			t.Fatal(err)
		}
		if joins := sat.Snapshot().Joins; joins != 0 {
			t.Fatalf("token redeemed %d times at a satellite that is known", joins)
		}
		n.start(t)
		if !n.Status()[0].Reached(time.Now()) {
			t.Errorf("status %+v", n.Status()[0])
		}
	})
}

func TestMovedSatellite(t *testing.T) {
	bubble(t, func(t *testing.T, network *memnet.Network) {
		sat := contacttest.Start(t, network, 1)
		file := filepath.Join(t.TempDir(), "satellites.json")
		n := newNode(t, network, file)
		old := netx.NodeURL{ID: sat.URL.ID, Address: "192.0.2.1:1"}
		if err := n.Add(old); err != nil {
			t.Fatal(err)
		}
		if err := n.Add(sat.URL); err != nil {
			t.Fatal(err)
		}
		n.open(t)
		if status := n.Status(); len(status) != 1 || status[0].Satellite != sat.URL {
			t.Errorf("satellites %+v", status)
		}
		if err := n.Add(netx.NodeURL{ID: sat.URL.ID}); !errors.Is(err, netx.ErrNodeURL) {
			t.Errorf("no address: %v", err)
		}
	})
}

func TestJoinWaitsForSatellite(t *testing.T) {
	bubble(t, func(t *testing.T, network *memnet.Network) {
		sat := contacttest.Start(t, network, 1)
		n := newNode(t, network, "")
		network.Kill(sat.URL.ID)
		started := time.Now()
		if err := n.Join(t.Context(), sat.Token(1)); netx.CodeOf(err) != netx.Unavailable {
			t.Errorf("satellite away: %v", err)
		}
		if took := time.Since(started); took > 2*joinPatience {
			t.Errorf("gave up after %v", took)
		}
		go func() {
			time.Sleep(5 * time.Second)
			network.Revive(sat.URL.ID)
		}()
		if err := n.Join(t.Context(), sat.Token(1)); err != nil {
			t.Errorf("satellite late: %v", err)
		}
	})
}

func TestTwoSatellites(t *testing.T) {
	bubble(t, func(t *testing.T, network *memnet.Network) {
		a, b := contacttest.Start(t, network, 1), contacttest.Start(t, network, 2)
		n := newNode(t, network, filepath.Join(t.TempDir(), "satellites.json"))
		for _, sat := range []*contacttest.Satellite{a, b} {
			if err := n.Join(t.Context(), sat.Token(1)); err != nil {
				t.Fatal(err)
			}
		}
		network.Kill(a.URL.ID)
		n.start(t)
		settled(time.Minute)
		status := n.Status()
		if len(status) != 2 || status[0].Reached(time.Now()) || !status[1].Reached(time.Now()) {
			t.Errorf("one away, one there: %+v", status)
		}
		keys, err := n.NodeKeys(b.URL.ID)
		if err != nil || keys[0] != b.Key(n.transport.ID(), 7) {
			t.Errorf("keys of the second: %v", err)
		}
	})
}

func TestAnswersThatHelpNobody(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*contacttest.State)
		want   error
	}{
		{"not reached", func(st *contacttest.State) { st.Fail = pieces.ErrPingBack }, pieces.ErrPingBack},
		{"unknown node", func(st *contacttest.State) { clear(st.Joined) }, pieces.ErrNotJoined},
		{"no interval", func(st *contacttest.State) { st.Interval = 0 }, netx.ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, network *memnet.Network) {
				sat := contacttest.Start(t, network, 1)
				n := newNode(t, network, "")
				if err := n.Join(t.Context(), sat.Token(1)); err != nil {
					t.Fatal(err)
				}
				sat.Set(test.change)
				n.start(t)
				settled(time.Hour)
				if s := n.Status()[0]; !errors.Is(s.Err, test.want) || s.Reached(time.Now()) {
					t.Errorf("status %+v", s)
				}
				if _, err := n.NodeKeys(sat.URL.ID); !errors.Is(err, pieces.ErrNotReady) {
					t.Errorf("keys: %v", err)
				}
				if count := len(sat.Snapshot().CheckIns); count < 10 || count > 60 {
					t.Errorf("%d reports in an hour of failures", count)
				}
			})
		})
	}
}

func TestClockIsWarnedOfOnce(t *testing.T) {
	bubble(t, func(t *testing.T, network *memnet.Network) {
		sat := contacttest.Start(t, network, 1)
		n := newNode(t, network, "")
		if err := n.Join(t.Context(), sat.Token(1)); err != nil {
			t.Fatal(err)
		}
		sat.Set(func(st *contacttest.State) { st.Clock = maxClockSkew + time.Minute })
		n.start(t)
		settled(5 * time.Hour)
		if skew := n.Status()[0].Skew; skew != -(maxClockSkew + time.Minute) {
			t.Errorf("skew %v", skew)
		}
		n.halt(t)
		if count := strings.Count(n.log.String(), "clock differs"); count != 1 {
			t.Errorf("warned %d times", count)
		}
	})
}

func TestIntervalIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, network *memnet.Network) {
		sat := contacttest.Start(t, network, 1)
		n := newNode(t, network, "")
		if err := n.Join(t.Context(), sat.Token(1)); err != nil {
			t.Fatal(err)
		}
		sat.Set(func(st *contacttest.State) { st.Interval = time.Nanosecond })
		n.start(t)
		if got := n.Status()[0].Interval; got != minInterval {
			t.Errorf("interval %v", got)
		}
		sat.Set(func(st *contacttest.State) { st.Interval = 1000 * time.Hour })
		settled(2 * minInterval)
		if got := n.Status()[0].Interval; got != maxInterval {
			t.Errorf("interval %v", got)
		}
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	var b backoff
	for i, full := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		full *= time.Second
		if wait := b.next(); wait < full/2 || wait > full {
			t.Errorf("wait %d is %v, want up to %v", i, wait, full)
		}
	}
	for range 1000 {
		if wait := jitter(time.Hour); wait < 54*time.Minute || wait > 66*time.Minute {
			t.Fatalf("an hour became %v", wait)
		}
	}
	if jitter(1) != 1 {
		t.Error("a short interval was varied")
	}
}

func TestParseList(t *testing.T) {
	t.Parallel()
	url := netx.NodeURL{ID: netx.NodeID{1}, Address: "a.example:1"}
	entry := `{"url": "` + url.String() + `", "joined": "2026-11-22T10:00:00Z"}`
	tests := []struct {
		name, text string
		count      int
		bad        bool
	}{
		{name: "none", text: `{"version": 1}`},
		{name: "one", text: `{"version": 1, "satellites": [` + entry + `]}`, count: 1},
		{name: "unknown field", text: `{"version": 1, "color": "red", "satellites": [` + entry + `]}`, count: 1},
		{name: "twice", text: `{"version": 1, "satellites": [` + entry + `,` + entry + `]}`, bad: true},
		{name: "empty entry", text: `{"version": 1, "satellites": [{}]}`, bad: true},
		{name: "no version", text: `{"satellites": []}`, bad: true},
		{name: "next version", text: `{"version": 2, "satellites": []}`, bad: true},
		{name: "cut short", text: `{"version": 1, "satel`, bad: true},
		{name: "empty", text: ``, bad: true},
		{name: "long", text: `{"version": 1}` + strings.Repeat(" ", maxFileBytes), bad: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "satellites.json")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readList(path)
			list := got.Satellites
			if len(list) != test.count || errors.Is(err, ErrFile) != test.bad {
				t.Fatalf("%d satellites, %v", len(list), err)
			}
			if test.count == 1 && list[0].URL != url {
				t.Errorf("satellite %s", list[0].URL)
			}
		})
	}
}

func FuzzParseList(f *testing.F) {
	url := netx.NodeURL{ID: netx.NodeID{1}, Address: "a.example:1"}
	f.Add([]byte(`{"version": 1, "satellites": [{"url": "` + url.String() + `", "joined": "2026-11-22T10:00:00Z"}]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := parseList(raw)
		if err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "satellites.json")
		if err := writeList(path, list); err != nil {
			t.Skip(err) // an instant beyond year 9999 does not print
		}
		if again, err := readList(path); err != nil || len(again.Satellites) != len(list.Satellites) {
			t.Fatalf("%d satellites became %d, %v", len(list.Satellites), len(again.Satellites), err)
		}
	})
}

func TestTooManySatellites(t *testing.T) {
	t.Parallel()
	c, err := New(Options{Report: func() pieces.CheckIn { return pieces.CheckIn{} }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxSatellites + 1 {
		err = c.Add(netx.NodeURL{ID: netx.NodeID{1, byte(i >> 8), byte(i)}, Address: "a.example:1"})
		if (i < maxSatellites) != (err == nil) {
			t.Fatalf("satellite %d: %v", i, err)
		}
	}
	if !errors.Is(err, ErrTooMany) {
		t.Errorf("one too many: %v", err)
	}
}
