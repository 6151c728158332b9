package care

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/netx/identity"
	"storj/netx/memnet"
	"storj/netx/rpc"
)

// machine is a clock that can be set.
type machine struct {
	set     atomic.Int64 // nanoseconds by which the time of day was set
	started time.Time
}

func (m *machine) now() (time.Time, time.Duration) {
	now := time.Now()
	return now.Round(0).Add(time.Duration(m.set.Load())), now.Sub(m.started)
}

func newClock(t *testing.T, store kv.Store, m *machine, peers func(context.Context) ([]time.Duration, int)) *Clock {
	t.Helper()
	m.started = time.Now()
	c := NewClock(ClockOptions{Store: store, Now: m.now, Peers: peers})
	if err := c.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// start runs something until the returned function is called.
func start(t *testing.T, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func memStore(t testing.TB) kv.Store {
	store := memkv.New(memkv.Options{RunTwice: true})
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func TestClockJumps(t *testing.T) {
	offsets := func(list ...time.Duration) func(context.Context) ([]time.Duration, int) {
		return func(context.Context) ([]time.Duration, int) { return slices.Clone(list), 5 }
	}
	year := 365 * 24 * time.Hour
	for _, test := range []struct {
		name  string
		jump  time.Duration
		peers func(context.Context) ([]time.Duration, int)
		held  bool // an hour later
	}{
		{"none", 0, nil, false},
		{"a little", 23 * time.Hour, nil, false},
		{"back", -year, nil, false},
		{"nobody to ask", year, nil, true},
		{"nobody answers", year, offsets(), true},
		{"too few answer", year, offsets(0, 0), true},
		{"nodes agree", year, offsets(0, time.Minute, -30*time.Minute), false},
		{"nodes disagree", year, offsets(-year, -year, -year), true},
		{"one liar agrees", year, offsets(-year, 0, -year), true},
		{"one liar disagrees", year, offsets(0, -year, time.Second), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, store := new(machine), memStore(t)
				c := newClock(t, store, m, test.peers)
				defer start(t, c.Run)()
				time.Sleep(100 * 24 * time.Hour) // time that passes is no jump
				if err := c.MayDelete(); err != nil {
					t.Fatalf("before: %v", err)
				}
				m.set.Add(int64(test.jump))
				if err := c.MayDelete(); (err != nil) != (test.jump > MaxJump) {
					t.Errorf("at once: %v", err)
				}
				time.Sleep(time.Hour)
				if err := c.MayDelete(); (err != nil) != test.held || test.held && !errors.Is(err, ErrClock) {
					t.Errorf("an hour later: %v", err)
				}
			})
		})
	}
}

// TestClockAcrossRestarts stops the satellite for a time, with the clock right or not.
func TestClockAcrossRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, store := new(machine), memStore(t)
		stop := start(t, newClock(t, store, m, nil).Run)
		time.Sleep(time.Hour)
		stop()
		time.Sleep(20 * time.Hour)
		c := newClock(t, store, m, nil)
		if err := c.MayDelete(); err != nil {
			t.Errorf("after a night: %v", err)
		}
		time.Sleep(48 * time.Hour)
		var agree atomic.Bool
		c = newClock(t, store, m, func(context.Context) ([]time.Duration, int) {
			if !agree.Load() {
				return nil, 1
			}
			return []time.Duration{0}, 1
		})
		if err := c.MayDelete(); !errors.Is(err, ErrClock) {
			t.Errorf("after two days: %v", err)
		}
		stop = start(t, c.Run)
		time.Sleep(time.Hour)
		if err := c.MayDelete(); !errors.Is(err, ErrClock) {
			t.Errorf("no node has answered: %v", err)
		}
		agree.Store(true)
		time.Sleep(2 * askEvery)
		if err := c.MayDelete(); err != nil {
			t.Errorf("the only node agrees: %v", err)
		}
		stop()

		// A doubt survives a restart, and the owner ends it.
		m.set.Add(int64(1000 * time.Hour))
		if c.MayDelete() == nil {
			t.Error("not held")
		}
		c = newClock(t, store, m, nil)
		if c.MayDelete() == nil {
			t.Error("a restart made it believe")
		}
		if err := c.Confirm(t.Context()); err != nil || c.MayDelete() != nil {
			t.Errorf("confirmed: %v", err)
		}
		if c = newClock(t, store, m, nil); c.MayDelete() != nil {
			t.Error("confirmation is lost by a restart")
		}

		// A clock that is set right again is believed at once.
		m.set.Add(int64(100 * time.Hour))
		held := c.MayDelete()
		m.set.Add(-int64(100 * time.Hour))
		if held == nil || c.MayDelete() != nil {
			t.Errorf("set right: %v", c.MayDelete())
		}
	})
}

func TestReviver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, err := metabase.Open(t.Context(), memStore(t))
		if err != nil {
			t.Fatal(err)
		}
		here, away, never := netx.NodeID{1}, netx.NodeID{2}, netx.NodeID{3}
		for _, id := range []netx.NodeID{here, away, never} {
			if _, err := db.PutNode(t.Context(), id, func(*metabase.Node, bool) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		snapshot := time.Now().UTC()
		time.Sleep(30 * time.Hour)
		var mu sync.Mutex // guards the variables below
		asked := make(map[netx.NodeID]int)
		online := map[netx.NodeID]bool{here: true}
		fail := true
		count := func(id netx.NodeID) int {
			mu.Lock()
			defer mu.Unlock()
			return asked[id]
		}
		make := func() *Reviver {
			r := NewReviver(ReviverOptions{
				DB: db, Online: func(id netx.NodeID) bool {
					mu.Lock()
					defer mu.Unlock()
					return online[id]
				},
				Restore: func(_ context.Context, id netx.NodeID, since time.Time) (int64, error) {
					mu.Lock()
					defer mu.Unlock()
					if asked[id]++; fail {
						return 0, errors.New("busy")
					}
					if !since.Equal(snapshot.Add(-time.Hour)) {
						t.Errorf("since %v", since)
					}
					return 5, nil
				},
			})
			if err := r.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			return r
		}
		r := make()
		if done, err := r.Round(t.Context()); !done || err != nil || r.Hold(here) != nil {
			t.Errorf("never restored: %v, %v", done, err)
		}
		if err := MarkRestored(t.Context(), db.Store(), snapshot); err != nil {
			t.Fatal(err)
		}
		r = make()
		stop := start(t, r.Run)
		time.Sleep(12 * time.Minute)
		if count(here) != 3 || count(away) != 0 || r.Hold(here) == nil {
			t.Errorf("asked %d times while it fails", count(here))
		}
		mu.Lock()
		fail = false
		mu.Unlock()
		time.Sleep(5 * time.Minute)
		stop()
		r = make() // a restart
		stop = start(t, r.Run)
		time.Sleep(time.Hour)
		if count(here) != 4 || r.Hold(here) == nil || r.Hold(netx.NodeID{}) == nil {
			t.Errorf("asked %d times; within the grace: %v", count(here), r.Hold(here))
		}
		time.Sleep(DefaultGrace)
		if r.Hold(here) != nil || r.Hold(netx.NodeID{}) != nil || r.Hold(away) == nil {
			t.Errorf("after the grace: %v, %v, %v", r.Hold(here), r.Hold(netx.NodeID{}), r.Hold(away))
		}
		mu.Lock()
		online[away] = true
		mu.Unlock()
		time.Sleep(10 * time.Minute)
		if count(away) != 1 || r.Hold(away) != nil || r.Hold(never) == nil {
			t.Errorf("back: asked %d times, %v", count(away), r.Hold(away))
		}
		time.Sleep(30 * 24 * time.Hour)
		if r.Hold(never) == nil {
			t.Error("a node that was off for a month has its trash still")
		}
		time.Sleep(Patience)
		if _, at := r.Restored(); !at.IsZero() || r.Hold(never) != nil {
			t.Error("not forgotten when all trash is gone")
		}
		stop()
		if r = make(); r.Hold(never) != nil {
			t.Error("held after a restart")
		}
	})
}

func TestSchedule(t *testing.T) {
	store, _, _ := fullStore(t)
	id, raw := identityFile(t)
	dir := filepath.Join(t.TempDir(), "backups")
	synctest.Test(t, func(t *testing.T) {
		var passphrase atomic.Pointer[[]byte]
		passphrase.Store(&[]byte{'x'})
		var failed atomic.Int32
		make := func() *Schedule {
			s := NewSchedule(ScheduleOptions{
				Store: store, To: dir, Every: 24 * time.Hour, Keep: 3,
				Passphrase: func() ([]byte, error) { return *passphrase.Load(), nil },
				Manifest:   func() (Manifest, error) { return Manifest{Satellite: id.ID(), Identity: raw}, nil },
				Event:      func(string) { failed.Add(1) },
			})
			if err := s.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := make()
		stop := start(t, s.Run)
		time.Sleep(3 * time.Hour)
		if failed.Load() != 1 || !s.Last().IsZero() {
			t.Errorf("%d failures told of", failed.Load())
		}
		good := []byte(phrase)
		passphrase.Store(&good)
		time.Sleep(time.Hour)
		first := s.Last()
		if time.Since(first) > time.Hour {
			t.Errorf("last at %v", first)
		}
		left := filepath.Join(dir, "satellite-"+id.ID().Short()+"-20200101T000000Z.storjbak.part")
		other := filepath.Join(dir, "satellite-12345678-20200101T000000Z.storjbak")
		for _, path := range []string{left, other} {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		s = make()
		stop = start(t, s.Run)
		time.Sleep(time.Hour)
		if !s.Last().Equal(first) {
			t.Error("a restart makes a backup")
		}
		time.Sleep(5 * 24 * time.Hour)
		stop()
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 4 {
			t.Fatalf("%d files, %v", len(entries), err)
		}
		for _, e := range entries {
			if strings.HasSuffix(other, e.Name()) {
				continue
			}
			raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if m, _, err := Verify(t.Context(), bytes.NewReader(raw), good); err != nil || m.Satellite != id.ID() {
				t.Errorf("%s: %v", e.Name(), err)
			}
		}
	})
}

// TestCheckFindsUnknownNodes has a segment name a node that never joined.
// TestScheduleAfterAClockAhead has archives from a year that has not come.
func TestScheduleAfterAClockAhead(t *testing.T) {
	store, _, _ := fullStore(t)
	id, raw := identityFile(t)
	dir := filepath.Join(t.TempDir(), "backups")
	good := []byte(phrase)
	synctest.Test(t, func(t *testing.T) {
		make := func() *Schedule {
			s := NewSchedule(ScheduleOptions{
				Store: store, To: dir, Every: 24 * time.Hour, Keep: 2,
				Passphrase: func() ([]byte, error) { return good, nil },
				Manifest:   func() (Manifest, error) { return Manifest{Satellite: id.ID(), Identity: raw}, nil },
			})
			if err := s.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			return s
		}
		ahead := time.Now().Add(10 * 365 * 24 * time.Hour).UTC()
		err := store.Update(t.Context(), func(tx kv.Tx) error { return backupTable().Put(tx, struct{}{}, &backupRow{at: ahead}) })
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			name := "satellite-" + id.ID().Short() + "-" + ahead.Add(time.Duration(i)*time.Hour).Format(archiveTime) + archiveSuffix
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := make()
		stop := start(t, s.Run)
		time.Sleep(50 * time.Hour)
		stop()
		if s.Last().After(time.Now()) || time.Since(s.Last()) > 25*time.Hour {
			t.Fatalf("no backup while the clock has not come to the one before: last at %v", s.Last())
		}
		name := "satellite-" + id.ID().Short() + "-" + s.Last().Format(archiveTime) + archiveSuffix
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("the backup just made was deleted as the oldest: %v", err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
			t.Errorf("%d files, %v", len(entries), err)
		}
	})
}

func TestCheckFindsUnknownNodes(t *testing.T) {
	t.Parallel()
	store, db, _ := fullStore(t)
	if err := Check(t.Context(), db, map[string]Checker{"fine": func(context.Context) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	wrong := errors.New("wrong")
	err := Check(t.Context(), db, map[string]Checker{"accounting": func(context.Context) error { return wrong }})
	if !errors.Is(err, wrong) || !strings.Contains(err.Error(), "accounting") {
		t.Errorf("%v", err)
	}
	err = store.Update(t.Context(), func(tx kv.Tx) error { return tx.Put([]byte("z/care/clock"), []byte{0xff}) })
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), db, nil); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("a damaged row: %v", err)
	}
}

// TestOverTheWire asks a satellite for a snapshot, as its owner and as a stranger.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	store, db, _ := fullStore(t)
	network := memnet.New(1)
	self, stranger := generate(t), generate(t)
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	reviver := NewReviver(ReviverOptions{DB: db})
	(&Server{
		Store: store, Clock: NewClock(ClockOptions{Store: store}), Reviver: reviver,
		Check: func(ctx context.Context) error { return errors.Join(errors.New("one"), errors.New("two")) },
	}).Register(server, self.ID())
	transport := network.Transport(self.ID())
	listener, err := transport.Listen()
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, func(ctx context.Context) error { return server.Serve(ctx, listener) })
	defer stop()
	url := netx.NodeURL{ID: self.ID(), Address: transport.Address()}
	client := func(from netx.Transport) *Client {
		pool := rpc.NewPool(from, rpc.PoolOptions{})
		t.Cleanup(func() { _ = pool.Close() })
		return NewClient(pool, url)
	}
	owner := client(transport)
	var got, want bytes.Buffer
	if err := owner.Dump(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Dump(t.Context(), store, &want); err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("another dump came over the wire: %v", err)
	}
	if found, err := owner.Check(t.Context()); err != nil || !slices.Equal(found, []string{"one", "two"}) {
		t.Errorf("%q, %v", found, err)
	}
	if status, err := owner.Status(t.Context()); err != nil || *status != (Status{}) {
		t.Errorf("%+v, %v", status, err)
	}
	if err := owner.ConfirmClock(t.Context()); err != nil {
		t.Error(err)
	}
	other := client(network.Transport(stranger.ID()))
	_, checkErr := other.Check(t.Context())
	_, statusErr := other.Status(t.Context())
	for _, err := range []error{other.Dump(t.Context(), io.Discard), checkErr, statusErr, other.ConfirmClock(t.Context())} {
		if !errors.Is(err, metainfo.ErrAdmin) {
			t.Errorf("a stranger asked: %v", err)
		}
	}
}

func generate(t *testing.T) *identity.Identity {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return id
}
