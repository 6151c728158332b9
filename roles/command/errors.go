package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"storj/config"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/netx/identity"
	"storj/pieces"
	"storj/pieces/segmentio"
	"storj/roles/command/accesses"
	"storj/roles/command/location"
	"storj/roles/command/screen"
	"storj/roles/command/transfer"
	"storj/roles/satellite/care"
	"storj/roles/satellite/placement"
	"storj/roles/storagenode"
	"storj/roles/uplink"
)

// The exit statuses. Scripts rely on them: the numbers never change.
const (
	exitOK          = 0
	exitGeneral     = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitDenied      = 4
	exitExists      = 5
	exitUnavailable = 6
	exitCorrupt     = 7
	exitPartial     = 8
	exitInterrupted = 130 // 128 + SIGINT, as shells have it
)

// exitCode is a line of `storj help exit-codes`.
type exitCode struct {
	status  int
	meaning string
}

func exitCodes() []exitCode {
	return []exitCode{
		{exitOK, "done"},
		{exitGeneral, "failed for another reason than these"},
		{exitUsage, "the command line, a setting or an argument is wrong"},
		{exitNotFound, "the bucket, object, file, project, key or access does not exist"},
		{exitDenied, "not allowed: the access, API key or file permissions do not permit it"},
		{exitExists, "it exists already, is not empty, or was changed by somebody else meanwhile"},
		{exitUnavailable, "satellite or too many nodes do not answer, a limit is reached, or no space is left"},
		{exitCorrupt, "data is damaged, or the passphrase is not the one that it was stored with"},
		{exitPartial, "some of several items failed, the others are done"},
		{exitInterrupted, "interrupted (Ctrl-C)"},
	}
}

// usageError is a command line that makes no sense.
type usageError string

func (e usageError) Error() string { return string(e) }

// isUsage says whether an error is that of the command line or of an argument.
func isUsage(err error) bool {
	status, _ := judge(err)
	return status == exitUsage
}

func usageErrorf(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// hintError is an error with advice of its own.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return explain(e.err) }

func (e *hintError) Unwrap() error { return e.err }

// errMissing is returned for what is not there and is neither object nor file.
var errMissing = errors.New("not found")

// atError is an error about a place, which is shown in front of it.
type atError struct {
	place string
	err   error
}

// at returns err as an error about a place, or nil.
func at(place fmt.Stringer, err error) error {
	if err == nil {
		return nil
	}
	return &atError{screen.Printable(place.String()), err}
}

func (e *atError) Error() string { return e.place + ": " + explain(e.err) }

func (e *atError) Unwrap() error { return e.err }

// explain returns the text of an error as people see it: without the way that it came where its kind says it all.
func explain(err error) string {
	switch e := err.(type) { // the outermost alone: what wraps these says more
	case *atError, *partialError, *hiddenError, *hintError, usageError:
		return e.Error()
	case *transfer.ItemError:
		return fmt.Sprintf("%s %s: %s", e.Item.Op, screen.Printable(itemPlaces(e.Item)), explainItem(e))
	case *fs.PathError:
		return e.Path + ": " + e.Err.Error()
	case interface{ Unwrap() []error }: // of errors.Join
		if list := e.Unwrap(); len(list) == 1 {
			return explain(list[0])
		}
	}
	if cause, ok := errors.AsType[*segmentio.TooFewError](err); ok {
		return cause.Error()
	}
	if cause, ok := errors.AsType[*netx.Error](err); ok && errors.Is(err, uplink.ErrUnavailable) {
		return uplink.ErrUnavailable.Error() + ": " + cause.Error()
	}
	for _, v := range verdicts() {
		if v.plain && errors.Is(err, v.kind) {
			return v.kind.Error()
		}
	}
	return err.Error()
}

// explainItem does not name the file again that the item names.
func explainItem(e *transfer.ItemError) string {
	if path, ok := e.Err.(*fs.PathError); ok && path.Path == e.Item.From.Path {
		return path.Err.Error()
	}
	return explain(e.Err)
}

func itemPlaces(i transfer.Item) string {
	switch {
	case i.Op == transfer.Delete:
		return i.To.String()
	case i.To.String() == "" || i.To.Std:
		return i.From.String()
	}
	return i.From.String() + " -> " + i.To.String()
}

// partialError says that some of several items failed; each was reported when it did.
type partialError struct {
	failed, of int64
	noun       string
	status     int // of the items, when all failed in the same way; else exitPartial
}

func (e *partialError) Error() string {
	return fmt.Sprintf("%d of %s failed", e.failed, screen.Plural(e.of, e.noun))
}

// hiddenError says that names do not decrypt.
type hiddenError struct{ hidden int }

func (e *hiddenError) Error() string {
	return screen.Plural(int64(e.hidden), "name") + " could not be decrypted, and nothing else is there"
}

func (e *hiddenError) Is(target error) bool { return target == uplink.ErrWrongPassphrase }

// verdict is what a person and a script are told of a kind of error.
type verdict struct {
	kind   error
	status int
	hint   string // what to do; may be empty
	plain  bool   // the text of kind says it all: where the error came from is of no interest
}

const tooFewHint = "Nodes are away: `storj satellite nodes` on the satellite shows which."

// verdicts is the table from kinds of errors to what is told of them. The first match wins.
func verdicts() []verdict {
	return []verdict{
		{context.Canceled, exitInterrupted, "", false},
		{transfer.ErrPlace, exitUsage, "", false},
		{transfer.ErrIsDirectory, exitUsage, "", false},
		{transfer.ErrExists, exitExists, "", false},
		{location.ErrSyntax, exitUsage, "Write sj://BUCKET/KEY for what is stored, a path for local files, - for standard input or output.", false},
		{config.ErrConfig, exitUsage, "", false},
		{config.ErrValue, exitUsage, "", false},
		{config.ErrNoHome, exitUsage, "", false},
		{accesses.ErrNone, exitNotFound, "Make one with `storj access create`, import one with `storj access import NAME FILE`, or try everything on this machine with `storj up`.", false},
		{accesses.ErrNotFound, exitNotFound, "`storj access list` shows the saved ones.", false},
		{accesses.ErrExists, exitExists, "Give --force to replace it, or choose another --name.", false},
		{accesses.ErrName, exitUsage, "", false},
		{storagenode.ErrNotRunning, exitUnavailable, "`storj node run` starts it.", false},
		{storagenode.ErrNoSatellite, exitUsage, "", false},
		{kv.ErrLocked, exitUnavailable, "Another process has it open; end that first.", false},
		{placement.ErrProfile, exitUsage, "", false},
		{identity.ErrExposed, exitDenied, "", false},
		{metainfo.ErrProjectNotFound, exitNotFound, "`storj satellite project ls` shows the projects.", true},
		{metainfo.ErrKeyNotFound, exitNotFound, "`storj satellite key ls` shows the keys.", true},
		{uplink.ErrAccessInvalid, exitDenied, "Copy the whole text again; `storj access inspect` tells what is in a grant.", false},
		{uplink.ErrAPIKeyInvalid, exitDenied, "The API key was revoked or is of another satellite. The satellite's owner makes a new one: `storj satellite key create`.", true},
		{metainfo.ErrNotParent, exitDenied, "Choose the access that it was made from with --access; `storj access list` shows the saved ones.", true},
		{uplink.ErrPermissionDenied, exitDenied, "`storj access inspect` shows what this access opens, `storj access list` what others there are.", true},
		{uplink.ErrWrongPassphrase, exitCorrupt, "The passphrase of this access is probably not the one that the data was stored with. `storj access list` shows the saved accesses; `storj access create` makes one with another passphrase.", true},
		{uplink.ErrCorrupt, exitCorrupt, "What is stored was altered. Try again: the nodes concerned are known now; if it stays so, restore the object from a copy.", false},
		{uplink.ErrTooManyRequests, exitUnavailable, "Try again in a minute, or lower --parallel.", true},
		{uplink.ErrLimitExceeded, exitUnavailable, "Free space or ask the satellite's owner for more.", false},
		{uplink.ErrBucketNameInvalid, exitUsage, "A bucket name is 3 to 63 lower-case letters, digits, dots and hyphens, and begins and ends with a letter or digit.", false},
		{uplink.ErrBucketNotFound, exitNotFound, "`storj ls` shows the buckets, `storj mb sj://BUCKET` makes one.", true},
		{uplink.ErrBucketExists, exitExists, "", true},
		{uplink.ErrBucketNotEmpty, exitExists, "`storj rb --force` deletes it with all that is in it.", true},
		{uplink.ErrObjectKeyInvalid, exitUsage, "", false},
		{uplink.ErrDeleteMarker, exitNotFound, "`storj versions` shows the older versions, `storj restore` brings back the newest of them.", true},
		{uplink.ErrObjectLocked, exitDenied, "`storj lock show` tells until when; --bypass-governance deletes what is locked in mode governance, if the access permits it.", true},
		{uplink.ErrObjectLockDisabled, exitUsage, "`storj bucket lock` permits it, for good.", true},
		{uplink.ErrRetentionInvalid, exitUsage, "", false},
		{uplink.ErrPartInvalid, exitUsage, "", false},
		{uplink.ErrBucketState, exitUsage, "Object lock needs versioning, and neither can be taken back; `storj bucket show` shows how it is.", false},
		{uplink.ErrLifecycleInvalid, exitUsage, "", false},
		{uplink.ErrDeletionNotFound, exitNotFound, "", true},
		{uplink.ErrObjectNotFound, exitNotFound, "`storj ls` shows what is there; for a prefix give -r.", true},
		{uplink.ErrObjectExists, exitExists, "", false},
		{uplink.ErrObjectChanged, exitExists, "Try again.", true},
		{uplink.ErrMetadataInvalid, exitUsage, "", false},
		{uplink.ErrRangeInvalid, exitUsage, "", true},
		{uplink.ErrInvalid, exitUsage, "", false},
		{pieces.ErrTooFewPieces, exitUnavailable, tooFewHint, false},
		{metainfo.ErrNotEnoughNodes, exitUnavailable, tooFewHint, false},
		{uplink.ErrUnavailable, exitUnavailable, "Is the satellite running, and its address right? `storj access inspect` shows it.", false},
		{uplink.ErrUploadLost, exitNotFound, "Start the upload again.", false},
		{uplink.ErrInternal, exitGeneral, "", false},
		{context.DeadlineExceeded, exitUnavailable, "", false},
		{errMissing, exitNotFound, "", false},
		{metainfo.ErrProjectExists, exitExists, "", true},
		{metainfo.ErrKeyExists, exitExists, "", true},
		{care.ErrArchive, exitCorrupt, "", true},
		{care.ErrNotEmpty, exitExists, "A backup is restored to a directory of its own: give another --dir.", false},
		{care.ErrPassphrase, exitUsage, "", true},
		{fs.ErrNotExist, exitNotFound, "", false},
		{fs.ErrPermission, exitDenied, "", false},
		{fs.ErrExist, exitExists, "", false},
		{syscall.ENOSPC, exitUnavailable, "The disk is full.", false},
		{location.ErrUnsafeName, exitUsage, "", false},
	}
}

// codeVerdicts is for errors of the wings that are in no list of ours: they go by their kind.
func codeVerdicts() map[netx.Code]int {
	return map[netx.Code]int{
		netx.Invalid:         exitUsage,
		netx.Unauthenticated: exitDenied,
		netx.Denied:          exitDenied,
		netx.NotFound:        exitNotFound,
		netx.Exists:          exitExists,
		netx.Exhausted:       exitUnavailable,
		netx.Conflict:        exitExists,
		netx.Unavailable:     exitUnavailable,
		netx.Corrupt:         exitCorrupt,
		netx.Cancelled:       exitInterrupted,
	}
}

// judge returns the exit status of an error and the advice for a person.
func judge(err error) (status int, hint string) {
	if err == nil {
		return exitOK, ""
	}
	if h, ok := errors.AsType[*hintError](err); ok {
		status, _ = judge(h.err)
		return status, h.hint
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage, ""
	}
	if p, ok := errors.AsType[*partialError](err); ok {
		return p.status, ""
	}
	for _, v := range verdicts() {
		if errors.Is(err, v.kind) {
			return v.status, v.hint
		}
	}
	if status, ok := codeVerdicts()[netx.CodeOf(err)]; ok {
		return status, ""
	}
	return exitGeneral, ""
}

// report tells a person of the error that ended the command, and returns the exit status.
func (a *app) report(err error) int {
	status, hint := judge(err)
	switch {
	case status == exitOK:
		return exitOK
	case status == exitInterrupted:
		a.errorLine("%s", a.errStyle.Yellow("interrupted"))
		return status
	}
	a.showError(err)
	if hint != "" {
		a.errorLine("%s %s", a.errStyle.Dim("hint:"), hint)
	}
	return status
}

// showError writes the one line that an error is.
func (a *app) showError(err error) {
	text := strings.TrimRight(explain(err), "\n")
	a.errorLine("%s %s", a.errStyle.Red("storj:"), text)
}
