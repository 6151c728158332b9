package metabase_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
)

// TestLostAnswers has calls come again after what they made was replaced or deleted: nothing old may come back.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	replace := func(w *world, key string) { w.put(key, "other") }
	remove := func(w *world, key string) { w.delete(w.ref(key)) }
	removeThenPut := func(w *world, key string) { remove(w, key); replace(w, key) }
	expire := func(w *world, key string) {
		remove(w, key)
		time.Sleep(49 * time.Hour)
		_, err := w.SweepEnded(w.ctx)
		wantErr(w.t, "sweep", err, nil)
	}
	calls := map[string]func(w *world) func() error{
		"inline": func(w *world) func() error {
			c := w.inline(w.upload("k"), "first")
			return func() error { return errOf(w.CommitObject(w.ctx, c)) }
		},
		"empty": func(w *world) func() error {
			c := metabase.CommitObject{Upload: w.upload("k")}
			return func() error { return errOf(w.CommitObject(w.ctx, c)) }
		},
		"one segment": func(w *world) func() error {
			last := remoteSegment(80)
			c := metabase.CommitObject{Upload: w.upload("k"), Last: last, Segments: 1}
			return func() error { return errOf(w.CommitObject(w.ctx, c)) }
		},
		"two segments": func(w *world) func() error {
			c := metabase.CommitObject{Upload: w.upload("k"), Last: inlineSegment(1, 1, "b"), Segments: 2}
			wantErr(w.t, "segment", w.CommitSegment(w.ctx, c.Upload, *inlineSegment(0, 0, "a")), nil)
			return func() error { return errOf(w.CommitObject(w.ctx, c)) }
		},
		"parts": func(w *world) func() error {
			up := w.upload("k")
			wantErr(w.t, "begin", w.BeginUpload(w.ctx, metabase.BeginUpload{Upload: up}), nil)
			w.part(up, 1, "p")
			return func() error { return errOf(w.CommitObject(w.ctx, metabase.CommitObject{Upload: up})) }
		},
		"copy": func(w *world) func() error {
			w.put("source", "s")
			c := metabase.CopyObject{From: w.ref("source"), To: w.ref("k"), NewStream: metainfo.NewStreamID()}
			return func() error { return errOf(w.CopyObject(w.ctx, c)) }
		},
		"move": func(w *world) func() error {
			o := w.put("source", "s")
			c := metabase.CopyObject{
				From: w.ref("source"), To: w.ref("k"), Stream: o.Stream, Move: true, NewStream: metainfo.NewStreamID(),
			}
			return func() error { return errOf(w.CopyObject(w.ctx, c)) }
		},
	}
	meanwhile := map[string]struct {
		others func(w *world, key string)
		want   string
	}{"replaced": {replace, "other"}, "deleted": {remove, "<none>"}, "both": {removeThenPut, "other"}, "long ago": {expire, "<none>"}}
	for name, call := range calls {
		for how, then := range meanwhile {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorldOn(t, memkv.New(memkv.Options{RunTwice: true}))
					do := call(w)
					wantErr(t, "first", do(), nil)
					wantErr(t, "second", do(), nil)
					then.others(w, "k")
					wantErr(t, "late", do(), metainfo.ErrUpload)
					w.sweepAll()
					wantErr(t, "late, after the sweep", do(), metainfo.ErrUpload)
					if got := w.content("k"); got != then.want {
						t.Errorf("content %q, want %q", got, then.want)
					}
				})
			})
		}
	}
}

// errOf drops what came with an error.
func errOf(_ any, err error) error { return err }

// sweepAll runs the chores until nothing is left to do.
func (w *world) sweepAll() {
	w.t.Helper()
	for more := true; more; {
		var err error
		if _, more, err = w.SweepDead(w.ctx); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestAborted has an upload come to its end after it was aborted, before anything of it was stored.
func TestAborted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.inline(w.upload("k"), "late")
	wantErr(t, "abort", w.AbortObject(w.ctx, c.Stream), nil)
	wantErr(t, "commit", errOf(w.CommitObject(w.ctx, c)), metainfo.ErrUpload)
	wantErr(t, "segment", w.CommitSegment(w.ctx, c.Upload, *inlineSegment(0, 0, "x")), metainfo.ErrUpload)
}

// TestEndedIsForgotten is the bound on what repeats cost: nothing is kept of old objects, nor for long.
func TestEndedIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(t, memkv.New(memkv.Options{}))
		for i := range 5000 {
			w.put(fmt.Sprint(i), "x")
			if i%2 == 0 {
				w.delete(w.ref(fmt.Sprint(i)))
			}
		}
		wantEnded := func(want int) {
			t.Helper()
			if n, err := w.SweepEnded(w.ctx); n != want || err != nil {
				t.Errorf("%d forgotten, %v; want %d", n, err, want)
			}
		}
		wantEnded(0)
		time.Sleep(76 * time.Hour)
		for i := range 5000 { // older than any token: they leave nothing
			w.delete(w.ref(fmt.Sprint(i)))
		}
		wantEnded(2500)
		time.Sleep(76 * time.Hour)
		wantEnded(0)
	})
}

func TestUpdateMetadataOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.put("k", "content")
	name := metainfo.NewStreamID()
	first := func() error { return w.UpdateMetadataOnce(w.ctx, w.ref("k"), o.Stream, name, []byte("first")) }
	wantErr(t, "first", first(), nil)
	wantErr(t, "other", w.UpdateMetadata(w.ctx, w.ref("k"), o.Stream, []byte("other")), nil)
	wantErr(t, "first again", first(), nil)
	if got, err := w.Object(w.ctx, w.ref("k")); err != nil || string(got.Metadata) != "other" {
		t.Errorf("metadata %q, %v", got.Metadata, err)
	}
}

// TestIfAbsentRace has 50 writers of one key, on both engines: one wins.
func TestIfAbsentRace(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(testing.TB) *world{
		"memory": newWorld,
		"file":   func(t testing.TB) *world { return newBoltWorld(t, false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := make(t)
			for round := range 10 {
				key := fmt.Sprint("key ", round)
				var won, lost atomic.Int32
				var wg sync.WaitGroup
				for i := range 50 {
					wg.Go(func() {
						c := w.inline(w.upload(key), fmt.Sprint(i))
						c.IfAbsent = true
						o, err := w.CommitObject(w.ctx, c)
						if err == nil && o.Stream == c.Stream {
							won.Add(1)
							return
						}
						wantErr(t, "writer", err, metainfo.ErrObjectExists)
						lost.Add(1)
					})
				}
				wg.Wait()
				if won.Load() != 1 || lost.Load() != 49 {
					t.Errorf("%d won, %d lost", won.Load(), lost.Load())
				}
			}
		})
	}
}
