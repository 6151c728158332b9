package storagenode

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"storj/netx"
	"storj/pieces"
	"storj/pieces/logstore"
)

const testCapacity = 1 << 30

// put stores a piece without a satellite.
func put(t *testing.T, store pieces.Store, satellite netx.NodeID, id byte) {
	t.Helper()
	w, err := store.Create(t.Context(), pieces.CreateOptions{Satellite: satellite, Piece: pieces.PieceID{id}, Size: 5000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context(), []byte("proof")); err != nil {
		t.Fatal(err)
	}
}

func TestPiecesOutliveTheNode(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir, disks := filepath.Join(top, "home"), []Disk{
		{Path: filepath.Join(top, "a"), Capacity: testCapacity}, {Path: filepath.Join(top, "b"), Capacity: testCapacity},
	}
	onDisks := func(opts *Options) { opts.Disks, opts.Reserve = disks, -1 }
	n, stop := startReal(t, dir, onDisks)
	for id := range byte(10) {
		put(t, n.store, n.contact.Status()[0].Satellite.ID, id)
	}
	if result, err := Check(t.Context(), CheckOptions{Dir: dir}); err != nil || !result.OK() || !result.Running || result.Pieces != 10 {
		t.Errorf("check by the node: %+v, %v", result, err)
	}
	if _, err := checkOffline(t.Context(), CheckOptions{Disks: disks}); !errors.Is(err, logstore.ErrLocked) {
		t.Errorf("check beside the node: %v", err)
	}
	stop()
	if result, err := Check(t.Context(), CheckOptions{Dir: dir, Disks: disks}); err != nil || !result.OK() || result.Running || result.Pieces != 10 {
		t.Errorf("check without the node: %+v, %v", result, err)
	}
	_, stop = startReal(t, dir, onDisks) // with a new satellite, too
	status := running(t, dir)
	if len(status.Dirs) != 2 || status.Satellites[0].Pieces != 10 || status.Space.Capacity != 2*testCapacity {
		t.Errorf("status %+v", status)
	}
	stop()
}

// openOn makes a node on disks, which has one satellite that it need not reach.
func openOn(t *testing.T, dir string, disks ...Disk) (*Node, error) {
	t.Helper()
	n, err := New(t.Context(), Options{
		Dir: dir, Disks: disks, Reserve: -1, Address: "127.0.0.1:0",
		Satellites: []netx.NodeURL{{ID: netx.NodeID{1}, Address: "127.0.0.1:9"}},
	})
	if err == nil {
		t.Cleanup(func() { _ = n.Close() }) // best effort: most tests close it themselves
	}
	return n, err
}

// unmount hides what is on a disk.
func unmount(t *testing.T, disk Disk) {
	t.Helper()
	if err := os.Rename(disk.Path, disk.Path+"-hidden"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(disk.Path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestUnmountedDisk(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	a, b := Disk{filepath.Join(top, "a"), testCapacity}, Disk{filepath.Join(top, "b"), testCapacity}
	dir := filepath.Join(top, "home")
	n, err := openOn(t, dir, a, b)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	unmount(t, b)
	if _, err := openOn(t, dir, b); !errors.Is(err, logstore.ErrNoMarker) {
		t.Errorf("the only disk is not mounted: %v", err)
	}
	n, err = openOn(t, dir, a, b)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.HealthChecks()["disks"](t.Context()); err == nil || !strings.Contains(err.Error(), b.Path) {
		t.Errorf("health with one disk of two: %v", err)
	}
	if list, err := os.ReadDir(b.Path); err != nil || len(list) != 0 {
		t.Errorf("%d files below the mount point, %v", len(list), err)
	}
	c := Disk{filepath.Join(top, "c"), testCapacity}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err = openOn(t, dir, a, b, c); err != nil { // a new one is set up meanwhile
		t.Fatal(err)
	}
	if got := len(n.Status().Dirs); got != 3 {
		t.Errorf("%d directories", got)
	}
}

func TestDiskFaults(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	full := Disk{filepath.Join(top, "photos"), testCapacity}
	if err := os.MkdirAll(full.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(full.Path, "a.jpg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openOn(t, filepath.Join(top, "home"), full); !errors.Is(err, logstore.ErrNotEmpty) {
		t.Errorf("directory with other files: %v", err)
	}
	for _, text := range []string{"", "{}x", `{"version": 2}`} {
		dir := filepath.Join(top, "damaged")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, disksFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openOn(t, dir, Disk{filepath.Join(top, "d"), testCapacity}); !errors.Is(err, ErrDiskList) {
			t.Errorf("list of disks %q: %v", text, err)
		}
	}
}

// A second process in the same directories is told so.
func TestTwoNodesOnOneDisk(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	disk := Disk{filepath.Join(top, "a"), testCapacity}
	n, err := openOn(t, filepath.Join(top, "home"), disk)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openOn(t, filepath.Join(top, "home"), disk); !errors.Is(err, logstore.ErrLocked) {
		t.Errorf("second node: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Run(ctx); err != nil {
		t.Errorf("the first, stopped at once: %v", err)
	}
}
