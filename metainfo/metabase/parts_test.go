package metabase_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"storj/metainfo"
	"storj/metainfo/metabase"
)

func (w *world) beginParts(key string) metabase.Upload {
	w.t.Helper()
	up := w.upload(key)
	wantErr(w.t, "begin", w.BeginUpload(w.ctx, metabase.BeginUpload{
		Upload: up, WrappedKey: []byte("key"), Metadata: []byte("kept"),
	}), nil)
	return up
}

func attemptAt(whole metabase.Upload, number uint32) metabase.Upload {
	whole.Parent, whole.Part = whole.Stream, number
	whole.Stream = metainfo.NewStreamID()
	return whole
}

func TestParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	up := w.beginParts("k")
	wantErr(t, "begin again", w.BeginUpload(w.ctx, metabase.BeginUpload{Upload: up}), nil)
	got, err := w.GetUpload(w.ctx, up.ObjectRef, up.Stream)
	if err != nil || string(got.Key) != "k" || string(got.WrappedKey) != "key" || got.Created.IsZero() {
		t.Errorf("upload: %+v, %v", got, err)
	}
	wantErr(t, "another key's", errOf(w.GetUpload(w.ctx, w.ref("x"), up.Stream)), metainfo.ErrUpload)
	w.part(up, 2, "old")
	second := w.part(up, 2, "new")
	w.part(up, 1, "first")
	w.part(up, 5, "not kept")
	parts, more, err := w.UploadParts(w.ctx, up.ObjectRef, up.Stream, 1, 1)
	if err != nil || !more || len(parts) != 1 || parts[0].Number != 2 || parts[0].Stream != second.Stream {
		t.Errorf("parts: %+v, %v, %v", parts, more, err)
	}
	c := metabase.CommitObject{Upload: up, Parts: []uint32{1, 2}}
	for _, numbers := range [][]uint32{{1, 3}, {2, 1}, {1, 1}, {6}, {0, 1}} {
		c.Parts = numbers
		wantErr(t, fmt.Sprint("parts ", numbers), errOf(w.CommitObject(w.ctx, c)), metainfo.ErrPart)
	}
	c.Parts, c.Last = []uint32{1, 2}, inlineSegment(0, 0, "x")
	wantErr(t, "last segment", errOf(w.CommitObject(w.ctx, c)), metainfo.ErrSegment)
	c.Last = nil
	o, err := w.CommitObject(w.ctx, c)
	if err != nil || o.Parts != 2 || o.Segments != 2 || o.PlainSize != 8 || string(o.WrappedKey) != "key" || string(o.Metadata) != "kept" {
		t.Errorf("object: %+v, %v", o, err)
	}
	if got := w.content("k"); got != "firstnew" {
		t.Errorf("content %q", got)
	}
	if list, _, err := w.ObjectParts(w.ctx, w.ref("k"), 0, 0); err != nil || len(list) != 2 || list[1].Stream != second.Stream {
		t.Errorf("parts: %+v, %v", list, err)
	}
	wantErr(t, "ended", errOf(w.GetUpload(w.ctx, up.ObjectRef, up.Stream)), metainfo.ErrUpload)
	late := metabase.CommitPart{Upload: attemptAt(up, 1), Last: partSegment(1, 0, 0, "late"), Segments: 1}
	wantErr(t, "late part", errOf(w.CommitPart(w.ctx, late)), metainfo.ErrUpload)
	wantErr(t, "late segment", w.CommitSegment(w.ctx, late.Upload, *late.Last), metainfo.ErrUpload)
	none := w.beginParts("none")
	wantErr(t, "no parts", errOf(w.CommitObject(w.ctx, metabase.CommitObject{Upload: none})), metainfo.ErrPart)
}

// TestPartMisuse has calls of one kind of upload meet another.
func TestPartMisuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	up := w.beginParts("k")
	attempt := attemptAt(up, 3)
	wantErr(t, "segment of another part", w.CommitSegment(w.ctx, attempt, *partSegment(4, 0, 0, "x")), metainfo.ErrSegment)
	wantErr(t, "segment of the whole", w.CommitSegment(w.ctx, up, *inlineSegment(0, 0, "x")), metainfo.ErrUpload)
	wantErr(t, "segment", w.CommitSegment(w.ctx, attempt, *partSegment(3, 0, 0, "x")), nil)
	wantErr(t, "attempt as an object", errOf(w.CommitObject(w.ctx, metabase.CommitObject{Upload: attempt, Segments: 1})), metainfo.ErrUpload)
	other := attempt
	other.Part = 4
	wantErr(t, "as another part", errOf(w.CommitPart(w.ctx, metabase.CommitPart{Upload: other, Segments: 1})), metainfo.ErrUpload)
	wantErr(t, "too few", errOf(w.CommitPart(w.ctx, metabase.CommitPart{Upload: attempt, Segments: 2})), metainfo.ErrSegmentMissing)
	zero := up
	wantErr(t, "no number", errOf(w.CommitPart(w.ctx, metabase.CommitPart{Upload: zero})), metainfo.ErrPart)
	high := attemptAt(up, metainfo.MaxParts+1)
	wantErr(t, "number over limit", errOf(w.CommitPart(w.ctx, metabase.CommitPart{Upload: high})), metainfo.ErrPart)
	wantErr(t, "segment over limit", w.CommitSegment(w.ctx, high, *partSegment(high.Part, 0, 0, "")), metainfo.ErrPart)
	elsewhere := attemptAt(up, 1)
	elsewhere.Key = []byte("other")
	wantErr(t, "of another object", errOf(w.CommitPart(w.ctx, metabase.CommitPart{Upload: elsewhere})), metainfo.ErrUpload)
	large := metabase.CommitPart{Upload: attempt, Segments: 1, Metadata: make([]byte, metainfo.MaxPartMetadata+1)}
	wantErr(t, "metadata", errOf(w.CommitPart(w.ctx, large)), metainfo.ErrMetadataTooLarge)
	plain := w.upload("plain")
	wantErr(t, "parts of a plain upload", errOf(w.CommitObject(w.ctx, metabase.CommitObject{Upload: plain, Parts: []uint32{1}})), metainfo.ErrUpload)
	wantErr(t, "part of no upload", errOf(w.CommitPart(w.ctx, metabase.CommitPart{Upload: attemptAt(plain, 1)})), metainfo.ErrUpload)
	wantErr(t, "attempt", errOf(w.CommitPart(w.ctx, metabase.CommitPart{Upload: attempt, Segments: 1})), nil)
}

// TestTenThousandParts is the largest number there may be. To complete them writes no more than a few rows.
func TestTenThousandParts(t *testing.T) {
	t.Parallel()
	count := uint32(metainfo.MaxParts)
	if testing.Short() {
		count = 1500
	}
	w := newWorld(t)
	up := w.beginParts("k")
	for number := count; number > 0; number-- {
		w.part(up, number, fmt.Sprintf("%06d", number))
	}
	start := time.Now()
	o, err := w.CommitObject(w.ctx, metabase.CommitObject{Upload: up})
	if err != nil || o.Parts != count || o.PlainSize != int64(count)*6 {
		t.Fatalf("object: %+v, %v", o, err)
	}
	t.Logf("completed %d parts in %v", count, time.Since(start))
	for _, number := range []uint32{1, 2, 64, 65, 66, 1000, count - 1, count} {
		d, err := w.Download(w.ctx, w.ref("k"), int64(number-1)*6+2, 3, 10)
		if err != nil || len(d.Segments) != 1 || string(d.Segments[0].Inline) != fmt.Sprintf("%06d", number) {
			t.Errorf("part %d: %+v, %v", number, d.Segments, err)
		}
	}
	if _, err := w.CopyObject(w.ctx, metabase.CopyObject{From: w.ref("k"), To: w.ref("copy")}); err != nil {
		t.Fatal(err)
	}
	d, err := w.Download(w.ctx, w.ref("copy"), int64(count-1)*6, -1, 10)
	if err != nil || len(d.Segments) != 1 || string(d.Segments[0].Inline) != fmt.Sprintf("%06d", count) {
		t.Errorf("copy: %+v, %v", d.Segments, err)
	}
	w.delete(w.ref("k"))
	w.delete(w.ref("copy"))
	w.sweepAll()
	if n, err := w.CountSegments(w.ctx); n != 0 || err != nil {
		t.Errorf("%d segments remain, %v", n, err)
	}
}

func TestPartZombies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kept, ended := w.beginParts("kept"), w.beginParts("ended")
	for _, up := range []metabase.Upload{kept, ended} {
		w.part(up, 1, "a")
		wantErr(t, "attempt", w.CommitSegment(w.ctx, attemptAt(up, 2), *partSegment(2, 0, 0, "left behind")), nil)
	}
	list, _, err := w.PendingUploads(w.ctx, w.project, "bucket", metainfo.StreamID{}, 10)
	if err != nil || len(list) != 4 {
		t.Errorf("pending: %+v, %v", list, err)
	}
	totals, err := w.BucketTotals(w.ctx)
	if err != nil || len(totals) != 1 || totals[0].Objects != 0 || totals[0].PlainSize != 2 || totals[0].Segments != 2 {
		t.Errorf("totals: %+v, %v", totals, err)
	}
	wantErr(t, "commit", errOf(w.CommitObject(w.ctx, metabase.CommitObject{Upload: ended})), nil)
	zombies := func(since time.Duration, want int) {
		t.Helper()
		if n, err := w.DeleteZombies(w.ctx, time.Now().Add(since)); n != want || err != nil {
			t.Errorf("zombies: %d, %v; want %d", n, err, want)
		}
	}
	zombies(-time.Hour, 1) // the attempt whose upload has ended
	zombies(time.Hour, 1)  // the other attempt
	zombies(119*time.Hour, 0)
	zombies(121*time.Hour, 1) // the upload
	w.sweepAll()
	if n, err := w.CountSegments(w.ctx); n != 1 || err != nil || w.content("ended") != "a" {
		t.Errorf("%d segments remain, %v", n, err)
	}
	wantErr(t, "part of a zombie", errOf(w.CommitPart(w.ctx, metabase.CommitPart{Upload: attemptAt(kept, 1)})), metainfo.ErrUpload)
}

// TestPartRaces has parts come while their upload is completed or aborted: each is in the object, or dies.
func TestPartRaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for round := range 20 {
		key := fmt.Sprint("k", round)
		up := w.beginParts(key)
		w.part(up, 1, "first")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				attempt := attemptAt(up, 2)
				_ = w.CommitSegment(w.ctx, attempt, *partSegment(2, 0, 0, "se")) // ErrUpload when it is late
				_, err := w.CommitPart(w.ctx, metabase.CommitPart{Upload: attempt, Last: partSegment(2, 1, 2, "cond"), Segments: 2})
				if err != nil {
					wantErr(t, "part", err, metainfo.ErrUpload)
				}
			})
		}
		wg.Go(func() {
			if round%2 == 0 {
				wantErr(t, "abort", w.AbortObject(w.ctx, up.Stream), nil)
				return
			}
			wantErr(t, "commit", errOf(w.CommitObject(w.ctx, metabase.CommitObject{Upload: up})), nil)
		})
		wg.Wait()
		want := []string{"<none>"}
		if round%2 == 1 {
			want = []string{"first", "firstsecond"}
		}
		if got := w.content(key); !slices.Contains(want, got) {
			t.Errorf("content %q, want one of %q", got, want)
		}
	}
	_, err := w.DeleteZombies(w.ctx, time.Now().Add(-time.Hour))
	wantErr(t, "zombies", err, nil)
	w.sweepAll()
	if c, err := w.Counts(w.ctx); err != nil || c.Uploads != 0 || c.Dead != 0 {
		t.Errorf("left: %+v, %v", c, err)
	}
}

func TestListUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, key := range []string{"a", "a", "a", "b/1", "b/2", "c/d/1", "e"} {
		w.beginParts(key)
	}
	w.put("object", "x")
	list := func(req metabase.ListUploads) (names []string) {
		req.Project, req.Bucket = w.project, "bucket"
		for more := true; more; {
			page, err := w.ListUploads(w.ctx, req)
			if err != nil || len(page.Items) == 0 && page.More {
				t.Fatalf("page %+v, %v", page, err)
			}
			for _, item := range page.Items {
				names = append(names, string(item.Upload.Key))
				req.Cursor, req.CursorStream = item.Upload.Key, item.Upload.Stream
			}
			more = page.More
		}
		return names
	}
	for _, test := range []struct {
		req  metabase.ListUploads
		want string
	}{
		{metabase.ListUploads{Recursive: true}, "a a a b/1 b/2 c/d/1 e"},
		{metabase.ListUploads{}, "a a a b/ c/ e"},
		{metabase.ListUploads{Prefix: []byte("b/")}, "1 2"},
		{metabase.ListUploads{Prefix: []byte("c/")}, "d/"},
		{metabase.ListUploads{Cursor: []byte("a")}, "b/ c/ e"},
		{metabase.ListUploads{Cursor: []byte("b/1"), Recursive: true}, "b/2 c/d/1 e"},
	} {
		for _, limit := range []int{1, 2, 0} {
			test.req.Limit = limit
			if got := strings.Join(list(test.req), " "); got != test.want {
				t.Errorf("%+v: %q, want %q", test.req, got, test.want)
			}
		}
	}
	_, err := w.ListUploads(w.ctx, metabase.ListUploads{Project: w.project, Bucket: "none"})
	wantErr(t, "no bucket", err, metainfo.ErrBucketNotFound)
	_, err = w.ListUploads(w.ctx, metabase.ListUploads{Project: w.project, Bucket: "bucket", Limit: -1})
	wantErr(t, "limit", err, metainfo.ErrListLimit)
}
