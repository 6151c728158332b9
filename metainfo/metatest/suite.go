package metatest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
)

// subject is one test of the suite: a fresh world and the service under test, with bucket "bucket".
type subject struct {
	*testing.T
	w    *World
	svc  metainfo.Service
	auth metainfo.Auth
}

const bucket = "bucket"

// Run checks what metainfo.Service promises. serve returns the service on a world, however it reaches it.
func Run(t *testing.T, serve func(t *testing.T, w *World) metainfo.Service) {
	for name, test := range map[string]func(b subject){
		"ProjectInfo":    testProjectInfo,
		"Buckets":        testBuckets,
		"Inline":         testInline,
		"OneSegment":     testOneSegment,
		"ManySegments":   testManySegments,
		"Ranges":         testRanges,
		"Verify":         testVerify,
		"Replace":        testReplace,
		"Abort":          testAbort,
		"CommitErrors":   testCommitErrors,
		"List":           testList,
		"Delete":         testDelete,
		"CopyAndMove":    testCopyAndMove,
		"Metadata":       testMetadata,
		"Authorisation":  testAuthorisation,
		"ForeignProject": testForeignProject,
		"Shares":         testShares,
		"Revoke":         testRevoke,
		"Versions":       testVersions,
		"Conditions":     testConditions,
		"Race":           testRace,
		"Lock":           testLock,
		"Parts":          testParts,
		"PartErrors":     testPartErrors,
		"Uploads":        testUploads,
		"Settings":       testSettings,
		"Documents":      testDocuments,
		"Lifecycle":      testLifecycle,
		"Changes":        testChanges,
		"Deletions":      testDeletions,
		"Usage":          testUsage,
		"Allocated":      testAllocated,
		"Groups":         testGroups,
		"Repeats":        testRepeats,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := NewWorld(t, Options{RunTwice: true})
			b := subject{T: t, w: w, svc: serve(t, w), auth: w.Auth(t)}
			if _, err := b.svc.CreateBucket(t.Context(), &metainfo.CreateBucketRequest{Auth: b.auth, Name: bucket}); err != nil {
				t.Fatal(err)
			}
			test(b)
		})
	}
}

func (b subject) want(err, want error) {
	b.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		b.Errorf("error is %v, want %v", err, want)
	}
}

func (b subject) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// put stores an inline object.
func (b subject) put(key string, size int64) *metainfo.Object {
	b.Helper()
	object, err := b.svc.CommitObject(b.Context(), b.inline(key, size))
	b.ok(err)
	return object
}

// inline is a request for an inline object. As those of uplinks, no two are equal.
func (b subject) inline(key string, size int64) *metainfo.CommitObjectRequest {
	last := Inline(metainfo.Position{}, 0, size)
	_, _ = rand.Read(last.Salt[:]) // never fails
	return &metainfo.CommitObjectRequest{
		Auth: b.auth, Bucket: bucket, Key: []byte(key), Segments: 1, Last: last,
		WrappedKey: []byte("wrapped " + key), Metadata: []byte("meta " + key),
	}
}

// putRemote stores an object of segments of the given plain sizes.
func (b subject) putRemote(key string, sizes ...int64) *metainfo.Object {
	b.Helper()
	begun, err := b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte(key)})
	b.ok(err)
	var offset int64
	var last *metainfo.NewSegment
	for i, size := range sizes {
		if last != nil {
			b.ok(b.svc.CommitSegment(b.Context(), &metainfo.CommitSegmentRequest{Auth: b.auth, Upload: begun.Upload, Segment: *last}))
		}
		position := metainfo.Position{Index: uint32(i)}
		plan, err := b.svc.BeginSegment(b.Context(), &metainfo.BeginSegmentRequest{Auth: b.auth, Upload: begun.Upload, Position: position})
		b.ok(err)
		last = b.w.Store(b, plan, position, offset, size, plan.Redundancy.Optimal)
		offset += size
	}
	object, err := b.svc.CommitObject(b.Context(), &metainfo.CommitObjectRequest{
		Auth: b.auth, Upload: begun.Upload, Last: last, Segments: uint32(len(sizes)), WrappedKey: []byte("wrapped"),
	})
	b.ok(err)
	return object
}

func (b subject) get(key string) (*metainfo.Object, error) {
	return b.svc.GetObject(b.Context(), &metainfo.ObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte(key)})
}

func (b subject) download(key string, offset, length int64) (*metainfo.DownloadResult, error) {
	return b.svc.Download(b.Context(), &metainfo.DownloadRequest{Auth: b.auth, Bucket: bucket, Key: []byte(key), Offset: offset, Length: length})
}

func testProjectInfo(b subject) {
	info, err := b.svc.ProjectInfo(b.Context(), &metainfo.ProjectInfoRequest{Auth: b.auth})
	b.ok(err)
	if info.Project != b.w.Project.ID || info.Salt != b.w.Project.Salt || info.SegmentSize != metainfo.SegmentSize ||
		info.InlineSize != metainfo.InlineSize || time.Since(info.Time).Abs() > time.Hour {
		b.Errorf("info is %+v", info)
	}
	_, err = b.svc.ProjectInfo(b.Context(), &metainfo.ProjectInfoRequest{})
	b.want(err, metainfo.ErrAPIKey)
	stranger, err := macaroon.NewAPIKey(make([]byte, 32))
	b.ok(err)
	_, err = b.svc.ProjectInfo(b.Context(), &metainfo.ProjectInfoRequest{Auth: Auth(b, stranger)})
	b.want(err, metainfo.ErrAPIKey)
	forged := bytes.Clone(b.auth.APIKey)
	forged[len(forged)-1] ^= 1
	_, err = b.svc.ProjectInfo(b.Context(), &metainfo.ProjectInfoRequest{Auth: metainfo.Auth{APIKey: forged}})
	b.want(err, metainfo.ErrAPIKey)
}

func testBuckets(b subject) {
	created, err := b.svc.CreateBucket(b.Context(), &metainfo.CreateBucketRequest{Auth: b.auth, Name: "plain", PlainNames: true})
	b.ok(err)
	got, err := b.svc.GetBucket(b.Context(), &metainfo.BucketRequest{Auth: b.auth, Name: "plain"})
	b.ok(err)
	if *got != *created || !got.PlainNames || got.Created.IsZero() {
		b.Errorf("bucket is %+v, made %+v", got, created)
	}
	_, err = b.svc.CreateBucket(b.Context(), &metainfo.CreateBucketRequest{Auth: b.auth, Name: "plain"})
	b.want(err, metainfo.ErrBucketExists)
	_, err = b.svc.CreateBucket(b.Context(), &metainfo.CreateBucketRequest{Auth: b.auth, Name: "No Name"})
	b.want(err, metainfo.ErrBucketName)
	_, err = b.svc.GetBucket(b.Context(), &metainfo.BucketRequest{Auth: b.auth, Name: "absent"})
	b.want(err, metainfo.ErrBucketNotFound)

	var names []string
	for cursor := ""; ; {
		page, err := b.svc.ListBuckets(b.Context(), &metainfo.ListBucketsRequest{Auth: b.auth, Cursor: cursor, Limit: 1})
		b.ok(err)
		for _, item := range page.Buckets {
			names = append(names, item.Name)
			cursor = item.Name
		}
		if !page.More {
			break
		}
	}
	if !slices.Equal(names, []string{bucket, "plain"}) {
		b.Errorf("buckets are %q", names)
	}
	_, err = b.svc.ListBuckets(b.Context(), &metainfo.ListBucketsRequest{Auth: b.auth, Limit: metainfo.MaxList + 1})
	b.want(err, metainfo.ErrListLimit)
	one := b.w.Auth(b, macaroon.Caveat{AllowedPaths: []macaroon.AllowedPath{{Bucket: "plain", EncryptedPrefix: []byte("x/")}}})
	page, err := b.svc.ListBuckets(b.Context(), &metainfo.ListBucketsRequest{Auth: one})
	b.ok(err)
	if len(page.Buckets) != 1 || page.Buckets[0].Name != "plain" || page.More {
		b.Errorf("a key for one bucket lists %+v", page)
	}

	b.put("some", 1)
	remove := func() error {
		return b.svc.DeleteBucket(b.Context(), &metainfo.DeleteBucketRequest{Auth: b.auth, Name: bucket})
	}
	b.want(remove(), metainfo.ErrBucketNotEmpty)
	b.remove("some", metainfo.LatestVersion)
	b.beginParts("never ended")
	b.ok(remove())
	b.want(remove(), metainfo.ErrBucketNotFound)
}
