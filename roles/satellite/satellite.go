package satellite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"

	"storj/ecenc"
	"storj/metainfo/endpoint"
	"storj/metainfo/kv"
	"storj/metainfo/kv/boltkv"
	"storj/metainfo/metabase"
	"storj/metainfo/metaclient"
	"storj/metainfo/rangedloop"
	"storj/netx"
	"storj/netx/rpc"
	"storj/roles/debug"
	"storj/roles/lifecycle"
	"storj/roles/satellite/admin"
	"storj/roles/satellite/audit"
	"storj/roles/satellite/durability"
	"storj/roles/satellite/events"
	"storj/roles/satellite/orders"
	"storj/roles/satellite/overlay"
	"storj/roles/satellite/placement"
	"storj/roles/satellite/repair"
	"storj/roles/satellite/reputation"
)

// secretLabel names the secret from which all others of a satellite follow.
const secretLabel = "satellite/v1"

// errOptions is returned by New when something that must be set is not.
var errOptions = errors.New("satellite needs an identity, a transport and a database")

// Satellite is a satellite.
type Satellite struct {
	opts       Options
	log        zerolog.Logger
	metrics    *metrics.Set
	db         *metabase.DB
	directory  *placement.Directory
	book       *reputation.Book
	auditor    *audit.Auditor
	events     *events.Log
	segments   *rangedloop.Loop
	passes     *lifecycle.Loop // over all segments
	hurry      chan struct{}   // capacity 1: somebody asks for a pass soon
	repair     *repair.Service
	durability *durability.Service
	overlay    *overlay.Overlay
	endpoint   *endpoint.Endpoint
	admin      *admin.Direct
	server     *rpc.Server
	debug      *debug.Server // nil: none
	group      *lifecycle.Group
	ready      chan struct{} // closed when it listens

	caring
}

// New opens the database and puts a satellite together. It starts nothing.
//
// Ownership: Transport and DB are the satellite's from here on, also when New fails for another reason than that one
// of them is missing.
func New(ctx context.Context, opts Options) (*Satellite, error) {
	if opts.Identity == nil || opts.Transport == nil || opts.DB == nil && opts.DBPath == "" {
		return nil, errOptions
	}
	opts.Tune = opts.Tune.withDefaults()
	s := &Satellite{
		opts: opts, log: opts.Log.With().Str("svc", "satellite").Logger(),
		metrics: metrics.NewSet(), group: lifecycle.NewGroup(opts.Log), ready: make(chan struct{}),
	}
	s.group.Add("transport", lifecycle.Closer(opts.Transport.Close))
	if err := s.assemble(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start satellite: %w", err), s.group.Close())
	}
	return s, nil
}

func (s *Satellite) assemble(ctx context.Context) error {
	store, err := openStore(ctx, s.opts)
	if err != nil {
		return err
	}
	s.group.Add("database", lifecycle.Closer(store.Close))
	if s.db, err = metabase.Open(ctx, store); err != nil {
		return err
	}
	if err := s.openEvents(ctx); err != nil {
		return err
	}
	secret := ecenc.Key(s.opts.Identity.Secret(secretLabel))
	signer := orders.New(orders.Options{Satellite: s.opts.Identity.ID(), Secret: secret})
	if err := s.openReputation(ctx); err != nil {
		return err
	}
	s.directory = placement.NewDirectory(placement.Options{
		MinFree: s.opts.Tune.MinFree, OfflineAfter: s.opts.Tune.OnlineWindow,
		Standing: s.book.State, Vetting: s.opts.OpenJoin,
	})
	if err := s.loadRules(ctx); err != nil {
		return err
	}
	s.overlay = overlay.New(overlay.Options{
		DB: s.db, Directory: s.directory, Keys: signer, Transport: s.opts.Transport,
		Open: s.opts.OpenJoin, Interval: s.opts.Tune.CheckInInterval, Log: s.opts.Log,
		Accept: s.opts.AcceptTags, Book: s.book, Event: func(text string) { s.events.Add(events.NodeJoined, text) },
	})
	if err := s.overlay.Load(ctx); err != nil {
		return err
	}
	s.openAccounting(signer, secret)
	s.endpoint = endpoint.New(endpoint.Options{
		DB: s.db, Secret: secret, Limits: signer, Nodes: &nodes{s},
		Rate: s.opts.RateLimit, Burst: s.opts.RateBurst, Underfull: s.underfull, Usage: s.accounts,
	})
	s.admin = admin.New(admin.Options{
		DB: s.db, Satellite: s.URL(), Profile: s.opts.Redundancy, Version: s.opts.Version,
		Live: &admin.Live{Directory: s.directory, Started: time.Now(), Revoked: s.endpoint.ForgetKeys},
	})
	s.server = rpc.NewServer(s.opts.Log, rpc.Options{Metrics: s.metrics})
	s.overlay.Register(s.server)
	metaclient.Register(s.server, s.endpoint)
	admin.Register(s.server, s.opts.Identity.ID(), s.admin)
	if err := s.addAudit(ctx, signer, secret); err != nil {
		return err
	}
	s.addMetainfo()
	if err := s.addCare(ctx); err != nil {
		return err
	}
	if err := s.addRepair(ctx, signer); err != nil {
		return err
	}
	return s.addServices()
}

func openStore(ctx context.Context, opts Options) (kv.Store, error) {
	if opts.DB != nil {
		return opts.DB, nil
	}
	return boltkv.Open(ctx, opts.DBPath, boltkv.Options{Format: metabase.Format(), NoSync: opts.Relaxed})
}

// addServices adds what runs, in the order of starting.
func (s *Satellite) addServices() error {
	s.registerMetrics()
	s.group.Add("overlay", s.overlay)
	for _, chore := range s.chores() {
		s.group.Add(chore.name, lifecycle.NewLoop(chore.name, s.opts.Tune.ChoreInterval, chore.run,
			lifecycle.LoopOptions{Log: s.opts.Log, Jitter: choreJitter}))
	}
	s.addLoop()
	if s.opts.DebugAddress != "" {
		server, err := debug.New(s.opts.Log, debug.Options{
			Address: s.opts.DebugAddress, Pprof: s.opts.Pprof,
			Metrics: append([]*metrics.Set{s.metrics}, s.opts.Metrics...),
			Checks:  map[string]debug.Check{"database": s.checkDatabase, "nodes": s.checkNodes},
		})
		if err != nil {
			return err
		}
		s.debug = server
		s.group.Add("debug", server)
	}
	s.group.Add("server", lifecycle.Func(s.serve))
	return nil
}

func (s *Satellite) serve(ctx context.Context) error {
	listener, err := s.opts.Transport.Listen()
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.log.Info().Stringer("node", s.opts.Identity.ID()).Str("address", s.URL().Address).
		Str("version", s.opts.Version).Msg("satellite started")
	close(s.ready)
	defer func() { s.log.Info().Msg("satellite stopped") }()
	return s.server.Serve(ctx, listener)
}

// Run serves until ctx ends or a service fails. It may be called once.
func (s *Satellite) Run(ctx context.Context) error { return s.group.Run(ctx) }

// Ready is closed when the satellite, once run, can be dialed.
func (s *Satellite) Ready() <-chan struct{} { return s.ready }

// Close stops Run, waits for it, and frees everything.
func (s *Satellite) Close() error { return s.group.Close() }

// URL is where nodes and uplinks find the satellite.
func (s *Satellite) URL() netx.NodeURL {
	address := s.opts.Address
	if address == "" {
		address = s.opts.Transport.Address()
	}
	return netx.NodeURL{ID: s.opts.Identity.ID(), Address: address}
}

// Admin is what the owner does, without the wire.
func (s *Satellite) Admin() admin.Admin { return s.admin }

// DebugAddress is the host:port of metrics and health; empty when there are none.
func (s *Satellite) DebugAddress() string {
	if s.debug == nil {
		return ""
	}
	return s.debug.Address()
}

// Directory is what is known of nodes.
func (s *Satellite) Directory() *placement.Directory { return s.directory }

// DB is the tables.
func (s *Satellite) DB() *metabase.DB { return s.db }
