package accounting

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/endpoint"
	"storj/metainfo/kv"
	"storj/metainfo/kv/boltkv"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/pieces"
	"storj/roles/satellite/orders"
)

// world is an accounting with a node and an uplink.
type world struct {
	*Accounting
	store   kv.Store
	signer  *orders.Signer
	node    netx.NodeID
	project metainfo.ProjectID
}

func newWorld(t testing.TB, store kv.Store) *world {
	t.Helper()
	db, err := metabase.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	secret, satellite := ecenc.Key{1, 2, 3}, netx.NodeID{0xaa}
	w := &world{
		store: store, node: netx.NodeID{7}, project: metainfo.ProjectID{9},
		signer: orders.New(orders.Options{Satellite: satellite, Secret: secret}),
	}
	w.Accounting = New(Options{DB: db, Satellite: satellite, Secret: secret, OpenTag: w.signer.OpenBucketTag})
	for _, id := range []netx.NodeID{w.node, {8}} {
		if _, err := db.PutNode(t.Context(), id, func(*metabase.Node, bool) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func memWorld(t testing.TB) *world {
	store := memkv.New(memkv.Options{RunTwice: true})
	t.Cleanup(func() { _ = store.Close() })
	return newWorld(t, store)
}

// order is an order as an honest node has it.
func (w *world) order(action pieces.Action, bucket string, limit, amount int64) pieces.SettledOrder {
	key := w.signer.DownloadKey()
	signed := w.signer.Limits(endpoint.LimitRequest{
		Action: action, Root: pieces.NewPieceID(), Bytes: limit, Uplink: key.Public,
		BucketTag: w.signer.BucketTag(w.project, bucket),
		Targets:   []endpoint.LimitTarget{{Node: netx.NodeURL{ID: w.node}}},
	})[0].Limit
	decoded, err := signed.Decode()
	if err != nil {
		panic(err)
	}
	o := pieces.SettledOrder{Limit: signed, Order: pieces.Order{Serial: decoded.Serial, Amount: amount}}
	o.Order.Sign(ed25519.NewKeyFromSeed(key.Seed[:]))
	return o
}

// forge is what a node can make by itself: of a limit that it was given it has the tag of the bucket and the form, and it
// has the key that limits for it are signed with.
func (w *world) forge(bucket string, amount int64) pieces.SettledOrder {
	given := w.order(pieces.ActionGet, bucket, 1, 1)
	limit, err := given.Limit.Decode()
	if err != nil {
		panic(err)
	}
	own := w.signer.DownloadKey() // any pair of keys
	limit.UplinkKey, limit.Limit, limit.Created = own.Public, amount, time.Now().UTC()
	limit.Serial = pieces.NewSerialNumber(limit.Expires)
	o := pieces.SettledOrder{Limit: limit.Sign(w.signer.NodeKeys(w.node)[0]), Order: pieces.Order{Serial: limit.Serial, Amount: amount}}
	o.Order.Sign(ed25519.NewKeyFromSeed(own.Seed[:]))
	return o
}

func window() time.Time { return time.Now().UTC().Truncate(time.Hour) }

func (w *world) settle(t testing.TB, batch uint32, list ...pieces.SettledOrder) pieces.SettleReply {
	t.Helper()
	reply, err := w.Settle(t.Context(), w.node, &pieces.SettleRequest{Window: window(), Batch: batch, Orders: list})
	if err != nil {
		t.Fatal(err)
	}
	return *reply
}

func (w *world) usage(t testing.TB) *Report {
	t.Helper()
	report, err := w.Usage(t.Context(), Query{From: time.Now().Add(-40 * 24 * time.Hour), To: time.Now().Add(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := memWorld(t)
		first := w.order(pieces.ActionGet, "photos", 1000, 600)
		batch := []pieces.SettledOrder{first, w.order(pieces.ActionGetRepair, "", 500, 500), w.order(pieces.ActionGetAudit, "", 9, 9)}
		want := pieces.SettleReply{Accepted: 3, Bytes: 1109}
		if got := w.settle(t, 0, batch...); got != want {
			t.Errorf("first: %+v", got)
		}
		if got := w.settle(t, 0, batch...); got != want {
			t.Errorf("again: %+v", got)
		}
		// Cut anew: what was counted is accepted, and not counted again.
		second := w.order(pieces.ActionGet, "videos", 100, 100)
		if got := w.settle(t, 0, first, second, second); got != (pieces.SettleReply{Accepted: 3, Bytes: 100}) {
			t.Errorf("cut anew: %+v", got)
		}
		// After a restart.
		w = newWorld(t, w.store)
		if got := w.settle(t, 0, batch...); got != want {
			t.Errorf("after a restart: %+v", got)
		}
		report := w.usage(t)
		if len(report.Buckets) != 2 || report.Buckets[0].Bucket != "photos" || report.Buckets[0].Settled != 600 || report.Buckets[1].Settled != 100 {
			t.Errorf("buckets %+v", report.Buckets)
		}
		if want := (NodeUsage{Node: w.node, Get: 700, Repair: 500, Audit: 9, Orders: 4}); len(report.Nodes) != 1 || report.Nodes[0] != want {
			t.Errorf("nodes %+v", report.Nodes)
		}
		if err := w.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestSettleRejects alters one thing of a good order at a time.
func TestSettleRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := memWorld(t)
		other := newWorld(t, w.store)
		other.node = netx.NodeID{8}
		foreign := newWorld(t, w.store)
		foreign.signer = orders.New(orders.Options{Satellite: netx.NodeID{0xbb}, Secret: ecenc.Key{1, 2, 3}})
		forged := newWorld(t, w.store)
		forged.signer = orders.New(orders.Options{Satellite: netx.NodeID{0xaa}, Secret: ecenc.Key{6}})
		good := func() pieces.SettledOrder { return w.order(pieces.ActionGet, "b", 100, 100) }
		change := func(fn func(*pieces.SettledOrder)) pieces.SettledOrder {
			o := good()
			fn(&o)
			return o
		}
		early := good()
		time.Sleep(time.Until(window().Add(time.Hour)))
		for name, o := range map[string]pieces.SettledOrder{
			"another node":      other.order(pieces.ActionGet, "b", 100, 100),
			"another satellite": foreign.order(pieces.ActionGet, "b", 100, 100),
			"forged limit":      forged.order(pieces.ActionGet, "b", 100, 100),
			"limit of the node": w.forge("b", 1<<30),
			"upload":            w.order(pieces.ActionPut, "b", 100, 100),
			"more than allowed": w.order(pieces.ActionGet, "b", 100, 101),
			"nothing":           w.order(pieces.ActionGet, "b", 100, 0),
			"negative":          w.order(pieces.ActionGet, "b", 100, -5),
			"another hour":      early,
			"amount altered":    change(func(o *pieces.SettledOrder) { o.Order.Amount-- }),
			"serial altered":    change(func(o *pieces.SettledOrder) { o.Order.Serial[15]++ }),
			"signature altered": change(func(o *pieces.SettledOrder) { o.Order.Signature[3]++ }),
			"limit altered":     change(func(o *pieces.SettledOrder) { o.Limit.Raw[len(o.Limit.Raw)-3]++ }),
			"no limit":          change(func(o *pieces.SettledOrder) { o.Limit.Raw = nil }),
		} {
			if got := w.settle(t, 0, o); got != (pieces.SettleReply{Rejected: 1}) {
				t.Errorf("%s: %+v", name, got)
			}
		}
		if got := w.settle(t, 0, good()); got.Bytes != 100 {
			t.Errorf("good one: %+v", got)
		}
	})
}

func TestSettleWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := memWorld(t)
		hour := window()
		o := w.order(pieces.ActionGet, "b", 100, 100)
		ask := func(node netx.NodeID, at time.Time) error {
			_, err := w.Settle(t.Context(), node, &pieces.SettleRequest{Window: at, Orders: []pieces.SettledOrder{o}})
			return err
		}
		if err := ask(netx.NodeID{99}, hour); !errors.Is(err, pieces.ErrNotJoined) {
			t.Errorf("stranger: %v", err)
		}
		for _, at := range []time.Time{hour.Add(time.Minute), hour.Add(3 * time.Hour), hour.Add(1), {}} {
			if err := ask(w.node, at); !errors.Is(err, pieces.ErrMalformed) {
				t.Errorf("%v: %v", at, err)
			}
		}
		time.Sleep(MaxWindowAge - 2*time.Hour)
		if err := ask(w.node, hour); err != nil {
			t.Errorf("late: %v", err)
		}
		if got := w.usage(t).Nodes[0].Get; got != 100 {
			t.Errorf("%d bytes counted", got)
		}
		time.Sleep(4 * time.Hour)
		if err := ask(w.node, hour); !errors.Is(err, pieces.ErrMalformed) {
			t.Errorf("too late: %v", err)
		}
		if err := w.prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		left := 0
		err := w.store.View(t.Context(), func(tx kv.Tx) error {
			return batches().Scan(tx, batches().All(), func(batchKey, *batchRow) (bool, error) {
				left++
				return true, nil
			})
		})
		if err != nil || left != 0 {
			t.Errorf("%d batches are kept, %v", left, err)
		}
	})
}

// TestSettleInAnyOrder cuts the orders of an hour into batches at random, hands them in shuffled, repeated and at once,
// with a restart in between: each counts once.
func TestSettleInAnyOrder(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	synctest.Test(t, func(t *testing.T) {
		w := memWorld(t)
		var all []pieces.SettledOrder
		var want int64
		for i := range 120 {
			amount := random.Int64N(1000) + 1
			want += amount
			all = append(all, w.order(pieces.ActionGet, fmt.Sprint("bucket-", i%3), 1000, amount))
		}
		for round := range 12 {
			random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			var parts [][]pieces.SettledOrder
			if round == 0 {
				parts = slices.Collect(slices.Chunk(all, 17)) // all of them, once
			} else {
				parts = [][]pieces.SettledOrder{all[:random.IntN(60)], all[:60], all[60:][:random.IntN(60)]}
			}
			done := make(chan error, len(parts))
			for i, part := range parts {
				go func() {
					_, err := w.Settle(t.Context(), w.node, &pieces.SettleRequest{Window: window(), Batch: uint32(i), Orders: part})
					done <- err
				}()
			}
			for range parts {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			if round%4 == 3 {
				w = newWorld(t, w.store)
			}
		}
		report := w.usage(t)
		var buckets int64
		for _, b := range report.Buckets {
			buckets += b.Settled
		}
		if n := report.Nodes[0]; n.Get != want || n.Orders != 120 || buckets != want {
			t.Errorf("%d bytes of nodes, %d of buckets, %d orders; want %d of 120", n.Get, buckets, n.Orders, want)
		}
	})
}

// TestBilled holds asked, settled and allocated against each other.
func TestBilled(t *testing.T) {
	for _, test := range []struct {
		name                     string
		asked, settled, inline   int64
		billed, waste, allocated int64
	}{
		{"as asked for", 100, 100, 0, 100, 0, 300},
		{"with waste", 100, 130, 0, 100, 30, 300},
		{"broken off", 100, 20, 0, 20, 0, 300},
		{"inline", 0, 0, 40, 40, 0, 0},
		{"mixed", 100, 130, 40, 140, 30, 300},
		{"not settled yet", 100, 0, 0, 0, 0, 300},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := memWorld(t)
				w.Allocated(endpoint.Allocation{Project: w.project, Bucket: "b", Action: pieces.ActionGet, Limits: test.allocated, Useful: test.asked})
				w.Allocated(endpoint.Allocation{Project: w.project, Bucket: "b", Action: pieces.ActionGet, Useful: test.inline})
				w.Allocated(endpoint.Allocation{Project: w.project, Bucket: "b", Action: pieces.ActionPut, Limits: 50})
				w.Allocated(endpoint.Allocation{Project: w.project, Bucket: "b", Action: pieces.ActionPut, Useful: 20})
				if test.settled > 0 {
					w.settle(t, 0, w.order(pieces.ActionGet, "b", 1000, test.settled))
				}
				sum, err := w.ProjectUsage(t.Context(), w.project, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				if test.allocated == 0 {
					test.inline += test.asked
				}
				if sum.Billed != test.billed || sum.Waste != test.waste || sum.Allocated != test.allocated ||
					sum.Uploaded != 20 || sum.UploadLimits != 50 {
					t.Errorf("%+v", sum)
				}
				other, err := w.ProjectUsage(t.Context(), metainfo.ProjectID{1}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
				if err != nil || other != (BucketUsage{Project: metainfo.ProjectID{1}}) {
					t.Errorf("another project: %+v, %v", other, err)
				}
			})
		})
	}
}

// TestCountersAreWritten has Run write what Allocated was told: after a minute, and when it ends.
func TestCountersAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := memWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		tell := func() {
			w.Allocated(endpoint.Allocation{Project: w.project, Bucket: "b", Action: pieces.ActionGet, Limits: 10, Useful: 5})
		}
		tell()
		time.Sleep(2 * flushAfter)
		fresh := newWorld(t, w.store)
		if got := fresh.usage(t).Buckets; len(got) != 1 || got[0].Asked != 5 {
			t.Errorf("after a minute: %+v", got)
		}
		tell()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := fresh.usage(t).Buckets; got[0].Asked != 10 {
			t.Errorf("at the end: %+v", got)
		}
	})
}

func TestSpans(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC)
	day := dayOf(at)
	for _, test := range []struct {
		name      string
		last, now time.Time
		want      []span
	}{
		{"first", time.Time{}, at, nil},
		{"set back", at, at.Add(-time.Hour), nil},
		{"within a day", at.Add(-time.Hour), at, []span{{day, time.Hour}}},
		{"over midnight", at, at.Add(time.Hour), []span{{day, 30 * time.Minute}, {day + 1, 30 * time.Minute}}},
		{"long", at.Add(-100 * time.Hour), at, []span{{day, MaxGap}}},
		{"at midnight", at.Add(30 * time.Minute), at.Add(90 * time.Minute), []span{{day + 1, time.Hour}}},
	} {
		if got := spans(test.last, test.now); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	half := span{0, 30 * time.Minute}
	for amount, want := range map[int64]int64{0: 0, 1: 0, 3: 1, 1000: 500, 1 << 62: 1 << 61, -5: 0} {
		if got := half.times(amount); got != want {
			t.Errorf("half an hour of %d is %d, want %d", amount, got, want)
		}
	}
	if got := (span{0, 100 * time.Hour}).times(1 << 62); got != 1<<63-1 {
		t.Errorf("overflow: %d", got)
	}
}

// putObject stores an inline object.
func (w *world) putObject(t testing.TB, bucket, key string, size int) {
	t.Helper()
	stream := metainfo.NewStreamID()
	_, err := w.opts.DB.CommitObject(t.Context(), metabase.CommitObject{
		Upload: metabase.Upload{
			ObjectRef: metabase.ObjectRef{Project: w.project, Bucket: bucket, Key: []byte(key)}, Stream: stream, Created: time.Now(),
		},
		Last:     &metainfo.Segment{Stream: stream, Created: time.Now(), PlainSize: int64(size), EncryptedSize: int64(size), Inline: make([]byte, size)},
		Segments: 1, WrappedKey: []byte("key"),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTallyBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := memWorld(t)
		project, err := w.opts.DB.CreateProject(t.Context(), "main")
		if err != nil {
			t.Fatal(err)
		}
		w.project = project.ID
		if _, err := w.opts.DB.CreateBucket(t.Context(), project.ID, metainfo.Bucket{Name: "photos"}); err != nil {
			t.Fatal(err)
		}
		w.putObject(t, "photos", "a", 1000)
		tally := func() {
			t.Helper()
			if err := w.TallyBuckets(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		tally()
		time.Sleep(2 * time.Hour)
		w.putObject(t, "photos", "b", 500)
		tally()
		time.Sleep(30 * time.Minute)
		tally()
		time.Sleep(100 * time.Hour) // not running
		tally()
		got := w.usage(t)
		want := int64(1500*2 + 750 + 1500*6)
		if len(got.Buckets) != 1 || got.Buckets[0].ByteHours != want || got.Buckets[0].Objects != 2 || got.Buckets[0].Stored != 1500 {
			t.Errorf("%+v, want %d byte-hours", got.Buckets, want)
		}
		if got.Tallied != time.Now().UTC() {
			t.Errorf("tallied at %v", got.Tallied)
		}
	})
}

func TestNodeTally(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := memWorld(t)
		observer := w.NodeTally()
		scheme := ecenc.Redundancy{Required: 2, Repair: 2, Optimal: 3, Total: 4, ShareSize: 64}
		segments := []metainfo.Segment{
			{Redundancy: scheme, EncryptedSize: 256, Pieces: []metainfo.Piece{{Number: 0, Alias: 1}, {Number: 1, Alias: 2}}},
			{Inline: []byte("x"), EncryptedSize: 17},
		}
		pass := func() {
			t.Helper()
			err := observer.Start(t.Context(), time.Now())
			for range 2 { // ranges
				part, forkErr := observer.Fork(t.Context())
				err = errors.Join(err, forkErr, part.Process(t.Context(), segments), observer.Join(t.Context(), part))
			}
			if err = errors.Join(err, observer.Finish(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		pass()
		time.Sleep(3 * time.Hour)
		pass()
		size := scheme.PieceSize(256)
		nodes := w.usage(t).Nodes
		if len(nodes) != 2 || nodes[0].ByteHours != 2*3*size || nodes[1].ByteHours != 2*3*size {
			t.Errorf("%+v, pieces of %d", nodes, size)
		}
		segments[0].Pieces[0].Alias = 77
		if err := observer.Start(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		part, _ := observer.Fork(t.Context())
		err := errors.Join(part.Process(t.Context(), segments), observer.Join(t.Context(), part))
		if err != nil || observer.Finish(t.Context()) == nil {
			t.Errorf("an unknown node was counted: %v", err)
		}
	})
}

func TestReportSurvivesTheWire(t *testing.T) {
	t.Parallel()
	want := Report{
		From: dayStart(1), To: dayStart(2), Tallied: dayStart(3), Cut: true,
		Buckets: []BucketUsage{{Project: metainfo.ProjectID{1}, Bucket: "b", ByteHours: 5, UploadLimits: 9}},
		Nodes:   []NodeUsage{{Node: netx.NodeID{3}, Orders: 8}},
	}
	var got Report
	if err := wire.Unmarshal(wire.Marshal(&want), &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Buckets, want.Buckets) || !slices.Equal(got.Nodes, want.Nodes) || !got.Cut || got.Tallied != want.Tallied {
		t.Errorf("%+v", got)
	}
}

func FuzzRows(f *testing.F) {
	f.Add(wire.Marshal(&bucketRow{asked: 1, uploadLimits: 2}), bucketDays().Key(nil, bucketDay{3, bucketKey{metainfo.ProjectID{4}, "b"}}))
	f.Add(wire.Marshal(&batchRow{serials: make([]byte, 16)}), batches().Key(nil, batchKey{hour: 5}))
	f.Add(wire.Marshal(&nodeRow{get: 1}), nodeDays().Key(nil, nodeDay{day: 5}))
	f.Fuzz(func(t *testing.T, value, key []byte) {
		var b batchRow
		if wire.Unmarshal(value, &b) == nil && len(b.serials) > pieces.MaxSettle*serialSize {
			t.Fatal("too many serials")
		}
		if k, err := bucketDays().ParseKey(key); err == nil && string(bucketDays().Key(nil, k)) != string(key) {
			t.Fatalf("%x came back as %+v", key, k)
		}
		if k, err := batches().ParseKey(key); err == nil && string(batches().Key(nil, k)) != string(key) {
			t.Fatalf("%x came back as %+v", key, k)
		}
		if k, err := nodeDays().ParseKey(key); err == nil && string(nodeDays().Key(nil, k)) != string(key) {
			t.Fatalf("%x came back as %+v", key, k)
		}
	})
}

func BenchmarkSettle1000(b *testing.B) {
	store, err := boltkv.Open(b.Context(), filepath.Join(b.TempDir(), "db"), boltkv.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	w := newWorld(b, store)
	var requests []*pieces.SettleRequest
	for i := range 8 {
		req := &pieces.SettleRequest{Window: window(), Batch: uint32(i)}
		for range pieces.MaxSettle {
			req.Orders = append(req.Orders, w.order(pieces.ActionGet, "bucket", 1<<20, 1<<20))
		}
		requests = append(requests, req)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		req := requests[i%len(requests)]
		req.Batch += uint32(len(requests)) // another content, the same orders
		if _, err := w.Settle(b.Context(), w.node, req); err != nil {
			b.Fatal(err)
		}
		if i++; i%64 == 63 { // as many batches as an hour of a busy node has
			b.StopTimer()
			err := store.Update(b.Context(), func(tx kv.Tx) error {
				return kv.Scan(tx, batches().All(), func(key, _ []byte) (bool, error) { return true, tx.Delete(key) })
			})
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
}

// TestPruneWaits has the clock a year ahead, which somebody doubts: nothing is old then.
func TestPruneWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := memWorld(t)
		var doubted atomic.Bool
		doubted.Store(true)
		w.opts.MayDelete = func() error {
			if doubted.Load() {
				return errors.New("clock doubted")
			}
			return nil
		}
		w.settle(t, 0, w.order(pieces.ActionGet, "b", 100, 100))
		count := func() (rows int) {
			err := w.store.View(t.Context(), func(tx kv.Tx) error {
				rows = 0
				return kv.Scan(tx, bucketDays().All(), func(_, _ []byte) (bool, error) {
					rows++
					return true, nil
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		time.Sleep(10 * Retention)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(3 * w.opts.Interval)
		if got := count(); got != 1 {
			t.Errorf("%d days of usage while the clock is doubted", got)
		}
		doubted.Store(false)
		time.Sleep(3 * w.opts.Interval)
		if got := count(); got != 0 {
			t.Errorf("%d days of usage afterwards", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
