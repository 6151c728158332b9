// Package wire turns structs into bytes and back with one method a message.
//
// A message lists its fields once, in ascending field number, and the list serves both ways:
//
//	type Order struct {
//		Serial SerialNumber
//		Amount int64
//	}
//
//	func (o *Order) Fields(c *wire.Codec) {
//		c.Fixed(1, o.Serial[:])
//		c.Int(2, &o.Amount)
//	}
//
//	b := wire.Marshal(&o)
//	err := wire.Unmarshal(b, &o)
//
// # FORMAT
//
// The bytes are Protocol Buffers wire format restricted to its canonical form: fields in ascending order, each
// singular field at most once, zero values left out, wire types 0 (varint) and 2 (length-delimited) only. Any
// protobuf reader can read them. Unknown field numbers are skipped, so a later version may add fields; a field
// out of order, given twice, of another wire type, over its limit or cut short, a zero value that should have been left
// out and a number written longer than need be are ErrMalformed. So a message is decoded from one byte string only,
// apart from fields that the reader does not know.
//
//	value            wire type  encoding
//	Uint, Bool       0          varint
//	Int              0          zigzag varint
//	Time             0          zigzag varint of Unix nanoseconds; the zero time is left out
//	Bytes, String    2          length, bytes; at most the limit given by the caller
//	Fixed            2          length, bytes; exactly the length of the array; all-zero is left out
//	Message          2          length, message
//	Repeated         2          one entry each, consecutive, at most the limit given by the caller
//
// Example: field 1 = bytes "ab", field 2 = Int(-2): 0a 02 61 62 10 03.
//
// # Ownership and limits
//
// Decoded byte fields alias the input: the caller must not reuse it while the message lives. Nothing is allocated
// from a length before that length is known to lie inside the input.
//
// # Why
//
// Generated code brings a compiler into the build and a second type for each domain type; reflection costs
// allocations on a path that issues 110 limits a segment. A visitor is neither, and because encoding is canonical
// the same bytes can be authenticated.
package wire
