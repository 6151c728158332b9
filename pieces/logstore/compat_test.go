package logstore_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"storj/pieces"
	"storj/pieces/logstore"
	"storj/pieces/storetest"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestVersion1 reads a store that the first version wrote, from its logs alone. The files in testdata/v1 stay as they
// are for good.
func TestVersion1(t *testing.T) {
	t.Parallel()
	const golden = "testdata/v1"
	path := t.TempDir()
	opts := logstore.Options{Reserve: -1, Dirs: []logstore.Dir{{Path: path}}}
	if *update {
		writeVersion1(t, golden)
	}
	if err := os.CopyFS(path, os.DirFS(golden)); err != nil {
		t.Fatal(err)
	}
	st := mustOpen(t, opts)
	defer func() { _ = st.Close() }()
	usage := st.Usage()[storetest.Satellite(0)]
	if want := (pieces.Usage{Pieces: 4, Bytes: 1200, TrashPieces: 1, TrashBytes: 200}); usage != want {
		t.Fatalf("usage: got %+v, want %+v", usage, want)
	}
	for _, n := range []int{0, 2, 3, 4, 5} {
		if err := verifyN(t, st, n, int64(n*100)); err != nil {
			t.Errorf("piece %d: %v", n, err)
		}
	}
	if report, err := st.Check(t.Context()); err != nil || !report.OK() || report.Pieces != 5 {
		t.Fatalf("check: %v, %+v", err, report)
	}
	if n, err := st.DeleteExpired(t.Context(), time.Unix(3_000_000_001, 0)); n != 1 || err != nil {
		t.Fatalf("expired: %d, %v", n, err)
	}
}

// writeVersion1 leaves every kind of record: piece 0 was moved by compaction, 1 is deleted, 2 in the trash, 3 was
// restored, 4 expires.
func writeVersion1(t *testing.T, golden string) {
	t.Helper()
	path := t.TempDir()
	opts := logstore.Options{Reserve: -1, Setup: true, Dirs: []logstore.Dir{{Path: path}}}
	opts.SetLogSize(300)
	st := mustOpen(t, opts)
	ctx, sat := t.Context(), storetest.Satellite(0)
	for n := range 6 {
		var expires time.Time
		if n == 4 {
			expires = time.Unix(3_000_000_000, 0)
		}
		storeN(t, st, n, int64(n*100), expires)
	}
	trash := func(at int64, ids ...int) {
		for _, n := range ids {
			if err := st.Trash(ctx, sat, []pieces.PieceID{storetest.PieceID(n)}, time.Unix(at, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	trash(1000, 1)
	if n, err := st.EmptyTrash(ctx, sat, time.Unix(1001, 0)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	trash(2000, 3)
	if n, err := st.Restore(ctx, sat, time.Unix(2000, 0)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	trash(3000, 2)
	if _, err := st.Compact(ctx, 0.99); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(golden); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"index.db", "lock"} {
		if err := os.Remove(filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(golden, os.DirFS(path)); err != nil {
		t.Fatal(err)
	}
}
