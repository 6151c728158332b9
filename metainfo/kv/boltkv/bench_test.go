package boltkv_test

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"

	"storj/metainfo/kv"
	"storj/metainfo/kv/boltkv"
)

// scattered spreads counters over the key space, always in the same way.
func scattered(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n*0x9e3779b97f4a7c15) }

// benchmarkPut has clients that each wait for their write to be durable.
func benchmarkPut(b *testing.B, clients, valueSize int) {
	s := open(b, b.TempDir()+"/kv", boltkv.Options{})
	value := make([]byte, valueSize)
	var next atomic.Uint64
	b.ReportAllocs()
	b.SetBytes(int64(valueSize))
	cpu := cpuTime()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for n := next.Add(1); n <= uint64(b.N); n = next.Add(1) {
				if err := s.Update(b.Context(), func(tx kv.Tx) error { return tx.Put(scattered(n), value) }); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
	st := s.Stats()
	b.ReportMetric(float64(st.Updates)/float64(st.Commits), "updates/commit")
}

func BenchmarkPut1Client(b *testing.B)       { benchmarkPut(b, 1, 100) }
func BenchmarkPut64Clients(b *testing.B)     { benchmarkPut(b, 64, 100) }
func BenchmarkPut256Clients(b *testing.B)    { benchmarkPut(b, 256, 100) }
func BenchmarkPut64Clients4KiB(b *testing.B) { benchmarkPut(b, 64, 4<<10) }

func BenchmarkGet(b *testing.B) {
	const rows = 100_000
	s := open(b, b.TempDir()+"/kv", boltkv.Options{NoSync: true})
	for from := 0; from < rows; from += 10_000 {
		err := s.Update(b.Context(), func(tx kv.Tx) error {
			for n := from; n < from+10_000; n++ {
				if err := tx.Put(scattered(uint64(n)), make([]byte, 100)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		n = (n + 7919) % rows
		err := s.View(b.Context(), func(tx kv.Tx) error {
			_, err := tx.Get(scattered(n))
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
