package metabase_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"storj/ecenc"
	"storj/metainfo"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop/looptest"
	"storj/pieces"
)

func loopScheme() ecenc.Redundancy {
	return ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: 2, Repair: 3, Optimal: 4, Total: 5}
}

func openLoop(t *testing.T, segments int) (*metabase.DB, *memkv.Store, []metainfo.Segment) {
	t.Helper()
	store := memkv.New(memkv.Options{})
	db, err := metabase.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	var list []metainfo.Segment
	for i := range segments {
		s := looptest.Segment(i, loopScheme(), []metainfo.NodeAlias{1, 2, 3, 4}[:1+i%4])
		if i%5 == 0 { // inline
			s.Root, s.Redundancy, s.Pieces, s.Inline = pieces.PieceID{}, ecenc.Redundancy{}, nil, []byte(fmt.Sprint("inline", i))
		}
		list = append(list, s)
	}
	if err := looptest.Put(t.Context(), store, list...); err != nil {
		t.Fatal(err)
	}
	return db, store, list
}

// TestReadPage compares pages in memory that is used again with those of SegmentPage.
func TestReadPage(t *testing.T) {
	t.Parallel()
	db, store, list := openLoop(t, 500)
	if count, err := db.CountSegments(t.Context()); err != nil || count != 500 {
		t.Fatalf("counted %d, %v", count, err)
	}
	for _, end := range []metainfo.StreamID{{}, {0x80}, {0x01}} {
		for _, limit := range []int{1, 7, 499, 500, 1000} {
			var buffer metabase.PageBuffer
			from, more := metabase.SegmentPlace{}, true
			for more {
				want, wantNext, wantMore, err := db.SegmentPage(t.Context(), from, end, limit)
				if err != nil {
					t.Fatal(err)
				}
				next, again, err := db.ReadPage(t.Context(), from, end, limit, &buffer)
				if err != nil || next != wantNext || again != wantMore || buffer.Unreadable != 0 {
					t.Fatalf("limit %d: next %v, %v, want %v, %v: %v", limit, next, again, wantNext, wantMore, err)
				}
				if fmt.Sprintf("%+v", want) != fmt.Sprintf("%+v", buffer.Segments) && len(want) > 0 {
					t.Fatalf("limit %d: pages differ", limit)
				}
				from, more = next, again
			}
		}
	}
	for _, s := range list[3:6] {
		if err := looptest.Break(t.Context(), store, s); err != nil {
			t.Fatal(err)
		}
	}
	var buffer metabase.PageBuffer
	if _, _, err := db.ReadPage(t.Context(), metabase.SegmentPlace{}, metainfo.StreamID{}, 1000, &buffer); err != nil ||
		buffer.Unreadable != 3 || len(buffer.Segments) != 497 {
		t.Errorf("%d unreadable, %d others, %v", buffer.Unreadable, len(buffer.Segments), err)
	}
	if count, err := db.CountSegments(t.Context()); err != nil || count != 500 {
		t.Errorf("counted %d with unreadable rows, %v", count, err)
	}
}

func TestReplaceSegment(t *testing.T) {
	t.Parallel()
	db, store, list := openLoop(t, 10)
	saw := list[3]
	at := metabase.SegmentPlace{Stream: saw.Stream}
	good := metabase.Rewritten{
		Root:       pieces.PieceID{9},
		Redundancy: ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: 4, Repair: 6, Optimal: 8, Total: 10}.WithShareSize(saw.EncryptedSize),
		Repaired:   time.Unix(1_800_000_500, 0).UTC(),
	}
	for i := range 8 {
		good.Pieces = append(good.Pieces, metainfo.Piece{Number: i + 1, Alias: metainfo.NodeAlias(100 + i)})
	}
	for _, tt := range []struct {
		name   string
		change func(saw *metainfo.Segment, with *metabase.Rewritten, at *metabase.SegmentPlace)
		want   error
	}{
		{"no root", func(_ *metainfo.Segment, with *metabase.Rewritten, _ *metabase.SegmentPlace) {
			with.Root = pieces.PieceID{}
		}, metainfo.ErrSegment},
		{"no share size", func(_ *metainfo.Segment, with *metabase.Rewritten, _ *metabase.SegmentPlace) {
			with.Redundancy.ShareSize = 0
		}, metainfo.ErrSegment},
		{"too few pieces", func(_ *metainfo.Segment, with *metabase.Rewritten, _ *metabase.SegmentPlace) {
			with.Pieces = with.Pieces[:3]
		}, metainfo.ErrSegment},
		{"not in order", func(_ *metainfo.Segment, with *metabase.Rewritten, _ *metabase.SegmentPlace) {
			with.Pieces = slices.Clone(with.Pieces)
			slices.Reverse(with.Pieces)
		}, metainfo.ErrSegment},
		{"out of the scheme", func(_ *metainfo.Segment, with *metabase.Rewritten, _ *metabase.SegmentPlace) {
			with.Pieces = append(slices.Clone(with.Pieces), metainfo.Piece{Number: 10, Alias: 1})
		}, metainfo.ErrSegment},
		{"others were seen", func(saw *metainfo.Segment, _ *metabase.Rewritten, _ *metabase.SegmentPlace) {
			saw.Pieces = saw.Pieces[1:]
		}, metainfo.ErrObjectChanged},
		{"another root was seen", func(saw *metainfo.Segment, _ *metabase.Rewritten, _ *metabase.SegmentPlace) { saw.Root[0] ^= 1 }, metainfo.ErrObjectChanged},
		{"gone", func(_ *metainfo.Segment, _ *metabase.Rewritten, at *metabase.SegmentPlace) { at.Position.Index = 5 }, metainfo.ErrObjectNotFound},
		{"good", func(*metainfo.Segment, *metabase.Rewritten, *metabase.SegmentPlace) {}, nil},
	} {
		old, with, place := saw, good, at
		tt.change(&old, &with, &place)
		err := db.ReplaceSegment(t.Context(), place, &old, with)
		if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	got, err := db.LiveSegment(t.Context(), at)
	if err != nil || got.Root != good.Root || got.Redundancy != good.Redundancy || !slices.Equal(got.Pieces, good.Pieces) ||
		!got.Repaired.Equal(good.Repaired) || got.EncryptedSize != saw.EncryptedSize || !got.Created.Equal(saw.Created) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := looptest.Delete(t.Context(), store, saw); err != nil {
		t.Fatal(err)
	}
	if _, err := db.LiveSegment(t.Context(), at); !errors.Is(err, metainfo.ErrObjectNotFound) {
		t.Errorf("deleted: %v", err)
	}
}
