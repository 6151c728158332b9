package metatest

import (
	"errors"
	"fmt"

	"storj/ecenc/macaroon"
	"storj/metainfo"
)

// deletePrefix starts a deletion, has it done, and returns how it ended.
func (b subject) deletePrefix(req metainfo.DeletePrefixRequest) *metainfo.Deletion {
	b.Helper()
	if req.Auth.APIKey == nil {
		req.Auth = b.auth
	}
	started, err := b.svc.DeletePrefix(b.Context(), &req)
	b.ok(err)
	if started.Done || started.ID == (metainfo.DeletionID{}) || started.Bucket != req.Bucket || string(started.Prefix) != string(req.Prefix) {
		b.Errorf("started %+v", started)
	}
	select {
	case <-b.w.Endpoint.Deletions():
	default:
		b.Error("nobody was told of the deletion")
	}
	b.ok(b.w.Endpoint.DeletionRound(b.Context()))
	ended, err := b.svc.GetDeletion(b.Context(), &metainfo.DeletionRequest{Auth: b.auth, ID: started.ID})
	b.ok(err)
	if !ended.Done {
		b.Errorf("deletion is not done: %+v", ended)
	}
	return ended
}

func (b subject) keys(name string) (keys []string) {
	b.Helper()
	page, err := b.svc.ListObjects(b.Context(), &metainfo.ListObjectsRequest{Auth: b.auth, Bucket: name, Recursive: true, Versions: true})
	b.ok(err)
	for _, item := range page.Items {
		keys = append(keys, string(item.Object.Key))
	}
	return keys
}

func testDeletions(b subject) {
	ctx := b.Context()
	for i := range 30 {
		b.put(fmt.Sprintf("dir/%02d", i), 10)
	}
	b.put("dirt", 1)
	b.put("keep/a", 1)
	if d := b.deletePrefix(metainfo.DeletePrefixRequest{Bucket: bucket, Prefix: []byte("dir/")}); d.Objects != 30 || d.Bytes != 300 || d.Reason != 0 {
		b.Errorf("ended %+v", d)
	}
	if got := fmt.Sprint(b.keys(bucket)); got != "[dirt keep/a]" {
		b.Errorf("left are %s", got)
	}
	for name, req := range map[string]metainfo.DeletePrefixRequest{
		"half a name":         {Bucket: bucket, Prefix: []byte("keep")},
		"part of a whole one": {Bucket: bucket, Prefix: []byte("keep/"), DropBucket: true},
	} {
		req.Auth = b.auth
		b.wantErr(name, errOf(b.svc.DeletePrefix(ctx, &req)), metainfo.ErrListLimit)
	}
	b.want(errOf(b.svc.DeletePrefix(ctx, &metainfo.DeletePrefixRequest{Auth: b.auth, Bucket: "absent"})), metainfo.ErrBucketNotFound)
	b.want(errOf(b.svc.GetDeletion(ctx, &metainfo.DeletionRequest{Auth: b.auth})), metainfo.ErrDeletionNotFound)
	b.deletionRights()
	b.dropBuckets()
}

// deletionRights tries who may start a deletion, and who may look at it.
func (b subject) deletionRights() {
	b.Helper()
	ctx := b.Context()
	in := func(prefix string) macaroon.Caveat {
		return macaroon.Caveat{AllowedPaths: []macaroon.AllowedPath{{Bucket: bucket, EncryptedPrefix: []byte(prefix)}}}
	}
	for _, test := range []struct {
		name   string
		caveat macaroon.Caveat
		prefix string
		bypass bool
		denied bool
	}{
		{"own prefix", in("keep/"), "keep/", false, false},
		{"beneath it", in("keep/"), "keep/more/", false, false},
		{"above it", in("keep/"), "", false, true},
		{"beginning of it", in("keep/"), "kee/", false, true},
		{"object of it", in("keep"), "keep/", false, false},
		{"no deletes", macaroon.Caveat{DisallowDeletes: true}, "keep/", false, true},
		{"no lists", macaroon.Caveat{DisallowLists: true}, "keep/", false, true},
		{"no reads", macaroon.Caveat{DisallowReads: true}, "none/", false, false},
		{"no bypass", macaroon.Caveat{DisallowBypassGovernanceRetention: true}, "none/", true, true},
		{"bypass", macaroon.Caveat{}, "none/", true, false},
	} {
		req := &metainfo.DeletePrefixRequest{Auth: b.w.Auth(b, test.caveat), Bucket: bucket, Prefix: []byte(test.prefix), BypassGovernance: test.bypass}
		if _, err := b.svc.DeletePrefix(ctx, req); errors.Is(err, metainfo.ErrDenied) != test.denied || !test.denied && err != nil {
			b.Errorf("%s: %v, want denied %v", test.name, err, test.denied)
		}
	}
	started, err := b.svc.DeletePrefix(ctx, &metainfo.DeletePrefixRequest{Auth: b.auth, Bucket: bucket, Prefix: []byte("none/")})
	b.ok(err)
	see := func(auth metainfo.Auth) error {
		return errOf(b.svc.GetDeletion(ctx, &metainfo.DeletionRequest{Auth: auth, ID: started.ID}))
	}
	_, stranger := b.w.NewProject(b, "somebody")
	b.want(see(b.w.Auth(b, in("none/"))), nil)
	b.want(see(b.w.Auth(b, in("keep/"))), metainfo.ErrDeletionNotFound)
	b.want(see(b.w.Auth(b, macaroon.Caveat{DisallowDeletes: true})), metainfo.ErrDeletionNotFound)
	b.want(see(Auth(b, stranger)), metainfo.ErrDeletionNotFound)
	b.ok(b.w.Endpoint.DeletionRound(ctx))
	<-b.w.Endpoint.Deletions()
}

// dropBuckets deletes buckets with what is in them, which may be locked.
func (b subject) dropBuckets() {
	b.Helper()
	ctx := b.Context()
	b.put("again", 1)
	b.version(metainfo.VersioningEnabled)
	b.put("again", 2)
	b.remove("again", metainfo.LatestVersion)
	if d := b.deletePrefix(metainfo.DeletePrefixRequest{Bucket: bucket, DropBucket: true}); d.Objects == 0 || d.Reason != 0 {
		b.Errorf("ended %+v", d)
	}
	b.want(errOf(b.svc.GetBucket(ctx, &metainfo.BucketRequest{Auth: b.auth, Name: bucket})), metainfo.ErrBucketNotFound)

	b.lockedBucket("vault")
	held, free := b.inline("held", 5), b.inline("free", 5)
	held.Bucket, free.Bucket, held.LegalHold = "vault", "vault", true
	b.ok(errOf(b.svc.CommitObject(ctx, held)))
	b.ok(errOf(b.svc.CommitObject(ctx, free)))
	d := b.deletePrefix(metainfo.DeletePrefixRequest{Bucket: "vault", DropBucket: true})
	if d.Objects != 1 || d.Kept != 1 || d.Reason == 0 {
		b.Errorf("ended %+v", d)
	}
	if got := fmt.Sprint(b.keys("vault")); got != "[held]" {
		b.Errorf("left are %s", got)
	}
}
