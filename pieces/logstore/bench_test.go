package logstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"storj/pieces"
	"storj/pieces/logstore"
	"storj/pieces/storetest"
)

func benchStore(b *testing.B, noSync bool) *logstore.Store {
	opts := logstore.Options{Reserve: -1, Setup: true, NoSync: noSync, Dirs: []logstore.Dir{{Path: b.TempDir()}}}
	st := mustOpen(b, opts)
	b.Cleanup(func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	return st
}

// syncsPerSecond measures the disk: appends of 4 KiB, each made durable.
func syncsPerSecond(b *testing.B) float64 {
	f, err := os.Create(filepath.Join(b.TempDir(), "probe"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, 4096)
	start, count := time.Now(), 0
	for ; time.Since(start) < 300*time.Millisecond; count++ {
		if _, err := f.Write(block); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(count) / time.Since(start).Seconds()
}

// BenchmarkSmall stores pieces of 4 KiB from many writers, durably; the speed of the disk stands beside it.
func BenchmarkSmall(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			st := benchStore(b, false)
			syncs := syncsPerSecond(b)
			body := make([]byte, 4096)
			proof := make([]byte, 400)
			var next atomic.Int64
			b.SetBytes(4096)
			b.ReportAllocs()
			b.ResetTimer()
			var group sync.WaitGroup
			for range writers {
				group.Go(func() {
					for {
						n := next.Add(1)
						if n > int64(b.N) {
							return
						}
						if err := put(b, st, int(n), body, proof); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pieces/s")
			b.ReportMetric(syncs, "disk-fsyncs/s")
		})
	}
}

func put(b *testing.B, st pieces.Store, n int, body, proof []byte) error {
	opts := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(n), Size: int64(len(body))}
	w, err := st.Create(b.Context(), opts)
	if err != nil {
		return err
	}
	for len(body) > 0 {
		k := min(len(body), 64<<10)
		if _, err := w.Write(body[:k]); err != nil {
			return err
		}
		body = body[k:]
	}
	return w.Commit(b.Context(), proof)
}

// BenchmarkLarge stores and deletes large pieces one after the other, durably.
func BenchmarkLarge(b *testing.B) {
	for _, size := range []int{2 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("size=%dMiB", size>>20), func(b *testing.B) {
			st := benchStore(b, false)
			body := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				if err := put(b, st, n, body, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRead reads pieces from the page cache in reads of 64 KiB, checksums verified.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{4 << 10, 2 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("size=%dKiB", size>>10), func(b *testing.B) {
			st := benchStore(b, true)
			if err := put(b, st, 1, make([]byte, size), make([]byte, 400)); err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, min(size, 64<<10))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				r, err := st.Open(b.Context(), storetest.Satellite(0), storetest.PieceID(1))
				if err != nil {
					b.Fatal(err)
				}
				for off := 0; off < size; off += len(buf) {
					if _, err := r.ReadAt(buf, int64(off)); err != nil {
						b.Fatal(err)
					}
				}
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen opens a store that was closed cleanly.
func BenchmarkOpen(b *testing.B) {
	opts := logstore.Options{Reserve: -1, Setup: true, Dirs: []logstore.Dir{{Path: b.TempDir()}}}
	st := mustOpen(b, opts)
	for n := range 1000 {
		if err := put(b, st, n, make([]byte, 10), nil); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := st.Close(); err != nil {
			b.Fatal(err)
		}
		st = mustOpen(b, opts)
	}
	_ = st.Close()
}

// BenchmarkScrub reads pieces of 64 KiB in logs that the page cache has.
func BenchmarkScrub(b *testing.B) {
	opts := optionsFor(b, 1)
	opts.SkipSyncs()
	st := mustOpen(b, opts)
	defer func() { _ = st.Close() }()
	const count, size = 500, 64 << 10
	for n := range count {
		create := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(n), Size: size}
		if err := storetest.Store(b.Context(), st, create, size); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(count * size)
	b.ReportAllocs()
	for b.Loop() {
		step, err := st.Scrub(b.Context(), nil, 1<<40)
		if err != nil || step.Pieces != count || step.Next != nil {
			b.Fatalf("%+v, %v", step, err)
		}
	}
}
