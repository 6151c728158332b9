package metatest

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"strings"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
)

// testShares is the client that asks anyway: it holds a restricted key, and tokens that it should not have, and calls
// every method of the Service on what lies outside.
func testShares(b subject) {
	b.put("in/a", 10)
	outside := b.outsideCalls()
	methods := reflect.TypeFor[metainfo.Service]()
	for i := range methods.NumMethod() {
		if method := methods.Method(i).Name; !hasCall(outside, method) {
			b.Errorf("method %s is not tried", method)
		}
	}
	in := []macaroon.AllowedPath{{Bucket: bucket, EncryptedPrefix: []byte("in/")}}
	now := time.Now()
	for _, test := range []struct {
		name   string
		caveat macaroon.Caveat
		free   string // methods that concern no place, or are cut down instead
	}{
		{"prefix beside", macaroon.Caveat{AllowedPaths: in}, "ProjectInfo RevokeAPIKey ListBuckets GetBucket"},
		{"prefix that is the beginning of the name", macaroon.Caveat{AllowedPaths: []macaroon.AllowedPath{{Bucket: bucket, EncryptedPrefix: []byte("ou")}}},
			"ProjectInfo RevokeAPIKey ListBuckets GetBucket"},
		{"another bucket", macaroon.Caveat{AllowedPaths: []macaroon.AllowedPath{{Bucket: "elsewhere"}}}, "ProjectInfo RevokeAPIKey ListBuckets"},
		{"no operation", macaroon.Caveat{DisallowReads: true, DisallowWrites: true, DisallowLists: true, DisallowDeletes: true, DisallowLocks: true, DisallowBucketNotifications: true}, "ProjectInfo RevokeAPIKey"},
		{"ended", macaroon.Caveat{NotAfter: now.Add(-time.Second)}, ""},
		{"not begun", macaroon.Caveat{NotBefore: now.Add(time.Hour)}, ""},
	} {
		auth := b.w.Auth(b, test.caveat)
		for name, ask := range outside {
			method, _, _ := strings.Cut(name, ",")
			if strings.Contains(" "+test.free+" ", " "+method+" ") {
				continue
			}
			err := ask(auth)
			hidden := method == "GetDeletion" && errors.Is(err, metainfo.ErrDeletionNotFound) // its ID says nothing of where it is
			if !errors.Is(err, metainfo.ErrDenied) && !hidden {
				b.Errorf("key for %s: %s: %v", test.name, name, err)
			}
		}
	}
	b.sharedBuckets()
}

func hasCall(calls map[string]func(metainfo.Auth) error, method string) bool {
	for name := range calls {
		if first, _, _ := strings.Cut(name, ","); first == method {
			return true
		}
	}
	return false
}

// outsideCalls is a call of each method, or several, on objects under "out/" and their bucket, by its name.
func (b subject) outsideCalls() map[string]func(auth metainfo.Auth) error {
	ctx, key := b.Context(), []byte("out/a")
	made := b.put(string(key), 10)
	inner, err := b.get("in/a")
	b.ok(err)
	d, err := b.download(string(key), 0, -1)
	b.ok(err)
	begun, err := b.svc.BeginObject(ctx, &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte("out/new"), Plan: true})
	b.ok(err)
	child := b.w.Auth(b, macaroon.Caveat{DisallowReads: true}).APIKey
	calls := map[string]func(auth metainfo.Auth) error{
		"ProjectInfo": func(auth metainfo.Auth) error {
			return errOf(b.svc.ProjectInfo(ctx, &metainfo.ProjectInfoRequest{Auth: auth}))
		},
		"RevokeAPIKey": func(auth metainfo.Auth) error {
			return b.svc.RevokeAPIKey(ctx, &metainfo.RevokeAPIKeyRequest{Auth: auth, APIKey: child})
		},
		"CreateBucket": func(auth metainfo.Auth) error {
			return errOf(b.svc.CreateBucket(ctx, &metainfo.CreateBucketRequest{Auth: auth, Name: "my-own"}))
		},
		"GetBucket": func(auth metainfo.Auth) error {
			return errOf(b.svc.GetBucket(ctx, &metainfo.BucketRequest{Auth: auth, Name: bucket}))
		},
		"ListBuckets": func(auth metainfo.Auth) error {
			return errOf(b.svc.ListBuckets(ctx, &metainfo.ListBucketsRequest{Auth: auth}))
		},
		"DeleteBucket": func(auth metainfo.Auth) error {
			return b.svc.DeleteBucket(ctx, &metainfo.DeleteBucketRequest{Auth: auth, Name: bucket})
		},
		"BeginObject": func(auth metainfo.Auth) error {
			return errOf(b.svc.BeginObject(ctx, &metainfo.BeginObjectRequest{Auth: auth, Bucket: bucket, Key: []byte("out/b")}))
		},
		"BeginSegment": func(auth metainfo.Auth) error {
			return errOf(b.svc.BeginSegment(ctx, &metainfo.BeginSegmentRequest{Auth: auth, Upload: begun.Upload}))
		},
		"ReplacePieces": func(auth metainfo.Auth) error {
			return errOf(b.svc.ReplacePieces(ctx, &metainfo.ReplacePiecesRequest{Auth: auth, Token: begun.Plan.Token, Numbers: []int{0}}))
		},
		"CommitSegment": func(auth metainfo.Auth) error {
			return b.svc.CommitSegment(ctx, &metainfo.CommitSegmentRequest{Auth: auth, Upload: begun.Upload, Segment: *Inline(metainfo.Position{}, 0, 1)})
		},
		"CommitObject": func(auth metainfo.Auth) error {
			return errOf(b.svc.CommitObject(ctx, &metainfo.CommitObjectRequest{Auth: auth, Upload: begun.Upload, Segments: 1, Last: Inline(metainfo.Position{}, 0, 1)}))
		},
		"CommitObject, inline": func(auth metainfo.Auth) error {
			return errOf(b.svc.CommitObject(ctx, &metainfo.CommitObjectRequest{Auth: auth, Bucket: bucket, Key: []byte("out/b"), Segments: 1, Last: Inline(metainfo.Position{}, 0, 1)}))
		},
		"AbortObject": func(auth metainfo.Auth) error {
			return b.svc.AbortObject(ctx, &metainfo.AbortObjectRequest{Auth: auth, Upload: begun.Upload})
		},
		"GetObject": func(auth metainfo.Auth) error {
			return errOf(b.svc.GetObject(ctx, &metainfo.ObjectRequest{Auth: auth, Bucket: bucket, Key: key}))
		},
		"GetObject, folder": func(auth metainfo.Auth) error {
			return errOf(b.svc.GetObject(ctx, &metainfo.ObjectRequest{Auth: auth, Bucket: bucket, Key: []byte("out")}))
		},
		"Download": func(auth metainfo.Auth) error {
			return errOf(b.svc.Download(ctx, &metainfo.DownloadRequest{Auth: auth, Bucket: bucket, Key: key, Length: -1}))
		},
		"DownloadSegments": func(auth metainfo.Auth) error {
			return errOf(b.svc.DownloadSegments(ctx, &metainfo.DownloadSegmentsRequest{Auth: auth, Token: d.Token, Length: 10}))
		},
		"ListObjects": func(auth metainfo.Auth) error {
			return errOf(b.svc.ListObjects(ctx, &metainfo.ListObjectsRequest{Auth: auth, Bucket: bucket, Prefix: []byte("out/")}))
		},
		"ListObjects, whole bucket": func(auth metainfo.Auth) error {
			return errOf(b.svc.ListObjects(ctx, &metainfo.ListObjectsRequest{Auth: auth, Bucket: bucket, Recursive: true}))
		},
		"UpdateMetadata": func(auth metainfo.Auth) error {
			return b.svc.UpdateMetadata(ctx, &metainfo.UpdateMetadataRequest{Auth: auth, Bucket: bucket, Key: key, Stream: made.Stream})
		},
		"DeleteObjects": func(auth metainfo.Auth) error {
			return errOf(b.svc.DeleteObjects(ctx, &metainfo.DeleteObjectsRequest{Auth: auth, Bucket: bucket, Items: items([]byte("in/x"), key)}))
		},
		"CopyObject, in": func(auth metainfo.Auth) error {
			return errOf(b.svc.CopyObject(ctx, &metainfo.CopyObjectRequest{Auth: auth, Bucket: bucket, Key: key, Stream: made.Stream, ToBucket: bucket, ToKey: []byte("in/b")}))
		},
		"CopyObject, out": func(auth metainfo.Auth) error {
			return errOf(b.svc.CopyObject(ctx, &metainfo.CopyObjectRequest{Auth: auth, Bucket: bucket, Key: inner.Key, Stream: inner.Stream, ToBucket: bucket, ToKey: []byte("out/c"), Move: true}))
		},
	}
	maps.Copy(calls, b.outsideParts())
	maps.Copy(calls, b.outsideSettings(made))
	maps.Copy(calls, b.outsideLocks(made))
	return calls
}

// outsideParts is the calls about uploads in parts.
func (b subject) outsideParts() map[string]func(auth metainfo.Auth) error {
	ctx, key := b.Context(), []byte("out/parts")
	begun := b.beginParts(string(key))
	part, err := b.svc.BeginPart(ctx, &metainfo.BeginPartRequest{Auth: b.auth, Upload: begun.Upload, Number: 1, Plan: true})
	b.ok(err)
	last := Inline(metainfo.Position{Part: 1}, 0, 1)
	return map[string]func(auth metainfo.Auth) error{
		"BeginObject, in parts": func(auth metainfo.Auth) error {
			return errOf(b.svc.BeginObject(ctx, &metainfo.BeginObjectRequest{Auth: auth, Bucket: bucket, Key: key, Multipart: true}))
		},
		"BeginPart": func(auth metainfo.Auth) error {
			return errOf(b.svc.BeginPart(ctx, &metainfo.BeginPartRequest{Auth: auth, Upload: begun.Upload, Number: 1}))
		},
		"BeginSegment, of a part": func(auth metainfo.Auth) error {
			return errOf(b.svc.BeginSegment(ctx, &metainfo.BeginSegmentRequest{Auth: auth, Upload: part.Upload, Position: last.Position}))
		},
		"CommitSegment, of a part": func(auth metainfo.Auth) error {
			return b.svc.CommitSegment(ctx, &metainfo.CommitSegmentRequest{Auth: auth, Upload: part.Upload, Segment: *last})
		},
		"CommitPart": func(auth metainfo.Auth) error {
			return errOf(b.svc.CommitPart(ctx, &metainfo.CommitPartRequest{Auth: auth, Upload: part.Upload, Segments: 1, Last: last}))
		},
		"CommitObject, of parts": func(auth metainfo.Auth) error {
			return errOf(b.svc.CommitObject(ctx, &metainfo.CommitObjectRequest{Auth: auth, Upload: begun.Upload}))
		},
		"AbortObject, in parts": func(auth metainfo.Auth) error {
			return b.svc.AbortObject(ctx, &metainfo.AbortObjectRequest{Auth: auth, Upload: begun.Upload})
		},
		"AbortObject, a part": func(auth metainfo.Auth) error {
			return b.svc.AbortObject(ctx, &metainfo.AbortObjectRequest{Auth: auth, Upload: part.Upload})
		},
		"GetUpload": func(auth metainfo.Auth) error {
			return errOf(b.svc.GetUpload(ctx, &metainfo.UploadRequest{Auth: auth, Bucket: bucket, Key: key, Stream: begun.Stream}))
		},
		"ListUploads": func(auth metainfo.Auth) error {
			return errOf(b.svc.ListUploads(ctx, &metainfo.ListUploadsRequest{Auth: auth, Bucket: bucket, Prefix: []byte("out/")}))
		},
		"ListUploads, whole bucket": func(auth metainfo.Auth) error {
			return errOf(b.svc.ListUploads(ctx, &metainfo.ListUploadsRequest{Auth: auth, Bucket: bucket}))
		},
		"ListParts": func(auth metainfo.Auth) error {
			return errOf(b.svc.ListParts(ctx, &metainfo.ListPartsRequest{Auth: auth, Upload: begun.Upload}))
		},
		"ListParts, of an object": func(auth metainfo.Auth) error {
			return errOf(b.svc.ListParts(ctx, &metainfo.ListPartsRequest{Auth: auth, Bucket: bucket, Key: []byte("out/a")}))
		},
	}
}

// outsideSettings is the calls about the bucket as a whole.
func (b subject) outsideSettings(made *metainfo.Object) map[string]func(auth metainfo.Auth) error {
	ctx := b.Context()
	deletion, err := b.svc.DeletePrefix(ctx, &metainfo.DeletePrefixRequest{Auth: b.auth, Bucket: bucket, Prefix: []byte("out/none/")})
	b.ok(err)
	update := func(change metainfo.BucketChange) func(auth metainfo.Auth) error {
		return func(auth metainfo.Auth) error {
			return errOf(b.svc.UpdateBucket(ctx, &metainfo.UpdateBucketRequest{
				Auth: auth, Name: bucket, Change: change, Versioning: metainfo.VersioningEnabled, Lock: true,
			}))
		}
	}
	document := func(name string) func(auth metainfo.Auth) error {
		return func(auth metainfo.Auth) error {
			return errOf(b.svc.GetBucketDocument(ctx, &metainfo.BucketDocumentRequest{Auth: auth, Bucket: bucket, Name: name}))
		}
	}
	putDocument := func(name string) func(auth metainfo.Auth) error {
		return func(auth metainfo.Auth) error {
			return b.svc.PutBucketDocument(ctx, &metainfo.PutBucketDocumentRequest{Auth: auth, Bucket: bucket, Name: name, Data: []byte("x")})
		}
	}
	remove := func(prefix string, drop bool) func(auth metainfo.Auth) error {
		return func(auth metainfo.Auth) error {
			return errOf(b.svc.DeletePrefix(ctx, &metainfo.DeletePrefixRequest{Auth: auth, Bucket: bucket, Prefix: []byte(prefix), DropBucket: drop}))
		}
	}
	return map[string]func(auth metainfo.Auth) error{
		"UpdateBucket, versioning":         update(metainfo.ChangeVersioning),
		"UpdateBucket, lock":               update(metainfo.ChangeLock),
		"UpdateBucket, retention":          update(metainfo.ChangeRetention),
		"UpdateBucket, life":               update(metainfo.ChangeTTL),
		"UpdateBucket, placement":          update(metainfo.ChangePlacement),
		"UpdateBucket, nothing":            update(0),
		"GetBucketDocument, policy":        document(metainfo.DocumentPolicy),
		"GetBucketDocument, notifications": document(metainfo.DocumentNotifications),
		"GetBucketDocument, lifecycle":     document(metainfo.DocumentLifecycle),
		"GetBucketDocument, unknown":       document("unknown"),
		"PutBucketDocument, policy":        putDocument(metainfo.DocumentPolicy),
		"PutBucketDocument, CORS":          putDocument(metainfo.DocumentCORS),
		"PutBucketDocument, notifications": putDocument(metainfo.DocumentNotifications),
		"GetLifecycle": func(auth metainfo.Auth) error {
			return errOf(b.svc.GetLifecycle(ctx, &metainfo.BucketRequest{Auth: auth, Name: bucket}))
		},
		"PutLifecycle": func(auth metainfo.Auth) error {
			return b.svc.PutLifecycle(ctx, &metainfo.PutLifecycleRequest{Auth: auth, Bucket: bucket})
		},
		"DeletePrefix":               remove("out/", false),
		"DeletePrefix, all":          remove("", false),
		"DeletePrefix, bucket":       remove("", true),
		"DeletePrefix, no folder":    remove("o", false),
		"DeletePrefix, one above in": remove("i/", false),
		"GetDeletion": func(auth metainfo.Auth) error {
			return errOf(b.svc.GetDeletion(ctx, &metainfo.DeletionRequest{Auth: auth, ID: deletion.ID}))
		},
		"ProjectUsage": func(auth metainfo.Auth) error {
			return errOf(b.svc.ProjectUsage(ctx, &metainfo.ProjectUsageRequest{Auth: auth}))
		},
		"CreateBucket, with lock": func(auth metainfo.Auth) error {
			return errOf(b.svc.CreateBucket(ctx, &metainfo.CreateBucketRequest{Auth: auth, Name: "my-locked", Lock: true}))
		},
	}
}

// outsideLocks is the calls about versions and what protects them.
func (b subject) outsideLocks(made *metainfo.Object) map[string]func(auth metainfo.Auth) error {
	ctx, key := b.Context(), []byte("out/a")
	lock := func(req metainfo.SetLockRequest) func(auth metainfo.Auth) error {
		return func(auth metainfo.Auth) error {
			req.Auth, req.Bucket, req.Key = auth, bucket, key
			return b.svc.SetLock(ctx, &req)
		}
	}
	until := metainfo.Retention{Mode: metainfo.Governance, Until: time.Now().Add(time.Hour)}
	return map[string]func(auth metainfo.Auth) error{
		"SetLock, retention": lock(metainfo.SetLockRequest{SetRetention: true, Retention: until}),
		"SetLock, hold":      lock(metainfo.SetLockRequest{SetHold: true, LegalHold: true}),
		"SetLock, bypass":    lock(metainfo.SetLockRequest{SetRetention: true, BypassGovernance: true}),
		"SetLock, nothing":   lock(metainfo.SetLockRequest{}),
		"GetObject, version": func(auth metainfo.Auth) error {
			return errOf(b.svc.GetObject(ctx, &metainfo.ObjectRequest{Auth: auth, Bucket: bucket, Key: key, Version: made.Version}))
		},
		"Download, version": func(auth metainfo.Auth) error {
			return errOf(b.svc.Download(ctx, &metainfo.DownloadRequest{Auth: auth, Bucket: bucket, Key: key, Version: made.Version, Length: -1}))
		},
		"ListObjects, versions": func(auth metainfo.Auth) error {
			return errOf(b.svc.ListObjects(ctx, &metainfo.ListObjectsRequest{Auth: auth, Bucket: bucket, Prefix: []byte("out/"), Versions: true}))
		},
		"DeleteObjects, version": func(auth metainfo.Auth) error {
			return errOf(b.svc.DeleteObjects(ctx, &metainfo.DeleteObjectsRequest{
				Auth: auth, Bucket: bucket, Items: []metainfo.DeleteItem{{Key: key, Version: made.Version}},
			}))
		},
		"DeleteObjects, nothing": func(auth metainfo.Auth) error {
			return errOf(b.svc.DeleteObjects(ctx, &metainfo.DeleteObjectsRequest{Auth: auth, Bucket: bucket}))
		},
	}
}

func errOf[T any](_ T, err error) error { return err }

// sharedBuckets lists buckets with a key for some of them.
func (b subject) sharedBuckets() {
	b.Helper()
	for _, name := range []string{"aaa", "ccc"} {
		b.ok(errOf(b.svc.CreateBucket(b.Context(), &metainfo.CreateBucketRequest{Auth: b.auth, Name: name})))
	}
	auth := b.w.Auth(b, macaroon.Caveat{AllowedPaths: []macaroon.AllowedPath{{Bucket: bucket, EncryptedPrefix: []byte("in/")}, {Bucket: "ccc"}}})
	var names []string
	for cursor := ""; ; {
		list, err := b.svc.ListBuckets(b.Context(), &metainfo.ListBucketsRequest{Auth: auth, Cursor: cursor, Limit: 1})
		b.ok(err)
		for _, item := range list.Buckets {
			names, cursor = append(names, item.Name), item.Name
		}
		if !list.More {
			break
		}
	}
	if got := strings.Join(names, " "); got != "bucket ccc" {
		b.Errorf("buckets are %q", got)
	}
}

// testRevoke ends keys, and tries who may.
func testRevoke(b subject) {
	restrict := func(key *macaroon.APIKey) *macaroon.APIKey {
		restricted, err := key.Restrict(macaroon.Caveat{DisallowWrites: true})
		b.ok(err)
		return restricted
	}
	parent := restrict(b.w.Key)
	child, sibling := restrict(parent), restrict(parent)
	grandchild := restrict(child)
	_, stranger := b.w.NewProject(b, "other")
	revoke := func(by *macaroon.APIKey, key []byte) error {
		return b.svc.RevokeAPIKey(b.Context(), &metainfo.RevokeAPIKeyRequest{Auth: Auth(b, by), APIKey: key})
	}
	lives := func(key *macaroon.APIKey) error {
		return errOf(b.svc.ProjectInfo(b.Context(), &metainfo.ProjectInfoRequest{Auth: Auth(b, key)}))
	}
	forged := bytes.Clone(child.Bytes())
	forged[len(forged)-1] ^= 1
	for name, try := range map[string]struct {
		by  *macaroon.APIKey
		key []byte
	}{
		"itself":             {child, child.Bytes()},
		"root by itself":     {b.w.Key, b.w.Key.Bytes()},
		"its sibling":        {sibling, child.Bytes()},
		"its parent":         {child, parent.Bytes()},
		"one of a stranger":  {b.w.Key, restrict(stranger).Bytes()},
		"a stranger's child": {stranger, child.Bytes()},
		"a forged one":       {b.w.Key, forged},
		"nonsense":           {b.w.Key, []byte("nonsense")},
		"nothing":            {b.w.Key, nil},
	} {
		if err := revoke(try.by, try.key); !errors.Is(err, metainfo.ErrNotParent) {
			b.Errorf("revoke %s: %v", name, err)
		}
	}
	for _, key := range []*macaroon.APIKey{b.w.Key, parent, child, sibling, grandchild, stranger} {
		b.ok(lives(key)) // and is remembered
	}
	b.ok(revoke(parent, child.Bytes()))
	b.ok(revoke(b.w.Key, child.Bytes())) // again
	for _, key := range []*macaroon.APIKey{child, grandchild, restrict(grandchild)} {
		b.want(lives(key), metainfo.ErrAPIKey)
		b.want(revoke(key, restrict(key).Bytes()), metainfo.ErrAPIKey)
	}
	for _, key := range []*macaroon.APIKey{b.w.Key, parent, sibling, stranger} {
		b.ok(lives(key))
	}
	b.ok(revoke(b.w.Key, parent.Bytes()))
	b.want(lives(sibling), metainfo.ErrAPIKey)
	b.ok(lives(b.w.Key))
}
