package years

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"storj/metainfo/kv/memkv"
	"storj/netx"
	"storj/netx/identity"
	"storj/netx/memnet"
	"storj/pieces"
	"storj/pieces/memstore"
	"storj/roles/satellite"
	"storj/roles/satellite/placement"
	"storj/roles/storagenode"
	"storj/roles/uplink"
)

const bucket = "archive"

// world is a satellite, nodes and a customer inside one bubble of virtual time.
type world struct {
	t       *testing.T
	ctx     context.Context
	rng     *rand.Rand
	network *memnet.Network
	sat     *satellite.Satellite
	project *uplink.Project
	running sync.WaitGroup
	stop    context.CancelFunc

	nodes   []*node
	objects map[string]object // what was acknowledged and not deleted
	next    int               // number of the next object

	lost           int64 // bytes of pieces on nodes that died or were found lying
	burnt, rebuilt int   // nodes of the site that burned, and the day on which it is built again
}

// object is enough to make the content again.
type object struct {
	seed uint64
	size int
}

func (o object) content() []byte {
	b := make([]byte, o.size)
	var seed [32]byte
	for i := range 8 {
		seed[i] = byte(o.seed >> (8 * i))
	}
	_, _ = rand.NewChaCha8(seed).Read(b)
	return b
}

// node is one storage node and what is its fate.
type node struct {
	*storagenode.Node
	store  *store
	id     netx.NodeID
	cancel context.CancelFunc
	done   chan struct{}
	site   int
	sleeps bool // away every night
	dead   bool
	lies   lie
	lied   time.Time // since when
	fated  bool      // it is honest until then
	caught time.Time
	blamed bool // honest, and taken for a liar
	missed bool
}

func newWorld(t *testing.T, seed uint64, redundancy string, tune satellite.Tune) *world {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	w := &world{
		t: t, ctx: ctx, stop: stop, rng: rand.New(rand.NewPCG(seed, seed)),
		network: memnet.New(int64(seed)), objects: make(map[string]object),
	}
	id := w.identity()
	profile, err := placement.ParseProfile(redundancy)
	w.must(err)
	sat, err := satellite.New(ctx, satellite.Options{
		Identity: id, Transport: w.network.Transport(id.ID()), DB: memkv.New(memkv.Options{}), RateLimit: -1, Version: "v1", Tune: tune,
		Redundancy: profile,
	})
	w.must(err)
	w.sat = sat
	w.running.Go(func() { w.must(sat.Run(ctx)) })
	<-sat.Ready()
	return w
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Error(err)
	}
}

func (w *world) identity() *identity.Identity {
	id, err := identity.Generate()
	w.must(err)
	return id
}

// join adds a node.
func (w *world) join(site int) *node {
	text, err := w.sat.Admin().CreateToken(w.ctx, 1, time.Hour)
	w.must(err)
	token, err := pieces.ParseJoinToken(text)
	w.must(err)
	id := w.identity()
	n := &node{store: &store{Store: memstore.New(memstore.Options{Capacity: 1 << 40})}, id: id.ID(), site: site, done: make(chan struct{})}
	n.Node, err = storagenode.New(w.ctx, storagenode.Options{
		Dir: w.t.TempDir(), Store: n.store, Identity: id, Transport: w.network.Transport(id.ID()), Version: "v1",
		Join: []pieces.JoinToken{token}, InMemory: true, WatchEvery: 6 * time.Hour, ChoresEvery: 24 * time.Hour,
	})
	w.must(err)
	var ctx context.Context
	ctx, n.cancel = context.WithCancel(w.ctx)
	go func() {
		defer close(n.done)
		w.must(n.Run(ctx))
	}()
	w.nodes = append(w.nodes, n)
	return n
}

// open makes the customer's project.
func (w *world) open() {
	admin := w.sat.Admin()
	_, err := admin.CreateProject(w.ctx, "years")
	w.must(err)
	key, err := admin.CreateAPIKey(w.ctx, "years", "key")
	w.must(err)
	config := uplink.Config{Transport: w.network.Transport(w.identity().ID())}
	access, err := uplink.RequestAccess(w.ctx, config, w.sat.URL().String(), key, []byte("correct horse"))
	w.must(err)
	w.project, err = uplink.Open(w.ctx, config, access)
	w.must(err)
	_, err = w.project.CreateBucket(w.ctx, bucket, nil)
	w.must(err)
}

// close ends everything.
func (w *world) close() {
	if w.project != nil {
		w.must(w.project.Close())
	}
	for _, n := range w.nodes {
		w.end(n)
	}
	w.stop()
	w.running.Wait()
	w.must(w.sat.Close())
}

// end stops a node's process.
func (w *world) end(n *node) {
	if n.cancel == nil {
		return
	}
	n.cancel()
	<-n.done
	w.must(n.Close())
	n.cancel = nil
}

// kill ends a node for good: its disk is gone and nobody was told.
func (w *world) kill(n *node) {
	w.network.Kill(n.id)
	w.end(n)
	n.dead = true
	for _, usage := range n.store.Usage() {
		w.lost += usage.Bytes
	}
	n.store.Store = memstore.New(memstore.Options{}) // frees what it held
}

// put stores a new object.
func (w *world) put() {
	o := object{seed: w.rng.Uint64(), size: 5000 + w.rng.IntN(10_000)}
	key := fmt.Sprintf("%06d", w.next)
	w.next++
	_, err := w.project.Put(w.ctx, bucket, key, bytes.NewReader(o.content()), nil)
	if err != nil {
		w.t.Errorf("%s: put %s: %v", time.Now().Format(time.DateTime), key, err)
		return
	}
	w.objects[key] = o
}

// remove deletes a random object.
func (w *world) remove() {
	for key := range w.objects { // any
		w.must(w.project.Delete(w.ctx, bucket, key))
		delete(w.objects, key)
		return
	}
}

// read reads an object back and compares.
func (w *world) read(key string) error {
	d, err := w.project.Download(w.ctx, bucket, key, nil)
	if err != nil {
		return err
	}
	var got bytes.Buffer
	_, err = d.WriteTo(&got)
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	if !bytes.Equal(got.Bytes(), w.objects[key].content()) {
		return errors.New("other bytes than were stored")
	}
	return nil
}

// pieces is how many pieces a node has.
func (n *node) pieces() (count int64) {
	for _, usage := range n.store.Usage() {
		count += usage.Pieces
	}
	return count
}

// standing is what the satellite thinks of a node.
func (w *world) standing(n *node) pieces.Standing { return w.sat.Book().Standing(n.id) }
