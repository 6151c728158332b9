package devnet

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"storj/netx"
	"storj/netx/identity"
	"storj/netx/quicnet"
	"storj/pieces"
	"storj/roles/satellite"
	"storj/roles/satellite/placement"
	"storj/roles/storagenode"
	"storj/roles/uplink"
)

// Options describes a network inside this process.
type Options struct {
	Dir          string // everything lies below it, and is found again by the next Start
	Nodes        int    // 10; more than before adds nodes, fewer starts only the first ones
	Capacity     int64  // bytes that each node gives; 10 GB
	Redundancy   string // auto, or required/repair/optimal/total
	Address      string // host:port of the satellite; empty: that of the last time, at first one that is free
	DebugAddress string // of the satellite's metrics and health; empty: none
	RelaxedSync  bool
	Version      string
	Log          zerolog.Logger
	Tune         satellite.Tune
	// Store makes the store of node i, instead of one on disk; it stays the caller's. For tests of nodes that lose or alter
	// what they were given.
	Store func(i int) pieces.Store
}

const (
	defaultNodes    = 10
	defaultCapacity = 10_000_000_000
	grantFile       = "grant"
	passphraseFile  = "passphrase"
	addressFile     = "satellite.addr" // as of a satellite by itself, so that its commands find it
	identityFile    = "identity.key"
	patience        = 30 * time.Second // for nodes to check in
)

// Network is a satellite and nodes that run in this process.
type Network struct {
	opts      Options
	satellite *satellite.Satellite
	grant     string
	failed    chan error
	ctx       context.Context // of Start; ends with Close
	cancel    context.CancelFunc
	running   sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	nodes []*member
}

// member is one node; nil fields while it is stopped.
type member struct {
	node *storagenode.Node
	stop context.CancelFunc
	done chan struct{}
}

// Start runs a network and returns when every node has checked in. ctx bounds its life; Close ends it and waits.
func Start(ctx context.Context, opts Options) (*Network, error) {
	if opts.Nodes == 0 {
		opts.Nodes = defaultNodes
	}
	if opts.Capacity == 0 {
		opts.Capacity = defaultCapacity
	}
	if opts.Redundancy == "" {
		opts.Redundancy = "auto"
	}
	n := &Network{opts: opts, failed: make(chan error, 1), nodes: make([]*member, opts.Nodes)}
	n.ctx, n.cancel = context.WithCancel(ctx)
	for _, step := range []func(context.Context) error{n.startSatellite, n.startNodes, n.waitForNodes, n.prepareGrant} {
		if err := step(n.ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("start network: %w", err), n.Close())
		}
	}
	return n, nil
}

// Grant is an access grant to the network's project, for everything.
func (n *Network) Grant() string { return n.grant }

// Satellite is the satellite.
func (n *Network) Satellite() *satellite.Satellite { return n.satellite }

// Failed gives the error of a peer that ended by itself.
func (n *Network) Failed() <-chan error { return n.failed }

// Open makes a client of the network.
func (n *Network) Open(ctx context.Context) (*uplink.Project, error) {
	access, err := uplink.ParseAccess(n.grant)
	if err != nil {
		return nil, err
	}
	return uplink.Open(ctx, uplink.Config{}, access)
}

// Close ends every peer, nodes first, and waits for them.
func (n *Network) Close() error {
	var errs []error
	for i := range n.nodes {
		errs = append(errs, n.StopNode(i))
	}
	n.cancel()
	n.running.Wait()
	if n.satellite != nil {
		errs = append(errs, n.satellite.Close())
	}
	return errors.Join(errs...)
}

func (n *Network) path(parts ...string) string {
	return filepath.Join(append([]string{n.opts.Dir}, parts...)...)
}

func (n *Network) startSatellite(ctx context.Context) error {
	dir := n.path("satellite")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	id, err := loadIdentity(filepath.Join(dir, identityFile))
	if err != nil {
		return err
	}
	profile, err := placement.ParseProfile(n.opts.Redundancy)
	if err != nil {
		return err
	}
	transport, err := n.listen(id, filepath.Join(dir, addressFile))
	if err != nil {
		return err
	}
	n.satellite, err = satellite.New(ctx, satellite.Options{
		Identity: id, Transport: transport, DBPath: filepath.Join(dir, "satellite.db"), Relaxed: n.opts.RelaxedSync,
		Redundancy: profile, DebugAddress: n.opts.DebugAddress, Version: n.opts.Version, RateLimit: -1,
		Log: n.opts.Log.With().Str("peer", "satellite").Logger(), Tune: n.opts.Tune,
	})
	if err != nil {
		return err
	}
	n.running.Go(func() { n.report(n.satellite.Run(n.ctx)) })
	return nil
}

// listen opens the satellite's socket where it was the last time: grants and nodes name the address.
func (n *Network) listen(id *identity.Identity, file string) (netx.Transport, error) {
	address := n.opts.Address
	if known, err := os.ReadFile(file); err == nil && address == "" {
		address = strings.TrimSpace(string(known))
	}
	if address == "" {
		address = "127.0.0.1:0"
	}
	transport, err := quicnet.New(id, quicnet.Options{Address: address, Log: n.opts.Log})
	if err != nil {
		return nil, fmt.Errorf("%w (does another `storj up` run?)", err)
	}
	if err := os.WriteFile(file, []byte(transport.Address()+"\n"), 0o600); err != nil {
		return nil, errors.Join(err, transport.Close())
	}
	return transport, nil
}

func loadIdentity(path string) (*identity.Identity, error) {
	id, err := identity.Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	if id, err = identity.Generate(); err != nil {
		return nil, err
	}
	return id, id.Save(path)
}

// report keeps the first failure.
func (n *Network) report(err error) {
	if err == nil || n.ctx.Err() != nil {
		return
	}
	select {
	case n.failed <- err:
	default:
	}
}

func (n *Network) startNodes(ctx context.Context) error {
	group, _ := errgroup.WithContext(ctx)
	for i := range n.nodes {
		group.Go(func() error { return n.StartNode(i) })
	}
	return group.Wait()
}

// StartNode runs node i, which must be stopped. It joins when it has not joined before.
func (n *Network) StartNode(i int) error {
	dir := n.path(fmt.Sprintf("node%d", i))
	opts := storagenode.Options{
		Dir: dir, Disks: []storagenode.Disk{{Path: filepath.Join(dir, "pieces"), Capacity: n.opts.Capacity}}, Address: "127.0.0.1:0",
		RelaxedSync: n.opts.RelaxedSync, Version: n.opts.Version, CheckInInterval: n.opts.Tune.CheckInInterval,
		Log: n.opts.Log.With().Str("peer", fmt.Sprintf("node%d", i)).Logger(),
	}
	if n.opts.Store != nil {
		opts.Disks, opts.Store = nil, n.opts.Store(i)
	}
	if _, err := os.Stat(filepath.Join(dir, "joined")); err != nil {
		text, err := n.satellite.Admin().CreateToken(n.ctx, 1, time.Hour)
		if err != nil {
			return err
		}
		token, err := pieces.ParseJoinToken(text)
		if err != nil {
			return err
		}
		opts.Join = []pieces.JoinToken{token}
	} else {
		opts.Satellites = []netx.NodeURL{n.satellite.URL()} // it may listen elsewhere now
	}
	node, err := storagenode.New(n.ctx, opts)
	if err != nil {
		return fmt.Errorf("node %d: %w", i, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "joined"), nil, 0o600); err != nil {
		return errors.Join(err, node.Close())
	}
	ctx, stop := context.WithCancel(n.ctx)
	m := &member{node: node, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		if err := node.Run(ctx); err != nil {
			n.report(fmt.Errorf("node %d: %w", i, err))
		}
	}()
	n.mu.Lock()
	n.nodes[i] = m
	n.mu.Unlock()
	return nil
}

// StopNode ends node i as its owner would, and waits for it; one that is stopped stays so.
func (n *Network) StopNode(i int) error {
	n.mu.Lock()
	m := n.nodes[i]
	n.nodes[i] = nil
	n.mu.Unlock()
	if m == nil {
		return nil
	}
	m.stop()
	<-m.done
	return m.node.Close()
}

// Node returns node i, nil while it is stopped.
func (n *Network) Node(i int) *storagenode.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.nodes[i] == nil {
		return nil
	}
	return n.nodes[i].node
}

// waitForNodes waits until the satellite knows every node where it listens now.
func (n *Network) waitForNodes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		known := n.known()
		if known == len(n.nodes) {
			return nil
		}
		select {
		case <-ticker.C:
		case err := <-n.failed:
			return err
		case <-ctx.Done():
			return fmt.Errorf("%d of %d nodes checked in: %w", known, n.opts.Nodes, context.Cause(ctx))
		}
	}
}

// known counts the nodes that have checked in since they were started.
func (n *Network) known() (count int) {
	snapshot := n.satellite.Directory().Snapshot()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.nodes {
		url, online, known := snapshot.Node(m.node.ID())
		if known && online && url.Address == m.node.Address() {
			count++
		}
	}
	return count
}

// prepareGrant finds the grant of the last time. The first time, and when the satellite listens elsewhere than its grant
// says, it makes another one of a new API key and the same passphrase.
func (n *Network) prepareGrant(ctx context.Context) error {
	if n.findGrant() {
		return nil
	}
	passphrase, err := n.passphrase()
	if err != nil {
		return err
	}
	admin := n.satellite.Admin()
	const project = "devnet"
	if _, err := admin.CreateProject(ctx, project); err != nil && netx.CodeOf(err) != netx.Exists {
		return err
	}
	name := "devnet " + rand.Text()[:6]
	key, err := admin.CreateAPIKey(ctx, project, name)
	if err != nil {
		return err
	}
	access, err := uplink.RequestAccess(ctx, uplink.Config{}, n.satellite.URL().String(), key, passphrase)
	if err != nil {
		return err
	}
	if n.grant, err = access.Serialize(); err != nil {
		return err
	}
	return os.WriteFile(n.path(grantFile), []byte(n.grant+"\n"), 0o600)
}

// findGrant says whether there is a grant that still leads to the satellite.
func (n *Network) findGrant() bool {
	known, err := os.ReadFile(n.path(grantFile))
	if err != nil {
		return false
	}
	grant := strings.TrimSpace(string(known))
	access, err := uplink.ParseAccess(grant)
	if err != nil || access.SatelliteURL() != n.satellite.URL().String() {
		return false
	}
	n.grant = grant
	return true
}

// passphrase returns that of the network, which is made once.
func (n *Network) passphrase() ([]byte, error) {
	path := n.path(passphraseFile)
	known, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		known = []byte(rand.Text() + "\n")
		err = os.WriteFile(path, known, 0o600)
	}
	return bytes.TrimSpace(known), err
}
