package metabase

import (
	"context"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// SetLock changes the protection of a version.
type SetLock struct {
	ObjectRef
	SetRetention     bool
	Retention        metainfo.Retention // zero: take it away
	SetHold          bool
	LegalHold        bool
	BypassGovernance bool
}

// SetLock changes the retention or the legal hold of a version. An active Compliance retention can only be made longer,
// an active Governance one be weakened only with BypassGovernance.
//
// Errors: metainfo.ErrBucketNotFound, metainfo.ErrObjectNotFound, metainfo.ErrDeleteMarker, metainfo.ErrNoLock,
// metainfo.ErrRetention for one that lies in the past, has no mode, is weaker than a Compliance that stands, or outlives
// the object's expiry; metainfo.ErrLocked for one weaker than a Governance that stands.
func (db *DB) SetLock(ctx context.Context, l SetLock) error {
	return db.update(ctx, "set lock", func(tx kv.Tx) error {
		at := now()
		bucket, err := getBucket(tx, l.Project, l.Bucket)
		if err != nil {
			return err
		}
		if !bucket.Lock {
			return metainfo.ErrNoLock
		}
		row, err := find(tx, &l.ObjectRef, at)
		if err != nil {
			return err
		}
		if l.SetRetention {
			if err := l.checkRetention(row.Retention, at); err != nil {
				return err
			}
			row.Retention = l.Retention
		}
		if l.SetHold {
			row.LegalHold = l.LegalHold
		}
		if err := checkOutlives(row.Retention, row.LegalHold, row.Expires); err != nil {
			return err
		}
		return tables{}.objects().Put(tx, objectKey{l.ObjectRef, row.Version}, row)
	})
}

// checkRetention says whether the new retention may take the place of the old one.
func (l *SetLock) checkRetention(old metainfo.Retention, at time.Time) error {
	none := l.Retention == metainfo.Retention{}
	if err := checkRetention(l.Retention, at); err != nil {
		return err
	}
	weaker := none || l.Retention.Mode < old.Mode || l.Retention.Until.Before(old.Until)
	switch {
	case !weaker || !old.Active(at):
		return nil
	case old.Mode == metainfo.Compliance:
		return metainfo.ErrRetention
	case !l.BypassGovernance:
		return metainfo.ErrLocked
	}
	return nil
}

// checkRetention applies the rules of a new retention, which may be none. Errors: metainfo.ErrRetention.
func checkRetention(r metainfo.Retention, at time.Time) error {
	if (r == metainfo.Retention{}) {
		return nil
	}
	if r.Mode != metainfo.Governance && r.Mode != metainfo.Compliance || !r.Until.After(at) {
		return metainfo.ErrRetention
	}
	return nil
}

// checkOutlives refuses protection that lasts longer than the pieces on the nodes, which drop them at the expiry.
func checkOutlives(r metainfo.Retention, hold bool, expires time.Time) error {
	if !expires.IsZero() && (hold || r.Mode != metainfo.NoRetention && r.Until.After(expires)) {
		return metainfo.ErrRetention
	}
	return nil
}

// protect gives a new version the protection asked for, or the bucket's default.
//
// Errors: metainfo.ErrNoLock, metainfo.ErrRetention.
func (t *target) protect(row *objectRow, asked metainfo.Retention, hold bool) error {
	row.Retention, row.LegalHold = metainfo.Retention{}, hold
	given := asked != metainfo.Retention{}
	if !t.bucket.Lock {
		if given || hold {
			return metainfo.ErrNoLock
		}
		return nil
	}
	row.Retention = t.bucket.Retention.At(t.at)
	if given {
		row.Retention = asked
	}
	return checkOutlives(row.Retention, hold, row.Expires)
}
