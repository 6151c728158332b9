//go:build unix

package rpc_test

import (
	"io"
	"syscall"
	"testing"
	"time"

	"storj/netx"
	"storj/netx/memnet"
)

// worlds runs a benchmark in memory and over QUIC, and reports the CPU time of both sides together.
func worlds(b *testing.B, bench func(b *testing.B, w *world)) {
	b.Run("mem", func(b *testing.B) { inWorld(b, newWorld(b, memPair(memnet.New(1)), tuning{}), bench) })
	b.Run("quic", func(b *testing.B) { inWorld(b, newWorld(b, quicPair(b), tuning{}), bench) })
}

func inWorld(b *testing.B, w *world, bench func(b *testing.B, w *world)) {
	defer w.stop()
	b.ReportAllocs()
	before := cpuTime(b)
	bench(b, w)
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
}

func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkCall is a unary call of about 100 bytes each way.
func BenchmarkCall(b *testing.B) {
	worlds(b, func(b *testing.B, w *world) {
		req := note{Text: make([]byte, 100), Number: 7}
		for b.Loop() {
			var resp note
			if err := w.pool.Call(b.Context(), w.url, netx.Control, methodEcho, &req, &resp); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPut is the upload of a piece; BenchmarkGet its download.
func BenchmarkPut(b *testing.B) {
	for name, size := range pieceSizes() {
		b.Run(name, func(b *testing.B) {
			worlds(b, func(b *testing.B, w *world) {
				b.SetBytes(int64(size))
				piece := make([]byte, size)
				for b.Loop() {
					if err := benchPut(b, w, piece); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func benchPut(b *testing.B, w *world, piece []byte) error {
	st, err := w.pool.Open(b.Context(), w.url, netx.Data, methodPut, &note{})
	if err != nil {
		return err
	}
	defer st.Cancel(netx.Cancelled)
	if _, err := st.Write(piece); err != nil {
		return err
	}
	if err := st.CloseWrite(); err != nil {
		return err
	}
	if err := st.Response(&note{}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, st)
	return err
}

func BenchmarkGet(b *testing.B) {
	for name, size := range pieceSizes() {
		b.Run(name, func(b *testing.B) {
			worlds(b, func(b *testing.B, w *world) {
				b.SetBytes(int64(size))
				buf := make([]byte, 64<<10)
				for b.Loop() {
					if err := benchGet(b, w, int64(size), buf); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func benchGet(b *testing.B, w *world, size int64, buf []byte) error {
	st, err := w.pool.Open(b.Context(), w.url, netx.Data, methodGet, &note{Number: size})
	if err != nil {
		return err
	}
	defer st.Cancel(netx.Cancelled)
	if err := st.CloseWrite(); err != nil {
		return err
	}
	if err := st.Response(&note{}); err != nil {
		return err
	}
	for {
		if _, err := st.Read(buf); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

func pieceSizes() map[string]int { return map[string]int{"4K": 4 << 10, "2.3M": 64 << 20 / 29} }
