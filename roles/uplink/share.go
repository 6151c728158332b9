package uplink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"storj/ecenc/keys"
	"storj/ecenc/macaroon"
	"storj/metainfo"
)

// Permission is what an access may be used for, and when. The zero value permits nothing.
type Permission struct {
	AllowDownload bool
	AllowUpload   bool // of objects that are not there yet; replacing one is deleting it
	AllowList     bool
	AllowDelete   bool
	NotBefore     time.Time     // zero: no bound
	NotAfter      time.Time     // the last instant; zero: no bound
	MaxObjectTTL  time.Duration // what is uploaded expires after this at the latest; zero: no bound
	// Locks says what of object lock is denied beyond what follows from the operations above.
	Locks LockPermission `json:",omitzero"`
}

// LockPermission denies parts of object lock, and of the settings of buckets. The zero value denies nothing that the
// operations permit: who may upload may protect, who may download may see protection, who may delete may bypass
// governance.
type LockPermission struct {
	DenyAll              bool // every change of protection
	DenySetRetention     bool
	DenyGetRetention     bool
	DenySetLegalHold     bool
	DenyGetLegalHold     bool
	DenyBypassGovernance bool
	DenySetBucketLock    bool
	DenyGetBucketLock    bool
	DenyNotifications    bool // reading and setting a bucket's notifications
}

// FullPermission permits all operations, at any time.
func FullPermission() Permission {
	return Permission{AllowDownload: true, AllowUpload: true, AllowList: true, AllowDelete: true}
}

// ReadOnlyPermission permits to download and to list.
func ReadOnlyPermission() Permission { return Permission{AllowDownload: true, AllowList: true} }

// WriteOnlyPermission permits to upload, to replace and to delete, but to see nothing of what is there. For a drop box
// that nobody can empty, take AllowDelete away.
func WriteOnlyPermission() Permission { return Permission{AllowUpload: true, AllowDelete: true} }

// SharePrefix is a part of a bucket that is shared.
type SharePrefix struct {
	Bucket string
	// Prefix is empty for the whole bucket, ends in "/" for what lies under it, and else is one object and what lies under
	// its name and "/".
	Prefix string
	// PlainNames says that the bucket was made with plain names, when Prefix is not empty and the access cannot know;
	// Project.Share finds out by itself.
	PlainNames bool
}

// Share returns an access for others: to what the prefixes name and nothing beside them, or to all that this access
// opens when there are none; and for no more than both permissions allow. It asks nobody, and works on a restricted
// access too. It is ended by Project.RevokeAccess.
//
// The result holds no key but those of its prefixes: what lies elsewhere stays closed also to those who control the
// satellite. The keys open for good what they open, though: NotAfter and a revocation are kept by the satellite.
// Errors: ErrInvalid for a permission that permits nothing and for too many prefixes; ErrBucketNameInvalid,
// ErrObjectKeyInvalid; ErrPermissionDenied for a prefix that this access does not open.
func (a *Access) Share(permission Permission, prefixes ...SharePrefix) (*Access, error) {
	const op = "share access"
	caveat, err := permission.caveat()
	if err != nil {
		return nil, wrap(op, err)
	}
	ring := a.keys
	if len(prefixes) > 0 {
		if ring, err = a.share(prefixes); err != nil {
			return nil, wrap(op, err)
		}
		for _, p := range ring.Prefixes {
			caveat.AllowedPaths = append(caveat.AllowedPaths, macaroon.AllowedPath{Bucket: p.Bucket, EncryptedPrefix: p.EncryptedPath})
		}
	}
	apiKey, err := a.apiKey.Restrict(caveat)
	if errors.Is(err, macaroon.ErrFormat) {
		return nil, wrap(op, fmt.Errorf("%w: %w", ErrInvalid, err))
	}
	if err != nil {
		return nil, wrap(op, err)
	}
	shared := &Access{satellite: a.satellite, apiKey: apiKey, keys: ring}
	if _, err := shared.Serialize(); err != nil {
		return nil, wrap(op, fmt.Errorf("%w: too many prefixes for one grant", ErrInvalid))
	}
	return shared, nil
}

// share gathers the keys of prefixes.
func (a *Access) share(prefixes []SharePrefix) (*keys.Access, error) {
	ring := new(keys.Access)
	for _, prefix := range prefixes {
		if err := metainfo.CheckBucketName(prefix.Bucket); err != nil {
			return nil, err
		}
		view := a.bucketKeys(prefix.Bucket)
		plain, known := namesKind(view)
		if !known {
			plain = prefix.PlainNames
		}
		part, err := withNames(view, plain).Restrict(prefix.Bucket, prefix.Prefix)
		if err != nil {
			return nil, err
		}
		ring.Prefixes = append(ring.Prefixes, part.Prefixes...)
	}
	return ring, nil
}

// caveat returns the restriction that leaves the permission. What can be locked follows from what can be written.
func (p Permission) caveat() (macaroon.Caveat, error) {
	switch {
	case !p.AllowDownload && !p.AllowUpload && !p.AllowList && !p.AllowDelete:
		return macaroon.Caveat{}, fmt.Errorf("%w: nothing would be permitted", ErrInvalid)
	case !p.NotAfter.IsZero() && !p.NotBefore.IsZero() && p.NotAfter.Before(p.NotBefore):
		return macaroon.Caveat{}, fmt.Errorf("%w: ends before it begins", ErrInvalid)
	case p.MaxObjectTTL < 0:
		return macaroon.Caveat{}, fmt.Errorf("%w: negative life of objects", ErrInvalid)
	}
	all := p.AllowDownload && p.AllowUpload && p.AllowList && p.AllowDelete
	l := &p.Locks
	return macaroon.Caveat{
		DisallowReads:                     !p.AllowDownload,
		DisallowWrites:                    !p.AllowUpload,
		DisallowLists:                     !p.AllowList,
		DisallowDeletes:                   !p.AllowDelete,
		DisallowLocks:                     !p.AllowUpload || l.DenyAll,
		DisallowPutRetention:              l.DenySetRetention,
		DisallowGetRetention:              !p.AllowDownload || l.DenyGetRetention,
		DisallowPutLegalHold:              l.DenySetLegalHold,
		DisallowGetLegalHold:              !p.AllowDownload || l.DenyGetLegalHold,
		DisallowPutBucketLock:             l.DenySetBucketLock,
		DisallowGetBucketLock:             !p.AllowDownload || l.DenyGetBucketLock,
		DisallowBypassGovernanceRetention: !p.AllowDelete || l.DenyBypassGovernance,
		DisallowBucketNotifications:       !all || l.DenyNotifications,
		NotBefore:                         p.NotBefore,
		NotAfter:                          p.NotAfter,
		MaxObjectTTL:                      p.MaxObjectTTL,
	}, nil
}

// Share is Access.Share on the access of the project, and asks the satellite which of the buckets have plain names.
//
// Errors: as Access.Share, and ErrBucketNotFound for a prefix in a bucket that is not there.
func (p *Project) Share(ctx context.Context, permission Permission, prefixes ...SharePrefix) (shared *Access, err error) {
	err = p.do(ctx, "share access", func(ctx context.Context) error {
		asked := make([]SharePrefix, len(prefixes))
		for i, prefix := range prefixes {
			if prefix.Prefix != "" {
				ring, err := p.keysOf(ctx, prefix.Bucket)
				if err != nil {
					return err
				}
				prefix.PlainNames = ring.PlainNames
			}
			asked[i] = prefix
		}
		shared, err = p.access.Share(permission, asked...)
		return err
	})
	return shared, err
}

// RevokeAccess ends an access that was made from the one of this project by Share, and all that were made from it. The
// satellite refuses it from when this returns; one of several processes of a satellite may be seconds behind.
//
// It may be repeated, and what was downloaded before stays where it is.
// Errors: ErrInvalid for one of another satellite, ErrPermissionDenied for one that was not made from this.
func (p *Project) RevokeAccess(ctx context.Context, access *Access) error {
	return p.do(ctx, "revoke access", func(ctx context.Context) error {
		if access == nil || access.satellite.ID != p.access.satellite.ID {
			return fmt.Errorf("%w: not an access of this satellite", ErrInvalid)
		}
		req := &metainfo.RevokeAPIKeyRequest{Auth: p.auth(), APIKey: access.apiKey.Bytes()}
		_, err := call(ctx, p.standalone(), noResult(p.meta.RevokeAPIKey), req)
		return err
	})
}

// bucketKeys returns those of the keys that open something in a bucket.
func (a *Access) bucketKeys(bucket string) *keys.Access {
	view := &keys.Access{Default: a.keys.Default}
	for _, p := range a.keys.Prefixes {
		if p.Bucket == bucket {
			view.Prefixes = append(view.Prefixes, p)
		}
	}
	return view
}

// namesKind says whether names are plain in the one bucket that the keys are of, if a prefix among them tells:
// encryption makes every name longer.
func namesKind(view *keys.Access) (plain, known bool) {
	for _, p := range view.Prefixes {
		if p.Path != "" {
			return p.Path == string(p.EncryptedPath), true
		}
	}
	return false, false
}

func withNames(view *keys.Access, plain bool) *keys.Access {
	return &keys.Access{Default: view.Default, Prefixes: view.Prefixes, PlainNames: plain}
}

// Operations lists what is permitted, in words: download, upload, list, delete.
func (p Permission) Operations() []string {
	var words []string
	for _, w := range []struct {
		allowed bool
		word    string
	}{{p.AllowDownload, "download"}, {p.AllowUpload, "upload"}, {p.AllowList, "list"}, {p.AllowDelete, "delete"}} {
		if w.allowed {
			words = append(words, w.word)
		}
	}
	return words
}
