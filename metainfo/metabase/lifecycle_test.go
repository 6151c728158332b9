package metabase_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
)

const day = 24 * time.Hour

// lifecycle applies rules to the bucket once, batch by batch.
func (w *world) lifecycle(rules ...metainfo.LifecycleRule) (total metabase.LifecycleResult, batches int) {
	w.t.Helper()
	wantErr(w.t, "rules", w.PutLifecycle(w.ctx, w.project, "bucket", metainfo.Lifecycle{Rules: rules}), nil)
	cursor := metabase.LifecycleCursor{}
	for more := true; more; batches++ {
		var r metabase.LifecycleResult
		var err error
		r, cursor, more, err = w.RunLifecycleBatch(w.ctx, metabase.BucketRef{Project: w.project, Bucket: "bucket"}, cursor, time.Now())
		if err != nil {
			w.t.Fatal(err)
		}
		total.Expired, total.Removed, total.Aborted = total.Expired+r.Expired, total.Removed+r.Removed, total.Aborted+r.Aborted
		total.Kept, total.Bytes = total.Kept+r.Kept, total.Bytes+r.Bytes
	}
	return total, batches
}

// TestLifecycleRules has one version a day of one key, and a rule each.
func TestLifecycleRules(t *testing.T) {
	t.Parallel()
	type rule = metainfo.LifecycleRule
	date := func(add time.Duration) time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(add) }
	versions := "k=4* k=3 k=2 k=1 k=(0)" // written on the days of their numbers; it is day 4 and an hour
	tests := map[string]struct {
		rule rule
		want string
	}{
		"expire today":         {rule{ExpireDays: 1}, versions},
		"other prefix":         {rule{ExpireAt: date(0), Prefix: []byte("x/")}, versions},
		"disabled":             {rule{ExpireAt: date(0), Disabled: true}, versions},
		"by date":              {rule{ExpireAt: date(0)}, "k=X* k=4 k=3 k=2 k=1 k=(0)"},
		"before the date":      {rule{ExpireAt: date(5 * day)}, versions},
		"noncurrent 1":         {rule{NoncurrentDays: 1}, "k=4* k=3"},
		"noncurrent 2":         {rule{NoncurrentDays: 2}, "k=4* k=3 k=2"},
		"noncurrent 4":         {rule{NoncurrentDays: 4}, versions},
		"noncurrent 1, keep 2": {rule{NoncurrentDays: 1, NoncurrentKeep: 2}, "k=4* k=3 k=2"},
		"noncurrent 3, keep 1": {rule{NoncurrentDays: 3, NoncurrentKeep: 1}, "k=4* k=3 k=2 k=1"},
		"large ones only":      {rule{NoncurrentDays: 1, MinSize: 1}, versions},
		"small ones only":      {rule{NoncurrentDays: 1, MaxSize: 2}, "k=4* k=3"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorldOn(t, memkv.New(memkv.Options{RunTwice: true}))
				for i := range 5 {
					w.put("k", fmt.Sprint(i))
					w.versioning(metainfo.VersioningEnabled)
					if i < 4 {
						time.Sleep(day)
					}
				}
				time.Sleep(time.Hour)
				w.lifecycle(test.rule)
				if got := w.versions(); got != test.want {
					t.Errorf("%q, want %q", got, test.want)
				}
			})
		})
	}
}

// TestLifecycleCurrentDeleted deletes the newest version between two batches: the one below is current then.
func TestLifecycleCurrentDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(t, memkv.New(memkv.Options{RunTwice: true}))
		w.SetBatch(1)
		w.versioning(metainfo.VersioningEnabled)
		w.put("k", "1")
		w.put("k", "2")
		top := w.ref("k")
		top.Version = w.put("k", "3").Version
		time.Sleep(10 * day)
		wantErr(t, "rules", w.PutLifecycle(w.ctx, w.project, "bucket", metainfo.Lifecycle{
			Rules: []metainfo.LifecycleRule{{NoncurrentDays: 1}},
		}), nil)
		cursor := metabase.LifecycleCursor{}
		for i, more := 0, true; more; i++ {
			var err error
			_, cursor, more, err = w.RunLifecycleBatch(w.ctx, metabase.BucketRef{Project: w.project, Bucket: "bucket"}, cursor, time.Now())
			wantErr(t, "batch", err, nil)
			if i == 0 {
				w.delete(top)
			}
		}
		if got := w.versions(); got != "k=2*" {
			t.Errorf("%q is left, want the version that became the latest", got)
		}
	})
}

// TestLifecycleCourse follows a key through its days: expired, then its versions removed, then its marker.
func TestLifecycleCourse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(t, memkv.New(memkv.Options{RunTwice: true}))
		w.versioning(metainfo.VersioningEnabled)
		w.put("k", "a")
		rule := metainfo.LifecycleRule{ExpireDays: 2, NoncurrentDays: 2, ExpireMarkers: true}
		for i, want := range []string{"k=a*", "k=a*", "k=X* k=a", "k=X* k=a", "k=X*", ""} {
			w.lifecycle(rule)
			if got := w.versions(); got != want {
				t.Errorf("day %d: %q, want %q", i, got, want)
			}
			time.Sleep(day)
		}
		w.versioning(metainfo.VersioningSuspended)
		w.put("k", "b")
		time.Sleep(2 * day)
		if r, _ := w.lifecycle(rule); r.Expired != 1 || r.Bytes != 1 || w.versions() != "k=(X)*" {
			t.Errorf("suspended: %+v, %q", r, w.versions())
		}
	})
}

// TestLifecycleBatches has more than one batch holds, in folders most of which no rule is about, and a key of very many
// versions.
func TestLifecycleBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(t, memkv.New(memkv.Options{}))
		for i := range 6000 {
			w.put(fmt.Sprintf("%d/%04d", i%6, i), "12")
		}
		w.versioning(metainfo.VersioningEnabled)
		for i := range 2500 {
			w.put("9/many", fmt.Sprint(i))
		}
		for i := range 3 {
			w.part(w.beginParts(fmt.Sprintf("%d/up", i+2)), 1, "p")
		}
		time.Sleep(10 * day)
		w.put("9/many", "last")
		r, batches := w.lifecycle(
			metainfo.LifecycleRule{Prefix: []byte("2/"), ExpireDays: 3, AbortUploadsAfter: 5},
			metainfo.LifecycleRule{Prefix: []byte("4/"), ExpireDays: 10, AbortUploadsAfter: 11},
			metainfo.LifecycleRule{Prefix: []byte("9/"), NoncurrentDays: 1, NoncurrentKeep: 10},
		)
		if r.Expired != 2000 || r.Removed != 2490 || r.Aborted != 1 || batches < 2 {
			t.Errorf("first day: %+v in %d batches", r, batches)
		}
		time.Sleep(2 * day)
		r, _ = w.lifecycle(metainfo.LifecycleRule{Prefix: []byte("9/"), NoncurrentDays: 1, NoncurrentKeep: 9})
		if r.Expired != 0 || r.Removed != 1 {
			t.Errorf("third day: %+v", r)
		}
		if r, _ := w.lifecycle(); r != (metabase.LifecycleResult{}) {
			t.Errorf("without rules: %+v", r)
		}
	})
	w := newWorld(t)
	r, _, more, err := w.RunLifecycleBatch(w.ctx, metabase.BucketRef{Project: w.project, Bucket: "none"}, metabase.LifecycleCursor{}, time.Now())
	if err != nil || more || r != (metabase.LifecycleResult{}) {
		t.Errorf("no bucket: %+v, %v, %v", r, more, err)
	}
}
