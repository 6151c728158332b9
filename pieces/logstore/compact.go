package logstore

import (
	"context"
	"errors"
	"io"

	"storj/netx"
	"storj/pieces"
)

// Compaction copies what lives in a log behind another one, batch by batch. A copy counts only when a journal adopts
// it, so a crash before that leaves garbage: a piece that was deleted while it was copied must not come back. Then
// the old records are declared dead. A crash in between leaves two that count; the next replay keeps the first.

const (
	moveBytes = 8 << 20 // of records that share a sync and a journal entry
	moveCount = 512
)

// source is the log that is being emptied.
type source struct {
	scan *scanner
	log  *logFile
}

// move is one record that was copied.
type move struct {
	key      key
	from, to location
}

// compaction says how much to compact.
type compaction struct {
	below float64 // share of a log that lives
	rate  int64   // bytes a second, read and written; 0 or below: no bound
}

// compactOne rewrites the log of which the smallest share lives, if that is below the given one. It returns the bytes
// freed; found is false if there is no such log.
func (d *dir) compactOne(ctx context.Context, s *Store, how compaction) (freed int64, found bool, err error) {
	l := d.worstLog(how.below)
	if l == nil {
		return 0, false, nil
	}
	d.mu.Lock()
	garbage := l.garbage()
	d.mu.Unlock()
	if err := d.moveAll(ctx, s, l, how.rate); err != nil && !errors.Is(err, pieces.ErrCorrupt) {
		return 0, true, err
	}
	d.mu.Lock()
	l.stuck = l.live+l.trash > 0 // damaged records stay where they are; the next log gets its turn
	d.mu.Unlock()
	if err := d.flush(); err != nil || l.stuck {
		return 0, true, err
	}
	return garbage, true, nil
}

// worstLog picks a log to compact, nil if none is worth it.
func (d *dir) worstLog(below float64) (worst *logFile) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.logs {
		used := l.live + l.trash
		if l.class.journal || !l.sealed || l.leased || l.stuck || used == 0 || l.committed == 0 {
			continue
		}
		share := float64(used) / float64(l.committed)
		if share < below && (worst == nil || share < float64(worst.live+worst.trash)/float64(worst.committed)) {
			worst = l
		}
	}
	return worst
}

// moveAll copies what lives in a log.
func (d *dir) moveAll(ctx context.Context, s *Store, l *logFile, rate int64) error {
	f, err := d.acquire(l)
	if err != nil {
		return err
	}
	defer d.release(l)
	scan := &scanner{file: f, mark: syncOf(d.id, l.num), end: l.committed, verify: true}
	from := source{scan, l}
	for {
		if err := s.stopped(ctx); err != nil {
			return err
		}
		before := scan.pos
		batch, err := d.nextMoves(from)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return nil
		}
		if err := d.moveBatch(from, batch); err != nil {
			return err
		}
		if err := s.pace(ctx, 2*(scan.pos-before), rate); err != nil { // verified and copied: read twice from cache, written
			return err
		}
	}
}

// nextMoves collects the next records that live.
func (d *dir) nextMoves(from source) (batch []record, err error) {
	var bytes int64
	for bytes < moveBytes && len(batch) < moveCount {
		rec, err := from.scan.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if !rec.hdr.kind.isPiece() {
			continue
		}
		e, found, err := d.lookup(key{rec.hdr.satellite, rec.hdr.piece})
		if err != nil {
			return nil, err
		}
		if found && e.at == (location{from.log.num, uint32(rec.offset)}) {
			batch = append(batch, rec)
			bytes += rec.length
		}
	}
	return batch, nil
}

// moveBatch copies records into a log of the class and enters their new places.
func (d *dir) moveBatch(from source, batch []record) (err error) {
	var bytes int64
	for _, rec := range batch {
		bytes += rec.length
	}
	if err := d.reserveBytes(bytes); err != nil {
		return err
	}
	defer d.unreserve(bytes)
	target, f, err := d.lease(from.log.class)
	if err != nil {
		return err
	}
	defer func() { d.unlease(target, errors.Is(err, pieces.ErrDisk)) }()
	pos := target.committed
	moves := make([]move, 0, len(batch))
	for _, rec := range batch {
		if err := d.copyRecord(from.scan.file, f, rec, syncOf(d.id, target.num), pos); err != nil {
			return d.failed(errors.Join(err, d.rollback(target, f)))
		}
		moves = append(moves, move{
			key: key{rec.hdr.satellite, rec.hdr.piece}, to: location{target.num, uint32(pos)},
			from: location{from.log.num, uint32(rec.offset)},
		})
		pos += rec.length
	}
	if err := f.Sync(); err != nil {
		return d.failed(errors.Join(diskErr("sync log", err), d.rollback(target, f)))
	}
	return d.enterMoves(target, f, pos, moves)
}

// copyRecord writes a record again, under the mark of another log.
func (d *dir) copyRecord(from, to File, rec record, mark syncMark, pos int64) error {
	foot := make([]byte, rec.length-headerSize-int64(rec.hdr.size))
	if err := readFull(from, foot, rec.offset+headerSize+int64(rec.hdr.size)); err != nil {
		return err
	}
	rec.hdr.kind = kindCopy
	head := rec.hdr.append(nil, mark)
	if err := copyBody(d.buffers, from, to, rec, pos, head); err != nil {
		return err
	}
	table := foot[:len(foot)-crcSize] // all but the seal, which covers the header
	_, err := to.WriteAt(appendSeal(table, head), pos+headerSize+int64(rec.hdr.size))
	return diskErr("write log", err)
}

func copyBody(b *buffers, from, to File, rec record, pos int64, head []byte) error {
	buf := b.get(batchBuffer)
	defer b.put(buf)
	used := copy(*buf, head)
	src, left := rec.offset+headerSize, int64(rec.hdr.size)
	for used > 0 || left > 0 {
		n := min(left, int64(len(*buf)-used))
		if err := readFull(from, (*buf)[used:used+int(n)], src); err != nil {
			return err
		}
		if _, err := to.WriteAt((*buf)[:used+int(n)], pos); err != nil {
			return diskErr("write log", err)
		}
		pos, src, left = pos+int64(used)+n, src+n, left-n
		used = 0
	}
	return nil
}

// owner and date group the items of mutations: a record has one of each.
type owner struct {
	satellite netx.NodeID
	trashed   uint32
}

// plan is what a batch of moves means for the journal and the index. What was deleted meanwhile is not in it: its
// copy is never adopted.
type plan struct {
	steps  []step
	trash  map[owner][]item       // copies of pieces in the trash
	copies map[netx.NodeID][]item // new records
	dead   map[netx.NodeID][]item // old records
}

// enterMoves journals a batch and changes the entries. No flush comes between the two: an index that knew the one and
// not the other would be wrong after a crash.
func (d *dir) enterMoves(target *logFile, f File, end int64, moves []move) error {
	d.mutMu.Lock()
	defer d.mutMu.Unlock()
	p, err := d.planMoves(moves)
	if err != nil {
		return errors.Join(err, d.rollback(target, f))
	}
	d.flushMu.Lock()
	defer d.flushMu.Unlock()
	moved, err := d.journalMoves(p)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.advance(target, end)
	for _, s := range p.steps {
		if moved[s.key.satellite] {
			d.apply(s.key, s.old, s.now)
		}
	}
	return err
}

// journalMoves returns the satellites whose copies count now and whose old records are dead. A crash between the
// records leaves both copies; the next replay keeps one. Where writing fails in between the copies are declared
// garbage; if that fails too, the directory is given up.
func (d *dir) journalMoves(p plan) (moved map[netx.NodeID]bool, err error) {
	for o, items := range p.trash {
		err = errors.Join(err, d.journal(kindTrash, o.satellite, o.trashed, items, func() {}))
	}
	now := toSeconds(d.now())
	moved = map[netx.NodeID]bool{}
	for satellite, items := range p.dead {
		if err != nil {
			break
		}
		if err = d.journal(kindAdopt, satellite, now, p.copies[satellite], func() {}); err != nil {
			break
		}
		if err = d.journal(kindDelete, satellite, now, items, func() {}); err == nil {
			moved[satellite] = true
		} else if again := d.journal(kindDelete, satellite, now, p.copies[satellite], func() {}); again != nil {
			d.giveUp(again)
		}
	}
	return moved, err
}

// planMoves looks which of the pieces are still where they were copied from.
func (d *dir) planMoves(moves []move) (plan, error) {
	p := plan{trash: map[owner][]item{}, dead: map[netx.NodeID][]item{}, copies: map[netx.NodeID][]item{}}
	for _, m := range moves {
		old, found, err := d.lookup(m.key)
		if err != nil {
			return p, err
		}
		if !found || old.at != m.from {
			continue
		}
		sat, to := m.key.satellite, item{m.key.piece, m.to}
		now := old
		now.at = m.to
		p.steps = append(p.steps, step{m.key, &old, &now})
		p.dead[sat] = append(p.dead[sat], item{m.key.piece, m.from})
		p.copies[sat] = append(p.copies[sat], to)
		if old.trashed != 0 {
			o := owner{sat, old.trashed}
			p.trash[o] = append(p.trash[o], to)
		}
	}
	return p, nil
}

// The items of a batch fit one mutation record.
var _ [maxItems - moveCount]struct{}
