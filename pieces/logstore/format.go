package logstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"storj/netx"
	"storj/pieces"
)

// The numbers of the format; see the FORMAT section of the package comment.
const (
	formatVersion = 1
	syncSize      = 8
	headerSize    = 100
	crcSize       = 4
	blockSize     = 32 << 10 // body bytes under one checksum: one cipher block, one share
	itemSize      = sha256.Size + 4 + 4
	entrySize     = 26
	rowSize       = 18

	// maxItems bounds one mutation record: 4096 pieces in 160 KiB.
	maxItems = 4096
	maxProof = pieces.MaxProofSize
	// minRecord is the length of a record without body and proof.
	minRecord = headerSize + footerFixed
	// footerFixed is the length of a footer without block checksums and proof.
	footerFixed = 2 + crcSize
)

// A whole piece with everything around it must stay addressable by the 32-bit offsets of a log.
var _ [1]struct{} = [1 - (maxLogSize+pieces.MaxPieceSize+1<<20)>>32]struct{}{}

// kind tells records apart; the list is append-only.
type kind uint8

const (
	kindPiece   kind = 1 // body: the bytes of a piece
	kindTrash   kind = 2 // body: items which went to the trash at the header's time
	kindRestore kind = 3 // body: items which came out of the trash
	kindDelete  kind = 4 // body: items which are garbage
	kindCopy    kind = 5 // like kindPiece, made by compaction: garbage unless adopted
	kindAdopt   kind = 6 // body: items which are copies that count
	kindEnd     kind = 7
)

// isPiece says whether the record holds a piece; the others are mutations.
func (k kind) isPiece() bool { return k == kindPiece || k == kindCopy }

// String returns the name that Dump prints.
func (k kind) String() string {
	return [...]string{"?", "piece", "trash", "restore", "delete", "copy", "adopt"}[min(k, kindEnd)%kindEnd]
}

// errTorn and errRecord are what parsing a record finds; they never leave the package alone.
var (
	errTorn   = errors.New("record is cut off")
	errRecord = errors.New("record is damaged")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func updateSum(sum uint32, p []byte) uint32 { return crc32.Update(sum, castagnoli, p) }

func checksum(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }

// syncMark is what every record of one log starts with.
type syncMark [syncSize]byte

// syncOf derives the mark of a log. Who uploads does not know the store's ID and so cannot write into a piece what the
// search for the next record after a damaged one would take for a record.
func syncOf(store storeID, log uint32) (mark syncMark) {
	sum := sha256.New()
	sum.Write([]byte("storj/log-sync/v1\x00"))
	sum.Write(store[:])
	sum.Write(binary.BigEndian.AppendUint32(nil, log))
	copy(mark[:], sum.Sum(nil))
	return mark
}

// header is the start of a record.
type header struct {
	kind      kind
	size      uint32 // bytes of body
	created   int64  // Unix seconds; of mutations: when
	expires   int64  // Unix seconds; 0: never
	satellite netx.NodeID
	piece     pieces.PieceID // zero for mutations
}

// append adds the encoded header to dst.
func (h *header) append(dst []byte, mark syncMark) []byte {
	start := len(dst)
	dst = append(dst, mark[:]...)
	dst = append(dst, formatVersion, byte(h.kind), 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, h.size)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.created))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.expires))
	dst = append(dst, h.satellite[:]...)
	dst = append(dst, h.piece[:]...)
	return binary.BigEndian.AppendUint32(dst, checksum(dst[start:]))
}

// decodeHeader reads the first headerSize bytes of p. Errors: errRecord.
func decodeHeader(p []byte, mark syncMark) (h header, err error) {
	if len(p) < headerSize || !bytes.Equal(p[:syncSize], mark[:]) {
		return h, errRecord
	}
	sum := binary.BigEndian.Uint32(p[headerSize-crcSize:])
	if sum != checksum(p[:headerSize-crcSize]) || p[8] != formatVersion || p[10] != 0 || p[11] != 0 {
		return h, errRecord
	}
	h.kind = kind(p[9])
	h.size = binary.BigEndian.Uint32(p[12:])
	h.created = int64(binary.BigEndian.Uint64(p[16:]))
	h.expires = int64(binary.BigEndian.Uint64(p[24:]))
	copy(h.satellite[:], p[32:])
	copy(h.piece[:], p[64:])
	return h, h.validate()
}

func (h *header) validate() error {
	switch {
	case h.kind == 0 || h.kind >= kindEnd:
		return errRecord
	case h.kind.isPiece() && h.size > pieces.MaxPieceSize:
		return errRecord
	case !h.kind.isPiece() && (h.size > maxItems*itemSize || h.size%itemSize != 0):
		return errRecord
	}
	return nil
}

// blockCount is how many checksums cover a body of size bytes.
func blockCount(size int64) int64 { return (size + blockSize - 1) / blockSize }

// recordSize is the length of a whole record in bytes.
func recordSize(size int64, proof int) int64 {
	return headerSize + size + crcSize*blockCount(size) + footerFixed + int64(proof)
}

// maxRecordSize is recordSize with the largest proof: what an upload reserves.
func maxRecordSize(size int64) int64 { return recordSize(size, pieces.MaxProofSize) }

// appendFooter adds the footer of the record whose encoded header and block checksums are given.
func appendFooter(dst, encodedHeader []byte, sums []uint32, proof []byte) []byte {
	start := len(dst)
	for _, sum := range sums {
		dst = binary.BigEndian.AppendUint32(dst, sum)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(proof)))
	dst = append(dst, proof...)
	seal := updateSum(checksum(encodedHeader), dst[start:])
	return binary.BigEndian.AppendUint32(dst, seal)
}

// appendSeal adds the checksum that ends a footer, which is given without it.
func appendSeal(foot, encodedHeader []byte) []byte {
	return binary.BigEndian.AppendUint32(foot, updateSum(checksum(encodedHeader), foot))
}

// footer is the end of a record. Its slices alias what it was decoded from.
type footer struct {
	sums  []byte // big endian CRC-32C of each block
	proof []byte
}

func (f *footer) sum(block int) uint32 { return binary.BigEndian.Uint32(f.sums[block*crcSize:]) }

// decodeFooter reads the footer at the start of p, which may be longer. Errors: errTorn if p is too short, errRecord.
func decodeFooter(p, encodedHeader []byte, size int64) (f footer, err error) {
	table := crcSize * int(blockCount(size))
	if len(p) < table+footerFixed {
		return f, errTorn
	}
	proof := int(binary.BigEndian.Uint16(p[table:]))
	if proof > pieces.MaxProofSize {
		return f, errRecord
	}
	end := table + 2 + proof
	if len(p) < end+crcSize {
		return f, errTorn
	}
	seal := updateSum(checksum(encodedHeader), p[:end])
	if seal != binary.BigEndian.Uint32(p[end:]) {
		return f, errRecord
	}
	return footer{sums: p[:table:table], proof: p[table+2 : end : end]}, nil
}

// blockSums returns the checksum of each block of a body.
func blockSums(body []byte) []uint32 {
	sums := make([]uint32, 0, blockCount(int64(len(body))))
	for len(body) > 0 {
		n := min(len(body), blockSize)
		sums = append(sums, checksum(body[:n]))
		body = body[n:]
	}
	return sums
}

// location is where a record starts.
type location struct {
	log    uint32
	offset uint32
}

// item names a piece record inside a mutation.
type item struct {
	piece pieces.PieceID
	at    location
}

// appendItems adds the body of a mutation to dst.
func appendItems(dst []byte, items []item) []byte {
	for _, it := range items {
		dst = append(dst, it.piece[:]...)
		dst = binary.BigEndian.AppendUint32(dst, it.at.log)
		dst = binary.BigEndian.AppendUint32(dst, it.at.offset)
	}
	return dst
}

// decodeItems reads the body of a mutation; its length was checked with the header.
func decodeItems(body []byte) []item {
	items := make([]item, 0, len(body)/itemSize)
	for ; len(body) >= itemSize; body = body[itemSize:] {
		var it item
		copy(it.piece[:], body)
		it.at.log = binary.BigEndian.Uint32(body[32:])
		it.at.offset = binary.BigEndian.Uint32(body[36:])
		items = append(items, it)
	}
	return items
}

// entry is what the index knows of a piece. Times are Unix seconds, 0 for none.
type entry struct {
	at      location
	size    uint32
	proof   uint16 // bytes
	created uint32
	expires uint32
	trashed uint32
}

// diskSize is the length of the entry's record.
func (e entry) diskSize() int64 { return recordSize(int64(e.size), int(e.proof)) }

func (e entry) encode() []byte {
	p := make([]byte, 0, entrySize)
	p = binary.BigEndian.AppendUint32(p, e.at.log)
	p = binary.BigEndian.AppendUint32(p, e.at.offset)
	p = binary.BigEndian.AppendUint32(p, e.size)
	p = binary.BigEndian.AppendUint16(p, e.proof)
	p = binary.BigEndian.AppendUint32(p, e.created)
	p = binary.BigEndian.AppendUint32(p, e.expires)
	return binary.BigEndian.AppendUint32(p, e.trashed)
}

func decodeEntry(p []byte) (e entry, err error) {
	if len(p) != entrySize {
		return e, fmt.Errorf("index entry of %d bytes: %w", len(p), pieces.ErrCorrupt)
	}
	e.at.log = binary.BigEndian.Uint32(p)
	e.at.offset = binary.BigEndian.Uint32(p[4:])
	e.size = binary.BigEndian.Uint32(p[8:])
	e.proof = binary.BigEndian.Uint16(p[12:])
	e.created = binary.BigEndian.Uint32(p[14:])
	e.expires = binary.BigEndian.Uint32(p[18:])
	e.trashed = binary.BigEndian.Uint32(p[22:])
	if e.size > pieces.MaxPieceSize || e.proof > pieces.MaxProofSize {
		return e, fmt.Errorf("index entry with impossible size: %w", pieces.ErrCorrupt)
	}
	return e, nil
}

func (e entry) info(piece pieces.PieceID) pieces.Info {
	return pieces.Info{
		Piece: piece, Size: int64(e.size),
		Created: fromSeconds(e.created), Expires: fromSeconds(e.expires), Trashed: fromSeconds(e.trashed),
	}
}

// toSeconds rounds down and clamps: 1 to the end of 32 bits, in 2106; 0 is the zero time.
func toSeconds(t time.Time) uint32 {
	if t.IsZero() {
		return 0
	}
	return uint32(min(max(t.Unix(), 1), math.MaxUint32))
}

// toSecondsUp is toSeconds rounded up.
func toSecondsUp(t time.Time) uint32 {
	if t.IsZero() {
		return 0
	}
	return toSeconds(t.Add(time.Second - 1))
}

func fromSeconds(s uint32) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}

// row is what the index knows of a log.
type row struct {
	journal   bool
	sealed    bool   // never appended to again
	day       uint32 // of expiry of all its pieces, days since 1970; 0: none
	committed uint32 // bytes; everything below is in the index
	live      uint32 // bytes of records of live pieces
	trash     uint32 // bytes of records of pieces in the trash
}

func (r row) encode() []byte {
	p := make([]byte, 2, rowSize)
	if r.journal {
		p[0] = 1
	}
	if r.sealed {
		p[1] = 1
	}
	p = binary.BigEndian.AppendUint32(p, r.day)
	p = binary.BigEndian.AppendUint32(p, r.committed)
	p = binary.BigEndian.AppendUint32(p, r.live)
	return binary.BigEndian.AppendUint32(p, r.trash)
}

func decodeRow(p []byte) (r row, err error) {
	if len(p) != rowSize || p[0] > 1 || p[1] > 1 {
		return r, fmt.Errorf("index row of a log: %w", pieces.ErrCorrupt)
	}
	r.journal, r.sealed = p[0] == 1, p[1] == 1
	r.day = binary.BigEndian.Uint32(p[2:])
	r.committed = binary.BigEndian.Uint32(p[6:])
	r.live = binary.BigEndian.Uint32(p[10:])
	r.trash = binary.BigEndian.Uint32(p[14:])
	return r, nil
}
