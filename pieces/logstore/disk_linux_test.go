package logstore_test

import (
	"os"
	"strconv"
	"syscall"
	"testing"
)

// smallDisk mounts a file system of the given size; it skips where that is not allowed.
func smallDisk(t *testing.T, bytes int64) string {
	t.Helper()
	path := t.TempDir()
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	options := "size=" + strconv.FormatInt(bytes, 10)
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, options); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return path
}
