package wire

import (
	"encoding/binary"
	"errors"
	"time"
)

// ErrMalformed is returned by Unmarshal for bytes which no Marshal of that message, nor of a later version of it,
// can have made.
var ErrMalformed = errors.New("malformed message")

// Message is a struct which lists its fields in ascending number; see the package comment.
type Message interface {
	Fields(c *Codec)
}

const (
	typeVarint = 0
	typeBytes  = 2

	maxField = 1<<29 - 1 // greatest field number, as in Protocol Buffers
)

// Codec carries one message being written or read. It is passed to Fields and must not be kept.
type Codec struct {
	buf      []byte
	decoding bool
	failed   bool
	last     int  // highest field number read so far in this message
	unknown  bool // last was skipped, so it may repeat: a later version may have made it a list
}

// Append appends the encoding of m to dst.
func Append(dst []byte, m Message) []byte {
	c := Codec{buf: dst}
	m.Fields(&c)
	return c.buf
}

// Marshal returns the encoding of m.
func Marshal(m Message) []byte {
	return Append(nil, m)
}

// Unmarshal reads m, which must be zero, from the whole of b. Byte fields of m alias b afterwards.
func Unmarshal(b []byte, m Message) error {
	c := Codec{buf: b, decoding: true}
	m.Fields(&c)
	c.finish()
	if c.failed {
		return ErrMalformed
	}
	return nil
}

// Decoding says whether the message is being read, for the few Fields methods that must check what they read.
func (c *Codec) Decoding() bool { return c.decoding }

// Fail makes the decode end with ErrMalformed. It is for values that are well encoded but not allowed.
func (c *Codec) Fail() { c.failed = true }

// Uint codes an unsigned integer.
func (c *Codec) Uint(num int, v *uint64) {
	if !c.decoding {
		if *v != 0 {
			c.tag(num, typeVarint)
			c.buf = binary.AppendUvarint(c.buf, *v)
		}
		return
	}
	if c.next(num, typeVarint) {
		*v = c.uvarint()
		c.failed = c.failed || *v == 0 // left out by Marshal
	}
}

// Uint32 codes an unsigned integer of 32 bits; a greater one on the wire is malformed.
func (c *Codec) Uint32(num int, v *uint32) {
	wide := uint64(*v)
	c.Uint(num, &wide)
	if wide > 1<<32-1 {
		c.failed = true
		return
	}
	*v = uint32(wide)
}

// Int codes a signed integer.
func (c *Codec) Int(num int, v *int64) {
	zigzag := uint64(*v)<<1 ^ uint64(*v>>63)
	c.Uint(num, &zigzag)
	if c.decoding {
		*v = int64(zigzag>>1) ^ -int64(zigzag&1)
	}
}

// Int32 codes a signed integer of 32 bits; one out of range on the wire is malformed.
func (c *Codec) Int32(num int, v *int32) {
	wide := int64(*v)
	c.Int(num, &wide)
	if wide != int64(int32(wide)) {
		c.failed = true
		return
	}
	*v = int32(wide)
}

// Bool codes a truth value.
func (c *Codec) Bool(num int, v *bool) {
	var n uint64
	if *v {
		n = 1
	}
	c.Uint(num, &n)
	if n > 1 {
		c.failed = true
	}
	*v = n == 1
}

// Time codes an instant with nanoseconds, between the years 1678 and 2262; it is read as UTC.
func (c *Codec) Time(num int, v *time.Time) {
	if !c.decoding {
		if v.IsZero() {
			return
		}
		nanos := v.UnixNano()
		zigzag := uint64(nanos)<<1 ^ uint64(nanos>>63)
		c.tag(num, typeVarint) // written even when zero: 1970 is not the zero time
		c.buf = binary.AppendUvarint(c.buf, zigzag)
		return
	}
	if c.next(num, typeVarint) {
		zigzag := c.uvarint()
		*v = time.Unix(0, int64(zigzag>>1)^-int64(zigzag&1)).UTC()
	}
}

// Bytes codes a byte string of at most limit bytes.
func (c *Codec) Bytes(num int, v *[]byte, limit int) {
	if !c.decoding {
		if len(*v) != 0 {
			c.tag(num, typeBytes)
			c.buf = binary.AppendUvarint(c.buf, uint64(len(*v)))
			c.buf = append(c.buf, *v...)
		}
		return
	}
	if c.next(num, typeBytes) {
		*v = c.delimited(limit)
		c.failed = c.failed || len(*v) == 0 // left out by Marshal
	}
}

// String codes a string of at most limit bytes; UTF-8 is not checked.
func (c *Codec) String(num int, v *string, limit int) {
	if !c.decoding {
		if len(*v) != 0 {
			c.tag(num, typeBytes)
			c.buf = binary.AppendUvarint(c.buf, uint64(len(*v)))
			c.buf = append(c.buf, *v...)
		}
		return
	}
	if c.next(num, typeBytes) {
		*v = string(c.delimited(limit))
		c.failed = c.failed || len(*v) == 0 // left out by Marshal
	}
}

// Fixed codes an array, given as the slice over it. It is copied when read.
func (c *Codec) Fixed(num int, v []byte) {
	if !c.decoding {
		if !zero(v) {
			c.tag(num, typeBytes)
			c.buf = binary.AppendUvarint(c.buf, uint64(len(v)))
			c.buf = append(c.buf, v...)
		}
		return
	}
	if c.next(num, typeBytes) {
		b := c.delimited(len(v))
		if len(b) != len(v) || zero(b) {
			c.failed = true
			return
		}
		copy(v, b)
	}
}

// Message codes a message inside this one. One without set fields is left out.
func (c *Codec) Message(num int, m Message) {
	if !c.decoding {
		start := len(c.buf)
		c.writeNested(num, m)
		if c.buf[len(c.buf)-1] == 0 && len(c.buf) == start+tagSize(num)+1 {
			c.buf = c.buf[:start]
		}
		return
	}
	if c.next(num, typeBytes) {
		c.failed = c.failed || len(c.buf) > 0 && c.buf[0] == 0 // an empty one is left out by Marshal
		c.readNested(m)
	}
}

// Repeated codes a list of at most limit messages.
func Repeated[T any, P interface {
	*T
	Message
}](c *Codec, num int, list *[]T, limit int) {
	if !c.decoding {
		for i := range *list {
			c.writeNested(num, P(&(*list)[i]))
		}
		return
	}
	for c.next(num, typeBytes) {
		if len(*list) == limit {
			c.failed = true
			return
		}
		var item T
		*list = append(*list, item)
		c.readNested(P(&(*list)[len(*list)-1]))
		c.last = num - 1 // the same number may follow
	}
}

// RepeatedBytes codes a list of at most limit byte strings of at most size bytes each.
func RepeatedBytes(c *Codec, num int, list *[][]byte, limit, size int) {
	if !c.decoding {
		for _, item := range *list {
			c.tag(num, typeBytes)
			c.buf = binary.AppendUvarint(c.buf, uint64(len(item)))
			c.buf = append(c.buf, item...)
		}
		return
	}
	for c.next(num, typeBytes) {
		if len(*list) == limit {
			c.failed = true
			return
		}
		*list = append(*list, c.delimited(size))
		c.last = num - 1 // the same number may follow
	}
}

// writeNested writes the message after a guessed one-byte length and moves it when the length needs more.
func (c *Codec) writeNested(num int, m Message) {
	c.tag(num, typeBytes)
	at := len(c.buf)
	c.buf = append(c.buf, 0)
	m.Fields(c)
	size := len(c.buf) - at - 1
	if size < 0x80 {
		c.buf[at] = byte(size)
		return
	}
	var prefix [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(prefix[:], uint64(size))
	c.buf = append(c.buf, prefix[:n-1]...)
	copy(c.buf[at+n:], c.buf[at+1:at+1+size])
	copy(c.buf[at:], prefix[:n])
}

func (c *Codec) readNested(m Message) {
	inner := c.delimited(len(c.buf))
	if c.failed {
		return
	}
	rest, last := c.buf, c.last
	c.buf, c.last, c.unknown = inner, 0, false
	m.Fields(c)
	c.finish()
	c.buf, c.last, c.unknown = rest, last, false
}

// next moves to field num and says whether it is there, with the right type. Unknown fields before it are skipped.
func (c *Codec) next(num, typ int) bool {
	for !c.failed && len(c.buf) > 0 {
		got, gotType, size := c.peek()
		if c.failed || got > num {
			return false
		}
		c.buf = c.buf[size:]
		c.last, c.unknown = got, got != num
		if got == num {
			c.failed = gotType != typ
			return !c.failed
		}
		c.skip(gotType)
	}
	return false
}

// peek reads the tag of the next field, which takes size bytes, and checks that it may come after the last one.
func (c *Codec) peek() (num, typ, size int) {
	tag, size := uvarint(c.buf)
	if size <= 0 || tag>>3 == 0 || tag>>3 > maxField {
		c.failed = true
		return 0, 0, 0
	}
	num = int(tag >> 3)
	if num < c.last || num == c.last && !c.unknown {
		c.failed = true
	}
	return num, int(tag & 7), size
}

func (c *Codec) skip(typ int) {
	switch typ {
	case typeVarint:
		c.uvarint()
	case typeBytes:
		c.delimited(len(c.buf))
	default:
		c.failed = true
	}
}

// finish skips the unknown fields at the end of a message.
func (c *Codec) finish() {
	for !c.failed && len(c.buf) > 0 {
		num, typ, size := c.peek()
		if c.failed {
			return
		}
		c.buf = c.buf[size:]
		c.last, c.unknown = num, true
		c.skip(typ)
	}
}

func (c *Codec) uvarint() uint64 {
	v, n := uvarint(c.buf)
	if n <= 0 {
		c.failed = true
		return 0
	}
	c.buf = c.buf[n:]
	return v
}

// uvarint is binary.Uvarint which refuses, with n == 0, numbers written longer than need be.
func uvarint(b []byte) (v uint64, n int) {
	v, n = binary.Uvarint(b)
	if n > 1 && b[n-1] == 0 {
		return 0, 0
	}
	return v, n
}

// delimited takes one length and that many bytes off the input.
func (c *Codec) delimited(limit int) []byte {
	size, n := uvarint(c.buf)
	if n <= 0 || size > uint64(len(c.buf)-n) || size > uint64(limit) {
		c.failed = true
		return nil
	}
	b := c.buf[n : n+int(size) : n+int(size)]
	c.buf = c.buf[n+int(size):]
	return b
}

func (c *Codec) tag(num, typ int) {
	c.buf = binary.AppendUvarint(c.buf, uint64(num)<<3|uint64(typ))
}

func tagSize(num int) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], uint64(num)<<3)
}

func zero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}
