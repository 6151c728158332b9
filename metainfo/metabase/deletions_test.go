package metabase_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/netx"
)

// runDeletion does a deletion to its end, each batch by a DB that was just opened, and between does what others do.
func (w *world) runDeletion(d metabase.StartDeletion, between func(batch int)) (metainfo.Deletion, int) {
	w.t.Helper()
	d.Project, d.Bucket = w.project, "bucket"
	job, err := w.StartDeletion(w.ctx, d)
	wantErr(w.t, "start", err, nil)
	batches := 0
	for more := true; more; batches++ {
		time.Sleep(time.Millisecond) // of the bubble: what comes between comes later than the start
		between(batches)
		ids, err := w.PendingDeletions(w.ctx)
		if err != nil || len(ids) != 1 || ids[0] != job.ID {
			w.t.Fatalf("pending: %v, %v", ids, err)
		}
		fresh, err := metabase.Open(w.ctx, w.Store())
		wantErr(w.t, "open", err, nil)
		fresh.SetBatch(500)
		if job, more, err = fresh.RunDeletionBatch(w.ctx, job.ID); err != nil {
			w.t.Fatal(err)
		}
	}
	if ids, err := w.PendingDeletions(w.ctx); err != nil || len(ids) != 0 {
		w.t.Errorf("pending after the end: %v, %v", ids, err)
	}
	return job, batches
}

func TestDeletions(t *testing.T) {
	t.Parallel()
	const objects = 1100 // more than one batch
	tests := map[string]struct {
		versioning metainfo.Versioning
		d          metabase.StartDeletion
		want       int64 // deleted
		left       int   // versions, with the ones that came between
		reason     error
	}{
		"prefix":             {0, metabase.StartDeletion{Prefix: []byte("p/")}, objects, 2, nil},
		"prefix, markers":    {metainfo.VersioningEnabled, metabase.StartDeletion{Prefix: []byte("p/")}, objects, 2*objects + 2, nil},
		"prefix, suspended":  {metainfo.VersioningSuspended, metabase.StartDeletion{Prefix: []byte("p/")}, objects, objects + 2, nil},
		"prefix, versions":   {metainfo.VersioningEnabled, metabase.StartDeletion{Prefix: []byte("p/"), AllVersions: true}, objects, 2, nil},
		"all":                {0, metabase.StartDeletion{}, objects + 1, 1, nil},
		"bucket, not empty":  {metainfo.VersioningEnabled, metabase.StartDeletion{DropBucket: true}, objects + 1, 1, metainfo.ErrBucketNotEmpty},
		"folder of nothing":  {0, metabase.StartDeletion{Prefix: []byte("q/")}, 0, objects + 2, nil},
		"not a whole folder": {0, metabase.StartDeletion{Prefix: []byte("p/0/")}, 0, objects + 2, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorldOn(t, memkv.New(memkv.Options{RunTwice: true}))
				w.settings(metainfo.UpdateBucketRequest{Change: metainfo.ChangeVersioning, Versioning: test.versioning})
				for i := range objects {
					w.put(fmt.Sprintf("p/%05d", i), "12345")
				}
				w.put("r", "stays")
				got, batches := w.runDeletion(test.d, func(batch int) {
					if batch == 0 {
						w.put("p/~", "written after the start")
					}
				})
				want := netxReason(test.reason)
				if got.Objects != test.want || got.Kept != 0 || !got.Done || got.Reason != want || got.Bytes != 5*test.want {
					t.Errorf("%+v, want %d deleted, reason %d", got, test.want, want)
				}
				if test.want > 1000 && batches < 2 {
					t.Errorf("%d batches", batches)
				}
				left := 0
				req := metabase.ListObjects{Project: w.project, Bucket: "bucket", Recursive: true, Versions: true}
				for more := true; more; {
					page, err := w.ListObjects(w.ctx, req)
					if err != nil {
						t.Fatal(err)
					}
					for _, item := range page.Items {
						left++
						req.Cursor, req.CursorVersion = item.Object.Key, item.Object.Version
					}
					more = page.More
				}
				if left != test.left {
					t.Errorf("%d versions left, want %d", left, test.left)
				}
				if got := w.content("p/~"); got != "written after the start" {
					t.Errorf("what was written after the start: %q", got)
				}
			})
		})
	}
}

func netxReason(err error) netx.Reason {
	for _, e := range metainfo.Errors() {
		if err != nil && e.Is(err) {
			return e.Reason
		}
	}
	return 0
}

func TestDropBucket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(t, memkv.New(memkv.Options{RunTwice: true}))
		w.versioning(metainfo.VersioningEnabled)
		for i := range 1200 {
			w.put(fmt.Sprint(i%400), "x")
			if i%5 == 0 {
				w.delete(w.ref(fmt.Sprint(i % 400)))
			}
			if i < 30 {
				w.part(w.beginParts(fmt.Sprint("u", i)), 1, "p")
			}
		}
		wantErr(t, "rules", w.PutLifecycle(w.ctx, w.project, "bucket", metainfo.Lifecycle{Rules: []metainfo.LifecycleRule{{ExpireDays: 1}}}), nil)
		d, _ := w.runDeletion(metabase.StartDeletion{DropBucket: true}, func(int) {})
		if d.Objects != 1200 || d.Reason != 0 || !d.Done {
			t.Errorf("%+v", d)
		}
		_, err := w.Bucket(w.ctx, w.project, "bucket")
		wantErr(t, "bucket", err, metainfo.ErrBucketNotFound)
		if again, more, err := w.RunDeletionBatch(w.ctx, d.ID); err != nil || more || again.Objects != d.Objects {
			t.Errorf("run again: %+v, %v, %v", again, more, err)
		}
		w.sweepAll()
		if n, err := w.CountSegments(w.ctx); n != 0 || err != nil {
			t.Errorf("%d segments remain, %v", n, err)
		}
		if got, err := w.Deletion(w.ctx, w.project, d.ID); err != nil || got.Objects != d.Objects || got.ID != d.ID {
			t.Errorf("get: %+v, %v", got, err)
		}
		_, err = w.Deletion(w.ctx, metainfo.ProjectID{1}, d.ID)
		wantErr(t, "another project's", err, metainfo.ErrDeletionNotFound)
		time.Sleep(25 * time.Hour)
		if n, err := w.SweepDeletions(w.ctx, time.Now().Add(-24*time.Hour)); n != 1 || err != nil {
			t.Errorf("swept %d, %v", n, err)
		}
		_, err = w.Deletion(w.ctx, w.project, d.ID)
		wantErr(t, "swept", err, metainfo.ErrDeletionNotFound)
		_, _, err = w.RunDeletionBatch(w.ctx, d.ID)
		wantErr(t, "swept", err, metainfo.ErrDeletionNotFound)
	})
}

func TestStartDeletionErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range map[string]struct {
		d    metabase.StartDeletion
		want error
	}{
		"no bucket":          {metabase.StartDeletion{Bucket: "none"}, metainfo.ErrBucketNotFound},
		"half a component":   {metabase.StartDeletion{Bucket: "bucket", Prefix: []byte("a")}, metainfo.ErrListLimit},
		"prefix of a bucket": {metabase.StartDeletion{Bucket: "bucket", Prefix: []byte("a/"), DropBucket: true}, metainfo.ErrListLimit},
		"long prefix":        {metabase.StartDeletion{Bucket: "bucket", Prefix: []byte(strings.Repeat("a", 4000) + "/")}, metainfo.ErrListLimit},
	} {
		test.d.Project = w.project
		_, err := w.StartDeletion(w.ctx, test.d)
		wantErr(t, name, err, test.want)
	}
	// The bucket goes away by other ways.
	d, err := w.StartDeletion(w.ctx, metabase.StartDeletion{Project: w.project, Bucket: "bucket", DropBucket: true})
	wantErr(t, "start", err, nil)
	_, err = w.DeleteBucket(w.ctx, w.project, "bucket")
	wantErr(t, "delete bucket", err, nil)
	if d, more, err := w.RunDeletionBatch(w.ctx, d.ID); err != nil || more || !d.Done || d.Reason != 0 {
		t.Errorf("bucket is gone: %+v, %v, %v", d, more, err)
	}
}

// TestDeletionOfABucketMadeAnew has the bucket deleted and made again before the job gets to it.
func TestDeletionOfABucketMadeAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(t, memkv.New(memkv.Options{RunTwice: true}))
		var up metabase.Upload
		d, _ := w.runDeletion(metabase.StartDeletion{DropBucket: true}, func(batch int) {
			if batch > 0 {
				return
			}
			_, err := w.DeleteBucket(w.ctx, w.project, "bucket")
			wantErr(t, "delete bucket", err, nil)
			w.bucket("bucket")
			up = w.beginParts("k")
			w.part(up, 1, "part")
		})
		if !d.Done || d.Objects != 0 {
			t.Errorf("%+v", d)
		}
		_, err := w.CommitObject(w.ctx, metabase.CommitObject{Upload: up})
		wantErr(t, "commit to the bucket made anew", err, nil)
	})
}

// TestDeletionsAreBounded asks for deletions as fast as a client can.
func TestDeletionsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other, err := w.CreateProject(w.ctx, "other")
	wantErr(t, "project", err, nil)
	_, err = w.CreateBucket(w.ctx, other.ID, metainfo.Bucket{Name: "bucket"})
	wantErr(t, "bucket", err, nil)
	start := func(project metainfo.ProjectID) (metainfo.Deletion, error) {
		return w.StartDeletion(w.ctx, metabase.StartDeletion{Project: project, Bucket: "bucket", Prefix: []byte("p/")})
	}
	first, err := start(w.project)
	wantErr(t, "first", err, nil)
	for range 999 {
		_, err := start(w.project)
		wantErr(t, "start", err, nil)
	}
	_, err = start(w.project)
	wantErr(t, "one too many", err, metainfo.ErrRateLimit)
	_, err = start(other.ID)
	wantErr(t, "another project", err, nil)
	_, _, err = w.RunDeletionBatch(w.ctx, first.ID)
	wantErr(t, "run", err, nil)
	_, err = start(w.project)
	wantErr(t, "after one is done", err, nil)
	_, err = w.Deletion(w.ctx, w.project, first.ID)
	wantErr(t, "the one that was done", err, metainfo.ErrDeletionNotFound)
}
