package logstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"storj/netx"
	"storj/pieces"
)

// Replay: the normal way to open a directory. The index knows each log up to some length. What the log has beyond is
// read and entered: first the journals, whose items say what became of which record, then the other logs. An index
// that is lost is only the case where it knows nothing, except that nothing is cut off a log then: what does not
// parse at the end of a log may have been acknowledged long ago.

// mention is what one item of a journal says about one record.
type mention struct {
	at   uint64 // location
	tag  uint64 // start of the piece ID: a location alone may have held another record before a crash
	when uint32
	kind kind
}

// fate is what all mentions of a record come to.
type fate struct {
	trashed uint32
	deleted bool
	adopted bool
}

// counts says whether a record of a kind is a piece of the store.
func (f fate) counts(k kind) bool { return !f.deleted && (f.adopted || k == kindPiece) }

func (f *fate) take(m mention) {
	switch m.kind {
	case kindTrash:
		f.trashed = m.when
	case kindRestore:
		f.trashed = 0
	case kindDelete:
		f.deleted = true
	case kindAdopt:
		f.adopted = true
	}
}

func tagOf(piece pieces.PieceID) uint64 { return binary.BigEndian.Uint64(piece[:]) }
func (l location) number() uint64       { return uint64(l.log)<<32 | uint64(l.offset) }

// replayer is the state of one replay.
type replayer struct {
	dir      *dir
	rebuild  bool // the index was lost
	sizes    map[uint32]int64
	mentions []mention
	losers   map[netx.NodeID][]item // records that must not come back: second copies, damaged ones never acknowledged
	changed  bool
	max      uint32 // largest log number seen anywhere
}

// replay makes the index complete and the logs clean.
func (d *dir) replay(ctx context.Context) error {
	rebuild, err := d.openOrRenewIndex()
	if err != nil {
		return err
	}
	r := &replayer{dir: d, rebuild: rebuild, sizes: map[uint32]int64{}, losers: map[netx.NodeID][]item{}}
	if err := r.list(); err != nil {
		return err
	}
	journals, logs := r.sorted()
	for _, l := range journals {
		if err := r.readJournal(ctx, l); err != nil {
			return err
		}
	}
	r.sortMentions()
	for _, l := range logs {
		if err := r.readLog(ctx, l); err != nil {
			return err
		}
	}
	return r.finish(journals)
}

// openOrRenewIndex opens the index; one that cannot be used is set aside and begun anew.
func (d *dir) openOrRenewIndex() (rebuild bool, err error) {
	rebuild, err = d.openIndex()
	if !errors.Is(err, errIndex) {
		return rebuild, err
	}
	d.log.Warn().Err(err).Msg("index set aside, rebuilding it from the logs")
	d.resetCounters()
	path := filepath.Join(d.path, indexName)
	if err := os.Rename(path, path+".damaged"); err != nil {
		return false, diskErr("set index aside", err)
	}
	return d.openIndex()
}

// resetCounters forgets what a damaged index had told before it was found out.
func (d *dir) resetCounters() {
	clear(d.logs)
	clear(d.usage)
	d.live, d.trash, d.committed, d.nextLog = 0, 0, 0, 1
}

// list compares the files with the rows of the index.
func (r *replayer) list() error {
	d := r.dir
	files, err := d.fs.List(filepath.Join(d.path, logsName))
	if err != nil {
		return diskErr("list logs", err)
	}
	for name, size := range files {
		l, ok := parseName(name)
		if strings.HasSuffix(name, newSuffix) {
			_ = d.fs.Remove(filepath.Join(d.path, logsName, name)) // best effort: made again
			continue
		}
		if !ok {
			d.log.Warn().Str("file", name).Msg("file that is no log was passed over")
			continue
		}
		if d.logs[l.num] == nil {
			d.logs[l.num] = l
		}
		r.sizes[l.num] = size
		r.max = max(r.max, l.num)
	}
	for num, l := range d.logs {
		if size := r.sizes[num]; size < l.committed {
			l.sealed = true
			if _, there := r.sizes[num]; there && l.class.journal { // compacted just before a crash: the index knows it all
				d.committed -= l.committed - size
				l.committed = size
				d.dirtyRows[num] = true
				r.changed = true
			}
			if l.live+l.trash > 0 {
				d.log.Error().Str("file", l.name()).Int64("bytes", l.committed-size).Msg("log has lost bytes")
			}
		}
	}
	return nil
}

func (r *replayer) sorted() (journals, logs []*logFile) {
	for _, num := range slices.Sorted(maps.Keys(r.dir.logs)) {
		if l := r.dir.logs[num]; l.class.journal {
			journals = append(journals, l)
		} else {
			logs = append(logs, l)
		}
	}
	return journals, logs
}

// scan walks what the index does not know of a log. It returns the end of the last sound record; rest are the damaged
// records after it.
func (r *replayer) scan(ctx context.Context, l *logFile,
	fn func(s *scanner, rec record) error) (end int64, rest []record, err error) {
	f, err := r.dir.acquire(l)
	if err != nil {
		return 0, nil, err
	}
	defer r.dir.release(l)
	if err := f.Sync(); err != nil { // a process that was killed may have left it unsynced, and the index is to know it
		return 0, nil, diskErr("sync log", err)
	}
	s := &scanner{
		file: f, mark: syncOf(r.dir.id, l.num), pos: l.committed, end: r.sizes[l.num], verify: !r.rebuild,
	}
	for {
		if err := ctx.Err(); err != nil {
			return 0, nil, err
		}
		rec, err := s.next()
		if err == io.EOF {
			return s.pos, slices.Clone(s.damaged), nil
		}
		if err == nil && s.gap > 0 {
			r.dir.log.Warn().Str("file", l.name()).Int64("bytes", s.gap).Msg("damaged bytes in log passed over")
		}
		if err == nil {
			err = fn(s, rec)
		}
		if err != nil {
			return 0, nil, fmt.Errorf("log %s: %w", l.name(), err)
		}
	}
}

// readJournal applies the mutations that the index does not know to the entries that it does, and notes them for
// those to come.
func (r *replayer) readJournal(ctx context.Context, l *logFile) error {
	if r.sizes[l.num] <= l.committed || l.sealed {
		return r.trim(l, l.committed)
	}
	end, _, err := r.scan(ctx, l, func(s *scanner, rec record) error {
		body, err := s.body(rec)
		if err != nil {
			return err
		}
		items := decodeItems(body)
		r.note(rec.hdr, items)
		for _, it := range items {
			r.max = max(r.max, it.at.log)
			if err := r.applyMention(key{rec.hdr.satellite, it.piece}, it.at, mentionBy(rec.hdr, it)); err != nil {
				return err
			}
		}
		return r.dir.flushIfFull()
	})
	if err != nil {
		return err
	}
	r.changed = true // finish sets the length, once the entries of all logs are in
	if r.rebuild {
		l.sealed = end < r.sizes[l.num]
		return nil
	}
	return r.trim(l, end)
}

func mentionBy(h header, it item) mention {
	return mention{at: it.at.number(), tag: tagOf(it.piece), when: uint32(h.created), kind: h.kind}
}

// note remembers the items of a mutation.
func (r *replayer) note(h header, items []item) {
	for _, it := range items {
		r.mentions = append(r.mentions, mentionBy(h, it))
	}
}

func (r *replayer) sortMentions() {
	slices.SortStableFunc(r.mentions, func(a, b mention) int { return cmp.Compare(a.at, b.at) })
}

// applyMention changes the entry of the record at a location, if the index has it.
func (r *replayer) applyMention(k key, at location, m mention) error {
	old, found, err := r.dir.lookup(k)
	if err != nil || !found || old.at != at {
		return err
	}
	f := fate{trashed: old.trashed}
	f.take(m)
	r.dir.mu.Lock()
	defer r.dir.mu.Unlock()
	if f.deleted {
		r.dir.apply(k, &old, nil)
		return nil
	}
	now := old
	now.trashed = f.trashed
	r.dir.apply(k, &old, &now)
	return nil
}

// fateOf adds up what the journals say about a record.
func (r *replayer) fateOf(at location, piece pieces.PieceID) (f fate) {
	i, _ := slices.BinarySearchFunc(r.mentions, at.number(), func(m mention, n uint64) int { return cmp.Compare(m.at, n) })
	for ; i < len(r.mentions) && r.mentions[i].at == at.number(); i++ {
		if r.mentions[i].tag == tagOf(piece) {
			f.take(r.mentions[i])
		}
	}
	return f
}

// readLog enters the pieces of a log that the index does not know.
func (r *replayer) readLog(ctx context.Context, l *logFile) error {
	if r.sizes[l.num] <= l.committed || l.sealed {
		return r.trim(l, l.committed)
	}
	r.changed = true
	end, rest, err := r.scan(ctx, l, func(s *scanner, rec record) error {
		if err := r.enterDamaged(l, s.damaged); err != nil {
			return err
		}
		if err := r.enter(l, rec); err != nil {
			return err
		}
		r.advance(l, rec.offset+rec.length)
		return r.dir.flushIfFull()
	})
	if err != nil {
		return err
	}
	if r.rebuild {
		if err := r.enterDamaged(l, rest); err != nil {
			return err
		}
	}
	return r.trim(l, end)
}

func (r *replayer) advance(l *logFile, end int64) {
	r.dir.mu.Lock()
	defer r.dir.mu.Unlock()
	r.dir.advance(l, end)
}

// enter puts a sound record into the index.
func (r *replayer) enter(l *logFile, rec record) error {
	if !rec.hdr.kind.isPiece() {
		return nil
	}
	k, at := key{rec.hdr.satellite, rec.hdr.piece}, location{l.num, uint32(rec.offset)}
	f := r.fateOf(at, k.piece)
	if !f.counts(rec.hdr.kind) {
		return nil
	}
	old, found, err := r.dir.lookup(k)
	if err != nil {
		return err
	}
	if found { // a move that a crash cut short: the first copy stays
		if old.at != at {
			r.losers[k.satellite] = append(r.losers[k.satellite], item{k.piece, at})
		}
		return nil
	}
	r.dir.mu.Lock()
	defer r.dir.mu.Unlock()
	r.dir.apply(k, nil, &entry{
		at: at, size: rec.hdr.size, proof: uint16(rec.proof), created: uint32(rec.hdr.created),
		expires: uint32(rec.hdr.expires), trashed: f.trashed,
	})
	return nil
}

// enterDamaged enters records of which only the header is sound. When the index was lost they stay known as pieces,
// so that reading them says ErrCorrupt and not ErrNotFound; else they were never acknowledged.
func (r *replayer) enterDamaged(l *logFile, damaged []record) error {
	for _, rec := range damaged {
		if !rec.hdr.kind.isPiece() {
			continue
		}
		if r.rebuild {
			if err := r.enter(l, rec); err != nil {
				return err
			}
			continue
		}
		it := item{rec.hdr.piece, location{l.num, uint32(rec.offset)}}
		if r.fateOf(it.at, it.piece).counts(rec.hdr.kind) {
			r.losers[rec.hdr.satellite] = append(r.losers[rec.hdr.satellite], it)
		}
	}
	return nil
}

// trim deals with what stands in a log past the end of its sound records: an unfinished piece is cut off. When the
// index was lost the log is sealed as it is instead.
func (r *replayer) trim(l *logFile, end int64) error {
	size := r.sizes[l.num]
	if size <= end {
		return nil
	}
	r.changed = true
	if r.rebuild && !l.sealed {
		r.dir.mu.Lock()
		defer r.dir.mu.Unlock()
		l.sealed = true
		r.dir.advance(l, size)
		return nil
	}
	r.dir.log.Warn().Str("file", l.name()).Int64("bytes", size-end).Msg("unfinished piece cut off")
	f, err := r.dir.acquire(l)
	if err != nil {
		return err
	}
	defer r.dir.release(l)
	if err := errors.Join(f.Truncate(end), f.Sync()); err != nil {
		return diskErr("cut off unfinished piece", err)
	}
	r.sizes[l.num] = end
	return nil
}

// finish makes the logs ready for writers and writes the index.
func (r *replayer) finish(journals []*logFile) error {
	d := r.dir
	d.mu.Lock()
	d.whole = true
	if next := r.max + 1; next > d.nextLog {
		d.nextLog = next
	}
	for i, l := range journals { // one journal at a time, the newest: their order is that of their items
		if end := r.sizes[l.num]; end > l.committed {
			d.advance(l, end)
		}
		if i < len(journals)-1 && !l.sealed {
			l.sealed = true
			d.dirtyRows[l.num] = true
		}
	}
	for num, l := range d.logs {
		if _, there := r.sizes[num]; !there && l.live+l.trash == 0 {
			d.forgetLog(l)
		} else if !l.sealed && l.committed < d.limit(l.class) {
			d.spare[l.class] = append(d.spare[l.class], l)
		} else if !l.sealed {
			l.sealed = true
			d.dirtyRows[l.num] = true
		}
	}
	d.mu.Unlock()
	for satellite, items := range r.losers {
		for chunk := range slices.Chunk(items, maxItems) {
			if err := d.journal(kindDelete, satellite, toSeconds(d.now()), chunk, func() {}); err != nil {
				return err
			}
		}
	}
	if !r.changed && !r.rebuild {
		return nil
	}
	if err := d.flush(); err != nil {
		return err
	}
	if !r.rebuild {
		return nil
	}
	return d.markReady()
}

// markReady makes a new index durable and then notes that it is complete.
func (d *dir) markReady() error {
	if err := d.db.Sync(); err != nil {
		return diskErr("write index", err)
	}
	d.db.NoSync = d.fastIdx
	err := d.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(d.names.meta).Put([]byte("ready"), []byte{1})
	})
	return diskErr("write index", err)
}
