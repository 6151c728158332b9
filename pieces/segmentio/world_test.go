package segmentio

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/zeebo/blake3"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/netx"
	"storj/netx/identity"
	"storj/netx/memnet"
	"storj/netx/quicnet"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/logstore"
	"storj/pieces/memstore"
	"storj/pieces/piecenode"
)

// world is a network of nodes with a satellite's powers in the test's hands.
type world struct {
	t      testing.TB
	net    *memnet.Network // nil on QUIC
	nodes  []*testNode
	pool   *rpc.Pool
	client *Client
	secret ecenc.Key
	sat    netx.NodeID
	dir    string // of nodes on disk
}

type testNode struct {
	url   netx.NodeURL
	store *memstore.Store // of nodes in memory
	keys  keyring
}

type keyring []pieces.NodeKey

func (k keyring) NodeKeys(netx.NodeID) ([]pieces.NodeKey, error) { return k, nil }

// newMemWorld must be called inside a synctest bubble.
func newMemWorld(t testing.TB, nodes int, opts Options) *world {
	w := &world{t: t, net: memnet.New(1), sat: netx.NodeID{77}, secret: ecenc.Key{1}}
	for i := range nodes {
		id := netx.NodeID{byte(i + 1), 1}
		w.serve(w.net.Transport(id), id)
	}
	w.dial(w.net.Transport(netx.NodeID{200}), opts)
	return w
}

// newQUICWorld has real sockets and disks.
func newQUICWorld(t testing.TB, nodes int, opts Options) *world {
	w := &world{t: t, sat: netx.NodeID{77}, secret: ecenc.Key{1}, dir: t.TempDir()}
	for range nodes {
		transport, id := w.quic()
		w.serve(transport, id)
	}
	transport, _ := w.quic()
	w.dial(transport, opts)
	return w
}

func (w *world) quic() (netx.Transport, netx.NodeID) {
	id, err := identity.Generate()
	if err != nil {
		w.t.Fatal(err)
	}
	transport, err := quicnet.New(id, quicnet.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	return transport, id.ID()
}

func (w *world) serve(transport netx.Transport, id netx.NodeID) {
	listener, err := transport.Listen()
	if err != nil {
		w.t.Fatal(err)
	}
	n := &testNode{
		url:   netx.NodeURL{ID: id, Address: transport.Address()},
		store: memstore.New(memstore.Options{}),
		keys:  keyring{pieces.DeriveNodeKey(w.secret, id, 1)},
	}
	w.nodes = append(w.nodes, n)
	var store pieces.Store = n.store
	if w.dir != "" {
		store = w.openDisk(len(w.nodes))
	}
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	piecenode.New(piecenode.Options{ID: id, Store: store, Keys: n.keys}).Register(server)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(ctx, listener) })
	w.t.Cleanup(func() {
		cancel()
		_ = transport.Close()
		wg.Wait()
		_ = store.Close()
	})
}

func (w *world) openDisk(number int) pieces.Store {
	dir := logstore.Dir{Path: filepath.Join(w.dir, fmt.Sprint(number)), Capacity: 1 << 40}
	if err := os.MkdirAll(dir.Path, 0o700); err != nil {
		w.t.Fatal(err)
	}
	store, err := logstore.Open(context.Background(), logstore.Options{Dirs: []logstore.Dir{dir}, Setup: true, Reserve: -1})
	if err != nil {
		w.t.Fatal(err)
	}
	return store
}

func (w *world) dial(transport netx.Transport, opts Options) {
	w.pool = rpc.NewPool(transport, rpc.PoolOptions{})
	w.client = New(w.pool, opts)
	w.t.Cleanup(func() {
		_ = w.pool.Close()
		_ = transport.Close()
	})
}

// segment is what a satellite and an uplink know of a stored segment.
type segment struct {
	root       pieces.PieceID
	redundancy ecenc.Redundancy
	data       []byte
	seed       [32]byte // of the upload's piece key
	pieces     []pieces.StoredPiece
	sent       int64
}

func (w *world) newSegment(r ecenc.Redundancy, size int) *segment {
	s := &segment{root: pieces.NewPieceID(), redundancy: r.WithShareSize(int64(size)), seed: [32]byte{3}, data: make([]byte, size)}
	rng := rand.NewChaCha8([32]byte{byte(size), 9})
	_, _ = rng.Read(s.data)
	return s
}

func (w *world) limit(node *testNode, piece pieces.PieceID, action pieces.Action, bytes int64, seed [32]byte) pieces.SignedLimit {
	now := time.Now()
	expires := now.Add(time.Hour).Truncate(time.Second)
	public := ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
	limit := pieces.OrderLimit{
		Satellite: w.sat, Node: node.url.ID, Piece: piece, Action: action, Limit: bytes,
		Created: now, Expires: expires, Serial: pieces.NewSerialNumber(expires), UplinkKey: [32]byte(public),
	}
	return limit.Sign(node.keys[0])
}

func (w *world) putLimits(s *segment, nodes []*testNode) (limits []pieces.PieceLimit) {
	for number, node := range nodes[:min(len(nodes), s.redundancy.Total)] {
		limits = append(limits, pieces.PieceLimit{
			Number: number, Node: node.url,
			Limit: w.limit(node, s.root.Derive(node.url.ID, number), pieces.ActionPut, pieces.MaxPieceSize, s.seed),
		})
	}
	return limits
}

func (w *world) upload(ctx context.Context, s *segment) error {
	res, err := w.client.Upload(ctx, &UploadRequest{
		Data: s.data, Redundancy: s.redundancy, PieceKey: s.seed, Limits: w.putLimits(s, w.nodes),
	})
	if err != nil {
		return err
	}
	s.pieces, s.sent = res.Pieces, res.BytesSent
	for _, piece := range s.pieces {
		key := w.node(piece.Node).keys[0]
		if !piece.Ack.Verify(key) || piece.Ack.Piece != s.root.Derive(piece.Node, piece.Number) {
			w.t.Fatalf("piece %d: acknowledgement does not verify", piece.Number)
		}
	}
	return nil
}

func (w *world) node(id netx.NodeID) *testNode {
	for _, n := range w.nodes {
		if n.url.ID == id {
			return n
		}
	}
	w.t.Fatalf("no node %s", id)
	return nil
}

func (w *world) getRequest(s *segment, offset, length int64) *DownloadRequest {
	seed := [32]byte{4}
	req := &DownloadRequest{
		Redundancy: s.redundancy, EncryptedSize: int64(len(s.data)), Offset: offset, Length: length, PieceKey: seed,
	}
	for _, piece := range s.pieces {
		node := w.node(piece.Node)
		req.Limits = append(req.Limits, pieces.PieceLimit{
			Number: piece.Number, Node: node.url,
			Limit: w.limit(node, piece.Ack.Piece, pieces.ActionGet, piece.Ack.Size, seed),
		})
	}
	return req
}

func (w *world) download(ctx context.Context, req *DownloadRequest) ([]byte, *Download, error) {
	d := w.client.Download(ctx, req)
	defer d.Close()
	var out bytes.Buffer
	for {
		run, err := d.Next()
		if err == io.EOF {
			return out.Bytes(), d, nil
		}
		if err != nil {
			return nil, d, err
		}
		out.Write(run)
	}
}

func (w *world) mustRead(s *segment, offset, length int64) *Download {
	w.t.Helper()
	got, d, err := w.download(w.t.Context(), w.getRequest(s, offset, length))
	if err != nil {
		w.t.Fatalf("read [%d, %d): %v", offset, offset+length, err)
	}
	if !bytes.Equal(got, s.data[offset:offset+length]) {
		w.t.Fatalf("read [%d, %d): bytes differ", offset, offset+length)
	}
	return d
}

func (s *segment) uploadKey() [32]byte {
	return [32]byte(pieceKey(s.seed).Public().(ed25519.PublicKey))
}

// swap puts other content into the place of a piece, with a proof that the node made up itself.
func (w *world) swap(s *segment, p pieces.StoredPiece, size int64) {
	w.t.Helper()
	node := w.node(p.Node)
	seed := [32]byte{66}
	content := bytes.Repeat([]byte{1}, int(size))
	hash := pieces.PieceHash{Piece: p.Ack.Piece, Size: size, Hash: blake3.Sum256(content), Created: time.Now()}
	hash.Sign(pieceKey(seed))
	proof := pieces.Proof{Limit: w.limit(node, p.Ack.Piece, pieces.ActionPut, size, seed), Hash: hash}
	if !node.store.Lose(w.sat, p.Ack.Piece) {
		w.t.Fatal("no such piece")
	}
	writer, err := node.store.Create(w.t.Context(), pieces.CreateOptions{Satellite: w.sat, Piece: p.Ack.Piece, Size: size})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := writer.Write(content); err != nil {
		w.t.Fatal(err)
	}
	if err := writer.Commit(w.t.Context(), wire.Marshal(&proof)); err != nil {
		w.t.Fatal(err)
	}
}
