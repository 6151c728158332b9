package repair

// The goroutines of a Service: Run starts the workers, each of which takes one task after the other from the queue, and
// the one that rebalances. Run waits for all of them.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"storj/ecenc"
	"storj/ecenc/erasure"
	"storj/metainfo"
	"storj/metainfo/endpoint"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/segmentio"
	"storj/roles/satellite/events"
)

const (
	// DefaultWorkers is how many segments are worked on at once, if memory allows.
	DefaultWorkers = 8
	// DefaultMemory bounds the bytes of pieces held by all workers: one segment of 64 MiB at 29/80 needs 181 MiB.
	DefaultMemory = 256 << 20
	// viewAge is how old what is known of the nodes may be when a segment is repaired.
	viewAge = time.Minute
	// workTimeout bounds the work on one segment. Source: the existing system's 45 minutes.
	workTimeout = 45 * time.Minute
)

// Options says what a Service works with. DB, Nodes, Signer, Pool, Pick, Redundancy and Events must be set; a zero field
// of the others is its default.
type Options struct {
	DB     *metabase.DB
	Nodes  Nodes
	Signer endpoint.LimitSigner
	Pool   *rpc.Pool
	// Pick returns up to count nodes that may take pieces, in distinct domains, none of a domain of the excluded ones.
	Pick func(placement uint32, count int, exclude []netx.NodeID) []netx.NodeURL
	// Redundancy is the scheme for a segment written now.
	Redundancy func(placement uint32) ecenc.Redundancy
	Events     *events.Log
	// Report is told what is found out about nodes; nil: nobody. It must not block.
	Report func(Finding)
	// Suspect is told of nodes that did not answer; nil: nobody. It must not block.
	Suspect func([]netx.NodeID)
	// Hurry asks for a pass soon; nil: nobody. It must not block.
	Hurry   func()
	Metrics *metrics.Set
	Log     zerolog.Logger

	Workers        int
	Memory         int64         // bytes
	BytesPerSecond int64         // read and written by repair and rebalance together; 0: no bound
	LostAfter      time.Duration // DefaultLostAfter
	QueueSize      int
	Interval       time.Duration // of the ranged loop, for estimates
	Rebalance      RebalanceOptions
}

// Service repairs segments.
type Service struct {
	opts    Options
	log     zerolog.Logger
	started time.Time
	queue   *queue
	damage  *damage
	losses  *losses
	memory  *memory
	budget  *rate.Limiter // nil: no bound
	codes   erasure.Cache
	uploads *segmentio.Client
	moved   struct{ read, written atomic.Int64 }
	tally   tally
	passes  passes
	balance *balance
	hearing hearing

	viewMu sync.Mutex // guards the fields below
	view   *View
	stale  bool // what is known of the nodes has changed since
}

// New returns a service with what its tables hold. It starts nothing.
func New(ctx context.Context, opts Options) (*Service, error) {
	if opts.Workers <= 0 {
		opts.Workers = DefaultWorkers
	}
	if opts.Memory <= 0 {
		opts.Memory = DefaultMemory
	}
	if opts.LostAfter <= 0 {
		opts.LostAfter = DefaultLostAfter
	}
	if opts.Interval <= 0 {
		opts.Interval = rangedloop.DefaultInterval
	}
	if opts.Metrics == nil {
		opts.Metrics = metrics.NewSet()
	}
	s := &Service{
		opts: opts, log: opts.Log.With().Str("svc", "repair").Logger(), started: time.Now(), queue: newQueue(opts.QueueSize),
		memory: newMemory(opts.Memory), uploads: segmentio.New(opts.Pool, segmentio.Options{}),
	}
	if opts.BytesPerSecond > 0 {
		s.budget = rate.NewLimiter(rate.Limit(opts.BytesPerSecond), chunk)
	}
	var err error
	if s.damage, err = loadDamage(ctx, opts.DB.Store()); err != nil {
		return nil, err
	}
	if s.losses, err = loadLosses(ctx, opts.DB.Store()); err != nil {
		return nil, err
	}
	if s.balance, err = loadBalance(ctx, s); err != nil {
		return nil, err
	}
	s.hearing = hearing{wasLost: s.losses.was, note: s.noteOutage}
	s.registerMetrics()
	return s, nil
}

// Checker is the observer that finds segments to be repaired.
func (s *Service) Checker() rangedloop.Observer { return &checker{s: s} }

// Rebalancer is the observer that finds segments whose scheme the network has outgrown.
func (s *Service) Rebalancer() rangedloop.Observer { return &balanceObserver{s: s} }

// Run works until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	for range s.opts.Workers {
		workers.Go(func() { s.runWorker(ctx) })
	}
	workers.Go(func() { s.balance.run(ctx) })
	return nil
}

// Close does nothing: what the service uses is not its own.
func (s *Service) Close() error { return nil }

func (s *Service) runWorker(ctx context.Context) {
	for {
		task, err := s.queue.next(ctx)
		if err != nil {
			return
		}
		at, reason, queued := task.Place, task.Reason, task.Queued
		s.tally.begin(at, reason)
		limited, cancel := context.WithTimeout(ctx, workTimeout)
		report, err := s.work(limited, at)
		cancel()
		s.settle(task, &report, err)
		s.tally.end(&report, err, queued)
		s.wholeAgain()
	}
}

// settle puts a task where its outcome sends it.
func (s *Service) settle(task *Task, report *Report, err error) {
	switch {
	case err != nil:
		s.log.Warn().Stringer("stream", task.Place.Stream).Stringer("position", task.Place.Position).
			Stringer("kind", report.Reason).Err(err).Msg("segment not repaired")
		s.queue.retry(task)
	case report.Outcome == NoNodes:
		s.queue.park(task, report.Reason)
	case report.Outcome == Waiting:
		s.queue.park(task, Irreparable)
	default:
		s.queue.done(task)
	}
}

// wholeAgain tells the end of a story: the queue has been worked off.
func (s *Service) wholeAgain() {
	busy, waiting := s.queue.load()
	if busy > 0 {
		return
	}
	done := s.tally.story()
	if done == 0 {
		return
	}
	if waiting == 0 {
		s.note(events.Repair, "repair finished: %s done, none waits", segments(done))
		return
	}
	s.note(events.Repair, "repair: %s done, %d more wait for nodes or another attempt", segments(done), waiting)
}

// enqueueDelay is how long after a segment was stored it is filled up: its object may not be committed yet, and the nodes
// that were missing may be back.
const enqueueDelay = time.Minute

func segments(n int) string {
	if n == 1 {
		return "1 segment"
	}
	return fmt.Sprintf("%d segments", n)
}

// Enqueue queues a segment that was just stored with fewer pieces than wanted. It does not block.
func (s *Service) Enqueue(at metabase.SegmentPlace) {
	now := time.Now().UTC()
	s.queue.add(Task{Place: at, Reason: Underfull, Loss: sleepRisk * sleepRisk, Queued: now, due: now.Add(enqueueDelay)})
}

// NodesLost says whether a node counts as lost now that did not in the last pass: a reason not to wait for the next.
func (s *Service) NodesLost(ctx context.Context) (bool, error) {
	view, err := s.fresh(ctx)
	if err != nil {
		return false, err
	}
	for alias, n := range view.nodes {
		if n != nil && n.State != pieces.Exited && view.conds[alias].Lost() && !s.losses.was(n.ID) {
			return true, nil
		}
	}
	return false, nil
}

// RepairNow works on one segment at once, whatever the queue says.
func (s *Service) RepairNow(ctx context.Context, at metabase.SegmentPlace) (Report, error) {
	if _, err := s.fresh(ctx); err != nil {
		return Report{}, err
	}
	s.tally.begin(at, None)
	report, err := s.work(ctx, at)
	s.tally.end(&report, err, time.Time{})
	return report, err
}

// View returns what is known of the nodes, not older than a minute.
func (s *Service) View(ctx context.Context) (*View, error) {
	s.viewMu.Lock()
	view, stale := s.view, s.stale
	s.viewMu.Unlock()
	if view != nil && !stale && time.Since(view.At) < viewAge {
		return view, nil
	}
	return s.fresh(ctx)
}

// fresh asks for the nodes again. When one may take pieces that could not before, what waited for it is tried.
func (s *Service) fresh(ctx context.Context) (*View, error) {
	s.viewMu.Lock()
	s.stale = false // what changes from here on makes the next one
	s.viewMu.Unlock()
	view, err := NewView(ctx, s.opts.Nodes, ViewOptions{
		LostAfter: s.opts.LostAfter, Since: s.started, WasLost: s.losses.was, hear: s.hearing.look,
	})
	if err != nil {
		return nil, fmt.Errorf("look at nodes: %w", err)
	}
	s.viewMu.Lock()
	old := s.view
	s.view = view
	s.viewMu.Unlock()
	if old != nil && view.helps(old) {
		s.queue.wakeParked()
	}
	return view, nil
}

// helps says whether a node is online or may take pieces now that was not or could not.
func (v *View) helps(old *View) bool {
	for alias, n := range v.nodes {
		if n == nil {
			continue
		}
		was := old.Node(metainfo.NodeAlias(alias))
		if was == nil || n.Eligible && !was.Eligible || n.Online && !was.Online {
			return true
		}
	}
	return false
}

// NodesChanged says that the state of a node has changed: the next look is a fresh one.
func (s *Service) NodesChanged() {
	s.viewMu.Lock()
	defer s.viewMu.Unlock()
	s.stale = true
}

// survival estimates with what was observed: a segment is found by the next pass, half an interval later on average, and
// then waits for its turn.
func (s *Service) survival() *Survival {
	return NewSurvival(s.losses.failures().RatePerDay, s.repairTime())
}

// repairTime is the time from the loss of a node to the repair of its segments: until it is given up, until a pass finds
// them, and until they are done.
func (s *Service) repairTime() time.Duration {
	return s.opts.LostAfter + s.opts.Interval/2 + s.tally.meanWait()
}

// Failures is what was observed of failing nodes, and RepairTime what repair took.
func (s *Service) Failures() NodeFailures { return s.losses.failures() }

// RepairTime is the time from the loss of a node to the repair of its segments.
func (s *Service) RepairTime() time.Duration { return s.repairTime() }

func (s *Service) borrow(ctx context.Context, bytes int64) (*loan, error) {
	return s.memory.borrow(ctx, bytes)
}

// spend waits until the bandwidth allows for some bytes, at most chunk.
func (s *Service) spend(ctx context.Context, bytes int) error {
	if s.budget == nil {
		return nil
	}
	return s.budget.WaitN(ctx, bytes)
}

func (s *Service) noteOutage(began bool, online, usual int) {
	if began {
		s.note(events.Repair, "%d of %d nodes are in contact: is it the satellite's own line? No node is given up for its silence for a day", online, usual)
		return
	}
	s.note(events.Repair, "%d nodes are in contact again", online)
}

func (s *Service) note(kind events.Kind, format string, args ...any) {
	s.opts.Events.Addf(kind, format, args...)
}

func (s *Service) tell(f Finding) {
	s.log.Warn().Stringer("node", f.Node).Stringer("piece", f.Piece).Str("err", f.Detail).Msg("piece is not what it should be")
	if s.opts.Report != nil {
		s.opts.Report(f)
	}
}

func (s *Service) readFailed(node netx.NodeID, err error) { s.failed(node, err, "piece not read") }
func (s *Service) sendFailed(node netx.NodeID, err error) { s.failed(node, err, "piece not stored") }

func (s *Service) failed(node netx.NodeID, err error, what string) {
	s.log.Debug().Stringer("node", node).Err(err).Msg(what)
	if s.opts.Suspect != nil && !errors.Is(err, context.Canceled) && netx.CodeOf(err) == netx.Unavailable {
		s.opts.Suspect([]netx.NodeID{node})
	}
}
