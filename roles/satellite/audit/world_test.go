package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
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
	"storj/pieces/piececlient"
	"storj/pieces/piecenode"
	"storj/roles/satellite/orders"
	"storj/roles/satellite/placement"
	"storj/roles/satellite/reputation"
)

// world is an auditor and real nodes over a network in memory. It must be made in a bubble.
type world struct {
	testing.TB
	network *memnet.Network
	store   kv.Store
	db      *metabase.DB
	signer  *orders.Signer
	dir     *placement.Directory
	book    *reputation.Book
	pool    *rpc.Pool
	auditor *Auditor
	loop    *rangedloop.Loop
	id      netx.NodeID
	nodes   []*testNode

	mu        sync.Mutex // guards the fields below
	suspected []netx.NodeID
	removed   int
	events    []string
}

// testNode is a node, the way it lies, and its store.
type testNode struct {
	*memstore.Store
	w     *world
	url   netx.NodeURL
	alias metainfo.NodeAlias
	keys  []pieces.NodeKey

	mu   sync.Mutex // guards the field below
	open func(id pieces.PieceID) (pieces.Reader, error)
}

// NodeKeys implements piecenode.Keyring.
func (n *testNode) NodeKeys(id netx.NodeID) ([]pieces.NodeKey, error) {
	if id != n.w.id {
		return nil, pieces.ErrUntrusted
	}
	return n.keys, nil
}

// Open implements pieces.Store, and the node's lies.
func (n *testNode) Open(ctx context.Context, satellite netx.NodeID, id pieces.PieceID) (pieces.Reader, error) {
	n.mu.Lock()
	lie := n.open
	n.mu.Unlock()
	if lie != nil {
		return lie(id)
	}
	return n.Store.Open(ctx, satellite, id)
}

func (n *testNode) lie(open func(id pieces.PieceID) (pieces.Reader, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open = open
}

func newWorld(t testing.TB, nodes int) *world {
	t.Helper()
	secret := ecenc.Key{7}
	w := &world{TB: t, network: memnet.New(1), store: memkv.New(memkv.Options{}), id: netx.NodeID{0xaa, 1}}
	transport := w.network.Transport(w.id)
	var err error
	if w.db, err = metabase.Open(t.Context(), w.store); err != nil {
		t.Fatal(err)
	}
	if w.book, err = reputation.Open(t.Context(), w.store, reputation.Options{}); err != nil {
		t.Fatal(err)
	}
	w.signer = orders.New(orders.Options{Satellite: w.id, Secret: secret})
	w.dir = placement.NewDirectory(placement.Options{})
	w.pool = rpc.NewPool(transport, rpc.PoolOptions{})
	w.open(secret)
	for i := range nodes {
		w.node(i)
	}
	t.Cleanup(func() {
		if err := errors.Join(w.pool.Close(), transport.Close(), w.store.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) open(secret ecenc.Key) {
	w.Helper()
	auditor, err := Open(w.Context(), Options{
		DB: w.db, Store: w.store, Satellite: w.id, Secret: secret, Limits: w.signer, Pool: w.pool, Directory: w.dir,
		Book: w.book, Log: zerolog.Nop(),
		Suspect: func(ids []netx.NodeID) { w.mu.Lock(); w.suspected = append(w.suspected, ids...); w.mu.Unlock() },
		Removed: func(metainfo.StreamID, metainfo.Position) { w.mu.Lock(); w.removed++; w.mu.Unlock() },
		Event:   func(text string) { w.mu.Lock(); w.events = append(w.events, text); w.mu.Unlock() },
	})
	if err != nil {
		w.Fatal(err)
	}
	w.auditor = auditor
	w.loop = rangedloop.New(w.db, rangedloop.Options{Log: zerolog.Nop()})
	w.loop.Add("audit", auditor.Observer())
}

// node adds a node that serves.
func (w *world) node(number int) {
	w.Helper()
	transport := w.network.Transport(netx.NodeID{byte(number + 1), 0xee})
	n := &testNode{Store: memstore.New(memstore.Options{}), w: w}
	n.url = netx.NodeURL{ID: transport.ID(), Address: transport.Address()}
	n.keys = w.signer.NodeKeys(n.url.ID)
	row, err := w.db.PutNode(w.Context(), n.url.ID, func(*metabase.Node, bool) error { return nil })
	if err != nil {
		w.Fatal(err)
	}
	n.alias = row.Alias
	w.dir.Put(placement.Node{URL: n.url, Domain: n.url.Address, Free: 1 << 40, LastContact: time.Now().Add(1000 * time.Hour)})
	listener, err := transport.Listen()
	if err != nil {
		w.Fatal(err)
	}
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	piecenode.New(piecenode.Options{ID: n.url.ID, Store: n, Keys: n, Version: "v1"}).Register(server)
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(ctx, listener) })
	w.Cleanup(func() {
		_ = w.pool.Close()
		cancel()
		_ = transport.Close()
		serving.Wait()
		_ = n.Store.Close()
	})
	w.nodes = append(w.nodes, n)
}

// bytesSource hands over a piece at once.
type bytesSource []byte

func (s *bytesSource) Next() ([]byte, error) { return *s, nil }

// put stores the content as a piece on the node, under a root and number.
func (w *world) put(n *testNode, root pieces.PieceID, number int, content []byte) {
	w.Helper()
	key := w.signer.UploadKey(root)
	limits := w.signer.Limits(endpoint.LimitRequest{
		Action: pieces.ActionPut, Root: root, Bytes: int64(len(content)), Uplink: key.Public,
		Targets: []endpoint.LimitTarget{{Number: number, Node: n.url}},
	})
	source := bytesSource(content)
	_, err := piececlient.Upload(w.Context(), w.pool, piececlient.UploadOptions{
		Node: n.url, Limit: limits[0].Limit, Key: ed25519.NewKeyFromSeed(key.Seed[:]), Size: int64(len(content)), Source: &source,
	})
	if err != nil {
		w.Fatal(err)
	}
}

// segment stores a segment of required pieces and as many others on all nodes, and its record.
func (w *world) segment(required int, pieceSize int64) metainfo.Segment {
	w.Helper()
	nodes := len(w.nodes)
	s := metainfo.Segment{
		Stream: metainfo.NewStreamID(), Created: time.Now(), PlainSize: pieceSize * int64(required), Root: pieces.NewPieceID(),
		EncryptedSize: pieceSize * int64(required),
		Redundancy: ecenc.Redundancy{
			Code: ecenc.CodeVandermonde, Required: required, Repair: required, Optimal: nodes, Total: nodes,
		}.WithShareSize(pieceSize * int64(required)),
	}
	for i, n := range w.nodes {
		s.Pieces = append(s.Pieces, metainfo.Piece{Number: i, Alias: n.alias})
		w.put(n, s.Root, i, content(int(s.Redundancy.PieceSize(s.EncryptedSize))))
	}
	if err := looptest.Put(w.Context(), w.store, s); err != nil {
		w.Fatal(err)
	}
	return s
}

func content(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(b)
	return b
}

// pass selects pieces and asks for all of them.
func (w *world) pass() int {
	w.Helper()
	w.choose()
	return w.auditor.Drain(w.Context())
}

func (w *world) choose() {
	w.Helper()
	report, err := w.loop.Pass(w.Context())
	if err != nil || len(report.Failed) != 0 {
		w.Fatalf("pass: %v, %v", err, report.Failed)
	}
}

// now reads the segment again.
func (w *world) now(s *metainfo.Segment) metainfo.Segment {
	w.Helper()
	seg, err := w.db.Segment(w.Context(), s.Stream, s.Position)
	if err != nil {
		w.Fatal(err)
	}
	return seg
}

func (w *world) has(s *metainfo.Segment, n *testNode) bool {
	w.Helper()
	for _, p := range w.now(s).Pieces {
		if p.Alias == n.alias {
			return true
		}
	}
	return false
}

func (w *world) evidence(n *testNode) []Evidence {
	w.Helper()
	list, err := w.auditor.Evidence(w.Context(), n.url.ID, 100)
	if err != nil {
		w.Fatal(err)
	}
	return list
}

// forger answers with a proof of its own making.
type forger struct {
	pieces.Reader
	proof []byte
	info  pieces.Info
	body  *bytes.Reader
}

// Info implements pieces.Reader.
func (f *forger) Info() pieces.Info { return f.info }

// Proof implements pieces.Reader.
func (f *forger) Proof() ([]byte, error) { return f.proof, nil }

// ReadAt implements io.ReaderAt.
func (f *forger) ReadAt(p []byte, off int64) (int, error) { return f.body.ReadAt(p, off) }

// Close implements io.Closer.
func (f *forger) Close() error { return nil }
