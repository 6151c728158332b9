//go:build linux || darwin || freebsd

package logstore

import "golang.org/x/sys/unix"

// readOnly is the flag of a read-only mount, the same on these systems (ST_RDONLY, MNT_RDONLY).
const readOnly = 1

func diskUsage(dir string) (total, free int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	if st.Flags&readOnly != 0 {
		return 0, 0, unix.EROFS
	}
	block := int64(st.Bsize)
	return int64(st.Blocks) * block, int64(st.Bavail) * block, nil
}
