package uplink

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"storj/ecenc/cipher"
	"storj/ecenc/keys"
	"storj/metainfo"
	"storj/netx"
	"storj/pieces"
)

// Who may. All errors of this package are matched with errors.Is; their text is for people and may change.
var (
	// ErrAccessInvalid is returned for an access grant, satellite address or API key that cannot be read.
	ErrAccessInvalid = errors.New("not a valid access grant (mistyped or cut short?)")
	// ErrAPIKeyInvalid is returned when the satellite does not know the API key of the access, or revoked it.
	ErrAPIKeyInvalid = errors.New("the satellite does not accept this API key")
	// ErrPermissionDenied is returned when the access does not permit what was asked, or holds no key for that path.
	ErrPermissionDenied = errors.New("permission denied")
	// ErrWrongPassphrase is returned for an object whose content key does not open: it was stored with another
	// passphrase, or its record was altered. With encrypted names an object of another passphrase is usually not found at
	// all; ObjectIterator.Hidden tells.
	ErrWrongPassphrase = errors.New("object was encrypted with another passphrase")
	// ErrTooManyRequests is returned when the project asked more often than its satellite lets it, also after waiting.
	ErrTooManyRequests = errors.New("too many requests")
	// ErrLimitExceeded is returned when a quota of the project or the space of the network is used up.
	ErrLimitExceeded = errors.New("limit exceeded")
)

// Buckets.
var (
	// ErrBucketNameInvalid is returned for a name against the rules, which are those of S3.
	ErrBucketNameInvalid = errors.New("bucket name invalid")
	// ErrBucketNotFound is returned for a bucket that does not exist.
	ErrBucketNotFound = errors.New("bucket not found")
	// ErrBucketExists is returned when a new bucket's name is taken.
	ErrBucketExists = errors.New("bucket exists already")
	// ErrBucketNotEmpty is returned when a bucket with objects is deleted without them.
	ErrBucketNotEmpty = errors.New("bucket is not empty")
	// ErrBucketState is returned for a change that the bucket's other settings forbid: object lock needs versioning, and
	// neither can be taken back.
	ErrBucketState = errors.New("bucket settings do not allow that")
	// ErrLifecycleInvalid is returned for a lifecycle rule that makes no sense.
	ErrLifecycleInvalid = errors.New("lifecycle rule invalid")
	// ErrDeletionNotFound is returned for a deletion in the background that does not exist or was done long ago.
	ErrDeletionNotFound = errors.New("deletion not found")
)

// Versions, locks and parts.
var (
	// ErrDeleteMarker is returned for an object that was deleted and whose older versions remain. It is an
	// ErrObjectNotFound too.
	ErrDeleteMarker = fmt.Errorf("%w: it was deleted, older versions remain", ErrObjectNotFound)
	// ErrObjectLocked is returned when a version is protected by a legal hold or its retention.
	ErrObjectLocked = errors.New("object version is locked")
	// ErrObjectLockDisabled is returned for retention or legal hold in a bucket without object lock.
	ErrObjectLockDisabled = errors.New("bucket has no object lock")
	// ErrRetentionInvalid is returned for a retention that makes no sense, lies in the past or is weaker than one that stands.
	ErrRetentionInvalid = errors.New("retention invalid")
	// ErrPartInvalid is returned for a part number out of bounds, or of a part that was not uploaded.
	ErrPartInvalid = errors.New("part invalid")
)

// Objects.
var (
	// ErrObjectKeyInvalid is returned for a key that is empty or, when encrypted, longer than 4000 bytes.
	ErrObjectKeyInvalid = errors.New("object key invalid")
	// ErrObjectNotFound is returned for an object that does not exist or has expired.
	ErrObjectNotFound = errors.New("object not found")
	// ErrObjectExists is returned when an object was to be made only if absent, and is there.
	ErrObjectExists = errors.New("object exists already")
	// ErrObjectChanged is returned when somebody replaced an object in the middle of an operation on it.
	ErrObjectChanged = errors.New("object was changed meanwhile")
	// ErrMetadataInvalid is returned for custom metadata that is too large or not text.
	ErrMetadataInvalid = errors.New("custom metadata invalid")
	// ErrRangeInvalid is returned for a download that starts behind the end of the object.
	ErrRangeInvalid = errors.New("range starts behind the end of the object")
	// ErrInvalid is returned for other arguments that make no sense, such as an expiry in the past.
	ErrInvalid = errors.New("invalid argument")
)

// Transfers.
var (
	// ErrUploadDone is returned by an upload that was committed or aborted, or whose commit failed.
	ErrUploadDone = errors.New("upload is done")
	// ErrUploadLost is returned when the satellite does not know the upload any more: it was begun two days ago or more.
	ErrUploadLost = errors.New("upload is too old or was removed")
	// ErrCorrupt is returned when what was stored is not what was uploaded, and could not be had unaltered from other
	// nodes: an object that was tampered with, or cut short by its satellite.
	ErrCorrupt = errors.New("object is damaged or was tampered with")
	// ErrUnavailable is returned when the satellite or too many nodes do not answer, also after retries.
	ErrUnavailable = errors.New("unavailable")
	// ErrInternal is returned when the satellite reports a fault of its own, or sends what makes no sense.
	ErrInternal = errors.New("internal error")
	// ErrClosed is returned by everything on a closed project or download.
	ErrClosed = errors.New("closed")
)

// mapping is one line of the table from the errors of the wings to those of this package.
type mapping struct {
	from error
	to   error
}

// reasons returns the table of particular errors; what is not in it goes by its kind. First match wins.
func reasons() []mapping {
	return []mapping{
		{metainfo.ErrAPIKey, ErrAPIKeyInvalid},
		{metainfo.ErrDenied, ErrPermissionDenied},
		{metainfo.ErrNotParent, ErrPermissionDenied},
		{metainfo.ErrRateLimit, ErrTooManyRequests},
		{metainfo.ErrBucketName, ErrBucketNameInvalid},
		{metainfo.ErrBucketNotFound, ErrBucketNotFound},
		{metainfo.ErrBucketExists, ErrBucketExists},
		{metainfo.ErrBucketNotEmpty, ErrBucketNotEmpty},
		{metainfo.ErrTooManyBuckets, ErrLimitExceeded},
		{metainfo.ErrDeleteMarker, ErrDeleteMarker},
		{metainfo.ErrObjectNotFound, ErrObjectNotFound},
		{metainfo.ErrLocked, ErrObjectLocked},
		{metainfo.ErrVersioning, ErrBucketState},
		{metainfo.ErrNoLock, ErrObjectLockDisabled},
		{metainfo.ErrRetention, ErrRetentionInvalid},
		{metainfo.ErrPart, ErrPartInvalid},
		{metainfo.ErrDocument, ErrInvalid},
		{metainfo.ErrLifecycle, ErrLifecycleInvalid},
		{metainfo.ErrDeletionNotFound, ErrDeletionNotFound},
		{metainfo.ErrPlacement, ErrInvalid},
		{metainfo.ErrObjectKey, ErrObjectKeyInvalid},
		{metainfo.ErrObjectExists, ErrObjectExists},
		{metainfo.ErrObjectChanged, ErrObjectChanged},
		{metainfo.ErrMetadataTooLarge, ErrMetadataInvalid},
		{metainfo.ErrUpload, ErrUploadLost},
		{metainfo.ErrSegment, ErrInternal},
		{metainfo.ErrSegmentMissing, ErrInternal},
		{metainfo.ErrAcks, ErrUnavailable},
		{metainfo.ErrRange, ErrRangeInvalid},
		{metainfo.ErrExpiry, ErrInvalid},
		{metainfo.ErrListLimit, ErrInvalid},
		{pieces.ErrTooFewPieces, ErrUnavailable},
		{keys.ErrNoKey, ErrPermissionDenied},
		{keys.ErrKeyTooLong, ErrObjectKeyInvalid},
		{keys.ErrDecrypt, ErrWrongPassphrase},
		{keys.ErrSalt, ErrInternal},
		{cipher.ErrDecrypt, ErrCorrupt},
		{netx.ErrBusy, ErrUnavailable},
		{netx.ErrIdentity, ErrUnavailable},
	}
}

// kinds returns what an error goes by when the table of reasons does not have it.
func kinds() map[netx.Code]error {
	return map[netx.Code]error{
		netx.Invalid:         ErrInternal, // of a reason that this version does not know, or a protocol error
		netx.Unauthenticated: ErrAPIKeyInvalid,
		netx.Denied:          ErrPermissionDenied,
		netx.NotFound:        ErrObjectNotFound,
		netx.Exists:          ErrObjectExists,
		netx.Exhausted:       ErrLimitExceeded,
		netx.Conflict:        ErrObjectChanged,
		netx.Unavailable:     ErrUnavailable,
		netx.Corrupt:         ErrCorrupt,
		netx.Internal:        ErrInternal,
	}
}

// opError says what was being done, as what its failure counts and why it failed.
type opError struct {
	op    string
	kind  error
	cause error
}

// Error never names objects: their names are secrets of the caller. What the satellite answered is said by its sentinel
// alone: by which call it came is of no use to who reads it.
func (e *opError) Error() string {
	text, kind := plainText(e.cause), e.kind.Error()
	switch {
	case strings.HasPrefix(text, kind):
		return e.op + ": " + text
	case strings.HasSuffix(text, ": "+kind):
		text = strings.TrimSuffix(text, ": "+kind)
	}
	return e.op + ": " + kind + ": " + text
}

// firstMetainfoReason begins the reasons of the satellite's own sentinels; those below come from connections and nodes, and
// what stands around them tells which.
const firstMetainfoReason = 200

// plainText is the text of an error without the numbers of calls, which package rpc puts into it for programmers.
func plainText(err error) string {
	if answer, ok := errors.AsType[*netx.Error](err); ok && answer.Reason >= firstMetainfoReason {
		return answer.Error()
	}
	text := err.Error()
	before, call, found := strings.Cut(text, "call method ")
	if _, rest, named := strings.Cut(call, ": "); found && named {
		return before + rest
	}
	return text
}

// Unwrap makes errors.Is match both.
func (e *opError) Unwrap() []error { return []error{e.kind, e.cause} }

// wrap returns err as an error of this package, or nil. The errors of a context and those that are of this package
// already keep their kind.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*opError); ok {
		return e
	}
	return &opError{op: op, kind: kindOf(err), cause: err}
}

func kindOf(err error) error {
	for _, own := range ownErrors() {
		if errors.Is(err, own) {
			return own
		}
	}
	for _, m := range reasons() {
		if errors.Is(err, m.from) {
			return m.to
		}
	}
	if isContextError(err) {
		return contextError(err)
	}
	if kind, ok := kinds()[netx.CodeOf(err)]; ok {
		return kind
	}
	return ErrInternal
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func contextError(err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	return context.DeadlineExceeded
}

// ownErrors lists the sentinels of this package.
func ownErrors() []error {
	return []error{
		ErrDeleteMarker, ErrBucketState, ErrLifecycleInvalid, ErrDeletionNotFound, ErrObjectLocked, ErrObjectLockDisabled,
		ErrRetentionInvalid, ErrPartInvalid,
		ErrAccessInvalid, ErrAPIKeyInvalid, ErrPermissionDenied, ErrWrongPassphrase, ErrTooManyRequests, ErrLimitExceeded,
		ErrBucketNameInvalid, ErrBucketNotFound, ErrBucketExists, ErrBucketNotEmpty,
		ErrObjectKeyInvalid, ErrObjectNotFound, ErrObjectExists, ErrObjectChanged, ErrMetadataInvalid, ErrRangeInvalid,
		ErrInvalid, ErrUploadDone, ErrUploadLost, ErrCorrupt, ErrUnavailable, ErrInternal, ErrClosed,
	}
}
