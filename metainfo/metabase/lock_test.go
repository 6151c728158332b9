package metabase_test

import (
	"testing"
	"testing/synctest"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
)

// lockWorld has a bucket with object lock.
func lockWorld(t *testing.T) *world {
	w := newWorldOn(t, memkv.New(memkv.Options{RunTwice: true}))
	w.versioning(metainfo.VersioningEnabled)
	w.settings(metainfo.UpdateBucketRequest{Change: metainfo.ChangeLock, Lock: true})
	return w
}

func TestSetLock(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	type change struct {
		mode   metainfo.RetentionMode
		until  time.Duration // from now; with no mode: take it away
		bypass bool
		want   error
	}
	const none, governance, compliance = metainfo.NoRetention, metainfo.Governance, metainfo.Compliance
	tests := map[string][]change{
		"governance":               {{governance, hour, false, nil}, {governance, 2 * hour, false, nil}, {governance, hour, false, metainfo.ErrLocked}, {governance, hour, true, nil}},
		"governance taken away":    {{governance, hour, false, nil}, {none, 0, false, metainfo.ErrLocked}, {none, 0, true, nil}, {none, 0, false, nil}},
		"compliance":               {{compliance, hour, false, nil}, {compliance, 2 * hour, false, nil}, {compliance, hour, true, metainfo.ErrRetention}},
		"compliance taken away":    {{compliance, hour, false, nil}, {none, 0, true, metainfo.ErrRetention}},
		"compliance to governance": {{compliance, hour, false, nil}, {governance, 3 * hour, true, metainfo.ErrRetention}},
		"governance to compliance": {{governance, hour, false, nil}, {compliance, hour, false, nil}, {none, 0, true, metainfo.ErrRetention}},
		"shorter compliance":       {{governance, 2 * hour, false, nil}, {compliance, hour, false, metainfo.ErrLocked}, {compliance, hour, true, nil}},
		"past":                     {{governance, -hour, true, metainfo.ErrRetention}, {governance, 0, true, metainfo.ErrRetention}},
		"no mode":                  {{none, hour, true, metainfo.ErrRetention}, {7, hour, true, metainfo.ErrRetention}},
	}
	for name, changes := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := lockWorld(t)
				w.put("k", "content")
				for i, c := range changes {
					l := metabase.SetLock{ObjectRef: w.ref("k"), SetRetention: true, BypassGovernance: c.bypass}
					if l.Retention.Mode = c.mode; c.until != 0 || c.mode != none {
						l.Retention.Until = time.Now().Add(c.until)
					}
					if err := w.SetLock(w.ctx, l); c.want != nil || err != nil {
						wantErr(t, string(rune('0'+i)), err, c.want)
					}
				}
			})
		})
	}
}

func TestSetLockErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("k", "content")
	hold := metabase.SetLock{ObjectRef: w.ref("k"), SetHold: true, LegalHold: true}
	wantErr(t, "no lock", w.SetLock(w.ctx, hold), metainfo.ErrNoLock)
	c := w.inline(w.upload("k"), "x")
	c.LegalHold = true
	wantErr(t, "commit without lock", errOf(w.CommitObject(w.ctx, c)), metainfo.ErrNoLock)
	wantErr(t, "begin without lock", w.BeginUpload(w.ctx, metabase.BeginUpload{Upload: w.upload("k"), LegalHold: true}), metainfo.ErrNoLock)
	w.versioning(metainfo.VersioningEnabled)
	w.settings(metainfo.UpdateBucketRequest{Change: metainfo.ChangeLock, Lock: true})
	hold.Key = []byte("none")
	wantErr(t, "absent", w.SetLock(w.ctx, hold), metainfo.ErrObjectNotFound)
	w.delete(w.ref("k"))
	hold.Key = []byte("k")
	wantErr(t, "marker", w.SetLock(w.ctx, hold), metainfo.ErrDeleteMarker)
	hold.Bucket = "none"
	wantErr(t, "no bucket", w.SetLock(w.ctx, hold), metainfo.ErrBucketNotFound)

	expires := w.inline(w.upload("e"), "x")
	expires.Expires = time.Now().Add(time.Hour)
	expires.Retention = metainfo.Retention{Mode: metainfo.Governance, Until: time.Now().Add(2 * time.Hour)}
	wantErr(t, "outlives the expiry", errOf(w.CommitObject(w.ctx, expires)), metainfo.ErrRetention)
	expires.Retention.Until = time.Now().Add(30 * time.Minute)
	wantErr(t, "ends before it", errOf(w.CommitObject(w.ctx, expires)), nil)
	wantErr(t, "held beyond it", w.SetLock(w.ctx, metabase.SetLock{ObjectRef: w.ref("e"), SetHold: true, LegalHold: true}), metainfo.ErrRetention)
	past := w.inline(w.upload("p"), "x")
	past.Retention = metainfo.Retention{Mode: metainfo.Governance, Until: time.Now().Add(-time.Hour)}
	wantErr(t, "past", errOf(w.CommitObject(w.ctx, past)), metainfo.ErrRetention)
}

// TestLockedStays tries every way to get rid of a version that is locked.
func TestLockedStays(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		mode   metainfo.RetentionMode
		hold   bool
		bypass bool // would do
	}{"governance": {metainfo.Governance, false, true}, "compliance": {metainfo.Compliance, false, false}, "hold": {0, true, false}}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := lockWorld(t)
				c := w.inline(w.upload("k"), "content")
				c.LegalHold = test.hold
				if test.mode != 0 {
					c.Retention = metainfo.Retention{Mode: test.mode, Until: time.Now().Add(100 * 24 * time.Hour)}
				}
				o, err := w.CommitObject(w.ctx, c)
				wantErr(t, "commit", err, nil)
				ref := w.ref("k")
				ref.Version = o.Version
				if item := w.delete(ref); item.Reason != metainfo.ErrLocked.Reason || item.Version != 0 {
					t.Errorf("delete: %+v", item)
				}
				wantErr(t, "move", errOf(w.CopyObject(w.ctx, metabase.CopyObject{From: ref, To: w.ref("x"), Move: true})), metainfo.ErrLocked)
				wantErr(t, "metadata", w.UpdateMetadata(w.ctx, ref, o.Stream, nil), metainfo.ErrLocked)
				_, err = w.DeleteBucket(w.ctx, w.project, "bucket")
				wantErr(t, "bucket", err, metainfo.ErrBucketNotEmpty)
				w.put("k", "newer")
				time.Sleep(50 * 24 * time.Hour)
				wantErr(t, "rules", w.PutLifecycle(w.ctx, w.project, "bucket", metainfo.Lifecycle{
					Rules: []metainfo.LifecycleRule{{NoncurrentDays: 1}},
				}), nil)
				result, _, _, err := w.RunLifecycleBatch(w.ctx, metabase.BucketRef{Project: w.project, Bucket: "bucket"}, metabase.LifecycleCursor{}, time.Now())
				if err != nil || result.Kept != 1 || result.Removed != 0 {
					t.Errorf("lifecycle: %+v, %v", result, err)
				}
				for _, drop := range []bool{false, true} {
					d, err := w.StartDeletion(w.ctx, metabase.StartDeletion{Project: w.project, Bucket: "bucket", AllVersions: true, DropBucket: drop})
					wantErr(t, "deletion", err, nil)
					if d, _, err = w.RunDeletionBatch(w.ctx, d.ID); err != nil || d.Kept != 1 || d.Reason != metainfo.ErrLocked.Reason || !d.Done {
						t.Errorf("deletion: %+v, %v", d, err)
					}
				}
				if got := w.content("k"); got != "content" {
					t.Errorf("content %q", got)
				}
				items, err := w.Delete(w.ctx, metabase.Delete{
					Project: w.project, Bucket: "bucket", Items: []metainfo.DeleteItem{{Key: []byte("k"), Version: o.Version}}, BypassGovernance: true,
				})
				if err != nil || (items[0].Reason == 0) != test.bypass {
					t.Errorf("bypass: %+v, %v", items, err)
				}
				time.Sleep(50 * 24 * time.Hour)
				if item := w.delete(ref); (item.Reason == 0) == test.hold {
					t.Errorf("delete after its time: %+v", item)
				}
			})
		})
	}
}

func TestDefaultRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := lockWorld(t)
		w.settings(metainfo.UpdateBucketRequest{
			Change: metainfo.ChangeRetention, Retention: metainfo.DefaultRetention{Mode: metainfo.Compliance, Days: 3},
		})
		want := metainfo.Retention{Mode: metainfo.Compliance, Until: time.Now().AddDate(0, 0, 3).UTC()}
		if o := w.put("k", "x"); o.Retention != want {
			t.Errorf("default: %+v", o.Retention)
		}
		c := w.inline(w.upload("k"), "x")
		c.Retention = metainfo.Retention{Mode: metainfo.Governance, Until: time.Now().Add(time.Hour).UTC()}
		if o, err := w.CommitObject(w.ctx, c); err != nil || o.Retention != c.Retention {
			t.Errorf("own: %+v, %v", o.Retention, err)
		}
		o, err := w.CopyObject(w.ctx, metabase.CopyObject{From: w.ref("k"), To: w.ref("copy"), LegalHold: true})
		if err != nil || o.Retention != want || !o.LegalHold {
			t.Errorf("copy: %+v, %v", o, err)
		}
		up := w.upload("parts")
		wantErr(t, "begin", w.BeginUpload(w.ctx, metabase.BeginUpload{Upload: up, Retention: c.Retention, LegalHold: true}), nil)
		w.part(up, 1, "p")
		time.Sleep(2 * time.Hour) // what was kept has passed: no reason to refuse
		o, err = w.CommitObject(w.ctx, metabase.CommitObject{Upload: up})
		if err != nil || o.Retention != c.Retention || !o.LegalHold {
			t.Errorf("parts: %+v, %v", o, err)
		}
	})
}
