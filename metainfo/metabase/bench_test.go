package metabase_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"storj/metainfo"
	"storj/metainfo/metabase"
)

// benchWorld has a bucket of count objects in a hundred folders.
func benchWorld(b *testing.B, count int, sync bool) *world {
	b.Helper()
	w := newBoltWorld(b, sync)
	fill(b, w, 64, count, func(n uint64) string { return fmt.Sprintf("%02d/%s/%06d", n%100, strings.Repeat("x", 60), n) })
	return w
}

// fill commits inline objects of 1 KiB from many clients.
func fill(b *testing.B, w *world, clients, count int, key func(uint64) string) {
	b.Helper()
	content := strings.Repeat("c", 1024)
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for n := next.Add(1); n <= uint64(count); n = next.Add(1) {
				if _, err := w.CommitObject(w.ctx, w.inline(w.upload(key(n)), content)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkInlineCommit64Clients is durable: each call ends after its fsync.
func BenchmarkInlineCommit64Clients(b *testing.B) {
	w := newBoltWorld(b, true)
	b.ReportAllocs()
	b.ResetTimer()
	fill(b, w, 64, b.N, func(n uint64) string { return fmt.Sprintf("%x", n*0x9e3779b97f4a7c15) })
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64(w.Store().Stats().SizeBytes)/float64(b.N), "filebytes/op")
}

func BenchmarkReads(b *testing.B) {
	const objects = 100_000
	w := benchWorld(b, objects, false)
	key := func(i int) string { return fmt.Sprintf("%02d/%s/%06d", i%100, strings.Repeat("x", 60), i) }
	list := func(b *testing.B, req metabase.ListObjects, want int) {
		b.ReportAllocs()
		req.Project, req.Bucket = w.project, "bucket"
		for b.Loop() {
			page, err := w.ListObjects(w.ctx, req)
			if err != nil || len(page.Items) != want {
				b.Fatalf("%d items, %v", len(page.Items), err)
			}
		}
	}
	b.Run("list 1000 of 100k", func(b *testing.B) { list(b, metabase.ListObjects{Recursive: true}, metainfo.MaxList) })
	b.Run("list 1000 with metadata", func(b *testing.B) {
		list(b, metabase.ListObjects{Recursive: true, Metadata: true}, metainfo.MaxList)
	})
	b.Run("list 100 folders of 1000", func(b *testing.B) { list(b, metabase.ListObjects{}, 100) })
	b.Run("stat", func(b *testing.B) {
		b.ReportAllocs()
		for i := 1; b.Loop(); i = i%objects + 1 {
			if _, err := w.Object(w.ctx, w.ref(key(i))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("download 1 KiB", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(1024)
		for i := 1; b.Loop(); i = i%objects + 1 {
			if _, err := w.Download(w.ctx, w.ref(key(i)), 0, -1, 10); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("segment page 1000", func(b *testing.B) {
		b.ReportAllocs()
		from, more := metabase.SegmentPlace{}, true
		for b.Loop() {
			var err error
			if !more {
				from = metabase.SegmentPlace{}
			}
			if _, from, more, err = w.SegmentPage(w.ctx, from, metainfo.StreamID{}, 1000); err != nil {
				b.Fatal(err)
			}
		}
	})
}
