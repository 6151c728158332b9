package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mountsVariable is set in a process that may mount what it likes.
const mountsVariable = "STORJ_E2E_MOUNTS"

// withMounts runs a test in a process of its own, whose mounts nobody else sees and which end with it. It returns true in
// that process. Where the system does not allow it, the test is skipped.
func withMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(mountsVariable) != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), mountsVariable+"=1", binaryVariable+"="+program(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	_, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case err != nil && !exited:
		t.Skipf("no mounts of our own: %v", err)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("in a process with mounts of its own:\n%s", out)
	case err != nil:
		t.Errorf("in a process with mounts of its own: %v\n%s", err, out)
	default:
		t.Logf("in a process with mounts of its own:\n%s", out)
	}
	return false
}

// smallDisk mounts a file system of so many MiB.
func smallDisk(t *testing.T, path string, mib int) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return path
}

// fill takes the space of a disk away, but for so many MiB, until the result is called.
func fill(t *testing.T, disk string, leave int64) (empty func()) {
	t.Helper()
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(disk, &stat); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(ballast, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	size := int64(stat.Bavail)*stat.Bsize - leave<<20
	if err := errors.Join(syscall.Fallocate(int(file.Fd()), 0, 0, size), file.Close()); err != nil {
		t.Fatalf("take %d bytes: %v", size, err)
	}
	return func() {
		if err := os.Remove(ballast); err != nil {
			t.Error(err)
		}
	}
}
