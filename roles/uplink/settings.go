package uplink

import (
	"context"
	"fmt"
	"time"

	"storj/ecenc/keys"
	"storj/metainfo"
)

// Versioning says what becomes of the old versions of a bucket's objects.
type Versioning int

// The states of versioning.
const (
	Unversioned         Versioning = 0 // a write replaces what was there
	VersioningEnabled   Versioning = 1 // a write adds a version
	VersioningSuspended Versioning = 2 // a write replaces the version NullVersion and leaves others
)

// String names the state: unversioned, enabled, suspended.
func (v Versioning) String() string { return metainfo.Versioning(v).String() }

// DefaultRetention is given to new versions in a bucket with object lock: Days, or Years of 365 days. The zero value is none.
type DefaultRetention struct {
	Mode  RetentionMode
	Days  int
	Years int
}

func (d DefaultRetention) record() (metainfo.DefaultRetention, error) {
	const most = 1 << 20
	if d.Days < 0 || d.Years < 0 || d.Days > most || d.Years > most || d.Mode < NoRetention || d.Mode > Compliance {
		return metainfo.DefaultRetention{}, fmt.Errorf("%w: %d days and %d years", ErrRetentionInvalid, d.Days, d.Years)
	}
	record := metainfo.DefaultRetention{Mode: metainfo.RetentionMode(d.Mode), Days: uint32(d.Days), Years: uint32(d.Years)}
	return record, record.Validate()
}

// BucketUpdate says what of a bucket is to change. Zero fields leave what is there.
type BucketUpdate struct {
	Versioning       Versioning // VersioningEnabled or VersioningSuspended
	ObjectLock       bool       // on, for good; needs VersioningEnabled
	DefaultRetention *DefaultRetention
	TTL              *time.Duration // longest life of new objects; 0: any
	Placement        *int
}

// UpdateBucket changes settings of a bucket and returns it.
//
// Errors: ErrBucketNotFound, ErrBucketState for what other settings forbid, ErrRetentionInvalid, ErrInvalid.
func (p *Project) UpdateBucket(ctx context.Context, name string, update BucketUpdate) (bucket *Bucket, err error) {
	const op = "update bucket"
	req, err := update.request()
	if err != nil {
		return nil, wrap(op, err)
	}
	err = p.do(ctx, op, func(ctx context.Context) error {
		if err := metainfo.CheckBucketName(name); err != nil {
			return err
		}
		req.Auth, req.Name = p.auth(), name
		got, err := call(ctx, p.standalone(), p.meta.UpdateBucket, req)
		if err == nil {
			bucket = p.bucket(got)
		}
		return p.found(name, err)
	})
	return bucket, err
}

func (u *BucketUpdate) request() (*metainfo.UpdateBucketRequest, error) {
	req := &metainfo.UpdateBucketRequest{}
	if u.Versioning != Unversioned {
		if u.Versioning != VersioningEnabled && u.Versioning != VersioningSuspended {
			return nil, fmt.Errorf("%w: versioning %d", ErrInvalid, u.Versioning)
		}
		req.Change |= metainfo.ChangeVersioning
		req.Versioning = metainfo.Versioning(u.Versioning)
	}
	if u.ObjectLock {
		req.Change |= metainfo.ChangeLock
		req.Lock = true
	}
	if u.DefaultRetention != nil {
		var err error
		if req.Retention, err = u.DefaultRetention.record(); err != nil {
			return nil, err
		}
		req.Change |= metainfo.ChangeRetention
	}
	if u.TTL != nil {
		if *u.TTL < 0 {
			return nil, fmt.Errorf("%w: negative life of objects", ErrInvalid)
		}
		req.Change |= metainfo.ChangeTTL
		req.TTL = *u.TTL
	}
	if u.Placement != nil {
		placement, err := placementOf(*u.Placement)
		if err != nil {
			return nil, err
		}
		req.Change |= metainfo.ChangePlacement
		req.Placement = placement
	}
	return req, nil
}

func placementOf(number int) (uint32, error) {
	if number < 0 || number > 1<<31-1 {
		return 0, fmt.Errorf("%w: placement %d", ErrInvalid, number)
	}
	return uint32(number), nil
}

// Names of the documents that can be kept with a bucket, for who serves it. The satellite does not look into them, nor are
// they encrypted.
const (
	DocumentTags          = metainfo.DocumentTags
	DocumentCORS          = metainfo.DocumentCORS
	DocumentPolicy        = metainfo.DocumentPolicy
	DocumentWebsite       = metainfo.DocumentWebsite
	DocumentNotifications = metainfo.DocumentNotifications
	DocumentLifecycle     = metainfo.DocumentLifecycle
	DocumentACL           = metainfo.DocumentACL
	DocumentLogging       = metainfo.DocumentLogging
	DocumentEncryption    = metainfo.DocumentEncryption

	// MaxDocumentSize is the largest document in bytes.
	MaxDocumentSize = metainfo.MaxDocument
)

// Document is a document kept with a bucket.
type Document struct {
	Data    []byte
	Changed time.Time // zero: there is none
}

// BucketDocument returns a document of a bucket; one that was never set is empty.
//
// Errors: ErrBucketNotFound, ErrInvalid for a name that is none of those above, ErrPermissionDenied.
func (p *Project) BucketDocument(ctx context.Context, bucket, name string) (document *Document, err error) {
	err = p.do(ctx, "bucket document", func(ctx context.Context) error {
		got, err := call(ctx, p.standalone(), p.meta.GetBucketDocument, &metainfo.BucketDocumentRequest{
			Auth: p.auth(), Bucket: bucket, Name: name,
		})
		if err == nil {
			document = &Document{Data: got.Data, Changed: got.Changed}
		}
		return p.found(bucket, err)
	})
	return document, err
}

// SetBucketDocument keeps a document with a bucket; an empty one removes it.
//
// Errors: ErrBucketNotFound, ErrInvalid for an unknown name or more than MaxDocumentSize, ErrPermissionDenied.
func (p *Project) SetBucketDocument(ctx context.Context, bucket, name string, data []byte) error {
	return p.do(ctx, "set bucket document", func(ctx context.Context) error {
		if err := metainfo.CheckDocument(name, data); err != nil {
			return err
		}
		_, err := call(ctx, p.standalone(), noResult(p.meta.PutBucketDocument), &metainfo.PutBucketDocumentRequest{
			Auth: p.auth(), Bucket: bucket, Name: name, Data: data,
		})
		return p.found(bucket, err)
	})
}

// LifecycleRule has the satellite delete what its conditions name. Ages are whole days; a zero field does nothing.
type LifecycleRule struct {
	ID                string
	Disabled          bool
	Prefix            string // of keys; empty or ending in "/"
	Hidden            bool   // Prefix is not shown: it was set with another passphrase
	MinSize           int64  // of objects larger than this, bytes
	MaxSize           int64  // of objects smaller than this; 0: any
	ExpireDays        int    // after the writing: delete objects, or in a versioned bucket hide them
	ExpireAt          time.Time
	ExpireMarkers     bool // delete markers that hide nothing any more
	NoncurrentDays    int  // after another version came on top: delete versions
	NoncurrentKeep    int  // but keep this many of them
	AbortUploadsAfter int  // days after the beginning of an upload in parts
}

// Lifecycle returns the rules that the satellite applies to a bucket.
//
// Errors: ErrBucketNotFound, ErrPermissionDenied.
func (p *Project) Lifecycle(ctx context.Context, bucket string) (rules []LifecycleRule, err error) {
	err = p.do(ctx, "lifecycle", func(ctx context.Context) error {
		got, err := call(ctx, p.standalone(), p.meta.GetLifecycle, &metainfo.BucketRequest{Auth: p.auth(), Name: bucket})
		if err != nil || len(got.Rules) == 0 {
			return p.found(bucket, err)
		}
		ring, err := p.keysOf(ctx, bucket)
		if err != nil {
			return err
		}
		for i := range got.Rules {
			rules = append(rules, ruleOf(&got.Rules[i], ring, bucket))
		}
		return nil
	})
	return rules, err
}

func ruleOf(r *metainfo.LifecycleRule, ring *keys.Access, bucket string) LifecycleRule {
	rule := LifecycleRule{
		ID: r.ID, Disabled: r.Disabled, MinSize: r.MinSize, MaxSize: r.MaxSize, ExpireDays: int(r.ExpireDays),
		ExpireAt: r.ExpireAt, ExpireMarkers: r.ExpireMarkers, NoncurrentDays: int(r.NoncurrentDays),
		NoncurrentKeep: int(r.NoncurrentKeep), AbortUploadsAfter: int(r.AbortUploadsAfter),
	}
	if len(r.Prefix) == 0 {
		return rule
	}
	lister, err := keys.NewLister(ring, bucket, "")
	if err == nil {
		rule.Prefix, err = lister.DecryptName(r.Prefix)
	}
	rule.Hidden = err != nil
	return rule
}

// SetLifecycle replaces the rules of a bucket; without any, nothing is deleted.
//
// Errors: ErrBucketNotFound, ErrLifecycleInvalid, ErrPermissionDenied.
func (p *Project) SetLifecycle(ctx context.Context, bucket string, rules []LifecycleRule) error {
	return p.do(ctx, "set lifecycle", func(ctx context.Context) error {
		req := &metainfo.PutLifecycleRequest{Auth: p.auth(), Bucket: bucket}
		for i := range rules {
			record, err := p.ruleRecord(ctx, bucket, &rules[i])
			if err != nil {
				return err
			}
			req.Lifecycle.Rules = append(req.Lifecycle.Rules, record)
		}
		if len(rules) > metainfo.MaxRules {
			return fmt.Errorf("%w: %d rules, at most %d", ErrLifecycleInvalid, len(rules), metainfo.MaxRules)
		}
		_, err := call(ctx, p.standalone(), noResult(p.meta.PutLifecycle), req)
		return p.found(bucket, err)
	})
}

func (p *Project) ruleRecord(ctx context.Context, bucket string, r *LifecycleRule) (record metainfo.LifecycleRule, err error) {
	if r.Hidden {
		return record, fmt.Errorf("%w: rule %q has a prefix that this passphrase does not open", ErrLifecycleInvalid, r.ID)
	}
	if min(r.ExpireDays, r.NoncurrentDays, r.NoncurrentKeep, r.AbortUploadsAfter) < 0 ||
		max(r.ExpireDays, r.NoncurrentDays, r.NoncurrentKeep, r.AbortUploadsAfter) > 1<<20 {
		return record, fmt.Errorf("%w: rule %q", ErrLifecycleInvalid, r.ID)
	}
	record = metainfo.LifecycleRule{
		ID: r.ID, Disabled: r.Disabled, MinSize: r.MinSize, MaxSize: r.MaxSize, ExpireDays: uint32(r.ExpireDays),
		ExpireAt: r.ExpireAt, ExpireMarkers: r.ExpireMarkers, NoncurrentDays: uint32(r.NoncurrentDays),
		NoncurrentKeep: uint32(r.NoncurrentKeep), AbortUploadsAfter: uint32(r.AbortUploadsAfter),
	}
	if record.Prefix, err = p.wholePrefix(ctx, bucket, r.Prefix); err != nil {
		return record, err
	}
	return record, record.Validate()
}
