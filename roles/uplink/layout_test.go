package uplink

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"testing"

	"storj/ecenc"
	"storj/ecenc/cipher"
	"storj/ecenc/wire"
	"storj/metainfo"
)

// TestLayoutPlacesEverySegment walks layouts segment by segment and adds up what the object should be.
func TestLayoutPlacesEverySegment(t *testing.T) {
	t.Parallel()
	const segmentSize = 100
	tests := []struct {
		name string
		runs []partRun
	}{
		{"one go", []partRun{{0, 1, 1234}}},
		{"empty", []partRun{{0, 1, 0}}},
		{"equal parts", []partRun{{1, 5, 300}}},
		{"equal parts and a short one", []partRun{{1, 5, 300}, {6, 1, 17}}},
		{"gaps and empty parts", []partRun{{2, 1, 250}, {4, 3, 0}, {9, 2, 100}, {10000, 1, 1}}},
		{"every number", []partRun{{1, metainfo.MaxParts, 101}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := sealOf(segmentSize, test.runs)
			l, err := newLayout(s, test.runs)
			if err != nil {
				t.Fatal(err)
			}
			var end int64
			segments := uint32(0)
			for _, r := range test.runs {
				for number := r.first; number < r.first+r.count; number++ {
					for index := uint32(0); int64(index) < l.segmentsOf(r.size); index++ {
						offset, size, ok := l.segment(metainfo.Position{Part: number, Index: index})
						if !ok || offset != end || size > segmentSize {
							t.Fatalf("segment %d/%d lies at %d+%d, %t, want %d", number, index, offset, size, ok, end)
						}
						end += size
						segments++
					}
					if _, _, ok := l.segment(metainfo.Position{Part: number, Index: uint32(l.segmentsOf(r.size))}); ok {
						t.Fatalf("part %d goes on behind its end", number)
					}
				}
				if _, _, ok := l.segment(metainfo.Position{Part: r.first + r.count + 20000}); ok {
					t.Fatal("a part that is not there")
				}
			}
			if end != s.plainSize || segments != s.segments {
				t.Errorf("%d bytes in %d segments, want %d in %d", end, segments, s.plainSize, s.segments)
			}
		})
	}
}

// sealOf is the seal of an object of these parts.
func sealOf(segmentSize int64, runs []partRun) *seal {
	s := &seal{segmentSize: segmentSize, custom: CustomMetadata{}, tags: Tags{}}
	if runs[0].first > 0 {
		s.parts = runs
	}
	l := &layout{segmentSize: segmentSize}
	for _, r := range runs {
		s.plainSize += int64(r.count) * r.size
		s.segments += r.count * uint32(l.segmentsOf(r.size))
	}
	return s
}

func TestLayoutRefuses(t *testing.T) {
	t.Parallel()
	good := []partRun{{1, 2, 100}, {3, 1, 50}}
	tests := []struct {
		name   string
		change func(s *seal, runs []partRun) []partRun
	}{
		{"other size", func(s *seal, runs []partRun) []partRun { s.plainSize++; return runs }},
		{"other count", func(s *seal, runs []partRun) []partRun { s.segments--; return runs }},
		{"part left out", func(_ *seal, runs []partRun) []partRun { return runs[:1] }},
		{"no parts", func(*seal, []partRun) []partRun { return nil }},
		{"overlap", func(_ *seal, runs []partRun) []partRun { runs[1].first = 2; return runs }},
		{"descending", func(_ *seal, runs []partRun) []partRun { return []partRun{runs[1], runs[0]} }},
		{"huge part", func(_ *seal, runs []partRun) []partRun { runs[1].size = 1 << 62; return runs }},
		{"no segment size", func(s *seal, runs []partRun) []partRun { s.segmentSize = 0; return runs }},
		{"negative segment size", func(s *seal, runs []partRun) []partRun { s.segmentSize = -5; return runs }},
	}
	for _, test := range tests {
		runs := append([]partRun(nil), good...)
		s := sealOf(60, runs)
		if _, err := newLayout(s, runs); err != nil {
			t.Fatal(err)
		}
		if _, err := newLayout(s, test.change(s, runs)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestAppendPart(t *testing.T) {
	t.Parallel()
	var runs []partRun
	for _, p := range []struct {
		number uint32
		size   int64
	}{{1, 5}, {2, 5}, {3, 5}, {4, 6}, {6, 6}, {7, 6}} {
		runs = appendPart(runs, p.number, p.size)
	}
	if want := []partRun{{1, 3, 5}, {4, 1, 6}, {6, 2, 6}}; !reflect.DeepEqual(runs, want) {
		t.Errorf("got %v, want %v", runs, want)
	}
	if hashParts(runs) != hashParts([]partRun{{1, 1, 5}, {2, 2, 5}, {4, 1, 6}, {6, 2, 6}}) {
		t.Error("the hash depends on how parts are gathered")
	}
	if hashParts(runs) == hashParts(runs[:2]) {
		t.Error("the hash does not depend on the parts")
	}
}

// TestSealOfManyParts holds that what does not fit is replaced by its hash, whatever metadata stands beside it.
func TestSealOfManyParts(t *testing.T) {
	t.Parallel()
	content := ecenc.Key{1}
	for _, count := range []int{1, 100, 250, 500, maxRuns, maxRuns + 1, metainfo.MaxParts} {
		for _, entries := range []int{0, 200} {
			var runs []partRun
			for i := range count {
				runs = append(runs, partRun{uint32(i + 1), 1, int64(1000 + i%2)})
			}
			s := sealOf(testSegment, runs)
			for i := range entries {
				s.custom[fmt.Sprintf("key %d", i)] = "x"
			}
			box, err := sealMetadata(content, s)
			if err != nil || len(box) > metainfo.MaxMetadataSize {
				t.Fatalf("%d runs, %d entries: %d bytes, %v", count, entries, len(box), err)
			}
			got, err := openSeal(content, box)
			if err != nil {
				t.Fatal(err)
			}
			kept := got.parts != nil
			if !kept && got.partsHash != hashParts(runs) || kept && !reflect.DeepEqual(got.parts, runs) {
				t.Errorf("%d runs, %d entries: neither parts nor their hash", count, entries)
			}
			if count <= 100 && !kept || count > maxRuns && kept {
				t.Errorf("%d runs, %d entries: kept is %t", count, entries, kept)
			}
			if !maps.Equal(got.custom, s.custom) {
				t.Errorf("%d runs: metadata differs", count)
			}
		}
	}
}

func TestSealTooLarge(t *testing.T) {
	t.Parallel()
	s := sealOf(testSegment, []partRun{{0, 1, 5}})
	for i := range MaxTags {
		s.tags[fmt.Sprintf("tag %d", i)] = string(make([]byte, MaxTagValue))
	}
	if _, err := sealMetadata(ecenc.Key{1}, s); !errors.Is(err, ErrMetadataInvalid) {
		t.Errorf("got %v", err)
	}
}

// FuzzLayout reads what the owner alone can have written, but for a bug: it must not panic, and comes back the same.
func FuzzLayout(f *testing.F) {
	for _, runs := range [][]partRun{{{0, 1, 5}}, {{1, 100, testSegment}, {101, 1, 7}}} {
		s := sealOf(testSegment, runs)
		s.custom["a"], s.tags["b"] = "c", "d"
		f.Add(wire.Marshal(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := new(seal)
		if wire.Unmarshal(raw, s) != nil {
			return
		}
		l, err := newLayout(s, s.parts)
		if err == nil {
			l.segment(metainfo.Position{Part: 1})
		}
		again := new(seal)
		if err := wire.Unmarshal(wire.Marshal(s), again); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}

// FuzzPartSeal is the same for parts.
func FuzzPartSeal(f *testing.F) {
	f.Add(wire.Marshal(&partSeal{number: 1, plainSize: 5, metadata: CustomMetadata{"etag": "abc"}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := new(partSeal)
		if wire.Unmarshal(raw, s) != nil {
			return
		}
		content := ecenc.Key{1}
		box, err := cipher.SealBox(content, partPurpose, raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := openPart(content, &metainfo.Part{Number: s.number, PlainSize: s.plainSize, Metadata: box}); err != nil &&
			!errors.Is(err, ErrCorrupt) {
			t.Error(err)
		}
	})
}
