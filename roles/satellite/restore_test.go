package satellite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"storj/metainfo/kv"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/netx/identity"
	"storj/netx/memnet"
	"storj/pieces"
	"storj/pieces/memstore"
	"storj/roles/satellite/care"
	"storj/roles/storagenode"
	"storj/roles/uplink"
)

// story is a satellite with nodes and a customer in a bubble of virtual time.
type story struct {
	*testing.T
	ctx     context.Context
	network *memnet.Network
	id      *identity.Identity
	key     []byte // identity file
	sat     *Satellite
	halt    func() // stops the satellite
	stores  []*memstore.Store
	project *uplink.Project
	objects map[string][]byte
}

func newStory(t *testing.T, nodes int) *story {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &story{T: t, ctx: ctx, network: memnet.New(1), id: generate(t), objects: make(map[string][]byte)}
	path := filepath.Join(t.TempDir(), "identity.key")
	s.must(s.id.Save(path))
	var err error
	s.key, err = os.ReadFile(path)
	s.must(err)
	s.start(Options{DB: memkv.New(memkv.Options{})})
	var running sync.WaitGroup
	for range nodes {
		s.join(&running)
	}
	t.Cleanup(func() {
		s.must(s.project.Close())
		stop()
		running.Wait()
		s.halt()
	})
	time.Sleep(time.Minute)
	s.open()
	return s
}

func (s *story) must(err error) {
	if err != nil {
		s.Helper()
		s.Fatal(err)
	}
}

func (s *story) start(opts Options) {
	opts.Identity, opts.Transport, opts.RateLimit = s.id, s.network.Transport(s.id.ID()), -1
	sat, err := New(s.ctx, opts)
	s.must(err)
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan error, 1)
	go func() { done <- sat.Run(ctx) }()
	<-sat.Ready()
	s.sat = sat
	s.halt = func() {
		cancel()
		if err := errors.Join(<-done, sat.Close()); err != nil {
			s.Error(err)
		}
	}
}

func (s *story) join(running *sync.WaitGroup) {
	text, err := s.sat.Admin().CreateToken(s.ctx, 1, time.Hour)
	s.must(err)
	token, err := pieces.ParseJoinToken(text)
	s.must(err)
	id, store := generate(s.T), memstore.New(memstore.Options{Capacity: 1 << 40})
	node, err := storagenode.New(s.ctx, storagenode.Options{
		Dir: s.TempDir(), Store: store, Identity: id, Transport: s.network.Transport(id.ID()), Join: []pieces.JoinToken{token},
	})
	s.must(err)
	s.stores = append(s.stores, store)
	running.Go(func() {
		if err := errors.Join(node.Run(s.ctx), node.Close()); err != nil {
			s.Error(err)
		}
	})
}

func (s *story) open() {
	_, err := s.sat.Admin().CreateProject(s.ctx, "main")
	s.must(err)
	key, err := s.sat.Admin().CreateAPIKey(s.ctx, "main", "key")
	s.must(err)
	config := uplink.Config{Transport: s.network.Transport(generate(s.T).ID())}
	access, err := uplink.RequestAccess(s.ctx, config, s.sat.URL().String(), key, []byte("correct horse"))
	s.must(err)
	s.project, err = uplink.Open(s.ctx, config, access)
	s.must(err)
	_, err = s.project.CreateBucket(s.ctx, "bucket", nil)
	s.must(err)
}

func (s *story) put(key string, size int) {
	s.Helper()
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(rand.Uint32())
	}
	_, err := s.project.Put(s.ctx, "bucket", key, bytes.NewReader(content), nil)
	s.must(err)
	s.objects[key] = content
}

// readAll reads all objects back that there should be.
func (s *story) readAll(when string) {
	s.Helper()
	for key, want := range s.objects {
		d, err := s.project.Download(s.ctx, "bucket", key, nil)
		if err != nil {
			s.Errorf("%s: %s: %v", when, key, err)
			continue
		}
		got, err := io.ReadAll(d)
		if err = errors.Join(err, d.Close()); err != nil || !bytes.Equal(got, want) {
			s.Errorf("%s: %s: %d bytes, %v", when, key, len(got), err)
		}
	}
}

// trashed is how many pieces lie in the trash of all nodes.
func (s *story) trashed() (count int64) {
	for _, store := range s.stores {
		count += store.Usage()[s.id.ID()].TrashPieces
	}
	return count
}

// TestRestoredFromYesterdaysBackup takes a backup, deletes and overwrites, lets garbage be collected, and restores:
// everything that was committed when the backup was made reads back.
func TestRestoredFromYesterdaysBackup(t *testing.T) {
	if testing.Short() {
		t.Skip("ten days of five nodes, who write much to the disk")
	}
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t, 5)
		for i := range 10 {
			s.put(fmt.Sprint("object ", i), 20_000)
		}
		s.put("inline", 100)
		time.Sleep(5 * 24 * time.Hour) // past the age at which pieces are garbage at once
		s.readAll("before")

		var archive bytes.Buffer
		m := care.Manifest{Created: time.Now().UTC(), Satellite: s.id.ID(), Identity: s.key}
		s.must(care.Write(&archive, []byte("battery staple"), &m, func(w io.Writer) error {
			_, err := kv.Dump(s.ctx, s.sat.DB().Store(), w)
			return err
		}))
		for i := range 6 {
			s.must(s.project.Delete(s.ctx, "bucket", fmt.Sprint("object ", i)))
		}
		old := s.objects["object 7"]
		s.put("object 7", 30_000)
		s.objects["object 7"] = old
		s.put("later", 20_000)
		delete(s.objects, "later")
		time.Sleep(36 * time.Hour)
		trashed := s.trashed()
		if trashed < 7*2 {
			t.Fatalf("%d pieces in the trash: garbage was not collected", trashed)
		}

		s.halt()
		dir := filepath.Join(t.TempDir(), "restored")
		report, err := care.Restore(s.ctx, &archive, []byte("battery staple"), dir, care.Names{DB: "satellite.db", Identity: "identity.key"})
		if err != nil || report.Faults != nil {
			t.Fatalf("%+v, %v", report, err)
		}
		s.start(Options{DBPath: filepath.Join(dir, "satellite.db"), Relaxed: true})
		time.Sleep(3 * time.Hour)
		if left := s.trashed(); left != 0 {
			t.Errorf("%d of %d pieces are still in the trash", left, trashed)
		}
		s.readAll("after the restore")
		time.Sleep(3 * 24 * time.Hour)
		if snapshot, _ := s.sat.reviver.Restored(); !snapshot.IsZero() {
			t.Error("the restore is not over")
		}
		s.readAll("three days later")
		if s.trashed() == 0 {
			t.Error("what came after the backup was not collected in the end")
		}
		s.must(s.sat.checkTables(s.ctx))
	})
}

// TestUsageAddsUp reads and writes, and holds what is accounted for against it.
func TestUsageAddsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t, 5)
		const size = 50_000
		from := time.Now()
		s.put("a", size)
		for range 4 {
			s.readAll("reading")
		}
		time.Sleep(30 * time.Hour)
		project, err := s.sat.DB().ProjectByName(s.ctx, "main")
		s.must(err)
		sum, err := s.sat.Accounting().ProjectUsage(s.ctx, project.ID, from, time.Now())
		s.must(err)
		if sum.Asked != 4*size || sum.Settled < 4*size || sum.Billed != 4*size || sum.Waste != sum.Settled-4*size || sum.Uploaded != size {
			t.Errorf("%+v", sum)
		}
		if hours := sum.ByteHours / size; hours < 26 || hours > 31 || sum.Objects != 1 {
			t.Errorf("%d byte-hours of %d bytes in 30 hours, %d objects", sum.ByteHours, size, sum.Objects)
		}
		t.Logf("asked %d, settled %d, allocated %d, waste %d", sum.Asked, sum.Settled, sum.Allocated, sum.Waste)
	})
}

// TestDoubtedClockDeletesNothing starts a satellite whose clock is two months ahead of the last time that it was seen at.
func TestDoubtedClockDeletesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memkv.New(memkv.Options{})
		if _, err := metabase.Open(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		early := care.NewClock(care.ClockOptions{Store: store})
		if err := early.Confirm(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(60 * 24 * time.Hour)
		w := newWorld(t, func(o *Options) { o.DB = store })
		rounds := 0
		round := w.sat.unlessDoubted(func(context.Context) error {
			rounds++
			return nil
		})
		time.Sleep(time.Hour)
		if err := round(t.Context()); err != nil || rounds != 0 {
			t.Errorf("%v, %d rounds of deletions", err, rounds)
		}
		if err := w.sat.holdGarbage(netx.NodeID{}); !errors.Is(err, care.ErrClock) {
			t.Errorf("garbage: %v", err)
		}
		if err := w.sat.Clock().Confirm(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := round(t.Context()); err != nil || rounds != 1 || w.sat.holdGarbage(netx.NodeID{}) != nil {
			t.Errorf("confirmed: %v, %d rounds", err, rounds)
		}
	})
}
