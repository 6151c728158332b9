package metabase

import (
	"errors"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// maxRepeat is how many of the newest versions of a key are searched for what an earlier call has made.
const maxRepeat = 8

// rowsOf walks the versions of a key, newest first. It must be closed.
func rowsOf(tx kv.Tx, ref *ObjectRef) kv.Rows[objectKey, objectRow, *objectRow] {
	table := tables{}.objects()
	return table.Rows(tx, table.Prefix(kv.AppendText(appendBucketPrefix(make([]byte, 0, 128), ref.Project, ref.Bucket), ref.Key)))
}

// fullRow reads the row under a cursor, with its key and version.
func fullRow(rows *kv.Rows[objectKey, objectRow, *objectRow]) (*objectRow, error) {
	key, err := rows.RowKey()
	if err != nil {
		return nil, err
	}
	row, err := rows.Row()
	if err != nil {
		return nil, err
	}
	row.Key, row.Version = key.ref.Key, key.version
	return &row, nil
}

// newest returns the newest row of a key, and the newest that has not expired, which is what requests without a version
// mean and may be a delete marker. Either is nil if there is none.
func newest(tx kv.Tx, ref *ObjectRef, at time.Time) (top, live *objectRow, err error) {
	rows := rowsOf(tx, ref)
	defer rows.Close()
	for rows.Next() {
		row, err := fullRow(&rows)
		if err != nil {
			return nil, nil, err
		}
		if top == nil {
			top = row
		}
		if !row.expired(at) {
			return top, row, nil
		}
	}
	return top, nil, rows.Err()
}

// getVersion returns a row by its number, nil if there is none.
func getVersion(tx kv.Tx, ref *ObjectRef, version uint64) (*objectRow, error) {
	row, err := tables{}.objects().Get(tx, objectKey{*ref, version})
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	row.Key, row.Version = ref.Key, version
	return &row, err
}

// nullVersion returns the null version of a key, expired or not, nil if there is none. top is the newest row.
func nullVersion(tx kv.Tx, ref *ObjectRef, top *objectRow) (*objectRow, error) {
	switch {
	case top == nil:
		return nil, nil
	case top.Null:
		return top, nil
	case top.nullBelow == 0:
		return nil, nil
	}
	return getVersion(tx, ref, top.nullBelow)
}

// lookUp returns the version that ref names, perhaps a delete marker, nil if there is none or it has expired.
func lookUp(tx kv.Tx, ref *ObjectRef, at time.Time) (row *objectRow, err error) {
	switch ref.Version {
	case metainfo.LatestVersion:
		_, row, err = newest(tx, ref, at)
		return row, err
	case metainfo.NullVersion:
		top, _, err := newest(tx, ref, at)
		if err != nil {
			return nil, err
		}
		row, err = nullVersion(tx, ref, top)
		if err != nil {
			return nil, err
		}
	default:
		if row, err = getVersion(tx, ref, ref.Version); err != nil {
			return nil, err
		}
	}
	if row != nil && row.expired(at) {
		row = nil
	}
	return row, nil
}

// find is lookUp of what has data. Errors: metainfo.ErrBucketNotFound, metainfo.ErrObjectNotFound,
// metainfo.ErrDeleteMarker.
func find(tx kv.Tx, ref *ObjectRef, at time.Time) (*objectRow, error) {
	row, err := lookUp(tx, ref, at)
	switch {
	case err != nil:
		return nil, err
	case row == nil:
		if err := checkBucket(tx, ref.Project, ref.Bucket); err != nil {
			return nil, err
		}
		return nil, metainfo.ErrObjectNotFound
	case row.Marker:
		return nil, metainfo.ErrDeleteMarker
	}
	return row, nil
}

// target is a key that a version is going to be written to, as the newest.
type target struct {
	ref    ObjectRef
	bucket metainfo.Bucket
	at     time.Time
	top    *objectRow // newest row, expired or not; nil: none
	live   *objectRow // what requests without a version mean, perhaps a delete marker; nil: nothing
}

// aim reads what is at a key. Errors: metainfo.ErrBucketNotFound.
func aim(tx kv.Tx, ref ObjectRef, at time.Time) (t target, err error) {
	t = target{ref: ref, at: at}
	if t.bucket, err = getBucket(tx, ref.Project, ref.Bucket); err != nil {
		return t, err
	}
	t.top, t.live, err = newest(tx, &t.ref, at)
	return t, err
}

// repeated returns what an earlier call has made of this stream, nil if it is not among the newest versions.
func (t *target) repeated(tx kv.Tx, stream metainfo.StreamID) (*objectRow, error) {
	if t.top == nil || t.top.Stream == stream && !t.top.Marker {
		return t.top, nil
	}
	if t.bucket.Versioning == metainfo.Unversioned {
		return nil, nil
	}
	rows := rowsOf(tx, &t.ref)
	defer rows.Close()
	for n := 0; n < maxRepeat && rows.Next(); n++ {
		row, err := fullRow(&rows)
		if err != nil || row.Stream == stream && !row.Marker {
			return row, err
		}
	}
	return nil, rows.Err()
}

// conditions of a write.
type conditions struct {
	ifAbsent  bool
	ifStream  metainfo.StreamID
	noReplace bool
}

// check applies conditions. Errors: metainfo.ErrObjectExists, metainfo.ErrObjectChanged, metainfo.ErrObjectNotFound.
func (t *target) check(tx kv.Tx, c conditions) error {
	exists := t.live != nil && !t.live.Marker
	switch {
	case c.ifAbsent && exists:
		return metainfo.ErrObjectExists
	case !c.ifStream.IsZero() && !exists:
		return metainfo.ErrObjectNotFound
	case !c.ifStream.IsZero() && t.live.Stream != c.ifStream:
		return metainfo.ErrObjectChanged
	}
	if c.noReplace && t.bucket.Versioning != metainfo.VersioningEnabled {
		null, err := nullVersion(tx, &t.ref, t.top)
		if err != nil {
			return err
		}
		if null != nil && !null.Marker && !null.expired(t.at) {
			return metainfo.ErrObjectExists
		}
	}
	return nil
}

// put writes a row as the newest version, and takes away the null version where it takes its place. row gets its key,
// its number, and whether it is the null version. Errors: metainfo.ErrLocked.
func (t *target) put(tx kv.Tx, row *objectRow, b *budget) error {
	row.Key, row.Version = t.ref.Key, uint64(max(t.at.UnixMicro(), 1))
	row.Null, row.nullBelow = t.bucket.Versioning != metainfo.VersioningEnabled, 0
	if t.top != nil {
		row.Version = max(row.Version, t.top.Version+1)
	}
	switch {
	case row.Null:
		null, err := nullVersion(tx, &t.ref, t.top)
		if err != nil {
			return err
		}
		if null == nil {
			break
		}
		if null.locked(t.at, false) {
			return metainfo.ErrLocked
		}
		if err := deleteVersion(tx, &t.ref, null, t.at, b); err != nil {
			return err
		}
	case t.top != nil && t.top.Null:
		row.nullBelow = t.top.Version
	case t.top != nil:
		row.nullBelow = t.top.nullBelow
	}
	if err := putExpiry(tx, &t.ref, row); err != nil {
		return err
	}
	return tables{}.objects().Put(tx, objectKey{t.ref, row.Version}, row)
}

// putMarker writes a delete marker as the newest version.
func (t *target) putMarker(tx kv.Tx, b *budget) (*objectRow, error) {
	row := &objectRow{Object: metainfo.Object{Created: t.at, Marker: true}}
	b.rows--
	return row, t.put(tx, row, b)
}

// expiry is when a new version expires: when it was asked to, or by the bucket's bound on life.
func (t *target) expiry(asked time.Time) time.Time {
	if t.bucket.TTL > 0 {
		return earliest(asked, t.at.Add(t.bucket.TTL))
	}
	return asked
}

// earliest is the earlier of two times, of which zero means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func expiryOf(row *objectRow) timedKey { return timedKey{nanosOf(row.Expires), row.Stream} }

func putExpiry(tx kv.Tx, ref *ObjectRef, row *objectRow) error {
	if row.Expires.IsZero() {
		return nil
	}
	named := refRow{*ref}
	named.Version = row.Version
	return tables{}.expiries().Put(tx, expiryOf(row), &named)
}

func deleteExpiry(tx kv.Tx, row *objectRow) error {
	if row.Expires.IsZero() {
		return nil
	}
	return tables{}.expiries().Delete(tx, expiryOf(row))
}
