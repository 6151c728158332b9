package metabase_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"storj/metainfo"
	"storj/metainfo/metabase"
)

// TestCopiedSegments names what copies wrote, each stream once, and nothing else.
func TestCopiedSegments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("plain", "plain")
	w.putParts("parts", "one", "two", "three")
	began := time.Now()
	for i, key := range []string{"plain", "parts", "plain"} {
		_, err := w.CopyObject(w.ctx, metabase.CopyObject{From: w.ref(key), To: w.ref(fmt.Sprint("copy ", i)), WrappedKey: []byte("k")})
		wantErr(t, "copy", err, nil)
	}
	w.put("another", "another")
	w.delete(w.ref("copy 2"))
	for more := true; more; {
		var err error
		_, more, err = w.SweepDead(w.ctx)
		wantErr(t, "sweep", err, nil)
	}
	contents := make(map[string]int)
	err := w.CopiedSegments(w.ctx, began, func(page []metainfo.Segment) error {
		for _, s := range page {
			contents[string(s.Inline)]++
		}
		return nil
	})
	wantErr(t, "copied", err, nil)
	if len(contents) != 4 || contents["plain"] != 1 || contents["one"] != 1 || contents["two"] != 1 || contents["three"] != 1 {
		t.Errorf("%v", contents)
	}
	stop := errors.New("stop")
	wantErr(t, "an error ends it", w.CopiedSegments(w.ctx, began, func([]metainfo.Segment) error { return stop }), stop)
	wantErr(t, "prune", w.PruneCopies(w.ctx, time.Now().Add(time.Hour)), nil)
	err = w.CopiedSegments(w.ctx, began, func([]metainfo.Segment) error { return stop })
	wantErr(t, "after pruning", err, nil)
}

// TestReplacedPiecesAreNoted: a repair may have found a piece of a copy on its node.
func TestReplacedPiecesAreNoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	up := w.upload("remote")
	segment := remoteSegment(80)
	segment.Stream = up.Stream
	_, err := w.CommitObject(w.ctx, metabase.CommitObject{Upload: up, Last: segment, Segments: 1, WrappedKey: []byte("k")})
	wantErr(t, "commit", err, nil)
	with := append([]metainfo.Piece(nil), segment.Pieces...)
	with[3].Alias = 77
	wantErr(t, "replace", w.ReplacePieces(w.ctx, metabase.SegmentPlace{Stream: up.Stream}, segment.Pieces, with, time.Now()), nil)
	found := 0
	err = w.CopiedSegments(w.ctx, time.Now(), func(page []metainfo.Segment) error {
		for _, s := range page {
			if s.Stream == up.Stream && s.Pieces[3].Alias == 77 {
				found++
			}
		}
		return nil
	})
	if err != nil || found != 1 {
		t.Errorf("found %d times, %v", found, err)
	}
}
