package metatest

import (
	"fmt"

	"storj/ecenc/macaroon"
	"storj/metainfo"
)

func (b subject) usage() *metainfo.ProjectUsage {
	b.Helper()
	usage, err := b.svc.ProjectUsage(b.Context(), &metainfo.ProjectUsageRequest{Auth: b.auth})
	b.ok(err)
	return usage
}

// testUsage bounds what the project may store and read, and sees it told.
func testUsage(b subject) {
	ctx := b.Context()
	b.put("before", 100)
	limits := metainfo.Limits{Storage: 1000, Objects: 5, Egress: 500, Buckets: 3}
	b.w.SetLimits(b, limits)
	if got := *b.usage(); got != (metainfo.ProjectUsage{Limits: limits, Storage: 100, Objects: 1, Segments: 1, Buckets: 1}) {
		b.Errorf("usage is %+v", got)
	}
	b.put("a", 600)
	commit := func(key string, size int64) error { return errOf(b.svc.CommitObject(ctx, b.inline(key, size))) }
	b.want(commit("b", 301), metainfo.ErrStorageLimit)
	if got := b.usage(); got.Storage != 700 || got.Objects != 2 {
		b.Errorf("usage is %+v", got)
	}
	b.want(commit("b", 300), nil)
	b.want(commit("c", 1), metainfo.ErrStorageLimit)
	b.want(errOf(b.svc.BeginObject(ctx, &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte("c")})), metainfo.ErrStorageLimit)
	b.want(errOf(b.svc.CopyObject(ctx, &metainfo.CopyObjectRequest{
		Auth: b.auth, Bucket: bucket, Key: []byte("a"), ToBucket: bucket, ToKey: []byte("d"), WrappedKey: []byte("w"),
	})), metainfo.ErrStorageLimit)
	b.egress()

	limits.Storage = 0
	b.w.SetLimits(b, limits)
	for i := range 2 {
		b.put(fmt.Sprintf("o%d", i), 1)
	}
	b.want(commit("o3", 1), metainfo.ErrObjectLimit)
	b.ok(errOf(b.svc.CreateBucket(ctx, &metainfo.CreateBucketRequest{Auth: b.auth, Name: "two"})))
	b.ok(errOf(b.svc.CreateBucket(ctx, &metainfo.CreateBucketRequest{Auth: b.auth, Name: "three"})))
	b.want(errOf(b.svc.CreateBucket(ctx, &metainfo.CreateBucketRequest{Auth: b.auth, Name: "four"})), metainfo.ErrTooManyBuckets)
	for name, want := range map[string]error{"in": metainfo.ErrDenied, "": nil} {
		auth := b.auth
		if name != "" {
			auth = b.w.Auth(b, macaroon.Caveat{AllowedPaths: []macaroon.AllowedPath{{Bucket: bucket}}})
		}
		_, err := b.svc.ProjectUsage(ctx, &metainfo.ProjectUsageRequest{Auth: auth})
		b.want(err, want)
	}
	b.partsOverLimit()
}

// egress reads until no more may be read.
func (b subject) egress() {
	b.Helper()
	b.ok(errOf(b.download("before", 0, -1)))
	b.ok(errOf(b.download("before", 0, 0))) // the record only
	b.ok(errOf(b.download("a", 0, 400)))
	if got := b.usage(); got.Egress != 500 {
		b.Errorf("egress is %d", got.Egress)
	}
	b.want(errOf(b.download("a", 0, 1)), metainfo.ErrEgressLimit)
	b.ok(errOf(b.get("a")))
	if get, _ := b.w.Allocated(); get.Useful != 500 || get.Limits != 0 {
		b.Errorf("allocated %+v", get)
	}
}

// partsOverLimit completes an upload in parts that is larger than there is room for, then a smaller one.
func (b subject) partsOverLimit() {
	b.Helper()
	b.w.SetLimits(b, metainfo.Limits{Storage: b.usage().Storage + 100})
	begun := b.beginParts("parts")
	b.putPart(begun.Upload, 1, 60)
	b.putPart(begun.Upload, 2, 60)
	b.want(errOf(b.commitParts(begun.Upload)), metainfo.ErrStorageLimit)
	for range 3 { // the room is taken once
		b.ok(errOf(b.commitParts(begun.Upload, 2)))
	}
	last := b.inline("last", 40)
	for range 3 {
		b.ok(errOf(b.svc.CommitObject(b.Context(), last)))
	}
	b.want(errOf(b.svc.CommitObject(b.Context(), b.inline("more", 1))), metainfo.ErrStorageLimit)
	b.ok(errOf(b.svc.CommitObject(b.Context(), last)))
}

// testAllocated counts what is handed out for remote segments.
func testAllocated(b subject) {
	b.putRemote("r", 1_000_000)
	_, put := b.w.Allocated()
	if put.Useful != 1_000_000 || put.Limits < 10*(metainfo.SegmentCipherSize/4) {
		b.Errorf("for the upload: %+v", put)
	}
	d, err := b.download("r", 0, -1)
	b.ok(err)
	var limits int64
	for _, l := range d.Segments[0].Limits {
		limits += b.w.Limit(b, l).Limit
	}
	get, _ := b.w.Allocated()
	if get.Useful != 1_000_000 || get.Limits != limits {
		b.Errorf("for the download: %+v, want limits of %d", get, limits)
	}
}

// testGroups commits segments whose pieces would be lost together.
func testGroups(b subject) {
	ctx := b.Context()
	commit := func(key string, count int, failed ...int) error {
		begun, err := b.svc.BeginObject(ctx, &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte(key), Plan: true})
		b.ok(err)
		s := b.w.Store(b, begun.Plan, metainfo.Position{}, 0, 100_000, count)
		for _, i := range failed {
			s.Failed = append(s.Failed, begun.Plan.Limits[i].Node.ID)
		}
		return errOf(b.svc.CommitObject(ctx, &metainfo.CommitObjectRequest{Auth: b.auth, Upload: begun.Upload, Segments: 1, Last: s}))
	}
	b.w.SetGroup(1, b.w.Nodes[:4]...) // 4/6/8/10: of eight pieces four may be lost together
	b.want(commit("four", 8), nil)
	b.w.SetGroup(1, b.w.Nodes[:5]...)
	b.want(commit("five", 8), metainfo.ErrAcks)
	b.want(commit("five of nine", 9), nil)
	if b.w.Underfull() != 0 {
		b.Error("a whole segment was reported")
	}
	b.want(commit("others failed", 8, 8, 9), nil) // better than nothing, and to be repaired
	if b.w.Underfull() != 1 {
		b.Error("a lopsided segment was not reported")
	}
	b.w.SetDown(true, b.w.Nodes[8:]...)
	b.want(commit("no others", 8), nil)
}
