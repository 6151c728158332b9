package metabase_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
)

func (w *world) copied(since time.Time) (streams []metainfo.StreamID) {
	w.t.Helper()
	err := w.CopiedStreams(w.ctx, since, func(s metainfo.StreamID) error {
		if !slices.Contains(streams, s) {
			streams = append(streams, s)
		}
		return nil
	})
	wantErr(w.t, "copied streams", err, nil)
	return streams
}

func TestCopiesAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(t, memkv.New(memkv.Options{RunTwice: true}))
		w.put("a", "content")
		start := time.Now()
		var made []metainfo.StreamID
		for i := range 3 {
			o, err := w.CopyObject(w.ctx, metabase.CopyObject{From: w.ref("a"), To: w.ref(fmt.Sprint(i))})
			wantErr(t, "copy", err, nil)
			made = append(made, o.Stream)
			time.Sleep(time.Hour)
		}
		_, err := w.CopyObject(w.ctx, metabase.CopyObject{From: w.ref("a"), To: w.ref("moved"), Move: true})
		wantErr(t, "move", err, nil)
		for i := range 4 {
			since := start.Add(time.Duration(i) * time.Hour)
			if got := w.copied(since); !slices.Equal(got, made[i:]) {
				t.Errorf("since hour %d: %d streams", i, len(got))
			}
		}
		if got := w.copied(start.Add(time.Hour + 9*time.Minute)); !slices.Equal(got, made[1:]) {
			t.Errorf("a little before: %d streams", len(got))
		}
		fault := errors.New("fault")
		calls := 0
		err = w.CopiedStreams(w.ctx, start, func(metainfo.StreamID) error { calls++; return fault })
		if !errors.Is(err, fault) || calls != 1 {
			t.Errorf("%d calls, %v", calls, err)
		}
		wantErr(t, "prune", w.PruneCopies(w.ctx, start.Add(time.Hour)), nil)
		if got := w.copied(start); !slices.Equal(got, made[1:]) {
			t.Errorf("after pruning: %d streams", len(got))
		}
	})
}

// readable is how many bytes of an object can be read, page by page.
func (w *world) readable(key string) (size int64) {
	w.t.Helper()
	d, err := w.Download(w.ctx, w.ref(key), 0, -1, 1000)
	for segments, more := d.Segments, d.More; err == nil; segments, more, err = w.Segments(w.ctx, d.Object.Stream, size, d.Length-size, 1000) {
		for _, s := range segments {
			size += int64(len(s.Inline))
		}
		if !more {
			return size
		}
	}
	w.t.Fatal(err)
	return 0
}

// between is a store that does something before the n-th update.
type between struct {
	kv.Store
	n  int
	do func()
}

func (b *between) Update(ctx context.Context, fn func(kv.Tx) error) error {
	b.n--
	if do := b.do; b.n == 0 {
		do()
	}
	return b.Store.Update(ctx, fn)
}

// TestLargeCopy is copied by several transactions, with things happening between any two of them.
func TestLargeCopy(t *testing.T) {
	t.Parallel()
	const segments = 4200 // three batches
	make := map[string]func(w *world){
		"in one go": func(w *world) {
			up := w.upload("large")
			for i := range uint32(segments) {
				wantErr(w.t, "segment", w.CommitSegment(w.ctx, up, *inlineSegment(i, int64(i)*2, "ab")), nil)
			}
			wantErr(w.t, "commit", errOf(w.CommitObject(w.ctx, metabase.CommitObject{Upload: up, Segments: segments})), nil)
		},
		"in parts": func(w *world) {
			up := w.beginParts("large")
			for number := range uint32(3) {
				attempt := attemptAt(up, number+1)
				for i := range uint32(segments / 3) {
					wantErr(w.t, "segment", w.CommitSegment(w.ctx, attempt, *partSegment(number+1, i, int64(i)*2, "ab")), nil)
				}
				wantErr(w.t, "part", errOf(w.CommitPart(w.ctx, metabase.CommitPart{Upload: attempt, Segments: segments / 3})), nil)
			}
			wantErr(w.t, "commit", errOf(w.CommitObject(w.ctx, metabase.CommitObject{Upload: up})), nil)
		},
	}
	events := map[string]struct {
		do   func(w *world)
		want error
	}{
		"nothing":             {func(*world) {}, nil},
		"source deleted":      {func(w *world) { w.delete(w.ref("large")) }, metainfo.ErrObjectChanged},
		"source replaced":     {func(w *world) { w.put("large", "x") }, metainfo.ErrObjectChanged},
		"destination written": {func(w *world) { w.put("copy", "x") }, metainfo.ErrObjectExists},
		"swept": {func(w *world) {
			_, err := w.DeleteZombies(w.ctx, time.Now().Add(time.Hour))
			wantErr(w.t, "zombies", err, nil)
		}, metainfo.ErrUpload},
	}
	for how, make := range make {
		for event, then := range events {
			t.Run(how+", "+event, func(t *testing.T) {
				t.Parallel()
				store := &between{Store: memkv.New(memkv.Options{})}
				w := newWorldOn(t, store)
				make(w)
				start := time.Now()
				c := metabase.CopyObject{From: w.ref("large"), To: w.ref("copy"), IfAbsent: true, NewStream: metainfo.NewStreamID()}
				store.n, store.do = 3, func() {
					then.do(w)
					if got := w.copied(start); !slices.Contains(got, c.NewStream) {
						t.Error("the copy is not logged while it goes on")
					}
				}
				o, err := w.CopyObject(w.ctx, c)
				wantErr(t, "copy", err, then.want)
				if err == nil {
					if o.Segments != segments || w.readable("copy") != 2*segments {
						t.Errorf("copy: %+v", o)
					}
					wantErr(t, "again", errOf(w.CopyObject(w.ctx, c)), nil)
					w.delete(w.ref("large"))
					w.sweepAll()
					if w.readable("copy") != 2*segments {
						t.Error("the copy went with its source")
					}
				}
				w.delete(w.ref("large"))
				w.delete(w.ref("copy"))
				w.sweepAll()
				if n, err := w.CountSegments(w.ctx); n != 0 || err != nil {
					t.Errorf("%d segments remain, %v", n, err)
				}
				if c, err := w.Counts(w.ctx); err != nil || c.Uploads != 0 {
					t.Errorf("left: %+v, %v", c, err)
				}
			})
		}
	}
}
