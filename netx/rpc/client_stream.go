package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"storj/ecenc/wire"
	"storj/netx"
)

// errUnanswered is returned by Read before Response: the order of the two is part of the protocol.
var errUnanswered = errors.New("rpc: Read before Response")

// ClientStream is the client's end of a streaming operation.
//
// Write what the operation takes and CloseWrite; call Response, then Read to io.EOF. One goroutine may write while
// another reads. Every ClientStream has to be read to its end, or to an error of Response, or cancelled; Cancel after a
// complete exchange does nothing, so `defer st.Cancel(netx.Cancelled)` is right in every case.
type ClientStream struct {
	pool     *Pool
	entry    *entry
	stream   netx.Stream
	buf      *[]byte
	in       inbox
	answered bool
	done     func()       // frees the stream's hold on pool and context; once
	ctxErr   func() error // why the caller's context ended, if it did

	mu      sync.Mutex // guards pending and the write that takes it
	pending []byte     // the request head, until something is written
}

// Open starts a streaming operation on the pooled connection to peer. It makes no round trip: the header waits for the
// first write, or for CloseWrite, Flush or Response, and shares its packet.
//
// The end of ctx cancels the stream, its deadline is the stream's until SetDeadline. Errors: those of Get.
func (p *Pool) Open(
	ctx context.Context, peer netx.NodeURL, purpose netx.Purpose, method Method, header wire.Message,
) (*ClientStream, error) {
	e, stream, err := p.openStream(ctx, peer, purpose)
	if err != nil {
		return nil, fmt.Errorf("open method %d of %s: %w", method, peer.ID, err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := stream.SetDeadline(deadline); err != nil {
			stream.Cancel(netx.Cancelled)
			p.release(e)
			return nil, fmt.Errorf("open method %d of %s: %w", method, peer.ID, err)
		}
	}
	c := &ClientStream{pool: p, entry: e, stream: stream, buf: p.scratch.get(), ctxErr: ctx.Err}
	c.in = inbox{src: stream, buf: *c.buf}
	c.pending = appendRequest(make([]byte, 0, 256), method, header)
	stop := context.AfterFunc(ctx, func() { stream.Cancel(netx.Cancelled) })
	c.done = sync.OnceFunc(func() {
		stop()
		p.release(e)
	})
	return c, nil
}

// openStream gets a connection and a stream on it. A pooled connection found dead here is replaced: nothing was sent.
func (p *Pool) openStream(ctx context.Context, peer netx.NodeURL, purpose netx.Purpose) (*entry, netx.Stream, error) {
	for {
		e, fresh, err := p.acquire(ctx, peer, purpose)
		if err != nil {
			return nil, nil, err
		}
		stream, err := e.conn.OpenStream(ctx)
		if err == nil {
			return e, stream, nil
		}
		p.release(e)
		if fresh || !e.dead() || ctx.Err() != nil {
			return nil, nil, err
		}
	}
}

// Peer is the verified NodeID of the other end.
func (c *ClientStream) Peer() netx.NodeID { return c.entry.key.id }

// Write writes raw bytes behind the request. Errors: those of netx.Stream; when the peer has stopped reading, Response
// tells why.
func (c *ClientStream) Write(p []byte) (int, error) {
	joined, err := c.flush(p)
	if err != nil || joined == len(p) && joined > 0 {
		return joined, c.explain(err)
	}
	n, err := c.stream.Write(p[joined:])
	return joined + n, c.explain(err)
}

// Flush sends the request head if nothing has been written yet.
func (c *ClientStream) Flush() error {
	_, err := c.flush(nil)
	return c.explain(err)
}

// flush writes the pending head with the beginning of p behind it, and returns how much of p that was.
func (c *ClientStream) flush(p []byte) (joined int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending == nil {
		return 0, nil
	}
	joined = min(len(p), joinBytes)
	out := append(c.pending, p[:joined]...)
	c.pending = nil
	n, err := c.stream.Write(out)
	if err != nil {
		return max(0, joined-(len(out)-n)), err
	}
	return joined, nil
}

// CloseWrite ends the request: the server reads io.EOF. That the server has stopped reading already is no error here,
// since it may have all that it wants: Response and Read tell.
func (c *ClientStream) CloseWrite() error {
	if _, err := c.flush(nil); err != nil {
		return c.explain(err)
	}
	err := c.stream.CloseWrite()
	if err != nil && !c.entry.dead() && c.ctxErr() == nil {
		return nil
	}
	return c.explain(err)
}

// Response reads the response into resp, which must be zero and may have at most 64 KiB. It may be called once, before
// Read, and waits for the server's handler to reply.
//
// Errors: what the peer answered, as the sentinel of errs or of netx; those of netx.Stream; the context's. After an
// error the stream is finished.
func (c *ClientStream) Response(resp wire.Message, errs ...[]*netx.Error) error {
	_, writeErr := c.flush(nil)
	err := readAnswer(&c.in, resp, firstBody, errs)
	if err == nil {
		c.answered = true
		return nil
	}
	if writeErr != nil && !isAnswer(err) {
		err = writeErr
	}
	c.suspect(err)
	err = c.explain(err)
	c.Cancel(netx.Cancelled)
	return fmt.Errorf("response of %s: %w", c.Peer(), err)
}

// Read reads the raw bytes behind the response, to io.EOF at their end.
func (c *ClientStream) Read(p []byte) (int, error) {
	if !c.answered {
		return 0, errUnanswered
	}
	n, err := c.in.Read(p)
	if err == nil {
		return n, nil
	}
	if err == io.EOF {
		c.finish()
		return n, io.EOF
	}
	c.suspect(err)
	return n, c.explain(err)
}

// Cancel aborts both directions, telling the peer why.
func (c *ClientStream) Cancel(code netx.Code) {
	c.stream.Cancel(code)
	c.done()
}

// SetDeadline bounds reads and writes; the zero time means none.
func (c *ClientStream) SetDeadline(t time.Time) error { return c.stream.SetDeadline(t) }

// finish gives back what a completely read stream holds. It runs on the reading goroutine, which alone uses the buffer.
func (c *ClientStream) finish() {
	c.done()
	if c.buf != nil {
		c.pool.scratch.put(c.buf)
		c.buf, c.in.buf = nil, nil
	}
}

// suspect makes the pool dial anew after a peer fell silent before it answered: it may be gone, and no error would ever
// say so.
func (c *ClientStream) suspect(err error) {
	if !c.answered && errors.Is(err, netx.ErrTimeout) {
		c.pool.retire(c.entry)
	}
}

// explain makes errors of the stream those of the caller's context, where that has ended.
func (c *ClientStream) explain(err error) error {
	if err == nil || isAnswer(err) {
		return err
	}
	return explain(err, c.ctxErr())
}
