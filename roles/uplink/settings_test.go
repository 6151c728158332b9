package uplink

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

func TestBucketSettings(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	ttl := 48 * time.Hour
	if _, err := p.UpdateBucket(t.Context(), bucketName, BucketUpdate{Versioning: VersioningEnabled, ObjectLock: true, TTL: &ttl}); err != nil {
		t.Fatal(err)
	}
	bucket, err := p.StatBucket(t.Context(), bucketName)
	if err != nil || bucket.Versioning != VersioningEnabled || !bucket.ObjectLock || bucket.TTL != ttl {
		t.Fatalf("%+v, %v", bucket, err)
	}
	if o := put(t, p, "object", content(5), nil); o.Expires.IsZero() || time.Until(o.Expires) > ttl {
		t.Errorf("expires %v", o.Expires)
	}
	if _, err := p.UpdateBucket(t.Context(), bucketName, BucketUpdate{Versioning: VersioningSuspended}); !errors.Is(err, ErrBucketState) {
		t.Errorf("suspended with lock: %v", err)
	}
	negative, placement := -time.Second, 99
	for _, bad := range []BucketUpdate{{Versioning: 7}, {TTL: &negative}, {Placement: &placement}} {
		if _, err := p.UpdateBucket(t.Context(), bucketName, bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := p.UpdateBucket(t.Context(), "absent", BucketUpdate{Versioning: VersioningEnabled}); !errors.Is(err, ErrBucketNotFound) {
		t.Errorf("absent: %v", err)
	}
}

// TestChanges holds what caches rely on: another number after every change of an object.
func TestChanges(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	seen := map[uint64]string{}
	after := func(what string) {
		t.Helper()
		list := p.List(t.Context(), bucketName, nil)
		list.Next()
		bucket, err := p.StatBucket(t.Context(), bucketName)
		if err != nil || list.Err() != nil || bucket.Changes != list.Changes() {
			t.Fatalf("%s: bucket says %d, the listing %d; %v, %v", what, bucket.Changes, list.Changes(), err, list.Err())
		}
		if before, ok := seen[bucket.Changes]; ok {
			t.Errorf("after %s as after %s", what, before)
		}
		seen[bucket.Changes] = what
	}
	after("nothing")
	put(t, p, "small", content(5), nil)
	after("inline")
	put(t, p, "large", content(2*testSegment), nil)
	after("segments")
	if err := p.UpdateTags(t.Context(), bucketName, "small", Tags{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	after("tags")
	if _, err := p.Copy(t.Context(), bucketName, "small", bucketName, "copy", nil); err != nil {
		t.Fatal(err)
	}
	after("copy")
	if _, err := p.Move(t.Context(), bucketName, "copy", bucketName, "moved", nil); err != nil {
		t.Fatal(err)
	}
	after("move")
	if err := p.Delete(t.Context(), bucketName, "moved"); err != nil {
		t.Fatal(err)
	}
	after("delete")
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	for _, name := range []string{
		DocumentTags, DocumentCORS, DocumentPolicy, DocumentWebsite, DocumentNotifications, DocumentLifecycle, DocumentACL,
		DocumentLogging, DocumentEncryption,
	} {
		if d, err := p.BucketDocument(t.Context(), bucketName, name); err != nil || len(d.Data) != 0 || !d.Changed.IsZero() {
			t.Errorf("%s before: %+v, %v", name, d, err)
		}
		data := []byte("document " + name)
		if err := p.SetBucketDocument(t.Context(), bucketName, name, data); err != nil {
			t.Fatal(err)
		}
		if d, err := p.BucketDocument(t.Context(), bucketName, name); err != nil || !bytes.Equal(d.Data, data) || d.Changed.IsZero() {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	if err := p.SetBucketDocument(t.Context(), bucketName, DocumentCORS, nil); err != nil {
		t.Fatal(err)
	}
	if d, err := p.BucketDocument(t.Context(), bucketName, DocumentCORS); err != nil || len(d.Data) != 0 {
		t.Errorf("removed: %+v, %v", d, err)
	}
	if err := p.SetBucketDocument(t.Context(), bucketName, "poem", []byte("x")); !errors.Is(err, ErrInvalid) {
		t.Errorf("unknown: %v", err)
	}
	if err := p.SetBucketDocument(t.Context(), bucketName, DocumentCORS, make([]byte, MaxDocumentSize+1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("too large: %v", err)
	}
	if _, err := p.BucketDocument(t.Context(), "absent", DocumentCORS); !errors.Is(err, ErrBucketNotFound) {
		t.Errorf("absent bucket: %v", err)
	}
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	rules := []LifecycleRule{
		{ID: "logs", Prefix: "logs/old/", ExpireDays: 30, MinSize: 5, MaxSize: 500},
		{ID: "rest", Disabled: true, NoncurrentDays: 7, NoncurrentKeep: 2, ExpireMarkers: true, AbortUploadsAfter: 1},
	}
	if err := p.SetLifecycle(t.Context(), bucketName, rules); err != nil {
		t.Fatal(err)
	}
	got, err := p.Lifecycle(t.Context(), bucketName)
	if err != nil || !reflect.DeepEqual(got, rules) {
		t.Errorf("rules come back as %+v, %v", got, err)
	}
	foreign, err := w.open(t, "wrong").Lifecycle(t.Context(), bucketName)
	if err != nil || len(foreign) != 2 || !foreign[0].Hidden || foreign[0].Prefix != "" || foreign[1].Hidden {
		t.Errorf("with another passphrase: %+v, %v", foreign, err)
	}
	if err := p.SetLifecycle(t.Context(), bucketName, foreign); !errors.Is(err, ErrLifecycleInvalid) {
		t.Errorf("hidden rule set: %v", err)
	}
	for _, bad := range []LifecycleRule{
		{}, {ExpireDays: -1}, {ExpireDays: 1 << 30}, {NoncurrentKeep: 1}, {ExpireDays: 1, MinSize: 9, MaxSize: 3},
	} {
		if err := p.SetLifecycle(t.Context(), bucketName, []LifecycleRule{bad}); !errors.Is(err, ErrLifecycleInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if err := p.SetLifecycle(t.Context(), bucketName, []LifecycleRule{{Prefix: "half", ExpireDays: 1}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("prefix that is no folder: %v", err)
	}
	if err := p.SetLifecycle(t.Context(), bucketName, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Lifecycle(t.Context(), bucketName); err != nil || len(got) != 0 {
		t.Errorf("removed: %+v, %v", got, err)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	put(t, p, "object", content(2*testSegment), nil)
	usage, err := p.Usage(t.Context())
	if err != nil || usage.Buckets != 1 || usage.Storage != 2*testSegment || usage.Objects != 1 || usage.Segments != 2 {
		t.Errorf("%+v, %v", usage, err)
	}
}

func TestDeletePrefix(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	for i := range 25 {
		put(t, p, fmt.Sprintf("dir/%d", i), content(i), nil)
		put(t, p, fmt.Sprintf("dir/sub/%d", i), content(i), nil)
	}
	put(t, p, "other", content(1), nil)
	if _, err := p.DeletePrefix(t.Context(), bucketName, "dir", nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("half a component: %v", err)
	}
	started, err := p.DeletePrefix(t.Context(), bucketName, "dir/", nil)
	if err != nil || started.ID == "" || started.Bucket != bucketName {
		t.Fatalf("%+v, %v", started, err)
	}
	var looks int
	done, err := p.WaitDeletion(t.Context(), started.ID, func(*Deletion) { looks++ })
	if err != nil || !done.Done || done.Objects != 50 || looks == 0 {
		t.Fatalf("%+v after %d looks, %v", done, looks, err)
	}
	list := p.List(t.Context(), bucketName, &ListOptions{Recursive: true})
	if !list.Next() || list.Item().Key != "other" || list.Next() || list.Err() != nil {
		t.Errorf("left: %+v, %v", list.Item(), list.Err())
	}
	if _, err := p.Deletion(t.Context(), "00112233445566778899aabbccddeeff"); !errors.Is(err, ErrDeletionNotFound) {
		t.Errorf("unknown: %v", err)
	}
	if _, err := p.Deletion(t.Context(), "x"); !errors.Is(err, ErrInvalid) {
		t.Errorf("nonsense: %v", err)
	}
	if _, err := p.DeletePrefix(t.Context(), "absent", "", nil); !errors.Is(err, ErrBucketNotFound) {
		t.Errorf("absent bucket: %v", err)
	}
}

func TestDropBucket(t *testing.T) {
	t.Parallel()
	p := versioned(t, newWorld(t, 10), true)
	held := put(t, p, "held", content(5), &UploadOptions{LegalHold: true})
	for range 3 {
		put(t, p, "object", content(5), nil)
	}
	started, err := p.DropBucket(t.Context(), bucketName, nil)
	if err != nil {
		t.Fatal(err)
	}
	done, err := p.WaitDeletion(t.Context(), started.ID, nil)
	if err == nil || done.Objects != 3 || done.Kept != 1 {
		t.Errorf("with a hold: %+v, %v", done, err)
	}
	if err := p.SetLegalHold(t.Context(), bucketName, "held", false, &LockOptions{Version: held.Version}); err != nil {
		t.Fatal(err)
	}
	if started, err = p.DropBucket(t.Context(), bucketName, nil); err != nil {
		t.Fatal(err)
	}
	if done, err = p.WaitDeletion(t.Context(), started.ID, nil); err != nil || done.Objects != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := p.StatBucket(t.Context(), bucketName); !errors.Is(err, ErrBucketNotFound) {
		t.Errorf("bucket: %v", err)
	}
}

// TestDeletionIsWaitedForThroughARestart takes the satellite away while somebody waits.
func TestDeletionIsWaitedForThroughARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		put(t, p, "dir/object", content(5), nil)
		w.loseAnswer("DeletePrefix", 1)
		started, err := p.DeletePrefix(t.Context(), bucketName, "dir/", nil)
		if err != nil {
			t.Fatal(err)
		}
		w.network.Kill(w.satellite.ID)
		time.AfterFunc(5*time.Second, func() { w.network.Revive(w.satellite.ID) })
		if done, err := p.WaitDeletion(t.Context(), started.ID, nil); err != nil || !done.Done {
			t.Errorf("%+v, %v", done, err)
		}
	})
}
