package logstore

import (
	"errors"
	"os"
	"testing"
	"time"

	"storj/pieces"
	"storj/pieces/storetest"
)

// TestCopyNotAdopted crashes compaction between copy and journal, after the piece that was copied is deleted: it must
// not come back with the copy, neither by the index nor without it.
func TestCopyNotAdopted(t *testing.T) {
	t.Parallel()
	ctx, sat := t.Context(), storetest.Satellite(0)
	opts := Options{Reserve: -1, Setup: true, logSize: 1000, Dirs: []Dir{{Path: t.TempDir()}}}
	st, err := Open(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	for n := range 3 {
		o := pieces.CreateOptions{Satellite: sat, Piece: storetest.PieceID(n), Size: 2000}
		if err := storetest.Store(ctx, st, o, 2000); err != nil {
			t.Fatal(err)
		}
	}
	d := st.list()[0]
	if err := d.flush(); err != nil {
		t.Fatal(err)
	}
	copyFirst(t, d)
	if err := st.Trash(ctx, sat, []pieces.PieceID{storetest.PieceID(0)}, time.Unix(5, 0)); err != nil {
		t.Fatal(err)
	}
	if n, err := st.EmptyTrash(ctx, sat, time.Unix(6, 0)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	for _, lost := range []bool{false, true} {
		crashed := opts
		crashed.Dirs = []Dir{{Path: t.TempDir()}}
		if err := os.CopyFS(crashed.Dirs[0].Path, os.DirFS(opts.Dirs[0].Path)); err != nil {
			t.Fatal(err)
		}
		if lost {
			if err := os.Remove(crashed.Dirs[0].Path + "/" + indexName); err != nil {
				t.Fatal(err)
			}
		}
		after, err := Open(ctx, crashed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := after.Open(ctx, sat, storetest.PieceID(0)); !errors.Is(err, pieces.ErrNotFound) {
			t.Errorf("index lost %v: deleted piece: %v", lost, err)
		}
		report, err := after.Check(ctx)
		if err := errors.Join(err, after.Close()); err != nil || !report.OK() || report.Pieces != 2 {
			t.Errorf("index lost %v: check: %v, %+v", lost, err, report)
		}
	}
}

// copyFirst does the first half of the compaction of log 1.
func copyFirst(t *testing.T, d *dir) {
	t.Helper()
	l := d.logs[1]
	f, err := d.acquire(l)
	if err != nil {
		t.Fatal(err)
	}
	defer d.release(l)
	from := source{&scanner{file: f, mark: syncOf(d.id, l.num), end: l.committed, verify: true}, l}
	batch, err := d.nextMoves(from)
	if err != nil || len(batch) != 1 {
		t.Fatal(len(batch), err)
	}
	target, tf, err := d.lease(l.class)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.copyRecord(f, tf, batch[0], syncOf(d.id, target.num), target.committed); err != nil {
		t.Fatal(err)
	}
}
