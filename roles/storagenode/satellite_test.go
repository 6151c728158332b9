package storagenode_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"storj/netx"
	"storj/netx/identity"
	"storj/netx/quicnet"
	"storj/pieces"
	"storj/pieces/memstore"
	"storj/roles/satellite"
	"storj/roles/storagenode"
)

// background runs a service until stop or the end of the test.
func background(t *testing.T, run func(context.Context) error, closer func() error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // which ends before the first cleanup
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-done, closer()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func startSatellite(t *testing.T, dir string, id *identity.Identity, address string) (*satellite.Satellite, func()) {
	t.Helper()
	transport, err := quicnet.New(id, quicnet.Options{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	s, err := satellite.New(t.Context(), satellite.Options{
		Identity: id, Transport: transport, DBPath: filepath.Join(dir, "satellite.db"),
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := background(t, s.Run, s.Close)
	<-s.Ready()
	return s, stop
}

func startNode(t *testing.T, opts storagenode.Options) (*storagenode.Node, func()) {
	t.Helper()
	opts.Address, opts.Version, opts.Domain = "127.0.0.1:0", "v9", "site=attic"
	n, err := storagenode.New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return n, background(t, n.Run, n.Close)
}

// until asks again and again, for at most half a minute.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatal("waited in vain: ", what)
		case <-ticker.C:
		}
	}
}

// A node joins a real satellite, is listed with what it reports, says when it leaves, and comes back without a token,
// even when the satellite was restarted meanwhile.
func TestWithRealSatellite(t *testing.T) {
	t.Parallel()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	satDir, dir := t.TempDir(), t.TempDir()
	sat, stopSatellite := startSatellite(t, satDir, id, "127.0.0.1:0")
	text, err := sat.Admin().CreateToken(t.Context(), 1, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	token, err := pieces.ParseJoinToken(text)
	if err != nil {
		t.Fatal(err)
	}
	store := memstore.New(memstore.Options{Capacity: 1 << 40})
	node, stopNode := startNode(t, storagenode.Options{Dir: dir, Store: store, Join: []pieces.JoinToken{token}})
	listed := func() (address, domain, version string, capacity int64, online bool) {
		list, err := sat.Admin().ListNodes(t.Context())
		if err != nil || len(list) > 1 {
			t.Fatalf("nodes %+v, %v", list, err)
		}
		if len(list) == 0 {
			return
		}
		return list[0].Address, list[0].Domain, list[0].Version, list[0].Capacity, list[0].Online
	}
	online := func() bool { _, _, _, _, online := listed(); return online }
	until(t, "node online", online)
	if address, domain, version, capacity, _ := listed(); address != node.Address() || domain != "site=attic" || version != "v9" || capacity != 1<<40 {
		t.Errorf("listed as %s %s %s %d", address, domain, version, capacity)
	}

	_, err = storagenode.New(t.Context(), storagenode.Options{
		Dir: t.TempDir(), Store: store, Address: "127.0.0.1:0", Join: []pieces.JoinToken{token},
	})
	if !errors.Is(err, pieces.ErrToken) {
		t.Errorf("a second node with the same token: %v", err)
	}

	address := sat.URL().Address
	stopSatellite()
	sat, _ = startSatellite(t, satDir, id, address)
	if !online() {
		t.Error("node is lost when the satellite is restarted")
	}
	stopNode()
	if online() {
		t.Error("node that left is online")
	}
	node, _ = startNode(t, storagenode.Options{Dir: dir, Store: store, Join: []pieces.JoinToken{token}})
	until(t, "node online again", online)
	if node.Status().Satellites[0].Satellite != (netx.NodeURL{ID: id.ID(), Address: address}) {
		t.Errorf("status %+v", node.Status())
	}
}
