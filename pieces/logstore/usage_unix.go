//go:build linux || darwin || freebsd

package logstore

import "golang.org/x/sys/unix"

func diskUsage(dir string) (total, free int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	block := int64(st.Bsize)
	return int64(st.Blocks) * block, int64(st.Bavail) * block, nil
}
