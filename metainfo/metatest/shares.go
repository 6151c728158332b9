package metatest

import (
	"bytes"
	"errors"
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
		{"no operation", macaroon.Caveat{DisallowReads: true, DisallowWrites: true, DisallowLists: true, DisallowDeletes: true}, "ProjectInfo RevokeAPIKey"},
		{"ended", macaroon.Caveat{NotAfter: now.Add(-time.Second)}, ""},
		{"not begun", macaroon.Caveat{NotBefore: now.Add(time.Hour)}, ""},
	} {
		auth := b.w.Auth(b, test.caveat)
		for name, ask := range outside {
			method, _, _ := strings.Cut(name, ",")
			if strings.Contains(" "+test.free+" ", " "+method+" ") {
				continue
			}
			if err := ask(auth); !errors.Is(err, metainfo.ErrDenied) {
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
	return map[string]func(auth metainfo.Auth) error{
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
			return errOf(b.svc.DeleteBucket(ctx, &metainfo.DeleteBucketRequest{Auth: auth, Name: bucket}))
		},
		"DeleteBucket, with objects": func(auth metainfo.Auth) error {
			return errOf(b.svc.DeleteBucket(ctx, &metainfo.DeleteBucketRequest{Auth: auth, Name: bucket, Force: true}))
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
			return errOf(b.svc.DeleteObjects(ctx, &metainfo.DeleteObjectsRequest{Auth: auth, Bucket: bucket, Keys: [][]byte{[]byte("in/x"), key}}))
		},
		"CopyObject, in": func(auth metainfo.Auth) error {
			return errOf(b.svc.CopyObject(ctx, &metainfo.CopyObjectRequest{Auth: auth, Bucket: bucket, Key: key, Stream: made.Stream, ToBucket: bucket, ToKey: []byte("in/b")}))
		},
		"CopyObject, out": func(auth metainfo.Auth) error {
			return errOf(b.svc.CopyObject(ctx, &metainfo.CopyObjectRequest{Auth: auth, Bucket: bucket, Key: inner.Key, Stream: inner.Stream, ToBucket: bucket, ToKey: []byte("out/c"), Move: true}))
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
