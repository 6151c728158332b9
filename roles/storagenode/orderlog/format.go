package orderlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"storj/ecenc/wire"
	"storj/pieces"
)

const (
	headSize  = 8
	maxRecord = 1024

	openSuffix    = ".open"
	sealedSuffix  = ".sealed"
	settledSuffix = ".settled"
)

// errRecord ends a file: what stands there is not a record.
var errRecord = errors.New("damaged order record")

func checksum(size [4]byte, body []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(size[:], table), table, body)
}

// appendRecord adds the record of an order to dst.
func appendRecord(dst []byte, order *pieces.SettledOrder) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, headSize)...)
	dst = wire.Append(dst, order)
	body := dst[start+headSize:]
	var size [4]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(body)))
	copy(dst[start:], size[:])
	binary.BigEndian.PutUint32(dst[start+4:], checksum(size, body))
	return dst
}

// readRecord reads the next record. Errors: io.EOF at the end, errRecord for anything that is not a whole one.
func readRecord(r io.Reader) (order pieces.SettledOrder, length int64, err error) {
	var head [headSize]byte
	switch _, err := io.ReadFull(r, head[:]); {
	case errors.Is(err, io.EOF):
		return order, 0, io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return order, 0, errRecord
	case err != nil:
		return order, 0, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size == 0 || size > maxRecord {
		return order, 0, errRecord
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return order, 0, errRecord
	} else if err != nil {
		return order, 0, err
	}
	if checksum([4]byte(head[:4]), body) != binary.BigEndian.Uint32(head[4:]) || wire.Unmarshal(body, &order) != nil {
		return pieces.SettledOrder{}, 0, errRecord
	}
	return order, headSize + int64(size), nil
}

// name is the name of a part's file without the suffix.
func (p *part) name() string { return fmt.Sprintf("%010d-%08d", p.hour, p.first) }

// parseName is the inverse of name with a suffix; ok is false for other files.
func parseName(name string) (p part, suffix string, ok bool) {
	for _, suffix = range []string{openSuffix, sealedSuffix, settledSuffix} {
		base, found := strings.CutSuffix(name, suffix)
		if !found {
			continue
		}
		hour, first, _ := strings.Cut(base, "-")
		h, err := strconv.ParseInt(hour, 10, 64)
		f, err2 := strconv.ParseUint(first, 10, 32)
		p.hour, p.first = h, uint32(f)
		return p, suffix, err == nil && err2 == nil && p.name()+suffix == name
	}
	return p, "", false
}
