package piececlient_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/zeebo/blake3"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/netx"
	"storj/netx/memnet"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/memstore"
	"storj/pieces/piececlient"
	"storj/pieces/piecenode"
)

// node is one real node over memnet, its satellite's powers in the test's hands. It must be made in a bubble.
type node struct {
	t     *testing.T
	url   netx.NodeURL
	key   pieces.NodeKey
	keys  []pieces.NodeKey
	store *memstore.Store
	pool  *rpc.Pool
	now   time.Time // zero: the clock
}

var (
	satellite = netx.NodeID{77}
	seed      = bytes.Repeat([]byte{3}, 32)
	uplinkKey = ed25519.NewKeyFromSeed(seed)
)

func (n *node) NodeKeys(id netx.NodeID) ([]pieces.NodeKey, error) {
	if id != satellite {
		return nil, pieces.ErrUntrusted
	}
	if len(n.keys) == 0 {
		return nil, pieces.ErrNotReady
	}
	return n.keys, nil
}

func start(t *testing.T, opts memstore.Options) *node {
	network := memnet.New(1)
	id := netx.NodeID{1}
	transport, mine := network.Transport(id), network.Transport(netx.NodeID{2})
	listener, err := transport.Listen()
	if err != nil {
		t.Fatal(err)
	}
	n := &node{
		t: t, url: netx.NodeURL{ID: id, Address: transport.Address()}, store: memstore.New(opts),
		key: pieces.DeriveNodeKey(ecenc.Key{1}, id, 5), pool: rpc.NewPool(mine, rpc.PoolOptions{}),
	}
	n.keys = []pieces.NodeKey{n.key, pieces.DeriveNodeKey(ecenc.Key{1}, id, 4)}
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	piecenode.New(piecenode.Options{
		ID: id, Store: n.store, Keys: n, Version: "v1",
		Now: func() time.Time {
			if n.now.IsZero() {
				return time.Now()
			}
			return n.now
		},
	}).Register(server)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(ctx, listener) })
	t.Cleanup(func() {
		_ = n.pool.Close()
		cancel()
		_ = mine.Close()
		_ = transport.Close()
		wg.Wait()
		_ = n.store.Close()
	})
	return n
}

func (n *node) limit(action pieces.Action, piece pieces.PieceID, size int64) pieces.OrderLimit {
	now := time.Now()
	expires := now.Add(time.Hour).Truncate(time.Second)
	return pieces.OrderLimit{
		Satellite: satellite, Node: n.url.ID, Piece: piece, Action: action, Limit: size, Created: now,
		Expires: expires, Serial: pieces.NewSerialNumber(expires),
		UplinkKey: [32]byte(uplinkKey.Public().(ed25519.PublicKey)),
	}
}

type bytesSource struct {
	content []byte
	chunk   int
	fail    error
}

func (s *bytesSource) Next() ([]byte, error) {
	if s.fail != nil && len(s.content) <= s.chunk {
		return nil, s.fail
	}
	n := min(s.chunk, len(s.content))
	chunk := s.content[:n]
	s.content = s.content[n:]
	return chunk, nil
}

func (n *node) put(limit pieces.SignedLimit, content []byte) (*pieces.PieceAck, error) {
	return piececlient.Upload(n.t.Context(), n.pool, piececlient.UploadOptions{
		Node: n.url, Limit: limit, Key: uplinkKey, Size: int64(len(content)),
		Source: &bytesSource{content: content, chunk: 10_000},
	})
}

func (n *node) get(limit pieces.SignedLimit, offset, length int64) ([]byte, error) {
	r, err := piececlient.Open(n.t.Context(), n.pool, piececlient.DownloadOptions{
		Node: n.url, Limit: limit, Key: uplinkKey, Offset: offset, Length: length, WantProof: true,
	})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func content(size int) []byte {
	b := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{byte(size)})
	_, _ = rng.Read(b)
	return b
}

func TestPiecesComeBack(t *testing.T) {
	for _, size := range []int{1, 100, 16 << 10, 16<<10 + 1, 300_000, 5 << 20} {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, memstore.Options{})
			want := content(size)
			id := pieces.NewPieceID()
			put := n.limit(pieces.ActionPut, id, int64(size))
			ack, err := n.put(put.Sign(n.key), want)
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			if !ack.Verify(n.key) || ack.Hash != blake3.Sum256(want) || ack.Epoch != 5 {
				t.Errorf("%d bytes: acknowledgement %+v", size, ack)
			}
			for _, r := range [][2]int64{{0, int64(size)}, {int64(size) / 2, int64(size) - int64(size)/2}, {int64(size) - 1, 1}} {
				get := n.limit(pieces.ActionGet, id, r[1])
				got, err := n.get(get.Sign(n.keys[1]), r[0], r[1]) // the epoch before is good too
				if err != nil {
					t.Fatalf("%d bytes, range %v: %v", size, r, err)
				}
				if !bytes.Equal(got, want[r[0]:r[0]+r[1]]) {
					t.Errorf("%d bytes, range %v: bytes differ", size, r)
				}
			}
		})
	}
}

func TestLimitsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, memstore.Options{})
		want := content(1000)
		id := pieces.NewPieceID()
		good := n.limit(pieces.ActionPut, id, 1000)
		if _, err := n.put(good.Sign(n.key), want); err != nil {
			t.Fatal(err)
		}
		used := n.limit(pieces.ActionGet, id, 1000)
		if _, err := n.get(used.Sign(n.key), 0, 1000); err != nil {
			t.Fatal(err)
		}
		foreign := pieces.DeriveNodeKey(ecenc.Key{2}, n.url.ID, 5)
		for _, test := range []struct {
			name   string
			key    pieces.NodeKey
			change func(l *pieces.OrderLimit)
			want   error
		}{
			{"used before", n.key, func(l *pieces.OrderLimit) { *l = used }, pieces.ErrLimitUsed},
			{"another node's", n.key, func(l *pieces.OrderLimit) { l.Node = netx.NodeID{9} }, pieces.ErrLimit},
			{"another satellite's", n.key, func(l *pieces.OrderLimit) { l.Satellite = netx.NodeID{9} }, pieces.ErrUntrusted},
			{"made by a stranger", foreign, func(l *pieces.OrderLimit) {}, pieces.ErrLimit},
			{"of an old epoch", pieces.DeriveNodeKey(ecenc.Key{1}, n.url.ID, 3), func(l *pieces.OrderLimit) {}, pieces.ErrLimit},
			{"for uploading", n.key, func(l *pieces.OrderLimit) { l.Action = pieces.ActionPut }, pieces.ErrLimit},
			{"expired", n.key, func(l *pieces.OrderLimit) {
				l.Expires = time.Now().Add(-time.Second).Truncate(time.Second)
				l.Serial = pieces.NewSerialNumber(l.Expires)
			}, pieces.ErrLimitExpired},
			{"of yesterday", n.key, func(l *pieces.OrderLimit) { l.Created = l.Created.Add(-24 * time.Hour) }, pieces.ErrLimitExpired},
			{"of tomorrow", n.key, func(l *pieces.OrderLimit) { l.Created = l.Created.Add(24 * time.Hour) }, pieces.ErrLimitExpired},
			{"good for years", n.key, func(l *pieces.OrderLimit) {
				l.Expires = l.Expires.Add(1000 * 24 * time.Hour)
				l.Serial = pieces.NewSerialNumber(l.Expires)
			}, pieces.ErrLimitExpired},
			{"serial of another expiry", n.key, func(l *pieces.OrderLimit) { l.Serial[7]++ }, pieces.ErrLimitExpired},
			{"too small", n.key, func(l *pieces.OrderLimit) { l.Limit = 999 }, pieces.ErrOrder},
			{"another uplink's", n.key, func(l *pieces.OrderLimit) { l.UplinkKey = [32]byte{1} }, pieces.ErrOrder},
			{"unknown piece", n.key, func(l *pieces.OrderLimit) { l.Piece = pieces.PieceID{1} }, pieces.ErrNotFound},
		} {
			limit := n.limit(pieces.ActionGet, id, 1000)
			test.change(&limit)
			if _, err := n.get(limit.Sign(test.key), 0, 1000); !errors.Is(err, test.want) {
				t.Errorf("%s: got %v, want %v", test.name, err, test.want)
			}
		}
		for _, r := range [][2]int64{{0, 1001}, {1000, 1}, {-1, 5}, {5, 0}, {0, -1}, {1 << 62, 1 << 62}} {
			limit := n.limit(pieces.ActionGet, id, 1<<62)
			if _, err := n.get(limit.Sign(n.key), r[0], r[1]); err == nil {
				t.Errorf("range %v was served", r)
			}
		}
		again := n.limit(pieces.ActionPut, id, 1000)
		if _, err := n.put(again.Sign(n.key), want); !errors.Is(err, pieces.ErrExists) {
			t.Errorf("second upload of a piece: %v", err)
		}
		small := n.limit(pieces.ActionPut, pieces.NewPieceID(), 999)
		if _, err := n.put(small.Sign(n.key), want); !errors.Is(err, pieces.ErrLimit) {
			t.Errorf("upload over its limit: %v", err)
		}
		n.keys = nil
		early := n.limit(pieces.ActionGet, id, 1000)
		if _, err := n.get(early.Sign(n.key), 0, 1000); !errors.Is(err, pieces.ErrNotReady) {
			t.Errorf("before the first check-in: %v", err)
		}
	})
}

func TestUploadsThatLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, memstore.Options{Capacity: 1 << 20})
		want := content(200_000)
		upload := func(ctx context.Context, source piececlient.Source, key ed25519.PrivateKey, size int64) error {
			limit := n.limit(pieces.ActionPut, pieces.NewPieceID(), 1<<30)
			_, err := piececlient.Upload(ctx, n.pool, piececlient.UploadOptions{
				Node: n.url, Limit: limit.Sign(n.key), Key: key, Size: size, Source: source,
			})
			return err
		}
		broken := errors.New("disk of the client broke")
		if err := upload(t.Context(), &bytesSource{content: want, chunk: 50_000, fail: broken}, uplinkKey, 200_000); !errors.Is(err, broken) {
			t.Errorf("source that fails: %v", err)
		}
		other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32))
		if err := upload(t.Context(), &bytesSource{content: want, chunk: 50_000}, other, 200_000); !errors.Is(err, pieces.ErrHash) {
			t.Errorf("hash signed by another: %v", err)
		}
		if err := upload(t.Context(), &bytesSource{content: make([]byte, 2<<20), chunk: 50_000}, uplinkKey, 2<<20); !errors.Is(err, pieces.ErrNoSpace) {
			t.Errorf("more than the node gives: %v", err)
		}
		if err := upload(t.Context(), &bytesSource{content: make([]byte, pieces.MaxPieceSize+1), chunk: 50_000}, uplinkKey, pieces.MaxPieceSize+1); err == nil {
			t.Error("a piece larger than any was taken")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := upload(ctx, &bytesSource{content: want, chunk: 50_000}, uplinkKey, 200_000); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		synctest.Wait()
		if usage := n.store.Usage(); len(usage) != 0 && usage[satellite].Pieces != 0 {
			t.Errorf("left behind: %+v", usage)
		}
		if free := n.store.Space().Free; free != 1<<20 {
			t.Errorf("%d bytes free of %d: a reservation leaked", free, 1<<20)
		}
	})
}

// TestRawProtocol sends what no client of ours would.
func TestRawProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, memstore.Options{})
		body := content(1000)
		signed := func(size int64) []byte {
			h := pieces.PieceHash{Size: size, Hash: blake3.Sum256(body), Created: time.Now()}
			h.Sign(uplinkKey)
			raw := wire.Marshal(&h)
			return append([]byte{byte(len(raw)) | 0x80, byte(len(raw) >> 7)}, raw...)
		}
		for name, raw := range map[string][]byte{
			"nothing":               nil,
			"half the body":         body[:500],
			"no hash":               body,
			"hash cut short":        slices.Concat(body, signed(1000)[:20]),
			"hash of another piece": slices.Concat(body, signed(1000)),
			"endless length":        slices.Concat(body, bytes.Repeat([]byte{0xff}, 20)),
			"huge length":           slices.Concat(body, []byte{0xff, 0xff, 0x7f}),
			"garbage for a hash":    slices.Concat(body, []byte{4, 1, 2, 3, 4}),
		} {
			limit := n.limit(pieces.ActionPut, pieces.NewPieceID(), 1000)
			st, err := n.pool.Open(t.Context(), n.url, netx.Data, pieces.MethodUpload, &pieces.UploadHeader{Limit: limit.Sign(n.key), Size: 1000})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := st.Write(raw); err != nil {
				t.Fatal(err)
			}
			if err := st.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if err := st.Response(&pieces.PieceAck{}, pieces.Errors()); err == nil {
				t.Errorf("%s: acknowledged", name)
			}
		}
		var ping pieces.PingReply
		if err := n.pool.Call(t.Context(), n.url, netx.Data, pieces.MethodPing, &pieces.Empty{}, &ping); err != nil || ping.Version != "v1" {
			t.Errorf("ping afterwards: %+v, %v", ping, err)
		}
	})
}

// TestOrdersBoundTheDownload reads with one order and shows that no more comes.
func TestOrdersBoundTheDownload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, memstore.Options{})
		id := pieces.NewPieceID()
		put := n.limit(pieces.ActionPut, id, 1<<20)
		if _, err := n.put(put.Sign(n.key), content(1<<20)); err != nil {
			t.Fatal(err)
		}
		get := n.limit(pieces.ActionGet, id, 1<<20)
		order := pieces.Order{Serial: get.Serial, Amount: 100_000}
		order.Sign(uplinkKey)
		header := pieces.DownloadHeader{Limit: get.Sign(n.key), Length: 1 << 20, Order: order}
		st, err := n.pool.Open(t.Context(), n.url, netx.Data, pieces.MethodDownload, &header)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Cancel(netx.Cancelled)
		var reply pieces.DownloadReply
		if err := st.Response(&reply, pieces.Errors()); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(st)
		if len(got) != 100_000 || err == nil {
			t.Errorf("got %d bytes and %v for an order of 100,000", len(got), err)
		}
	})
}

// TestTricklesAreCutOff sends a byte of an upload now and then: the node must not hold its place for as long as that takes.
func TestTricklesAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, memstore.Options{Capacity: 4 << 20})
		limit := n.limit(pieces.ActionPut, pieces.NewPieceID(), 1<<20)
		header := pieces.UploadHeader{Limit: limit.Sign(n.key), Size: 1 << 20}
		st, err := n.pool.Open(t.Context(), n.url, netx.Data, pieces.MethodUpload, &header)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Cancel(netx.Cancelled)
		for begun := time.Now(); ; time.Sleep(20 * time.Second) {
			if _, err := st.Write([]byte{1}); err != nil {
				break
			}
			if time.Since(begun) > 2*time.Hour {
				t.Fatal("a byte every 20 s kept an upload going for two hours")
			}
		}
		synctest.Wait()
		if free := n.store.Space().Free; free != 4<<20 {
			t.Errorf("%d bytes free of %d", free, 4<<20)
		}
	})
}

// TestSmallOrdersAreRefused orders a download byte by byte: each order costs the node a signature check.
func TestSmallOrdersAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, memstore.Options{})
		id := pieces.NewPieceID()
		put := n.limit(pieces.ActionPut, id, 1<<20)
		if _, err := n.put(put.Sign(n.key), content(1<<20)); err != nil {
			t.Fatal(err)
		}
		get := n.limit(pieces.ActionGet, id, 1<<20)
		order := pieces.Order{Serial: get.Serial, Amount: 1}
		order.Sign(uplinkKey)
		header := pieces.DownloadHeader{Limit: get.Sign(n.key), Length: 1 << 20, Order: order}
		st, err := n.pool.Open(t.Context(), n.url, netx.Data, pieces.MethodDownload, &header)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Cancel(netx.Cancelled)
		if err := st.Response(new(pieces.DownloadReply), pieces.Errors()); !errors.Is(err, pieces.ErrOrder) {
			t.Errorf("order of one byte of a MiB: %v, want %v", err, pieces.ErrOrder)
		}
	})
}
