package rpc

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"storj/ecenc/wire"
	"storj/netx"
)

type number struct{ N int64 }

func (n *number) Fields(c *wire.Codec) { c.Int(1, &n.N) }

// TestWorkedExample parses the bytes of the package comment.
func TestWorkedExample(t *testing.T) {
	t.Parallel()
	request, response := unhex(t, "010102020803"), unhex(t, "03000500")
	if got := appendRequest(nil, 258, &number{-2}); !bytes.Equal(got, request) {
		t.Errorf("request %x, want %x", got, request)
	}
	if got := appendResponse(nil, netx.Denied, netx.ErrIdentity.Reason, nil); !bytes.Equal(got, response) {
		t.Errorf("response %x, want %x", got, response)
	}
	in := inbox{src: bytes.NewReader(request), buf: make([]byte, scratchSize)}
	method, size, err := in.requestHead()
	if err != nil || method != 258 || size != 2 {
		t.Fatalf("head: method %d, size %d, %v", method, size, err)
	}
	body, err := in.body(size)
	var n number
	if err != nil || decode(body, &n) != nil || n.N != -2 || in.finish() != nil {
		t.Errorf("message %x: %v, %v", body, n, err)
	}
	err = readAnswer(&inbox{src: bytes.NewReader(response), buf: make([]byte, scratchSize)}, &n, 10, nil)
	if !errors.Is(err, netx.ErrIdentity) || !isAnswer(err) {
		t.Errorf("answer: %v, want %v", err, netx.ErrIdentity)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type blob struct{ B []byte }

func (b *blob) Fields(c *wire.Codec) { c.Bytes(1, &b.B, 1<<20) }

// TestLengths writes messages around the sizes where the length grows, and reads them in pieces.
func TestLengths(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 124, 125, 126, 127, 128, 129, 2040, 2048, 16379, 16380, 16381, 70000, 200000} {
		msg := blob{bytes.Repeat([]byte{7}, size)}
		raw := append(appendRequest(nil, 9, &msg), "rest"...)
		for name, src := range map[string]io.Reader{
			"whole":          bytes.NewReader(raw),
			"byte by byte":   iotest.OneByteReader(bytes.NewReader(raw)),
			"end with bytes": iotest.DataErrReader(bytes.NewReader(raw)),
		} {
			in := inbox{src: src, buf: make([]byte, 64)}
			method, n, err := in.requestHead()
			if err != nil || method != 9 {
				t.Fatalf("%d, %s: method %d, %v", size, name, method, err)
			}
			body, err := in.body(n)
			var got blob
			if err != nil || decode(body, &got) != nil || !bytes.Equal(got.B, msg.B) {
				t.Errorf("%d, %s: another message, %v", size, name, err)
			}
			if rest, err := io.ReadAll(&in); err != nil || string(rest) != "rest" || !in.ended() {
				t.Errorf("%d, %s: rest %q, %v", size, name, rest, err)
			}
		}
	}
}

// TestAnnouncedLengthIsNotAllocated reads a message that announces more than any machine has and sends little.
func TestAnnouncedLengthIsNotAllocated(t *testing.T) {
	t.Parallel()
	in := inbox{src: bytes.NewReader(make([]byte, 3*firstBody)), buf: make([]byte, 64)}
	if _, err := in.body(1 << 50); !errors.Is(err, netx.ErrMalformed) {
		t.Errorf("body: %v, want %v", err, netx.ErrMalformed)
	}
}

func FuzzRequestHead(f *testing.F) {
	for _, seed := range []string{"010102020803", "", "01", "0100010000", "02000100", "0100018000", "010001ffffffffffffffff7f"} {
		raw, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := inbox{src: iotest.HalfReader(bytes.NewReader(raw)), buf: make([]byte, 16)}
		method, size, err := in.requestHead()
		if err != nil {
			if !errors.Is(err, netx.ErrMalformed) && !errors.Is(err, netx.ErrUnknownMethod) {
				t.Fatalf("error %v", err)
			}
			return
		}
		body, err := in.body(size)
		if err != nil {
			if !errors.Is(err, netx.ErrMalformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		rest, err := io.ReadAll(&in)
		if err != nil {
			t.Fatal(err)
		}
		again := []byte{version, byte(method >> 8), byte(method)}
		again = binary.AppendUvarint(again, size)
		again = append(append(again, body...), rest...)
		if !bytes.Equal(again, raw) {
			t.Fatalf("read %x, wrote %x", raw, again)
		}
	})
}

func FuzzResponseHead(f *testing.F) {
	for _, seed := range []string{"03000500", "000000020803", "00000000", "ff", "0b0000ff01"} {
		raw, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var n number
		in := inbox{src: iotest.HalfReader(bytes.NewReader(raw)), buf: make([]byte, 16)}
		if err := readAnswer(&in, &n, 100, nil); err != nil {
			if _, ok := errors.AsType[*netx.Error](err); !ok {
				t.Fatalf("error %v has no kind", err)
			}
			return
		}
		if rest, err := io.ReadAll(&in); err != nil || len(rest) > len(raw) {
			t.Fatalf("rest %x, %v", rest, err)
		}
	})
}
