package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/endpoint"
	"storj/metainfo/kv"
	"storj/metainfo/metatest"
)

// tenant is a world with a bucket.
type tenant struct {
	*testing.T
	*metatest.World
	auth metainfo.Auth
	salt byte
}

func newTenant(t *testing.T, opts metatest.Options) *tenant {
	t.Helper()
	w := metatest.NewWorld(t, opts)
	n := &tenant{T: t, World: w, auth: w.Auth(t)}
	if _, err := w.Endpoint.CreateBucket(t.Context(), &metainfo.CreateBucketRequest{Auth: n.auth, Name: "bucket"}); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *tenant) put(key string, size int64) error {
	n.salt++
	last := metatest.Inline(metainfo.Position{}, 0, size)
	last.Salt[0] = n.salt
	_, err := n.World.Endpoint.CommitObject(n.T.Context(), &metainfo.CommitObjectRequest{
		Auth: n.auth, Bucket: "bucket", Key: []byte(key), Segments: 1, Last: last,
	})
	return err
}

func (n *tenant) read(key string) error {
	_, err := n.World.Endpoint.Download(n.T.Context(), &metainfo.DownloadRequest{Auth: n.auth, Bucket: "bucket", Key: []byte(key), Length: -1})
	return err
}

func (n *tenant) must(err error) {
	n.T.Helper()
	if err != nil {
		n.T.Fatal(err)
	}
}

// usage is storage, objects and egress, as an endpoint knows them.
func (n *tenant) usage(e *endpoint.Endpoint) string {
	n.T.Helper()
	u, err := e.UsageOf(n.T.Context(), &n.Project)
	n.must(err)
	return fmt.Sprintf("%d in %d, %d read", u.Storage, u.Objects, u.Egress)
}

func TestUsageSurvives(t *testing.T) {
	t.Parallel()
	n := newTenant(t, metatest.Options{RunTwice: true})
	n.must(n.put("a", 100))
	n.must(n.read("a"))
	if got := n.usage(n.World.Endpoint); got != "100 in 1, 100 read" {
		t.Errorf("usage is %s", got)
	}
	if got := n.usage(n.NewEndpoint()); got != "100 in 1, 0 read" { // counted anew, but nobody wrote down what was read
		t.Errorf("after a crash: %s", got)
	}
	n.must(n.World.Endpoint.FlushUsage(t.Context()))
	n.must(n.read("a"))
	n.must(n.World.Endpoint.FlushUsage(t.Context()))
	n.must(n.World.Endpoint.FlushUsage(t.Context())) // nothing to do
	next := n.NewEndpoint()
	if got := n.usage(next); got != "100 in 1, 200 read" {
		t.Errorf("after a restart: %s", got)
	}
	n.must(n.read("a"))
	n.must(next.FlushUsage(t.Context()))
	n.must(n.World.Endpoint.FlushUsage(t.Context()))
	if got := n.usage(n.NewEndpoint()); got != "100 in 1, 300 read" {
		t.Errorf("of two processes: %s", got)
	}
}

func TestUsageMonths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTenant(t, metatest.Options{})
		n.SetLimits(t, metainfo.Limits{Egress: 150})
		time.Sleep(time.Until(time.Date(2001, 1, 31, 23, 59, 0, 0, time.UTC)))
		n.must(n.put("a", 100))
		n.must(n.read("a"))
		if err := n.read("a"); !errors.Is(err, metainfo.ErrEgressLimit) {
			t.Errorf("over the limit: %v", err)
		}
		time.Sleep(time.Hour) // February
		n.must(n.read("a"))
		if got := n.usage(n.World.Endpoint); got != "100 in 1, 100 read" {
			t.Errorf("in the new month: %s", got)
		}
		n.must(n.World.Endpoint.FlushUsage(t.Context()))
		if got := n.usage(n.NewEndpoint()); got != "100 in 1, 100 read" {
			t.Errorf("written down: %s", got)
		}
	})
}

// TestRoomAfterDeletion deletes at the limit: what is free again is found, at most every 15 seconds.
func TestRoomAfterDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTenant(t, metatest.Options{})
		n.SetLimits(t, metainfo.Limits{Storage: 100})
		time.Sleep(time.Hour)
		n.must(n.put("a", 100))
		if err := n.put("b", 50); !errors.Is(err, metainfo.ErrStorageLimit) {
			t.Errorf("over the limit: %v", err)
		}
		_, err := n.World.Endpoint.DeleteObjects(t.Context(), &metainfo.DeleteObjectsRequest{
			Auth: n.auth, Bucket: "bucket", Items: []metainfo.DeleteItem{{Key: []byte("a")}},
		})
		n.must(err)
		if err := n.put("b", 50); !errors.Is(err, metainfo.ErrStorageLimit) {
			t.Errorf("counted again at once: %v", err)
		}
		time.Sleep(15 * time.Second)
		n.must(n.put("b", 50))
		if got := n.usage(n.World.Endpoint); got != "50 in 1, 0 read" {
			t.Errorf("usage is %s", got)
		}
	})
}

// TestTallyWhileWriting counts objects while others come: none is forgotten.
func TestTallyWhileWriting(t *testing.T) {
	t.Parallel()
	var writing atomic.Bool
	store := new(storeWithHook)
	n := newTenant(t, metatest.Options{Wrap: func(inner kv.Store) kv.Store {
		store.Store = inner
		return store
	}})
	n.must(n.put("a", 10))
	n.SetLimits(t, metainfo.Limits{Storage: 1000})
	n.must(n.put("b", 10)) // somebody needs to know
	store.after = func() {
		if writing.CompareAndSwap(false, true) { // after the first page, which is the last
			n.must(n.put("c", 10))
		}
	}
	n.must(n.World.Endpoint.TallyUsage(t.Context(), time.Nanosecond))
	store.after = nil
	if got := n.usage(n.World.Endpoint); got != "30 in 3, 0 read" || !writing.Load() {
		t.Errorf("usage is %s", got)
	}
	n.must(n.World.Endpoint.TallyUsage(t.Context(), time.Nanosecond)) // nobody asked since: not counted
}

// TestReserveIsExact has many writers at a limit: together they store as much as there is room for, not more.
func TestReserveIsExact(t *testing.T) {
	t.Parallel()
	n := newTenant(t, metatest.Options{})
	n.SetLimits(t, metainfo.Limits{Objects: 20, Storage: 10_000})
	n.must(n.put("first", 1))
	var all sync.WaitGroup
	var stored atomic.Int64
	for i := range 100 {
		all.Go(func() {
			_, err := n.World.Endpoint.CommitObject(context.WithoutCancel(t.Context()), &metainfo.CommitObjectRequest{
				Auth: n.auth, Bucket: "bucket", Key: fmt.Appendf(nil, "k%d", i), Segments: 1, Last: metatest.Inline(metainfo.Position{}, 0, 1),
			})
			switch {
			case err == nil:
				stored.Add(1)
			case !errors.Is(err, metainfo.ErrObjectLimit):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if stored.Load() != 19 {
		t.Errorf("%d were stored in the room of 19", stored.Load())
	}
}

// TestFailedCommitGivesBack fails commits at a limit, and repeats one that succeeded: neither uses anything up.
func TestFailedCommitGivesBack(t *testing.T) {
	t.Parallel()
	n := newTenant(t, metatest.Options{})
	n.SetLimits(t, metainfo.Limits{Objects: 2})
	req := &metainfo.CommitObjectRequest{
		Auth: n.auth, Bucket: "bucket", Key: []byte("a"), Segments: 1, Last: metatest.Inline(metainfo.Position{}, 0, 1),
	}
	for range 5 {
		bad := *req
		bad.Segments = 2
		if _, err := n.World.Endpoint.CommitObject(t.Context(), &bad); !errors.Is(err, metainfo.ErrSegmentMissing) {
			t.Fatal(err)
		}
	}
	for range 5 {
		if _, err := n.World.Endpoint.CommitObject(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	n.must(n.put("b", 1))
	if err := n.put("c", 1); !errors.Is(err, metainfo.ErrObjectLimit) {
		t.Errorf("over the limit: %v", err)
	}
}

// failingStore fails writes while fail is set.
type failingStore struct {
	kv.Store
	fail bool
}

var errDisk = errors.New("disk is gone")

func (s *failingStore) Update(ctx context.Context, fn func(kv.Tx) error) error {
	if s.fail {
		return errDisk
	}
	return s.Store.Update(ctx, fn)
}

func TestFlushFails(t *testing.T) {
	t.Parallel()
	store := new(failingStore)
	n := newTenant(t, metatest.Options{Wrap: func(inner kv.Store) kv.Store {
		store.Store = inner
		return store
	}})
	n.must(n.put("a", 10))
	n.must(n.read("a"))
	store.fail = true
	if err := n.World.Endpoint.FlushUsage(t.Context()); !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
	store.fail = false
	n.must(n.read("a"))
	n.must(n.World.Endpoint.FlushUsage(t.Context()))
	if got := n.usage(n.NewEndpoint()); got != "10 in 1, 20 read" {
		t.Errorf("usage is %s", got)
	}
}

func TestProjectRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := metatest.NewWorld(t, metatest.Options{Rate: 1000, Burst: 1000})
		w.SetLimits(t, metainfo.Limits{Rate: 2, Burst: 3})
		count := func() (passed int) {
			for range 20 {
				if info(t, w, w.Auth(t)) == nil {
					passed++
				}
			}
			return passed
		}
		if got := count(); got != 3 {
			t.Errorf("%d requests of a burst of 3", got)
		}
		time.Sleep(time.Second)
		if got := count(); got != 2 {
			t.Errorf("%d requests in a second, want 2", got)
		}
		w.SetLimits(t, metainfo.Limits{}) // the owner takes the limit away
		time.Sleep(time.Second)
		if got := count(); got != 20 {
			t.Errorf("%d requests of 20 without a limit of its own", got)
		}
	})
}

// TestRevocationsArePruned ends a key that would have ended by itself, and forgets it then.
func TestRevocationsArePruned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := metatest.NewWorld(t, metatest.Options{})
		short, err := w.Key.Restrict(macaroon.Caveat{NotAfter: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		long, err := w.Key.Restrict(macaroon.Caveat{})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []*macaroon.APIKey{short, long} {
			if err := w.Endpoint.RevokeAPIKey(t.Context(), &metainfo.RevokeAPIKeyRequest{Auth: w.Auth(t), APIKey: key.Bytes()}); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range []struct {
			wait time.Duration
			want int
		}{{time.Minute, 0}, {time.Hour, 1}, {1000 * time.Hour, 0}} {
			time.Sleep(step.wait)
			if got, err := w.DB.PruneRevocations(t.Context(), time.Now()); err != nil || got != step.want {
				t.Errorf("%v later %d were pruned, %v; want %d", step.wait, got, err, step.want)
			}
		}
		if err := info(t, w, metatest.Auth(t, short)); !errors.Is(err, metainfo.ErrDenied) {
			t.Errorf("a key that has ended, and whose revocation is forgotten: %v", err)
		}
		if err := info(t, w, metatest.Auth(t, long)); !errors.Is(err, metainfo.ErrAPIKey) {
			t.Errorf("a key that never ends, and is revoked: %v", err)
		}
	})
}
