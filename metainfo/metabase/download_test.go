package metabase_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"storj/metainfo"
	"storj/metainfo/metabase"
)

// chunks commits content as an object cut into segments of these sizes, by part; part 0 alone is an object in one go.
func chunks(t *testing.T, w *world, key string, content []byte, parts map[uint32][]int) {
	t.Helper()
	whole := w.upload(key)
	if parts[0] == nil {
		wantErr(t, "begin", w.BeginUpload(w.ctx, metabase.BeginUpload{Upload: whole}), nil)
	}
	at := 0
	for number := uint32(0); number <= 200; number++ {
		up := whole
		if number > 0 {
			up.Stream, up.Parent, up.Part = metainfo.NewStreamID(), whole.Stream, number
		}
		start := at
		for i, size := range parts[number] {
			s := partSegment(number, uint32(i), int64(at-start), string(content[at:at+size]))
			wantErr(t, "segment", w.CommitSegment(w.ctx, up, *s), nil)
			at += size
		}
		if number > 0 && parts[number] != nil {
			_, err := w.CommitPart(w.ctx, metabase.CommitPart{Upload: up, Segments: uint32(len(parts[number]))})
			wantErr(t, "part", err, nil)
		}
	}
	_, err := w.CommitObject(w.ctx, metabase.CommitObject{Upload: whole, Segments: uint32(len(parts[0]))})
	wantErr(t, "object", err, nil)
}

func TestDownloadRanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	content := make([]byte, 3000)
	for i := range content {
		content[i] = byte(i * i >> 3)
	}
	layouts := map[string]map[uint32][]int{
		"one":      {0: {100}},
		"equal":    {0: {10, 10, 10, 10, 10, 10, 3}},
		"unequal":  {0: {1, 200, 3, 3, 50, 1, 1, 700}},
		"parts":    {1: {10, 10, 5}, 2: {7}, 9: {100, 100, 1}, 20: {3}},
		"one part": {5: {10, 20, 30}},
		"gaps":     {1: {}, 3: {10, 10}, 4: {}, 9: {5}, 10: {}},
		"many":     {},
	}
	for number := uint32(1); number <= 200; number++ { // more than the index's step
		layouts["many"][number] = []int{1 + int(number)%7, 3}
	}
	for name, parts := range layouts {
		size := 0
		for _, list := range parts {
			for _, n := range list {
				size += n
			}
		}
		chunks(t, w, name, content[:size], parts)
		ranges := 300
		if testing.Short() {
			ranges = 40
		}
		for range ranges {
			offset, length := rand.IntN(size), 1+rand.IntN(size)
			limit := 1 + rand.IntN(10)
			checkRange(t, w, name, content[:size], int64(offset), int64(length), limit)
		}
		checkRange(t, w, name, content[:size], 0, -1, 1)
		checkRange(t, w, name, content[:size], int64(size)-1, -1, 1)
		if t.Failed() {
			return
		}
	}
}

// checkRange reads a range page by page, as a client does, and compares what it holds.
func checkRange(t *testing.T, w *world, key string, content []byte, offset, length int64, limit int) {
	t.Helper()
	d, err := w.Download(w.ctx, w.ref(key), offset, length, limit)
	if err != nil {
		t.Fatalf("%s at %d for %d: %v", key, offset, length, err)
	}
	want := content[offset:]
	if length >= 0 && length < int64(len(want)) {
		want = want[:length]
	}
	if d.Offset != offset || d.Length != int64(len(want)) {
		t.Errorf("%s at %d for %d: resolved to %d for %d", key, offset, length, d.Offset, d.Length)
	}
	var got []byte
	segments, more := d.Segments, d.More
	for at, left := d.Offset, d.Length; ; {
		for _, s := range segments {
			if left == 0 || s.Offset > at || s.Offset+s.PlainSize <= at {
				t.Fatalf("%s: segment at %d does not hold %d", key, s.Offset, at)
			}
			part := s.Inline[at-s.Offset:]
			part = part[:min(int64(len(part)), left)]
			got = append(got, part...)
			at, left = at+int64(len(part)), left-int64(len(part))
		}
		if !more {
			break
		}
		if segments, more, err = w.Segments(w.ctx, d.Object.Stream, at, left, limit); err != nil || len(segments) == 0 {
			t.Fatalf("%s: %d segments at %d for %d, %v", key, len(segments), at, left, err)
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s at %d for %d: %d bytes, want %d", key, offset, length, len(got), len(want))
	}
}

func TestDownloadResolve(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("k", "0123456789")
	if _, err := w.CommitObject(w.ctx, metabase.CommitObject{Upload: w.upload("empty")}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		key            string
		offset, length int64
		from, count    int64
		segments       int
		want           error
	}{
		{"k", 0, -1, 0, 10, 1, nil},
		{"k", 3, 4, 3, 4, 1, nil},
		{"k", 3, 100, 3, 7, 1, nil},
		{"k", -4, -1, 6, 4, 1, nil},
		{"k", -4, 2, 6, 2, 1, nil},
		{"k", -100, -1, 0, 10, 1, nil},
		{"k", 0, 0, 0, 0, 0, nil},
		{"k", 10, -1, 0, 0, 0, metainfo.ErrRange},
		{"k", 11, 1, 0, 0, 0, metainfo.ErrRange},
		{"empty", 0, -1, 0, 0, 0, nil},
		{"empty", -5, -1, 0, 0, 0, nil},
		{"empty", 1, -1, 0, 0, 0, metainfo.ErrRange},
		{"none", 0, -1, 0, 0, 0, metainfo.ErrObjectNotFound},
	}
	for _, test := range tests {
		name := fmt.Sprintf("%s at %d for %d", test.key, test.offset, test.length)
		d, err := w.Download(w.ctx, w.ref(test.key), test.offset, test.length, 10)
		wantErr(t, name, err, test.want)
		if err == nil && (d.Offset != test.from || d.Length != test.count || len(d.Segments) != test.segments || d.More) {
			t.Errorf("%s: %d for %d, %d segments", name, d.Offset, d.Length, len(d.Segments))
		}
	}
	d, err := w.Download(w.ctx, w.ref("k"), 0, -1, 10)
	wantErr(t, "download", err, nil)
	w.put("k", "other")
	_, _, err = w.Segments(w.ctx, d.Object.Stream, 5, 5, 10)
	wantErr(t, "stream that is gone", err, metainfo.ErrObjectNotFound)
	_, _, err = w.Segments(w.ctx, d.Object.Stream, 0, 5, 10)
	wantErr(t, "stream that is gone", err, metainfo.ErrObjectNotFound)
}
