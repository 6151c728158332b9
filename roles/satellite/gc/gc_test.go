package gc

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop"
	"storj/metainfo/rangedloop/looptest"
	"storj/netx"
	"storj/netx/identity"
	"storj/netx/memnet"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/filter"
)

// fakeNode takes filters.
type fakeNode struct {
	url    netx.NodeURL
	online atomic.Bool

	mu       sync.Mutex // guards the fields below
	filters  []*filter.Filter
	headers  []pieces.RetainHeader
	refuse   error
	restored []time.Time
}

// network is a database with nodes that listen.
type network struct {
	t       *testing.T
	db      *metabase.DB
	nodes   map[netx.NodeID]*fakeNode
	aliases []netx.NodeID // from 1
	pool    *rpc.Pool
	hold    atomic.Pointer[func(netx.NodeID) error]
	events  []string
}

// Node is Nodes.
func (n *network) Node(id netx.NodeID) (netx.NodeURL, bool, bool) {
	node := n.nodes[id]
	if node == nil {
		return netx.NodeURL{}, false, false
	}
	return node.url, node.online.Load(), true
}

func newNetwork(t *testing.T, count int) *network {
	t.Helper()
	store := memkv.New(memkv.Options{})
	t.Cleanup(func() { _ = store.Close() })
	db, err := metabase.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	net := memnet.New(1)
	n := &network{t: t, db: db, nodes: make(map[netx.NodeID]*fakeNode), aliases: []netx.NodeID{{}}}
	n.pool = rpc.NewPool(net.Transport(generate(t).ID()), rpc.PoolOptions{})
	for range count {
		id := generate(t).ID()
		if _, err := db.PutNode(t.Context(), id, func(*metabase.Node, bool) error { return nil }); err != nil {
			t.Fatal(err)
		}
		transport := net.Transport(id)
		node := &fakeNode{url: netx.NodeURL{ID: id, Address: transport.Address()}}
		node.online.Store(true)
		n.nodes[id] = node
		n.aliases = append(n.aliases, id)
		listener, err := transport.Listen()
		if err != nil {
			t.Fatal(err)
		}
		server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
		node.register(server)
		stop := run(t, func(ctx context.Context) error { return server.Serve(ctx, listener) })
		t.Cleanup(func() {
			stop()
			_ = transport.Close()
		})
	}
	t.Cleanup(func() { _ = n.pool.Close() })
	return n
}

func (f *fakeNode) register(s *rpc.Server) {
	s.Stream(pieces.MethodRetain, 512, func(_ context.Context, _ rpc.Peer, raw []byte, st *rpc.ServerStream) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.refuse != nil {
			return f.refuse
		}
		var header pieces.RetainHeader
		if err := wire.Unmarshal(raw, &header); err != nil {
			return err
		}
		bits, err := io.ReadAll(st)
		if err != nil {
			return err
		}
		bloom, err := filter.FromHeader(&header, bits)
		if err != nil {
			return err
		}
		f.filters, f.headers = append(f.filters, bloom), append(f.headers, header)
		return st.Reply(new(pieces.Empty))
	})
	rpc.Unary(s, pieces.MethodRestoreTrash, rpc.Limits{}, func(_ context.Context, _ rpc.Peer, r *pieces.RestoreTrashRequest) (*pieces.RestoreTrashReply, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.restored = append(f.restored, r.Since)
		return &pieces.RestoreTrashReply{Pieces: 7}, nil
	})
}

func generate(t testing.TB) *identity.Identity {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// run runs something until the returned function is called.
func run(t *testing.T, do func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func (n *network) filters(opts Options) *Filters {
	n.t.Helper()
	opts.DB, opts.Nodes, opts.Pool = n.db, n, n.pool
	opts.Hold = func(id netx.NodeID) error {
		if hold := n.hold.Load(); hold != nil {
			return (*hold)(id)
		}
		return nil
	}
	opts.Event = func(text string) { n.events = append(n.events, text) }
	f := New(opts)
	if err := f.Load(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	return f
}

// put writes segments with three pieces each on the nodes 1 to 3.
func (n *network) put(from, count int) []metainfo.Segment {
	n.t.Helper()
	var list []metainfo.Segment
	for i := range count {
		s := metainfo.Segment{Root: pieces.NewPieceID(), Redundancy: scheme(), EncryptedSize: 1000, PlainSize: 900, Created: time.Now()}
		binary.BigEndian.PutUint64(s.Stream[:], uint64(from+i+1)<<40)
		for number := range 3 {
			s.Pieces = append(s.Pieces, metainfo.Piece{Number: number, Alias: metainfo.NodeAlias(number + 1)})
		}
		list = append(list, s)
	}
	if err := looptest.Put(n.t.Context(), n.db.Store(), list...); err != nil {
		n.t.Fatal(err)
	}
	return list
}

func (n *network) pass(f *Filters) error {
	n.t.Helper()
	loop := rangedloop.New(n.db, rangedloop.Options{})
	loop.Add("gc", f)
	report, err := loop.Pass(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	return report.Failed["gc"]
}

// got is how many filters a node has taken.
func (f *fakeNode) got() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.filters)
}

func TestFiltersReachNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, 4)
		segments := n.put(0, 50)
		f := n.filters(Options{})
		stop := run(t, f.Run)
		if err := n.pass(f); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n.nodes[n.aliases[1]].got() != 0 {
			t.Error("the first pass of all, which knows no counts, made filters")
		}
		n.nodes[n.aliases[2]].online.Store(false)
		n.nodes[n.aliases[3]].refuse = pieces.ErrDisk
		began := time.Now()
		if err := n.pass(f); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for i, want := range map[int]int{1: 1, 2: 0, 3: 0, 4: 1} { // 4 has no piece and gets an empty filter
			if got := n.nodes[n.aliases[i]].got(); got != want {
				t.Errorf("node %d has %d filters, want %d", i, got, want)
			}
		}
		node := n.nodes[n.aliases[1]]
		if created := node.headers[0].Created; began.Sub(created).Round(time.Minute) != DefaultSkew {
			t.Errorf("made at %v, dated %v", began, created)
		}
		for _, s := range segments {
			if !node.filters[0].Contains(s.Root.Derive(node.url.ID, 0)) {
				t.Fatal("a live piece is not in the filter")
			}
		}
		if empty := n.nodes[n.aliases[4]]; empty.filters[0].Contains(pieces.PieceID{1}) {
			t.Error("the filter of a node without pieces is not empty")
		}

		// Not due: nothing is made. Those that were away get theirs when they are back.
		if err := n.pass(f); err != nil {
			t.Fatal(err)
		}
		status := f.Status()
		if status.Waiting != 2 || len(status.Nodes) != 4 || status.Held != "" || status.Nodes[3].Sent.IsZero() || !status.Nodes[0].Sent.IsZero() {
			t.Errorf("status %+v", status)
		}
		if !strings.Contains(status.Nodes[0].Problem+status.Nodes[1].Problem, "disk") {
			t.Errorf("the reason of the refusal is not shown: %+v", status.Nodes)
		}
		n.nodes[n.aliases[2]].online.Store(true)
		n.nodes[n.aliases[3]].mu.Lock()
		n.nodes[n.aliases[3]].refuse = nil
		n.nodes[n.aliases[3]].mu.Unlock()
		time.Sleep(2 * retryAfter)
		for i := 1; i <= 4; i++ {
			if got := n.nodes[n.aliases[i]].got(); got != 1 {
				t.Errorf("node %d has %d filters", i, got)
			}
		}
		stop()

		// A restart goes on where it was.
		f = n.filters(Options{})
		stop = run(t, f.Run)
		time.Sleep(DefaultEvery)
		if err := n.pass(f); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := n.nodes[n.aliases[1]].got(); got != 2 {
			t.Errorf("%d filters a day later", got)
		}
		if a, b := node.headers[0].Seed, node.headers[1].Seed; a == b {
			t.Error("two filters err about the same pieces")
		}
		stop()
	})
}

func TestFilterTooOldIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, 3)
		n.put(0, 5)
		n.nodes[n.aliases[1]].online.Store(false)
		f := n.filters(Options{Every: -1})
		defer run(t, f.Run)()
		for range 2 {
			if err := n.pass(f); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(MaxAge + time.Hour)
		n.nodes[n.aliases[1]].online.Store(true)
		time.Sleep(time.Hour)
		if got := n.nodes[n.aliases[1]].got(); got != 0 || f.Status().Waiting != 0 {
			t.Errorf("%d filters of last week taken", got)
		}
	})
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, 3)
		n.put(0, 5)
		f := n.filters(Options{Every: -1})
		defer run(t, f.Run)()
		if err := n.pass(f); err != nil {
			t.Fatal(err)
		}
		wrong := errors.New("restored")
		all := func(netx.NodeID) error { return wrong }
		n.hold.Store(&all)
		if err := n.pass(f); err != nil || f.Status().Held != "restored" || f.Status().Waiting != 0 {
			t.Errorf("%v, %+v", err, f.Status())
		}
		one := func(id netx.NodeID) error {
			if id == n.aliases[1] {
				return wrong
			}
			return nil
		}
		n.hold.Store(&one)
		if err := n.pass(f); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n.nodes[n.aliases[1]].got() != 0 || n.nodes[n.aliases[2]].got() != 1 {
			t.Error("a node that is held got a filter, or one that is not got none")
		}
		n.hold.Store(nil)
		if count, err := f.RestoreTrash(t.Context(), n.aliases[1], time.Unix(5, 0)); err != nil || count != 7 {
			t.Errorf("%d, %v", count, err)
		}
		time.Sleep(time.Hour)
		if n.nodes[n.aliases[1]].got() != 0 {
			t.Error("the filter that waited was sent after trash was restored")
		}
		if _, err := f.RestoreTrash(t.Context(), netx.NodeID{9}, time.Now()); !errors.Is(err, pieces.ErrNotJoined) {
			t.Errorf("unknown node: %v", err)
		}

		// The owner's pause survives a restart.
		if err := f.Pause(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		again := n.filters(Options{Every: -1})
		if err := n.pass(again); err != nil || again.Status().Held == "" || again.Status().Paused.IsZero() {
			t.Errorf("%v, %+v", err, again.Status())
		}
		time.Sleep(2 * time.Hour)
		if status := again.Status(); status.Held != "" {
			t.Errorf("%+v", status)
		}
	})
}

// TestOddPassesMakeNoFilter alters the database in ways that must not be believed.
func TestOddPassesMakeNoFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, 3)
		segments := n.put(0, 1500)
		f := n.filters(Options{Every: -1})
		two := func() {
			t.Helper()
			for range 2 {
				if err := n.pass(f); err != nil {
					t.Fatal(err)
				}
			}
		}
		two()
		if got := f.waiting(); got != 3 {
			t.Fatalf("%d filters", got)
		}
		clear(f.sealed)

		// Most of what there was is gone: believed when it is still so in the next pass.
		err := n.db.Store().Update(t.Context(), func(tx kv.Tx) error {
			for _, s := range segments[:1000] {
				if err := tx.Delete(append(append([]byte("s"), s.Stream[:]...), make([]byte, 8)...)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.pass(f); err != nil || f.waiting() != 0 || len(n.events) != 3 {
			t.Errorf("%v, %d filters of nodes that lost most, %q", err, f.waiting(), n.events)
		}
		if err := n.pass(f); err != nil || f.waiting() != 3 {
			t.Errorf("%v, %d filters when the next pass saw the same", err, f.waiting())
		}
		clear(f.sealed)

		// A piece on a node that nobody knows.
		odd := segments[1200]
		odd.Pieces = append(odd.Pieces, metainfo.Piece{Number: 3, Alias: 99})
		if err := looptest.Put(t.Context(), n.db.Store(), odd); err != nil {
			t.Fatal(err)
		}
		if err := n.pass(f); !errors.Is(err, errUnknownNode) || f.waiting() != 0 {
			t.Errorf("%v, %d filters", err, f.waiting())
		}
		if err := looptest.Put(t.Context(), n.db.Store(), segments[1200]); err != nil {
			t.Fatal(err)
		}
		two()
		if f.waiting() != 3 {
			t.Errorf("%d filters when all is well again", f.waiting())
		}
	})
}

// TestMemoryIsBounded makes filters for a few nodes a pass.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, 5)
		n.put(0, 100)
		f := n.filters(Options{MaxMemory: 2 * filterSize(minCapacity)})
		made := make(map[netx.NodeID]int)
		var built []time.Time
		for range 5 {
			if err := n.pass(f); err != nil {
				t.Fatal(err)
			}
			if len(f.sealed) > 2 {
				t.Errorf("%d filters in one pass", len(f.sealed))
			}
			for id := range f.sealed {
				made[id]++
			}
			clear(f.sealed)
			built = append(built, f.Status().Built)
			time.Sleep(time.Hour)
		}
		for i := 1; i <= 5; i++ {
			if made[n.aliases[i]] != 1 {
				t.Errorf("node %d got %d filters", i, made[n.aliases[i]])
			}
		}
		if !built[2].IsZero() || built[3].IsZero() || built[4] != built[3] { // a pass that counts, then 2 + 2 + 1 nodes
			t.Errorf("made at %v", built)
		}
	})
}

func FuzzStatus(f *testing.F) {
	status := Status{Held: "x", Nodes: []NodeStatus{{Node: netx.NodeID{1}, Pieces: 3}}}
	f.Add(wire.Marshal(&status))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s, again Status
		if wire.Unmarshal(raw, &s) == nil && wire.Unmarshal(wire.Marshal(&s), &again) != nil {
			t.Fatal("what was read is not read again")
		}
	})
}

// BenchmarkMillionPieces adds a million pieces to the filters of 80 nodes, as a pass does.
func BenchmarkMillionPieces(b *testing.B) {
	segments := make([]metainfo.Segment, 12500)
	p := &pass{f: New(Options{}), nodes: make(map[metainfo.NodeAlias]*building)}
	for number := range 80 {
		p.nodes[metainfo.NodeAlias(number+1)] = &building{
			node: netx.NodeID{byte(number)}, filter: filter.New(capacity(int64(len(segments))), 1, filter.DefaultRate),
		}
	}
	for i := range segments {
		segments[i].Root = pieces.NewPieceID()
		for number := range 80 {
			segments[i].Pieces = append(segments[i].Pieces, metainfo.Piece{Number: number, Alias: metainfo.NodeAlias(number + 1)})
		}
	}
	part := &partial{pass: p, known: p.nodes}
	b.ReportAllocs()
	for b.Loop() {
		if err := part.Process(b.Context(), segments); err != nil {
			b.Fatal(err)
		}
	}
	var size int64
	for _, building := range p.nodes {
		size += building.filter.Size()
	}
	b.ReportMetric(float64(size), "filter-bytes")
}
