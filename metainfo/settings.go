package metainfo

import (
	"bytes"
	"slices"
	"time"

	"storj/ecenc/wire"
)

// BucketChange says which settings an UpdateBucketRequest is about.
type BucketChange uint32

// The settings; their bits are stable.
const (
	ChangeVersioning BucketChange = 1 << iota
	ChangeLock
	ChangeRetention
	ChangeTTL
	ChangePlacement
)

// UpdateBucketRequest changes settings of a bucket.
type UpdateBucketRequest struct {
	Auth       Auth
	Name       string
	Change     BucketChange
	Versioning Versioning // VersioningEnabled or VersioningSuspended
	Lock       bool       // true: it is for good
	Retention  DefaultRetention
	TTL        time.Duration
	Placement  uint32
}

// Fields codes the request for wire.
func (r *UpdateBucketRequest) Fields(c *wire.Codec) {
	change, ttl := uint32(r.Change), int64(r.TTL)
	c.Message(1, &r.Auth)
	c.String(2, &r.Name, maxName)
	c.Uint32(3, &change)
	codeVersioning(c, 4, &r.Versioning)
	c.Bool(5, &r.Lock)
	c.Message(6, &r.Retention)
	c.Int(7, &ttl)
	c.Uint32(8, &r.Placement)
	r.Change, r.TTL = BucketChange(change), time.Duration(ttl)
}

func codeVersioning(c *wire.Codec, num int, v *Versioning) {
	n := uint32(*v)
	c.Uint32(num, &n)
	if n > uint32(VersioningSuspended) {
		c.Fail()
	}
	*v = Versioning(n)
}

// Documents that are kept with a bucket for who serves it: the satellite does not look into them.
const (
	DocumentTags          = "tags"
	DocumentCORS          = "cors"
	DocumentPolicy        = "policy"
	DocumentWebsite       = "website"
	DocumentNotifications = "notifications"
	DocumentLifecycle     = "lifecycle" // the text that the rules were made from
	DocumentACL           = "acl"
	DocumentLogging       = "logging"
	DocumentEncryption    = "encryption"

	// MaxDocument is the largest document in bytes.
	MaxDocument = 128 << 10
)

// Documents lists the names of documents.
func Documents() []string {
	return []string{
		DocumentTags, DocumentCORS, DocumentPolicy, DocumentWebsite, DocumentNotifications, DocumentLifecycle, DocumentACL,
		DocumentLogging, DocumentEncryption,
	}
}

// CheckDocument applies the rules of documents. Errors: ErrDocument.
func CheckDocument(name string, data []byte) error {
	if !slices.Contains(Documents(), name) || len(data) > MaxDocument {
		return ErrDocument
	}
	return nil
}

// BucketDocumentRequest names a document of a bucket.
type BucketDocumentRequest struct {
	Auth   Auth
	Bucket string
	Name   string
}

// Fields codes the request for wire.
func (r *BucketDocumentRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	c.String(3, &r.Name, maxName)
}

// BucketDocument is a document of a bucket.
type BucketDocument struct {
	Data    []byte
	Changed time.Time // zero: it was never put
}

// Fields codes the document for wire.
func (d *BucketDocument) Fields(c *wire.Codec) {
	c.Bytes(1, &d.Data, MaxDocument)
	c.Time(2, &d.Changed)
}

// PutBucketDocumentRequest keeps a document.
type PutBucketDocumentRequest struct {
	Auth   Auth
	Bucket string
	Name   string
	Data   []byte
}

// Fields codes the request for wire.
func (r *PutBucketDocumentRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	c.String(3, &r.Name, maxName)
	c.Bytes(4, &r.Data, MaxDocument)
}

// MaxRules is the most lifecycle rules of a bucket.
const MaxRules = 100

// LifecycleRule has the satellite delete what its conditions name. Ages are whole days after the time of writing, as in
// S3; a zero field does nothing.
type LifecycleRule struct {
	ID                string
	Disabled          bool
	Prefix            []byte // encrypted, whole components: empty or ending in '/'
	MinSize           int64  // of objects larger than this, bytes
	MaxSize           int64  // of objects smaller than this; 0: any
	ExpireDays        uint32 // current versions: delete, or in a versioned bucket add a delete marker
	ExpireAt          time.Time
	ExpireMarkers     bool   // delete markers that no older version is left under
	NoncurrentDays    uint32 // versions that stopped being the latest this many days ago
	NoncurrentKeep    uint32 // but keep this many of them
	AbortUploadsAfter uint32 // days after an upload in parts was begun
}

// Validate says whether the rule makes sense. Errors: ErrLifecycle.
func (r *LifecycleRule) Validate() error {
	const maxDays = 36500
	actions := r.ExpireDays > 0 || !r.ExpireAt.IsZero() || r.ExpireMarkers || r.NoncurrentDays > 0 || r.NoncurrentKeep > 0 ||
		r.AbortUploadsAfter > 0
	whole := len(r.Prefix) == 0 || bytes.HasSuffix(r.Prefix, []byte("/"))
	days := max(r.ExpireDays, r.NoncurrentDays, r.AbortUploadsAfter) <= maxDays
	sizes := r.MinSize >= 0 && r.MaxSize >= 0 && (r.MaxSize == 0 || r.MaxSize > r.MinSize)
	keep := r.NoncurrentKeep == 0 || r.NoncurrentDays > 0
	if !actions || !whole || !days || !sizes || !keep || r.ExpireDays > 0 && !r.ExpireAt.IsZero() ||
		len(r.ID) > 255 || len(r.Prefix) > MaxKeySize {
		return ErrLifecycle
	}
	return nil
}

// Fields codes the rule for wire.
func (r *LifecycleRule) Fields(c *wire.Codec) {
	c.String(1, &r.ID, 255)
	c.Bool(2, &r.Disabled)
	c.Bytes(3, &r.Prefix, MaxKeySize)
	c.Int(4, &r.MinSize)
	c.Int(5, &r.MaxSize)
	c.Uint32(6, &r.ExpireDays)
	c.Time(7, &r.ExpireAt)
	c.Bool(8, &r.ExpireMarkers)
	c.Uint32(9, &r.NoncurrentDays)
	c.Uint32(10, &r.NoncurrentKeep)
	c.Uint32(11, &r.AbortUploadsAfter)
}

// Lifecycle is the rules of a bucket.
type Lifecycle struct {
	Rules []LifecycleRule
}

// Fields codes the rules for wire.
func (l *Lifecycle) Fields(c *wire.Codec) { wire.Repeated(c, 1, &l.Rules, MaxRules) }

// PutLifecycleRequest replaces the rules of a bucket.
type PutLifecycleRequest struct {
	Auth      Auth
	Bucket    string
	Lifecycle Lifecycle
}

// Fields codes the request for wire.
func (r *PutLifecycleRequest) Fields(c *wire.Codec) {
	c.Message(1, &r.Auth)
	c.String(2, &r.Bucket, maxName)
	c.Message(3, &r.Lifecycle)
}
