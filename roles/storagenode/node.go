package storagenode

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"

	"storj/netx"
	"storj/netx/identity"
	"storj/netx/quicnet"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/piecenode"
	"storj/roles/debug"
	"storj/roles/lifecycle"
	"storj/roles/storagenode/bandwidth"
	"storj/roles/storagenode/contact"
	"storj/roles/storagenode/orderlog"
	"storj/roles/storagenode/retain"
	"storj/roles/storagenode/scrub"
	"storj/roles/storagenode/usage"
)

// ErrNoSatellite is returned by New for a node that has not joined any satellite and was given no token.
var ErrNoSatellite = errors.New("node has not joined a satellite: get a token from the satellite's owner and start once with --join TOKEN")

// Disk is a directory for pieces and the bytes that it may take.
type Disk struct {
	Path     string
	Capacity int64
}

// Options makes a Node. Dir is needed, and Disks or Store; nothing else is.
type Options struct {
	Dir string // of identity, list of satellites and address; made if missing

	Disks       []Disk
	Reserve     int64        // bytes that each disk keeps free; 0: the store's default
	RelaxedSync bool         // see logstore
	Store       pieces.Store // instead of Disks, for tests; stays the caller's

	Identity  *identity.Identity // nil: that of Dir, made if missing
	Transport netx.Transport     // of that identity, closed by the node; nil: QUIC on Address
	Address   string             // host:port to listen on

	ExternalAddress string // host:port that satellites are told; empty: what they see, with the port listened on
	Domain          string // failure domain; empty: decided by the satellite
	DebugAddress    string // of metrics and health; empty: none

	Join       []pieces.JoinToken
	Satellites []netx.NodeURL // to serve without a token: those that take everybody

	Tags      []string          // name=value, told to satellites
	Scrub     time.Duration     // in which everything is read once; 0: off
	Bandwidth bandwidth.Options // Used is filled in
	IORate    int64             // of compaction, bytes a second; 0: the store's default

	// InMemory keeps orders, usage, garbage filters and the place of the scrub in memory only: for networks that live in one
	// process, with Store.
	InMemory bool
	// WatchEvery is how often disks, space and addresses are looked at, ChoresEvery how often trash and expired pieces are
	// deleted and orders settled; 0: a minute and an hour. Simulations of years want them longer.
	WatchEvery  time.Duration
	ChoresEvery time.Duration

	CheckInInterval time.Duration // whatever satellites say; 0: what they say
	Version         string
	Metrics         *metrics.Set
	Log             zerolog.Logger
	Now             func() time.Time
}

// Node is a storage node.
type Node struct {
	opts      Options
	log       zerolog.Logger
	id        *identity.Identity
	transport netx.Transport
	store     pieces.Store
	pool      *rpc.Pool
	contact   *contact.Contact
	server    *rpc.Server
	pieces    *piecenode.Node
	gate      *bandwidth.Gate
	book      *usage.Book
	orders    *orderlog.Log
	collector *retain.Collector
	scrub     *scrub.Scrub
	disksMu   sync.Mutex    // one change of the list of disks at a time
	forgets   chan struct{} // capacity 1: pieces of a satellite are to be deleted
	debug     *debug.Server // nil: none
	group     *lifecycle.Group
	listener  netx.Listener // set by Run
	started   time.Time
}

// New opens the node and joins the satellites of opts.Join, which takes a round trip to each that is new. Nothing is
// served before Run.
//
// Ownership: Transport is the node's from here on, also when New fails; Store stays the caller's.
// Errors: ErrNoSatellite; of joining: pieces.ErrToken, netx.ErrUnreachable; those of the identity, the store, the sockets.
func New(ctx context.Context, opts Options) (*Node, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Metrics == nil {
		opts.Metrics = metrics.NewSet()
	}
	opts.WatchEvery = cmp.Or(opts.WatchEvery, disksEvery)
	opts.ChoresEvery = cmp.Or(opts.ChoresEvery, choresEvery)
	n := &Node{opts: opts, forgets: make(chan struct{}, 1), log: opts.Log.With().Str("svc", "node").Logger(), started: opts.Now().UTC()}
	n.group = lifecycle.NewGroup(opts.Log)
	if n.transport = opts.Transport; n.transport != nil {
		n.group.Add("transport", lifecycle.Closer(n.transport.Close))
	}
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, n.group.Close())
	}
	return n, nil
}

// open fills the group: what is used comes before who uses it. Contact is last, so that it is stopped first and can
// still say good-bye.
func (n *Node) open(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		n.openIdentity, n.openTransport, n.openContact, n.openStore, n.openAccounts, n.openCare, n.openServer, n.openDebug,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	n.group.Add("contact", n.contact)
	return nil
}

func (n *Node) openIdentity(context.Context) (err error) {
	if err := os.MkdirAll(n.opts.Dir, 0o700); err != nil {
		return fmt.Errorf("open node: %w", err)
	}
	if n.id = n.opts.Identity; n.id == nil {
		n.id, err = LoadIdentity(n.opts.Dir, true)
	}
	return err
}

func (n *Node) openTransport(context.Context) error {
	if n.transport == nil {
		quic, err := quicnet.New(n.id, quicnet.Options{Address: n.opts.Address, Log: n.opts.Log, Metrics: n.opts.Metrics})
		if err != nil {
			return fmt.Errorf("open address %s: %w", n.opts.Address, err)
		}
		n.transport = quic
		n.group.Add("transport", lifecycle.Closer(quic.Close))
	}
	n.pool = rpc.NewPool(n.transport, rpc.PoolOptions{Metrics: n.opts.Metrics})
	n.group.Add("pool", lifecycle.Closer(n.pool.Close))
	return nil
}

// openContact joins before the store is opened: a wrong token should leave no directories behind.
func (n *Node) openContact(ctx context.Context) (err error) {
	n.contact, err = contact.New(contact.Options{
		File: filepath.Join(n.opts.Dir, satellitesFile), Pool: n.pool, Report: n.report, Machine: n.machine(),
		Interval: n.opts.CheckInInterval, Watch: n.opts.WatchEvery, Now: n.opts.Now, Metrics: n.opts.Metrics, Log: n.opts.Log,
	})
	if err != nil {
		return fmt.Errorf("open node: %w", err)
	}
	for _, token := range n.opts.Join {
		if err := n.contact.Join(ctx, token); err != nil {
			return err
		}
	}
	for _, url := range n.opts.Satellites {
		if err := n.contact.Add(url); err != nil {
			return err
		}
	}
	if n.contact.Count() == 0 {
		return ErrNoSatellite
	}
	return nil
}

func (n *Node) openServer(context.Context) error {
	n.server = rpc.NewServer(n.opts.Log, rpc.Options{Metrics: n.opts.Metrics})
	n.pieces.Register(n.server)
	n.registerAdmin()
	n.group.Add("server", lifecycle.Func(func(ctx context.Context) error { return n.server.Serve(ctx, n.listener) }))
	n.addChores()
	n.addGauges()
	return nil
}

func (n *Node) openDebug(context.Context) error {
	if n.opts.DebugAddress == "" {
		return nil
	}
	server, err := debug.New(n.opts.Log, debug.Options{
		Address: n.opts.DebugAddress, Metrics: []*metrics.Set{n.opts.Metrics}, Checks: n.HealthChecks(),
	})
	if err != nil {
		return err
	}
	n.debug = server
	n.group.Add("debug", server)
	return nil
}

// Run serves until ctx ends (nil) or a service fails. It may be called once.
func (n *Node) Run(ctx context.Context) (err error) {
	if n.listener, err = n.transport.Listen(); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() { _ = n.listener.Close() }() // best effort: the server has closed it
	if err := writeAddress(n.opts.Dir, n.transport.Address()); err != nil {
		return err
	}
	defer removeAddress(n.opts.Dir)
	n.log.Info().Stringer("node", n.id.ID()).Str("address", n.transport.Address()).Msg("node started")
	defer n.log.Info().Msg("node stopped")
	return n.group.Run(ctx)
}

// Close stops Run, if it runs, and frees everything that New opened.
func (n *Node) Close() error { return n.group.Close() }

// ID is the node's identity as others see it.
func (n *Node) ID() netx.NodeID { return n.id.ID() }

// Address is the local host:port of the node's socket.
func (n *Node) Address() string { return n.transport.Address() }

// DebugAddress is the host:port of metrics and health; empty: there is none.
func (n *Node) DebugAddress() string {
	if n.debug == nil {
		return ""
	}
	return n.debug.Address()
}

// CheckIn has the node report to its satellites soon; at most once a minute.
func (n *Node) CheckIn() { n.contact.Wake() }

// report is what satellites are told.
func (n *Node) report() pieces.CheckIn {
	space := n.store.Space()
	address := n.opts.ExternalAddress
	if address == "" {
		_, port, _ := net.SplitHostPort(n.transport.Address()) // a socket has a port
		address = net.JoinHostPort("", port)
	}
	report := pieces.CheckIn{
		Address: address, Version: n.opts.Version, Domain: n.opts.Domain, Tags: n.opts.Tags,
		Capacity: space.Capacity, Used: space.Used + space.Trash + space.Garbage, Free: space.Free,
	}
	if n.gate.Full() {
		report.Free = 0 // until the month is over
	}
	for _, dir := range space.Dirs {
		if dir.Fault != "" && len(report.Faults) < pieces.MaxFaults {
			report.Faults = append(report.Faults, cut(dir.Fault, maxFault))
		}
	}
	return report
}

// maxFault bounds a fault as satellites are told it, in bytes.
const maxFault = 200

// cut shortens a text to so many bytes.
func cut(text string, limit int) string { return strings.ToValidUTF8(text[:min(len(text), limit)], "") }

// machine is what tells that the machine's addresses changed; nil for a transport that is not ours to know.
func (n *Node) machine() func() string {
	if n.opts.Transport != nil {
		return nil
	}
	return machineAddresses
}

// machineAddresses is the IP addresses of this machine, in order.
func machineAddresses() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	texts := make([]string, 0, len(addrs))
	for _, addr := range addrs {
		if ip, ok := addr.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
			texts = append(texts, ip.String())
		}
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}
