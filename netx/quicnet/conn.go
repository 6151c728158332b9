package quicnet

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"storj/netx"
)

// conn is a connection whose peer has proved its NodeID.
type conn struct {
	qc   *quic.Conn
	peer netx.NodeID
}

var _ netx.Conn = (*conn)(nil)

func (c *conn) Peer() netx.NodeID { return c.peer }

func (c *conn) RemoteAddr() string { return c.qc.RemoteAddr().String() }

func (c *conn) Done() <-chan struct{} { return c.qc.Context().Done() }

func (c *conn) OpenStream(ctx context.Context) (netx.Stream, error) {
	qs, err := c.qc.OpenStreamSync(ctx)
	if err != nil {
		return nil, connError(err)
	}
	return &stream{qs: qs}, nil
}

func (c *conn) AcceptStream(ctx context.Context) (netx.Stream, error) {
	qs, err := c.qc.AcceptStream(ctx)
	if err != nil {
		return nil, connError(err)
	}
	return &stream{qs: qs}, nil
}

func (c *conn) Close(code netx.Code) error {
	return c.qc.CloseWithError(quic.ApplicationErrorCode(code), "")
}

// stream is one stream of a connection.
type stream struct {
	qs     *quic.Stream
	closed atomic.Bool // CloseWrite was called
}

var _ netx.Stream = (*stream)(nil)

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.qs.Read(p)
	if err != nil && err != io.EOF {
		err = streamError(err)
	}
	return n, err
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.qs.Write(p)
	if err != nil {
		err = streamError(err)
	}
	return n, err
}

func (s *stream) CloseWrite() error {
	s.closed.Store(true)
	if err := s.qs.Close(); err != nil {
		return streamError(err)
	}
	return nil
}

// Cancel resets both directions. One that CloseWrite has ended stays ended: a reset would take back what is on its way.
func (s *stream) Cancel(code netx.Code) {
	s.qs.CancelRead(quic.StreamErrorCode(code))
	if !s.closed.Load() {
		s.qs.CancelWrite(quic.StreamErrorCode(code))
	}
}

func (s *stream) SetDeadline(t time.Time) error {
	if err := s.qs.SetDeadline(t); err != nil {
		return streamError(err)
	}
	return nil
}
