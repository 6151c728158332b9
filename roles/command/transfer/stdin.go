package transfer

import (
	"context"
	"io"
)

// stdinBuffer is the capacity of a pipe on Linux (pipe(7)); there are two, so that one fills while the other is used.
const stdinBuffer = 64 << 10

// stdinReader reads from what cannot be interrupted, standard input, until a context ends.
type stdinReader struct {
	done   <-chan struct{}
	cause  func() error
	filled chan filled // from the goroutine; unbuffered
	free   chan []byte // to it; has room for both buffers
	buffer []byte      // that left is part of; nil: none
	left   []byte
	err    error // that follows left
}

type filled struct {
	buffer []byte
	n      int
	err    error
}

// newStdinReader starts a goroutine that reads ahead. It ends with the input, or when ctx has ended with the read that it
// is in: nobody can make that one return sooner, and the process is about to end.
func newStdinReader(ctx context.Context, r io.Reader) *stdinReader {
	s := &stdinReader{
		done: ctx.Done(), cause: func() error { return context.Cause(ctx) },
		filled: make(chan filled), free: make(chan []byte, 2),
	}
	for range cap(s.free) {
		s.free <- make([]byte, stdinBuffer)
	}
	go s.runRead(r)
	return s
}

func (s *stdinReader) runRead(r io.Reader) {
	for {
		select {
		case buffer := <-s.free:
			n, err := r.Read(buffer)
			select {
			case s.filled <- filled{buffer, n, err}:
			case <-s.done:
				return
			}
			if err != nil {
				return
			}
		case <-s.done:
			return
		}
	}
}

// Read implements io.Reader.
func (s *stdinReader) Read(p []byte) (int, error) {
	for len(s.left) == 0 {
		if s.buffer != nil {
			s.free <- s.buffer // never blocks: there are two buffers
			s.buffer = nil
		}
		if s.err != nil {
			return 0, s.err
		}
		select {
		case f := <-s.filled:
			s.buffer, s.left, s.err = f.buffer, f.buffer[:f.n], f.err
		case <-s.done:
			return 0, s.cause()
		}
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}
