package metabase_test

import (
	"bytes"
	"testing"
	"time"

	"storj/metainfo"
	"storj/metainfo/metabase"
)

func TestUpdateBucket(t *testing.T) {
	t.Parallel()
	const versioning, lock, retention, ttl = metainfo.ChangeVersioning, metainfo.ChangeLock, metainfo.ChangeRetention, metainfo.ChangeTTL
	week := metainfo.DefaultRetention{Mode: metainfo.Governance, Days: 7}
	type change = metainfo.UpdateBucketRequest
	enabled := change{Change: versioning, Versioning: metainfo.VersioningEnabled}
	tests := map[string]struct {
		changes []change // all but the last succeed
		want    error
	}{
		"enable":               {[]change{enabled}, nil},
		"suspend":              {[]change{enabled, {Change: versioning, Versioning: metainfo.VersioningSuspended}}, nil},
		"enable again":         {[]change{enabled, {Change: versioning, Versioning: metainfo.VersioningSuspended}, enabled}, nil},
		"take versioning back": {[]change{enabled, {Change: versioning}}, metainfo.ErrVersioning},
		"lock":                 {[]change{enabled, {Change: lock, Lock: true}}, nil},
		"lock and enable":      {[]change{{Change: lock | versioning, Lock: true, Versioning: metainfo.VersioningEnabled}}, nil},
		"lock alone":           {[]change{{Change: lock, Lock: true}}, metainfo.ErrVersioning},
		"unlock":               {[]change{enabled, {Change: lock, Lock: true}, {Change: lock}}, metainfo.ErrVersioning},
		"suspend with lock":    {[]change{enabled, {Change: lock, Lock: true}, {Change: versioning, Versioning: metainfo.VersioningSuspended}}, metainfo.ErrVersioning},
		"retention":            {[]change{enabled, {Change: lock | retention, Lock: true, Retention: week}, {Change: retention}}, nil},
		"retention alone":      {[]change{{Change: retention, Retention: week}}, metainfo.ErrNoLock},
		"retention of nothing": {[]change{{Change: retention, Retention: metainfo.DefaultRetention{Days: 1}}}, metainfo.ErrRetention},
		"TTL":                  {[]change{{Change: ttl, TTL: time.Hour}, {Change: ttl}}, nil},
		"negative TTL":         {[]change{{Change: ttl, TTL: -1}}, metainfo.ErrExpiry},
		"TTL ends before lock": {[]change{enabled, {Change: lock | retention, Lock: true, Retention: week}, {Change: ttl, TTL: time.Hour}}, metainfo.ErrRetention},
		"TTL ends after lock":  {[]change{enabled, {Change: lock | retention, Lock: true, Retention: week}, {Change: ttl, TTL: 7 * 24 * time.Hour}}, nil},
		"placement":            {[]change{{Change: metainfo.ChangePlacement, Placement: 5}}, nil},
		"nothing at all":       {[]change{{Versioning: metainfo.VersioningEnabled, Lock: true, TTL: -5}}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for i, c := range test.changes {
				c.Name = "bucket"
				before, err := w.Bucket(w.ctx, w.project, "bucket")
				wantErr(t, "get", err, nil)
				var want error
				if i == len(test.changes)-1 {
					want = test.want
				}
				made, err := w.UpdateBucket(w.ctx, w.project, &c)
				wantErr(t, "update", err, want)
				after, err := w.Bucket(w.ctx, w.project, "bucket")
				if want != nil {
					made = before
				}
				if err != nil || after != made {
					t.Errorf("bucket %+v, %v; want %+v", after, err, made)
				}
			}
		})
	}
	w := newWorld(t)
	_, err := w.UpdateBucket(w.ctx, w.project, &change{Name: "none"})
	wantErr(t, "no bucket", err, metainfo.ErrBucketNotFound)
	b, err := w.CreateBucket(w.ctx, w.project, metainfo.Bucket{Name: "locked", Lock: true, Placement: 3})
	if err != nil || b.Versioning != metainfo.VersioningEnabled {
		t.Errorf("created with lock: %+v, %v", b, err)
	}
	_, err = w.CreateBucket(w.ctx, w.project, metainfo.Bucket{Name: "retention", Retention: week})
	wantErr(t, "created with retention alone", err, metainfo.ErrNoLock)
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	get := func(bucket, name string) metainfo.BucketDocument {
		t.Helper()
		d, err := w.BucketDocument(w.ctx, w.project, bucket, name)
		wantErr(t, "get "+name, err, nil)
		return d
	}
	if d := get("bucket", "cors"); d.Data != nil || !d.Changed.IsZero() {
		t.Errorf("never put: %+v", d)
	}
	for _, name := range metainfo.Documents() {
		wantErr(t, "put", w.PutBucketDocument(w.ctx, w.project, "bucket", name, []byte(name)), nil)
	}
	for _, name := range metainfo.Documents() {
		if d := get("bucket", name); string(d.Data) != name || time.Since(d.Changed) > time.Hour {
			t.Errorf("%s: %+v", name, d)
		}
	}
	large := bytes.Repeat([]byte("x"), metainfo.MaxDocument)
	wantErr(t, "largest", w.PutBucketDocument(w.ctx, w.project, "bucket", "cors", large), nil)
	wantErr(t, "larger", w.PutBucketDocument(w.ctx, w.project, "bucket", "cors", append(large, 'x')), metainfo.ErrDocument)
	wantErr(t, "unknown", w.PutBucketDocument(w.ctx, w.project, "bucket", "other", nil), metainfo.ErrDocument)
	_, err := w.BucketDocument(w.ctx, w.project, "bucket", "other")
	wantErr(t, "unknown", err, metainfo.ErrDocument)
	wantErr(t, "remove", w.PutBucketDocument(w.ctx, w.project, "bucket", "cors", nil), nil)
	if d := get("bucket", "cors"); d.Data != nil {
		t.Error("removed document is there")
	}
	wantErr(t, "no bucket", w.PutBucketDocument(w.ctx, w.project, "none", "cors", large), metainfo.ErrBucketNotFound)

	rules := metainfo.Lifecycle{Rules: []metainfo.LifecycleRule{{ID: "one", ExpireDays: 1}, {ID: "two", AbortUploadsAfter: 3}}}
	wantErr(t, "rules", w.PutLifecycle(w.ctx, w.project, "bucket", rules), nil)
	if got, err := w.Lifecycle(w.ctx, w.project, "bucket"); err != nil || len(got.Rules) != 2 || got.Rules[1].AbortUploadsAfter != 3 {
		t.Errorf("rules: %+v, %v", got, err)
	}
	if list, err := w.LifecycleBuckets(w.ctx); err != nil || len(list) != 1 || list[0] != (metabase.BucketRef{Project: w.project, Bucket: "bucket"}) {
		t.Errorf("buckets with rules: %+v, %v", list, err)
	}
	wantErr(t, "bad rule", w.PutLifecycle(w.ctx, w.project, "bucket", metainfo.Lifecycle{Rules: make([]metainfo.LifecycleRule, 1)}), metainfo.ErrLifecycle)
	wantErr(t, "no bucket", w.PutLifecycle(w.ctx, w.project, "none", rules), metainfo.ErrBucketNotFound)

	_, err = w.DeleteBucket(w.ctx, w.project, "bucket")
	wantErr(t, "delete bucket", err, nil)
	w.bucket("bucket")
	if d := get("bucket", "tags"); d.Data != nil {
		t.Error("a new bucket has the document of an old one")
	}
	if list, err := w.LifecycleBuckets(w.ctx); err != nil || len(list) != 0 {
		t.Errorf("a new bucket has the rules of an old one: %+v, %v", list, err)
	}
}

func TestProjectLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	limits := metainfo.Limits{Storage: 1 << 40, Objects: 7, Buckets: 2}
	wantErr(t, "set", w.SetProjectLimits(w.ctx, w.project, limits), nil)
	if p, err := w.Project(w.ctx, w.project); err != nil || p.Limits != limits || p.Name != "project" {
		t.Errorf("project: %+v, %v", p, err)
	}
	w.bucket("second")
	_, err := w.CreateBucket(w.ctx, w.project, metainfo.Bucket{Name: "third"})
	wantErr(t, "third bucket", err, metainfo.ErrTooManyBuckets)
	wantErr(t, "no project", w.SetProjectLimits(w.ctx, metainfo.ProjectID{1}, limits), metainfo.ErrProjectNotFound)
}
