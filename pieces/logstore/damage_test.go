package logstore_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"storj/pieces"
	"storj/pieces/logstore"
	"storj/pieces/storetest"
)

// logFiles returns the logs of a directory, in order.
func logFiles(t *testing.T, dir string) (paths []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, logstore.LogsName, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

// damageFixture is a closed store with three pieces in one log; at are the offsets of their records.
type damageFixture struct {
	opts  logstore.Options
	log   string
	sizes [3]int64
	at    [3]int64
	end   int64

	faults int // that check is to find, beside damaged pieces
}

const headerLen = 100 // of FORMAT

func newDamageFixture(t *testing.T) *damageFixture {
	t.Helper()
	f := &damageFixture{opts: optionsFor(t, 1), sizes: [3]int64{70_000, 50_000, 5000}}
	f.opts.SkipSyncs()
	st := mustOpen(t, f.opts)
	for n, size := range f.sizes {
		f.at[n] = f.end
		o := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(n), Size: size}
		if err := storetest.Store(t.Context(), st, o, 50_000); err != nil {
			t.Fatal(err)
		}
		blocks := (size + 32<<10 - 1) / (32 << 10)
		f.end += headerLen + size + 4*blocks + 2 + int64(len(storetest.Proof(o.Piece))) + 4
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	f.log = logFiles(t, f.opts.Dirs[0].Path)[0]
	if info, err := os.Stat(f.log); err != nil || info.Size() != f.end {
		t.Fatalf("log: %v, want %d bytes", info, f.end)
	}
	return f
}

func (f *damageFixture) flip(t *testing.T, offset int64) {
	t.Helper()
	raw, err := os.ReadFile(f.log)
	if err != nil {
		t.Fatal(err)
	}
	raw[offset] ^= 0x10
	if err := os.WriteFile(f.log, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f *damageFixture) loseIndex(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(f.opts.Dirs[0].Path, logstore.IndexName)); err != nil {
		t.Fatal(err)
	}
}

// expect opens the store and compares what each piece answers; nil: its bytes.
func (f *damageFixture) expect(t *testing.T, want [3]error) {
	t.Helper()
	st := mustOpen(t, f.opts)
	defer func() { _ = st.Close() }()
	for n, size := range f.sizes {
		err := storetest.Verify(t.Context(), st, storetest.Satellite(0), storetest.PieceID(n), size)
		if !errors.Is(err, want[n]) {
			t.Errorf("piece %d: got %v, want %v", n, err, want[n])
		}
	}
	// The store works on.
	o := pieces.CreateOptions{Satellite: storetest.Satellite(1), Piece: storetest.PieceID(9), Size: 1000}
	if err := storetest.Store(t.Context(), st, o, 1000); err != nil {
		t.Error(err)
	}
	report, err := st.Check(t.Context())
	damaged := 0
	for _, w := range want {
		if w == pieces.ErrCorrupt {
			damaged++
		}
	}
	if err != nil || len(report.Damaged) != damaged || len(report.Faults) != f.faults {
		t.Errorf("check: %v, %+v; want %d damaged", err, report, damaged)
	}
}

func TestFlippedBits(t *testing.T) {
	t.Parallel()
	corrupt, gone := error(pieces.ErrCorrupt), error(pieces.ErrNotFound)
	one := [3]error{1: corrupt}
	tests := []struct {
		name    string
		flip    func(f *damageFixture) int64
		indexed [3]error // with the index
		rebuilt [3]error // when the index is lost too
	}{
		{"header", func(f *damageFixture) int64 { return f.at[1] + 70 }, [3]error{1: corrupt}, [3]error{1: gone}},
		{"mark", func(f *damageFixture) int64 { return f.at[1] }, [3]error{1: corrupt}, [3]error{1: gone}},
		{"body", func(f *damageFixture) int64 { return f.at[1] + headerLen + 40_000 }, one, one},
		{"block checksum", func(f *damageFixture) int64 { return f.at[1] + headerLen + 50_000 }, one, one},
		{"proof", func(f *damageFixture) int64 { return f.at[2] - 6 }, one, one},
		{"seal", func(f *damageFixture) int64 { return f.at[2] - 1 }, one, one},
		{"last seal", func(f *damageFixture) int64 { return f.end - 1 }, [3]error{2: corrupt}, [3]error{2: corrupt}},
		{"last header", func(f *damageFixture) int64 { return f.at[2] + 20 }, [3]error{2: corrupt}, [3]error{2: gone}},
		{"first header", func(f *damageFixture) int64 { return 15 }, [3]error{0: corrupt}, [3]error{0: gone}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newDamageFixture(t)
			f.flip(t, test.flip(f))
			f.expect(t, test.indexed)
			f = newDamageFixture(t)
			f.flip(t, test.flip(f))
			f.loseIndex(t)
			f.expect(t, test.rebuilt)
		})
	}
}

// TestTornTail cuts the log at many places, with an index that knows nothing of the last record. The others stay, and
// the tail is cut off so that new records follow the old ones.
func TestTornTail(t *testing.T) {
	t.Parallel()
	f := newDamageFixture(t)
	index := filepath.Join(f.opts.Dirs[0].Path, logstore.IndexName)
	st := mustOpen(t, f.opts)
	known, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	o := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(5), Size: 40_000}
	if err := storetest.Store(t.Context(), st, o, 40_000); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(f.log)
	if err != nil {
		t.Fatal(err)
	}
	cuts := []int64{1, 50, 99, 100, 101, 20_000, 40_100, 40_105, int64(len(whole)) - f.end - 1, int64(len(whole)) - f.end}
	for _, cut := range cuts {
		for _, zeros := range []int{0, 5000} { // a power cut may leave length without content
			torn := append(bytes.Clone(whole[:f.end+cut]), make([]byte, zeros)...)
			if err := errors.Join(os.WriteFile(f.log, torn, 0o600), os.WriteFile(index, known, 0o600)); err != nil {
				t.Fatal(err)
			}
			f.expect(t, [3]error{})
			info, err := os.Stat(f.log)
			complete := f.end+cut == int64(len(whole))
			if st := mustOpen(t, f.opts); st != nil {
				err = errors.Join(err, storetest.Verify(t.Context(), st, o.Satellite, o.Piece, o.Size), st.Close())
			}
			if complete && err != nil || !complete && !errors.Is(err, pieces.ErrNotFound) {
				t.Errorf("cut at %d: last piece: %v", cut, err)
			}
			if want := f.end + 2000; !complete && info.Size() > want {
				t.Errorf("cut at %d: log has %d bytes, want at most %d", cut, info.Size(), want)
			}
		}
	}
}

func TestIndexDamaged(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "not a database", strings.Repeat("\xff", 1<<16)} {
		f := newDamageFixture(t)
		path := filepath.Join(f.opts.Dirs[0].Path, logstore.IndexName)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f.expect(t, [3]error{})
	}
}

func TestIndexOfAnotherStore(t *testing.T) {
	t.Parallel()
	f, other := newDamageFixture(t), newDamageFixture(t)
	raw, err := os.ReadFile(filepath.Join(other.opts.Dirs[0].Path, logstore.IndexName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.opts.Dirs[0].Path, logstore.IndexName), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	f.expect(t, [3]error{})
}

// TestForgedRecord stores a piece whose bytes are the log of another piece, damages what stands before it, and
// rebuilds: the bytes of a piece must never be taken for records.
func TestForgedRecord(t *testing.T) {
	t.Parallel()
	f := newDamageFixture(t)
	forged, err := os.ReadFile(f.log)
	if err != nil {
		t.Fatal(err)
	}
	opts := optionsFor(t, 1)
	st := mustOpen(t, opts)
	w, err := st.Create(t.Context(), pieces.CreateOptions{Piece: storetest.PieceID(50), Size: int64(len(forged))})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(forged)
	if err := errors.Join(w.Commit(t.Context(), nil), st.Close()); err != nil {
		t.Fatal(err)
	}
	path := opts.Dirs[0].Path
	log := logFiles(t, path)[0]
	raw, _ := os.ReadFile(log)
	raw[3] ^= 1
	if err := errors.Join(os.WriteFile(log, raw, 0o600), os.Remove(filepath.Join(path, logstore.IndexName))); err != nil {
		t.Fatal(err)
	}
	st = mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	if usage := st.Usage(); len(usage) != 0 {
		t.Fatalf("the forged records became pieces: %v", usage)
	}
}

func TestLogMissing(t *testing.T) {
	t.Parallel()
	f := newDamageFixture(t)
	if err := os.Remove(f.log); err != nil {
		t.Fatal(err)
	}
	f.faults = 1
	c := error(pieces.ErrCorrupt)
	f.expect(t, [3]error{c, c, c})
}

func TestRebuildAndDump(t *testing.T) {
	t.Parallel()
	f := newDamageFixture(t)
	st := mustOpen(t, f.opts)
	if err := logstore.Rebuild(t.Context(), f.opts); !errors.Is(err, logstore.ErrLocked) {
		t.Fatalf("rebuild of an open store: %v", err)
	}
	ids := []pieces.PieceID{storetest.PieceID(0)}
	if err := errors.Join(st.Trash(t.Context(), storetest.Satellite(0), ids, fixtureTime), st.Close()); err != nil {
		t.Fatal(err)
	}
	if err := logstore.Rebuild(t.Context(), f.opts); err != nil {
		t.Fatal(err)
	}
	f.expect(t, [3]error{})
	f.flip(t, f.at[1])
	var out strings.Builder
	if err := logstore.Dump(t.Context(), &out, f.opts.Dirs[0].Path); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	wants := []string{
		storetest.PieceID(0).String(), storetest.PieceID(2).String(), "damaged 50", "trash ", "1 items",
	}
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("dump has no %q:\n%s", want, text)
		}
	}
	if err := logstore.Dump(t.Context(), io.Discard, t.TempDir()); !errors.Is(err, logstore.ErrNoMarker) {
		t.Errorf("dump of nothing: %v", err)
	}
}
