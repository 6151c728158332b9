package boltkv_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"storj/metainfo/kv/boltkv"
)

// TestFullDisk fills a real file system of 1 MiB. It needs leave to mount one; TestSizeLimit covers the rest.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	folder := smallDisk(t)
	s := open(t, folder+"/kv", boltkv.Options{Reserve: -1}) // commits fail
	ballast := folder + "/ballast"
	if err := os.WriteFile(ballast, make([]byte, 256<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	fillAndRecover(t, s, func() { _ = os.Remove(ballast) })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestNearlyFullDisk refuses growth early, so that deleting needs no help.
func TestNearlyFullDisk(t *testing.T) {
	t.Parallel()
	s := open(t, smallDisk(t)+"/kv", boltkv.Options{Reserve: 256 << 10})
	fillAndRecover(t, s, nil)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// smallDisk mounts a file system of 1 MiB.
func smallDisk(t *testing.T) string {
	folder := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	ballast := folder + "/ballast"
	if err := os.WriteFile(ballast, make([]byte, 256<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}
