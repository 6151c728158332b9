package accounting

import (
	"context"
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
)

const (
	// DefaultInterval is how often buckets are tallied. Source: the existing system.
	DefaultInterval = time.Hour
	// MaxGap is the most time that one tally counts for.
	MaxGap = 6 * time.Hour
	// Retention is how long rows of days are kept.
	Retention = 400 * 24 * time.Hour
	// flushAfter is when counters are written that Allocated has changed: so much is lost by a crash.
	flushAfter = time.Minute
	// maxCounters bounds the buckets whose counters wait to be written; beyond it Allocated drops what it is told.
	maxCounters = 100_000
	// rowsAtOnce is how many rows one transaction changes.
	rowsAtOnce = 1000
)

// Options says what to count with. A zero field is its default.
type Options struct {
	DB        *metabase.DB
	Satellite netx.NodeID
	Secret    ecenc.Key // node keys follow from it
	OpenTag   func(tag []byte) (project metainfo.ProjectID, bucket string, err error)

	// MayDelete says why old rows must not be deleted now, such as a clock that jumped; nil: nothing speaks against it.
	MayDelete func() error
	Interval  time.Duration
	Metrics   *metrics.Set
	Log       zerolog.Logger
}

// Accounting counts.
type Accounting struct {
	opts                       Options
	log                        zerolog.Logger
	settled, rejected, dropped *metrics.Counter
	wake                       chan struct{} // capacity 1: counters have changed

	mu       sync.Mutex // guards the fields below
	counters map[bucketDay]*bucketRow
	totals   totals
}

// totals are those of the last tally, for metrics.
type totals struct{ bytes, objects, segments int64 }

// New returns an accounting.
func New(opts Options) *Accounting {
	if opts.Interval == 0 {
		opts.Interval = DefaultInterval
	}
	if opts.Metrics == nil {
		opts.Metrics = metrics.NewSet()
	}
	a := &Accounting{
		opts: opts, log: opts.Log.With().Str("svc", "accounting").Logger(),
		settled:  opts.Metrics.NewCounter("storj_accounting_settled_bytes_total"),
		rejected: opts.Metrics.NewCounter("storj_accounting_rejected_orders_total"),
		dropped:  opts.Metrics.NewCounter("storj_accounting_dropped_bytes_total"),
		wake:     make(chan struct{}, 1), counters: make(map[bucketDay]*bucketRow),
	}
	gauge := func(name string, value func(totals) int64) {
		opts.Metrics.NewGauge(name, func() float64 {
			a.mu.Lock()
			defer a.mu.Unlock()
			return float64(value(a.totals))
		})
	}
	gauge("storj_accounting_stored_bytes", func(t totals) int64 { return t.bytes })
	gauge("storj_accounting_objects", func(t totals) int64 { return t.objects })
	gauge("storj_accounting_segments", func(t totals) int64 { return t.segments })
	return a
}

var _ endpoint.Usage = (*Accounting)(nil)

// Allocated counts what was handed out. It does not block; what it is told within the last minute before a crash is lost.
// A download without limits is of inline segments: its bytes were in the answer.
func (a *Accounting) Allocated(al endpoint.Allocation) {
	var more bucketRow
	switch {
	case al.Action.IsPut():
		more = bucketRow{uploadLimits: al.Limits, uploaded: al.Useful}
	case al.Limits == 0:
		more = bucketRow{inline: al.Useful}
	default:
		more = bucketRow{asked: al.Useful, allocated: al.Limits}
	}
	key := bucketDay{dayOf(time.Now()), bucketKey{al.Project, al.Bucket}}
	a.mu.Lock()
	row := a.counters[key]
	if row == nil && len(a.counters) < maxCounters {
		row = new(bucketRow)
		a.counters[key] = row
	}
	if row != nil {
		row.add(&more)
	}
	a.mu.Unlock()
	if row == nil {
		a.dropped.AddInt64(al.Useful)
	}
	select {
	case a.wake <- struct{}{}:
	default: // it is awake
	}
}

// Run tallies buckets and writes counters until ctx ends, and then what is left.
func (a *Accounting) Run(ctx context.Context) error {
	tally := time.NewTimer(a.opts.Interval)
	defer tally.Stop()
	var flush <-chan time.Time // nil: nothing is to be written
	for {
		wake := a.wake
		if flush != nil {
			wake = nil
		}
		select {
		case <-ctx.Done():
			return a.flush(context.WithoutCancel(ctx))
		case <-wake:
			flush = time.After(flushAfter)
		case <-flush:
			flush = nil
			a.note(a.flush(ctx), "usage not written")
		case <-tally.C:
			a.note(a.TallyBuckets(ctx), "tally failed")
			if a.opts.MayDelete == nil || a.opts.MayDelete() == nil {
				a.note(a.prune(ctx), "old usage not deleted")
			}
			tally.Reset(a.opts.Interval)
		}
	}
}

// Close does nothing: the database is the satellite's.
func (a *Accounting) Close() error { return nil }

func (a *Accounting) note(err error, what string) {
	if err != nil {
		a.log.Warn().Err(err).Msg(what)
	}
}

// flush writes the counters; those that could not be written are kept.
func (a *Accounting) flush(ctx context.Context) error {
	a.mu.Lock()
	counters := a.counters
	a.counters = make(map[bucketDay]*bucketRow)
	a.mu.Unlock()
	for len(counters) > 0 {
		some := take(counters, rowsAtOnce)
		err := a.opts.DB.Store().Update(ctx, func(tx kv.Tx) error {
			for key, row := range some {
				if err := addRow(tx, bucketDays(), key, row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			a.keep(some)
			a.keep(counters)
			return err
		}
	}
	return nil
}

func (a *Accounting) keep(counters map[bucketDay]*bucketRow) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, row := range counters {
		if newer := a.counters[key]; newer != nil {
			newer.add(row)
		} else {
			a.counters[key] = row
		}
	}
}

// take moves up to count entries out of a map.
func take[K comparable, V any](from map[K]V, count int) map[K]V {
	some := make(map[K]V, min(count, len(from)))
	for key, value := range from {
		if len(some) == count {
			break
		}
		some[key] = value
		delete(from, key)
	}
	return some
}
