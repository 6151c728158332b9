package contact

// The goroutines of a Contact: Run starts one for each satellite, which reports to it, and one that watches free space
// and addresses and wakes the others. Run waits for all of them; each of the former says good-bye before it ends.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"

	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

const (
	// LowSpace is the free space in bytes, below or above which a change is reported at once: with less than one largest
	// piece a satellite passes a node over, and what is under way may take as much again.
	LowSpace = 2 * pieces.MaxPieceSize

	watchEvery    = time.Minute
	wakeEvery     = time.Minute // at most, by Wake
	minInterval   = time.Second
	maxInterval   = 24 * time.Hour
	firstRetry    = time.Second
	longestRetry  = 5 * time.Minute
	callTimeout   = 35 * time.Second // a satellite takes up to 30: it calls back
	leaveTimeout  = time.Second
	joinPatience  = 20 * time.Second // with a satellite that does not answer, while joining
	maxClockSkew  = 10 * time.Minute
	jitterPart    = 10 // an interval varies by one part of so many
	defaultPeriod = time.Hour
)

// ErrTooMany is returned for one satellite more than a node takes.
var ErrTooMany = errors.New("node has joined too many satellites")

// Options makes a Contact. Pool and Report are needed.
type Options struct {
	File     string                // list of satellites; empty: nothing is kept
	Pool     *rpc.Pool             // whose transport proves the node's identity
	Report   func() pieces.CheckIn // what to report now; Time and Leaving are filled in here
	Machine  func() string         // the machine's addresses in any form; a change is reported. Nil: not watched
	Interval time.Duration         // between reports, whatever the satellite says; 0: what it says
	Watch    time.Duration         // how often free space and addresses are looked at; 0: a minute
	Now      func() time.Time      // nil: time.Now
	Metrics  *metrics.Set          // nil: counted, but shown nowhere
	Log      zerolog.Logger
}

// Contact is a node's relation to its satellites.
type Contact struct {
	opts  Options
	log   zerolog.Logger
	count counters

	fileMu sync.Mutex // one change of the file at a time; before mu

	mu         sync.RWMutex // guards the fields below
	satellites map[netx.NodeID]*satellite
	forgotten  []netx.NodeURL // replaced as a whole
	woken      time.Time      // last wake by Wake
}

type counters struct{ reports, failures *metrics.Counter }

// New reads the list of satellites. Errors: ErrFile.
func New(opts Options) (*Contact, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Watch == 0 {
		opts.Watch = watchEvery
	}
	if opts.Metrics == nil {
		opts.Metrics = metrics.NewSet()
	}
	list, err := readList(opts.File)
	if err != nil {
		return nil, err
	}
	c := &Contact{
		opts: opts,
		log:  opts.Log.With().Str("svc", "contact").Logger(),
		count: counters{
			reports:  opts.Metrics.GetOrCreateCounter("storj_node_checkins_total"),
			failures: opts.Metrics.GetOrCreateCounter("storj_node_checkin_failures_total"),
		},
		satellites: make(map[netx.NodeID]*satellite, len(list.Satellites)), forgotten: list.Forgotten,
	}
	for _, entry := range list.Satellites {
		c.satellites[entry.URL.ID] = newSatellite(entry)
	}
	return c, nil
}

// URL is where a satellite that the node has joined is. Errors: pieces.ErrUntrusted.
func (c *Contact) URL(id netx.NodeID) (netx.NodeURL, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s, known := c.satellites[id]
	if !known {
		return netx.NodeURL{}, pieces.ErrUntrusted
	}
	return s.entry.URL, nil
}

// Count is the number of satellites.
func (c *Contact) Count() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.satellites)
}

// NodeKeys implements piecenode.Keyring. Errors: pieces.ErrUntrusted, pieces.ErrNotReady. The keys are read only.
func (c *Contact) NodeKeys(id netx.NodeID) ([]pieces.NodeKey, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s, known := c.satellites[id]
	switch {
	case !known:
		return nil, pieces.ErrUntrusted
	case len(s.keys) == 0:
		return nil, pieces.ErrNotReady
	}
	return s.keys, nil
}

// Run reports until ctx ends.
func (c *Contact) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	for _, s := range c.list() {
		running.Go(func() { c.runSatellite(ctx, s) })
	}
	c.runWatch(ctx)
	return nil
}

// Close does nothing: the pool is the caller's.
func (c *Contact) Close() error { return nil }

// Wake has every satellite told the state of the node soon; more often than once a minute it does nothing.
func (c *Contact) Wake() {
	now := c.opts.Now()
	c.mu.Lock()
	tooSoon := !c.woken.IsZero() && now.Sub(c.woken) < wakeEvery
	if !tooSoon {
		c.woken = now
	}
	c.mu.Unlock()
	if !tooSoon {
		c.wakeAll()
	}
}

func (c *Contact) wakeAll() {
	for _, s := range c.list() {
		select {
		case s.wake <- struct{}{}:
		default: // it is to wake up already
		}
	}
}

// list returns the satellites in order of joining.
func (c *Contact) list() []*satellite {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.SortedFunc(maps.Values(c.satellites), func(a, b *satellite) int {
		if n := a.entry.Joined.Compare(b.entry.Joined); n != 0 {
			return n
		}
		return slices.Compare(a.id[:], b.id[:])
	})
}

// runWatch wakes the satellites' goroutines when what they reported has changed much.
func (c *Contact) runWatch(ctx context.Context) {
	ticker := time.NewTicker(c.opts.Watch)
	defer ticker.Stop()
	low, machine := c.opts.Report().Free < LowSpace, c.machine()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		nowLow, nowMachine := c.opts.Report().Free < LowSpace, c.machine()
		if nowLow != low {
			c.log.Info().Bool("low", nowLow).Msg("free space crossed the low mark")
		}
		if nowMachine != machine {
			c.log.Info().Msg("addresses of this machine changed")
		}
		if nowLow != low || nowMachine != machine {
			c.wakeAll()
		}
		low, machine = nowLow, nowMachine
	}
}

func (c *Contact) machine() string {
	if c.opts.Machine == nil {
		return ""
	}
	return c.opts.Machine()
}

// save writes the list with one entry added or replaced, and then takes it over. One that was forgotten is served again.
// Errors: ErrTooMany.
func (c *Contact) save(entry fileEntry) error {
	c.fileMu.Lock()
	defer c.fileMu.Unlock()
	list := c.fileWithout(entry.URL.ID)
	list.Satellites = append(list.Satellites, entry)
	if len(list.Satellites) > maxSatellites {
		return fmt.Errorf("%w: %d", ErrTooMany, maxSatellites)
	}
	if err := writeList(c.opts.File, list); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgotten = list.Forgotten
	if s, known := c.satellites[entry.URL.ID]; known {
		s.entry = entry
	} else {
		c.satellites[entry.URL.ID] = newSatellite(entry)
	}
	return nil
}

// fileWithout is the list as it stands, without one satellite.
func (c *Contact) fileWithout(id netx.NodeID) fileList {
	all := c.list()
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := fileList{Satellites: make([]fileEntry, 0, len(all)+1)}
	for _, s := range all {
		if s.id != id {
			list.Satellites = append(list.Satellites, s.entry)
		}
	}
	for _, other := range c.forgotten {
		if other.ID != id {
			list.Forgotten = append(list.Forgotten, other)
		}
	}
	return list
}
