package repair

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"storj/ecenc"
	"storj/metainfo"
	"storj/metainfo/endpoint"
	"storj/metainfo/kv"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop"
	"storj/metainfo/rangedloop/looptest"
	"storj/netx"
	"storj/netx/memnet"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/memstore"
	"storj/pieces/piecenode"
	"storj/pieces/segmentio"
	"storj/roles/satellite/events"
	"storj/roles/satellite/orders"
)

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// nap lets virtual time pass: in a bubble it costs nothing.
func nap(d time.Duration) { time.Sleep(d) }

var satelliteID = netx.NodeID{77}

// world is real nodes on a network in memory, with what a satellite knows of them in the test's hands. It must be made in
// a bubble.
type world struct {
	testing.TB
	ctx      context.Context
	network  *memnet.Network
	store    kv.Store
	db       *metabase.DB
	signer   *orders.Signer
	pool     *rpc.Pool
	nodes    []*testNode
	svc      *Service
	loop     *rangedloop.Loop
	scheme   ecenc.Redundancy // for new segments
	stored   map[metabase.SegmentPlace][]byte
	count    int
	rng      *rand.Rand
	onPick   func() // called before each Pick
	findings []Finding

	mu sync.Mutex // guards findings and the facts of nodes
}

type testNode struct {
	Node
	store *memstore.Store
	keys  []pieces.NodeKey
}

func (n *testNode) NodeKeys(netx.NodeID) ([]pieces.NodeKey, error) { return n.keys, nil }

func redundancy(required, threshold, optimal, total int) ecenc.Redundancy {
	return ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: required, Repair: threshold, Optimal: optimal, Total: total}
}

func newWorld(t testing.TB, nodes int, change func(*Options)) *world {
	t.Helper()
	w := &world{
		TB: t, ctx: t.Context(), network: memnet.New(1), store: memkv.New(memkv.Options{}),
		signer: orders.New(orders.Options{Satellite: satelliteID, Secret: ecenc.Key{5}}), scheme: redundancy(4, 6, 8, 10),
		stored: make(map[metabase.SegmentPlace][]byte), rng: rand.New(rand.NewPCG(1, 2)),
	}
	var err error
	if w.db, err = metabase.Open(w.ctx, w.store); err != nil {
		t.Fatal(err)
	}
	transport := w.network.Transport(satelliteID)
	w.pool = rpc.NewPool(transport, rpc.PoolOptions{})
	t.Cleanup(func() {
		_ = w.pool.Close()
		_ = transport.Close()
	})
	for range nodes {
		w.addNode()
	}
	w.open(change)
	return w
}

// open makes the service, again after a restart.
func (w *world) open(change func(*Options)) {
	w.Helper()
	log, err := events.Open(w.ctx, w.store, events.Options{})
	if err != nil {
		w.Fatal(err)
	}
	opts := Options{
		DB: w.db, Nodes: w, Signer: w.signer, Pool: w.pool, Events: log, Log: zerolog.Nop(), Pick: w.pick,
		Redundancy: func(uint32) ecenc.Redundancy { return w.scheme },
		Report: func(f Finding) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.findings = append(w.findings, f)
		},
	}
	if change != nil {
		change(&opts)
	}
	if w.svc, err = New(w.ctx, opts); err != nil {
		w.Fatal(err)
	}
	w.loop = rangedloop.New(w.db, rangedloop.Options{})
	w.loop.Add("repair", w.svc.Checker())
	w.loop.Add("rebalance", w.svc.Rebalancer())
}

// addNode serves a node that is online and has a domain of its own.
func (w *world) addNode() *testNode {
	w.Helper()
	number := len(w.nodes)
	id := netx.NodeID{byte(number), byte(number >> 8), 0xee}
	row, err := w.db.PutNode(w.ctx, id, func(*metabase.Node, bool) error { return nil })
	if err != nil {
		w.Fatal(err)
	}
	transport := w.network.Transport(id)
	listener, err := transport.Listen()
	if err != nil {
		w.Fatal(err)
	}
	n := &testNode{store: memstore.New(memstore.Options{}), keys: w.signer.NodeKeys(id)}
	n.Node = Node{
		ID: id, URL: netx.NodeURL{ID: id, Address: transport.Address()}, Alias: row.Alias, Online: true, Eligible: true,
		Domain: fmt.Sprint("domain", number), LastContact: time.Now(),
	}
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	piecenode.New(piecenode.Options{ID: id, Store: n.store, Keys: n}).Register(server)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(ctx, listener) })
	w.Cleanup(func() {
		cancel()
		_ = transport.Close()
		wg.Wait()
		_ = n.store.Close()
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes = append(w.nodes, n)
	return n
}

// Nodes implements Nodes.
func (w *world) Nodes(context.Context) ([]Node, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]Node, len(w.nodes))
	for i, n := range w.nodes {
		list[i] = n.Node
		if n.Online {
			list[i].LastContact = time.Now()
		}
		list[i].Eligible = n.Eligible && n.Online && n.State == pieces.Healthy
	}
	return list, nil
}

// Group implements Nodes: nodes with the tag out=yes are not allowed.
func (w *world) Group(_ uint32, n *Node) (string, bool) {
	return n.Domain, !slices.Contains(n.Tags, "out=yes")
}

// set changes what is known of a node.
func (w *world) set(n *testNode, change func(n *Node)) {
	w.mu.Lock()
	was := n.Online
	change(&n.Node)
	if was && !n.Online {
		n.LastContact = time.Now()
		w.network.Kill(n.ID)
	} else if !was && n.Online {
		w.network.Revive(n.ID)
	}
	w.mu.Unlock()
	w.svc.NodesChanged()
}

func offline(n *Node) { n.Online = false }
func online(n *Node)  { n.Online = true }

// lose makes a node lost for good.
func lose(n *Node) { n.Online, n.State = false, pieces.Disqualified }

// pick draws nodes as placement does: distinct domains, none of a domain of the excluded.
func (w *world) pick(_ uint32, count int, exclude []netx.NodeID) []netx.NodeURL {
	if w.onPick != nil {
		w.onPick()
	}
	list, _ := w.Nodes(w.ctx)
	banned := make(map[string]bool)
	for _, n := range list {
		if slices.Contains(exclude, n.ID) {
			banned[n.Domain] = true
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var urls []netx.NodeURL
	for _, i := range w.rng.Perm(len(list)) {
		if n := &list[i]; n.Eligible && !banned[n.Domain] && len(urls) < count {
			banned[n.Domain] = true
			urls = append(urls, n.URL)
		}
	}
	return urls
}

func (w *world) content(size int, seed uint64) []byte {
	b := make([]byte, size)
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// put stores a segment on the given nodes, piece i on the i-th, and returns its place.
func (w *world) put(size int, on []*testNode) metabase.SegmentPlace {
	w.Helper()
	w.count++
	content := w.content(size, uint64(w.count))
	s := looptest.Segment(w.count, w.scheme, nil)
	s.Created, s.PlainSize, s.EncryptedSize = time.Now().UTC(), int64(size), int64(size)
	s.Redundancy, s.Root = w.scheme.WithShareSize(int64(size)), pieces.NewPieceID()
	key := w.signer.UploadKey(s.Root)
	var targets []endpoint.LimitTarget
	for i, n := range on {
		targets = append(targets, endpoint.LimitTarget{Number: i, Node: n.URL})
	}
	limits := w.signer.Limits(endpoint.LimitRequest{
		Action: pieces.ActionPut, Root: s.Root, Bytes: s.Redundancy.PieceSize(int64(size)), Uplink: key.Public, Targets: targets,
	})
	upload := s.Redundancy
	upload.Optimal, upload.Total = len(on), max(len(on), upload.Total)
	upload.Repair = min(upload.Repair, upload.Optimal)
	result, err := segmentio.New(w.pool, segmentio.Options{}).Upload(w.ctx, &segmentio.UploadRequest{
		Data: content, Redundancy: upload, PieceKey: key.Seed, Limits: limits,
	})
	if err != nil || len(result.Pieces) != len(on) {
		w.Fatalf("put: %v", err)
	}
	for i, n := range on {
		s.Pieces = append(s.Pieces, metainfo.Piece{Number: i, Alias: n.Alias})
	}
	if err := looptest.Put(w.ctx, w.store, s); err != nil {
		w.Fatal(err)
	}
	at := metabase.SegmentPlace{Stream: s.Stream}
	w.stored[at] = content
	return at
}

func (w *world) segment(at metabase.SegmentPlace) metainfo.Segment {
	w.Helper()
	s, err := w.db.LiveSegment(w.ctx, at)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func (w *world) node(alias metainfo.NodeAlias) *testNode {
	for _, n := range w.nodes {
		if n.Alias == alias {
			return n
		}
	}
	return nil
}

// verify reads every piece of a segment whose node is online, alone, checks what it proves, and reads the content from
// the last Required ones. It returns how many pieces are good.
func (w *world) verify(at metabase.SegmentPlace) int {
	w.Helper()
	s := w.segment(at)
	g := w.svc.segment(&s)
	code, err := w.svc.codes.Get(s.Redundancy)
	if err != nil {
		w.Fatal(err)
	}
	shares := make([][]byte, s.Redundancy.Total)
	good := 0
	for _, p := range slices.Backward(s.Pieces) {
		n := w.node(p.Alias)
		if !n.Online {
			continue
		}
		piece := make([]byte, g.size)
		if has, err := g.fetch(w.ctx, p.Number, n.URL, piece); err != nil || has.trashed {
			w.Logf("piece %d on %s: %v", p.Number, n.ID.Short(), err)
			continue
		}
		if good++; good <= s.Redundancy.Required {
			shares[p.Number] = piece
		}
	}
	if good < s.Redundancy.Required {
		w.Errorf("segment has %d good pieces", good)
		return good
	}
	got, err := code.DecodeStripes(shares, nil)
	if err != nil || !bytes.Equal(got[:s.EncryptedSize], w.stored[at]) {
		w.Errorf("content differs, %v", err)
	}
	return good
}

// read reads a segment as an uplink does.
func (w *world) read(at metabase.SegmentPlace) error {
	s := w.segment(at)
	key := w.signer.DownloadKey()
	var targets []endpoint.LimitTarget
	for _, p := range s.Pieces {
		targets = append(targets, endpoint.LimitTarget{Number: p.Number, Node: w.node(p.Alias).URL})
	}
	limits := w.signer.Limits(endpoint.LimitRequest{
		Action: pieces.ActionGet, Root: s.Root, Bytes: s.Redundancy.PieceSize(s.EncryptedSize), Uplink: key.Public, Targets: targets,
	})
	d := segmentio.New(w.pool, segmentio.Options{}).Download(w.ctx, &segmentio.DownloadRequest{
		Redundancy: s.Redundancy, EncryptedSize: s.EncryptedSize, Length: s.EncryptedSize, PieceKey: key.Seed, Limits: limits,
		UploadKey: w.signer.UploadKey(s.Root).Public,
	})
	defer func() { _ = d.Close() }()
	var got []byte
	for {
		run, err := d.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		got = append(got, run...)
	}
	if !bytes.Equal(got, w.stored[at]) {
		return fmt.Errorf("content of %d bytes differs", len(got))
	}
	return nil
}

func (w *world) pass() rangedloop.Report {
	w.Helper()
	report, err := w.loop.Pass(w.ctx)
	if err != nil || len(report.Failed) > 0 {
		w.Fatalf("pass: %+v, %v", report, err)
	}
	return report
}

// drain runs the workers until nothing is left that is due.
func (w *world) drain() {
	w.Helper()
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- w.svc.Run(ctx) }()
	for range 10_000 {
		nap(100 * time.Millisecond)
		if busy, _ := w.svc.queue.load(); busy == 0 {
			cancel()
			if err := <-done; err != nil {
				w.Error(err)
			}
			return
		}
	}
	cancel()
	<-done
	w.Error("the queue is never done")
}

func (w *world) heal() {
	w.Helper()
	w.pass()
	w.drain()
}

// pieceID is that of the i-th piece of a segment.
func (w *world) pieceID(s *metainfo.Segment, i int) pieces.PieceID {
	return s.Root.Derive(w.node(s.Pieces[i].Alias).ID, s.Pieces[i].Number)
}

// sendAs stores a piece on a node as another repair would.
func (w *world) sendAs(s *metainfo.Segment, number int, n *testNode, content []byte) {
	w.Helper()
	g := w.svc.segment(s)
	if err := g.send(w.ctx, put{number, n.URL, content}); err != nil {
		w.Fatal(err)
	}
}

func seedOf(key endpoint.PieceKey) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(key.Seed[:]) }
