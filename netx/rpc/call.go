package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"storj/ecenc/wire"
	"storj/netx"
)

// CallOptions says what to call.
type CallOptions struct {
	Peer    netx.NodeURL
	Purpose netx.Purpose
	Method  Method
	// Idempotent allows to send the request again, once and on a new connection, when a pooled connection died before
	// any byte of the response: the peer may or may not have acted on it.
	Idempotent bool
	// MaxResponse bounds the bytes of the response's message; 0 is 8 MiB.
	MaxResponse int
}

// Call makes a unary call on the pooled connection to peer. See CallWith.
func (p *Pool) Call(
	ctx context.Context, peer netx.NodeURL, purpose netx.Purpose, method Method,
	req, resp wire.Message, errs ...[]*netx.Error,
) error {
	return p.CallWith(ctx, CallOptions{Peer: peer, Purpose: purpose, Method: method}, req, resp, errs...)
}

// CallWith makes a unary call: it sends req and reads resp, which must be zero.
//
// The deadline of ctx, else PoolOptions.CallTimeout, bounds the whole; when ctx ends, the peer is told. Errors: what the
// peer answered, as the sentinel of errs or of netx; those of Get; ErrTimeout past a deadline, ErrClosed; the context's.
func (p *Pool) CallWith(ctx context.Context, opts CallOptions, req, resp wire.Message, errs ...[]*netx.Error) error {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		deadline = time.Now().Add(p.opts.CallTimeout)
	}
	if opts.MaxResponse == 0 {
		opts.MaxResponse = defaultReply
	}
	c := call{pool: p, opts: opts, req: req, resp: resp, deadline: deadline, errs: errs}
	again, err := c.attempt(ctx)
	if err != nil && again {
		p.count.repeated.Inc()
		_, err = c.attempt(ctx)
	}
	if err == nil {
		return nil
	}
	if !isAnswer(err) {
		err = explain(err, ctx.Err())
	}
	return fmt.Errorf("call method %d of %s: %w", opts.Method, opts.Peer.ID, err)
}

// call is one unary call, with up to two attempts.
type call struct {
	pool     *Pool
	opts     CallOptions
	req      wire.Message
	resp     wire.Message
	deadline time.Time
	errs     [][]*netx.Error
}

// attempt makes the call once and says whether a second attempt is allowed and may help.
func (c *call) attempt(ctx context.Context) (again bool, err error) {
	e, fresh, err := c.pool.acquire(ctx, c.opts.Peer, c.opts.Purpose)
	if err != nil {
		return false, err
	}
	defer c.pool.release(e)
	stream, err := c.open(ctx, e.conn)
	if err != nil { // nothing was sent yet
		return !fresh && e.dead() && ctx.Err() == nil, err
	}
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { stream.Cancel(netx.Cancelled) })
		defer stop()
	}
	answered, err := c.exchange(stream)
	if err == nil {
		return false, nil
	}
	stream.Cancel(netx.Cancelled)
	switch {
	case answered || errors.Is(ctx.Err(), context.Canceled):
		return false, err
	case ctx.Err() != nil || errors.Is(err, netx.ErrTimeout):
		c.pool.retire(e) // a peer that is gone is found no other way: the next call dials anew
		return false, err
	}
	return !fresh && c.opts.Idempotent && e.dead(), err
}

// open opens a stream within the deadline. A connection whose peer allows no more streams makes it wait.
func (c *call) open(ctx context.Context, conn netx.Conn) (netx.Stream, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, c.deadline)
		defer cancel()
	}
	stream, err := conn.OpenStream(ctx)
	if err != nil {
		return nil, explain(err, nil)
	}
	if err := stream.SetDeadline(c.deadline); err != nil {
		stream.Cancel(netx.Cancelled)
		return nil, err
	}
	return stream, nil
}

// exchange sends the request and reads the response to the end of the stream; answered says whether any byte came.
func (c *call) exchange(stream netx.Stream) (answered bool, err error) {
	buf := c.pool.scratch.get()
	defer c.pool.scratch.put(buf)
	_, err = stream.Write(appendRequest((*buf)[:0], c.opts.Method, c.req))
	if err == nil {
		err = stream.CloseWrite()
	}
	in := inbox{src: stream, buf: *buf}
	// A peer that refuses may stop the request before it has all of it: its answer says more than the error of a write.
	answerErr := readAnswer(&in, c.resp, c.opts.MaxResponse, c.errs)
	answered = in.end > 0
	switch {
	case answerErr != nil && (answered || err == nil):
		return answered, answerErr
	case err != nil:
		return answered, err
	}
	return true, in.finish()
}

// readAnswer reads a response head and message. Errors: what the peer answered, or why that could not be read.
func readAnswer(in *inbox, resp wire.Message, limit int, errs [][]*netx.Error) error {
	code, reason, size, err := in.responseHead()
	if err != nil {
		return err
	}
	if size > uint64(limit) {
		return fmt.Errorf("%w: response of %d bytes", netx.ErrTooLarge, size)
	}
	if code != netx.OK {
		return &answerError{netx.FromWire(code, reason, slices.Concat(errs, [][]*netx.Error{netx.Errors()})...)}
	}
	body, err := in.body(size)
	if err != nil {
		return err
	}
	return decode(body, resp)
}

// explain puts the end of the caller's context in place of what it did to the stream. Past a deadline, the stream's or the
// context's, whichever was noticed first, the error is always ErrTimeout; it is the context's too when that has ended.
func explain(err, ctxErr error) error {
	late := errors.Is(err, netx.ErrTimeout) || errors.Is(err, context.DeadlineExceeded)
	switch {
	case ctxErr == nil && late:
		return netx.ErrTimeout
	case ctxErr == nil:
		return err
	case errors.Is(ctxErr, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", netx.ErrTimeout, ctxErr)
	}
	return ctxErr
}

// answerError marks an error which the peer answered, against one which kept its answer from us.
type answerError struct{ error }

func (e *answerError) Unwrap() error { return e.error }

func isAnswer(err error) bool {
	_, ok := errors.AsType[*answerError](err)
	return ok
}
