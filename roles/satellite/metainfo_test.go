package satellite

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv/boltkv"
	"storj/metainfo/metabase"
	"storj/metainfo/metaclient"
	"storj/netx/rpc"
	"storj/roles/satellite/limits"
)

// shop is a satellite on disk with a project, a bucket and a client of it.
type shop struct {
	*world
	path    string
	auth    metainfo.Auth
	project metainfo.ProjectID
	svc     *metaclient.Client
	peers   int
}

func newShop(t *testing.T, change func(*Options)) *shop {
	t.Helper()
	path := filepath.Join(t.TempDir(), "satellite.db")
	s := &shop{path: path}
	s.world = newWorld(t, func(o *Options) {
		o.DB, o.DBPath, o.Relaxed = nil, path, true
		if change != nil {
			change(o)
		}
	})
	text, project := s.apiKey()
	s.auth, s.project = parseAuth(t, text), project
	s.open()
	_, err := s.svc.CreateBucket(t.Context(), &metainfo.CreateBucketRequest{Auth: s.auth, Name: "bucket"})
	s.must(err)
	return s
}

// open makes a client of the satellite that runs now.
func (s *shop) open() {
	s.peers++
	s.svc = metaclient.New(s.peer(s.peers).pool, s.sat.URL())
}

func (s *shop) restart() {
	s.Helper()
	s.world.start(nil, func(o *Options) { o.DB, o.DBPath, o.Relaxed = nil, s.path, true })
	s.open()
}

func (s *shop) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *shop) put(key string) {
	s.Helper()
	inline := metainfo.NewSegment{PlainSize: 100, EncryptedSize: 116, Inline: make([]byte, 116)}
	_, err := s.svc.CommitObject(s.Context(), &metainfo.CommitObjectRequest{Auth: s.auth, Bucket: "bucket", Key: []byte(key), Segments: 1, Last: &inline})
	s.must(err)
}

func (s *shop) count() int {
	s.Helper()
	page, err := s.svc.ListObjects(s.Context(), &metainfo.ListObjectsRequest{Auth: s.auth, Bucket: "bucket", Recursive: true})
	s.must(err)
	return len(page.Items)
}

// TestDeletionRuns deletes in the background: at once, and after a restart in between.
func TestDeletionRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil)
		for i := range 20 {
			s.put(fmt.Sprintf("dir/%d", i))
		}
		s.put("other/a")
		s.put("last/b")
		asked := time.Now()
		d, err := s.svc.DeletePrefix(t.Context(), &metainfo.DeletePrefixRequest{Auth: s.auth, Bucket: "bucket", Prefix: []byte("dir/")})
		s.must(err)
		synctest.Wait()
		d, err = s.svc.GetDeletion(t.Context(), &metainfo.DeletionRequest{Auth: s.auth, ID: d.ID})
		s.must(err)
		if !d.Done || d.Objects != 20 || d.Bytes != 2000 || time.Since(asked) > time.Second {
			t.Errorf("after %v: %+v", time.Since(asked), d)
		}
		s.stop()

		store, err := boltkv.Open(t.Context(), s.path, boltkv.Options{Format: metabase.Format()})
		s.must(err)
		db, err := metabase.Open(t.Context(), store)
		s.must(err)
		left, err := db.StartDeletion(t.Context(), metabase.StartDeletion{Project: s.project, Bucket: "bucket", Prefix: []byte("other/")})
		s.must(errors.Join(err, store.Close()))

		s.restart()
		synctest.Wait()
		d, err = s.svc.GetDeletion(t.Context(), &metainfo.DeletionRequest{Auth: s.auth, ID: left.ID})
		s.must(err)
		if !d.Done || d.Objects != 1 || s.count() != 1 {
			t.Errorf("after a restart: %+v, %d left", d, s.count())
		}
		time.Sleep(25 * time.Hour)
		_, err = s.svc.GetDeletion(t.Context(), &metainfo.DeletionRequest{Auth: s.auth, ID: left.ID})
		s.check("a deletion that was done yesterday", err, metainfo.ErrDeletionNotFound)
	})
}

func TestLifecycleRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil)
		s.put("old")
		err := s.svc.PutLifecycle(t.Context(), &metainfo.PutLifecycleRequest{Auth: s.auth, Bucket: "bucket", Lifecycle: metainfo.Lifecycle{
			Rules: []metainfo.LifecycleRule{{ID: "old", ExpireDays: 3}},
		}})
		s.must(err)
		time.Sleep(60 * time.Hour)
		if s.count() != 1 {
			t.Error("an object was deleted before its time")
		}
		time.Sleep(60 * time.Hour)
		if s.count() != 0 {
			t.Error("an object was not deleted in the two days after its time")
		}
	})
}

// TestLimits sets limits as the owner does and finds what was used after a restart.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil)
		owner := rpc.NewPool(s.wire, rpc.PoolOptions{})
		defer func() { s.must(owner.Close()) }()
		l := limits.NewClient(owner, s.sat.URL())
		s.must(l.SetLimits(t.Context(), "photos", metainfo.Limits{Objects: 2, Egress: 250}))
		s.put("a")
		s.put("b")
		read := func() error {
			_, err := s.svc.Download(t.Context(), &metainfo.DownloadRequest{Auth: s.auth, Bucket: "bucket", Key: []byte("a"), Length: -1})
			return err
		}
		s.must(read())
		s.must(read())
		_, err := s.svc.BeginObject(t.Context(), &metainfo.BeginObjectRequest{Auth: s.auth, Bucket: "bucket", Key: []byte("c")})
		s.check("a third object", err, metainfo.ErrObjectLimit)
		usage, err := l.Usage(t.Context(), s.project.String())
		s.must(err)
		if usage.Objects != 2 || usage.Storage != 200 || usage.Egress != 200 || usage.Limits.Objects != 2 || usage.Buckets != 1 {
			t.Errorf("usage is %+v", usage)
		}
		_, err = l.Usage(t.Context(), "nobody's")
		s.check("another project", err, metainfo.ErrProjectNotFound)
		stranger := limits.NewClient(s.peer(99).pool, s.sat.URL())
		s.check("a stranger", stranger.SetLimits(t.Context(), "photos", metainfo.Limits{}), metainfo.ErrAdmin)
		_, err = stranger.Usage(t.Context(), "photos")
		s.check("a stranger", err, metainfo.ErrAdmin)
		s.stop()

		s.restart()
		s.check("reading on after a restart", read(), metainfo.ErrEgressLimit)
	})
}
