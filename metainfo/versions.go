package metainfo

import (
	"math"
	"time"

	"storj/ecenc/wire"
	"storj/netx"
)

// Versions that are none. Others are numbers that grow with each write of a key: the Unix time in microseconds, or one
// more than the version before.
const (
	// LatestVersion is the newest version of an object.
	LatestVersion uint64 = 0
	// NullVersion is the version that was written while the bucket was not versioned.
	NullVersion uint64 = math.MaxUint64
)

// Versioning says what becomes of an object's old versions.
type Versioning uint8

// The states of versioning; the list is append-only.
const (
	Unversioned         Versioning = 0 // a write replaces what was there
	VersioningEnabled   Versioning = 1 // a write adds a version
	VersioningSuspended Versioning = 2 // a write replaces the null version and leaves others
)

// String names the state.
func (v Versioning) String() string {
	names := [...]string{"unversioned", "enabled", "suspended"}
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}

// RetentionMode says who may delete a version before its time.
type RetentionMode uint8

// The modes; the list is append-only.
const (
	NoRetention RetentionMode = 0
	Governance  RetentionMode = 1 // who may bypass it
	Compliance  RetentionMode = 2 // nobody
)

// String names the mode.
func (m RetentionMode) String() string {
	names := [...]string{"none", "governance", "compliance"}
	if int(m) < len(names) {
		return names[m]
	}
	return "unknown"
}

// Retention protects a version until a time. The zero Retention protects nothing.
type Retention struct {
	Mode  RetentionMode
	Until time.Time
}

// Active says whether the version is protected at now.
func (r Retention) Active(now time.Time) bool { return r.Mode != NoRetention && now.Before(r.Until) }

// Fields codes the retention for wire.
func (r *Retention) Fields(c *wire.Codec) {
	mode := uint32(r.Mode)
	c.Uint32(1, &mode)
	c.Time(2, &r.Until)
	if mode > uint32(Compliance) {
		c.Fail()
	}
	r.Mode = RetentionMode(mode)
}

// DefaultRetention is given to new versions of a bucket: Days, or Years of 365 days.
type DefaultRetention struct {
	Mode  RetentionMode
	Days  uint32
	Years uint32
}

// maxRetentionDays is the longest default retention: a hundred years, as in S3.
const maxRetentionDays = 36500

// Validate says whether the retention makes sense: none at all, or a mode and either days or years.
// Errors: ErrRetention.
func (d DefaultRetention) Validate() error {
	none := d == DefaultRetention{}
	one := (d.Days == 0) != (d.Years == 0) && d.Days <= maxRetentionDays && d.Years <= maxRetentionDays/365
	if none || one && (d.Mode == Governance || d.Mode == Compliance) {
		return nil
	}
	return ErrRetention
}

// At is the retention of a version written at a time.
func (d DefaultRetention) At(at time.Time) Retention {
	if d.Mode == NoRetention {
		return Retention{}
	}
	return Retention{Mode: d.Mode, Until: at.AddDate(0, 0, int(d.Days+365*d.Years))}
}

// Fields codes the retention for wire.
func (d *DefaultRetention) Fields(c *wire.Codec) {
	mode := uint32(d.Mode)
	c.Uint32(1, &mode)
	c.Uint32(2, &d.Days)
	c.Uint32(3, &d.Years)
	if mode > uint32(Compliance) {
		c.Fail()
	}
	d.Mode = RetentionMode(mode)
}

// SetLockRequest changes the protection of a version.
type SetLockRequest struct {
	Auth             Auth
	Bucket           string
	Key              []byte
	Version          uint64 // as of ObjectRequest
	SetRetention     bool
	Retention        Retention // zero: take it away
	SetHold          bool
	LegalHold        bool
	BypassGovernance bool
}

// Fields codes the request for wire.
func (r *SetLockRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	c.Bytes(3, &r.Key, MaxKeySize)
	c.Uint(4, &r.Version)
	c.Bool(5, &r.SetRetention)
	c.Message(6, &r.Retention)
	c.Bool(7, &r.SetHold)
	c.Bool(8, &r.LegalHold)
	c.Bool(9, &r.BypassGovernance)
}

// DeletionID names a deletion in the background. It is random.
type DeletionID [16]byte

// DeletePrefixRequest asks for the deletion of what a prefix holds.
type DeletePrefixRequest struct {
	Auth             Auth
	Bucket           string
	Prefix           []byte // encrypted, whole components: empty or ending in '/'
	AllVersions      bool   // of a versioned bucket: remove versions, not add delete markers
	BypassGovernance bool
	DropBucket       bool // delete the bucket too when it is empty then; Prefix is empty and AllVersions implied
}

// Fields codes the request for wire.
func (r *DeletePrefixRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	c.Bytes(3, &r.Prefix, MaxKeySize)
	c.Bool(4, &r.AllVersions)
	c.Bool(5, &r.BypassGovernance)
	c.Bool(6, &r.DropBucket)
}

// DeletionRequest names a deletion.
type DeletionRequest struct {
	Auth Auth
	ID   DeletionID
}

// Fields codes the request for wire.
func (r *DeletionRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.Fixed(2, r.ID[:])
}

// Deletion is a deletion in the background. Objects that are written after it was asked for stay.
type Deletion struct {
	ID      DeletionID
	Bucket  string
	Prefix  []byte // encrypted
	Created time.Time
	Objects int64 // objects or versions deleted so far
	Bytes   int64 // of them, plaintext
	Kept    int64 // that are locked
	Done    bool
	Reason  netx.Reason // of an end that is not the wanted one: the number of ErrLocked or ErrBucketNotEmpty; else 0
}

// Fields codes the deletion for wire.
func (d *Deletion) Fields(c *wire.Codec) {
	c.Fixed(1, d.ID[:])
	c.String(2, &d.Bucket, maxName)
	c.Bytes(3, &d.Prefix, MaxKeySize)
	c.Time(4, &d.Created)
	c.Int(5, &d.Objects)
	c.Int(6, &d.Bytes)
	c.Int(7, &d.Kept)
	c.Bool(8, &d.Done)
	codeReason(c, 9, &d.Reason)
}

// Limits is what a project may use. Zero: as much as there is.
type Limits struct {
	Storage  int64 // bytes of plaintext
	Egress   int64 // bytes in a calendar month, UTC
	Objects  int64
	Segments int64
	Buckets  int64 // 0: MaxBuckets
	Rate     int64 // requests in a second; 0: the satellite's setting
	Burst    int64
}

// Fields codes the limits for wire.
func (l *Limits) Fields(c *wire.Codec) {
	for i, v := range []*int64{&l.Storage, &l.Egress, &l.Objects, &l.Segments, &l.Buckets, &l.Rate, &l.Burst} {
		c.Int(i+1, v)
		if *v < 0 {
			c.Fail()
		}
	}
}

// ProjectUsageRequest asks for the usage of an API key's project.
type ProjectUsageRequest struct {
	Auth Auth
}

// Fields codes the request for wire.
func (r *ProjectUsageRequest) Fields(c *wire.Codec) { c.Message(1, &r.Auth) }

// ProjectUsage is what a project uses. Storage, objects and segments are counted from time to time, and what was
// written since is added.
type ProjectUsage struct {
	Limits   Limits
	Storage  int64 // bytes of plaintext
	Objects  int64
	Segments int64
	Buckets  int64
	Egress   int64 // bytes this month
}

// Fields codes the usage for wire.
func (u *ProjectUsage) Fields(c *wire.Codec) {
	c.Message(1, &u.Limits)
	for i, v := range []*int64{&u.Storage, &u.Objects, &u.Segments, &u.Buckets, &u.Egress} {
		c.Int(i+2, v)
	}
}

func codeReason(c *wire.Codec, num int, r *netx.Reason) {
	v := uint32(*r)
	c.Uint32(num, &v)
	*r = netx.Reason(v)
	if uint32(*r) != v {
		c.Fail()
	}
}
