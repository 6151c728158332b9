//go:build linux || darwin || freebsd

package boltkv

import (
	"math"

	"golang.org/x/sys/unix"
)

// diskFree is the space on the file system of path that this process may use, in bytes.
func diskFree(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	blocks, size := uint64(max(st.Bavail, 0)), uint64(st.Bsize)
	if blocks > math.MaxInt64/2/max(size, 1) {
		return math.MaxInt64 / 2, nil
	}
	return int64(blocks * size), nil
}
