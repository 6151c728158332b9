package rpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"storj/ecenc/wire"
	"storj/netx"
)

// Method names an operation; each wing has its range, see the package comment.
type Method uint16

const (
	version      = 1
	prefixSize   = 3       // bytes of either head before the length
	scratchSize  = 2 << 10 // one packet of QUIC: most heads arrive in one read
	firstBody    = 64 << 10
	maxUvarint   = 9 // bytes; lengths are below 1<<63
	defaultReply = 8 << 20
)

// appendRequest appends a request head and message.
func appendRequest(dst []byte, method Method, m wire.Message) []byte {
	dst = append(dst, version)
	dst = binary.BigEndian.AppendUint16(dst, uint16(method))
	return appendMessage(dst, m)
}

// appendResponse appends a response head with the message of an answer; m is nil unless code is OK.
func appendResponse(dst []byte, code netx.Code, reason netx.Reason, m wire.Message) []byte {
	dst = append(dst, byte(code))
	dst = binary.BigEndian.AppendUint16(dst, uint16(reason))
	if m == nil {
		return append(dst, 0)
	}
	return appendMessage(dst, m)
}

// appendMessage writes the message after room for the shortest length, and moves it when the length needs more.
func appendMessage(dst []byte, m wire.Message) []byte {
	at := len(dst)
	dst = append(dst, 0)
	dst = wire.Append(dst, m)
	size := len(dst) - at - 1
	var prefix [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(prefix[:], uint64(size))
	if n > 1 {
		dst = append(dst, prefix[:n-1]...)
		copy(dst[at+n:], dst[at+1:at+1+size])
	}
	copy(dst[at:], prefix[:n])
	return dst
}

// inbox reads a head and a message from a stream and then hands out the raw bytes behind them.
type inbox struct {
	src   io.Reader
	buf   []byte // scratch; what it holds is buf[start:end]
	start int
	end   int
	err   error // what src ended with, after buf is used up
}

// requestHead reads version, method and length. Errors: ErrMalformed, ErrUnknownMethod, or those of the stream.
func (in *inbox) requestHead() (Method, uint64, error) {
	prefix, err := in.prefix()
	if err != nil {
		return 0, 0, err
	}
	if prefix[0] != version {
		return 0, 0, fmt.Errorf("%w: version %d", netx.ErrUnknownMethod, prefix[0])
	}
	size, err := in.length()
	return Method(binary.BigEndian.Uint16(prefix[1:])), size, err
}

// responseHead reads code, reason and length.
func (in *inbox) responseHead() (netx.Code, netx.Reason, uint64, error) {
	prefix, err := in.prefix()
	if err != nil {
		return 0, 0, 0, err
	}
	size, err := in.length()
	return netx.Code(prefix[0]), netx.Reason(binary.BigEndian.Uint16(prefix[1:])), size, err
}

func (in *inbox) prefix() (p [prefixSize]byte, err error) {
	if err := in.need(prefixSize); err != nil {
		return p, err
	}
	in.start += copy(p[:], in.buf[in.start:in.end])
	return p, nil
}

// length reads a uvarint byte by byte: how many bytes it has is only known at its end.
func (in *inbox) length() (uint64, error) {
	for n := 1; n <= maxUvarint; n++ {
		if err := in.need(n); err != nil {
			return 0, err
		}
		if in.buf[in.start+n-1] >= 0x80 {
			continue
		}
		size, used := binary.Uvarint(in.buf[in.start : in.start+n])
		if used != n || (n > 1 && in.buf[in.start+n-1] == 0) {
			break // not the shortest form
		}
		in.start += n
		return size, nil
	}
	return 0, fmt.Errorf("%w: length of message", netx.ErrMalformed)
}

// body reads a message of size bytes, which the caller has checked against its limit, into memory of its own: decoded
// messages alias it. Memory grows with what arrives, not with what was announced.
func (in *inbox) body(size uint64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	body := make([]byte, 0, min(size, firstBody))
	for uint64(len(body)) < size {
		if len(body) == cap(body) {
			grown := make([]byte, len(body), min(size, 2*uint64(cap(body))))
			copy(grown, body)
			body = grown
		}
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err != nil && uint64(len(body)) < size {
			return nil, cutShort(err)
		}
	}
	return body, nil
}

// need makes n bytes available in buf; n is small against scratchSize.
func (in *inbox) need(n int) error {
	for in.end-in.start < n {
		if in.err != nil {
			return cutShort(in.err)
		}
		if in.start > 0 && in.end == len(in.buf) {
			in.end = copy(in.buf, in.buf[in.start:in.end])
			in.start = 0
		}
		got, err := in.src.Read(in.buf[in.end:])
		in.end += got
		in.err = err
	}
	return nil
}

// Read hands out the bytes behind what was parsed: first those read ahead, then the stream's.
func (in *inbox) Read(p []byte) (int, error) {
	if in.start < in.end {
		n := copy(p, in.buf[in.start:in.end])
		in.start += n
		return n, nil
	}
	if in.err != nil {
		return 0, in.err
	}
	n, err := in.src.Read(p)
	in.err = sticky(err)
	return n, err
}

// finish reads the end of the stream. Errors: ErrMalformed when there are bytes left.
func (in *inbox) finish() error {
	for in.start == in.end {
		if errors.Is(in.err, io.EOF) {
			return nil
		}
		if in.err != nil {
			return in.err
		}
		in.start, in.end = 0, 0
		in.end, in.err = in.src.Read(in.buf)
	}
	return fmt.Errorf("%w: bytes after the message", netx.ErrMalformed)
}

// ended says whether everything up to the end of the stream was read.
func (in *inbox) ended() bool { return in.start == in.end && errors.Is(in.err, io.EOF) }

// sticky keeps errors that a later read would meet again; a deadline may be moved.
func sticky(err error) error {
	if errors.Is(err, netx.ErrTimeout) {
		return nil
	}
	return err
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: stream ended inside a message", netx.ErrMalformed)
	}
	return err
}

// decode reads a message; its byte fields alias body.
func decode(body []byte, m wire.Message) error {
	if err := wire.Unmarshal(body, m); err != nil {
		return fmt.Errorf("%w: %T", netx.ErrMalformed, m)
	}
	return nil
}
