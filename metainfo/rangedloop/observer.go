package rangedloop

import (
	"context"
	"time"

	"storj/metainfo"
)

// Observer looks at every segment once a pass. Its methods are called one at a time, in the order Start, Fork for each
// range, Join for each range, Finish. After an error of one of them, or of one of its Partials, the observer sits out
// the rest of that pass; the others go on.
type Observer interface {
	// Start begins a pass over the segments that exist at started or come while it runs.
	Start(ctx context.Context, started time.Time) error
	// Fork returns what looks at one range. Ranges may be walked at the same time.
	Fork(ctx context.Context) (Partial, error)
	// Join takes the result of a range that was walked to its end.
	Join(ctx context.Context, p Partial) error
	// Finish ends a pass that was complete: every range was joined and the count of segments is plausible.
	Finish(ctx context.Context) error
}

// Partial looks at the segments of one range, in order of stream and position. It is used by one goroutine.
type Partial interface {
	// Process looks at some segments. They are the loop's: they and their slices must not be kept.
	Process(ctx context.Context, segments []metainfo.Segment) error
}

// Tolerant is an Observer that can use a pass in which some rows could not be read. Of the others, Finish is not called
// after such a pass: to them a segment that is not seen may be one that does not exist.
type Tolerant interface {
	Observer
	// FinishWithout is called in place of Finish when that many rows could not be read.
	FinishWithout(ctx context.Context, unreadable int64) error
}
