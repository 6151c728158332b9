package satellite

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"storj/ecenc/cipher"
	"storj/metainfo"
	"storj/metainfo/metaclient"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/memstore"
	"storj/pieces/piecenode"
	"storj/pieces/segmentio"
	"storj/roles/satellite/admin"
	"storj/roles/satellite/durability"
	"storj/roles/satellite/repair"
)

// storing is a node that keeps pieces and checks in.
type storing struct {
	*peer
	store *memstore.Store
}

func (n *storing) NodeKeys(netx.NodeID) ([]pieces.NodeKey, error) { return n.keys, nil }

// storing serves a node that has joined; it checks in every hour.
func (w *world) storing(number int) *storing {
	w.Helper()
	n := &storing{peer: w.peer(number), store: memstore.New(memstore.Options{})}
	listener, err := n.wire.Listen()
	if err != nil {
		w.Fatal(err)
	}
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	piecenode.New(piecenode.Options{ID: n.wire.ID(), Store: n.store, Keys: n, Version: "test"}).Register(server)
	served := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { served <- server.Serve(ctx, listener) }()
	if err := n.join(w.token(1)); err != nil {
		w.Fatal(err)
	}
	_, err = n.checkIn(n.report())
	w.check("check-in", err, nil)
	checking := make(chan struct{})
	go func() {
		defer close(checking)
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(time.Hour):
				_, _ = n.checkIn(n.report()) // one that is cut off fails
			}
		}
	}()
	w.Cleanup(func() {
		cancel()
		<-checking
		if err := <-served; err != nil {
			w.Error(err)
		}
		_ = n.store.Close()
	})
	return n
}

// plain is the size of a plaintext whose ciphertext has the size of healedContent.
const plain = 63_968

// healedContent stands for ciphertext.
func healedContent() []byte { return bytes.Repeat([]byte("0123456789abcdef"), 4000) }

// upload stores an object as an uplink does, on every node that the plan names.
func (w *world) upload(svc metainfo.Service, auth metainfo.Auth, pool *rpc.Pool, key string, content []byte) {
	w.Helper()
	begun, err := svc.BeginObject(w.Context(), &metainfo.BeginObjectRequest{Auth: auth, Bucket: "bucket", Key: []byte(key), Plan: true})
	if err != nil {
		w.Fatal(err)
	}
	scheme := begun.Plan.Redundancy.WithShareSize(int64(len(content)))
	result, err := segmentio.New(pool, segmentio.Options{}).Upload(w.Context(), &segmentio.UploadRequest{
		Data: content, Redundancy: scheme, PieceKey: begun.Plan.PieceKey, Limits: begun.Plan.Limits,
	})
	if err != nil {
		w.Fatal(err)
	}
	_, err = svc.CommitObject(w.Context(), &metainfo.CommitObjectRequest{
		Auth: auth, Upload: begun.Upload, Segments: 1, Last: &metainfo.NewSegment{
			PlainSize: plain, EncryptedSize: int64(len(content)), Token: begun.Plan.Token,
			ShareSize: scheme.ShareSize, Pieces: result.Pieces,
		},
	})
	if err != nil {
		w.Fatal(err)
	}
}

// TestNetworkHealsItself stores objects on ten nodes, takes three away for good, one after another, and gives no command:
// the satellite must notice, repair, and tell.
func TestNetworkHealsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		nodes := make(map[netx.NodeID]*storing)
		var order []*storing
		for i := range 10 {
			n := w.storing(i + 1)
			nodes[n.wire.ID()], order = n, append(order, n)
		}
		text, _ := w.apiKey()
		auth, client := parseAuth(t, text), w.peer(100)
		svc := metaclient.New(client.pool, w.sat.URL())
		if _, err := svc.CreateBucket(t.Context(), &metainfo.CreateBucketRequest{Auth: auth, Name: "bucket"}); err != nil {
			t.Fatal(err)
		}
		content := healedContent()
		if cipher.EncryptedSize(plain) != int64(len(content)) {
			t.Fatal("sizes do not fit")
		}
		for _, key := range []string{"a", "b", "c", "d", "e"} {
			w.upload(svc, auth, client.pool, key, content)
		}
		self := rpc.NewPool(w.wire, rpc.PoolOptions{})
		t.Cleanup(func() { _ = self.Close() })
		health := func() *durability.Health {
			t.Helper()
			h, err := durability.Ask(t.Context(), self, w.sat.URL())
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		time.Sleep(time.Hour) // the first pass is not made by command either
		if h := health(); h.Segments != 5 || h.Level != durability.Good || h.Lost != 0 || len(h.Domains) == 0 {
			t.Fatalf("before: %s: %s, %+v", h.Level, h.Sentence, h)
		}
		for i := range 3 {
			w.network.Kill(order[i].wire.ID())
			time.Sleep(36 * time.Hour)
		}
		h := health()
		told := ""
		for _, e := range h.Events {
			told += string(e.Kind) + ": " + e.Text + "\n"
		}
		if strings.Count(told, "node-lost: ") != 3 || !strings.Contains(told, "repair finished") && !strings.Contains(told, "segments done") {
			t.Errorf("the story is\n%s", told)
		}
		if h.Lost != 0 || h.Estimate.NodesLost != 3 || h.Estimate.Probability <= 0 {
			t.Errorf("after: %s: %s, %+v", h.Level, h.Sentence, h.Estimate)
		}
		w.readAll(svc, auth, client.pool, nodes, content)
		status, err := repair.NewClient(self, w.sat.URL()).Status(t.Context())
		if err != nil || status.Segments != 5 || status.Read == 0 {
			t.Errorf("%+v, %v", status, err)
		}
		if _, err := repair.NewClient(client.pool, w.sat.URL()).Status(t.Context()); err == nil {
			t.Error("a stranger may ask")
		}
		if _, err := admin.NewClient(self, w.sat.URL()).Status(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// readAll downloads every object and checks that seven nodes have pieces of it.
func (w *world) readAll(svc metainfo.Service, auth metainfo.Auth, pool *rpc.Pool, nodes map[netx.NodeID]*storing, content []byte) {
	w.Helper()
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		d, err := svc.Download(w.Context(), &metainfo.DownloadRequest{Auth: auth, Bucket: "bucket", Key: []byte(key), Length: -1})
		if err != nil || len(d.Segments) != 1 {
			w.Fatal(err)
		}
		s := d.Segments[0]
		alive := 0
		for _, l := range s.Limits {
			if _, online, _ := w.sat.Directory().Snapshot().Node(l.Node.ID); online && nodes[l.Node.ID] != nil {
				alive++
			}
		}
		if alive < 7 {
			w.Errorf("%s has pieces on %d nodes that are there", key, alive)
		}
		download := segmentio.New(pool, segmentio.Options{}).Download(w.Context(), &segmentio.DownloadRequest{
			Redundancy: s.Redundancy, EncryptedSize: s.EncryptedSize, Length: s.EncryptedSize, PieceKey: s.PieceKey, Limits: s.Limits,
		})
		var got []byte
		for len(got) < len(content) {
			run, err := download.Next()
			if err != nil {
				w.Error(err)
				break
			}
			got = append(got, run...)
		}
		if !bytes.Equal(got, content) {
			w.Errorf("%s: %d bytes differ", key, len(got))
		}
		if err := download.Close(); err != nil {
			w.Error(err)
		}
	}
}
