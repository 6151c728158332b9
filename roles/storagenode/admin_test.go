package storagenode

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"storj/ecenc/wire"
	"storj/netx"
	"storj/netx/identity"
	"storj/netx/quicnet"
	"storj/pieces"
	"storj/pieces/memstore"
	"storj/roles/storagenode/contact/contacttest"
	"storj/roles/storagenode/usage"
)

func newIdentity(t *testing.T) *identity.Identity {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// startReal runs a node over QUIC on this machine.
func startReal(t *testing.T, dir string, change func(*Options)) (n *Node, stop func()) {
	t.Helper()
	id := newIdentity(t)
	transport, err := quicnet.New(id, quicnet.Options{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	sat := contacttest.StartOn(t, transport, id.ID())
	opts := Options{
		Dir: dir, Address: "127.0.0.1:0", Version: "v1", Join: []pieces.JoinToken{sat.Token(1)}, DebugAddress: "127.0.0.1:0",
	}
	change(&opts)
	if n, err = New(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // which ends before the first cleanup
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-done, n.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return n, stop
}

// running asks for the status until the node has been taken by its satellite.
func running(t *testing.T, dir string) *Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		status, err := ReadStatus(ctx, dir)
		if err == nil && status.Satellites[0].Reached {
			return status
		}
		if err != nil && !errors.Is(err, ErrNotRunning) {
			t.Fatal(err)
		}
		if ctx.Err() != nil {
			t.Fatalf("node is not up: %+v, %v", status, err)
		}
	}
}

func TestOwnerAsks(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "home")
	if _, err := ReadStatus(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before the start: %v", err)
	}
	store := memstore.New(memstore.Options{Capacity: 1 << 30})
	n, stop := startReal(t, dir, func(opts *Options) { opts.Store = store })
	status := running(t, dir)
	if status.ID != n.ID() || status.Version != "v1" || status.Space.Capacity != 1<<30 || status.Address != n.Address() {
		t.Errorf("status %+v", status)
	}
	if n.DebugAddress() == "" {
		t.Error("no debug address")
	}
	result, err := Check(t.Context(), CheckOptions{Dir: dir})
	if err != nil || !result.Running || !result.OK() {
		t.Errorf("check %+v, %v", result, err)
	}

	askAs(t, newIdentity(t), n, ErrNotOwner)
	id, err := LoadIdentity(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	askAs(t, id, n, nil)

	address, err := os.ReadFile(filepath.Join(dir, addressFile))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if err := os.WriteFile(filepath.Join(dir, addressFile), address, 0o600); err != nil { // as after a crash
		t.Fatal(err)
	}
	if _, err := ReadStatus(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stale address: %v", err)
	}
}

// askAs makes both calls with an identity.
func askAs(t *testing.T, id *identity.Identity, n *Node, want error) {
	t.Helper()
	c, err := newOwnClient(id, n.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	c.node.ID = n.ID()
	if _, err := c.status(t.Context()); !errors.Is(err, want) {
		t.Errorf("status: %v, want %v", err, want)
	}
	if _, err := c.check(t.Context()); !errors.Is(err, want) {
		t.Errorf("check: %v, want %v", err, want)
	}
}

func TestIdentityIsMadeOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := LoadIdentity(dir, false); err == nil {
		t.Error("an identity out of nothing")
	}
	first, err := LoadIdentity(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	second, err := LoadIdentity(dir, true)
	if err != nil || second.ID() != first.ID() {
		t.Errorf("identity changed from %s to %s, %v", first, second, err)
	}
}

func TestMessagesRoundTrip(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC)
	status := &Status{
		ID: netx.NodeID{1}, Version: "v1", Started: at, Time: at.Add(time.Hour), Address: "a:1",
		Space: Space{Capacity: 5, Used: 4, Trash: 3, Garbage: 2, Free: 1},
		Dirs:  []DirStatus{{Path: "/a", Capacity: 1, Used: 2, Free: 3, Fault: "gone"}, {Path: "/b"}},
		Satellites: []SatelliteStatus{{
			Satellite: netx.NodeURL{ID: netx.NodeID{2}, Address: "s:1"}, Joined: at, LastContact: at, LastError: "x", Reached: true,
			Address: "n:1", Epoch: 3, Interval: time.Hour, Skew: -time.Second, Pieces: 1, Bytes: 2, TrashPieces: 3, TrashBytes: 4,
			Standing: pieces.Standing{State: pieces.Exiting, Since: at, AuditScore: 0.5, Reason: "r", PiecesLeft: 3}, Exiting: at,
			Garbage: GarbageStatus{Waiting: true, Created: at, Applied: at, Checked: 1, Trashed: 2, Bytes: 3}, Orders: 5, Ordered: 6,
		}},
		Scrub: ScrubStatus{
			Every: time.Hour, Started: at, Bytes: 1, Pieces: 2, Found: 3, LastEnded: at, LastStarted: at, LastBytes: 4, LastPieces: 5,
			LastFound: 6, Pending: 7,
		},
		Bandwidth:  BandwidthStatus{Rate: 1, Monthly: 2, Used: 3, Full: true},
		Forgetting: []netx.NodeID{{4}, {5}}, LostOrders: 8,
		Traffic: Traffic{Uploads: 1, CancelledUploads: 2, Downloads: 3, BytesIn: 4, BytesOut: 5, Refused: 6},
	}
	var gotStatus Status
	if err := wire.Unmarshal(wire.Marshal(status), &gotStatus); err != nil || !reflect.DeepEqual(&gotStatus, status) {
		t.Errorf("status became %+v, %v", gotStatus, err)
	}
	if gotStatus.Uptime() != time.Hour {
		t.Errorf("uptime %v", gotStatus.Uptime())
	}
	result := &CheckResult{
		Pieces: 1, Bytes: 2, DamagedCount: 1, FaultCount: 2,
		Damaged: []DamagedPiece{{Piece: pieces.PieceID{1}, Size: 3, Created: at}}, Faults: []string{"a", "b"},
	}
	var gotResult CheckResult
	if err := wire.Unmarshal(wire.Marshal(result), &gotResult); err != nil || !reflect.DeepEqual(&gotResult, result) {
		t.Errorf("result became %+v, %v", gotResult, err)
	}
}

// A report of any size fits a response.
func TestCheckResultIsBounded(t *testing.T) {
	t.Parallel()
	report := pieces.CheckReport{Pieces: 9, Damaged: make([]pieces.Info, 5000)}
	for i := range report.Damaged {
		report.Damaged[i] = pieces.Info{Piece: pieces.PieceID{1}, Size: pieces.MaxPieceSize, Created: time.Now()}
		report.Faults = append(report.Faults, strings.Repeat("f", 2000))
	}
	result := newCheckResult(report)
	if result.OK() || result.DamagedCount != 5000 || result.FaultCount != 5000 {
		t.Errorf("counts %d and %d", result.DamagedCount, result.FaultCount)
	}
	raw := wire.Marshal(result)
	if len(raw) > 64<<10 {
		t.Errorf("%d bytes", len(raw))
	}
	if err := wire.Unmarshal(raw, new(CheckResult)); err != nil {
		t.Error(err)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(wire.Marshal(&Status{ID: netx.NodeID{1}, Version: "v1"}))
	f.Add(wire.Marshal(&CheckResult{Pieces: 1, Faults: []string{"a"}}))
	f.Add(wire.Marshal(&UsageReply{Month: "2026-11", Days: []UsageDay{{Date: "2026-11-22", Day: usage.Day{Get: 1}}}}))
	f.Add(wire.Marshal(&moveFrame{MoveProgress: MoveProgress{Bytes: 1}, code: 3}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s Status
		if err := wire.Unmarshal(raw, &s); err == nil {
			if err := wire.Unmarshal(wire.Marshal(&s), new(Status)); err != nil {
				t.Error(err)
			}
		}
		var u UsageReply
		if err := wire.Unmarshal(raw, &u); err == nil {
			if err := wire.Unmarshal(wire.Marshal(&u), new(UsageReply)); err != nil {
				t.Error(err)
			}
		}
		var m moveFrame
		if err := wire.Unmarshal(raw, &m); err == nil {
			if err := wire.Unmarshal(wire.Marshal(&m), new(moveFrame)); err != nil {
				t.Error(err)
			}
		}
		var r CheckResult
		if err := wire.Unmarshal(raw, &r); err == nil {
			if err := wire.Unmarshal(wire.Marshal(&r), new(CheckResult)); err != nil {
				t.Error(err)
			}
		}
	})
}
