package filter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"
	"time"

	"storj/ecenc/wire"
	"storj/pieces"
)

const (
	// DefaultRate is how much of the garbage a filter leaves behind.
	DefaultRate = 0.01

	// MaxSize is the largest encoded filter in bytes.
	MaxSize = 3 + maxHeader + pieces.MaxFilter + sumSize

	version   = 1
	maxHashes = 32
	minSize   = 64 // bytes
	maxHeader = 128
	sumSize   = 4
)

// ErrMalformed is returned for bytes or headers that are no filter.
var ErrMalformed = errors.New("malformed garbage filter")

// errShape is returned by Merge for filters of different size, hashes or seed.
var errShape = errors.New("garbage filters of different shape")

// Filter is a Bloom filter of piece IDs.
type Filter struct {
	bits   []byte
	seed   uint64
	hashes uint32
	count  int64
}

// New returns an empty filter sized for so many pieces at a false positive rate between 0 and 1, exclusive; outside of
// that it is DefaultRate. It never has more than pieces.MaxFilter bytes: with more pieces than that serves, or than were
// announced, the rate gets worse.
func New(count int64, seed uint64, rate float64) *Filter {
	if !(rate > 0 && rate < 1) {
		rate = DefaultRate
	}
	perPiece := -math.Log(rate) / (math.Ln2 * math.Ln2) // bits; Bloom 1970
	count = max(count, 1)
	size := min(max(math.Ceil(float64(count)*perPiece/8), minSize), pieces.MaxFilter)
	hashes := math.Round(size * 8 / float64(count) * math.Ln2)
	best := math.Round(-math.Log2(rate)) // more than the rate needs costs time and gains nothing
	return &Filter{
		bits: make([]byte, int(size)), seed: seed, hashes: uint32(min(max(hashes, 1), max(best, 1), maxHashes)),
	}
}

// Add puts a piece into the filter.
func (f *Filter) Add(id pieces.PieceID) {
	h, step := f.hash(id)
	m := uint64(len(f.bits)) * 8
	for range f.hashes {
		bit, _ := bits.Mul64(h, m)
		f.bits[bit/8] |= 1 << (bit % 8)
		h += step
	}
	f.count++
}

// Contains says whether the piece was added, or looks as if.
func (f *Filter) Contains(id pieces.PieceID) bool {
	h, step := f.hash(id)
	m := uint64(len(f.bits)) * 8
	for range f.hashes {
		bit, _ := bits.Mul64(h, m)
		if f.bits[bit/8]&(1<<(bit%8)) == 0 {
			return false
		}
		h += step
	}
	return true
}

func (f *Filter) hash(id pieces.PieceID) (h, step uint64) {
	h = mix(binary.LittleEndian.Uint64(id[:8]) ^ f.seed)
	step = mix(binary.LittleEndian.Uint64(id[8:16])+f.seed) | 1
	return h, step
}

func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// Merge adds what is in other, which must be of the same size, hashes and seed, as filters of equal arguments of New are.
func (f *Filter) Merge(other *Filter) error {
	if len(f.bits) != len(other.bits) || f.seed != other.seed || f.hashes != other.hashes {
		return errShape
	}
	for i, b := range other.bits {
		f.bits[i] |= b
	}
	f.count += other.count
	return nil
}

// Count is how many pieces were added.
func (f *Filter) Count() int64 { return f.count }

// Size is the length of the bits in bytes.
func (f *Filter) Size() int64 { return int64(len(f.bits)) }

// Bits returns what follows the header on a stream; it stays the filter's.
func (f *Filter) Bits() []byte { return f.bits }

// FalsePositives estimates from its fill which part of the garbage the filter lets pass.
func (f *Filter) FalsePositives() float64 {
	ones := 0
	for _, b := range f.bits {
		ones += bits.OnesCount8(b)
	}
	return math.Pow(float64(ones)/float64(len(f.bits)*8), float64(f.hashes))
}

// Header describes the filter to the node. created is that of pieces.RetainHeader: younger pieces are not in question.
func (f *Filter) Header(created time.Time) pieces.RetainHeader {
	return pieces.RetainHeader{Created: created, Pieces: f.count, Seed: f.seed, Hashes: f.hashes, Size: f.Size()}
}

// CheckHeader says whether a header can be one of New's. Errors: ErrMalformed.
func CheckHeader(h *pieces.RetainHeader) error {
	switch {
	case h.Size < 1 || h.Size > pieces.MaxFilter:
		return fmt.Errorf("%w: %d bytes", ErrMalformed, h.Size)
	case h.Hashes < 1 || h.Hashes > maxHashes:
		return fmt.Errorf("%w: %d hashes", ErrMalformed, h.Hashes)
	case h.Pieces < 0 || h.Created.IsZero():
		return fmt.Errorf("%w: no date or a negative count", ErrMalformed)
	}
	return nil
}

// FromHeader returns the filter of a header and its bits, which it takes over. Errors: ErrMalformed.
func FromHeader(h *pieces.RetainHeader, bits []byte) (*Filter, error) {
	if err := CheckHeader(h); err != nil {
		return nil, err
	}
	if int64(len(bits)) != h.Size {
		return nil, fmt.Errorf("%w: %d bytes of %d", ErrMalformed, len(bits), h.Size)
	}
	return &Filter{bits: bits, seed: h.Seed, hashes: h.Hashes, count: h.Pieces}, nil
}

// Marshal returns the filter and its date as bytes.
func (f *Filter) Marshal(created time.Time) []byte {
	header := f.Header(created)
	raw := AppendHeader(make([]byte, 0, 3+maxHeader+len(f.bits)+sumSize), &header)
	raw = append(raw, f.bits...)
	return binary.BigEndian.AppendUint32(raw, Checksum(0, raw))
}

// AppendHeader appends what Marshal has before the bits, for those who write a filter while they receive it.
func AppendHeader(dst []byte, header *pieces.RetainHeader) []byte {
	head := wire.Marshal(header)
	dst = append(dst, version)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(head)))
	return append(dst, head...)
}

// Checksum goes on with the checksum of Marshal, which starts at 0.
func Checksum(sum uint32, p []byte) uint32 {
	return crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), p)
}

// Unmarshal reads what Marshal returned; the filter's bits alias raw. Errors: ErrMalformed.
func Unmarshal(raw []byte) (f *Filter, created time.Time, err error) {
	if len(raw) < 3+sumSize || len(raw) > MaxSize || raw[0] != version {
		return nil, time.Time{}, fmt.Errorf("%w: length or version", ErrMalformed)
	}
	body, sum := raw[:len(raw)-sumSize], binary.BigEndian.Uint32(raw[len(raw)-sumSize:])
	head := int(binary.BigEndian.Uint16(raw[1:]))
	if head > maxHeader || 3+head > len(body) || Checksum(0, body) != sum {
		return nil, time.Time{}, fmt.Errorf("%w: checksum", ErrMalformed)
	}
	var h pieces.RetainHeader
	if err := wire.Unmarshal(body[3:3+head], &h); err != nil {
		return nil, time.Time{}, fmt.Errorf("%w: header", ErrMalformed)
	}
	f, err = FromHeader(&h, body[3+head:])
	return f, h.Created, err
}
