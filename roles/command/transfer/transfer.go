package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"storj/roles/command/location"
	"storj/roles/command/pace"
	"storj/roles/command/resume"
	"storj/roles/command/screen"
	"storj/roles/uplink"
)

var (
	// ErrPlace is returned for sources and a destination that do not go together.
	ErrPlace = errors.New("cannot be copied there")
	// ErrIsDirectory is returned for a directory or prefix without Recursive.
	ErrIsDirectory = errors.New("is a directory or prefix: give -r to copy what is in it")
	// ErrExists is returned with IfAbsent for a local file that is there.
	ErrExists = errors.New("file exists already")
)

// Op is what is done with an item.
type Op string

// The operations.
const (
	Upload   Op = "upload"
	Download Op = "download"
	Copy     Op = "copy"
	Move     Op = "move"
	Delete   Op = "delete" // of To; From is empty
)

// ItemError is the error of Run for a single item.
type ItemError struct {
	Item Item
	Err  error
}

// Error says what was being done.
func (e *ItemError) Error() string {
	return fmt.Sprintf("%s %s -> %s: %v", e.Item.Op, e.Item.From, e.Item.To, e.Err)
}

// Unwrap makes errors.Is match the cause.
func (e *ItemError) Unwrap() error { return e.Err }

// Item is one object or file to transfer.
type Item struct {
	Op   Op
	From location.Location
	To   location.Location
	Size int64 // bytes; -1 when not known

	MakeDirs bool // of a download: make the directory that it goes to
	// Root is the directory that is a mirror: of the deletion of a file, empty directories below it go too; a download
	// does not follow symbolic links out of it.
	Root string
}

// Result tells what became of an item.
type Result struct {
	Item
	Bytes   int64 // of content; 0 when it was skipped or failed
	Skipped bool  // IfAbsent, and it is there
	Err     error
}

// Summary counts results.
type Summary struct {
	Done, Skipped, Failed int64
	Bytes                 int64
	Hidden                int // names in listings that did not decrypt
	// Single is whether at most one item was asked for: then an error of Run is that item's, and Done was not told of it.
	Single bool
}

// Options tunes a Transfer. The zero value copies single items one after another.
type Options struct {
	Parallel  int  // items at once; at least 1. Of small ones and of those without content smallFactor times as many
	Recursive bool // directories and prefixes too
	Move      bool // delete the source; for remote places only
	DryRun    bool // tell Done of each item, and do nothing
	IfAbsent  bool // leave destinations that exist as they are

	Expires    time.Time // of uploads
	Metadata   uplink.CustomMetadata
	Tags       uplink.Tags
	Retention  uplink.Retention // of uploads and copies; zero: as the bucket has it
	LegalHold  bool
	IfRevision string // of the destination of a single upload or copy: only while it has this revision
	Range      *Range // of a single download
	Version    string // of a single remote source; empty: the latest

	// Resume keeps what an interrupted transfer needs to go on; nil: it begins anew. ResumeScope says which project the
	// remote places are of.
	Resume      *resume.Store
	ResumeScope string
	PartSize    int64 // of uploads that can be gone on with, bytes; 0: DefaultPartSize

	Stdin    io.Reader
	Stdout   io.Writer
	Limit    *pace.Limiter    // of content that is read or written; nil: none
	Progress *screen.Progress // may be nil
	// Done is told of every item that is through; not of a single item that failed: that is the error of Run.
	Done func(Result)
	Warn func(text string)
}

// Range is a part of an object, as uplink.DownloadOptions has it.
type Range struct {
	Offset, Length int64
}

// Transfer is one copy command.
type Transfer struct {
	project *uplink.Project
	opts    Options

	mu          sync.Mutex // guards the fields below, and calls of opts.Done and opts.Warn
	summary     Summary
	unavailable int // failures in a row of that kind
}

// New prepares a transfer.
func New(project *uplink.Project, opts Options) *Transfer {
	opts.Parallel = max(1, opts.Parallel)
	if opts.PartSize == 0 {
		opts.PartSize = DefaultPartSize
	}
	opts.PartSize = max(MinPartSize, opts.PartSize)
	if opts.Done == nil {
		opts.Done = func(Result) {}
	}
	if opts.Warn == nil {
		opts.Warn = func(string) {}
	}
	return &Transfer{project: project, opts: opts}
}

// Run copies sources to dest. Items that fail do not stop the others, unless nothing better can come of those: the
// satellite does not accept the access, the bucket is not there, a disk is full, nobody answers.
//
// Errors: of a single item, an *ItemError. Else ErrPlace, what stopped the transfer, or the error of ctx; items that
// failed without stopping it are only counted.
func (t *Transfer) Run(ctx context.Context, sources []location.Location, dest location.Location) (Summary, error) {
	p, err := t.newPlan(sources, dest)
	if err != nil {
		return Summary{}, err
	}
	if p.single {
		err = t.runSingle(ctx, p.run)
	} else {
		err = t.run(ctx, p.whole())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.summary, err
}

// Plan makes items, in whatever order, and hands them to emit with a nil error, or those that cannot be carried out with
// the reason. It ends with the error of emit if that returns one.
type Plan func(ctx context.Context, emit func(item Item, err error) error) error

// RunPlan is Run for items that somebody else chose.
//
// Errors: what stopped the transfer, those of the plan, or the error of ctx.
func (t *Transfer) RunPlan(ctx context.Context, plan Plan) (Summary, error) {
	err := t.run(ctx, func(ctx context.Context, out emit) error { return plan(ctx, out) })
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.summary, err
}

// done books the result of an item and returns what must stop the transfer, or nil.
func (t *Transfer) done(ctx context.Context, single bool, r Result) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opts.Progress.Finish()
	if r.Err != nil && ctx.Err() != nil {
		return context.Cause(ctx) // it did not fail: it was stopped
	}
	switch {
	case r.Err != nil && single:
		t.summary.Failed++
		return &ItemError{r.Item, r.Err}
	case r.Err != nil:
		t.summary.Failed++
	case r.Skipped:
		t.summary.Skipped++
	default:
		t.summary.Done++
		t.summary.Bytes += r.Bytes
	}
	t.opts.Progress.Around(func() { t.opts.Done(r) })
	return t.hopeless(r.Err)
}

// hopeless returns err if it will befall the other items too.
func (t *Transfer) hopeless(err error) error {
	if !errors.Is(err, uplink.ErrUnavailable) {
		t.unavailable = 0
	} else if t.unavailable++; t.unavailable > 2*t.opts.Parallel {
		return err
	}
	for _, kind := range []error{uplink.ErrAPIKeyInvalid, uplink.ErrBucketNotFound, uplink.ErrLimitExceeded, syscall.ENOSPC} {
		if errors.Is(err, kind) {
			return err
		}
	}
	return nil
}

func (t *Transfer) warn(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opts.Progress.Around(func() { t.opts.Warn(fmt.Sprintf(format, args...)) })
}
