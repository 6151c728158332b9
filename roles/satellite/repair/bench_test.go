package repair

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"storj/ecenc"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/kv/boltkv"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop"
	"storj/metainfo/rangedloop/looptest"
	"storj/netx"

	"storj/pieces"
	"storj/pieces/piececlient"
	"storj/roles/satellite/events"
	"storj/roles/satellite/orders"
)

// fewNodes is a network that is only known, not there.
type fewNodes struct{ list []Node }

func (f *fewNodes) Nodes(context.Context) ([]Node, error)  { return f.list, nil }
func (f *fewNodes) Group(_ uint32, n *Node) (string, bool) { return n.Domain, true }
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCheckerPass passes over segments of 80 pieces on 2,000 nodes, of which one in a hundred is lost.
func BenchmarkCheckerPass(b *testing.B) {
	for _, count := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("memkv/%d", count), func(b *testing.B) { benchPass(b, memkv.New(memkv.Options{}), count) })
		b.Run(fmt.Sprintf("boltkv/%d", count), func(b *testing.B) {
			store, err := boltkv.Open(b.Context(), filepath.Join(b.TempDir(), "db"), boltkv.Options{Format: metabase.Format(), NoSync: true})
			if err != nil {
				b.Fatal(err)
			}
			benchPass(b, store, count)
		})
	}
}

func benchPass(b *testing.B, store kv.Store, count int) {
	defer func() { _ = store.Close() }()
	db, err := metabase.Open(b.Context(), store)
	if err != nil {
		b.Fatal(err)
	}
	const nodes = 2000
	known := &fewNodes{}
	for i := range nodes {
		n := Node{ID: netx.NodeID{byte(i), byte(i >> 8)}, Alias: metainfo.NodeAlias(i + 1), Online: true, Eligible: true, LastContact: time.Now(), Domain: fmt.Sprint(i)}
		if i%100 == 0 {
			n.State = pieces.Disqualified
		}
		known.list = append(known.list, n)
	}
	fillSegments(b, store, count, nodes)
	log, err := events.Open(b.Context(), store, events.Options{})
	if err != nil {
		b.Fatal(err)
	}
	svc, err := New(b.Context(), Options{
		DB: db, Nodes: known, Signer: orders.New(orders.Options{}), Events: log, Log: zerolog.Nop(),
		Redundancy: func(uint32) ecenc.Redundancy { return redundancy(29, 35, 80, 110) },
	})
	if err != nil {
		b.Fatal(err)
	}
	loop := rangedloop.New(db, rangedloop.Options{})
	loop.Add("repair", svc.Checker())
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	started := cpuTime()
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		report, err := loop.Pass(b.Context())
		if err != nil || report.Segments != int64(count) || len(report.Failed) != 0 {
			b.Fatalf("%+v, %v", report, err)
		}
	}
	b.StopTimer()
	runtime.ReadMemStats(&after)
	b.ReportMetric((cpuTime()-started).Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(after.HeapSys-min(after.HeapSys, before.HeapSys))/(1<<20), "heap-growth-MB")
}

func fillSegments(b *testing.B, store kv.Store, count, nodes int) {
	const batch = 20_000
	scheme := redundancy(29, 35, 80, 110)
	aliases := make([]metainfo.NodeAlias, 80)
	var list []metainfo.Segment
	for i := range count {
		for j := range aliases {
			aliases[j] = metainfo.NodeAlias((i*7919+j*25)%nodes + 1)
		}
		list = append(list, looptest.Segment(i, scheme, aliases))
		if len(list) == batch || i == count-1 {
			if err := looptest.Put(b.Context(), store, list...); err != nil {
				b.Fatal(err)
			}
			list = list[:0]
		}
	}
}

// BenchmarkRepair64MiB repairs a segment at 29/80 of which 45 pieces are lost, and compares the CPU with that of moving
// the same pieces with piececlient, over the same network in memory to the same nodes.
func BenchmarkRepair64MiB(b *testing.B) {
	w := newWorld(b, 140, func(o *Options) { o.Workers = 1 })
	w.scheme = redundancy(29, 35, 80, 110)
	at := w.put(metainfo.SegmentCipherSize, w.nodes[:80])
	saw := w.segment(at)
	for _, n := range w.nodes[:46] {
		w.set(n, func(n *Node) { n.State, n.Eligible = pieces.Disqualified, false })
	}
	if _, err := w.svc.RepairNow(b.Context(), at); err != nil { // warm: connections, buffers
		b.Fatal(err)
	}
	var moving, repairing time.Duration
	var read, written int64
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		b.StopTimer()
		w.reset(b, at, &saw)
		beforeRead, beforeWritten := w.svc.moved.read.Load(), w.svc.moved.written.Load()
		runtime.GC()
		started := cpuTime()
		b.StartTimer()
		if report, err := w.svc.RepairNow(b.Context(), at); err != nil || report.Outcome != Repaired {
			b.Fatalf("%+v, %v", report, err)
		}
		b.StopTimer()
		repairing += cpuTime() - started
		read, written = w.svc.moved.read.Load()-beforeRead, w.svc.moved.written.Load()-beforeWritten
		s := w.segment(at)
		w.reset(b, at, &saw)
		runtime.GC()
		started = cpuTime()
		w.move(b, &saw, &s)
		moving += cpuTime() - started
		b.StartTimer()
	}
	b.SetBytes(read + written)
	b.ReportMetric(repairing.Seconds()/float64(b.N), "cpu-s/repair")
	b.ReportMetric(moving.Seconds()/float64(b.N), "cpu-s/move")
	b.ReportMetric(repairing.Seconds()/moving.Seconds(), "ratio")
	b.ReportMetric(float64(read+written)/(1<<20), "MiB-moved")
}

// reset makes the record what it was, and takes the repaired pieces off their nodes.
func (w *world) reset(b *testing.B, at metabase.SegmentPlace, saw *metainfo.Segment) {
	s := w.segment(at)
	for i, p := range s.Pieces {
		if p.Number >= 80 || w.node(p.Alias) != w.nodes[p.Number] {
			w.node(p.Alias).store.Lose(satelliteID, w.pieceID(&s, i))
		}
	}
	if err := looptest.Put(b.Context(), w.store, *saw); err != nil {
		b.Fatal(err)
	}
	w.svc.NodesChanged()
}

// move reads 29 pieces and writes those that a repair wrote, with nothing between.
func (w *world) move(b *testing.B, old, repaired *metainfo.Segment) {
	g := w.svc.segment(old)
	buffer := make([]byte, g.size)
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxStreams)
	for _, p := range old.Pieces[46:75] {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := w.readRaw(g, p); err != nil {
				b.Error(err)
			}
		})
	}
	for _, p := range repaired.Pieces {
		n := w.node(p.Alias)
		if n == w.nodes[min(p.Number, 79)] && p.Number < 80 {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			key := w.signer.UploadKey(old.Root)
			limit := g.limit(pieces.ActionPutRepair, p.Number, n.URL, key)
			_, err := piececlient.Upload(b.Context(), w.pool, piececlient.UploadOptions{
				Node: n.URL, Limit: limit.Limit, Key: seedOf(key), Size: g.size, Source: &whole64{buffer},
			})
			if err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}

func (w *world) readRaw(g *segment, p metainfo.Piece) error {
	key := w.signer.DownloadKey()
	n := w.node(p.Alias)
	limit := g.limit(pieces.ActionGetRepair, p.Number, n.URL, key)
	r, err := piececlient.Open(w.ctx, w.pool, piececlient.DownloadOptions{
		Node: n.URL, Limit: limit.Limit, Key: ed25519.NewKeyFromSeed(key.Seed[:]), Length: g.size,
	})
	if err != nil {
		return err
	}
	defer r.Close()
	part := make([]byte, chunk)
	for left := g.size; left > 0; {
		n, err := r.Read(part)
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}

// whole64 is a source that hands out a buffer in chunks.
type whole64 struct{ rest []byte }

func (s *whole64) Next() ([]byte, error) {
	next := s.rest[:min(chunk, len(s.rest))]
	s.rest = s.rest[len(next):]
	return next, nil
}
