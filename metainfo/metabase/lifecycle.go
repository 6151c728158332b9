package metabase

import (
	"bytes"
	"context"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// BucketRef names a bucket.
type BucketRef struct {
	Project metainfo.ProjectID
	Bucket  string
}

// LifecycleBuckets returns the buckets that have lifecycle rules, in order.
func (db *DB) LifecycleBuckets(ctx context.Context) (list []BucketRef, err error) {
	err = db.view(ctx, "list lifecycles", func(tx kv.Tx) error {
		list = nil
		table := tables{}.lifecycles()
		return kv.Scan(tx, table.All(), func(stored, _ []byte) (bool, error) {
			key, err := table.ParseKey(stored)
			list = append(list, BucketRef{key.project, key.name})
			return true, err
		})
	})
	return list, err
}

// LifecycleCursor is how far a pass over a bucket is. The zero one is its start.
type LifecycleCursor struct {
	key      []byte    // looked at last; empty: none
	version  uint64    // of it
	current  bool      // of key what requests without a version mean was seen: those that follow are older
	newer    uint32    // how many older ones of them stay
	replaced time.Time // when the next one stopped being the latest

	uploads bool // all objects are done; key and stream are of an upload
	stream  metainfo.StreamID
}

// LifecycleResult is what a batch did.
type LifecycleResult struct {
	Expired int   // current versions that were deleted, or hidden by a delete marker
	Removed int   // noncurrent versions and delete markers that were removed
	Aborted int   // uploads in parts
	Kept    int   // versions that are locked
	Bytes   int64 // plaintext of versions that were removed
}

// RunLifecycleBatch applies the rules of a bucket to some of what it holds, as of now, in one bounded transaction. It
// returns where the next batch starts; more is false when the pass is done. A bucket without rules has nothing to do.
func (db *DB) RunLifecycleBatch(ctx context.Context, bucket BucketRef, from LifecycleCursor, now time.Time) (
	result LifecycleResult, next LifecycleCursor, more bool, err error,
) {
	err = db.update(ctx, "run lifecycle", func(tx kv.Tx) error {
		result, next, more = LifecycleResult{}, LifecycleCursor{}, false
		rules, err := getLifecycle(tx, bucket.Project, bucket.Bucket)
		if err != nil || len(rules.Rules) == 0 {
			return err
		}
		row, err := getBucket(tx, bucket.Project, bucket.Bucket)
		if err != nil {
			return err
		}
		s := steward{tx: tx, ref: bucket, bucket: row, rules: rules.Rules, at: now, budget: db.jobBudget(), cursor: from}
		if !s.cursor.uploads {
			err = s.objects()
		}
		if err == nil && s.cursor.uploads {
			err = s.uploads()
		}
		result, next, more = s.result, s.cursor, s.more
		return err
	})
	return result, next, more, err
}

// steward applies rules to a bucket for one batch.
type steward struct {
	tx     kv.Tx
	ref    BucketRef
	bucket metainfo.Bucket
	rules  []metainfo.LifecycleRule
	at     time.Time
	budget *budget
	cursor LifecycleCursor
	result LifecycleResult
	more   bool
}

// objects walks the versions of all keys that rules are about, the newest of each first.
func (s *steward) objects() error {
	table := tables{}.objects()
	base := appendBucketPrefix(nil, s.ref.Project, s.ref.Bucket)
	r := table.Prefix(base)
	if len(s.cursor.key) > 0 {
		r.Start = append(table.Key(nil, objectKey{s.object(s.cursor.key), s.cursor.version}), 0)
		if err := s.reconsider(); err != nil {
			return err
		}
	}
	rows := table.Rows(s.tx, r)
	defer rows.Close()
	for ok := rows.Next(); ok; {
		if s.more = s.budget.spent(); s.more {
			return nil
		}
		key, err := rows.RowKey()
		if err != nil {
			return err
		}
		if prefix, covered := s.covers(key.ref.Key); !covered { // at most once for each rule: it costs nothing of the budget
			ok = prefix != nil && rows.Seek(kv.AppendTextPrefix(append([]byte("o"), base...), prefix))
			continue
		}
		s.budget.reads--
		row, err := fullRow(&rows)
		if err == nil {
			err = s.version(row)
		}
		if err != nil {
			return err
		}
		ok = rows.Next()
	}
	s.cursor = LifecycleCursor{uploads: true}
	return rows.Err()
}

// reconsider forgets that the current version of the cursor's key was seen if it was deleted since the last batch: one of
// those that follow is current now, and none of them is older than it.
func (s *steward) reconsider() error {
	ref := s.object(s.cursor.key)
	_, live, err := newest(s.tx, &ref, s.at)
	if err == nil && (live == nil || live.Version < s.cursor.version) {
		s.cursor = LifecycleCursor{key: s.cursor.key, version: s.cursor.version}
	}
	return err
}

func (s *steward) object(key []byte) ObjectRef {
	return ObjectRef{Project: s.ref.Project, Bucket: s.ref.Bucket, Key: key}
}

// covers says whether a key lies under the prefix of a rule. Else it returns the first prefix behind it, nil if there is
// none.
func (s *steward) covers(key []byte) (next []byte, ok bool) {
	for i := range s.rules {
		rule := &s.rules[i]
		switch {
		case rule.Disabled:
		case bytes.HasPrefix(key, rule.Prefix):
			return nil, true
		case bytes.Compare(rule.Prefix, key) > 0 && (next == nil || bytes.Compare(rule.Prefix, next) < 0):
			next = rule.Prefix
		}
	}
	return next, false
}

// version looks at the next version of the cursor's key, or at the first of the next key. One that has expired is as good
// as gone.
func (s *steward) version(row *objectRow) error {
	if !bytes.Equal(row.Key, s.cursor.key) {
		s.cursor = LifecycleCursor{}
	}
	s.cursor.key, s.cursor.version = row.Key, row.Version
	if row.expired(s.at) {
		return nil
	}
	ref := s.object(row.Key)
	replaced := s.cursor.replaced
	s.cursor.replaced = row.since()
	switch {
	case s.cursor.current:
		return s.noncurrent(&ref, row, replaced)
	case row.Marker:
		s.cursor.current = true
		return s.marker(&ref, row)
	}
	s.cursor.current = true
	for i := range s.rules {
		rule := &s.rules[i]
		if applies(rule, row) && expires(rule, row.since(), s.at) {
			return s.expire(&ref)
		}
	}
	return nil
}

// applies says whether a rule is about an object. Bounds on sizes leave delete markers out.
func applies(rule *metainfo.LifecycleRule, row *objectRow) bool {
	sized := rule.MinSize > 0 || rule.MaxSize > 0
	return !rule.Disabled && bytes.HasPrefix(row.Key, rule.Prefix) && !(sized && row.Marker) &&
		(rule.MinSize == 0 || row.PlainSize > rule.MinSize) && (rule.MaxSize == 0 || row.PlainSize < rule.MaxSize)
}

func expires(rule *metainfo.LifecycleRule, since, at time.Time) bool {
	return olderThan(rule.ExpireDays, since, at) || !rule.ExpireAt.IsZero() && !at.Before(rule.ExpireAt)
}

// olderThan says whether this many days have passed; 0 days never have.
func olderThan(days uint32, since, at time.Time) bool {
	return days > 0 && !at.Before(since.AddDate(0, 0, int(days)))
}

// expire deletes what is current.
func (s *steward) expire(ref *ObjectRef) error {
	t, err := aim(s.tx, *ref, s.at)
	if err != nil || t.live == nil {
		return err
	}
	done, err := t.retire(s.tx, s.budget)
	switch {
	case err != nil:
		return err
	case !done:
		s.result.Kept++
		return nil
	case s.bucket.Versioning == metainfo.Unversioned || t.live.Null && s.bucket.Versioning == metainfo.VersioningSuspended:
		s.result.Bytes += t.live.PlainSize
	}
	s.result.Expired++
	return nil
}

// marker removes a delete marker that nothing is left under.
func (s *steward) marker(ref *ObjectRef, row *objectRow) error {
	wanted := false
	for i := range s.rules {
		wanted = wanted || s.rules[i].ExpireMarkers && applies(&s.rules[i], row)
	}
	if !wanted {
		return nil
	}
	rows := rowsOf(s.tx, ref)
	defer rows.Close()
	for rows.Next() {
		other, err := fullRow(&rows)
		if err != nil {
			return err
		}
		if other.Version != row.Version && !other.expired(s.at) {
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	s.result.Removed++
	return deleteVersion(s.tx, ref, row, s.at, s.budget)
}

// noncurrent removes a version that stopped being the latest at a time.
func (s *steward) noncurrent(ref *ObjectRef, row *objectRow, replaced time.Time) error {
	wanted := false
	for i := range s.rules {
		rule := &s.rules[i]
		wanted = wanted || s.cursor.newer >= rule.NoncurrentKeep && olderThan(rule.NoncurrentDays, replaced, s.at) &&
			applies(rule, row)
	}
	if !wanted {
		s.cursor.newer++
		return nil
	}
	if row.locked(s.at, false) {
		s.cursor.newer++
		s.result.Kept++
		return nil
	}
	s.result.Removed++
	s.result.Bytes += row.PlainSize
	return deleteVersion(s.tx, ref, row, s.at, s.budget)
}

// uploads ends uploads in parts that were begun long ago.
func (s *steward) uploads() error {
	table := tables{}.pending()
	r := table.Prefix(appendBucketPrefix(nil, s.ref.Project, s.ref.Bucket))
	if len(s.cursor.key) > 0 {
		r.Start = append(table.Key(nil, pendingKey{s.object(s.cursor.key), s.cursor.stream}), 0)
	}
	return table.Scan(s.tx, r, func(k pendingKey, _ *emptyRow) (bool, error) {
		if s.more = s.budget.spent(); s.more {
			return false, nil
		}
		s.budget.reads--
		s.cursor.key, s.cursor.stream = k.ref.Key, k.stream
		row, found, err := getUpload(s.tx, k.stream)
		if err != nil || !found {
			return true, err
		}
		for i := range s.rules {
			rule := &s.rules[i]
			if !rule.Disabled && bytes.HasPrefix(k.ref.Key, rule.Prefix) && olderThan(rule.AbortUploadsAfter, row.created, s.at) {
				s.result.Aborted++
				s.budget.rows--
				return true, killUpload(s.tx, k.stream, &row, s.at)
			}
		}
		return true, nil
	})
}
