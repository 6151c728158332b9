package segmentio

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"storj/ecenc"
	"storj/pieces"
)

func cpu() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSegment moves segments between nodes on disk over real QUIC on loopback, both sides in this process:
// cpu-s/GiB counts everything.
func BenchmarkSegment(b *testing.B) {
	for _, r := range []ecenc.Redundancy{scheme(4, 6, 8, 10), scheme(29, 35, 80, 110)} {
		for _, size := range []int{64 << 10, 64 << 20} {
			b.Run(fmt.Sprintf("up/%s/%d", r, size), func(b *testing.B) {
				w := newQUICWorld(b, r.Total, Options{})
				if err := w.upload(b.Context(), w.newSegment(r, size)); err != nil { // connections
					b.Fatal(err)
				}
				s := w.newSegment(r, size)
				report(b, size, func() {
					s.root = pieces.NewPieceID()
					if err := w.upload(b.Context(), s); err != nil {
						b.Fatal(err)
					}
				})
			})
			b.Run(fmt.Sprintf("down/%s/%d", r, size), func(b *testing.B) {
				w := newQUICWorld(b, r.Total, Options{})
				s := w.newSegment(r, size)
				if err := w.upload(b.Context(), s); err != nil {
					b.Fatal(err)
				}
				report(b, size, func() {
					if _, _, err := w.download(b.Context(), w.getRequest(s, 0, int64(size))); err != nil {
						b.Fatal(err)
					}
				})
			})
		}
	}
}

func report(b *testing.B, size int, op func()) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	start := cpu()
	for b.Loop() {
		op()
	}
	used := cpu() - start
	b.ReportMetric(used.Seconds()/float64(b.N)/float64(size)*(1<<30), "cpu-s/GiB")
	b.ReportMetric(float64(used.Microseconds())/float64(b.N)/1000, "cpu-ms/op")
}
