package logstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"storj/pieces"
)

// writer takes the bytes of one piece. Up to smallPiece bytes are gathered in a buffer and committed with others; more
// go straight into a log that the writer has for itself.
type writer struct {
	store    *Store
	dir      *dir
	flight   *flight
	key      key
	hdr      header
	reserved int64

	mu      sync.Mutex // guards the fields below: the store's Close cancels beside the user
	done    bool
	written int64
	err     error // of a failed write; Commit repeats it
	sums    []uint32
	block   uint32  // checksum of the unfinished block
	buf     *[]byte // headerSize bytes, then what is not yet in the log
	used    int     // bytes of buf
	lease   *lease  // nil: small
}

// lease is a log that a large piece is being written to.
type lease struct {
	log   *logFile
	file  File
	mark  syncMark
	start int64 // of the record
	pos   int64 // end of what was written
	flush int64 // end of what the disk was asked to begin writing
	wrote bool  // something may stand past committed
}

const (
	// largeBuffer gathers small writes of large pieces.
	largeBuffer = smallBuffer
	// directWrite is the smallest write that goes past the buffer.
	directWrite = 64 << 10
	// writebackStep is how much of a large piece gathers before the disk is asked to begin writing: the sync at the end
	// then waits for the last step only.
	writebackStep = 1 << 20
)

// Write implements pieces.Writer.
func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return 0, err
	}
	if int64(len(p)) > int64(w.hdr.size)-w.written {
		return 0, fmt.Errorf("write past the announced %d bytes: %w", w.hdr.size, pieces.ErrMalformed)
	}
	w.sum(p)
	w.written += int64(len(p))
	if w.lease != nil {
		if w.err = w.writeLarge(p); w.err != nil {
			return 0, w.err
		}
		return len(p), nil
	}
	w.used += copy((*w.buf)[w.used:], p)
	return len(p), nil
}

// usable says whether the writer may go on. The caller holds mu.
func (w *writer) usable() error {
	if w.done {
		return fmt.Errorf("write to an ended writer: %w", pieces.ErrStoreClosed)
	}
	return w.err
}

// sum takes p into the checksums of the blocks.
func (w *writer) sum(p []byte) {
	for pos := w.written; len(p) > 0; {
		n := min(int64(len(p)), blockSize-pos%blockSize)
		w.block = updateSum(w.block, p[:n])
		p, pos = p[n:], pos+n
		if pos%blockSize == 0 || pos == int64(w.hdr.size) {
			w.sums = append(w.sums, w.block)
			w.block = 0
		}
	}
}

// writeLarge passes p on to the log, small writes by way of the buffer.
func (w *writer) writeLarge(p []byte) error {
	if len(p) < directWrite && w.used+len(p) <= largeBuffer {
		w.used += copy((*w.buf)[w.used:], p)
		return nil
	}
	if err := w.drain(); err != nil {
		return err
	}
	if len(p) < directWrite {
		w.used = copy(*w.buf, p)
		return nil
	}
	return w.writeLog(p)
}

// drain writes out the buffer.
func (w *writer) drain() error {
	used := w.used
	w.used = 0
	return w.writeLog((*w.buf)[:used])
}

func (w *writer) writeLog(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	l := w.lease
	l.wrote = true
	if _, err := l.file.WriteAt(p, l.pos); err != nil {
		return w.dir.failed(diskErr("write log", err))
	}
	l.pos += int64(len(p))
	if l.pos-l.flush >= writebackStep {
		l.file.Writeback(l.flush, l.pos-l.flush)
		l.flush = l.pos
	}
	return nil
}

// Commit implements pieces.Writer.
func (w *writer) Commit(ctx context.Context, proof []byte) error {
	w.flight.mu.Lock() // one commit of a piece at a time; before w.mu, which Close wants
	defer w.flight.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return errors.Join(err, w.end())
	}
	if err := w.store.enter(); err != nil {
		return errors.Join(err, w.end())
	}
	defer w.store.exit()
	if err := w.checkCommit(ctx, proof); err != nil {
		return errors.Join(fmt.Errorf("commit piece %s: %w", w.key.piece, err), w.end())
	}
	if err := w.dir.flushIfFull(); err != nil {
		return errors.Join(fmt.Errorf("commit piece %s: %w", w.key.piece, err), w.end())
	}
	var err error
	if w.lease != nil {
		err = w.commitLarge(proof)
	} else {
		err = w.commitSmall(proof)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("commit piece %s: %w", w.key.piece, err), w.end())
	}
	return w.end()
}

func (w *writer) checkCommit(ctx context.Context, proof []byte) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case w.written != int64(w.hdr.size):
		return fmt.Errorf("got %d bytes of announced %d: %w", w.written, w.hdr.size, pieces.ErrMalformed)
	case len(proof) > pieces.MaxProofSize:
		return fmt.Errorf("proof of %d bytes: %w", len(proof), pieces.ErrMalformed)
	}
	if !w.store.contended(w.flight) {
		return nil
	}
	_, _, err := w.store.find(w.key)
	if err == nil {
		return pieces.ErrExists
	}
	if errors.Is(err, pieces.ErrNotFound) || errors.Is(err, pieces.ErrDisk) {
		return nil
	}
	return err
}

// entryAt is the index entry of the piece.
func (w *writer) entryAt(at location, proof []byte) *entry {
	return &entry{
		at: at, size: w.hdr.size, proof: uint16(len(proof)),
		created: uint32(w.hdr.created), expires: uint32(w.hdr.expires),
	}
}

func (w *writer) commitSmall(proof []byte) error {
	r := &request{hdr: w.hdr, buf: (*w.buf)[:w.used], sums: w.sums, proof: proof}
	r.apply = func(at location) { w.dir.apply(w.key, nil, w.entryAt(at, proof)) }
	return w.dir.append(classOf(uint32(w.hdr.expires)), r)
}

func (w *writer) commitLarge(proof []byte) error {
	l, d := w.lease, w.dir
	if err := d.writable(); err != nil {
		return err
	}
	if w.used+footerRoom(w.sums, proof) > len(*w.buf) {
		if err := w.drain(); err != nil {
			return err
		}
	}
	head := w.hdr.append(make([]byte, 0, headerSize), l.mark)
	tail := appendFooter((*w.buf)[:w.used], head, w.sums, proof)
	w.used = 0
	l.wrote = true
	if _, err := l.file.WriteAt(tail, l.pos); err != nil {
		return d.failed(diskErr("write log", err))
	}
	if !d.noSync {
		if err := l.file.Sync(); err != nil {
			l.log.poison(d)
			return d.failed(diskErr("sync log", err))
		}
	}
	l.wrote = false
	d.mu.Lock()
	defer d.mu.Unlock()
	d.advance(l.log, l.pos+int64(len(tail)))
	d.apply(w.key, nil, w.entryAt(location{l.log.num, uint32(l.start)}, proof))
	d.failures = 0
	return nil
}

// footerRoom bounds the length of a footer.
func footerRoom(sums []uint32, proof []byte) int { return crcSize*len(sums) + footerFixed + len(proof) }

// poison seals a log whose sync failed: nobody knows which of its pages the disk has. What was acknowledged before is
// safe, by earlier syncs.
func (l *logFile) poison(d *dir) {
	d.mu.Lock()
	l.sealed = true
	d.dirtyRows[l.num] = true
	d.mu.Unlock()
}

// Cancel implements pieces.Writer.
func (w *writer) Cancel() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end()
}

// end gives back what the writer holds; a log is cut back to what is committed. The caller holds mu.
func (w *writer) end() error {
	if w.done {
		return nil
	}
	w.done = true
	d := w.dir
	var err error
	if l := w.lease; l != nil {
		if l.wrote {
			err = d.rollback(l.log, l.file)
		}
		d.unlease(l.log, err != nil)
		<-d.leases
		w.lease = nil
	}
	d.buffers.put(w.buf)
	w.buf, w.sums = nil, nil
	d.unreserve(w.reserved)
	w.store.landed(w)
	return err
}

// newWriter starts a piece in a directory that has the space reserved. It waits while maxLeases large pieces are being
// written.
func (d *dir) newWriter(ctx context.Context, w *writer) error {
	size := int64(w.hdr.size)
	w.sums = make([]uint32, 0, blockCount(size))
	if size <= smallPiece {
		w.buf = d.buffers.get(recordSize(size, pieces.MaxProofSize))
		w.used = headerSize
		return nil
	}
	select {
	case d.leases <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.store.closing:
		return pieces.ErrStoreClosed
	}
	l, f, err := d.lease(classOf(uint32(w.hdr.expires)))
	if err != nil {
		<-d.leases
		return err
	}
	w.lease = &lease{
		log: l, file: f, mark: syncOf(d.id, l.num), start: l.committed, pos: l.committed, flush: l.committed,
	}
	w.buf = d.buffers.get(largeBuffer)
	w.used = len(w.hdr.append((*w.buf)[:0], w.lease.mark))
	return nil
}
