package bench

import (
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// OwnCPU is the user and system time of this process so far.
func OwnCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Fsync is what a 4 KiB write and sync on the disk of dir takes: the median of a hundred; 0 when it cannot be measured.
// Durable writes cannot be faster.
func Fsync(dir string) time.Duration {
	f, err := os.CreateTemp(dir, "fsync-")
	if err != nil {
		return 0
	}
	defer func() {
		_ = f.Close() // best effort: it is deleted
		_ = os.Remove(f.Name())
	}()
	const rounds = 100
	spans := make([]time.Duration, rounds)
	block := make([]byte, 4<<10)
	for i := range spans {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0
		}
		if err := f.Sync(); err != nil {
			return 0
		}
		spans[i] = time.Since(start)
	}
	slices.Sort(spans)
	return spans[rounds/2]
}
