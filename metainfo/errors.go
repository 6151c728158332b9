package metainfo

import "storj/netx"

// The sentinels of metainfo: who may.
var (
	// ErrAPIKey is returned for an API key that is unknown, altered or revoked.
	ErrAPIKey = netx.Sentinel(netx.Unauthenticated, 200, "API key is not valid on this satellite (wrong satellite, or revoked?)")
	// ErrDenied is returned when a caveat of the API key forbids the request.
	ErrDenied = netx.Sentinel(netx.Denied, 201, "this access does not permit that")
	// ErrRateLimit is returned when a project asks too often.
	ErrRateLimit = netx.Sentinel(netx.Unavailable, 202, "too many requests for this project")
	// ErrAdmin is returned to anyone but the satellite's own identity.
	ErrAdmin = netx.Sentinel(netx.Denied, 203, "only the satellite's own identity may do that: run it on the satellite, as its user")
	// ErrNotParent is returned when an API key is to be revoked with one that it was not made from.
	ErrNotParent = netx.Sentinel(netx.Denied, 204, "only an access that another was made from can revoke it")
)

// The sentinels of metainfo: projects and buckets.
var (
	// ErrProjectNotFound is returned for a project that does not exist.
	ErrProjectNotFound = netx.Sentinel(netx.NotFound, 210, "project not found")
	// ErrProjectExists is returned for a project name that is taken.
	ErrProjectExists = netx.Sentinel(netx.Exists, 211, "project exists already")
	// ErrBucketName is returned for a name against the rules.
	ErrBucketName = netx.Sentinel(netx.Invalid, 212, "bucket name must be 3 to 63 of a-z 0-9 . - with each part starting and ending in a letter or digit, and not an IP address")
	// ErrBucketNotFound is returned for a bucket that does not exist.
	ErrBucketNotFound = netx.Sentinel(netx.NotFound, 213, "bucket not found")
	// ErrBucketExists is returned for a bucket name that is taken.
	ErrBucketExists = netx.Sentinel(netx.Exists, 214, "bucket exists already")
	// ErrBucketNotEmpty is returned when a bucket with objects is to be deleted.
	ErrBucketNotEmpty = netx.Sentinel(netx.Conflict, 215, "bucket is not empty")
	// ErrKeyNotFound is returned for an API key name that does not exist.
	ErrKeyNotFound = netx.Sentinel(netx.NotFound, 216, "API key not found")
	// ErrKeyExists is returned for an API key name that is taken in its project.
	ErrKeyExists = netx.Sentinel(netx.Exists, 217, "API key of this name exists already")
	// ErrName is returned for a project or API key name that is empty, too long or has control characters.
	ErrName = netx.Sentinel(netx.Invalid, 218, "name must be 1 to 100 printable characters")
	// ErrTooManyBuckets is returned when a project has as many buckets as it may.
	ErrTooManyBuckets = netx.Sentinel(netx.Exhausted, 219, "project has as many buckets as it may")
)

// The sentinels of metainfo: objects and segments.
var (
	// ErrObjectNotFound is returned for an object that does not exist or has expired.
	ErrObjectNotFound = netx.Sentinel(netx.NotFound, 230, "object not found")
	// ErrObjectKey is returned for a key that is empty or longer than MaxKeySize.
	ErrObjectKey = netx.Sentinel(netx.Invalid, 231, "object key is empty or too long")
	// ErrObjectExists is returned when an object must be new and is not.
	ErrObjectExists = netx.Sentinel(netx.Exists, 232, "object exists already")
	// ErrObjectChanged is returned when an object was replaced between two calls.
	ErrObjectChanged = netx.Sentinel(netx.Conflict, 233, "object was changed meanwhile")
	// ErrMetadataTooLarge is returned for custom metadata over MaxMetadataSize.
	ErrMetadataTooLarge = netx.Sentinel(netx.Invalid, 234, "custom metadata is too large")
	// ErrUpload is returned for an upload token that is altered, expired, or of an upload that has ended.
	ErrUpload = netx.Sentinel(netx.NotFound, 235, "upload not found: it has ended, was aborted or is too old")
	// ErrSegment is returned for a segment whose numbers contradict its plan.
	ErrSegment = netx.Sentinel(netx.Invalid, 236, "segment does not match its plan")
	// ErrSegmentMissing is returned when an object is committed without all its segments.
	ErrSegmentMissing = netx.Sentinel(netx.Conflict, 237, "object has missing segments")
	// ErrAcks is returned when too few valid acknowledgements came with a segment.
	ErrAcks = netx.Sentinel(netx.Invalid, 238, "too few valid node acknowledgements")
	// ErrNotEnoughNodes is returned when there are fewer nodes than a segment needs.
	ErrNotEnoughNodes = netx.Sentinel(netx.Unavailable, 239, "not enough storage nodes are online")
	// ErrRange is returned for a range that starts behind the end of the object.
	ErrRange = netx.Sentinel(netx.Invalid, 240, "range starts behind the end of the object")
	// ErrExpiry is returned for an expiry in the past.
	ErrExpiry = netx.Sentinel(netx.Invalid, 241, "expiry lies in the past")
	// ErrListLimit is returned for a malformed listing cursor or limit.
	ErrListLimit = netx.Sentinel(netx.Invalid, 242, "listing cursor or limit is not valid")
)

// The sentinels of metainfo: versions, locks, parts, settings, limits.
var (
	// ErrDeleteMarker is returned for an object whose version asked for, or latest one, says that it was deleted.
	ErrDeleteMarker = netx.Sentinel(netx.NotFound, 260, "object not found: it was deleted, older versions remain")
	// ErrLocked is returned when a version is protected by a legal hold or its retention.
	ErrLocked = netx.Sentinel(netx.Denied, 261, "object version is locked: it is under legal hold or its retention time has not passed")
	// ErrVersioning is returned for a change of versioning or lock that the bucket's other settings forbid.
	ErrVersioning = netx.Sentinel(netx.Conflict, 262, "object lock needs versioning, and neither can be taken back")
	// ErrNoLock is returned for retention or legal hold in a bucket without object lock.
	ErrNoLock = netx.Sentinel(netx.Invalid, 263, "bucket has no object lock")
	// ErrRetention is returned for a retention that lies in the past, without mode, or weaker than one that stands.
	ErrRetention = netx.Sentinel(netx.Invalid, 264, "retention is not valid")
	// ErrPart is returned for a part number out of bounds, or of a part that was not uploaded.
	ErrPart = netx.Sentinel(netx.Invalid, 265, "part number is not valid or was not uploaded")
	// ErrDocument is returned for a bucket document of unknown name or too large.
	ErrDocument = netx.Sentinel(netx.Invalid, 266, "bucket document is unknown or too large")
	// ErrLifecycle is returned for lifecycle rules that make no sense.
	ErrLifecycle = netx.Sentinel(netx.Invalid, 267, "lifecycle rule is not valid")
	// ErrDeletionNotFound is returned for a deletion that does not exist or was done long ago.
	ErrDeletionNotFound = netx.Sentinel(netx.NotFound, 268, "deletion not found")
	// ErrPlacement is returned for a placement that the satellite's owner has not defined.
	ErrPlacement = netx.Sentinel(netx.Invalid, 269, "placement is not defined on this satellite")
	// ErrStorageLimit, ErrEgressLimit and ErrObjectLimit are returned when a project has used what it may.
	ErrStorageLimit = netx.Sentinel(netx.Exhausted, 270, "project has stored as much as it may")
	ErrEgressLimit  = netx.Sentinel(netx.Exhausted, 271, "project has downloaded as much as it may this month")
	ErrObjectLimit  = netx.Sentinel(netx.Exhausted, 272, "project has as many objects as it may")
)

// The sentinels of metainfo: the database.
var (
	// ErrNewer is returned when a database was written by a later version.
	ErrNewer = netx.Sentinel(netx.Internal, 250, "database was written by a newer version of storj: update this one")
	// ErrFull is returned when the satellite's disk is full.
	ErrFull = netx.Sentinel(netx.Exhausted, 251, "the satellite's disk is full")
	// ErrConflict is returned when a transaction lost against others too often.
	ErrConflict = netx.Sentinel(netx.Unavailable, 252, "too much contention, try again")
)

// Errors lists the sentinels of metainfo.
func Errors() []*netx.Error {
	return []*netx.Error{
		ErrAPIKey, ErrDenied, ErrRateLimit, ErrAdmin, ErrNotParent,
		ErrProjectNotFound, ErrProjectExists, ErrBucketName, ErrBucketNotFound, ErrBucketExists, ErrBucketNotEmpty,
		ErrKeyNotFound, ErrKeyExists, ErrName, ErrTooManyBuckets,
		ErrObjectNotFound, ErrObjectKey, ErrObjectExists, ErrObjectChanged, ErrMetadataTooLarge, ErrUpload, ErrSegment,
		ErrSegmentMissing, ErrAcks, ErrNotEnoughNodes, ErrRange, ErrExpiry, ErrListLimit,
		ErrDeleteMarker, ErrLocked, ErrVersioning, ErrNoLock, ErrRetention, ErrPart, ErrDocument, ErrLifecycle,
		ErrDeletionNotFound, ErrPlacement, ErrStorageLimit, ErrEgressLimit, ErrObjectLimit,
		ErrNewer, ErrFull, ErrConflict,
	}
}
