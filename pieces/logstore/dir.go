package logstore

import (
	"container/list"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"storj/netx"
	"storj/pieces"
)

// key names a piece in the index.
type key struct {
	satellite netx.NodeID
	piece     pieces.PieceID
}

// change is a new state of an index entry.
type change struct {
	entry   entry
	deleted bool
}

// dir is one directory: logs, index, counters.
//
// Locks, outermost first: tendMu, mutMu, journalMu, flushMu, mu. mu is held over memory only.
type dir struct {
	path     string
	capacity int64
	reserve  int64
	noSync   bool
	logSize  int64
	fastIdx  bool
	id       storeID
	fs       FS
	now      func() time.Time
	log      zerolog.Logger
	wake     func() // tells Run that something waits for a flush
	lock     *os.File
	db       *bbolt.DB
	buffers  *buffers
	names    bucketNames
	leases   chan struct{}         // one token for each large upload that runs
	fail     func(op string) error // tests: an error of the index; nil otherwise

	tendMu sync.Mutex // one compaction at a time; before mutMu
	mutMu  sync.Mutex // one change of existing entries at a time: trash, restore, delete, move
	// journalMu is held to write while journals are replaced, and to read by who reads several of them.
	journalMu sync.RWMutex
	flushMu   sync.Mutex // one flush at a time

	mu         sync.Mutex // guards the fields below
	whole      bool       // replay has read every log: what counts as dead is dead
	logs       map[uint32]*logFile
	spare      map[class][]*logFile // unsealed logs without a lessee
	queues     map[class]*queue
	nextLog    uint32
	idleFiles  *list.List // of *logFile with refs == 0, the longest unused first
	pending    map[key]change
	flushing   map[key]change
	dirtyRows  map[uint32]bool
	dirtyUsage map[netx.NodeID]bool
	usage      map[netx.NodeID]pieces.Usage
	live       int64 // bytes of records, all logs
	trash      int64
	committed  int64 // bytes of all logs, journals too
	reserved   int64 // bytes that open writers may still commit
	diskFree   int64 // as of diskSeen, less what was written since
	diskSeen   time.Time
	markerSeen time.Time
	failures   int       // writes that failed in a row
	busy       int       // leases: writers that may touch the logs
	dropped    int       // logs unlinked since the journals were last gone through
	nextRun    uint32    // journal from which to go on with that
	fault      error     // not nil: given up
	opened     time.Time // or last tried
	retryAt    time.Time
	retryWait  time.Duration // before the next try to bring it back
	moving     bool          // being copied elsewhere: nothing is compacted
	retired    bool          // moved: readers that have a piece open may go on
	frozen     bool          // being moved: it is read, and not written to
}

func newDir(spec Dir, opts Options) *dir {
	return &dir{
		path: spec.Path, capacity: spec.Capacity, noSync: opts.NoSync, logSize: opts.logSize, fastIdx: opts.fastIndex,
		fs: opts.FS, now: opts.Now, names: newNames(),
		log:     opts.Log.With().Str("dir", spec.Path).Logger(),
		buffers: newBuffers(), leases: make(chan struct{}, maxLeases),
		logs: map[uint32]*logFile{}, spare: map[class][]*logFile{}, queues: map[class]*queue{}, nextLog: 1,
		idleFiles: list.New(), pending: map[key]change{}, dirtyRows: map[uint32]bool{},
		dirtyUsage: map[netx.NodeID]bool{}, usage: map[netx.NodeID]pieces.Usage{}, opened: opts.Now(), dropped: 1,
	}
}

// faulted returns why the directory is not served, nil if it is.
func (d *dir) faulted() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fault
}

// giveUp stops serving the directory.
func (d *dir) giveUp(err error) {
	d.mu.Lock()
	first := d.fault == nil
	if first {
		d.fault = fmt.Errorf("%w: directory %s: %w", pieces.ErrDisk, d.path, err)
		d.retryLater()
	}
	d.mu.Unlock()
	if first {
		d.log.Error().Err(err).Msg("storage directory given up until it is mended")
	}
}

// retryLater sets when the directory is tried again: later each time, unless it has served well since. The caller holds mu.
func (d *dir) retryLater() {
	now := d.now()
	if d.retryWait == 0 || now.Sub(d.opened) > lastRetry {
		d.retryWait = firstRetry
	} else {
		d.retryWait = min(2*d.retryWait, lastRetry)
	}
	d.opened = now
	d.retryAt = now.Add(d.retryWait)
}

// gone are errors after which there is no sense in trying twice more.
func gone(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EROFS, syscall.ENODEV, syscall.ENXIO} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// failed counts a failed write towards giving up and returns the error.
func (d *dir) failed(err error) error {
	if !errors.Is(err, pieces.ErrDisk) || errors.Is(err, pieces.ErrNoSpace) {
		return err
	}
	d.mu.Lock()
	d.failures++
	enough := d.failures >= faultAfter || gone(err)
	d.mu.Unlock()
	if enough {
		d.giveUp(err)
	}
	return err
}

// errFrozen is returned for writes to a directory that is being moved: for some seconds.
var errFrozen = fmt.Errorf("directory is being moved: %w", pieces.ErrDisk)

// writable says whether the directory may be written to; it looks for the marker at most once a second.
func (d *dir) writable() error {
	d.mu.Lock()
	fault, now := d.fault, d.now()
	if d.frozen && fault == nil {
		fault = errFrozen
	}
	fresh := now.Sub(d.markerSeen) < freshFor
	d.mu.Unlock()
	if fault != nil || fresh {
		return fault
	}
	return d.watch()
}

// watch looks for the marker. Without it, or with another, the directory is given up: its disk is gone.
func (d *dir) watch() error {
	now := d.now()
	err := d.checkMarker()
	if errors.Is(err, ErrNoMarker) || errors.Is(err, ErrMarker) {
		d.giveUp(err)
	} else if err != nil {
		return d.failed(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.markerSeen = now
	return d.fault
}

// refreshSpace asks the disk for its free space at most once a second.
func (d *dir) refreshSpace() error {
	now := d.now()
	d.mu.Lock()
	fresh := now.Sub(d.diskSeen) < freshFor && !d.diskSeen.IsZero()
	d.mu.Unlock()
	if fresh {
		return nil
	}
	_, free, err := d.fs.Usage(d.path)
	if err != nil {
		return d.failed(diskErr("ask for free space", err))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.diskFree, d.diskSeen = free, now
	return nil
}

// free returns the bytes that new pieces may take. The caller holds mu.
func (d *dir) free() int64 {
	if d.fault != nil || d.frozen {
		return 0
	}
	free := d.diskFree - d.reserve
	if d.capacity > 0 {
		free = min(free, d.capacity-d.committed)
	}
	return max(0, free-d.reserved)
}

// reserveBytes sets n bytes aside for a writer. Errors: ErrNoSpace.
func (d *dir) reserveBytes(n int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n > d.free() {
		return pieces.ErrNoSpace
	}
	d.reserved += n
	return nil
}

func (d *dir) isRetired() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.retired
}

func (d *dir) unreserve(n int64) {
	d.mu.Lock()
	d.reserved -= n
	d.mu.Unlock()
}

// advance notes that a log now ends at end. The caller holds mu.
func (d *dir) advance(l *logFile, end int64) {
	d.committed += end - l.committed
	d.diskFree -= end - l.committed
	l.committed = end
	l.unsynced = d.noSync
	d.dirtyRows[l.num] = true
}

// apply changes the entry of a piece and every counter with it; nil stands for absent. The caller holds mu, and for
// pieces that exist mutMu.
func (d *dir) apply(k key, old, now *entry) {
	if old != nil {
		d.count(k.satellite, *old, -1)
	}
	if now != nil {
		d.count(k.satellite, *now, 1)
		d.pending[k] = change{entry: *now}
	} else {
		d.pending[k] = change{deleted: true}
	}
	if len(d.pending) == 1 {
		d.wake()
	}
}

// count adds an entry to the counters, or takes it out with sign -1.
func (d *dir) count(satellite netx.NodeID, e entry, sign int64) {
	u, bytes := d.usage[satellite], sign*e.diskSize()
	if e.trashed != 0 {
		u.TrashPieces += sign
		u.TrashBytes += sign * int64(e.size)
		d.trash += bytes
	} else {
		u.Pieces += sign
		u.Bytes += sign * int64(e.size)
		d.live += bytes
	}
	d.dirtyUsage[satellite] = true
	if u == (pieces.Usage{}) {
		delete(d.usage, satellite)
	} else {
		d.usage[satellite] = u
	}
	if l := d.logs[e.at.log]; l != nil {
		if e.trashed != 0 {
			l.trash += bytes
		} else {
			l.live += bytes
		}
		d.dirtyRows[l.num] = true
	}
}

// status describes the directory.
func (d *dir) status() (pieces.DirStatus, pieces.Space) {
	_ = d.refreshSpace() // best effort: a fault shows in the status
	d.mu.Lock()
	defer d.mu.Unlock()
	capacity := d.capacity
	if capacity <= 0 {
		capacity = max(0, d.committed+d.diskFree-d.reserve)
	}
	status := pieces.DirStatus{Path: d.path, Capacity: capacity, Used: d.committed, Free: d.free()}
	space := pieces.Space{
		Capacity: capacity, Used: d.live, Trash: d.trash, Garbage: d.committed - d.live - d.trash, Free: status.Free,
	}
	if d.fault != nil {
		status.Fault = d.fault.Error()
		space.Capacity = 0
	}
	return status, space
}
