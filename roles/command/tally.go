package command

import (
	"errors"

	"storj/roles/command/screen"
	"storj/roles/uplink"
)

// tally gathers the outcomes of several items. It is not for several goroutines.
type tally struct {
	noun   string
	all    int64
	failed int64
	status int // of those that failed; exitPartial when they differ
}

func newTally(noun string) *tally { return &tally{noun: noun} }

func (t *tally) count(err error) {
	t.all++
	if err == nil {
		return
	}
	status, _ := judge(err)
	if t.failed == 0 {
		t.status = status
	} else if t.status != status {
		t.status = exitPartial
	}
	t.failed++
}

// result returns the error of the whole: that all failed, in the same way; that some did; else other.
func (t *tally) result(other error) error {
	switch {
	case t.failed == 0:
		return other
	case t.failed < t.all:
		return &partialError{t.failed, t.all, t.noun, exitPartial}
	}
	return &partialError{t.failed, t.all, t.noun, t.status}
}

// hiddenNames tells of names that did not decrypt. It returns an error when nothing else was seen.
func (a *app) hiddenNames(hidden int, seen int64) error {
	if hidden == 0 {
		return nil
	}
	if seen == 0 {
		return &hiddenError{hidden}
	}
	a.warn("%s not shown: stored with another passphrase than that of this access", screen.Plural(int64(hidden), "name"))
	return nil
}

// isNotFound says whether something is simply not there.
func isNotFound(err error) bool {
	return errors.Is(err, uplink.ErrObjectNotFound) || errors.Is(err, uplink.ErrBucketNotFound) || errors.Is(err, errMissing)
}
