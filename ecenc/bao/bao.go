package bao

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"lukechampine.com/blake3/bao"
)

const (
	// group is the number of chunks in a group as a power of two, chunkSize the size of a chunk in BLAKE3.
	group     = 5
	chunkSize = 1024
	// GroupSize is the least content that a slice carries, in bytes, if there is that much.
	GroupSize = chunkSize << group
	// MaxSize is the largest content in bytes: its tree takes 1/512 of it in memory.
	MaxSize = 1 << 30
	// MaxLength is the longest range in bytes.
	MaxLength = 1 << 20

	headerSize = 8
	nodeSize   = 64
)

var (
	// ErrRange is returned for a range that is empty, too long, or not inside the content, and for a content over MaxSize.
	ErrRange = errors.New("range is not in the content")
	// ErrProof is returned for a slice that does not prove the range.
	ErrProof = errors.New("slice does not prove the content")
)

// check bounds everything that memory is taken for.
func check(size, offset, length int64) error {
	if size > MaxSize || offset < 0 || length <= 0 || length > MaxLength || offset > size-length {
		return fmt.Errorf("%w: %d bytes at %d of %d", ErrRange, length, offset, size)
	}
	return nil
}

// SliceSize is the bytes of the slice for [offset, offset+length) of a content of size bytes; 0 for a range that Slice
// refuses.
func SliceSize(size, offset, length int64) int64 {
	if check(size, offset, length) != nil {
		return 0
	}
	return headerSize + walk(0, size, offset, offset+length)
}

// walk adds up what the slice has of the subtree over [pos, pos+size).
func walk(pos, size, start, end int64) int64 {
	switch {
	case pos >= end || start >= pos+size:
		return 0
	case size <= GroupSize:
		return size
	}
	left := int64(1) << (bits.Len64(uint64(size-1)) - 1)
	return nodeSize + walk(pos, left, start, end) + walk(pos+left, size-left, start, end)
}

// Slice appends to dst the slice for [offset, offset+length) of the size bytes of r.
//
// It reads r once in order, and the groups of the range again; memory is size/512, two groups, and the slice.
// Errors: ErrRange; those of r, io.ErrUnexpectedEOF when it is shorter than size. Then dst is returned as it was.
func Slice(dst []byte, r io.ReaderAt, size, offset, length int64) ([]byte, error) {
	if err := check(size, offset, length); err != nil {
		return dst, err
	}
	tree := buffer(make([]byte, bao.EncodedSize(int(size), group, true)))
	if _, err := bao.Encode(tree, section(r, 0, size), size, group, true); err != nil {
		return dst, fmt.Errorf("hash content: %w", err)
	}
	first := offset / GroupSize * GroupSize
	out := &appender{buf: dst}
	err := bao.ExtractSlice(out, section(r, first, size), &reader{tree}, group, uint64(offset), uint64(length))
	if err != nil {
		return dst, fmt.Errorf("cut slice: %w", err)
	}
	return out.buf, nil
}

// section reads [start, end) of r.
func section(r io.ReaderAt, start, end int64) io.Reader {
	return io.NewSectionReader(r, start, end-start)
}

// Verify returns bytes [offset, offset+length) of the content of size bytes whose BLAKE3 hash is root, if slice proves
// them. They are a copy. Errors: ErrRange, ErrProof.
func Verify(root [32]byte, size, offset, length int64, slice []byte) ([]byte, error) {
	if err := check(size, offset, length); err != nil {
		return nil, err
	}
	if want := headerSize + walk(0, size, offset, offset+length); int64(len(slice)) != want {
		return nil, fmt.Errorf("%w: %d bytes instead of %d", ErrProof, len(slice), want)
	}
	if binary.LittleEndian.Uint64(slice) != uint64(size) {
		return nil, fmt.Errorf("%w: it is of a content of another size", ErrProof)
	}
	out := &appender{buf: make([]byte, 0, length)}
	ok, err := bao.DecodeSlice(out, &reader{slice}, group, uint64(offset), uint64(length), root)
	if err != nil || !ok || int64(len(out.buf)) != length {
		return nil, ErrProof
	}
	return out.buf, nil
}

// buffer is an io.WriterAt on memory of the right size.
type buffer []byte

func (b buffer) WriteAt(p []byte, off int64) (int, error) { return copy(b[off:], p), nil }

// appender is an io.Writer that appends.
type appender struct{ buf []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.buf = append(a.buf, p...)
	return len(p), nil
}

// reader reads memory without keeping more than a position.
type reader struct{ rest []byte }

func (r *reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
