package storagenode

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"storj/netx"
	"storj/netx/identity"
	"storj/netx/memnet"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/memstore"
	"storj/pieces/piececlient"
	"storj/roles/storagenode/contact/contacttest"
)

// world is a network in memory with a satellite, an uplink and room for a node.
type world struct {
	network *memnet.Network
	sat     *contacttest.Satellite
	uplink  *rpc.Pool
	id      *identity.Identity
	dir     string
	store   *memstore.Store
	log     bytes.Buffer // read it only when nothing runs
}

func newWorld(t *testing.T, capacity int64) *world {
	t.Helper()
	network := memnet.New(1)
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		network: network, sat: contacttest.Start(t, network, 1), id: id, dir: t.TempDir(),
		uplink: rpc.NewPool(network.Transport(netx.NodeID{'u'}), rpc.PoolOptions{}),
		store:  memstore.New(memstore.Options{Capacity: capacity}),
	}
	t.Cleanup(func() {
		if err := errors.Join(w.uplink.Close(), w.store.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// open makes the node without running it.
func (w *world) open(t *testing.T, change func(*Options)) (*Node, error) {
	t.Helper()
	opts := Options{
		Dir: w.dir, Store: w.store, Identity: w.id, Transport: w.network.Transport(w.id.ID()), Version: "v1.2.3",
		Log: zerolog.New(zerolog.SyncWriter(&w.log)).Level(zerolog.InfoLevel),
	}
	if change != nil {
		change(&opts)
	}
	return New(t.Context(), opts)
}

// start runs a node until stop or the end of the test.
func (w *world) start(t *testing.T, change func(*Options)) (n *Node, stop func()) {
	t.Helper()
	n, err := w.open(t, change)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-done, n.Close(), n.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	synctest.Wait()
	return n, stop
}

func (w *world) join(opts *Options) { opts.Join = []pieces.JoinToken{w.sat.Token(1)} }

// upload stores size bytes under a limit of sat, in its current epoch.
func (w *world) upload(t *testing.T, sat *contacttest.Satellite, n *Node, size int) (*pieces.PieceAck, error) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := sat.Key(n.ID(), sat.Snapshot().Epoch)
	now := time.Now().UTC()
	expires := now.Add(time.Hour).Truncate(time.Second)
	limit := pieces.OrderLimit{
		Satellite: sat.URL.ID, Node: n.ID(), Piece: pieces.PieceID{byte(size), byte(size >> 8), byte(size >> 16), byte(size >> 24)}, Action: pieces.ActionPut,
		Limit: int64(size), Created: now, Expires: expires, Serial: pieces.NewSerialNumber(expires),
		UplinkKey: [32]byte(public),
	}
	ack, err := piececlient.Upload(t.Context(), w.uplink, piececlient.UploadOptions{
		Node: netx.NodeURL{ID: n.ID(), Address: n.Address()}, Limit: limit.Sign(key), Key: private,
		Size: int64(size), Source: &zeros{left: size},
	})
	if err == nil && !ack.Verify(key) {
		t.Error("acknowledgement is not of the satellite's key")
	}
	return ack, err
}

// zeros is a piececlient.Source of zeros.
type zeros struct{ left int }

func (z *zeros) Next() ([]byte, error) {
	if z.left == 0 {
		return nil, io.EOF
	}
	chunk := make([]byte, min(z.left, 32<<10))
	z.left -= len(chunk)
	return chunk, nil
}

func bubble(t *testing.T, capacity int64, f func(t *testing.T, w *world)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t, capacity)) })
}

const plenty = 1 << 40

func TestNodeServes(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		n, stop := w.start(t, w.join)
		if _, err := w.upload(t, w.sat, n, 100_000); err != nil {
			t.Fatal(err)
		}
		s := n.Status()
		if s.ID != w.id.ID() || s.Version != "v1.2.3" || s.Space.Used != 100_000 || s.Traffic.Uploads != 1 || s.Traffic.BytesIn != 100_000 {
			t.Errorf("status %+v", s)
		}
		if len(s.Satellites) != 1 || !s.Satellites[0].Reached || s.Satellites[0].Pieces != 1 || s.Satellites[0].Address != n.Address() {
			t.Errorf("satellites %+v", s.Satellites)
		}
		if address, err := readAddress(w.dir); err != nil || address != n.Address() {
			t.Errorf("address file says %q, %v", address, err)
		}
		for name, check := range n.HealthChecks() {
			if err := check(t.Context()); err != nil {
				t.Errorf("health of %s: %v", name, err)
			}
		}
		w.sat.Set(func(st *contacttest.State) { st.Epoch++ })
		if _, err := w.upload(t, w.sat, n, 1); !errors.Is(err, pieces.ErrLimit) {
			t.Errorf("limit of an epoch that the node does not know: %v", err)
		}
		if got := n.Status().Traffic.Refused; got != 1 {
			t.Errorf("%d operations refused", got)
		}
		time.Sleep(70 * time.Minute)
		synctest.Wait()
		if _, err := w.upload(t, w.sat, n, 1); err != nil {
			t.Errorf("after the next check-in: %v", err)
		}
		stop()
		if _, err := readAddress(w.dir); !errors.Is(err, ErrNotRunning) {
			t.Errorf("address file after the end: %v", err)
		}
	})
}

func TestRestartNeedsNoToken(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		_, stop := w.start(t, w.join)
		stop()
		n, _ := w.start(t, nil)
		if _, err := w.upload(t, w.sat, n, 1000); err != nil {
			t.Error(err)
		}
	})
}

func TestSecondSatellite(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		_, stop := w.start(t, w.join)
		stop()
		second := contacttest.Start(t, w.network, 2)
		n, _ := w.start(t, func(opts *Options) { opts.Join = []pieces.JoinToken{second.Token(1)} })
		for _, sat := range []*contacttest.Satellite{w.sat, second} {
			if _, err := w.upload(t, sat, n, 1000); err != nil {
				t.Errorf("satellite %s: %v", sat.URL, err)
			}
		}
		if got := n.Status().Satellites; len(got) != 2 || got[0].Pieces != 1 || got[1].Pieces != 1 {
			t.Errorf("satellites %+v", got)
		}
		stranger := contacttest.Start(t, w.network, 3)
		if _, err := w.upload(t, stranger, n, 1000); !errors.Is(err, pieces.ErrUntrusted) {
			t.Errorf("satellite that was not joined: %v", err)
		}
	})
}

func TestNewErrors(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		tests := []struct {
			name   string
			change func(*Options)
			want   error
		}{
			{"no satellite", nil, ErrNoSatellite},
			{"used-up token", func(o *Options) { o.Join = []pieces.JoinToken{w.sat.Token(0)} }, pieces.ErrToken},
			{"nobody there", func(o *Options) {
				o.Join = []pieces.JoinToken{pieces.NewJoinToken(netx.NodeURL{ID: netx.NodeID{7}, Address: "10.9.9.9:7777"}, time.Time{})}
			}, netx.ErrUnreachable},
			{"no place for pieces", func(o *Options) { w.join(o); o.Store = nil }, errNoDisks},
		}
		for _, test := range tests { // one after another: they share a transport
			if n, err := w.open(t, test.change); !errors.Is(err, test.want) {
				t.Errorf("%s: %v", test.name, err)
				if n != nil {
					_ = n.Close()
				}
			}
		}
	})
}

func TestOpenNetworkNeedsNoToken(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		w.sat.Set(func(st *contacttest.State) { st.Joined[w.id.ID()] = true })
		n, _ := w.start(t, func(opts *Options) { opts.Satellites = []netx.NodeURL{w.sat.URL} })
		if _, err := w.upload(t, w.sat, n, 1000); err != nil {
			t.Error(err)
		}
	})
}

func TestFullNodeTellsSatelliteAtOnce(t *testing.T) {
	bubble(t, pieces.MaxPieceSize+1<<20, func(t *testing.T, w *world) {
		n, _ := w.start(t, w.join)
		if _, err := w.upload(t, w.sat, n, 2<<20); err != nil {
			t.Fatal(err)
		}
		before := len(w.sat.Snapshot().CheckIns)
		for range 2 {
			if _, err := w.upload(t, w.sat, n, pieces.MaxPieceSize); !errors.Is(err, pieces.ErrNoSpace) {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		reports := w.sat.Snapshot().CheckIns
		if len(reports) != before+1 || reports[before].Free >= pieces.MaxPieceSize {
			t.Errorf("%d reports after the disk was full, the last with %d bytes free", len(reports)-before, reports[len(reports)-1].Free)
		}
		if err := n.HealthChecks()["space"](t.Context()); !errors.Is(err, pieces.ErrNoSpace) {
			t.Errorf("health of a full node: %v", err)
		}
	})
}

func TestHealthWithoutSatellite(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		n, _ := w.start(t, w.join)
		check := n.HealthChecks()["satellites"]
		w.network.Kill(w.sat.URL.ID)
		time.Sleep(100 * time.Minute)
		if err := check(t.Context()); err != nil {
			t.Errorf("within two intervals: %v", err)
		}
		time.Sleep(40 * time.Minute)
		if err := check(t.Context()); err == nil || !strings.Contains(err.Error(), w.sat.URL.ID.Short()) {
			t.Errorf("after two intervals: %v", err)
		}
	})
}

func TestChores(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		n, _ := w.start(t, w.join)
		ctx, sat := t.Context(), w.sat.URL.ID
		put := func(id byte, expires time.Time) {
			writer, err := w.store.Create(ctx, pieces.CreateOptions{Satellite: sat, Piece: pieces.PieceID{id}, Size: 1, Expires: expires})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := writer.Write([]byte{id}); err != nil {
				t.Fatal(err)
			}
			if err := writer.Commit(ctx, nil); err != nil {
				t.Fatal(err)
			}
		}
		count := func() int64 {
			usage := n.Status().Satellites[0]
			return usage.Pieces + usage.TrashPieces
		}
		put(1, time.Time{})
		put(2, time.Now().Add(3*time.Hour))
		put(3, time.Time{})
		if err := w.store.Trash(ctx, sat, []pieces.PieceID{{3}}, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if got := count(); got != 3 {
			t.Errorf("%d pieces at first", got)
		}
		time.Sleep(3 * time.Hour)
		if got := count(); got != 2 {
			t.Errorf("%d pieces after one expired", got)
		}
		time.Sleep(trashKept)
		if got := count(); got != 1 {
			t.Errorf("%d pieces after the trash was emptied", got)
		}
	})
}

// A node whose clock is a year ahead keeps what is not expired by that of its satellite.
func TestExpiryOnAWrongClock(t *testing.T) {
	const ahead = 365 * 24 * time.Hour
	bubble(t, plenty, func(t *testing.T, w *world) {
		ctx, sat := t.Context(), w.sat.URL.ID
		opts := pieces.CreateOptions{Satellite: sat, Piece: pieces.PieceID{1}, Expires: time.Now().Add(5 * time.Hour)}
		writer, err := w.store.Create(ctx, opts)
		if err == nil {
			err = writer.Commit(ctx, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		n, _ := w.start(t, func(o *Options) {
			w.join(o)
			o.Now = func() time.Time { return time.Now().Add(ahead) }
		})
		time.Sleep(4 * time.Hour)
		if got := n.Status().Satellites[0].Pieces; got != 1 {
			t.Errorf("%d pieces an hour before the expiry", got)
		}
		time.Sleep(4 * time.Hour)
		if got := n.Status().Satellites[0].Pieces; got != 0 {
			t.Errorf("%d pieces after it", got)
		}
	})
}

// A node whose clock is a year ahead does not empty its trash before a satellite could ask for it.
func TestTrashOnAWrongClock(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		ctx, sat := t.Context(), w.sat.URL.ID
		writer, err := w.store.Create(ctx, pieces.CreateOptions{Satellite: sat, Piece: pieces.PieceID{1}})
		if err == nil {
			err = writer.Commit(ctx, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		n, _ := w.start(t, func(o *Options) {
			w.join(o)
			o.Now = func() time.Time { return time.Now().Add(365 * 24 * time.Hour) }
		})
		if err := w.store.Trash(ctx, sat, []pieces.PieceID{{1}}, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Hour)
		if got := n.Status().Satellites[0].TrashPieces; got != 1 {
			t.Errorf("%d pieces in the trash six hours after they came there", got)
		}
		time.Sleep(trashKept)
		if got := n.Status().Satellites[0].TrashPieces; got != 0 {
			t.Errorf("%d pieces in the trash after their time", got)
		}
	})
}

// A node none of whose directories serves goes on: its satellite is told, and the disk may come back.
func TestLastDirectoryFails(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		store := &failing{Store: w.store, only: true}
		n, err := w.open(t, func(opts *Options) { w.join(opts); opts.Store = store })
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- n.Run(t.Context()) }()
		time.Sleep(10 * disksEvery)
		select {
		case err := <-done:
			t.Fatalf("ended while all was well: %v", err)
		default:
		}
		fault := "marker is gone"
		store.fault.Store(&fault)
		time.Sleep(2 * disksEvery)
		reports := w.sat.Snapshot().CheckIns
		if last := reports[len(reports)-1]; len(last.Faults) != 1 || last.Faults[0] != fault {
			t.Errorf("told: %+v", last)
		}
		store.fault.Store(nil)
		time.Sleep(2 * disksEvery)
		reports = w.sat.Snapshot().CheckIns
		if last := reports[len(reports)-1]; len(last.Faults) != 0 || last.Leaving {
			t.Errorf("told that it is back: %+v", last)
		}
		select {
		case err := <-done:
			t.Errorf("ended: %v", err)
		default:
		}
		if err := errors.Join(n.Close(), <-done); err != nil {
			t.Error(err)
		}
		if reports := w.sat.Snapshot().CheckIns; !reports[len(reports)-1].Leaving {
			t.Error("the satellite was not told that the node leaves")
		}
	})
}

// failing is a store one of whose directories may fail.
type failing struct {
	pieces.Store
	only  bool                   // it has no other
	fault atomic.Pointer[string] // nil: none
}

func (f *failing) Space() pieces.Space {
	space := f.Store.Space()
	space.Dirs = []pieces.DirStatus{{Path: "/mnt/a"}, {Path: "/mnt/b"}}
	if fault := f.fault.Load(); fault != nil {
		space.Dirs[1].Fault = *fault
	}
	if f.only {
		space.Dirs = space.Dirs[1:]
	}
	return space
}

func TestDirectoryFails(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		store := &failing{Store: w.store}
		n, stop := w.start(t, func(opts *Options) { w.join(opts); opts.Store = store })
		time.Sleep(2 * disksEvery)
		check := n.HealthChecks()["disks"]
		if err := check(t.Context()); err != nil {
			t.Errorf("health of the well: %v", err)
		}
		before := len(w.sat.Snapshot().CheckIns)
		fault := "marker is gone"
		store.fault.Store(&fault)
		time.Sleep(10 * disksEvery)
		if err := check(t.Context()); err == nil || !strings.Contains(err.Error(), "/mnt/b: marker is gone") {
			t.Errorf("health of the ill: %v", err)
		}
		if dirs := n.Status().Dirs; len(dirs) != 2 || dirs[1].Fault != fault {
			t.Errorf("directories %+v", dirs)
		}
		store.fault.Store(nil)
		time.Sleep(10 * disksEvery)
		if reports := len(w.sat.Snapshot().CheckIns) - before; reports != 2 {
			t.Errorf("the satellite was told %d times", reports)
		}
		stop()
		for _, line := range []string{"storage directory failed", "storage directory is back"} {
			if count := strings.Count(w.log.String(), line); count != 1 {
				t.Errorf("logged %q %d times", line, count)
			}
		}
	})
}

func TestAddressFile(t *testing.T) {
	t.Parallel()
	for listening, want := range map[string]string{
		"0.0.0.0:28967": "127.0.0.1:28967", "[::]:7": "127.0.0.1:7", "192.0.2.1:7": "192.0.2.1:7", "[::1]:7": "[::1]:7",
	} {
		dir := t.TempDir()
		if err := writeAddress(dir, listening); err != nil {
			t.Fatal(err)
		}
		if got, err := readAddress(dir); err != nil || got != want {
			t.Errorf("%s is reached at %q, %v; want %s", listening, got, err, want)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, addressFile), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readAddress(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("damaged file: %v", err)
	}
}
