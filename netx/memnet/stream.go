package memnet

import (
	"fmt"
	"io"
	"sync"
	"time"

	"storj/netx"
)

// pair is a stream with its two ends. Everything in it is guarded by link.mu.
type pair struct {
	link      *link
	opener    *conn
	ends      [2]stream // [0] is the opener's
	pipes     [2]pipe   // pipes[i] is written by ends[i]
	announced bool      // the peer has the stream in its queue
	freed     bool      // the opener's credit was given back
}

// stream is one end of a pair.
type stream struct {
	pair *pair
	side int // index in pair.ends
}

var _ netx.Stream = (*stream)(nil)

// pipe is one direction.
type pipe struct {
	chunks []chunk // written and not yet read
	queued int     // bytes in chunks
	last   time.Time
	fin    bool // CloseWrite was called

	reset   error // the reader's error after the writer cancelled
	stopped error // the writer's error after the reader cancelled
	read    bool  // the reader met the end, or either side cancelled: the direction is done

	reader, writer waiter
}

// chunk is one write on its way.
type chunk struct {
	data []byte
	at   time.Time // when it arrives; zero: at once
}

// waiter is where one side of a pipe blocks, with its deadline.
type waiter struct {
	cond     *sync.Cond
	deadline time.Time
	alarm    *time.Timer // wakes at the deadline
	arrival  *time.Timer // wakes when the next chunk arrives
}

// newPair is called under link.mu.
func newPair(opener *conn) *pair {
	p := &pair{link: opener.link, opener: opener}
	for i := range p.ends {
		p.ends[i] = stream{pair: p, side: i}
		p.pipes[i].reader.cond = sync.NewCond(&p.link.mu)
		p.pipes[i].writer.cond = sync.NewCond(&p.link.mu)
	}
	return p
}

func (p *pair) wakeLocked() {
	for i := range p.pipes {
		p.pipes[i].reader.cond.Broadcast()
		p.pipes[i].writer.cond.Broadcast()
	}
}

func (p *pair) stopTimersLocked() {
	for i := range p.pipes {
		p.pipes[i].reader.stop()
		p.pipes[i].writer.stop()
	}
}

func (w *waiter) stop() {
	if w.alarm != nil {
		w.alarm.Stop()
	}
	if w.arrival != nil {
		w.arrival.Stop()
	}
}

func (w *waiter) expired() bool { return !w.deadline.IsZero() && !time.Now().Before(w.deadline) }

func (s *stream) conn() *conn {
	if s.side == 0 {
		return s.pair.opener
	}
	return s.pair.opener.other()
}

// Read reads what has arrived.
func (s *stream) Read(b []byte) (int, error) {
	l := s.pair.link
	in := &s.pair.pipes[1-s.side]
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if done, n, err := s.tryRead(in, b); done {
			return n, err
		}
		in.reader.cond.Wait()
	}
}

// tryRead reads, fails, or says that there is nothing to do yet.
func (s *stream) tryRead(in *pipe, b []byte) (done bool, n int, err error) {
	visible := !s.pair.link.blocked
	switch {
	case in.stopped != nil:
		return true, 0, fmt.Errorf("%w: stream cancelled", netx.ErrClosed) // by ourselves
	case in.reset != nil && visible:
		s.finishLocked(in)
		return true, 0, in.reset
	case s.conn().err != nil:
		return true, 0, s.conn().err
	case in.reader.expired():
		return true, 0, netx.ErrTimeout
	case len(b) == 0:
		return true, 0, nil
	case len(in.chunks) > 0 && visible && s.arrived(in):
		return true, s.takeLocked(in, b), nil
	case len(in.chunks) == 0 && in.fin && visible:
		s.finishLocked(in)
		return true, 0, io.EOF
	}
	return false, 0, nil
}

// arrived says whether the first chunk is there; if not, its arrival will wake the reader.
func (s *stream) arrived(in *pipe) bool {
	at := in.chunks[0].at
	if at.IsZero() {
		return true
	}
	wait := time.Until(at)
	if wait <= 0 {
		return true
	}
	if in.reader.arrival != nil {
		in.reader.arrival.Stop()
	}
	in.reader.arrival = s.pair.link.after(wait, in.reader.cond)
	return false
}

// takeLocked moves arrived bytes to b.
func (s *stream) takeLocked(in *pipe, b []byte) (n int) {
	for n < len(b) && len(in.chunks) > 0 && s.arrived(in) {
		first := &in.chunks[0]
		took := copy(b[n:], first.data)
		n += took
		if took == len(first.data) {
			in.chunks[0] = chunk{}
			in.chunks = in.chunks[1:]
		} else {
			first.data = first.data[took:]
		}
	}
	in.queued -= n
	in.writer.cond.Broadcast()
	return n
}

// Write writes as much as the window lets, and waits for the rest.
func (s *stream) Write(b []byte) (n int, err error) {
	l := s.pair.link
	out := &s.pair.pipes[s.side]
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if err := s.writable(out); err != nil {
			return n, err
		}
		if room := windowSize - out.queued; room > 0 || len(b) == 0 {
			part := b[:min(len(b), room)]
			s.putLocked(out, part)
			n += len(part)
			b = b[len(part):]
			if len(b) == 0 {
				return n, nil
			}
			continue
		}
		out.writer.cond.Wait()
	}
}

func (s *stream) writable(out *pipe) error {
	switch {
	case out.stopped != nil && !s.pair.link.blocked:
		return out.stopped
	case out.reset != nil || out.fin:
		return fmt.Errorf("%w: writing side ended", netx.ErrClosed)
	case s.conn().err != nil:
		return s.conn().err
	case out.writer.expired():
		return netx.ErrTimeout
	}
	return nil
}

func (s *stream) putLocked(out *pipe, b []byte) {
	s.announceLocked()
	if len(b) == 0 {
		return
	}
	l := s.pair.link
	c := chunk{data: append([]byte(nil), b...)}
	if l.latency > 0 || l.perWrite > 0 {
		c.at = time.Now().Add(l.latency)
		if after := out.last.Add(l.perWrite); after.After(c.at) {
			c.at = after
		} else {
			c.at = c.at.Add(l.perWrite)
		}
		out.last = c.at
	}
	out.chunks = append(out.chunks, c)
	out.queued += len(b)
	out.reader.cond.Broadcast()
}

// announceLocked lets the peer accept the stream. Its queue has room for as many as there is credit for.
func (s *stream) announceLocked() {
	if s.side != 0 || s.pair.announced {
		return
	}
	s.pair.announced = true
	select {
	case s.pair.opener.other().accept <- &s.pair.ends[1]:
	default:
		panic("memnet: accept queue shorter than the credit of streams")
	}
}

// CloseWrite lets the peer read io.EOF after what was written.
func (s *stream) CloseWrite() error {
	l := s.pair.link
	out := &s.pair.pipes[s.side]
	l.mu.Lock()
	defer l.mu.Unlock()
	if out.fin {
		return nil
	}
	if out.reset != nil || out.stopped != nil && !l.blocked {
		return fmt.Errorf("%w: writing side ended", netx.ErrClosed)
	}
	if err := s.conn().err; err != nil {
		return err
	}
	s.announceLocked()
	out.fin = true
	out.reader.cond.Broadcast()
	return nil
}

// Cancel aborts what has not ended: reading always, writing unless CloseWrite was called.
func (s *stream) Cancel(code netx.Code) {
	if code == netx.OK {
		code = netx.Cancelled
	}
	l := s.pair.link
	in, out := &s.pair.pipes[1-s.side], &s.pair.pipes[s.side]
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.conn().err != nil {
		return // nothing reaches the peer any more, and every call here fails already
	}
	if !in.read {
		if in.stopped == nil {
			in.stopped = netx.FromWire(code, 0)
		}
		in.chunks, in.queued = nil, 0
		s.finishLocked(in)
	}
	if !out.fin && out.reset == nil {
		out.reset = netx.FromWire(code, 0)
		out.chunks, out.queued = nil, 0
		if !s.pair.announced && s.side == 0 {
			s.finishLocked(out) // the peer will never know of it
		}
		if out.stopped != nil {
			s.finishLocked(out) // the peer does not read any more
		}
	}
	s.pair.wakeLocked()
}

// finishLocked notes that a direction is done, and gives the credit back with the second one.
func (s *stream) finishLocked(p *pipe) {
	p.read = true
	pr := s.pair
	unseen := !pr.announced && pr.pipes[0].reset != nil
	if pr.freed || !pr.pipes[0].read || !pr.pipes[1].read && !unseen {
		return
	}
	pr.freed = true
	pr.stopTimersLocked()
	delete(pr.link.streams, pr)
	<-pr.opener.credit
}

// SetDeadline bounds reads and writes from now on, and those that are waiting.
func (s *stream) SetDeadline(t time.Time) error {
	l := s.pair.link
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range []*waiter{&s.pair.pipes[1-s.side].reader, &s.pair.pipes[s.side].writer} {
		w.deadline = t
		if w.alarm != nil {
			w.alarm.Stop()
			w.alarm = nil
		}
		if !t.IsZero() && !s.pair.freed {
			w.alarm = l.after(time.Until(t), w.cond)
		}
		w.cond.Broadcast()
	}
	return nil
}
