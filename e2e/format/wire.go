package format

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errMalformed = errors.New("malformed message")

// field is one field of a message: a number or bytes.
type field struct {
	num   int
	value uint64
	bytes []byte
}

// parse splits a message into its fields. Section 2 of the document.
func parse(b []byte) (fields []field, err error) {
	last := 0
	for len(b) > 0 {
		tag, n := uvarint(b)
		if n == 0 || tag>>3 == 0 || int(tag>>3) < last {
			return nil, errMalformed
		}
		b = b[n:]
		f := field{num: int(tag >> 3)}
		f.value, n = uvarint(b)
		if n == 0 {
			return nil, errMalformed
		}
		b = b[n:]
		switch tag & 7 {
		case 0:
		case 2:
			if f.value > uint64(len(b)) {
				return nil, errMalformed
			}
			f.bytes, b = b[:f.value], b[f.value:]
		default:
			return nil, errMalformed
		}
		last = f.num
		fields = append(fields, f)
	}
	return fields, nil
}

func uvarint(b []byte) (uint64, int) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, 0
	}
	return v, n
}

func zigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// known refuses fields above the last one that a reader of a grant understands: they may be restrictions.
func known(fields []field, last int) error {
	for _, f := range fields {
		if f.num > last {
			return fmt.Errorf("field %d is of a later version", f.num)
		}
	}
	return nil
}
