package orderlog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"storj/ecenc"
	"storj/netx"
	"storj/pieces"
)

var update = flag.Bool("update", false, "rewrite golden files")

var sat, node = netx.NodeID{1, 's'}, netx.NodeID{2, 'n'}

// world is a log with a clock of its own.
type world struct {
	t   *testing.T
	dir string
	now time.Time
	log *Log
	n   byte // orders made
}

func newWorld(t *testing.T, dir string) *world {
	t.Helper()
	w := &world{t: t, dir: dir, now: time.Date(2026, 11, 22, 10, 20, 0, 0, time.UTC)}
	w.open(nil)
	return w
}

func (w *world) open(used func(netx.NodeID, pieces.SerialNumber)) {
	w.t.Helper()
	log, err := Open(Options{Dir: w.dir, Used: used, Now: func() time.Time { return w.now }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.log = log
	w.t.Cleanup(func() { _ = log.Close() }) // best effort: again at the end
}

// append makes an order for amount bytes under a limit made at an instant.
func (w *world) append(created time.Time, amount int64) pieces.SerialNumber {
	w.n++
	expires := created.Add(time.Hour).Truncate(time.Second)
	limit := pieces.OrderLimit{
		Satellite: sat, Node: node, Piece: pieces.PieceID{w.n}, Action: pieces.ActionGet, Limit: 1 << 20, Created: created,
		Expires: expires, Serial: pieces.SerialNumber{0: 1, 15: w.n},
	}
	signed := limit.Sign(pieces.DeriveNodeKey(ecenc.Key{1}, node, 3))
	w.log.Append(&limit, &signed, &pieces.Order{Serial: limit.Serial, Amount: amount})
	return limit.Serial
}

func (w *world) ready() []Part {
	w.t.Helper()
	parts, err := w.log.Ready()
	if err != nil {
		w.t.Fatal(err)
	}
	return parts
}

func (w *world) batches(p Part) (list []Batch) {
	w.t.Helper()
	if err := w.log.Batches(p, func(b Batch) error { list = append(list, b); return nil }); err != nil {
		w.t.Fatal(err)
	}
	return list
}

func eachKind(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("disk", func(t *testing.T) { t.Parallel(); f(t, newWorld(t, filepath.Join(t.TempDir(), "orders"))) })
	t.Run("memory", func(t *testing.T) { t.Parallel(); f(t, newWorld(t, "")) })
}

func TestWindows(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, w *world) {
		w.append(w.now, 100)
		w.append(w.now.Add(30*time.Minute), 200)
		w.append(w.now.Add(50*time.Minute), 400) // the next window
		if parts := w.ready(); len(parts) != 0 {
			t.Fatalf("ready at once: %+v", parts)
		}
		if sum := w.log.Unsettled()[sat]; sum != (Sum{Orders: 3, Bytes: 700}) {
			t.Fatalf("unsettled %+v", sum)
		}
		w.now = time.Date(2026, 11, 22, 12, 31, 0, 0, time.UTC)
		parts := w.ready()
		want := Part{Satellite: sat, Window: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Orders: 2, Bytes: 300}
		if len(parts) != 1 || parts[0] != want {
			t.Fatalf("ready %+v, want %+v", parts, want)
		}
		batches := w.batches(parts[0])
		if len(batches) != 1 || len(batches[0].Orders) != 2 || batches[0].Orders[1].Order.Amount != 200 {
			t.Fatalf("batches %+v", batches)
		}
		if err := errors.Join(w.log.Settled(parts[0]), w.log.Settled(parts[0]), w.log.Prune()); err != nil {
			t.Fatal(err)
		}
		if sum := w.log.Unsettled()[sat]; sum != (Sum{Orders: 1, Bytes: 400}) || len(w.ready()) != 0 {
			t.Fatalf("unsettled then %+v", sum)
		}
	})
}

func TestManyBatches(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, w *world) {
		const count = 2*pieces.MaxSettle + 7
		for range count {
			w.append(w.now, 1)
		}
		w.now = w.now.Add(24 * time.Hour)
		part := w.ready()[0]
		first, again := w.batches(part), w.batches(part)
		if len(first) != 3 || first[2].Number != 2 || len(first[2].Orders) != 7 || !reflect.DeepEqual(first, again) {
			t.Fatalf("%d batches", len(first))
		}
		// An order that comes late makes a part whose numbers go on.
		w.append(w.now.Add(-24*time.Hour), 5)
		parts := w.ready()
		if len(parts) != 2 || parts[1].First != 3 || w.batches(parts[1])[0].Number != 3 {
			t.Fatalf("late order: %+v", parts)
		}
		stop := errors.New("stop")
		if err := w.log.Batches(part, func(Batch) error { return stop }); !errors.Is(err, stop) {
			t.Fatalf("batches did not stop: %v", err)
		}
	})
}

// TestRestart opens the log again at every state of a window, and finds serials, batches and numbers as they were.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir())
	created := w.now
	serial := w.append(created, 9)
	used := map[pieces.SerialNumber]int{}
	note := func(id netx.NodeID, s pieces.SerialNumber) {
		if id == sat {
			used[s]++
		}
	}
	w.open(note)
	if used[serial] != 1 || w.log.Unsettled()[sat].Orders != 1 {
		t.Fatalf("after a restart: %v", used)
	}
	w.append(created, 10)
	w.now = w.now.Add(4 * time.Hour)
	before := w.batches(w.ready()[0])
	clear(used)
	w.open(note)
	if len(used) != 0 {
		t.Fatalf("expired serials: %v", used)
	}
	parts := w.ready()
	if after := w.batches(parts[0]); !reflect.DeepEqual(before, after) {
		t.Fatalf("batches changed: %+v, %+v", before, after)
	}
	if err := w.log.Settled(parts[0]); err != nil {
		t.Fatal(err)
	}
	w.open(note)
	if len(w.ready()) != 0 {
		t.Fatal("settled orders are back")
	}
	w.append(created, 11)
	if parts := w.ready(); len(parts) != 1 || parts[0].First != 1 {
		t.Fatalf("numbers after settled parts: %+v", parts)
	}
	w.now = w.now.Add(keptFor + 2*time.Hour)
	if err := w.log.Prune(); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(w.dir, "*", "*"+settledSuffix)); len(files) != 0 {
		t.Fatalf("kept %v", files)
	}
	if err := w.log.Drop(sat); err != nil || len(w.log.Unsettled()) != 0 || len(w.ready()) != 0 {
		t.Fatalf("dropped: %v", err)
	}
}

// TestTornTail cuts the file at every length: whole records stay, and the next is appended behind them.
func TestTornTail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir())
	created := w.now
	for range 3 {
		w.append(created, 7)
	}
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Glob(filepath.Join(w.dir, "*", "*"+openSuffix))
	if err != nil || len(path) != 1 {
		t.Fatal(path, err)
	}
	whole, err := os.ReadFile(path[0])
	if err != nil {
		t.Fatal(err)
	}
	record := len(whole) / 3
	for cut := 0; cut <= len(whole); cut += 13 {
		if err := os.WriteFile(path[0], whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		w.open(nil)
		want := int64(cut / record)
		if got := w.log.Unsettled()[sat].Orders; got != want {
			t.Fatalf("cut at %d: %d orders, want %d", cut, got, want)
		}
		w.append(created, 8)
		if err := w.log.Close(); err != nil {
			t.Fatal(err)
		}
		w.open(nil)
		if got := w.log.Unsettled()[sat].Orders; got != want+1 {
			t.Fatalf("cut at %d and appended: %d orders, want %d", cut, got, want+1)
		}
		if err := w.log.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRunSyncs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, err := Open(Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- log.Run(t.Context()) }()
		w := &world{t: t, log: log}
		w.append(time.Now(), 1)
		synctest.Wait()
		time.Sleep(2 * syncDelay)
		synctest.Wait()
		log.mu.Lock()
		waiting := len(log.unsync)
		log.mu.Unlock()
		if waiting != 0 || log.Lost() != 0 {
			t.Errorf("%d files not synced", waiting)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.log.sums[sat] = Sum{disk: maxBytes}
	w.append(w.now, 1)
	if w.log.Lost() != 1 || w.log.Unsettled()[sat].Orders != 0 {
		t.Fatal("an order over the bound was kept")
	}
}

// TestGolden holds the format of a record.
func TestGolden(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.append(w.now, 4096)
	for _, p := range w.log.parts {
		path := filepath.Join("testdata", "record.hex")
		if *update {
			if err := os.WriteFile(path, []byte(hex.EncodeToString(p.memory)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(p.memory); got != strings.TrimSpace(string(want)) {
			t.Fatalf("format changed:\n got %s\nwant %s", got, want)
		}
		for i := range p.memory {
			bad := bytes.Clone(p.memory)
			bad[i] ^= 1
			if _, _, err := readRecord(bytes.NewReader(bad)); !errors.Is(err, errRecord) {
				t.Fatalf("byte %d altered: %v", i, err)
			}
		}
	}
}

func FuzzReadRecord(f *testing.F) {
	f.Add(appendRecord(nil, &pieces.SettledOrder{Order: pieces.Order{Amount: 3}}))
	f.Add([]byte{0, 0, 4, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		order, n, err := readRecord(bytes.NewReader(raw))
		if err != nil {
			if !errors.Is(err, errRecord) && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(appendRecord(nil, &order), raw[:n]) {
			t.Fatal("another encoding of the same record")
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	log, err := Open(Options{Dir: b.TempDir(), NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	limit := pieces.OrderLimit{Satellite: sat, Node: node, Created: time.Now(), Expires: time.Now().Add(time.Hour)}
	signed := limit.Sign(pieces.NodeKey{})
	b.ReportAllocs()
	for b.Loop() {
		log.Append(&limit, &signed, &pieces.Order{Amount: 1})
	}
	if err := log.Close(); err != nil {
		b.Fatal(err)
	}
}
