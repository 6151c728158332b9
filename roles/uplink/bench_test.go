package uplink

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"storj/metainfo"
)

// The nodes and the satellite of these benchmarks run in the same process, on a network in memory: figures are for
// comparing changes with each other.

func benchSizes() map[string]int {
	return map[string]int{"inline 1KiB": 1 << 10, "remote 64KiB": 64 << 10, "remote 1MiB": 1 << 20, "remote 64MiB": 64 << 20}
}

func benchWorld(b *testing.B) *Project {
	w := newWorld(b, 10)
	w.service.segmentSize = metainfo.SegmentSize
	return withBucket(b, w, "secret")
}

func BenchmarkPut(b *testing.B) {
	for name, size := range benchSizes() {
		b.Run(name, func(b *testing.B) {
			p := benchWorld(b)
			data := content(size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := p.Put(b.Context(), bucketName, fmt.Sprint(i), bytes.NewReader(data), nil); err != nil {
					b.Fatal(err)
				}
				if err := p.Delete(b.Context(), bucketName, fmt.Sprint(i)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	for name, size := range benchSizes() {
		b.Run(name, func(b *testing.B) {
			p := benchWorld(b)
			put(b, p, "object", content(size), nil)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				d, err := p.Download(b.Context(), bucketName, "object", nil)
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, d); err != nil || n != int64(size) {
					b.Fatal(n, err)
				}
				if err := d.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkList1000(b *testing.B) {
	p := benchWorld(b)
	for i := range 1000 {
		put(b, p, fmt.Sprintf("folder/%04d", i), nil, nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		it := p.List(b.Context(), bucketName, &ListOptions{Prefix: "folder/"})
		n := 0
		for it.Next() {
			n++
		}
		if it.Err() != nil || n != 1000 {
			b.Fatal(n, it.Err())
		}
	}
}

func BenchmarkStat(b *testing.B) {
	p := benchWorld(b)
	put(b, p, "object", nil, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Stat(b.Context(), bucketName, "object"); err != nil {
			b.Fatal(err)
		}
	}
}
