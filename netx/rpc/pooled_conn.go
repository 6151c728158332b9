package rpc

import (
	"context"
	"errors"
	"sync"

	"storj/netx"
)

// pooledConn is what Get hands out: streams on it count as use of the pooled connection.
type pooledConn struct {
	netx.Conn
	pool  *Pool
	entry *entry
}

func (c *pooledConn) OpenStream(ctx context.Context) (netx.Stream, error) {
	stream, err := c.Conn.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	c.pool.mu.Lock()
	c.entry.active++
	c.pool.mu.Unlock()
	return &pooledStream{Stream: stream, done: sync.OnceFunc(func() { c.pool.release(c.entry) })}, nil
}

// pooledStream notices the end that every stream has to come to: read to an error, or cancelled.
type pooledStream struct {
	netx.Stream
	done func()
}

func (s *pooledStream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	if err != nil && !errors.Is(err, netx.ErrTimeout) { // after a timeout there may be more
		s.done()
	}
	return n, err
}

func (s *pooledStream) Cancel(code netx.Code) {
	s.Stream.Cancel(code)
	s.done()
}
