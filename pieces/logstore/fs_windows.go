package logstore

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// SyncDir implements FS. NTFS journals its directories and has no call for one.
func (osFS) SyncDir(string) error { return nil }

// lockFile takes the lock of a directory. Errors: ErrLocked.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	if err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{}); err != nil {
		_ = f.Close() // best effort: nothing was written
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
			err = ErrLocked
		}
		return nil, err
	}
	return f, nil
}

func diskUsage(dir string) (total, free int64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	var avail, size uint64
	err = windows.GetDiskFreeSpaceEx(path, &avail, &size, nil)
	return int64(size), int64(avail), err
}
