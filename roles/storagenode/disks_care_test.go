package storagenode

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"storj/netx"
	"storj/pieces"
)

// TestMoveDisk moves a disk of a running node by the owner's command, and starts the node again with its old settings.
func TestMoveDisk(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir, old, fresh := filepath.Join(top, "home"), filepath.Join(top, "old"), filepath.Join(top, "fresh")
	onDisk := func(opts *Options) { opts.Disks, opts.Reserve = []Disk{{Path: old, Capacity: testCapacity}}, -1 }
	n, stop := startReal(t, dir, onDisk)
	running(t, dir)
	sat := n.contact.Status()[0].Satellite.ID
	for id := range byte(20) {
		put(t, n.store, sat, id)
	}
	var last MoveProgress
	if err := MoveDisk(t.Context(), dir, old, fresh, func(p MoveProgress) { last = p }); err != nil {
		t.Fatal(err)
	}
	if !last.Done || last.Bytes < 20*5000 || last.Total < last.Bytes {
		t.Errorf("progress %+v", last)
	}
	if err := MoveDisk(t.Context(), dir, old, fresh, func(MoveProgress) {}); !errors.Is(err, pieces.ErrNotFound) {
		t.Errorf("a second time: %v", err)
	}
	put(t, n.store, sat, 100)
	stop()
	_, stop = startReal(t, dir, onDisk)
	status := running(t, dir)
	if len(status.Dirs) != 1 || status.Dirs[0].Path != fresh || status.Dirs[0].Fault != "" {
		t.Errorf("after a restart: %+v", status.Dirs)
	}
	stop()
	result, err := Check(t.Context(), CheckOptions{Dir: dir, Disks: []Disk{{Path: old, Capacity: testCapacity}}})
	if err != nil || !result.OK() || result.Pieces != 21 {
		t.Errorf("check: %+v, %v", result, err)
	}
}

// TestForgetDisk loses one of two disks for good: its pieces are reported, the other serves on, also after a restart.
func TestForgetDisk(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "home")
	a, b := Disk{filepath.Join(top, "a"), testCapacity}, Disk{filepath.Join(top, "b"), testCapacity}
	onDisks := func(opts *Options) {
		opts.Disks, opts.Reserve, opts.WatchEvery = []Disk{a, b}, -1, 20*time.Millisecond
	}
	n, stop := startReal(t, dir, onDisks)
	running(t, dir)
	sat := n.contact.Status()[0].Satellite.ID
	for id := range byte(40) {
		put(t, n.store, sat, id)
	}
	if _, err := ForgetDisk(t.Context(), dir, b.Path); !errors.Is(err, ErrNotLost) {
		t.Errorf("forget a disk that is served: %v", err)
	}
	if err := n.scrubbed().(interface{ Flush() error }).Flush(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(b.Path, "storj-store"), filepath.Join(b.Path, "gone")); err != nil {
		t.Fatal(err)
	}
	waitForFault(t, n)
	if report := n.report(); len(report.Faults) != 1 {
		t.Errorf("the satellite is told %v", report.Faults)
	}
	reply, err := ForgetDisk(t.Context(), dir, b.Path)
	if err != nil || reply.Reported == 0 || reply.Reported == 40 {
		t.Fatalf("forgotten: %+v, %v", reply, err)
	}
	if _, err := ForgetDisk(t.Context(), dir, a.Path); !errors.Is(err, ErrNotLost) {
		t.Errorf("forget the last disk: %v", err)
	}
	found := int64(0)
	for id := range byte(40) {
		r, err := n.store.Open(t.Context(), sat, pieces.PieceID{id})
		if err == nil {
			found++
			_ = r.Close()
		} else if !errors.Is(err, pieces.ErrNotFound) {
			t.Errorf("piece %d: %v", id, err)
		}
	}
	if found+reply.Reported != 40 {
		t.Errorf("%d pieces are there, %d were reported", found, reply.Reported)
	}
	stop()
	_, stop = startReal(t, dir, onDisks)
	if dirs := running(t, dir).Dirs; len(dirs) != 1 || dirs[0].Path != a.Path {
		t.Errorf("after a restart: %+v", dirs)
	}
	stop()
}

// waitForFault stores until the node has noticed that a disk is gone.
func waitForFault(t *testing.T, n *Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		w, err := n.store.Create(ctx, pieces.CreateOptions{Satellite: netx.NodeID{9}, Piece: pieces.NewPieceID(), Size: 1})
		if err == nil {
			_ = w.Cancel()
		}
		if n.HealthChecks()["disks"](ctx) != nil {
			return
		}
	}
	t.Fatal("the node does not notice")
}

func TestOwnerCalls(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "home")
	if _, err := ReadUsage(t.Context(), dir, ""); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before the start: %v", err)
	}
	n, stop := startReal(t, dir, func(opts *Options) {
		opts.Disks, opts.Reserve = []Disk{{filepath.Join(dir, "pieces"), testCapacity}}, -1
	})
	defer stop()
	running(t, dir)
	sat := n.contact.Status()[0].Satellite.ID
	if _, err := ReadUsage(t.Context(), dir, "nonsense"); !errors.Is(err, pieces.ErrMalformed) {
		t.Errorf("usage of no month: %v", err)
	}
	if usage, err := ReadUsage(t.Context(), dir, ""); err != nil || usage.Month == "" {
		t.Errorf("usage %+v, %v", usage, err)
	}
	if err := Exit(t.Context(), dir, netx.NodeID{9}, false); !errors.Is(err, pieces.ErrUntrusted) {
		t.Errorf("leave a stranger: %v", err)
	}
	if err := Exit(t.Context(), dir, sat, false); err != nil || running(t, dir).Satellites[0].Exiting.IsZero() {
		t.Errorf("exit: %v", err)
	}
	put(t, n.store, sat, 1)
	if err := Forget(t.Context(), dir, sat, false); !errors.Is(err, ErrNotExited) {
		t.Errorf("forget too early: %v", err)
	}
	if err := Forget(t.Context(), dir, sat, true); err != nil {
		t.Errorf("forget: %v", err)
	}
	askOthers(t, n)
}

// askOthers makes the owner's calls as somebody else.
func askOthers(t *testing.T, n *Node) {
	t.Helper()
	c, err := newOwnClient(newIdentity(t), n.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	c.node.ID = n.ID()
	ctx := t.Context()
	for name, err := range map[string]error{
		"exit":   c.pool.Call(ctx, c.node, netx.Control, MethodExit, &ExitRequest{}, new(pieces.Empty), adminErrors()),
		"forget": c.pool.Call(ctx, c.node, netx.Control, MethodForget, &ForgetRequest{}, new(pieces.Empty), adminErrors()),
		"disk":   c.pool.Call(ctx, c.node, netx.Control, MethodDisk, &DiskRequest{}, new(DiskReply), adminErrors()),
		"usage":  c.pool.Call(ctx, c.node, netx.Control, MethodUsage, &UsageRequest{}, new(UsageReply), adminErrors()),
	} {
		if !errors.Is(err, ErrNotOwner) {
			t.Errorf("%s: %v", name, err)
		}
	}
	st, err := c.pool.Open(ctx, c.node, netx.Control, MethodMove, &MoveRequest{From: "/a", To: "/b"})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Cancel(netx.Cancelled)
	if err := errors.Join(st.CloseWrite(), st.Response(new(pieces.Empty), adminErrors())); !errors.Is(err, ErrNotOwner) {
		t.Errorf("move: %v", err)
	}
}
