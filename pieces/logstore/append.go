package logstore

import (
	"errors"
	"fmt"
	"sync"

	"storj/pieces"
)

// Group commit. Callers line up in the queue of their class. The first becomes the leader: it takes what waits, writes
// it with one write, syncs once, enters all in the index and wakes their owners; then it makes the first of those that
// came meanwhile the leader. No goroutine exists for this, so none has to be stopped.

// request is one small record on its way to a log.
type request struct {
	hdr   header
	buf   []byte // headerSize bytes left free, then the body; the footer is appended
	sums  []uint32
	proof []byte
	// apply enters the record in the index. It runs when the record is durable, with dir.mu held.
	apply func(at location)

	at   location
	err  error
	wake chan wakeUp // capacity 1: the leader never waits for its followers
}

type wakeUp uint8

const (
	wakeDone wakeUp = iota // at and err are set
	wakeLead               // lead the next batch, your own request among it
)

// queue is where requests of one class wait.
type queue struct {
	mu      sync.Mutex // guards the fields below
	waiting []*request // bounded by the callers, who wait with their buffers
	led     bool
}

// size is the length of the record.
func (r *request) size() int64 { return recordSize(int64(r.hdr.size), len(r.proof)) }

// encode completes the record in buf for a place in a log.
func (r *request) encode(mark syncMark) []byte {
	r.hdr.append(r.buf[:0], mark)
	r.buf = appendFooter(r.buf, r.buf[:headerSize], r.sums, r.proof)
	return r.buf
}

// append writes one record durably. It does not look at a context: once queued, a record may become durable, so the
// caller has to know.
func (d *dir) append(c class, r *request) error {
	r.wake = make(chan wakeUp, 1)
	q := d.queue(c)
	q.mu.Lock()
	q.waiting = append(q.waiting, r)
	lead := !q.led
	q.led = true
	q.mu.Unlock()
	if lead || <-r.wake == wakeLead {
		d.leadBatch(c, q)
		<-r.wake // leadBatch served the longest waiting: this request is among them
	}
	return r.err
}

func (d *dir) queue(c class) *queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.queues[c]
	if q == nil {
		q = &queue{}
		d.queues[c] = q
	}
	return q
}

// leadBatch writes the longest waiting requests, then hands the lead on.
func (d *dir) leadBatch(c class, q *queue) {
	batch := q.take()
	err := d.writeBatch(c, batch)
	q.mu.Lock()
	if len(q.waiting) > 0 {
		q.waiting[0].wake <- wakeLead
	} else {
		q.led = false
	}
	q.mu.Unlock()
	for _, r := range batch {
		r.err = err
		r.wake <- wakeDone
	}
}

// take removes the requests of the next batch, at least one.
func (q *queue) take() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	var bytes int64
	n := 0
	for n < len(q.waiting) && (n == 0 || bytes+q.waiting[n].size() <= batchBytes) {
		bytes += q.waiting[n].size()
		n++
	}
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	if len(q.waiting) == 0 {
		q.waiting = nil
	}
	return batch
}

// writeBatch makes a batch durable in one log, with all its entries, or leaves nothing of it.
func (d *dir) writeBatch(c class, batch []*request) (err error) {
	l, f, err := d.lease(c)
	if err != nil {
		return err
	}
	defer func() { d.unlease(l, errors.Is(err, pieces.ErrDisk)) }()
	start := l.committed
	buf, done := d.joinRecords(batch, syncOf(d.id, l.num), location{l.num, uint32(start)})
	defer done()
	if _, err := f.WriteAt(buf, start); err != nil {
		return d.failed(errors.Join(diskErr("write log", err), d.rollback(l, f)))
	}
	if !d.noSync {
		if err := f.Sync(); err != nil {
			return d.failed(errors.Join(diskErr("sync log", err), d.rollback(l, f)))
		}
	}
	d.mu.Lock()
	d.advance(l, start+int64(len(buf)))
	for _, r := range batch {
		r.apply(r.at)
	}
	d.failures = 0
	d.mu.Unlock()
	return nil
}

// joinRecords encodes the records of a batch, gives each its place, and returns their bytes and what frees them.
func (d *dir) joinRecords(batch []*request, mark syncMark, at location) (joined []byte, done func()) {
	if len(batch) == 1 {
		batch[0].at = at
		return batch[0].encode(mark), func() {}
	}
	var total int64
	for _, r := range batch {
		total += r.size()
	}
	buf := d.buffers.get(total)
	joined = (*buf)[:0]
	for _, r := range batch {
		r.at = location{at.log, at.offset + uint32(len(joined))}
		joined = append(joined, r.encode(mark)...)
	}
	if int64(len(joined)) != total {
		panic(fmt.Sprintf("logstore: batch of %d bytes, announced %d", len(joined), total))
	}
	return joined, func() { d.buffers.put(buf) }
}
