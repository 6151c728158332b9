package syncer

import (
	"errors"
	"iter"
	"strings"
	"time"
)

// Entry is a file or object of a listing.
type Entry struct {
	Key      string // below the place that is listed, "/" between its parts
	Size     int64  // bytes
	Modified int64  // time of change, ns since 1970; 0: not known
	Created  int64  // when the object was stored, ns since 1970; 0: not known
	Hash     string // BLAKE3 of the content, 32 bytes; empty: not known

	// Err says that this place could not be read. With a "/" at the end of Key what lies under it is not known; with an
	// empty Key nothing more is.
	Err error
}

// when returns the best that is known of when the content was made.
func (e *Entry) when() int64 {
	if e.Modified != 0 {
		return e.Modified
	}
	return e.Created
}

// Listing yields entries in ascending order of keys. An error ends it.
type Listing = iter.Seq2[Entry, error]

// Verb is what is to be done with a key.
type Verb int

// The verbs.
const (
	Copy   Verb = iota // from source to destination
	Delete             // at the destination
	Fail               // nothing: see Source.Err
)

// Action is what is to be done with one key.
type Action struct {
	Verb   Verb
	Key    string
	Source Entry // of Copy and Fail
	Reason string
}

// Options tunes Diff. The zero value copies what differs in size or time.
type Options struct {
	Delete   bool              // what the source does not have
	Takes    func(string) bool // which keys are meant; nil: all
	SizeOnly bool              // what has the same size is the same
	Window   time.Duration     // times within it are the same: file systems keep them more or less exactly
	// Hash computes the checksum of an entry of the source or destination that lacks one, or returns an empty one if it
	// cannot be had; nil: checksums are compared where both are known.
	Hash func(e Entry, source bool) (string, error)
}

// Stats counts what Diff saw.
type Stats struct {
	Same, LeftOut, Failed int64
	Copies, Deletes       int64
	// Spared is how many entries of the destination would have been deleted if the source could have been read.
	Spared int64
}

// errOrder means that a listing is not sorted: a bug, which must not delete files.
var errOrder = errors.New("listing is not in order")

// Diff goes through both listings and calls do with what makes dest a mirror of source, in order of keys, on the
// caller's goroutine.
//
// Errors: those of do and of the listings.
func Diff(source, dest Listing, opts Options, do func(Action) error) (Stats, error) {
	d := &differ{opts: opts, do: do}
	nextSource, stopSource := iter.Pull2(source)
	defer stopSource()
	nextDest, stopDest := iter.Pull2(dest)
	defer stopDest()
	d.source.next, d.dest.next = nextSource, nextDest
	if err := errors.Join(d.advance(&d.source), d.advance(&d.dest)); err != nil {
		return d.stats, err
	}
	for d.source.ok || d.dest.ok {
		if err := d.step(); err != nil {
			return d.stats, err
		}
	}
	return d.stats, nil
}

// side is where one listing stands.
type side struct {
	next  func() (Entry, error, bool)
	entry Entry
	ok    bool
	moved bool
}

type differ struct {
	opts    Options
	do      func(Action) error
	source  side
	dest    side
	stats   Stats
	unknown string // what lies under this key in the source is not known
	blind   bool   // nothing more of the source is known
}

// advance moves a side to its next entry that is meant.
func (d *differ) advance(s *side) error {
	for {
		entry, err, ok := s.next()
		if err != nil || !ok {
			s.ok = false
			return err
		}
		if s.moved && entry.Key <= s.entry.Key && entry.Err == nil {
			return errOrder
		}
		s.entry, s.ok, s.moved = entry, true, true
		if entry.Err != nil || d.opts.Takes == nil || d.opts.Takes(entry.Key) {
			return nil
		}
		d.stats.LeftOut++
	}
}

// step deals with the smaller of the two keys, or with both if they are equal.
func (d *differ) step() error {
	source, dest := &d.source, &d.dest
	switch {
	case !source.ok || dest.ok && dest.entry.Key < source.entry.Key:
		return d.delete()
	case !dest.ok || source.entry.Key < dest.entry.Key:
		if source.entry.Err != nil {
			return d.failed()
		}
		return d.copy("new")
	case source.entry.Err != nil: // what is there stays
		return errors.Join(d.failed(), d.advance(dest))
	}
	same, reason, err := d.opts.same(source.entry, dest.entry)
	if err != nil {
		source.entry.Err = err
		return errors.Join(d.failed(), d.advance(dest))
	}
	if same {
		d.stats.Same++
		return errors.Join(d.advance(source), d.advance(dest))
	}
	return errors.Join(d.copy(reason), d.advance(dest))
}

func (d *differ) failed() error {
	entry := d.source.entry
	d.stats.Failed++
	switch {
	case entry.Key == "":
		d.blind = true
	case d.unknown != "" && strings.HasPrefix(entry.Key, d.unknown): // part of what is not known
	case strings.HasSuffix(entry.Key, "/"):
		d.unknown = entry.Key
	}
	if err := d.do(Action{Verb: Fail, Key: entry.Key, Source: entry}); err != nil {
		return err
	}
	return d.advance(&d.source)
}

func (d *differ) copy(reason string) error {
	d.stats.Copies++
	entry := d.source.entry
	if err := d.do(Action{Verb: Copy, Key: entry.Key, Source: entry, Reason: reason}); err != nil {
		return err
	}
	return d.advance(&d.source)
}

func (d *differ) delete() error {
	key := d.dest.entry.Key
	switch {
	case d.dest.entry.Err != nil: // what cannot be read is not there
	case !d.opts.Delete:
	case d.blind, d.unknown != "" && strings.HasPrefix(key, d.unknown):
		d.stats.Spared++
	default:
		d.stats.Deletes++
		if err := d.do(Action{Verb: Delete, Key: key, Reason: "not in the source"}); err != nil {
			return err
		}
	}
	return d.advance(&d.dest)
}

// same compares two entries of one key, and says how they differ.
func (o *Options) same(source, dest Entry) (same bool, reason string, err error) {
	if source.Size != dest.Size {
		return false, "size", nil
	}
	if o.SizeOnly {
		return true, "", nil
	}
	if o.Hash != nil {
		if source.Hash, err = o.hashOf(source, true, dest.Hash != ""); err != nil {
			return false, "", err
		}
		if dest.Hash, err = o.hashOf(dest, false, source.Hash != ""); err != nil {
			return false, "", err
		}
	}
	if source.Hash != "" && dest.Hash != "" {
		return source.Hash == dest.Hash, "checksum", nil
	}
	window := int64(o.Window)
	if source.Modified != 0 && dest.Modified != 0 {
		apart := source.Modified - dest.Modified
		return apart <= window && -apart <= window, "time", nil
	}
	return dest.when()+window >= source.when(), "time", nil
}

// hashOf computes a checksum when there may be another to compare it with.
func (o *Options) hashOf(e Entry, source, wanted bool) (string, error) {
	if e.Hash != "" || !wanted {
		return e.Hash, nil
	}
	return o.Hash(e, source)
}

// Peek says whether a listing has no entries, and returns it as it was. An entry with Err counts.
func Peek(list Listing) (whole Listing, empty bool) {
	next, stop := iter.Pull2(list)
	first, err, ok := next()
	if !ok {
		stop()
		return func(func(Entry, error) bool) {}, true
	}
	return func(yield func(Entry, error) bool) {
		defer stop()
		for ok {
			if !yield(first, err) {
				return
			}
			first, err, ok = next()
		}
	}, false
}
