package logstore

import (
	"time"

	"github.com/rs/zerolog"
)

// Limits of a store. Sizes are in bytes.
const (
	maxLogSize = 1 << 30 // a log that reaches it is sealed
	maxJournal = 16 << 20
	// smallPiece is the largest piece that shares its sync with others: it fits one write and a buffer per upload.
	smallPiece = 128 << 10
	// batchBytes bounds one group commit.
	batchBytes = 4 << 20
	// flushEntries is how many changes of the index wait at most before somebody flushes; four times as many make
	// commits wait. An entry waits in about 150 bytes of memory.
	flushEntries = 8192
	// flushDelay is how long a change waits at most while Run runs: what a crash makes Open read again.
	flushDelay = 5 * time.Second
	// watchInterval is how often Run looks at markers and disks.
	watchInterval = time.Minute
	// defaultIORate leaves most of a disk of a NAS, which moves 100 MB/s and more, to those who wait for it.
	defaultIORate = 32 << 20
	// firstRetry and lastRetry are how long after it was given up a directory is tried again, doubling.
	firstRetry = time.Minute
	lastRetry  = time.Hour
	// freshFor is how long an answer of the disk about marker and free space is believed.
	freshFor = time.Second
	// maxLeases bounds the logs that large uploads write at the same time; more uploads wait.
	maxLeases = 256
	// maxIdleHandles bounds the open files of logs that nobody uses just now.
	maxIdleHandles = 128
	// faultAfter is how many writes in a row must fail before a directory is given up.
	faultAfter = 3
	// dropSize is how large an unsealed log must be to be unlinked when nothing in it lives any more.
	dropSize = 1 << 20
	// maxReserve and reservePart give the default of Options.Reserve.
	maxReserve  = 5 << 30
	reservePart = 100
)

// Dir is one directory of a store, best a disk of its own.
type Dir struct {
	Path     string
	Capacity int64 // bytes that the store may take in it; 0: all that the disk has beyond the reserve
}

// Options of Open; all but Dirs may be zero.
type Options struct {
	Dirs    []Dir
	Reserve int64 // bytes that each disk keeps free; 0: the smaller of 5 GiB and 1 % of the disk; below 0: nothing
	// NoSync lets Commit return before the disk has the bytes; Run syncs every second. A power cut then loses up to
	// the last second of acknowledged pieces, which an audit may punish. A crash of the process alone loses nothing.
	NoSync bool
	// Setup sets up directories without a marker when they are empty. For tests and throw-away networks: where a disk
	// may fail to be mounted, call Setup once by hand instead.
	Setup bool
	// AllowFaulty opens a store although some of its directories do not; their pieces answer ErrDisk.
	AllowFaulty bool
	// CompactBelow is the share of a sealed log, live and trash, below which Run rewrites it; 0: a half; below 0: never.
	CompactBelow float64
	// IORate bounds what compaction reads and writes in the background, in bytes a second; 0: 32 MiB/s; below 0: no bound.
	IORate int64
	// CheckRate bounds what Check reads, in bytes a second; 0: no bound.
	CheckRate int64
	Log       zerolog.Logger
	FS        FS               // nil: the real disk
	Now       func() time.Time // nil: time.Now

	logSize   int64 // tests: bytes at which a log is sealed; 0: maxLogSize
	fastIndex bool  // tests: the index is not synced
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = osFS{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CompactBelow == 0 {
		o.CompactBelow = 0.5
	}
	if o.IORate == 0 {
		o.IORate = defaultIORate
	}
	if o.logSize == 0 {
		o.logSize = maxLogSize
	}
	o.Log = o.Log.With().Str("svc", "logstore").Logger()
	return o
}
