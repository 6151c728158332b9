package uplink

import (
	"fmt"
	"time"

	"storj/netx"
)

// Config tunes a project. The zero value works.
type Config struct {
	// Transport carries all connections. Nil, as nearly always: Open makes one over QUIC with a throw-away identity, and
	// Close ends it. One that is given may serve several projects and is not closed.
	Transport Transport

	// SegmentsPerUpload is how many segments of one upload may be in memory, being filled or sent: each up to 64 MiB. 2
	// keeps the network busy while the next segment is read.
	SegmentsPerUpload int
	// SegmentsInMemory bounds the large segments (over 4 MiB) of all uploads together; 16, about 1 GiB. An upload that
	// would exceed it waits. One goroutine that fills several uploads in turn needs at least as many.
	SegmentsInMemory int
	// RetryTimeout is how long calls to the satellite are repeated in the middle of a transfer while it does not answer;
	// 2 minutes, time enough for a restart.
	RetryTimeout time.Duration
}

// Transport is the seam for tests and for programs of this module that share one socket among their parts. Programs
// elsewhere leave it nil.
type Transport interface{ netx.Transport }

const (
	defaultSegmentsPerUpload = 2
	defaultSegmentsInMemory  = 16
	defaultRetryTimeout      = 2 * time.Minute
)

func (c Config) withDefaults() (Config, error) {
	if c.SegmentsPerUpload < 0 || c.SegmentsInMemory < 0 || c.RetryTimeout < 0 {
		return c, fmt.Errorf("%w: a setting is negative", ErrInvalid)
	}
	if c.SegmentsPerUpload == 0 {
		c.SegmentsPerUpload = defaultSegmentsPerUpload
	}
	if c.SegmentsInMemory == 0 {
		c.SegmentsInMemory = max(defaultSegmentsInMemory, c.SegmentsPerUpload)
	}
	if c.RetryTimeout == 0 {
		c.RetryTimeout = defaultRetryTimeout
	}
	return c, nil
}
