package metabase_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// fsyncs is how often a second the disk makes a small write last.
func fsyncs(b *testing.B) float64 {
	b.Helper()
	f, err := os.Create(b.TempDir() + "/fsync")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	count, start := 0, time.Now()
	for ; time.Since(start) < time.Second; count++ {
		if _, err := f.WriteAt(block, int64(count%256)*4096); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(count) / time.Since(start).Seconds()
}

// BenchmarkInlineCommit64Clients is durable: each call ends after its fsync.
func BenchmarkInlineCommit64Clients(b *testing.B) {
	w := newBoltWorld(b, true)
	rate := fsyncs(b)
	b.ReportAllocs()
	b.ResetTimer()
	fill(b, w, 64, b.N, func(n uint64) string { return fmt.Sprintf("%x", n*0x9e3779b97f4a7c15) })
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(rate, "fsyncs/s")
	b.ReportMetric(float64(w.Store().Stats().SizeBytes)/float64(b.N), "filebytes/op")
}

// BenchmarkOverwrite64Clients replaces the same objects over and over: each leaves the name of its stream.
func BenchmarkOverwrite64Clients(b *testing.B) {
	w := newBoltWorld(b, true)
	b.ReportAllocs()
	b.ResetTimer()
	fill(b, w, 64, b.N, func(n uint64) string { return fmt.Sprint(n % 1000) })
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkStat64Clients reads records while nobody writes.
func BenchmarkStat64Clients(b *testing.B) {
	const objects = 100_000
	w := benchWorld(b, objects, false)
	var next atomic.Uint64
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for n := next.Add(1); n <= uint64(b.N); n = next.Add(1) {
				i := n * 7919 % objects
				ref := w.ref(fmt.Sprintf("%02d/%s/%06d", i%100, strings.Repeat("x", 60), i))
				if _, err := w.Object(w.ctx, ref); err != nil && i != 0 {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "stats/s")
}

// BenchmarkMillion lists a bucket of a million objects in ten folders. It takes a minute to fill.
func BenchmarkMillion(b *testing.B) {
	if testing.Short() {
		b.Skip("fills a file of a gigabyte")
	}
	const objects = 1_000_000
	w := newBoltWorld(b, false)
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range 256 {
		wg.Go(func() {
			for n := next.Add(1); n <= objects; n = next.Add(1) {
				c := w.inline(w.upload(fmt.Sprintf("%d/%s/%07d", n%10, strings.Repeat("x", 60), n)), "content")
				if _, err := w.CommitObject(w.ctx, c); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	list := func(req metabase.ListObjects, want int) func(b *testing.B) {
		req.Project, req.Bucket = w.project, "bucket"
		return func(b *testing.B) {
			var times []time.Duration
			for b.Loop() {
				start := time.Now()
				page, err := w.ListObjects(w.ctx, req)
				if err != nil || len(page.Items) != want {
					b.Fatalf("%d items, %v", len(page.Items), err)
				}
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
		}
	}
	b.Run("first page of 1000", list(metabase.ListObjects{Recursive: true, Metadata: true}, 1000))
	b.Run("page in the middle", list(metabase.ListObjects{Recursive: true, Metadata: true, Cursor: []byte("5/xxx")}, 1000))
	b.Run("versions", list(metabase.ListObjects{Recursive: true, Versions: true}, 1000))
	b.Run("10 folders of 100000", list(metabase.ListObjects{}, 10))
	b.Run("delete a folder of 100000", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			d, err := w.StartDeletion(w.ctx, metabase.StartDeletion{
				Project: w.project, Bucket: "bucket", Prefix: []byte(fmt.Sprintf("%d/", n)),
			})
			batches := 0
			for more := true; more && err == nil; batches++ {
				d, more, err = w.RunDeletionBatch(w.ctx, d.ID)
			}
			if err != nil || n < 10 && d.Objects != objects/10 {
				b.Fatalf("%+v, %v", d, err)
			}
			b.ReportMetric(float64(batches), "batches")
		}
	})
}

// BenchmarkDeletePrefix deletes 100,000 objects with fsync on.
func BenchmarkDeletePrefix(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		w := newBoltWorld(b, true)
		fill(b, w, 512, 100_000, func(n uint64) string { return fmt.Sprintf("p/%06d", n) })
		b.StartTimer()
		d, err := w.StartDeletion(w.ctx, metabase.StartDeletion{Project: w.project, Bucket: "bucket", Prefix: []byte("p/")})
		for more := true; more && err == nil; {
			d, more, err = w.RunDeletionBatch(w.ctx, d.ID)
		}
		if err != nil || d.Objects != 100_000 {
			b.Fatalf("%+v, %v", d, err)
		}
	}
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
