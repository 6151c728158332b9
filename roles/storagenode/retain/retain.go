package retain

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"

	"storj/netx"
	"storj/pieces"
	"storj/pieces/filter"
	"storj/roles/storagenode/durable"
)

const (
	filterSuffix = ".filter"
	partSuffix   = ".part"
	// trashBatch is how many pieces go to the trash with one journal record.
	trashBatch = 1000
	// maxFuture is how far ahead of this clock the date of a filter may be.
	maxFuture = time.Hour
	// maxWaiting bounds the filters that wait in memory when there is no Dir.
	maxWaiting = 16
)

// errStopped ends the application of a filter that has been overtaken.
var errStopped = errors.New("filter was withdrawn")

// Options of New; Store is needed.
type Options struct {
	Dir     string // empty: filters wait in memory
	Store   pieces.Store
	Now     func() time.Time
	Metrics *metrics.Set
	Log     zerolog.Logger
}

// Collector takes filters and applies them.
type Collector struct {
	opts    Options
	log     zerolog.Logger
	wake    chan struct{} // capacity 1
	trashed *metrics.Counter
	bytes   *metrics.Counter

	// fileMu is held while a batch goes to the trash, or a filter is put in place or withdrawn: one at a time. Before mu.
	fileMu sync.Mutex

	mu      sync.Mutex // guards the fields below
	waiting map[netx.NodeID]waiting
	memory  map[netx.NodeID][]byte // without Dir: encoded filters
	busy    map[netx.NodeID]bool   // a filter is being received
	running netx.NodeID            // zero: none
	stop    context.CancelCauseFunc
	rounds  uint64
	last    map[netx.NodeID]Result
}

type waiting struct {
	created time.Time
	round   uint64 // tells a filter from the one that replaced it
}

// Result is what the last filter of a satellite did.
type Result struct {
	Satellite netx.NodeID
	Waiting   bool      // a filter is still to be applied
	Running   bool      // one is being applied
	Created   time.Time // date of the last one that was applied; zero: none since the start
	Applied   time.Time
	Checked   int64 // pieces
	Trashed   int64 // pieces
	Bytes     int64 // of those
}

// New looks for filters that wait. Errors: those of the disk.
func New(opts Options) (*Collector, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Metrics == nil {
		opts.Metrics = metrics.NewSet()
	}
	c := &Collector{
		opts: opts, log: opts.Log.With().Str("svc", "retain").Logger(), wake: make(chan struct{}, 1),
		trashed: opts.Metrics.GetOrCreateCounter("storj_node_garbage_pieces_total"),
		bytes:   opts.Metrics.GetOrCreateCounter("storj_node_garbage_bytes_total"),
		waiting: map[netx.NodeID]waiting{}, memory: map[netx.NodeID][]byte{}, busy: map[netx.NodeID]bool{},
		last: map[netx.NodeID]Result{},
	}
	if opts.Dir == "" {
		return c, nil
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open garbage filters: %w", err)
	}
	entries, err := os.ReadDir(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("open garbage filters: %w", err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), partSuffix) {
			_ = os.Remove(filepath.Join(opts.Dir, e.Name())) // best effort: the next one overwrites it
		}
		name, isFilter := strings.CutSuffix(e.Name(), filterSuffix)
		if id, err := netx.ParseNodeID(name); isFilter && err == nil {
			c.rounds++
			c.waiting[id] = waiting{round: c.rounds}
		}
	}
	c.poke()
	return c, nil
}

func (c *Collector) poke() {
	select {
	case c.wake <- struct{}{}:
	default: // Run knows
	}
}

func (c *Collector) path(satellite netx.NodeID, suffix string) string {
	return filepath.Join(c.opts.Dir, satellite.String()+suffix)
}

// Retain implements piecenode.Collector. A filter older than the one that waits is read and dropped. Errors:
// pieces.ErrMalformed, netx.ErrBusy while another filter of the satellite is being received.
func (c *Collector) Retain(ctx context.Context, satellite netx.NodeID, header *pieces.RetainHeader, bits io.Reader) error {
	if header.Created.After(c.opts.Now().Add(maxFuture)) {
		return fmt.Errorf("%w: garbage filter from the future", pieces.ErrMalformed)
	}
	if err := c.begin(satellite); err != nil {
		return err
	}
	defer c.end(satellite)
	raw, err := c.receive(satellite, header, bits)
	if err != nil {
		return fmt.Errorf("receive garbage filter: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.fileMu.Lock()
	defer c.fileMu.Unlock()
	if c.overtaken(satellite, header.Created) {
		return nil
	}
	if err := c.keep(satellite, raw); err != nil {
		return fmt.Errorf("keep garbage filter: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rounds++
	c.waiting[satellite] = waiting{header.Created, c.rounds}
	c.poke()
	return nil
}

// overtaken says whether a newer filter waits or was applied.
func (c *Collector) overtaken(satellite netx.NodeID, created time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting[satellite].created.After(created) || c.last[satellite].Created.After(created)
}

func (c *Collector) begin(satellite netx.NodeID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[satellite] {
		return netx.ErrBusy
	}
	c.busy[satellite] = true
	return nil
}

func (c *Collector) end(satellite netx.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.busy, satellite)
}

// keep makes the filter that was received the one that waits. The caller holds fileMu.
func (c *Collector) keep(satellite netx.NodeID, raw []byte) error {
	if c.opts.Dir == "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, known := c.memory[satellite]; !known && len(c.memory) >= maxWaiting {
			return netx.ErrBusy
		}
		c.memory[satellite] = raw
		return nil
	}
	if err := os.Rename(c.path(satellite, partSuffix), c.path(satellite, filterSuffix)); err != nil {
		return err
	}
	return durable.SyncDir(c.opts.Dir)
}

// receive writes a filter to its file as it comes, or returns it when there is no Dir.
func (c *Collector) receive(satellite netx.NodeID, header *pieces.RetainHeader, bits io.Reader) (raw []byte, err error) {
	head := filter.AppendHeader(nil, header)
	if c.opts.Dir == "" {
		raw = append(make([]byte, 0, int64(len(head))+header.Size+4), head...)
		raw = raw[:int64(len(head))+header.Size]
		if _, err := io.ReadFull(bits, raw[len(head):]); err != nil {
			return nil, short(err)
		}
		return binary.BigEndian.AppendUint32(raw, filter.Checksum(0, raw)), nil
	}
	f, err := os.OpenFile(c.path(satellite, partSuffix), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := &summer{w: f}
	if _, err := sum.Write(head); err != nil {
		return nil, err
	}
	if n, err := io.CopyBuffer(sum, io.LimitReader(bits, header.Size), make([]byte, 64<<10)); err != nil || n != header.Size {
		return nil, short(errors.Join(err, io.ErrUnexpectedEOF))
	}
	if _, err := f.Write(binary.BigEndian.AppendUint32(nil, sum.sum)); err != nil {
		return nil, err
	}
	return nil, f.Sync()
}

// short gives a stream that ended early its sentinel.
func short(err error) error {
	if code, _ := netx.Classify(err); code == netx.Internal || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", pieces.ErrMalformed, err)
	}
	return err
}

// summer adds up the checksum of what goes through it.
type summer struct {
	w   io.Writer
	sum uint32
}

// Write passes p on.
func (s *summer) Write(p []byte) (int, error) {
	s.sum = filter.Checksum(s.sum, p)
	return s.w.Write(p)
}

// Restore implements piecenode.Collector.
func (c *Collector) Restore(ctx context.Context, satellite netx.NodeID, since time.Time) (int64, error) {
	if err := c.Drop(satellite); err != nil {
		return 0, err
	}
	count, err := c.opts.Store.Restore(ctx, satellite, since)
	if err != nil {
		return count, fmt.Errorf("restore trash of %s: %w", satellite, err)
	}
	c.log.Info().Stringer("node", satellite).Int64("pieces", count).Msg("trash restored")
	return count, nil
}

// Drop forgets the filter of a satellite that waits, and stops the one that is being applied before it returns.
func (c *Collector) Drop(satellite netx.NodeID) error {
	c.fileMu.Lock()
	defer c.fileMu.Unlock()
	c.mu.Lock()
	if c.running == satellite && c.stop != nil {
		c.stop(errStopped) // it takes fileMu for each batch: none comes after this
		c.running = netx.NodeID{}
	}
	c.mu.Unlock()
	return c.remove(satellite)
}

// remove removes the filter of a satellite. The caller holds fileMu.
func (c *Collector) remove(satellite netx.NodeID) error {
	c.mu.Lock()
	delete(c.waiting, satellite)
	delete(c.memory, satellite)
	c.mu.Unlock()
	if c.opts.Dir == "" {
		return nil
	}
	if err := os.Remove(c.path(satellite, filterSuffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove garbage filter: %w", err)
	}
	return nil
}

// Status describes every satellite that has sent a filter since the start, or whose filter waits.
func (c *Collector) Status() map[netx.NodeID]Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[netx.NodeID]Result, len(c.last))
	for id, r := range c.last {
		all[id] = r
	}
	for id := range c.waiting {
		r := all[id]
		r.Satellite, r.Waiting, r.Running = id, c.running != id, c.running == id
		all[id] = r
	}
	return all
}

// Close does nothing: what waits is on disk.
func (c *Collector) Close() error { return nil }
