package orderlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"storj/ecenc/wire"
	"storj/netx"
	"storj/pieces"
	"storj/roles/storagenode/durable"
)

const (
	window = time.Hour
	// patience is how long after the last limit of a window has expired its orders are ready: for downloads that had begun.
	patience = 30 * time.Minute
	// limitLife is how long limits live, which satellites of this system make; others are waited for as they say.
	limitLife = time.Hour
	// keptFor is how long settled parts stay to be looked at.
	keptFor = 7 * 24 * time.Hour
	// syncDelay is what a power cut may cost.
	syncDelay = time.Second
	// maxBytes bounds what waits for one satellite that does not answer: past it orders are dropped.
	maxBytes = 1 << 30
	// maxOpen bounds the files that are open; the one that was used least recently is closed for another.
	maxOpen = 64
)

// Options of Open; all may be zero.
type Options struct {
	Dir    string // empty: orders are kept in memory and lost with it
	NoSync bool   // do not sync: a power cut may lose more than a second
	// Used is called by Open for every limit in the log that has not expired.
	Used func(satellite netx.NodeID, serial pieces.SerialNumber)
	Now  func() time.Time
	Log  zerolog.Logger
}

// Log is the orders of a node.
type Log struct {
	opts Options
	log  zerolog.Logger
	wake chan struct{} // capacity 1: something is to be synced

	mu     sync.Mutex // guards the fields below
	parts  map[key]*part
	sealed map[key][]*part // oldest first
	sums   map[netx.NodeID]Sum
	open   []*part // with a file, the one used least recently first
	unsync map[*part]bool
	full   map[netx.NodeID]bool // it was said
	errs   int                  // of Append, since the start
}

type key struct {
	satellite netx.NodeID
	hour      int64 // since 1970
}

// part is a file, or orders in memory.
type part struct {
	satellite netx.NodeID
	hour      int64
	first     uint32 // number of its first batch
	expires   time.Time
	sum       Sum
	file      *os.File // nil: not open
	length    int64    // of the file
	memory    []byte   // records, without Options.Dir
	broken    bool     // a write failed: it is sealed with what it has
}

// Sum counts orders.
type Sum struct {
	Orders int64
	Bytes  int64 // ordered
	disk   int64
}

// Part names orders that are ready to be settled.
type Part struct {
	Satellite netx.NodeID
	Window    time.Time
	First     uint32 // batch
	Orders    int64
	Bytes     int64
}

// Batch is what one request hands in.
type Batch struct {
	Number uint32
	Orders []pieces.SettledOrder
}

// Open reads what is left from before. Errors: those of the disk.
func Open(opts Options) (*Log, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	l := &Log{
		opts: opts, log: opts.Log.With().Str("svc", "orders").Logger(), wake: make(chan struct{}, 1),
		parts: map[key]*part{}, sealed: map[key][]*part{}, sums: map[netx.NodeID]Sum{}, unsync: map[*part]bool{},
		full: map[netx.NodeID]bool{},
	}
	if opts.Dir == "" {
		return l, nil
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open orders: %w", err)
	}
	owners, err := os.ReadDir(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("open orders: %w", err)
	}
	for _, e := range owners {
		id, err := netx.ParseNodeID(e.Name())
		if err != nil || !e.IsDir() {
			continue // not ours
		}
		if err := l.openOwner(id); err != nil {
			return nil, fmt.Errorf("open orders: %w", err)
		}
	}
	return l, nil
}

func (l *Log) dirOf(satellite netx.NodeID) string {
	return filepath.Join(l.opts.Dir, satellite.String())
}

func (l *Log) path(p *part, suffix string) string {
	return filepath.Join(l.dirOf(p.satellite), p.name()+suffix)
}

func (l *Log) openOwner(satellite netx.NodeID) error {
	files, err := os.ReadDir(l.dirOf(satellite)) // in order of name, which is that of window and batch
	if err != nil {
		return err
	}
	for _, e := range files {
		found, suffix, ok := parseName(e.Name())
		if !ok || suffix == settledSuffix {
			continue
		}
		p := &found
		p.satellite = satellite
		if err := l.readPart(p, suffix); err != nil {
			return err
		}
		k := key{satellite, p.hour}
		if suffix == sealedSuffix {
			l.sealed[k] = append(l.sealed[k], p)
		} else {
			l.parts[k] = p
		}
		l.count(p, p.sum, 1)
	}
	return nil
}

// readPart counts the records of a part and cuts off a torn tail.
func (l *Log) readPart(p *part, suffix string) error {
	now := l.opts.Now()
	end, err := l.eachRecord(p, suffix, func(order *pieces.SettledOrder, limit *pieces.OrderLimit, length int64) error {
		p.note(order, limit, length)
		if l.opts.Used != nil && now.Before(limit.Expires) {
			l.opts.Used(p.satellite, limit.Serial)
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.length = end
	path := l.path(p, suffix)
	info, err := os.Stat(path)
	if err != nil || info.Size() == end {
		return err
	}
	l.log.Warn().Str("file", filepath.Base(path)).Int64("bytes", info.Size()-end).Msg("damaged end of orders cut off")
	return os.Truncate(path, end)
}

// note counts a record.
func (p *part) note(order *pieces.SettledOrder, limit *pieces.OrderLimit, length int64) {
	p.sum.Orders++
	p.sum.Bytes += order.Order.Amount
	p.sum.disk += length
	if limit.Expires.After(p.expires) {
		p.expires = limit.Expires
	}
}

// count adds a part's numbers to those of its satellite, or takes them out with sign -1. The caller holds mu.
func (l *Log) count(p *part, s Sum, sign int64) {
	sum := l.sums[p.satellite]
	sum.Orders += sign * s.Orders
	sum.Bytes += sign * s.Bytes
	sum.disk += sign * s.disk
	if sum == (Sum{}) {
		delete(l.sums, p.satellite)
	} else {
		l.sums[p.satellite] = sum
	}
}

// Append keeps the highest order of a limit. It implements that of piecenode.Ledger: there is nobody who could be told of an
// error, so that goes to the log and into Status.
func (l *Log) Append(limit *pieces.OrderLimit, signed *pieces.SignedLimit, order *pieces.Order) {
	record := pieces.SettledOrder{Limit: *signed, Order: *order}
	raw := appendRecord(make([]byte, 0, headSize+512), &record)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sums[limit.Satellite].disk+int64(len(raw)) > maxBytes {
		if !l.full[limit.Satellite] {
			l.full[limit.Satellite] = true
			l.log.Warn().Stringer("node", limit.Satellite).Msg("too many orders wait for this satellite: more are dropped")
		}
		l.errs++
		return
	}
	p, err := l.partOf(limit)
	if err == nil {
		err = l.write(p, raw)
	}
	if err != nil {
		if l.errs++; l.errs == 1 {
			l.log.Error().Err(err).Msg("order not kept")
		}
		return
	}
	before := p.sum
	p.note(&record, limit, int64(len(raw)))
	l.count(p, Sum{p.sum.Orders - before.Orders, p.sum.Bytes - before.Bytes, p.sum.disk - before.disk}, 1)
}

// partOf returns the part that takes an order, with its file open. The caller holds mu.
func (l *Log) partOf(limit *pieces.OrderLimit) (*part, error) {
	hour := limit.Created.Unix() / int64(window/time.Second)
	k := key{limit.Satellite, hour}
	p := l.parts[k]
	if p != nil && p.broken {
		l.shut(p)
		if err := l.seal(k, p); err != nil {
			return nil, err
		}
		p = nil
	}
	if p == nil {
		p = &part{satellite: limit.Satellite, hour: hour}
		for _, old := range l.sealed[k] {
			p.first = max(p.first, old.first+old.batches())
		}
		p.first = max(p.first, l.firstAfterSettled(k))
		if l.opts.Dir != "" {
			if err := os.MkdirAll(l.dirOf(p.satellite), 0o700); err != nil {
				return nil, err
			}
		}
		l.parts[k] = p
	}
	return p, l.openFile(p)
}

// batches is how many a part makes.
func (p *part) batches() uint32 {
	return uint32((p.sum.Orders + pieces.MaxSettle - 1) / pieces.MaxSettle)
}

// firstAfterSettled is the first batch number that parts of a window which are settled have left.
func (l *Log) firstAfterSettled(k key) (first uint32) {
	if l.opts.Dir == "" {
		return 0
	}
	files, err := filepath.Glob(filepath.Join(l.dirOf(k.satellite), fmt.Sprintf("%010d-*%s", k.hour, settledSuffix)))
	if err != nil {
		return 0 // the pattern is ours
	}
	for _, path := range files {
		p, _, ok := parseName(filepath.Base(path))
		if !ok {
			continue
		}
		p.satellite = k.satellite
		_, _ = l.eachRecord(&p, settledSuffix, func(order *pieces.SettledOrder, limit *pieces.OrderLimit, length int64) error {
			p.note(order, limit, length)
			return nil
		}) // best effort: a number that was taken is answered as the batch that had it
		first = max(first, p.first+p.batches())
	}
	return first
}

// openFile opens the file of a part and closes another one if there are too many. The caller holds mu.
func (l *Log) openFile(p *part) error {
	if l.opts.Dir == "" {
		return nil
	}
	if p.file != nil {
		if i := slices.Index(l.open, p); i >= 0 {
			l.open = append(slices.Delete(l.open, i, i+1), p)
		}
		return nil
	}
	path := l.path(p, openSuffix)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if p.length == 0 && !l.opts.NoSync {
		if err := durable.SyncDir(filepath.Dir(path)); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	p.file = f
	l.open = append(l.open, p)
	if len(l.open) > maxOpen {
		l.shut(l.open[0])
	}
	return nil
}

// shut syncs and closes the file of a part. The caller holds mu.
func (l *Log) shut(p *part) {
	if p.file == nil {
		return
	}
	if l.unsync[p] {
		_ = p.file.Sync() // best effort: as much as a power cut may cost
	}
	_ = p.file.Close() // best effort: it is synced
	p.file = nil
	delete(l.unsync, p)
	if i := slices.Index(l.open, p); i >= 0 {
		l.open = slices.Delete(l.open, i, i+1)
	}
}

// write appends a record to a part. After an error the part takes no more. The caller holds mu.
func (l *Log) write(p *part, raw []byte) error {
	if l.opts.Dir == "" {
		p.memory = append(p.memory, raw...)
		p.length += int64(len(raw))
		return nil
	}
	if _, err := p.file.WriteAt(raw, p.length); err != nil {
		p.broken = true
		return errors.Join(err, p.file.Truncate(p.length))
	}
	p.length += int64(len(raw))
	if l.opts.NoSync {
		return nil
	}
	l.unsync[p] = true
	select {
	case l.wake <- struct{}{}:
	default: // Run knows
	}
	return nil
}

// Run syncs what was appended within a second, until ctx ends.
func (l *Log) Run(ctx context.Context) error {
	timer := time.NewTimer(syncDelay)
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
			timer.Reset(syncDelay)
		case <-timer.C:
			l.sync()
		}
	}
}

// sync makes everything appended durable. Files stay open meanwhile: shut happens under mu, as this does, so Append waits
// for the disk once a second at most.
func (l *Log) sync() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.unsync {
		if err := p.file.Sync(); err != nil {
			p.broken = true
			l.log.Error().Err(err).Msg("orders not synced")
		}
		delete(l.unsync, p)
	}
}

// Close syncs and closes the files.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.open) > 0 {
		l.shut(l.open[0])
	}
	return nil
}

// eachRecord hands the records of a part to fn and returns where they end. Errors: fn's and those of the disk.
func (l *Log) eachRecord(p *part, suffix string,
	fn func(order *pieces.SettledOrder, limit *pieces.OrderLimit, length int64) error) (end int64, err error) {
	r, done, err := l.reader(p, suffix)
	if err != nil {
		return 0, err
	}
	defer done()
	for {
		order, length, err := readRecord(r)
		if errors.Is(err, io.EOF) || errors.Is(err, errRecord) {
			return end, nil
		}
		if err != nil {
			return end, err
		}
		var limit pieces.OrderLimit
		if wire.Unmarshal(order.Limit.Raw, &limit) != nil {
			return end, nil // as damaged as a wrong checksum
		}
		if err := fn(&order, &limit, length); err != nil {
			return end, err
		}
		end += length
	}
}
