package endpoint_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/kv/boltkv"
	"storj/metainfo/metabase"
	"storj/metainfo/metatest"
)

// benchClients is how many clients ask at once, on two cores.
const benchClients = 64

// benchWorld is a satellite on disk, every commit of which is synced, with a bucket.
func benchWorld(b *testing.B) (*metatest.World, metainfo.Auth) {
	store, err := boltkv.Open(b.Context(), filepath.Join(b.TempDir(), "bench.db"), boltkv.Options{Format: metabase.Format()})
	if err != nil {
		b.Fatal(err)
	}
	w := metatest.NewWorld(b, metatest.Options{Store: store, Nodes: 120, Scheme: metatest.Scheme(29, 35, 80, 110)})
	auth := w.Auth(b)
	if _, err := w.Endpoint.CreateBucket(b.Context(), &metainfo.CreateBucketRequest{Auth: auth, Name: "bucket"}); err != nil {
		b.Fatal(err)
	}
	return w, auth
}

// syncRate is how often a second a file of the benchmark's disk can be written and synced, one after another.
func syncRate(b *testing.B) float64 {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "sync"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only from here on
	const count = 50
	start := time.Now()
	for i := range count {
		if _, err := f.WriteAt(make([]byte, 4096), int64(i)*4096); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return count / time.Since(start).Seconds()
}

// parallel runs do as benchClients clients and reports calls a second.
func parallel(b *testing.B, do func(i int64) error) {
	b.Helper()
	var next atomic.Int64
	b.SetParallelism(benchClients / 2)
	b.ReportAllocs()
	start := time.Now()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := do(next.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "calls/s")
}

func inlineRequest(auth metainfo.Auth, i int64) *metainfo.CommitObjectRequest {
	return &metainfo.CommitObjectRequest{
		Auth: auth, Bucket: "bucket", Key: fmt.Appendf(nil, "dir%02d/key%09d", i%100, i), Segments: 1,
		Last: metatest.Inline(metainfo.Position{}, 0, 1000), WrappedKey: make([]byte, 60), Metadata: make([]byte, 80),
	}
}

// BenchmarkCommitInline writes objects of 1,000 bytes.
func BenchmarkCommitInline(b *testing.B) {
	rate := syncRate(b)
	w, auth := benchWorld(b)
	b.SetBytes(1000)
	parallel(b, func(i int64) error {
		_, err := w.Endpoint.CommitObject(b.Context(), inlineRequest(auth, i))
		return err
	})
	b.ReportMetric(rate, "disk-syncs/s")
}

// BenchmarkGetObject asks for the records of 10,000 objects.
func BenchmarkGetObject(b *testing.B) {
	const objects = 10_000
	w, auth := benchWorld(b)
	fill(b, w, auth, 0, objects)
	parallel(b, func(i int64) error {
		key := fmt.Appendf(nil, "dir%02d/key%09d", i%objects%100, i%objects)
		_, err := w.Endpoint.GetObject(b.Context(), &metainfo.ObjectRequest{Auth: auth, Bucket: "bucket", Key: key})
		return err
	})
}

// fill writes objects from number first on, quickly: many at once share a commit to the disk.
func fill(b *testing.B, w *metatest.World, auth metainfo.Auth, first, objects int64) {
	b.Helper()
	var failed atomic.Value
	limit := make(chan struct{}, 256)
	for i := first; i < first+objects; i++ {
		limit <- struct{}{}
		go func() {
			defer func() { <-limit }()
			if _, err := w.Endpoint.CommitObject(b.Context(), inlineRequest(auth, i)); err != nil {
				failed.Store(err)
			}
		}()
	}
	for range cap(limit) {
		limit <- struct{}{}
	}
	if err := failed.Load(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkDenied asks for what the key does not allow: a key that was restricted three times, for ten prefixes each.
func BenchmarkDenied(b *testing.B) {
	w, _ := benchWorld(b)
	var caveats []macaroon.Caveat
	for i := range 3 {
		var paths []macaroon.AllowedPath
		for j := range 10 {
			paths = append(paths, macaroon.AllowedPath{Bucket: "bucket", EncryptedPrefix: fmt.Appendf(nil, "prefix%d/%d/", i, j)})
		}
		caveats = append(caveats, macaroon.Caveat{AllowedPaths: paths, NotAfter: time.Now().Add(time.Hour)})
	}
	auth := w.Auth(b, caveats...)
	for name, ask := range map[string]func() error{
		"download": func() error {
			_, err := w.Endpoint.Download(b.Context(), &metainfo.DownloadRequest{Auth: auth, Bucket: "bucket", Key: []byte("secret/a"), Length: -1})
			return err
		},
		"list": func() error {
			_, err := w.Endpoint.ListObjects(b.Context(), &metainfo.ListObjectsRequest{Auth: auth, Bucket: "bucket"})
			return err
		},
		"delete prefix": func() error {
			_, err := w.Endpoint.DeletePrefix(b.Context(), &metainfo.DeletePrefixRequest{Auth: auth, Bucket: "bucket"})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := ask(); !errors.Is(err, metainfo.ErrDenied) {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDeletePrefix deletes 10,000 objects by one call.
func BenchmarkDeletePrefix(b *testing.B) {
	const objects = 10_000
	w, auth := benchWorld(b)
	for first := int64(0); b.Loop(); first += objects {
		b.StopTimer()
		fill(b, w, auth, first, objects)
		b.StartTimer()
		started, err := w.Endpoint.DeletePrefix(b.Context(), &metainfo.DeletePrefixRequest{Auth: auth, Bucket: "bucket"})
		if err == nil {
			err = w.Endpoint.DeletionRound(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
		d, err := w.Endpoint.GetDeletion(b.Context(), &metainfo.DeletionRequest{Auth: auth, ID: started.ID})
		if err != nil || d.Objects != objects {
			b.Fatal(d, err)
		}
	}
}
