package uplink

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"storj/metainfo"
)

// versioned is withBucket with versioning, and object lock if wanted.
func versioned(t testing.TB, w *world, lock bool) *Project {
	t.Helper()
	p := w.open(t, "secret")
	if _, err := p.CreateBucket(t.Context(), bucketName, &BucketOptions{Versioning: true, ObjectLock: lock}); err != nil {
		t.Fatal(err)
	}
	return p
}

func versionsOf(t testing.TB, p *Project, opts *ListVersionsOptions) (objects []Object) {
	t.Helper()
	it := p.ListVersions(t.Context(), bucketName, opts)
	for it.Next() {
		objects = append(objects, *it.Item())
	}
	if it.Err() != nil || it.Hidden() != 0 {
		t.Fatalf("listing of versions ended with %v, %d hidden", it.Err(), it.Hidden())
	}
	return objects
}

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for _, number := range []uint64{metainfo.LatestVersion, metainfo.NullVersion, 1, 1 << 50, 1<<64 - 2} {
		if got, err := parseVersion(versionOf(number)); err != nil || got != number {
			t.Errorf("%d comes back as %d, %v", number, got, err)
		}
	}
	for _, text := range []string{"0000000000000000", "ffffffffffffffff", "1", "x", "000000000000000G", "00000000000000AB", "Null", "-00000000000000b"} {
		if _, err := parseVersion(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestVersions writes versions of several objects and walks through all that can be done with them.
func TestVersions(t *testing.T) {
	t.Parallel()
	p := versioned(t, newWorld(t, 10), false)
	var made []*Object
	for i := range 3 {
		made = append(made, put(t, p, "dir/a", content(100+i*testSegment), &UploadOptions{Metadata: CustomMetadata{"n": fmt.Sprint(i)}}))
		put(t, p, "dir/b", content(10), nil)
	}
	all := versionsOf(t, p, &ListVersionsOptions{Key: "dir/a", Custom: true})
	if len(all) != 3 {
		t.Fatalf("versions of one object: %+v", all)
	}
	for i, v := range all {
		want := made[2-i]
		if v.Version != want.Version || v.Revision != want.Revision || v.IsLatest != (i == 0) || v.IsDeleteMarker || v.Custom["n"] != fmt.Sprint(2-i) {
			t.Errorf("version %d is %+v, want %+v", i, v, want)
		}
		got, err := p.StatVersion(t.Context(), bucketName, "dir/a", v.Version)
		if err != nil || got.Revision != v.Revision || got.Size != want.Size {
			t.Errorf("version %d: %+v, %v", i, got, err)
		}
		if data := get(t, p, "dir/a", &DownloadOptions{Version: v.Version}); !bytes.Equal(data, content(100+(2-i)*testSegment)) {
			t.Errorf("content of version %d differs", i)
		}
	}
	if err := p.UpdateObject(t.Context(), bucketName, "dir/a", ObjectUpdate{Version: made[0].Version, Tags: Tags{"old": "yes"}}); err != nil {
		t.Fatal(err)
	}
	if got, err := p.StatVersion(t.Context(), bucketName, "dir/a", made[0].Version); err != nil || got.Tags["old"] != "yes" || got.Custom["n"] != "0" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := p.Copy(t.Context(), bucketName, "dir/a", bucketName, "copy", &CopyOptions{Version: made[1].Version}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, p, "copy", nil), content(100+testSegment)) {
		t.Error("copy of a version differs")
	}
}

func TestDeleteMarkers(t *testing.T) {
	t.Parallel()
	p := versioned(t, newWorld(t, 10), false)
	first := put(t, p, "object", content(5), nil)
	result, err := p.DeleteObject(t.Context(), bucketName, "object", nil)
	if err != nil || !result.Marker || result.Version == "" {
		t.Fatalf("%+v, %v", result, err)
	}
	for name, err := range map[string]error{
		"stat":     second(p.Stat(t.Context(), bucketName, "object")),
		"download": second(p.Download(t.Context(), bucketName, "object", nil)),
		"marker":   second(p.StatVersion(t.Context(), bucketName, "object", result.Version)),
	} {
		if !errors.Is(err, ErrObjectNotFound) || !errors.Is(err, ErrDeleteMarker) {
			t.Errorf("%s: %v", name, err)
		}
	}
	list := p.List(t.Context(), bucketName, nil)
	if list.Next() || list.Err() != nil {
		t.Errorf("deleted object is listed: %+v, %v", list.Item(), list.Err())
	}
	all := versionsOf(t, p, nil)
	if len(all) != 2 || !all[0].IsDeleteMarker || !all[0].IsLatest || all[0].Version != result.Version || all[1].Version != first.Version {
		t.Fatalf("versions %+v", all)
	}
	if !bytes.Equal(get(t, p, "object", &DownloadOptions{Version: first.Version}), content(5)) {
		t.Error("older version differs")
	}

	restored, err := p.RestoreVersion(t.Context(), bucketName, "object", first.Version)
	if err != nil || restored.Version == first.Version {
		t.Fatalf("restored as %+v, %v", restored, err)
	}
	if !bytes.Equal(get(t, p, "object", nil), content(5)) {
		t.Error("restored object differs")
	}
	again, err := p.RestoreVersion(t.Context(), bucketName, "object", restored.Version)
	if err != nil || again.Version != restored.Version {
		t.Errorf("the latest restored as %+v, %v", again, err)
	}
	if _, err := p.RestoreVersion(t.Context(), bucketName, "object", result.Version); !errors.Is(err, ErrDeleteMarker) {
		t.Errorf("marker restored: %v", err)
	}

	for _, version := range []string{restored.Version, result.Version, first.Version} {
		gone, err := p.DeleteObject(t.Context(), bucketName, "object", &DeleteOptions{Version: version})
		if err != nil || !gone.Found || gone.Version != version || gone.Marker != (version == result.Version) {
			t.Errorf("deletion of version %s: %+v, %v", version, gone, err)
		}
	}
	if all := versionsOf(t, p, nil); len(all) != 0 {
		t.Errorf("versions left: %+v", all)
	}
	if _, err := p.DeleteObject(t.Context(), bucketName, "object", &DeleteOptions{Version: first.Version}); !errors.Is(err, ErrObjectNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestNullVersions goes from an unversioned bucket to a versioned one, to a suspended one.
func TestNullVersions(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	if o := put(t, p, "object", content(1), nil); o.Version != NullVersion {
		t.Errorf("version %q in an unversioned bucket", o.Version)
	}
	bucket, err := p.UpdateBucket(t.Context(), bucketName, BucketUpdate{Versioning: VersioningEnabled})
	if err != nil || bucket.Versioning != VersioningEnabled {
		t.Fatalf("%+v, %v", bucket, err)
	}
	named := put(t, p, "object", content(2), nil)
	if named.Version == NullVersion {
		t.Error("null version in a versioned bucket")
	}
	if !bytes.Equal(get(t, p, "object", &DownloadOptions{Version: NullVersion}), content(1)) {
		t.Error("null version differs")
	}
	if _, err := p.UpdateBucket(t.Context(), bucketName, BucketUpdate{Versioning: VersioningSuspended}); err != nil {
		t.Fatal(err)
	}
	put(t, p, "object", content(3), nil)
	put(t, p, "object", content(4), nil)
	all := versionsOf(t, p, &ListVersionsOptions{Key: "object"})
	if len(all) != 2 || all[0].Version != NullVersion || all[1].Version != named.Version || all[0].Size != 4 {
		t.Errorf("versions %+v", all)
	}
}

// TestVersionCursors lists again from behind each version.
func TestVersionCursors(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	for i := range 3 {
		put(t, p, fmt.Sprintf("dir/%d", i), content(i), nil)
	}
	if _, err := p.UpdateBucket(t.Context(), bucketName, BucketUpdate{Versioning: VersioningEnabled}); err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		put(t, p, fmt.Sprintf("dir/%d", i%3), content(i), nil)
	}
	for _, base := range []ListVersionsOptions{{Prefix: "dir/"}, {Recursive: true}, {Key: "dir/1"}} {
		all := versionsOf(t, p, &base)
		if base.Key == "" && len(all) != 10 || base.Key != "" && len(all) != 3 {
			t.Fatalf("%+v has %d versions", base, len(all))
		}
		for i, v := range all {
			opts := base
			opts.Cursor, opts.CursorVersion = v.Key, v.Version
			rest := versionsOf(t, p, &opts)
			if !slices.EqualFunc(rest, all[i+1:], func(a, b Object) bool { return a.Key == b.Key && a.Version == b.Version }) {
				t.Errorf("%+v behind number %d: %d versions, want %d", base, i, len(rest), len(all)-i-1)
			}
			opts.CursorVersion = ""
			rest = versionsOf(t, p, &opts)
			if slices.ContainsFunc(rest, func(o Object) bool { return o.Key == v.Key }) {
				t.Errorf("%+v behind all of %s shows more of it", base, v.Key)
			}
		}
	}
	it := p.ListVersions(t.Context(), bucketName, &ListVersionsOptions{CursorVersion: "nonsense"})
	if it.Next() || !errors.Is(it.Err(), ErrInvalid) {
		t.Errorf("cursor version: %v", it.Err())
	}
}

// TestVersionIsWrittenOnce loses answers: a repeated write must not leave a second version.
func TestVersionIsWrittenOnce(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, 100000, 2 * testSegment} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 10)
				p := versioned(t, w, false)
				w.loseAnswer("CommitObject", 1)
				put(t, p, "object", content(size), nil)
				w.loseAnswer("CopyObject", 1)
				if _, err := p.Copy(t.Context(), bucketName, "object", bucketName, "copy", nil); err != nil {
					t.Fatal(err)
				}
				for _, key := range []string{"object", "copy"} {
					if all := versionsOf(t, p, &ListVersionsOptions{Key: key}); len(all) != 1 {
						t.Errorf("%d versions of %s", len(all), key)
					}
				}
			})
		})
	}
}

func TestObjectLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := versioned(t, w, true)
	until := time.Now().Add(24 * time.Hour).Round(0).UTC()
	governed := put(t, p, "governed", content(5), &UploadOptions{Retention: Retention{Governance, until}})
	if got, err := p.Stat(t.Context(), bucketName, "governed"); err != nil || !got.Retention.Until.Equal(until) || got.Retention.Mode != Governance {
		t.Fatalf("%+v, %v", got, err)
	}
	complied := put(t, p, "complied", content(testSegment+5), &UploadOptions{Retention: Retention{Compliance, until}})
	held := put(t, p, "held", content(5), &UploadOptions{LegalHold: true})
	tests := []struct {
		key, version string
		bypass       bool
		want         error
	}{
		{"governed", governed.Version, false, ErrObjectLocked},
		{"governed", governed.Version, true, nil},
		{"complied", complied.Version, false, ErrObjectLocked},
		{"complied", complied.Version, true, ErrObjectLocked},
		{"held", held.Version, true, ErrObjectLocked},
		{"held", "", false, nil}, // a delete marker
	}
	for _, test := range tests {
		_, err := p.DeleteObject(t.Context(), bucketName, test.key, &DeleteOptions{Version: test.version, BypassGovernance: test.bypass})
		if !errors.Is(err, test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
	shorter := Retention{Compliance, until.Add(-time.Hour)}
	if err := p.SetRetention(t.Context(), bucketName, "complied", shorter, &LockOptions{BypassGovernance: true}); err == nil {
		t.Error("compliance was weakened")
	}
	longer := Retention{Compliance, until.Add(time.Hour)}
	if err := p.SetRetention(t.Context(), bucketName, "complied", longer, nil); err != nil {
		t.Errorf("compliance made longer: %v", err)
	}
	if err := p.SetLegalHold(t.Context(), bucketName, "held", false, &LockOptions{Version: held.Version}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.DeleteObject(t.Context(), bucketName, "held", &DeleteOptions{Version: held.Version}); err != nil {
		t.Errorf("without hold: %v", err)
	}
	for _, bad := range []Retention{{Governance, time.Time{}}, {NoRetention, until}, {7, until}} {
		if err := p.SetRetention(t.Context(), bucketName, "complied", bad, nil); !errors.Is(err, ErrRetentionInvalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestLockNeedsItsBucket(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	put(t, p, "object", content(5), nil)
	until := time.Now().Add(time.Hour)
	if err := p.SetRetention(t.Context(), bucketName, "object", Retention{Governance, until}, nil); !errors.Is(err, ErrObjectLockDisabled) {
		t.Errorf("set retention: %v", err)
	}
	_, err := p.Put(t.Context(), bucketName, "held", bytes.NewReader(nil), &UploadOptions{LegalHold: true})
	if !errors.Is(err, ErrObjectLockDisabled) {
		t.Errorf("put: %v", err)
	}
	if _, err := p.UpdateBucket(t.Context(), bucketName, BucketUpdate{ObjectLock: true}); !errors.Is(err, ErrBucketState) {
		t.Errorf("lock without versioning: %v", err)
	}
}

func TestDefaultRetention(t *testing.T) {
	t.Parallel()
	p := versioned(t, newWorld(t, 10), true)
	retention := DefaultRetention{Mode: Compliance, Days: 3}
	bucket, err := p.UpdateBucket(t.Context(), bucketName, BucketUpdate{DefaultRetention: &retention})
	if err != nil || bucket.DefaultRetention != retention || !bucket.ObjectLock {
		t.Fatalf("%+v, %v", bucket, err)
	}
	object := put(t, p, "object", content(5), nil)
	if left := time.Until(object.Retention.Until); object.Retention.Mode != Compliance || left < 71*time.Hour || left > 73*time.Hour {
		t.Errorf("retention %+v", object.Retention)
	}
	if _, err := p.DeleteObject(t.Context(), bucketName, "object", &DeleteOptions{Version: object.Version}); !errors.Is(err, ErrObjectLocked) {
		t.Errorf("deleted: %v", err)
	}
	bad := DefaultRetention{Mode: Compliance, Days: 1, Years: 1}
	if _, err := p.UpdateBucket(t.Context(), bucketName, BucketUpdate{DefaultRetention: &bad}); !errors.Is(err, ErrRetentionInvalid) {
		t.Errorf("days and years: %v", err)
	}
}

// TestDeleteItems deletes many at once, some of which cannot be.
func TestDeleteItems(t *testing.T) {
	t.Parallel()
	p := versioned(t, newWorld(t, 10), true)
	free := put(t, p, "free", content(5), nil)
	held := put(t, p, "held", content(5), &UploadOptions{LegalHold: true})
	results, err := p.DeleteItems(t.Context(), bucketName, []DeleteItem{
		{Key: "free", Version: free.Version}, {Key: "held", Version: held.Version}, {Key: "absent", Version: free.Version},
		{Key: "held", IfRevision: free.Revision},
	}, nil)
	if err != nil || len(results) != 4 {
		t.Fatalf("%+v, %v", results, err)
	}
	if r := results[0]; !r.Found || r.Err != nil || r.Version != free.Version {
		t.Errorf("free: %+v", r)
	}
	if r := results[1]; !errors.Is(r.Err, ErrObjectLocked) {
		t.Errorf("held: %+v", r)
	}
	if r := results[2]; r.Found || r.Err != nil {
		t.Errorf("absent: %+v", r)
	}
	if r := results[3]; !errors.Is(r.Err, ErrObjectChanged) {
		t.Errorf("other revision: %+v", r)
	}
}
