package metatest

import (
	"errors"
	"reflect"
	"slices"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
)

func testSettings(b subject) {
	ctx := b.Context()
	update := func(req metainfo.UpdateBucketRequest) (*metainfo.Bucket, error) {
		req.Auth, req.Name = b.auth, bucket
		return b.svc.UpdateBucket(ctx, &req)
	}
	day := metainfo.DefaultRetention{Mode: metainfo.Governance, Days: 1}
	for _, test := range []struct {
		name string
		req  metainfo.UpdateBucketRequest
		want error
	}{
		{"lock without versioning", metainfo.UpdateBucketRequest{Change: metainfo.ChangeLock, Lock: true}, metainfo.ErrVersioning},
		{"retention without lock", metainfo.UpdateBucketRequest{Change: metainfo.ChangeRetention, Retention: day}, metainfo.ErrNoLock},
		{"suspended from the start", metainfo.UpdateBucketRequest{Change: metainfo.ChangeTTL, TTL: -time.Hour}, metainfo.ErrExpiry},
		{"unknown placement", metainfo.UpdateBucketRequest{Change: metainfo.ChangePlacement, Placement: 2}, metainfo.ErrPlacement},
		{"placement", metainfo.UpdateBucketRequest{Change: metainfo.ChangePlacement, Placement: 1}, nil},
		{"versioning", metainfo.UpdateBucketRequest{Change: metainfo.ChangeVersioning, Versioning: metainfo.VersioningEnabled}, nil},
		{"lock", metainfo.UpdateBucketRequest{Change: metainfo.ChangeLock, Lock: true}, nil},
		{"lock taken back", metainfo.UpdateBucketRequest{Change: metainfo.ChangeLock}, metainfo.ErrVersioning},
		{"suspended with lock", metainfo.UpdateBucketRequest{Change: metainfo.ChangeVersioning, Versioning: metainfo.VersioningSuspended}, metainfo.ErrVersioning},
		{"retention", metainfo.UpdateBucketRequest{Change: metainfo.ChangeRetention, Retention: day}, nil},
		{"retention of both", metainfo.UpdateBucketRequest{Change: metainfo.ChangeRetention, Retention: metainfo.DefaultRetention{Mode: metainfo.Governance, Days: 1, Years: 1}}, metainfo.ErrRetention},
		{"absent", metainfo.UpdateBucketRequest{Change: metainfo.ChangeTTL, TTL: 72 * time.Hour}, nil},
	} {
		_, err := update(test.req)
		b.wantErr(test.name, err, test.want)
	}
	got, err := b.svc.GetBucket(ctx, &metainfo.BucketRequest{Auth: b.auth, Name: bucket})
	b.ok(err)
	if got.Placement != 1 || !got.Lock || got.Versioning != metainfo.VersioningEnabled || got.Retention != day || got.TTL != 72*time.Hour {
		b.Errorf("bucket is %+v", got)
	}
	if _, err := update(metainfo.UpdateBucketRequest{}); err == nil {
		b.Error("a change of nothing is no error")
	}
	if _, err := update(metainfo.UpdateBucketRequest{Change: 1 << 20}); err == nil {
		b.Error("an unknown setting is no error")
	}
	_, err = b.svc.UpdateBucket(ctx, &metainfo.UpdateBucketRequest{Auth: b.auth, Name: "absent", Change: metainfo.ChangeTTL})
	b.want(err, metainfo.ErrBucketNotFound)
	b.effects()
	b.newBuckets()
}

// effects writes into a bucket with placement 1, a longest life of three days and a retention of one.
func (b subject) effects() {
	b.Helper()
	ctx := b.Context()
	object := b.put("o", 1)
	if left := time.Until(object.Expires); left > 72*time.Hour || left < 71*time.Hour {
		b.Errorf("object lives for %v", left)
	}
	if left := time.Until(object.Retention.Until); object.Retention.Mode != metainfo.Governance || left > 24*time.Hour || left < 23*time.Hour {
		b.Errorf("retention is %+v", object.Retention)
	}
	begun, err := b.svc.BeginObject(ctx, &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte("r"), Plan: true})
	b.ok(err)
	limit := b.w.Limit(b, begun.Plan.Limits[0])
	if left := time.Until(limit.PieceExpires); left > 72*time.Hour || left < 71*time.Hour {
		b.Errorf("pieces live for %v", left)
	}
	made, err := b.svc.CommitObject(ctx, &metainfo.CommitObjectRequest{Auth: b.auth, Upload: begun.Upload, Segments: 1, Last: b.w.Store(b, begun.Plan, metainfo.Position{}, 0, 9000, 8)})
	b.ok(err)
	segment, err := b.w.DB.Segment(ctx, made.Stream, metainfo.Position{})
	b.ok(err)
	if segment.Placement != 1 {
		b.Errorf("placement of the segment is %d", segment.Placement)
	}
}

func (b subject) newBuckets() {
	b.Helper()
	create := func(req metainfo.CreateBucketRequest) (*metainfo.Bucket, error) {
		req.Auth = b.auth
		return b.svc.CreateBucket(b.Context(), &req)
	}
	_, err := create(metainfo.CreateBucketRequest{Name: "placed", Placement: 2})
	b.want(err, metainfo.ErrPlacement)
	_, err = create(metainfo.CreateBucketRequest{Name: "suspended", Versioning: metainfo.VersioningSuspended})
	b.want(err, metainfo.ErrVersioning)
	made, err := create(metainfo.CreateBucketRequest{Name: "all", Placement: 1, Versioning: metainfo.VersioningEnabled, PlainNames: true})
	b.ok(err)
	if made.Placement != 1 || made.Versioning != metainfo.VersioningEnabled || !made.PlainNames {
		b.Errorf("bucket is %+v", made)
	}
	noLock := b.w.Auth(b, macaroon.Caveat{DisallowPutBucketLock: true})
	_, err = b.svc.CreateBucket(b.Context(), &metainfo.CreateBucketRequest{Auth: noLock, Name: "lock", Lock: true})
	b.want(err, metainfo.ErrDenied)
}

func testDocuments(b subject) {
	ctx := b.Context()
	get := func(auth metainfo.Auth, name string) (*metainfo.BucketDocument, error) {
		return b.svc.GetBucketDocument(ctx, &metainfo.BucketDocumentRequest{Auth: auth, Bucket: bucket, Name: name})
	}
	put := func(auth metainfo.Auth, name, data string) error {
		return b.svc.PutBucketDocument(ctx, &metainfo.PutBucketDocumentRequest{Auth: auth, Bucket: bucket, Name: name, Data: []byte(data)})
	}
	for _, name := range metainfo.Documents() {
		if d, err := get(b.auth, name); err != nil || len(d.Data) != 0 || !d.Changed.IsZero() {
			b.Errorf("%s at first: %+v, %v", name, d, err)
		}
		b.ok(put(b.auth, name, "text of "+name))
		if d, err := get(b.auth, name); err != nil || string(d.Data) != "text of "+name || d.Changed.IsZero() {
			b.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	b.ok(put(b.auth, metainfo.DocumentTags, ""))
	if d, err := get(b.auth, metainfo.DocumentTags); err != nil || len(d.Data) != 0 || !d.Changed.IsZero() {
		b.Errorf("removed: %+v, %v", d, err)
	}
	b.want(put(b.auth, "unknown", "x"), metainfo.ErrDocument)
	_, err := get(b.auth, "unknown")
	b.want(err, metainfo.ErrDocument)
	part := macaroon.Caveat{AllowedPaths: []macaroon.AllowedPath{{Bucket: bucket, EncryptedPrefix: []byte("a/")}}}
	for _, test := range []struct {
		name        string
		caveat      macaroon.Caveat
		read, write []string // of CORS, policy, notifications
	}{
		{"part", part, []string{"cors"}, nil},
		{"no notifications", macaroon.Caveat{DisallowBucketNotifications: true}, []string{"cors", "policy"}, []string{"cors", "policy"}},
		{"no reads", macaroon.Caveat{DisallowReads: true}, []string{"notifications"}, []string{"cors", "policy", "notifications"}},
		{"no writes", macaroon.Caveat{DisallowWrites: true}, []string{"cors", "policy", "notifications"}, []string{"notifications"}},
	} {
		auth := b.w.Auth(b, test.caveat)
		for _, name := range []string{"cors", "policy", "notifications"} {
			if _, err := get(auth, name); errors.Is(err, metainfo.ErrDenied) == slices.Contains(test.read, name) {
				b.Errorf("key with %s reads %s: %v", test.name, name, err)
			}
			if err := put(auth, name, "y"); errors.Is(err, metainfo.ErrDenied) == slices.Contains(test.write, name) {
				b.Errorf("key with %s writes %s: %v", test.name, name, err)
			}
		}
	}
}

func testLifecycle(b subject) {
	ctx := b.Context()
	rules := metainfo.Lifecycle{Rules: []metainfo.LifecycleRule{
		{ID: "old", Prefix: []byte("tmp/"), ExpireDays: 1},
		{ID: "stale", AbortUploadsAfter: 2},
	}}
	put := func(auth metainfo.Auth, l metainfo.Lifecycle) error {
		return b.svc.PutLifecycle(ctx, &metainfo.PutLifecycleRequest{Auth: auth, Bucket: bucket, Lifecycle: l})
	}
	b.ok(put(b.auth, rules))
	got, err := b.svc.GetLifecycle(ctx, &metainfo.BucketRequest{Auth: b.auth, Name: bucket})
	b.ok(err)
	if !reflect.DeepEqual(*got, rules) {
		b.Errorf("rules are %+v", got)
	}
	b.want(put(b.auth, metainfo.Lifecycle{Rules: []metainfo.LifecycleRule{{ID: "nothing"}}}), metainfo.ErrLifecycle)
	b.want(put(b.w.Auth(b, macaroon.Caveat{DisallowDeletes: true}), rules), metainfo.ErrDenied)
	b.put("tmp/a", 1)
	b.put("keep", 1)
	b.beginParts("stale")
	before := b.changes()
	did, err := b.w.Endpoint.LifecycleRound(ctx, time.Now().Add(50*time.Hour))
	b.ok(err)
	if did.Expired != 1 || did.Aborted != 1 {
		b.Errorf("the round did %+v", did)
	}
	if b.changes() == before {
		b.Error("the change counter did not notice")
	}
	_, err = b.get("tmp/a")
	b.want(err, metainfo.ErrObjectNotFound)
	b.ok(errOf(b.get("keep")))
	b.ok(put(b.auth, metainfo.Lifecycle{}))
	if got, err := b.svc.GetLifecycle(ctx, &metainfo.BucketRequest{Auth: b.auth, Name: bucket}); err != nil || len(got.Rules) != 0 {
		b.Errorf("rules are %+v, %v", got, err)
	}
}

// changes is the bucket's counter, which listings must agree with.
func (b subject) changes() uint64 {
	b.Helper()
	got, err := b.svc.GetBucket(b.Context(), &metainfo.BucketRequest{Auth: b.auth, Name: bucket})
	b.ok(err)
	page, err := b.svc.ListObjects(b.Context(), &metainfo.ListObjectsRequest{Auth: b.auth, Bucket: bucket})
	b.ok(err)
	if page.Changes != got.Changes || got.Changes == 0 {
		b.Errorf("changes are %d of the bucket, %d of the listing", got.Changes, page.Changes)
	}
	return got.Changes
}

// testChanges makes every kind of change and looks at the counter.
func testChanges(b subject) {
	ctx := b.Context()
	last := b.changes()
	if again := b.changes(); again != last {
		b.Error("the counter moves by itself")
	}
	var made *metainfo.Object
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"commit", func() { made = b.put("a", 1) }},
		{"replace", func() { made = b.put("a", 2) }},
		{"metadata", func() {
			b.ok(b.svc.UpdateMetadata(ctx, &metainfo.UpdateMetadataRequest{Auth: b.auth, Bucket: bucket, Key: []byte("a"), Stream: made.Stream, Metadata: []byte("m")}))
		}},
		{"copy", func() {
			b.ok(errOf(b.svc.CopyObject(ctx, &metainfo.CopyObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte("a"), Stream: made.Stream, ToBucket: bucket, ToKey: []byte("b"), WrappedKey: []byte("w")})))
		}},
		{"delete", func() { b.remove("a", metainfo.LatestVersion) }},
		{"parts", func() {
			begun := b.beginParts("p")
			b.putPart(begun.Upload, 1, 5)
			b.ok(errOf(b.commitParts(begun.Upload)))
		}},
		{"deletion", func() {
			b.ok(errOf(b.svc.DeletePrefix(ctx, &metainfo.DeletePrefixRequest{Auth: b.auth, Bucket: bucket})))
			b.ok(b.w.Endpoint.DeletionRound(ctx))
		}},
	} {
		step.do()
		if next := b.changes(); next == last {
			b.Errorf("%s: the counter did not notice", step.name)
		} else {
			last = next
		}
	}
}
