package pieces

import (
	"context"

	"storj/netx"
)

// Scrubber is a Store that looks for rot piece by piece, at a pace that the caller sets.
type Scrubber interface {
	// Scrub reads pieces, about budget bytes, from a place of an earlier step on; nil is the start of a pass. What comes or
	// goes meanwhile may or may not be looked at. One call at a time. Errors: ErrStoreClosed, the context's; a directory that
	// is not served is passed over.
	Scrub(ctx context.Context, from []byte, budget int64) (ScrubStep, error)
}

// MaxScrubPlace bounds ScrubStep.Next in bytes.
const MaxScrubPlace = 128

// ScrubStep is what one step of a scrub found.
type ScrubStep struct {
	Next    []byte // where to go on; nil: the pass is complete
	Bytes   int64  // read
	Pieces  int64  // looked at
	Damaged []DamagedPiece
}

// DamagedPiece is a piece whose bytes do not match their checksums, or cannot be read.
type DamagedPiece struct {
	Satellite netx.NodeID
	Info
}
