package storetest

import (
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"storj/pieces"
)

func testTrash(t *testing.T, st pieces.Store) {
	ctx, sat := t.Context(), Satellite(0)
	day := func(n int) time.Time { return time.Unix(int64(n)*86400, 0).UTC() }
	for i := range 6 {
		mustStore(t, st, pieces.CreateOptions{Satellite: sat, Piece: PieceID(i), Size: 1000})
	}
	mustStore(t, st, pieces.CreateOptions{Satellite: Satellite(1), Piece: PieceID(0), Size: 1000})
	for i := range 4 { // pieces 0..3 on days 1..4; one unknown with each
		err := st.Trash(ctx, sat, []pieces.PieceID{PieceID(i), PieceID(100 + i)}, day(i+1))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Trash(ctx, sat, []pieces.PieceID{PieceID(0)}, day(9)); err != nil { // keeps its first date
		t.Fatal(err)
	}
	wantUsage(t, st, sat, pieces.Usage{Pieces: 2, Bytes: 2000, TrashPieces: 4, TrashBytes: 4000})
	mustVerify(t, st, sat, PieceID(2), 1000)
	r, err := st.Open(ctx, sat, PieceID(2))
	if err != nil || !r.Info().Trashed.Equal(day(3)) {
		t.Fatalf("open in trash: %v", err)
	}
	_ = r.Close()
	_, err = st.Create(ctx, pieces.CreateOptions{Satellite: sat, Piece: PieceID(2), Size: 1})
	wantErr(t, "create over the trash", err, pieces.ErrExists)
	if st.Space().Trash < 4000 {
		t.Fatalf("space: %+v", st.Space())
	}
	wantCount := func(what string, want int64) func(int64, error) {
		return func(got int64, err error) {
			t.Helper()
			if got != want || err != nil {
				t.Fatalf("%s: got %d, %v; want %d", what, got, err, want)
			}
		}
	}
	wantCount("empty before day 2", 1)(st.EmptyTrash(ctx, sat, day(2)))
	wantCount("empty it again", 0)(st.EmptyTrash(ctx, sat, day(2)))
	wantCount("restore since day 3", 2)(st.Restore(ctx, sat, day(3)))
	wantCount("restore of another satellite", 0)(st.Restore(ctx, Satellite(1), day(0)))
	wantUsage(t, st, sat, pieces.Usage{Pieces: 4, Bytes: 4000, TrashPieces: 1, TrashBytes: 1000})
	wantUsage(t, st, Satellite(1), pieces.Usage{Pieces: 1, Bytes: 1000})
	_, err = st.Open(ctx, sat, PieceID(0))
	wantErr(t, "open what was emptied", err, pieces.ErrNotFound)
	mustStore(t, st, pieces.CreateOptions{Satellite: sat, Piece: PieceID(0), Size: 50})
	mustVerify(t, st, sat, PieceID(0), 50)
	mustCheck(t, st, 7)
}

func testExpiry(t *testing.T, st pieces.Store) {
	ctx, sat := t.Context(), Satellite(0)
	base := second(time.Now()).Add(time.Hour)
	for i := range 10 {
		expires := base.Add(time.Duration(i) * 12 * time.Hour)
		mustStore(t, st, pieces.CreateOptions{Satellite: sat, Piece: PieceID(i), Size: int64(1 + i*50_000), Expires: expires})
	}
	mustStore(t, st, pieces.CreateOptions{Satellite: sat, Piece: PieceID(50), Size: 1})
	r, err := st.Open(ctx, sat, PieceID(3))
	if err != nil || !r.Info().Expires.Equal(base.Add(36*time.Hour)) {
		t.Fatalf("open: %v", err)
	}
	_ = r.Close()
	if err := st.Trash(ctx, sat, []pieces.PieceID{PieceID(1)}, base); err != nil {
		t.Fatal(err)
	}
	left := int64(11)
	for _, step := range []struct {
		after time.Duration
		want  int64
	}{{0, 0}, {time.Second, 1}, {37 * time.Hour, 3}, {37 * time.Hour, 0}, {1000 * time.Hour, 6}} {
		n, err := st.DeleteExpired(ctx, base.Add(step.after))
		if n != step.want || err != nil {
			t.Fatalf("expired after %v: %d, %v; want %d", step.after, n, err, step.want)
		}
		left -= n
		mustCheck(t, st, left)
	}
	wantUsage(t, st, sat, pieces.Usage{Pieces: 1, Bytes: 1})
	_, err = st.Open(ctx, sat, PieceID(3))
	wantErr(t, "open expired", err, pieces.ErrNotFound)
}

func testDeletedWhileOpen(t *testing.T, st pieces.Store) {
	ctx, sat := t.Context(), Satellite(0)
	for i, size := range []int64{5000, 1 << 20} {
		id := PieceID(i)
		mustStore(t, st, pieces.CreateOptions{Satellite: sat, Piece: id, Size: size})
		r, err := st.Open(ctx, sat, id)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Trash(ctx, sat, []pieces.PieceID{id}, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if n, err := st.EmptyTrash(ctx, sat, time.Unix(100, 0)); n != 1 || err != nil {
			t.Fatalf("empty: %d, %v", n, err)
		}
		if _, err := st.Check(ctx); err != nil { // a chance to free the space
			t.Fatal(err)
		}
		checkRange(t, r, Body(id, size), 0, int(size))
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func testList(t *testing.T, st pieces.Store) {
	ctx, sat := t.Context(), Satellite(0)
	want := map[pieces.PieceID]int64{}
	for i := range 300 {
		mustStore(t, st, pieces.CreateOptions{Satellite: sat, Piece: PieceID(i), Size: int64(i)})
		want[PieceID(i)] = int64(i)
	}
	mustStore(t, st, pieces.CreateOptions{Satellite: Satellite(1), Piece: PieceID(1000), Size: 1})
	err := st.Pieces(ctx, sat, func(info pieces.Info) error {
		if size, ok := want[info.Piece]; !ok || size != info.Size || info.Created.IsZero() {
			t.Errorf("listed %+v", info)
		}
		delete(want, info.Piece)
		return st.Trash(ctx, sat, []pieces.PieceID{info.Piece}, time.Unix(1, 0)) // fn may call the store
	})
	if err != nil || len(want) != 0 {
		t.Fatalf("list: %v, %d not seen", err, len(want))
	}
	stop := errors.New("stop")
	calls := 0
	err = st.Pieces(ctx, sat, func(pieces.Info) error { calls++; return stop })
	if wantErr(t, "list with a failing fn", err, stop); calls != 1 {
		t.Fatalf("fn was called %d times", calls)
	}
	if err := st.Pieces(ctx, Satellite(7), func(pieces.Info) error { return stop }); err != nil {
		t.Fatalf("list of nobody: %v", err)
	}
}

func testConcurrent(t *testing.T, st pieces.Store) {
	const workers, each = 16, 20
	ctx := t.Context()
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := range each {
				n := w*each + i
				id, size := PieceID(n), int64(n*700)
				opts := pieces.CreateOptions{Satellite: Satellite(n % 3), Piece: id, Size: size}
				if err := Store(ctx, st, opts, 50_000); err != nil {
					t.Errorf("store: %v", err)
					return
				}
				if err := Verify(ctx, st, opts.Satellite, id, size); err != nil {
					t.Errorf("verify: %v", err)
				}
				if n%4 == 0 {
					if err := st.Trash(ctx, opts.Satellite, []pieces.PieceID{id}, time.Unix(int64(n), 0)); err != nil {
						t.Errorf("trash: %v", err)
					}
				}
			}
		})
	}
	group.Wait()
	mustCheck(t, st, workers*each)
	var sum pieces.Usage
	for _, u := range st.Usage() {
		sum.Pieces += u.Pieces
		sum.TrashPieces += u.TrashPieces
	}
	if sum.TrashPieces != workers*each/4 || sum.Pieces != workers*each*3/4 {
		t.Fatalf("usage: %+v", sum)
	}
}

func testClose(t *testing.T, st pieces.Store) {
	ctx, sat := t.Context(), Satellite(0)
	mustStore(t, st, pieces.CreateOptions{Satellite: sat, Piece: PieceID(1), Size: 200_000})
	r, err := st.Open(ctx, sat, PieceID(1))
	if err != nil {
		t.Fatal(err)
	}
	w, err := st.Create(ctx, pieces.CreateOptions{Satellite: sat, Piece: PieceID(2), Size: 200_000})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(make([]byte, 150_000))
	if err := errors.Join(st.Close(), st.Close()); err != nil {
		t.Fatalf("close twice: %v", err)
	}
	_, err = w.Write(make([]byte, 1))
	wantErr(t, "write", err, pieces.ErrStoreClosed)
	wantErr(t, "commit", w.Commit(ctx, nil), pieces.ErrStoreClosed)
	if err := w.Cancel(); err != nil {
		t.Fatalf("cancel after close: %v", err)
	}
	_, err = r.ReadAt(make([]byte, 10), 0)
	wantErr(t, "read", err, pieces.ErrStoreClosed)
	_, err = io.ReadAll(io.NewSectionReader(r, 0, 10))
	wantErr(t, "read all", err, pieces.ErrStoreClosed)
	if err := r.Close(); err != nil {
		t.Fatalf("close reader: %v", err)
	}
	_, err = st.Open(ctx, sat, PieceID(1))
	wantErr(t, "open", err, pieces.ErrStoreClosed)
	_, err = st.Create(ctx, pieces.CreateOptions{Satellite: sat, Piece: PieceID(3)})
	wantErr(t, "create", err, pieces.ErrStoreClosed)
	wantErr(t, "trash", st.Trash(ctx, sat, nil, time.Now()), pieces.ErrStoreClosed)
	_, err = st.EmptyTrash(ctx, sat, time.Now())
	wantErr(t, "empty trash", err, pieces.ErrStoreClosed)
	_, err = st.Restore(ctx, sat, time.Now())
	wantErr(t, "restore", err, pieces.ErrStoreClosed)
	_, err = st.DeleteExpired(ctx, time.Now())
	wantErr(t, "delete expired", err, pieces.ErrStoreClosed)
	_, err = st.Check(ctx)
	wantErr(t, "check", err, pieces.ErrStoreClosed)
	wantErr(t, "list", st.Pieces(ctx, sat, func(pieces.Info) error { return nil }), pieces.ErrStoreClosed)
}
