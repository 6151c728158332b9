package metabase

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
)

// deletionRow is a deletion and how far it is.
type deletionRow struct {
	metainfo.Deletion
	project metainfo.ProjectID
	all     bool // versions
	bypass  bool
	drop    bool // the bucket
	done    time.Time
	at      deletionCursor
}

// deletionCursor is the version that was looked at last, and what its key had been found to be.
type deletionCursor struct {
	key     []byte
	version uint64
}

func (r *deletionRow) Fields(c *wire.Codec) {
	reason := uint32(r.Reason)
	c.String(1, &r.Bucket, maxNameSize)
	c.Bytes(2, &r.Prefix, metainfo.MaxKeySize)
	c.Time(3, &r.Created)
	c.Int(4, &r.Objects)
	c.Int(5, &r.Bytes)
	c.Int(6, &r.Kept)
	c.Uint32(7, &reason)
	c.Fixed(8, r.project[:])
	c.Bool(9, &r.all)
	c.Bool(10, &r.bypass)
	c.Bool(11, &r.drop)
	c.Time(12, &r.done)
	c.Bytes(13, &r.at.key, metainfo.MaxKeySize)
	c.Uint(14, &r.at.version)
	r.Reason, r.Done = netx.Reason(reason), !r.done.IsZero()
}

// StartDeletion asks for a deletion in the background.
type StartDeletion struct {
	Project          metainfo.ProjectID
	Bucket           string
	Prefix           []byte
	AllVersions      bool
	BypassGovernance bool
	DropBucket       bool // implies AllVersions and an empty Prefix; uploads in parts end too
}

// maxDeletions is how many deletions of a project are kept, pending or done: each round looks at all of them.
const maxDeletions = 1000

// StartDeletion writes a deletion, for RunDeletionBatch to do. Where a project has a thousand, the oldest that is done is
// forgotten for it. Errors: metainfo.ErrBucketNotFound, metainfo.ErrListLimit for a prefix that is not one,
// metainfo.ErrRateLimit when a thousand are pending.
func (db *DB) StartDeletion(ctx context.Context, d StartDeletion) (metainfo.Deletion, error) {
	if len(d.Prefix) > metainfo.MaxKeySize || len(d.Prefix) > 0 && (d.DropBucket || !bytes.HasSuffix(d.Prefix, []byte("/"))) {
		return metainfo.Deletion{}, metainfo.ErrListLimit
	}
	row := deletionRow{
		Deletion: metainfo.Deletion{Bucket: d.Bucket, Prefix: d.Prefix, Created: now()},
		project:  d.Project, all: d.AllVersions || d.DropBucket, bypass: d.BypassGovernance, drop: d.DropBucket,
	}
	_, _ = rand.Read(row.ID[:]) // never fails
	err := db.update(ctx, "start deletion", func(tx kv.Tx) error {
		if err := checkBucket(tx, d.Project, d.Bucket); err != nil {
			return err
		}
		if err := roomForDeletion(tx, d.Project); err != nil {
			return err
		}
		return tables{}.deletions().Put(tx, row.ID, &row)
	})
	return row.Deletion, err
}

// roomForDeletion forgets a deletion of a project that has as many as it may. Errors: metainfo.ErrRateLimit.
func roomForDeletion(tx kv.Tx, project metainfo.ProjectID) error {
	table := tables{}.deletions()
	count := 0
	var oldest *deletionRow // that is done
	err := table.Scan(tx, table.All(), func(id metainfo.DeletionID, row *deletionRow) (bool, error) {
		if row.project != project {
			return true, nil
		}
		count++
		if row.Done && (oldest == nil || row.done.Before(oldest.done)) {
			kept := *row
			kept.ID, oldest = id, &kept
		}
		return true, nil
	})
	switch {
	case err != nil || count < maxDeletions:
		return err
	case oldest == nil:
		return metainfo.ErrRateLimit
	}
	return table.Delete(tx, oldest.ID)
}

// Deletion returns a deletion of a project. Errors: metainfo.ErrDeletionNotFound.
func (db *DB) Deletion(ctx context.Context, project metainfo.ProjectID, id metainfo.DeletionID) (
	d metainfo.Deletion, err error,
) {
	err = db.view(ctx, "get deletion", func(tx kv.Tx) error {
		row, err := tables{}.deletions().Get(tx, id)
		if err == nil && row.project != project {
			err = kv.ErrNotFound
		}
		row.ID = id
		d = row.Deletion
		return orElse(err, metainfo.ErrDeletionNotFound)
	})
	return d, err
}

// PendingDeletions returns the deletions that are not done, oldest first.
func (db *DB) PendingDeletions(ctx context.Context) (ids []metainfo.DeletionID, err error) {
	var list []metainfo.Deletion
	err = db.view(ctx, "list deletions", func(tx kv.Tx) error {
		list = nil
		table := tables{}.deletions()
		return table.Scan(tx, table.All(), func(id metainfo.DeletionID, row *deletionRow) (bool, error) {
			if !row.Done {
				list = append(list, metainfo.Deletion{ID: id, Created: row.Created})
			}
			return true, nil
		})
	})
	slices.SortFunc(list, func(a, b metainfo.Deletion) int {
		return cmp.Or(a.Created.Compare(b.Created), bytes.Compare(a.ID[:], b.ID[:]))
	})
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	return ids, err
}

// RunDeletionBatch goes on with a deletion for one bounded transaction and says whether there is more to do. Of a
// deletion that is done it does nothing. Versions that came to their key after it was asked for stay.
//
// Errors: metainfo.ErrDeletionNotFound.
func (db *DB) RunDeletionBatch(ctx context.Context, id metainfo.DeletionID) (d metainfo.Deletion, more bool, err error) {
	err = db.update(ctx, "run deletion", func(tx kv.Tx) error {
		row, err := tables{}.deletions().Get(tx, id)
		if err != nil {
			return orElse(err, metainfo.ErrDeletionNotFound)
		}
		row.ID = id
		if !row.Done {
			if err := row.batch(tx, now(), db.jobBudget()); err != nil {
				return err
			}
			if err := (tables{}).deletions().Put(tx, id, &row); err != nil {
				return err
			}
		}
		d, more = row.Deletion, !row.Done
		return nil
	})
	return d, more, err
}

func (r *deletionRow) batch(tx kv.Tx, at time.Time, b *budget) error {
	there, err := getBucket(tx, r.project, r.Bucket)
	if err != nil && !errors.Is(err, metainfo.ErrBucketNotFound) {
		return err
	}
	bucket := err == nil && !there.Created.After(r.Created) // one of that name that came later is another
	more, err := false, nil
	switch {
	case bucket && r.all:
		more, err = r.versions(tx, at, b)
	case bucket:
		more, err = r.objects(tx, at, b)
	}
	if err != nil || more {
		return err
	}
	if r.Kept > 0 {
		r.Reason = metainfo.ErrLocked.Reason
	} else if bucket && r.drop {
		if more, err = r.dropBucket(tx, at, b); err != nil || more {
			return err
		}
	}
	r.done, r.Done = at, true
	return nil
}

// rows is the versions behind the cursor.
func (r *deletionRow) rows() kv.Range {
	table := tables{}.objects()
	rows := table.Prefix(kv.AppendTextPrefix(appendBucketPrefix(nil, r.project, r.Bucket), r.Prefix))
	if len(r.at.key) > 0 {
		ref := ObjectRef{Project: r.project, Bucket: r.Bucket, Key: r.at.key}
		rows.Start = append(table.Key(nil, objectKey{ref, r.at.version}), 0)
	}
	return rows
}

// versions removes versions for good.
func (r *deletionRow) versions(tx kv.Tx, at time.Time, b *budget) (more bool, err error) {
	err = tables{}.objects().Scan(tx, r.rows(), func(k objectKey, row *objectRow) (bool, error) {
		if more = b.spent(); more {
			return false, nil
		}
		b.reads--
		r.at = deletionCursor{k.ref.Key, k.version}
		row.Version = k.version
		gone := row.expired(at)
		switch {
		case row.since().After(r.Created):
			return true, nil
		case row.locked(at, r.bypass):
			r.Kept++
			return true, nil
		case !gone && !row.Marker:
			r.Objects++
			r.Bytes += row.PlainSize
		}
		return true, deleteVersion(tx, &k.ref, row, at, b)
	})
	return more, err
}

// objects deletes what requests without a version mean, as Delete does.
func (r *deletionRow) objects(tx kv.Tx, at time.Time, b *budget) (more bool, err error) {
	err = eachKey(tx, r.rows(), func(ref *ObjectRef) (bool, error) {
		if more = b.spent(); more {
			return false, nil
		}
		b.reads--
		r.at = deletionCursor{ref.Key, 0} // behind all versions of the key
		t, err := aim(tx, *ref, at)
		if err != nil || t.live == nil || t.live.Marker || t.live.since().After(r.Created) {
			return true, err
		}
		removed, err := t.retire(tx, b)
		switch {
		case err != nil:
			return false, err
		case removed:
			r.Objects++
			r.Bytes += t.live.PlainSize
		default:
			r.Kept++
		}
		return true, nil
	})
	return more, err
}

// retire deletes the live object as a delete without version does: for good, or by a delete marker. It says false where
// what would go is locked.
func (t *target) retire(tx kv.Tx, b *budget) (bool, error) {
	null, err := nullVersion(tx, &t.ref, t.top)
	if err != nil {
		return false, err
	}
	if t.bucket.Versioning != metainfo.VersioningEnabled && null != nil && null.locked(t.at, false) {
		return false, nil
	}
	if t.bucket.Versioning == metainfo.Unversioned {
		return true, deleteVersion(tx, &t.ref, t.live, t.at, b)
	}
	_, err = t.putMarker(tx, b)
	return true, err
}

// eachKey calls fn for each key that has versions in a range of objects. fn may write.
func eachKey(tx kv.Tx, r kv.Range, fn func(ref *ObjectRef) (more bool, err error)) error {
	rows := tables{}.objects().Rows(tx, r)
	defer rows.Close()
	for ok := rows.Next(); ok; {
		key, err := rows.RowKey()
		if err != nil {
			return err
		}
		more, err := fn(&key.ref)
		if err != nil || !more {
			return err
		}
		ok = skipKey(&rows, &key.ref)
	}
	return rows.Err()
}

// skipKey moves behind all versions of a key.
func skipKey(rows *kv.Rows[objectKey, objectRow, *objectRow], ref *ObjectRef) bool {
	last := tables{}.objects().Key(make([]byte, 0, 128), objectKey{*ref, 0}) // none has the number 0
	return rows.Seek(last)
}

// dropBucket deletes the bucket if it is empty.
func (r *deletionRow) dropBucket(tx kv.Tx, at time.Time, b *budget) (more bool, err error) {
	c := tx.Cursor(tables{}.objects().Prefix(appendBucketPrefix(nil, r.project, r.Bucket)))
	defer c.Close()
	if c.Next() {
		r.Reason = metainfo.ErrBucketNotEmpty.Reason
		return false, nil
	}
	if err := c.Err(); err != nil {
		return false, err
	}
	return dropBucket(tx, r.project, r.Bucket, at, b)
}

// SweepDeletions forgets the deletions that were done before a time.
func (db *DB) SweepDeletions(ctx context.Context, before time.Time) (removed int, err error) {
	err = db.update(ctx, "sweep deletions", func(tx kv.Tx) error {
		removed = 0
		table := tables{}.deletions()
		return table.Scan(tx, table.All(), func(id metainfo.DeletionID, row *deletionRow) (bool, error) {
			if !row.Done || !row.done.Before(before) || removed == maxBatchRows {
				return removed < maxBatchRows, nil
			}
			removed++
			return true, table.Delete(tx, id)
		})
	})
	return removed, err
}
