package metabase_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"storj/ecenc"
	"storj/metainfo"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
)

func TestInlineObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.inline(w.upload("k"), "content")
	c.Metadata = []byte("metadata")
	o, err := w.CommitObject(w.ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Object(w.ctx, w.ref("k"))
	if err != nil || !got.Created.Equal(o.Created) || got.Stream != c.Stream || got.Segments != 1 || got.PlainSize != 7 ||
		got.EncryptedSize != 23 || string(got.Metadata) != "metadata" || string(got.WrappedKey) != "key" ||
		string(got.Key) != "k" || got.Version != o.Version || !got.Null || got.Version < 1e15 {
		t.Errorf("object: %+v, %v", got, err)
	}
	if again, err := w.CommitObject(w.ctx, c); err != nil || again.Stream != o.Stream || !again.Created.Equal(o.Created) {
		t.Errorf("repeated commit: %+v, %v", again, err)
	}
	if next := w.put("k", "other"); next.Version <= o.Version || w.content("k") != "other" {
		t.Errorf("replaced: %+v, %q", next, w.content("k"))
	}
	fresh := w.inline(w.upload("k"), "not wanted")
	fresh.IfAbsent = true
	_, err = w.CommitObject(w.ctx, fresh)
	wantErr(t, "if absent", err, metainfo.ErrObjectExists)
	fresh.Metadata = make([]byte, metainfo.MaxMetadataSize+1)
	_, err = w.CommitObject(w.ctx, fresh)
	wantErr(t, "large metadata", err, metainfo.ErrMetadataTooLarge)
	_, err = w.Object(w.ctx, w.ref("none"))
	wantErr(t, "absent", err, metainfo.ErrObjectNotFound)
	nowhere := w.ref("k")
	nowhere.Bucket = "nowhere"
	_, err = w.Object(w.ctx, nowhere)
	wantErr(t, "no bucket", err, metainfo.ErrBucketNotFound)
	empty := metabase.CommitObject{Upload: w.upload("empty")}
	if o, err := w.CommitObject(w.ctx, empty); err != nil || o.PlainSize != 0 || w.content("empty") != "" {
		t.Errorf("empty object: %+v, %v", o, err)
	}
}

// step is a call of an upload that has several segments.
type step struct {
	commit *metainfo.Segment // CommitSegment, or
	last   *metainfo.Segment // CommitObject with this
	count  uint32
	abort  bool
	want   error
}

func TestUploads(t *testing.T) {
	t.Parallel()
	a, b, c := inlineSegment(0, 0, "aa"), inlineSegment(1, 2, "bbb"), inlineSegment(2, 5, "c")
	invalid := *remoteSegment(80)
	invalid.Pieces = slices.Clone(invalid.Pieces)
	invalid.Pieces[3].Number = 2
	tests := []struct {
		name  string
		steps []step
		want  string // content afterwards
	}{
		{"in order", []step{{commit: a}, {commit: b}, {last: c, count: 3}}, "aabbbc"},
		{"out of order, all committed", []step{{commit: c}, {commit: a}, {commit: b}, {count: 3}}, "aabbbc"},
		{"repeated segment", []step{{commit: inlineSegment(0, 0, "xx")}, {commit: a}, {last: b, count: 2}}, "aabbb"},
		{"repeated commit", []step{{commit: a}, {last: b, count: 2}, {last: b, count: 2}}, "aabbb"},
		{"missing first", []step{{commit: b}, {last: c, count: 2, want: metainfo.ErrSegmentMissing}}, "<none>"},
		{"missing middle", []step{{commit: a}, {last: c, count: 2, want: metainfo.ErrSegmentMissing}}, "<none>"},
		{"missing all", []step{{count: 1, want: metainfo.ErrSegmentMissing}}, "<none>"},
		{"missing, then not", []step{
			{commit: a}, {last: c, count: 3, want: metainfo.ErrSegmentMissing}, {commit: b}, {last: c, count: 3},
		}, "aabbbc"},
		{"too few said", []step{{commit: a}, {last: b, count: 1, want: metainfo.ErrSegmentMissing}}, "<none>"},
		{"one said of none", []step{{last: b, count: 1, want: metainfo.ErrSegmentMissing}}, "<none>"},
		{"aborted", []step{{commit: a}, {abort: true}, {abort: true}, {last: b, count: 2, want: metainfo.ErrUpload}}, "<none>"},
		{"segment after abort", []step{{commit: a}, {abort: true}, {commit: b, want: metainfo.ErrUpload}}, "<none>"},
		{"segment after commit", []step{{last: a, count: 1}, {commit: b, want: metainfo.ErrUpload}}, "aa"},
		{"abort after commit", []step{{commit: a}, {last: b, count: 2}, {abort: true}}, "aabbb"},
		{"offset contradicts", []step{{commit: a}, {last: inlineSegment(1, 3, "b"), count: 2, want: metainfo.ErrSegmentMissing}}, "<none>"},
		{"pieces not ascending", []step{{commit: &invalid, want: metainfo.ErrSegment}}, "<none>"},
		{"part number", []step{{commit: partSegment(1, 0, 0, ""), want: metainfo.ErrSegment}}, "<none>"},
		{"inline too large", []step{{commit: inlineSegment(0, 0, strings.Repeat("x", 5000)), want: metainfo.ErrSegment}}, "<none>"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			up := w.upload("k")
			for i, s := range test.steps {
				var err error
				switch {
				case s.commit != nil:
					err = w.CommitSegment(w.ctx, up, *s.commit)
				case s.abort:
					err = w.AbortObject(w.ctx, up.Stream)
				default:
					_, err = w.CommitObject(w.ctx, metabase.CommitObject{Upload: up, Last: s.last, Segments: s.count})
				}
				wantErr(t, fmt.Sprint("step ", i), err, s.want)
			}
			if got := w.content("k"); got != test.want {
				t.Errorf("content %q, want %q", got, test.want)
			}
		})
	}
}

// TestLateCallAfterMove has calls of an old token meet its stream under another key.
func TestLateCallAfterMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.inline(w.upload("from"), "content")
	o, err := w.CommitObject(w.ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.CopyObject(w.ctx, metabase.CopyObject{From: w.ref("from"), Stream: o.Stream, To: w.ref("to"), Move: true})
	wantErr(t, "move", err, nil)
	_, err = w.CommitObject(w.ctx, c)
	wantErr(t, "repeated commit", err, metainfo.ErrUpload)
	wantErr(t, "late segment", w.CommitSegment(w.ctx, c.Upload, *inlineSegment(1, 7, "x")), metainfo.ErrUpload)
	wantErr(t, "late abort", w.AbortObject(w.ctx, c.Stream), nil)
	if got := w.content("to"); got != "content" {
		t.Errorf("moved object: %q", got)
	}
}

func TestPendingAndZombies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bucket("other")
	var ups []metabase.Upload
	for i := range 5 {
		up := w.upload(fmt.Sprint("k", i))
		if i == 4 {
			up.Bucket = "other"
		}
		wantErr(t, "commit segment", w.CommitSegment(w.ctx, up, *inlineSegment(0, 0, "x")), nil)
		ups = append(ups, up)
	}
	var seen []string
	cursor := metainfo.StreamID{}
	for more := true; more; {
		var list []metabase.PendingUpload
		var err error
		list, more, err = w.PendingUploads(w.ctx, w.project, "bucket", cursor, 2)
		if err != nil || len(list) == 0 {
			t.Fatalf("page of %d, %v", len(list), err)
		}
		for _, p := range list {
			seen = append(seen, string(p.Key))
			cursor = p.Stream
			if p.Activity.IsZero() || !p.Created.Equal(ups[0].Created) && p.Created.IsZero() {
				t.Errorf("upload without times: %+v", p)
			}
		}
	}
	slices.Sort(seen)
	if !slices.Equal(seen, []string{"k0", "k1", "k2", "k3"}) {
		t.Errorf("pending: %v", seen)
	}
	if n, err := w.DeleteZombies(w.ctx, time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("young zombies: %d, %v", n, err)
	}
	_, err := w.CommitObject(w.ctx, metabase.CommitObject{Upload: ups[0], Segments: 1})
	wantErr(t, "commit", err, nil)
	if n, err := w.DeleteZombies(w.ctx, time.Now().Add(time.Hour)); n != 4 || err != nil {
		t.Errorf("zombies: %d, %v", n, err)
	}
	_, err = w.CommitObject(w.ctx, metabase.CommitObject{Upload: ups[1], Segments: 1})
	wantErr(t, "commit of a zombie", err, metainfo.ErrUpload)
	if removed, more, err := w.SweepDead(w.ctx); removed != 8 || more || err != nil {
		t.Errorf("sweep: %d, %v, %v", removed, more, err)
	}
	if c, err := w.Counts(w.ctx); err != nil || c.Uploads != 0 || c.Dead != 0 {
		t.Errorf("counts: %+v, %v", c, err)
	}
	if got := w.content("k0"); got != "x" {
		t.Errorf("committed object: %q", got)
	}
}

// TestLargeObject is deleted in pieces.
func TestLargeObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const segments = 2600
	up := w.upload("large")
	for i := range uint32(segments) {
		if err := w.CommitSegment(w.ctx, up, *inlineSegment(i, int64(i)*2, "ab")); err != nil {
			t.Fatal(err)
		}
	}
	o, err := w.CommitObject(w.ctx, metabase.CommitObject{Upload: up, Segments: segments})
	if err != nil || o.PlainSize != 2*segments {
		t.Fatalf("commit: %+v, %v", o, err)
	}
	if copied, err := w.CopyObject(w.ctx, metabase.CopyObject{From: up.ObjectRef, To: w.ref("copy")}); err != nil || copied.Segments != segments {
		t.Fatalf("copy: %+v, %v", copied, err)
	}
	for _, key := range []string{"large", "copy"} {
		if got := w.delete(w.ref(key)); !got.Found {
			t.Fatalf("delete: %+v", got)
		}
	}
	wantErr(t, "late segment", w.CommitSegment(w.ctx, up, *inlineSegment(0, 0, "ab")), metainfo.ErrUpload)
	removed, calls := 0, 0
	for more := true; more; calls++ {
		var n int
		if n, more, err = w.SweepDead(w.ctx); err != nil {
			t.Fatal(err)
		}
		removed += n
	}
	if removed != 2*(segments+1) || calls < 3 {
		t.Errorf("swept %d rows in %d calls", removed, calls)
	}
	page, _, more, err := w.SegmentPage(w.ctx, metabase.SegmentPlace{}, metainfo.StreamID{}, 10)
	if err != nil || more || len(page) != 0 {
		t.Errorf("segments left: %d, %v, %v", len(page), more, err)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	past := time.Now().Add(-time.Minute)
	commit := func(key string, expires time.Time) {
		c := w.inline(w.upload(key), key)
		c.Expires = expires
		if _, err := w.CommitObject(w.ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	commit("gone", past)
	commit("gone and moved", time.Now().Add(time.Hour))
	commit("replaced", past)
	commit("later", time.Now().Add(time.Hour))
	w.put("never", "never")
	w.put("replaced", "replaced")
	absent := w.inline(w.upload("gone"), "again")
	absent.IfAbsent, absent.Expires = true, past
	if _, err := w.CommitObject(w.ctx, absent); err != nil {
		t.Errorf("an expired object counts as absent: %v", err)
	}
	if _, err := w.CopyObject(w.ctx, metabase.CopyObject{From: w.ref("gone and moved"), To: w.ref("moved"), Move: true}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Object(w.ctx, w.ref("gone"))
	wantErr(t, "expired object", err, metainfo.ErrObjectNotFound)
	if got := w.delete(w.ref("gone")); got.Found || got.Version != 0 {
		t.Errorf("delete of an expired object: %+v", got)
	}
	commit("gone", past)
	if n, more, err := w.DeleteExpiredBatch(w.ctx, time.Now()); n != 1 || more || err != nil {
		t.Errorf("expired: %d, %v, %v", n, more, err)
	}
	if n, more, err := w.DeleteExpiredBatch(w.ctx, time.Now().Add(2*time.Hour)); n != 2 || more || err != nil {
		t.Errorf("expired later: %d, %v, %v", n, more, err)
	}
	list, err := w.ListObjects(w.ctx, metabase.ListObjects{Project: w.project, Bucket: "bucket", Recursive: true})
	if err != nil || len(list.Items) != 2 || w.content("never") != "never" || w.content("replaced") != "replaced" {
		t.Errorf("left: %+v, %v", list, err)
	}
}

// TestExpiryInstant holds reading and deleting to the same instant.
func TestExpiryInstant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(t, memkv.New(memkv.Options{}))
		c := w.inline(w.upload("k"), "content")
		c.Expires = time.Now().Add(time.Hour)
		wantErr(t, "commit", errOf(w.CommitObject(w.ctx, c)), nil)
		for _, step := range []struct {
			pass    time.Duration
			deleted int
			want    error
		}{{time.Hour - 1, 0, nil}, {1, 1, metainfo.ErrObjectNotFound}} {
			time.Sleep(step.pass)
			wantErr(t, "read", errOf(w.Object(w.ctx, w.ref("k"))), step.want)
			if n, _, err := w.DeleteExpiredBatch(w.ctx, time.Now()); n != step.deleted || err != nil {
				t.Errorf("deleted %d, %v; want %d", n, err, step.deleted)
			}
		}
	})
}

func TestExpiredBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const objects = 1500
	w.SetBatch(2000)
	for i := range objects {
		c := w.inline(w.upload(fmt.Sprint(i)), "x")
		c.Expires = time.Now().Add(-time.Duration(i) * time.Second)
		if _, err := w.CommitObject(w.ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	total, calls := 0, 0
	for more := true; more; calls++ {
		var n int
		var err error
		if n, more, err = w.DeleteExpiredBatch(w.ctx, time.Now()); err != nil {
			t.Fatal(err)
		}
		total += n
	}
	if total != objects || calls < 2 {
		t.Errorf("%d in %d calls", total, calls)
	}
}

func TestCopyAndMove(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		c        metabase.CopyObject // From and To are filled in
		from, to string
		stream   bool // the one that was read
		want     error
		content  string // of from, to
	}{
		{"copy", metabase.CopyObject{}, "a", "new", true, nil, "aa aa"},
		{"copy over another", metabase.CopyObject{}, "a", "b", true, nil, "aa aa"},
		{"copy onto itself", metabase.CopyObject{}, "a", "a", true, nil, "aa aa"},
		{"move", metabase.CopyObject{Move: true}, "a", "new", true, nil, "<none> aa"},
		{"move over another", metabase.CopyObject{Move: true}, "a", "b", true, nil, "<none> aa"},
		{"move onto itself", metabase.CopyObject{Move: true}, "a", "a", true, nil, "aa aa"},
		{"any stream", metabase.CopyObject{}, "a", "new", false, nil, "aa aa"},
		{"parts", metabase.CopyObject{}, "parts", "new", true, nil, "ppq ppq"},
		{"changed", metabase.CopyObject{Stream: metainfo.StreamID{1}}, "a", "new", false, metainfo.ErrObjectChanged, "aa <none>"},
		{"absent", metabase.CopyObject{}, "none", "new", false, metainfo.ErrObjectNotFound, "<none> <none>"},
		{"if absent", metabase.CopyObject{IfAbsent: true}, "a", "b", true, metainfo.ErrObjectExists, "aa b"},
		{"move if absent", metabase.CopyObject{IfAbsent: true, Move: true}, "a", "b", true, metainfo.ErrObjectExists, "aa b"},
		{"empty key", metabase.CopyObject{}, "a", "", true, metainfo.ErrObjectKey, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.put("a", "aa")
			w.put("b", "b")
			w.putParts("parts", "pp", "q")
			c := test.c
			c.From, c.To, c.WrappedKey = w.ref(test.from), w.ref(test.to), []byte("new key")
			if test.stream {
				o, err := w.Object(w.ctx, c.From)
				wantErr(t, "get", err, nil)
				c.Stream = o.Stream
			}
			o, err := w.CopyObject(w.ctx, c)
			wantErr(t, "copy", err, test.want)
			if err == nil && (string(o.WrappedKey) != "new key" || string(o.Key) != test.to || (o.Stream == c.Stream) != c.Move && test.stream) {
				t.Errorf("object: %+v", o)
			}
			if test.content == "" {
				return
			}
			if got := w.content(test.from) + " " + w.content(test.to); got != test.content {
				t.Errorf("contents %q, want %q", got, test.content)
			}
		})
	}
	w := newWorld(t)
	w.put("a", "aa")
	to := w.ref("a")
	to.Bucket = "nowhere"
	_, err := w.CopyObject(w.ctx, metabase.CopyObject{From: w.ref("a"), To: to})
	wantErr(t, "no bucket", err, metainfo.ErrBucketNotFound)
	_, err = w.CopyObject(w.ctx, metabase.CopyObject{From: to, To: w.ref("a")})
	wantErr(t, "from no bucket", err, metainfo.ErrBucketNotFound)
}

func TestDeleteObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := metabase.Delete{Project: w.project, Bucket: "bucket"}
	for i := range metainfo.MaxDelete {
		key := fmt.Sprint("key ", i)
		d.Items = append(d.Items, metainfo.DeleteItem{Key: []byte(key)})
		if i%3 != 0 {
			w.put(key, "x")
		}
	}
	w.put("kept", "kept")
	chunks(t, w, "key 1", []byte("abcd"), map[uint32][]int{1: {2, 1}, 4: {1}})
	for _, present := range []bool{true, false} {
		deleted, err := w.Delete(w.ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		for i, item := range deleted {
			want := present && i%3 != 0
			if item.Found != want || item.Marker || item.Reason != 0 || (item.Version > 0) != want {
				t.Fatalf("key %d: %+v", i, item)
			}
		}
	}
	d.Bucket = "none"
	_, err := w.Delete(w.ctx, d)
	wantErr(t, "no bucket", err, metainfo.ErrBucketNotFound)
	if got := w.content("kept"); got != "kept" {
		t.Errorf("kept: %q", got)
	}
}

func TestReplacePieces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := metabase.CommitObject{Upload: w.upload("k"), Last: remoteSegment(80), Segments: 1}
	if _, err := w.CommitObject(w.ctx, c); err != nil {
		t.Fatal(err)
	}
	at := metabase.SegmentPlace{Stream: c.Stream}
	saw := c.Last.Pieces
	with := append(slices.Clone(saw[10:]), metainfo.Piece{Number: 100, Alias: 7})
	repaired := time.Now().UTC().Round(0)
	swapped := []metainfo.Piece{with[1], with[0]}
	wantErr(t, "not ascending", w.ReplacePieces(w.ctx, at, saw, swapped, repaired), metainfo.ErrSegment)
	wantErr(t, "replace", w.ReplacePieces(w.ctx, at, saw, with, repaired), nil)
	wantErr(t, "replace again", w.ReplacePieces(w.ctx, at, saw, with, repaired), metainfo.ErrObjectChanged)
	wantErr(t, "no segment", w.ReplacePieces(w.ctx, metabase.SegmentPlace{}, saw, with, repaired), metainfo.ErrObjectNotFound)
	wantErr(t, "over total", w.ReplacePieces(w.ctx, at, with, []metainfo.Piece{{Number: 110}}, repaired), metainfo.ErrSegment)
	got, err := w.Segment(w.ctx, c.Stream, metainfo.Position{})
	if err != nil || !slices.Equal(got.Pieces, with) || !got.Repaired.Equal(repaired) || got.Root != c.Last.Root ||
		got.Redundancy != c.Last.Redundancy || got.Salt != c.Last.Salt || got.Stream != c.Stream {
		t.Errorf("segment: %+v, %v", got, err)
	}
	_, err = w.Segment(w.ctx, c.Stream, metainfo.Position{Index: 1})
	wantErr(t, "no such index", err, metainfo.ErrObjectNotFound)
	if err := errors.Join(w.ReplacePieces(w.ctx, at, with, saw, time.Time{})); err != nil {
		t.Error(err)
	}
	if got, err := w.Segment(w.ctx, c.Stream, metainfo.Position{}); err != nil || !got.Repaired.Equal(repaired) {
		t.Errorf("repaired is kept: %v, %v", got.Repaired, err)
	}
	bad := *remoteSegment(28)
	bad.Redundancy = ecenc.Redundancy{Required: 30}
	wantErr(t, "redundancy", w.CommitSegment(w.ctx, w.upload("x"), bad), metainfo.ErrSegment)
}

func TestSegmentPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := 0
	for i := range 40 {
		up := w.upload(fmt.Sprint("k", i))
		for j := range uint32(i % 4) {
			wantErr(t, "segment", w.CommitSegment(w.ctx, up, *inlineSegment(j, int64(j), "x")), nil)
			want++
		}
	}
	for _, limit := range []int{1, 7, want, want + 1} {
		for _, split := range []metainfo.StreamID{{}, {0x55}, {0xaa}} { // two ranges, or one
			got := 0
			last := metabase.SegmentPlace{}
			ends := []metainfo.StreamID{{}}
			if !split.IsZero() {
				ends = []metainfo.StreamID{split, {}}
			}
			start := metainfo.StreamID{}
			for _, end := range ends {
				from := metabase.SegmentPlace{Stream: start}
				for more := true; more; {
					var page []metainfo.Segment
					var err error
					page, from, more, err = w.SegmentPage(w.ctx, from, end, limit)
					if err != nil || len(page) > limit {
						t.Fatalf("page of %d, %v", len(page), err)
					}
					for _, s := range page {
						this := metabase.SegmentPlace{Stream: s.Stream, Position: s.Position}
						if got > 0 && (string(this.Stream[:]) < string(last.Stream[:]) || this == last) {
							t.Errorf("%v after %v", this, last)
						}
						last = this
						got++
					}
				}
				start = end
			}
			if got != want {
				t.Errorf("limit %d split %x: %d segments, want %d", limit, split[:1], got, want)
			}
		}
	}
}
