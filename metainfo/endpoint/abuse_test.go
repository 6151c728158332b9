package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/metatest"
)

// remote stores an object of one segment of the size, whose upload says that nodes failed.
func (n *tenant) remote(key string, size int64, change func(*metainfo.NewSegment)) {
	n.T.Helper()
	begun, err := n.Endpoint.BeginObject(n.Context(), &metainfo.BeginObjectRequest{
		Auth: n.auth, Bucket: "bucket", Key: []byte(key), Plan: true,
	})
	n.must(err)
	last := n.Store(n.T, begun.Plan, metainfo.Position{}, 0, size, 8)
	if change != nil {
		change(last)
	}
	_, err = n.Endpoint.CommitObject(n.Context(), &metainfo.CommitObjectRequest{
		Auth: n.auth, Upload: begun.Upload, Segments: 1, Last: last,
	})
	n.must(err)
}

// TestTTLOfAnothersUpload goes on, with a key whose objects must expire, with an upload that was begun without that.
func TestTTLOfAnothersUpload(t *testing.T) {
	t.Parallel()
	n := newTenant(t, metatest.Options{})
	e, ctx, key := n.Endpoint, t.Context(), []byte("a")
	bound := n.Auth(t, macaroon.Caveat{MaxObjectTTL: time.Hour})
	begin := func(auth metainfo.Auth) []byte {
		begun, err := e.BeginObject(ctx, &metainfo.BeginObjectRequest{Auth: auth, Bucket: "bucket", Key: key, Multipart: true})
		n.must(err)
		found, err := e.GetUpload(ctx, &metainfo.UploadRequest{Auth: bound, Bucket: "bucket", Key: key, Stream: begun.Stream})
		n.must(err)
		return found.Upload
	}
	commit := func(upload []byte, auth metainfo.Auth) error {
		part, err := e.BeginPart(ctx, &metainfo.BeginPartRequest{Auth: auth, Upload: upload, Number: 1})
		if err != nil {
			return err
		}
		_, err = e.CommitPart(ctx, &metainfo.CommitPartRequest{
			Auth: auth, Upload: part.Upload, Segments: 1, Last: metatest.Inline(metainfo.Position{Part: 1}, 0, 10),
		})
		n.must(err)
		_, err = e.CommitObject(ctx, &metainfo.CommitObjectRequest{Auth: auth, Upload: upload})
		return err
	}
	others := begin(n.auth)
	if err := commit(others, bound); !errors.Is(err, metainfo.ErrDenied) {
		t.Errorf("an object without expiry: %v", err)
	}
	n.must(commit(others, n.auth))
	n.must(commit(begin(bound), bound))
}

// TestVerifyIsCounted asks for one byte of a segment and gets leave to read all of it.
func TestVerifyIsCounted(t *testing.T) {
	t.Parallel()
	n := newTenant(t, metatest.Options{})
	const size = 1 << 20
	n.remote("a", size, nil)
	n.SetLimits(t, metainfo.Limits{Egress: size + 10})
	d, err := n.Endpoint.Download(t.Context(), &metainfo.DownloadRequest{Auth: n.auth, Bucket: "bucket", Key: []byte("a")})
	n.must(err)
	ask := func() error {
		_, err := n.Endpoint.DownloadSegments(t.Context(), &metainfo.DownloadSegmentsRequest{
			Auth: n.auth, Token: d.Token, Length: 1, Verify: true,
		})
		return err
	}
	n.must(ask())
	if got := n.usage(n.Endpoint); got != fmt.Sprintf("%d in 1, %d read", size, size) {
		t.Errorf("usage is %s", got)
	}
	if err := ask(); !errors.Is(err, metainfo.ErrEgressLimit) {
		t.Errorf("again: %v", err)
	}
}

// TestHintsAreBounded has one client say of all nodes, again and again, that they fail.
func TestHintsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTenant(t, metatest.Options{})
		lie := func() int {
			n.remote("a", 100_000, func(s *metainfo.NewSegment) {
				for _, node := range n.Nodes {
					s.Failed = append(s.Failed, node.ID, node.ID)
				}
			})
			_, failed, _ := n.Reported()
			return len(failed)
		}
		for range 5 {
			if got := lie(); got != len(n.Nodes) {
				t.Fatalf("%d failures are believed", got)
			}
		}
		time.Sleep(10 * time.Second)
		if got := lie(); got != 2*len(n.Nodes) {
			t.Errorf("%d failures are believed later", got)
		}
	})
}

// TestListingIsCharged lists what is hidden under delete markers.
func TestListingIsCharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTenant(t, metatest.Options{Rate: 10, Burst: 10})
		e, ctx := n.Endpoint, t.Context()
		_, err := e.UpdateBucket(ctx, &metainfo.UpdateBucketRequest{
			Auth: n.auth, Name: "bucket", Change: metainfo.ChangeVersioning, Versioning: metainfo.VersioningEnabled,
		})
		n.must(err)
		for i := range 6 { // a delete of what is not there leaves a marker
			items := make([]metainfo.DeleteItem, metainfo.MaxDelete)
			for j := range items {
				items[j].Key = fmt.Appendf(nil, "%d-%d", i, j)
			}
			_, err := e.DeleteObjects(ctx, &metainfo.DeleteObjectsRequest{Auth: n.auth, Bucket: "bucket", Items: items})
			n.must(err)
		}
		time.Sleep(time.Minute)
		n.must(listAll(e, ctx, n.auth))
		if err := listAll(e, ctx, n.auth); !errors.Is(err, metainfo.ErrRateLimit) {
			t.Errorf("again, at once: %v", err)
		}
		time.Sleep(5 * time.Second)
		n.must(listAll(e, ctx, n.auth))
	})
}

func listAll(s metainfo.Service, ctx context.Context, auth metainfo.Auth) error {
	_, err := s.ListObjects(ctx, &metainfo.ListObjectsRequest{Auth: auth, Bucket: "bucket", Recursive: true})
	return err
}

// TestChangesOfAPart sees with a key for a prefix that something changed, not how much.
func TestChangesOfAPart(t *testing.T) {
	t.Parallel()
	n := newTenant(t, metatest.Options{})
	guest := n.Auth(t, macaroon.Caveat{AllowedPaths: []macaroon.AllowedPath{{Bucket: "bucket", EncryptedPrefix: []byte("in/")}}})
	changes := func(auth metainfo.Auth) uint64 {
		b, err := n.Endpoint.GetBucket(t.Context(), &metainfo.BucketRequest{Auth: auth, Name: "bucket"})
		n.must(err)
		list, err := n.Endpoint.ListObjects(t.Context(), &metainfo.ListObjectsRequest{Auth: auth, Bucket: "bucket", Prefix: []byte("in/")})
		n.must(err)
		if list.Changes != b.Changes || b.Changes == 0 {
			t.Errorf("changes are %d and %d", b.Changes, list.Changes)
		}
		return b.Changes
	}
	owner, first := changes(n.auth), changes(guest)
	if again := changes(guest); again != first || first == owner {
		t.Errorf("guest sees %d, then %d, the owner %d", first, again, owner)
	}
	n.must(n.put("out/a", 10))
	n.must(n.put("out/b", 10))
	if second := changes(guest); second == first || second-first < 1000 {
		t.Errorf("guest sees %d, then %d", first, second)
	}
	if got := changes(n.auth); got != owner+2 {
		t.Errorf("the owner sees %d, then %d", owner, got)
	}
}

// slowReads is a store that takes a second for each read.
type slowReads struct{ kv.Store }

// View takes its time.
func (s slowReads) View(ctx context.Context, fn func(kv.Tx) error) error {
	time.Sleep(time.Second)
	return s.Store.View(ctx, fn)
}

// TestOneCountForAll has many ask at once at the limit of a project: one count of all objects serves them.
func TestOneCountForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTenant(t, metatest.Options{Wrap: func(s kv.Store) kv.Store { return slowReads{s} }})
		n.SetLimits(t, metainfo.Limits{Objects: 1})
		n.must(n.put("a", 10))
		time.Sleep(time.Hour)
		begun := time.Now()
		var asking sync.WaitGroup
		for i := range 50 {
			asking.Go(func() {
				_, err := n.Endpoint.BeginObject(t.Context(), &metainfo.BeginObjectRequest{Auth: n.auth, Bucket: "bucket", Key: fmt.Append(nil, i)})
				if !errors.Is(err, metainfo.ErrObjectLimit) {
					t.Errorf("over the limit: %v", err)
				}
			})
		}
		asking.Wait()
		if took := time.Since(begun); took > 15*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// BenchmarkListingSkips lists nothing but delete markers: what listedRows is derived from.
func BenchmarkListingSkips(b *testing.B) {
	w := metatest.NewWorld(b, metatest.Options{})
	auth, ctx := w.Auth(b), b.Context()
	_, err := w.Endpoint.CreateBucket(ctx, &metainfo.CreateBucketRequest{
		Auth: auth, Name: "bucket", Versioning: metainfo.VersioningEnabled,
	})
	const batches = 20
	for i := 0; i < batches && err == nil; i++ {
		items := make([]metainfo.DeleteItem, metainfo.MaxDelete)
		for j := range items {
			items[j].Key = fmt.Appendf(nil, "%d-%d", i, j)
		}
		_, err = w.Endpoint.DeleteObjects(ctx, &metainfo.DeleteObjectsRequest{Auth: auth, Bucket: "bucket", Items: items})
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Run("markers", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := listAll(w.Endpoint, ctx, auth); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(batches*metainfo.MaxDelete), "ns/row")
	})
	b.Run("info", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.Endpoint.ProjectInfo(ctx, &metainfo.ProjectInfoRequest{Auth: auth}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
