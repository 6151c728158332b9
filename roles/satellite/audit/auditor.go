package audit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"

	"storj/ecenc"
	"storj/metainfo"
	"storj/metainfo/endpoint"
	"storj/metainfo/kv"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/netx/rpc"
	"storj/roles/satellite/placement"
	"storj/roles/satellite/reputation"
)

const (
	// DefaultPerDay is how many audits a node gets a day at least, if it has pieces: a node that has lost a tenth of them is
	// noticed within a day on average, and then looked at more closely.
	DefaultPerDay = 12
	// newFactor and watchedFactor multiply it until a node has passed newAudits, and while it is watched.
	newFactor     = 4
	newAudits     = 100
	watchedFactor = 12
	// DefaultRetry is the time between two tries of a contained piece, maxTries how many there are (row R8).
	DefaultRetry = 2 * time.Hour
	maxTries     = 3
	// maxRemoved is the most pieces of a segment that are taken out of it between two passes (row R7), which count as two
	// only if minRound lies between them: passes may be hurried.
	maxRemoved     = 6
	minRound       = time.Hour
	defaultWorkers = 2
	// maxQueue bounds the pieces that wait: those of a pass over 80,000 nodes with a failure each.
	maxQueue = 1 << 20
	// maxPause keeps the last piece of a short queue from waiting for hours.
	maxPause = time.Minute
)

// Options says what an Auditor works with. All but the numbers and hooks must be set.
type Options struct {
	DB        *metabase.DB
	Store     kv.Store
	Satellite netx.NodeID
	Secret    ecenc.Key // of which the keys of nodes are derived
	Limits    endpoint.LimitSigner
	Pool      *rpc.Pool
	Directory *placement.Directory
	Book      *reputation.Book

	Suspect func(nodes []netx.NodeID)                            // told of nodes that could not be reached; nil: nobody
	Removed func(stream metainfo.StreamID, at metainfo.Position) // told of segments that lost a piece; nil: nobody
	Event   func(text string)                                    // told what the owner would want to know; nil: nobody

	PerDay  float64       // DefaultPerDay
	Retry   time.Duration // DefaultRetry
	Workers int           // 2
	Metrics *metrics.Set
	Log     zerolog.Logger
}

// Auditor asks nodes for proofs.
type Auditor struct {
	opts   Options
	log    zerolog.Logger
	signal chan struct{} // capacity Workers: there is work

	mu       sync.Mutex // guards the fields below
	items    []item     // next first
	pause    time.Duration
	removed  map[metabase.SegmentPlace]int // pieces taken out since cleared
	cleared  time.Time
	pending  map[pieceOn]pendingRow    // as stored
	slow     map[netx.NodeID]time.Time // when a slow answer was noted
	restored map[netx.NodeID]time.Time // when a node was asked to take its trash back
}

// item is a piece to be asked for.
type item struct {
	node  netx.NodeID
	alias metainfo.NodeAlias
	pick
	tries int // of a contained piece; 0: it is not
}

// Open reads what is contained.
func Open(ctx context.Context, opts Options) (*Auditor, error) {
	if opts.PerDay == 0 {
		opts.PerDay = DefaultPerDay
	}
	if opts.Retry == 0 {
		opts.Retry = DefaultRetry
	}
	if opts.Workers == 0 {
		opts.Workers = defaultWorkers
	}
	if opts.Metrics == nil {
		opts.Metrics = metrics.NewSet()
	}
	a := &Auditor{
		opts: opts, log: opts.Log.With().Str("svc", "audit").Logger(),
		signal:  make(chan struct{}, opts.Workers),
		removed: make(map[metabase.SegmentPlace]int), slow: make(map[netx.NodeID]time.Time),
		restored: make(map[netx.NodeID]time.Time),
	}
	if err := a.loadPending(ctx); err != nil {
		return nil, fmt.Errorf("read contained pieces: %w", err)
	}
	opts.Metrics.NewGauge("storj_audit_queue_pieces", func() float64 { return float64(a.Waiting()) })
	opts.Metrics.NewGauge("storj_audit_contained_pieces", func() float64 { return float64(a.contained()) })
	return a, nil
}

// pace is how many audits a day a node is due.
func (a *Auditor) pace(id netx.NodeID) float64 {
	record := a.opts.Book.Record(id)
	switch {
	case record.Watched:
		return watchedFactor * a.opts.PerDay
	case record.Audits < newAudits:
		return newFactor * a.opts.PerDay
	}
	return a.opts.PerDay
}

// fill adds to the queue, which is to be worked on over a span of time.
func (a *Auditor) fill(items []item, over time.Duration) {
	now := time.Now()
	a.mu.Lock()
	a.items = append(a.items, items[:min(len(items), maxQueue-min(len(a.items), maxQueue))]...)
	a.pause = 0
	if len(a.items) > 0 {
		a.pause = min(over/time.Duration(len(a.items)), maxPause)
	}
	if now.Sub(a.cleared) >= minRound {
		a.cleared = now
		clear(a.removed)
	}
	a.mu.Unlock()
	a.wake()
}

func (a *Auditor) wake() {
	for range a.opts.Workers {
		select {
		case a.signal <- struct{}{}:
		default:
			return
		}
	}
}

// Waiting is the number of pieces in the queue.
func (a *Auditor) Waiting() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.items)
}

func (a *Auditor) next() (it item, pause time.Duration, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.items) == 0 {
		a.items = nil
		return item{}, 0, false
	}
	it, a.items = a.items[0], a.items[1:]
	return it, a.pause, true
}
