package satellite

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/lifecycle"
	"storj/roles/satellite/accounting"
	"storj/roles/satellite/care"
	"storj/roles/satellite/events"
	"storj/roles/satellite/gc"
)

const (
	// clockPeers is how many nodes are asked for the time at most, clockTimeout how long each may take.
	clockPeers   = 32
	clockWorkers = 8
	clockTimeout = 10 * time.Second
)

// BackupOptions is where the satellite backs itself up, and how often. A zero To: nowhere.
type BackupOptions struct {
	To         string // directory
	Every      time.Duration
	Keep       int
	Passphrase func() ([]byte, error)
	Manifest   func() (care.Manifest, error)
}

// caring is what looks after the satellite itself, its garbage and its accounts.
type caring struct {
	filters  *gc.Filters
	accounts *accounting.Accounting
	clock    *care.Clock
	reviver  *care.Reviver
	schedule *care.Schedule // nil: none
}

// addCare adds the guard of the clock, what follows a restore, backups and checks, and with them garbage collection and
// accounts, which ask them.
func (s *Satellite) addCare(ctx context.Context) error {
	pool := rpc.NewPool(s.opts.Transport, rpc.PoolOptions{})
	s.group.Add("care connections", lifecycle.Closer(pool.Close))
	store := s.db.Store()
	s.clock = care.NewClock(care.ClockOptions{
		Store: store, Log: s.opts.Log, Event: func(text string) { s.events.Add(events.Clock, text) },
		Peers: func(ctx context.Context) ([]time.Duration, int) { return s.clocksOfNodes(ctx, pool) },
	})
	s.reviver = care.NewReviver(care.ReviverOptions{
		DB: s.db, Grace: s.opts.Tune.RestoreGrace, Log: s.opts.Log,
		Event: func(text string) { s.events.Add(events.Backup, text) },
		Restore: func(ctx context.Context, node netx.NodeID, since time.Time) (int64, error) {
			return s.filters.RestoreTrash(ctx, node, since)
		},
		Online: func(node netx.NodeID) bool {
			_, online, _ := s.directory.Snapshot().Node(node)
			return online
		},
	})
	if err := s.clock.Load(ctx); err != nil {
		return err
	}
	if err := s.reviver.Load(ctx); err != nil {
		return err
	}
	if err := s.addSchedule(ctx); err != nil {
		return err
	}
	s.metrics.NewGauge("storj_satellite_clock_doubted", func() float64 {
		if s.clock.MayDelete() != nil {
			return 1
		}
		return 0
	})
	s.group.Add("clock", s.clock)
	if err := s.addGC(ctx); err != nil {
		return err
	}
	s.group.Add("revive", s.reviver)
	s.addAccounting()
	server := &care.Server{
		Store: store, Clock: s.clock, Reviver: s.reviver, Schedule: s.schedule, Check: s.checkTables,
	}
	server.Register(s.server, s.opts.Identity.ID())
	return nil
}

func (s *Satellite) addSchedule(ctx context.Context) error {
	b := s.opts.Backup
	if b.To == "" {
		return nil
	}
	s.schedule = care.NewSchedule(care.ScheduleOptions{
		Store: s.db.Store(), To: b.To, Every: b.Every, Keep: b.Keep, Passphrase: b.Passphrase, Manifest: b.Manifest,
		Event: func(text string) { s.events.Add(events.Backup, text) }, Metrics: s.metrics, Log: s.opts.Log,
	})
	if err := s.schedule.Load(ctx); err != nil {
		return err
	}
	s.group.Add("backup", s.schedule)
	return nil
}

// checkTables cross-checks all tables.
func (s *Satellite) checkTables(ctx context.Context) error {
	return care.Check(ctx, s.db, map[string]care.Checker{"accounting": s.accounts.Check})
}

// clocksOfNodes asks some nodes for the time, and returns how far each clock is from ours, and how many nodes are known.
func (s *Satellite) clocksOfNodes(ctx context.Context, pool *rpc.Pool) (offsets []time.Duration, known int) {
	nodes := s.directory.Nodes()
	rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	var mu sync.Mutex // guards offsets
	var group errgroup.Group
	group.SetLimit(clockWorkers)
	for _, n := range nodes[:min(len(nodes), clockPeers)] {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, clockTimeout)
			defer cancel()
			reply := new(pieces.PingReply)
			if pool.Call(ctx, n.URL, netx.Data, pieces.MethodPing, new(pieces.Empty), reply, pieces.Errors()) == nil {
				mu.Lock()
				defer mu.Unlock()
				offsets = append(offsets, time.Until(reply.Time))
			}
			return nil
		})
	}
	_ = group.Wait() // nothing returns an error
	return offsets, len(nodes)
}

// unlessDoubted does a round of deletions for age, unless the clock is doubted: the guard has told of it.
func (s *Satellite) unlessDoubted(round func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if s.clock.MayDelete() != nil {
			return nil
		}
		return round(ctx)
	}
}

// Clock is the guard of the machine's clock.
func (s *Satellite) Clock() *care.Clock { return s.clock }
