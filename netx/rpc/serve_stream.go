package rpc

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"storj/ecenc/wire"
	"storj/netx"
)

var (
	// errPanic marks what recover caught: Internal to the peer, with a stack in our log.
	errPanic = errors.New("handler panicked")
	// errNoReply marks a streaming handler that returned nil without an answer: a bug of ours.
	errNoReply = errors.New("handler returned without a reply")
)

// run serves one stream from its first byte to its end.
func (s *Server) run(ctx context.Context, peer Peer, stream netx.Stream) {
	buf := s.scratch.get()
	defer s.scratch.put(buf)
	st := &ServerStream{stream: stream, server: s, in: inbox{src: stream, buf: *buf}}
	defer func() { s.releaseBody(st.held) }()
	m, body, err := s.receive(st)
	if err != nil {
		s.count.refuse(causeOf(err))
		st.end(err)
		return
	}
	if m.unary != nil {
		err = s.runUnary(ctx, peer, m, body, st)
	} else {
		err = s.runStream(ctx, peer, m, body, st)
	}
	m.calls.count(err)
	s.logOutcome(m.number, peer, err)
}

// receive reads the request; that of a unary method to the end of the stream.
func (s *Server) receive(st *ServerStream) (*method, []byte, error) {
	if err := st.stream.SetDeadline(time.Now().Add(s.opts.HeaderTimeout)); err != nil {
		return nil, nil, err
	}
	number, size, err := st.in.requestHead()
	if err != nil {
		return nil, nil, err
	}
	m, ok := s.methods[number]
	if !ok {
		return nil, nil, fmt.Errorf("%w: method %d", netx.ErrUnknownMethod, number)
	}
	if size > uint64(m.limits.MaxRequest) {
		return nil, nil, fmt.Errorf("%w: %d bytes for method %d", netx.ErrTooLarge, size, number)
	}
	if m.unary != nil && size > firstBody {
		if !s.admitBody(int(size)) {
			return nil, nil, fmt.Errorf("%w: %d bytes for method %d", netx.ErrBusy, size, number)
		}
		st.held = int(size)
		if err := st.stream.SetDeadline(time.Now().Add(s.opts.TransferTimeout)); err != nil {
			return nil, nil, err
		}
	}
	body, err := st.in.body(size)
	if err == nil && m.unary != nil {
		err = st.in.finish()
	}
	s.count.received.Add(int(size))
	return m, body, err
}

func (s *Server) runUnary(ctx context.Context, peer Peer, m *method, body []byte, st *ServerStream) error {
	ctx, cancel := context.WithTimeout(ctx, m.limits.Timeout)
	defer cancel()
	var resp wire.Message
	err := guard(func() (err error) {
		resp, err = m.unary(ctx, peer, body)
		return err
	})
	// A peer that does not take its answer must not keep this goroutine.
	if deadlineErr := st.stream.SetDeadline(time.Now().Add(s.opts.TransferTimeout)); err == nil {
		err = deadlineErr
	}
	if err == nil {
		err = st.Reply(resp)
	}
	st.end(err)
	return err
}

func (s *Server) runStream(ctx context.Context, peer Peer, m *method, header []byte, st *ServerStream) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := st.stream.SetDeadline(time.Time{})
	if err == nil {
		err = guard(func() error { return m.stream(ctx, peer, header, st) })
	}
	if err == nil && !st.replied {
		err = errNoReply
	}
	st.end(err)
	return err
}

// guard turns a panic of a handler into an error: a stranger's request must not end the process.
func guard(handler func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, r, debug.Stack())
		}
	}()
	return handler()
}

// refuse answers a stream that is over a limit, without reading it.
func (s *Server) refuse(stream netx.Stream, err error) {
	st := &ServerStream{stream: stream, server: s, in: inbox{src: stream}}
	st.end(err)
}

// ServerStream is the server's end of a streaming operation: raw bytes both ways after the heads.
type ServerStream struct {
	stream  netx.Stream
	server  *Server
	in      inbox
	held    int  // bytes of a large request that the server counts
	replied bool // written by the handler's goroutine; read after it returned
}

// Read reads the raw bytes behind the request, to io.EOF at their end.
func (st *ServerStream) Read(p []byte) (int, error) {
	n, err := st.in.Read(p)
	st.server.count.received.Add(n)
	return n, err
}

// Write writes raw bytes behind the response. Errors: those of netx.Stream.
func (st *ServerStream) Write(p []byte) (int, error) {
	if !st.replied {
		panic("rpc: ServerStream.Write before Reply")
	}
	n, err := st.stream.Write(p)
	st.server.count.sent.Add(n)
	return n, err
}

// Reply answers OK with the message, at once. It may be called once.
func (st *ServerStream) Reply(m wire.Message) error { return st.ReplyBody(m, nil) }

// ReplyBody answers as Reply does and writes the first raw bytes with it, so that small ones share a packet.
func (st *ServerStream) ReplyBody(m wire.Message, first []byte) error {
	if st.replied {
		panic("rpc: ServerStream.Reply called twice")
	}
	st.replied = true
	buf := st.server.scratch.get()
	defer st.server.scratch.put(buf)
	out := appendResponse((*buf)[:0], netx.OK, 0, m)
	return st.send(out, first)
}

// send writes head and body as one write while that is small, since copying is cheaper than a packet.
func (st *ServerStream) send(head, body []byte) error {
	n := min(len(body), joinBytes)
	head = append(head, body[:n]...)
	written, err := st.stream.Write(head)
	st.server.count.sent.Add(written)
	if err != nil || n == len(body) {
		return err
	}
	written, err = st.stream.Write(body[n:])
	st.server.count.sent.Add(written)
	return err
}

// CloseWrite ends the response: the client reads io.EOF. Without it, the return of the handler does.
func (st *ServerStream) CloseWrite() error { return st.stream.CloseWrite() }

// SetDeadline bounds reads and writes; the zero time means none, which is how a handler starts.
func (st *ServerStream) SetDeadline(t time.Time) error { return st.stream.SetDeadline(t) }

// end finishes both directions, with the answer of err when there is none yet. Nothing is to be done about errors of the
// stream here: whatever they are, Cancel frees its credit.
func (st *ServerStream) end(err error) {
	code, reason := netx.Classify(err)
	if err != nil && st.replied {
		st.stream.Cancel(code)
		return
	}
	if err != nil {
		st.replied = true
		_ = st.stream.SetDeadline(time.Now().Add(st.server.opts.HeaderTimeout)) // best effort: see above
		var head [prefixSize + 1]byte
		if sendErr := st.send(appendResponse(head[:0], code, reason, nil), nil); sendErr != nil {
			st.stream.Cancel(code)
			return
		}
	} else {
		code = netx.Cancelled // what the client may still be sending is not wanted
	}
	if st.stream.CloseWrite() != nil || !st.in.ended() {
		st.stream.Cancel(code)
	}
}

// joinBytes is how much of a body is copied behind its head: a head and it then fill whole packets.
const joinBytes = 16 << 10
