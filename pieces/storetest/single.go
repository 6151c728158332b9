package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"storj/pieces"
)

// sizes cross the borders that stores have: nothing, one block, small and large, odd ends.
var sizes = [...]int64{0, 1, 4096, 32<<10 - 1, 32 << 10, 32<<10 + 1, 128 << 10, 128<<10 + 1, 1<<20 + 7, 3 << 20}

func testRoundTrip(t *testing.T, st pieces.Store) {
	sat := Satellite(0)
	before := second(time.Now())
	var total int64
	for i, size := range sizes {
		for j, chunk := range []int{1000, 32 << 10, 256 << 10, 4 << 20} {
			id := PieceID(i*10 + j)
			opts := pieces.CreateOptions{Satellite: sat, Piece: id, Size: size}
			if err := Store(t.Context(), st, opts, chunk); err != nil {
				t.Fatalf("store %d bytes by %d: %v", size, chunk, err)
			}
			mustVerify(t, st, sat, id, size)
			total += size
		}
	}
	count := int64(len(sizes) * 4)
	wantUsage(t, st, sat, pieces.Usage{Pieces: count, Bytes: total})
	r, err := st.Open(t.Context(), sat, PieceID(0))
	if err != nil {
		t.Fatal(err)
	}
	info := r.Info()
	if info.Created.Before(before) || info.Created.After(time.Now()) || !info.Expires.IsZero() || !info.Trashed.IsZero() {
		t.Fatalf("info: %+v", info)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	mustCheck(t, st, count)
}

func testRanges(t *testing.T, st pieces.Store) {
	sat, ctx := Satellite(0), t.Context()
	for i, size := range []int64{1, 5000, 32 << 10, 100_000, 200_001, 1 << 20} {
		id := PieceID(i)
		mustStore(t, st, pieces.CreateOptions{Satellite: sat, Piece: id, Size: size})
		r, err := st.Open(ctx, sat, id)
		if err != nil {
			t.Fatal(err)
		}
		body := Body(id, size)
		for _, off := range []int64{0, 1, 4095, 32<<10 - 1, 32 << 10, 64<<10 + 1, size - 1, size, size + 1} {
			for _, n := range []int{0, 1, 100, 32 << 10, 64 << 10, 100_000} {
				checkRange(t, r, body, off, n)
			}
		}
		if _, err := r.ReadAt(make([]byte, 1), -1); !errors.Is(err, pieces.ErrRange) {
			t.Fatalf("read at -1: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func checkRange(t *testing.T, r io.ReaderAt, body []byte, off int64, n int) {
	t.Helper()
	p := make([]byte, n)
	got, err := r.ReadAt(p, off)
	var want []byte
	if off < int64(len(body)) {
		want = body[off:min(off+int64(n), int64(len(body)))]
	}
	if !bytes.Equal(p[:got], want) {
		t.Fatalf("read %d at %d of %d: wrong bytes (%d, %v)", n, off, len(body), got, err)
	}
	if short := got < n; short != (err == io.EOF) && n > 0 || err != nil && err != io.EOF {
		t.Fatalf("read %d at %d of %d: %d, %v", n, off, len(body), got, err)
	}
}

func testWriterRules(t *testing.T, st pieces.Store) {
	sat, ctx := Satellite(0), t.Context()
	for _, size := range []int64{10, 300_000} {
		id := PieceID(int(size))
		body := Body(id, size)
		opts := pieces.CreateOptions{Satellite: sat, Piece: id, Size: size}
		create := func() pieces.Writer {
			t.Helper()
			w, err := st.Create(ctx, opts)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		w := create()
		if _, err := w.Write(body[:size-1]); err != nil {
			t.Fatal(err)
		}
		_, err := w.Write(body[:2])
		wantErr(t, "write past the end", err, pieces.ErrMalformed)
		wantErr(t, "commit of too few", w.Commit(ctx, nil), pieces.ErrMalformed)

		w = create()
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "large proof", w.Commit(ctx, make([]byte, pieces.MaxProofSize+1)), pieces.ErrMalformed)

		w = create()
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		_, _ = w.Write(body)
		wantErr(t, "commit after cancel", w.Commit(cancelled, nil), context.Canceled)

		w = create()
		_, _ = w.Write(body[:size/2])
		if err := errors.Join(w.Cancel(), w.Cancel()); err != nil {
			t.Fatalf("cancel twice: %v", err)
		}
		if _, err := w.Write(body[:1]); err == nil {
			t.Fatal("write after cancel: no error")
		}
		if err := w.Commit(ctx, nil); err == nil {
			t.Fatal("commit after cancel: no error")
		}
		_, err = st.Open(ctx, sat, id)
		wantErr(t, "open what was not committed", err, pieces.ErrNotFound)
		wantUsage(t, st, sat, pieces.Usage{})

		mustStore(t, st, opts)
		mustVerify(t, st, sat, id, size)
		if err := st.Trash(ctx, sat, []pieces.PieceID{id}, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if n, err := st.EmptyTrash(ctx, sat, time.Unix(2, 0)); n != 1 || err != nil {
			t.Fatalf("empty trash: %d, %v", n, err)
		}
	}
	mustCheck(t, st, 0)
}

func testCreateRules(t *testing.T, st pieces.Store) {
	sat, ctx := Satellite(0), t.Context()
	for _, size := range []int64{-1, pieces.MaxPieceSize + 1, 1 << 62} {
		_, err := st.Create(ctx, pieces.CreateOptions{Satellite: sat, Piece: PieceID(1), Size: size})
		wantErr(t, "create with impossible size", err, pieces.ErrMalformed)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := st.Create(cancelled, pieces.CreateOptions{Satellite: sat, Piece: PieceID(1)}); err == nil {
		t.Fatal("create with an ended context: no error")
	}
	_, err := st.Open(ctx, sat, PieceID(1))
	wantErr(t, "open unknown", err, pieces.ErrNotFound)
	if usage := st.Usage(); len(usage) != 0 {
		t.Fatalf("usage of an empty store: %v", usage)
	}
	w, err := st.Create(ctx, pieces.CreateOptions{Satellite: sat, Piece: PieceID(2), Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte{1})
	if err := errors.Join(w.Commit(ctx, nil), w.Cancel()); err != nil {
		t.Fatalf("cancel after commit: %v", err)
	}
	r, err := st.Open(ctx, sat, PieceID(2))
	if err != nil {
		t.Fatal(err)
	}
	if proof, err := r.Proof(); len(proof) != 0 || err != nil {
		t.Fatalf("empty proof: %v, %v", proof, err)
	}
	_ = r.Close()
}

func testTwice(t *testing.T, st pieces.Store) {
	ctx := t.Context()
	for _, size := range []int64{100, 200_000} {
		opts := pieces.CreateOptions{Satellite: Satellite(0), Piece: PieceID(int(size)), Size: size}
		first, err := st.Create(ctx, opts)
		if err != nil {
			t.Fatal(err)
		}
		second, err := st.Create(ctx, opts)
		if err != nil {
			t.Fatalf("create beside an open writer: %v", err)
		}
		body := Body(opts.Piece, size)
		_, _ = first.Write(body)
		_, _ = second.Write(make([]byte, size))
		if err := first.Commit(ctx, Proof(opts.Piece)); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "second commit", second.Commit(ctx, nil), pieces.ErrExists)
		_, err = st.Create(ctx, opts)
		wantErr(t, "create again", err, pieces.ErrExists)
		mustVerify(t, st, opts.Satellite, opts.Piece, size)

		opts.Satellite = Satellite(1)
		mustStore(t, st, opts)
		mustVerify(t, st, opts.Satellite, opts.Piece, size)
	}
	mustCheck(t, st, 4)
}

func testSpace(t *testing.T, st pieces.Store) {
	ctx := t.Context()
	sp := st.Space()
	if sp.Capacity < Capacity-8<<20 || sp.Used != 0 || sp.Trash != 0 || sp.Free <= 3*pieces.MaxPieceSize {
		t.Fatalf("empty store: %+v", sp)
	}
	opts := func(n int) pieces.CreateOptions {
		return pieces.CreateOptions{Satellite: Satellite(0), Piece: PieceID(n), Size: pieces.MaxPieceSize}
	}
	var writers []pieces.Writer
	for i := range 3 {
		w, err := st.Create(ctx, opts(i))
		if err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
	}
	_, err := st.Create(ctx, opts(9))
	wantErr(t, "create past the capacity", err, pieces.ErrNoSpace)
	for _, w := range writers {
		if err := w.Cancel(); err != nil {
			t.Fatal(err)
		}
	}
	free := st.Space().Free
	mustStore(t, st, pieces.CreateOptions{Satellite: Satellite(0), Piece: PieceID(20), Size: 1 << 20})
	sp = st.Space()
	if sp.Used < 1<<20 || sp.Used > 1<<20+8192 || sp.Free > free-1<<20 {
		t.Fatalf("after 1 MiB: %+v, free before: %d", sp, free)
	}
}
