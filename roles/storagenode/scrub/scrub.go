package scrub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"

	"storj/netx"
	"storj/pieces"
	"storj/roles/storagenode/durable"
)

const (
	// minStep is the least that is read at a time, if there is that much: a second of a disk's time.
	minStep = 64 << 20
	// longestWait is between two steps at most: a node of a few MiB is done in one of them.
	longestWait = 24 * time.Hour
	// retryReport is how long a report waits that was not answered.
	retryReport = 10 * time.Minute
	// rotAhead is by how much a damaged piece leaves the trash before others, which stay a week: where every node has a piece
	// of a segment, the damaged one can only be stored anew on the node that has it, once it is gone.
	rotAhead = 6 * 24 * time.Hour
	// maxDamaged bounds the pieces that wait to be reported.
	maxDamaged = 100_000

	version  = 1
	maxFile  = 32 << 20
	fileName = "scrub.json"
)

// Options of New. Store, Report and Stored are needed.
type Options struct {
	Dir    string        // empty: place and damage are kept in memory
	Store  pieces.Store  // scrubbed if it is a pieces.Scrubber
	Every  time.Duration // of a pass; 0: only what Damaged is told is reported
	Stored func() int64  // bytes that a pass reads
	// Report tells a satellite, and returns when it has answered.
	Report  func(ctx context.Context, satellite netx.NodeID, pieces []pieces.PieceID) error
	Now     func() time.Time
	Metrics *metrics.Set
	Log     zerolog.Logger
}

// Scrub goes through a store.
type Scrub struct {
	opts  Options
	log   zerolog.Logger
	store pieces.Scrubber // nil: it does not
	wake  chan struct{}   // capacity 1: there is something to report
	count counters

	mu    sync.Mutex // guards the fields below
	state state
	known map[netx.NodeID]map[pieces.PieceID]bool // those of state.damaged
}

type counters struct{ bytes, damaged, reported *metrics.Counter }

// state is the content of the file.
type state struct {
	Version int       `json:"version"`
	Started time.Time `json:"started"` // of the pass; zero: none runs
	Place   []byte    `json:"place,omitempty"`
	Bytes   int64     `json:"bytes"` // of the pass so far
	Pieces  int64     `json:"pieces"`
	Found   int64     `json:"found"`
	Last    *Pass     `json:"last,omitempty"`

	Damaged map[string][]string `json:"damaged,omitempty"`
}

// Pass is one time through everything.
type Pass struct {
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	Bytes   int64     `json:"bytes"`
	Pieces  int64     `json:"pieces"`
	Found   int64     `json:"found"` // damaged pieces
}

// New reads where the last run stopped. A file that cannot be read is set aside.
func New(opts Options) (*Scrub, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Metrics == nil {
		opts.Metrics = metrics.NewSet()
	}
	s := &Scrub{
		opts: opts, log: opts.Log.With().Str("svc", "scrub").Logger(), wake: make(chan struct{}, 1),
		known: map[netx.NodeID]map[pieces.PieceID]bool{},
		count: counters{
			bytes:    opts.Metrics.GetOrCreateCounter("storj_node_scrub_bytes_total"),
			damaged:  opts.Metrics.GetOrCreateCounter("storj_node_scrub_damaged_pieces_total"),
			reported: opts.Metrics.GetOrCreateCounter("storj_node_damage_reported_pieces_total"),
		},
	}
	if opts.Every > 0 {
		s.store, _ = opts.Store.(pieces.Scrubber)
	}
	return s, s.load()
}

func (s *Scrub) path() string {
	if s.opts.Dir == "" {
		return ""
	}
	return filepath.Join(s.opts.Dir, fileName)
}

func (s *Scrub) load() error {
	found, err := durable.Load(s.path(), &s.state, maxFile)
	if errors.Is(err, durable.ErrDamaged) || found && s.state.Version != version {
		s.state = state{}
		err = os.Rename(s.path(), s.path()+".damaged")
	}
	if err != nil {
		return fmt.Errorf("open scrub: %w", err)
	}
	s.state.Version = version
	for owner, list := range s.state.Damaged {
		satellite, err := netx.ParseNodeID(owner)
		if err != nil {
			continue
		}
		for _, text := range list {
			if id, err := pieces.ParsePieceID(text); err == nil {
				s.note(satellite, id)
			}
		}
	}
	if len(s.known) > 0 {
		s.poke()
	}
	return nil
}

func (s *Scrub) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // Run knows
	}
}

// note enters a damaged piece; it says whether that is news. The caller holds mu, or is alone.
func (s *Scrub) note(satellite netx.NodeID, id pieces.PieceID) bool {
	total := 0
	for _, ids := range s.known {
		total += len(ids)
	}
	if s.known[satellite][id] || total >= maxDamaged {
		return false
	}
	if s.known[satellite] == nil {
		s.known[satellite] = map[pieces.PieceID]bool{}
	}
	s.known[satellite][id] = true
	return true
}

// save writes the state out. The caller holds mu: it is a file of a few lines, once a step.
func (s *Scrub) save() error {
	if s.opts.Dir == "" {
		return nil
	}
	s.state.Damaged = nil
	for satellite, ids := range s.known {
		if s.state.Damaged == nil {
			s.state.Damaged = map[string][]string{}
		}
		for id := range ids {
			s.state.Damaged[satellite.String()] = append(s.state.Damaged[satellite.String()], id.String())
		}
	}
	return durable.Save(s.path(), &s.state)
}

// Damaged notes pieces that are to be reported; it returns when they are on disk.
func (s *Scrub) Damaged(satellite netx.NodeID, ids []pieces.PieceID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := 0
	for _, id := range ids {
		if s.note(satellite, id) {
			news++
		}
	}
	if news == 0 {
		return nil
	}
	s.count.damaged.Add(news)
	s.poke()
	return s.save()
}

// Drop forgets what was to be reported to a satellite.
func (s *Scrub) Drop(satellite netx.NodeID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[satellite] == nil {
		return nil
	}
	delete(s.known, satellite)
	return s.save()
}

// Status says how far a scrub is.
type Status struct {
	Every   time.Duration // 0: off
	Started time.Time     // of the pass that runs; zero: none
	Bytes   int64         // of it so far
	Pieces  int64
	Found   int64
	Last    Pass // zero: none ended yet
	Pending int  // damaged pieces that a satellite has not been told yet
}

// Status describes the scrub.
func (s *Scrub) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Status{Started: s.state.Started, Bytes: s.state.Bytes, Pieces: s.state.Pieces, Found: s.state.Found}
	if s.store != nil {
		out.Every = s.opts.Every
	}
	if s.state.Last != nil {
		out.Last = *s.state.Last
	}
	for _, ids := range s.known {
		out.Pending += len(ids)
	}
	return out
}

// Close does nothing: the state is on disk.
func (s *Scrub) Close() error { return nil }
