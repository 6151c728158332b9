package uplink

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sort"

	"storj/ecenc/cipher"
	"storj/ecenc/wire"
	"storj/metainfo"
)

// partRun is parts of one size whose numbers follow each other. An object that was uploaded in one go is one part, of number 0.
type partRun struct {
	first uint32
	count uint32
	size  int64 // plaintext bytes of each
}

// Fields codes the run for wire.
func (r *partRun) Fields(c *wire.Codec) {
	c.Uint32(1, &r.first)
	c.Uint32(2, &r.count)
	c.Int(3, &r.size)
	if c.Decoding() && (r.first == 0 || r.count == 0 || uint64(r.first)+uint64(r.count) > metainfo.MaxParts+1 || r.size < 0) {
		c.Fail()
	}
}

// appendPart adds a part behind the last one.
func appendPart(runs []partRun, number uint32, size int64) []partRun {
	if last := len(runs) - 1; last >= 0 && runs[last].size == size && runs[last].first+runs[last].count == number {
		runs[last].count++
		return runs
	}
	return append(runs, partRun{number, 1, size})
}

// hashParts is what binds a list of parts that is too long for the seal; FORMAT in the package comment.
func hashParts(runs []partRun) (sum [sha256.Size]byte) {
	h := sha256.New()
	var line [12]byte
	for _, r := range runs {
		for i := range r.count {
			binary.BigEndian.PutUint32(line[:], r.first+i)
			binary.BigEndian.PutUint64(line[4:], uint64(r.size))
			h.Write(line[:])
		}
	}
	h.Sum(sum[:0])
	return sum
}

// layout says where each segment of an object lies, as its owner sealed it.
type layout struct {
	segmentSize int64
	spans       []span
}

// span is a run of parts at its place in the object.
type span struct {
	partRun
	offset int64 // plaintext bytes before it
}

// newLayout places the parts and compares them with the other numbers of the seal. Errors: ErrCorrupt.
func newLayout(s *seal, runs []partRun) (*layout, error) {
	if s.segmentSize < 1 || s.segmentSize > metainfo.SegmentSize {
		return nil, fmt.Errorf("%w: segments of %d bytes", ErrCorrupt, s.segmentSize)
	}
	l := &layout{segmentSize: s.segmentSize}
	var size, segments int64
	next := uint32(0)
	for _, r := range runs {
		if r.first < next || r.size > maxPartSize {
			return nil, fmt.Errorf("%w: parts out of order", ErrCorrupt)
		}
		next = r.first + r.count
		l.spans = append(l.spans, span{r, size})
		size += int64(r.count) * r.size
		segments += int64(r.count) * l.segmentsOf(r.size)
	}
	if size != s.plainSize || segments != int64(s.segments) {
		return nil, fmt.Errorf("%w: parts of %d bytes in %d segments, the object has %d in %d",
			ErrCorrupt, size, segments, s.plainSize, s.segments)
	}
	return l, nil
}

// maxPartSize keeps sums of MaxParts sizes in bounds, bytes; no part can be as large.
const maxPartSize = 1 << 60 / metainfo.MaxParts

// segmentsOf is how many segments a part of size bytes has; an empty one has one.
func (l *layout) segmentsOf(size int64) int64 {
	return max(1, (size+l.segmentSize-1)/l.segmentSize)
}

// check compares a segment with what the owner sealed. With what the cipher authenticates, the position and the end of
// the segment, nothing can be left out, moved or repeated. Errors: ErrCorrupt.
func (l *layout) check(seg *metainfo.DownloadSegment) error {
	plain, err := cipher.PlainSize(seg.EncryptedSize)
	inline := seg.Redundancy.Required == 0
	offset, size, placed := l.segment(seg.Position)
	switch {
	case err != nil || plain != seg.PlainSize || plain > metainfo.SegmentSize:
	case !placed || seg.PlainOffset != offset || seg.PlainSize != size:
	case inline && int64(len(seg.Inline)) != seg.EncryptedSize:
	case !inline && (seg.Redundancy.Validate() != nil || seg.Redundancy.ShareSize == 0):
	default:
		return nil
	}
	return fmt.Errorf("%w: segment %s has impossible numbers", ErrCorrupt, seg.Position)
}

// segment returns where in the object a segment lies, in plaintext bytes.
func (l *layout) segment(at metainfo.Position) (offset, size int64, placed bool) {
	i := sort.Search(len(l.spans), func(i int) bool { return l.spans[i].first > at.Part }) - 1
	if i < 0 || at.Part-l.spans[i].first >= l.spans[i].count {
		return 0, 0, false
	}
	s := &l.spans[i]
	if int64(at.Index) >= l.segmentsOf(s.size) {
		return 0, 0, false
	}
	inPart := int64(at.Index) * l.segmentSize
	offset = s.offset + int64(at.Part-s.first)*s.size + inPart
	return offset, min(l.segmentSize, s.size-inPart), true
}
