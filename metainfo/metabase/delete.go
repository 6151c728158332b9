package metabase

import (
	"context"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// Delete names objects and versions to delete.
type Delete struct {
	Project          metainfo.ProjectID
	Bucket           string
	Items            []metainfo.DeleteItem
	BypassGovernance bool
}

// Delete deletes objects and versions and says what became of each. In a bucket with versioning an item without version
// adds a delete marker, also where there is no object, unless it has IfStream. It is one transaction for some items at a
// time; after an error some may be deleted.
//
// Errors: metainfo.ErrBucketNotFound. ErrLocked and ErrObjectChanged are Reasons of single items.
func (db *DB) Delete(ctx context.Context, d Delete) ([]metainfo.DeletedItem, error) {
	results := make([]metainfo.DeletedItem, len(d.Items))
	for next := 0; ; {
		from := next
		err := db.update(ctx, "delete objects", func(tx kv.Tx) error {
			if err := checkBucket(tx, d.Project, d.Bucket); err != nil {
				return err
			}
			at, b := now(), newBudget()
			for next = from; next < len(d.Items) && !b.spent(); next++ {
				item := &d.Items[next]
				ref := ObjectRef{Project: d.Project, Bucket: d.Bucket, Key: item.Key, Version: item.Version}
				b.rows--
				var err error
				if results[next], err = d.item(tx, ref, item.IfStream, at, b); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || next == len(d.Items) {
			return results, err
		}
	}
}

func (d *Delete) item(tx kv.Tx, ref ObjectRef, ifStream metainfo.StreamID, at time.Time, b *budget) (
	metainfo.DeletedItem, error,
) {
	if ref.Version != metainfo.LatestVersion {
		return d.version(tx, &ref, ifStream, at, b)
	}
	t, err := aim(tx, ref, at)
	if err != nil {
		return metainfo.DeletedItem{}, err
	}
	item := metainfo.DeletedItem{Found: t.live != nil && !t.live.Marker}
	switch {
	case !ifStream.IsZero() && !item.Found:
		return item, nil
	case !ifStream.IsZero() && t.live.Stream != ifStream:
		item.Reason = metainfo.ErrObjectChanged.Reason
		return item, nil
	}
	if t.bucket.Versioning == metainfo.Unversioned {
		return d.remove(tx, &ref, t.top, item, at, b) // also one that has expired
	}
	if t.bucket.Versioning == metainfo.VersioningSuspended {
		null, err := nullVersion(tx, &t.ref, t.top)
		if err != nil {
			return item, err
		}
		if null != nil && null.locked(at, false) { // as in put, which would fail for all items
			item.Reason = metainfo.ErrLocked.Reason
			return item, nil
		}
	}
	marker, err := t.putMarker(tx, b)
	item.Version, item.Marker = marker.Version, true
	return item, err
}

// version removes one version for good.
func (d *Delete) version(tx kv.Tx, ref *ObjectRef, ifStream metainfo.StreamID, at time.Time, b *budget) (
	metainfo.DeletedItem, error,
) {
	row, err := lookUp(tx, ref, at)
	if err != nil || row == nil {
		return metainfo.DeletedItem{}, err
	}
	item := metainfo.DeletedItem{Found: true, Marker: row.Marker}
	if !ifStream.IsZero() && row.Stream != ifStream {
		item.Reason = metainfo.ErrObjectChanged.Reason
		return item, nil
	}
	return d.remove(tx, ref, row, item, at, b)
}

func (d *Delete) remove(
	tx kv.Tx, ref *ObjectRef, row *objectRow, item metainfo.DeletedItem, at time.Time, b *budget,
) (metainfo.DeletedItem, error) {
	if row == nil {
		return item, nil
	}
	if row.locked(at, d.BypassGovernance) {
		item.Reason = metainfo.ErrLocked.Reason
		return item, nil
	}
	if item.Found {
		item.Version = row.Version
	}
	return item, deleteVersion(tx, ref, row, at, b)
}
