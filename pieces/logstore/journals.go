package logstore

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"

	"storj/netx"
	"storj/pieces"
)

// Compaction of journals. What a journal says matters as long as the log is there that it speaks about. A run of journals
// that follow each other and are not written to any more is replaced by one that says what they come to, under the name
// of the last: then it stands where they stood in the order of all. The index knows everything that they say before, and
// for the last a length that is at least that of either file, so that an open after a crash reads no part of it again.
//
// A crash leaves: the new file beside the old ones (removed at the next open); or it in the place of the last, and some of
// the first ones. Those are unlinked first to last, so what is left is an end of the run, and the new one has the last
// word about every record that any of them mentions.

const (
	// newSuffix marks a journal that is being made.
	newSuffix = ".new"
	// maxRun bounds the journals of a run in bytes: their items are held in memory, about 120 bytes each.
	maxRun = 2 * maxJournal
	// worthwhile is what part of a run must go: less is left for later.
	worthwhile = 4
)

// summary is what a run of journals says about one record.
type summary struct {
	fate
	mentioned bool // trashed or restored
}

// noted names a record and its owner.
type noted struct {
	satellite netx.NodeID
	item      item
}

// compactJournals replaces one run. It returns the bytes freed.
func (d *dir) compactJournals(ctx context.Context, s *Store, rate int64) (freed int64, err error) {
	run := d.journalRun()
	if len(run) == 0 {
		return 0, nil
	}
	if err := d.flush(); err != nil {
		return 0, err
	}
	said, err := d.readRun(ctx, s, run, rate)
	if errors.Is(err, pieces.ErrCorrupt) {
		return 0, nil // it stays as it is: a rebuild makes the best of it
	}
	if err != nil {
		return 0, err
	}
	var before int64
	for _, l := range run {
		before += l.committed
	}
	last := run[len(run)-1]
	raw := encodeSaid(said, syncOf(d.id, last.num), toSeconds(d.now()))
	if int64(len(raw)) > before-before/worthwhile {
		return 0, nil
	}
	if err := d.reserveBytes(int64(len(raw))); err != nil {
		return 0, err
	}
	defer d.unreserve(int64(len(raw)))
	if err := d.replaceRun(run, raw); err != nil {
		return 0, d.failed(err)
	}
	return before - int64(len(raw)), s.pace(ctx, int64(len(raw)), rate)
}

// journalRun picks journals, by and by all of them after logs were unlinked.
func (d *dir) journalRun() (run []*logFile) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dropped == 0 {
		return nil
	}
	var bytes int64
	for _, num := range slices.Sorted(maps.Keys(d.logs)) {
		l := d.logs[num]
		if !l.class.journal || num < d.nextRun {
			continue
		}
		if !l.sealed || l.leased || len(run) > 0 && bytes+l.committed > maxRun {
			break // the order is kept: nothing behind it may join
		}
		run = append(run, l)
		bytes += l.committed
	}
	if len(run) == 0 {
		d.nextRun, d.dropped = 0, 0 // until another log goes
		return nil
	}
	d.nextRun = run[len(run)-1].num + 1
	return run
}

// readRun adds up what journals say about logs that are still there.
func (d *dir) readRun(ctx context.Context, s *Store, run []*logFile, rate int64) (map[noted]*summary, error) {
	d.mu.Lock()
	there := make(map[uint32]bool, len(d.logs))
	for num := range d.logs {
		there[num] = true
	}
	d.mu.Unlock()
	said := map[noted]*summary{}
	for _, l := range run {
		err := d.eachMutation(l, func(h header, items []item) error {
			for _, it := range items {
				if there[it.at.log] {
					take(said, noted{h.satellite, it}, mentionBy(h, it))
				}
			}
			return s.pace(ctx, int64(len(items))*itemSize, rate)
		})
		if err != nil {
			return nil, err
		}
	}
	return said, nil
}

func take(said map[noted]*summary, about noted, m mention) {
	sum := said[about]
	if sum == nil {
		sum = &summary{}
		said[about] = sum
	}
	sum.take(m)
	sum.mentioned = sum.mentioned || m.kind == kindTrash || m.kind == kindRestore
}

// eachMutation hands the records of a journal to fn. Errors: ErrCorrupt when it is not sound from end to end.
func (d *dir) eachMutation(l *logFile, fn func(header, []item) error) error {
	f, err := d.acquire(l)
	if err != nil {
		return err
	}
	defer d.release(l)
	s := &scanner{file: f, mark: syncOf(d.id, l.num), end: l.committed, verify: true}
	for {
		rec, err := s.next()
		if s.gap > 0 {
			return pieces.ErrCorrupt
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		body, err := s.body(rec)
		if err != nil {
			return err
		}
		if err := fn(rec.hdr, decodeItems(body)); err != nil {
			return err
		}
	}
}

// mutation groups items that fit one record.
type mutation struct {
	kind      kind
	satellite netx.NodeID
	at        uint32
}

// encodeSaid returns the records of a journal that says the same.
func encodeSaid(said map[noted]*summary, mark syncMark, now uint32) (raw []byte) {
	groups := map[mutation][]item{}
	add := func(k kind, about noted, at uint32) {
		m := mutation{k, about.satellite, at}
		groups[m] = append(groups[m], about.item)
	}
	for about, sum := range said {
		switch {
		case sum.deleted:
			add(kindDelete, about, now)
			continue
		case sum.trashed != 0:
			add(kindTrash, about, sum.trashed)
		case sum.mentioned:
			add(kindRestore, about, now)
		}
		if sum.adopted {
			add(kindAdopt, about, now)
		}
	}
	for m, items := range groups {
		slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.at.number(), b.at.number()) })
		for chunk := range slices.Chunk(items, maxItems) {
			raw = append(raw, encodeMutation(m, chunk, mark)...)
		}
	}
	return raw
}

func encodeMutation(m mutation, items []item, mark syncMark) []byte {
	size := len(items) * itemSize
	h := header{kind: m.kind, size: uint32(size), created: int64(m.at), satellite: m.satellite}
	raw := h.append(make([]byte, 0, recordSize(int64(size), 0)), mark)
	raw = appendItems(raw, items)
	return appendFooter(raw, raw[:headerSize], blockSums(raw[headerSize:]), nil)
}

// replaceRun puts a new journal in the place of a run.
func (d *dir) replaceRun(run []*logFile, raw []byte) error {
	last := run[len(run)-1]
	path := d.logPath(last)
	if err := d.writeNew(path+newSuffix, raw); err != nil {
		return err
	}
	d.journalMu.Lock()
	defer d.journalMu.Unlock()
	before := last.committed
	d.setCommitted(last, max(before, int64(len(raw)))) // the index is to know all of either file
	err := d.flush()
	if err != nil {
		_ = d.fs.Remove(path + newSuffix) // best effort: the next open does it
		d.setCommitted(last, before)
		return err
	}
	if err := d.fs.Rename(path+newSuffix, path); err != nil {
		d.giveUp(err) // nobody knows which of the two is there now
		return diskErr("replace journal", err)
	}
	if err := d.fs.SyncDir(filepath.Join(d.path, logsName)); err != nil {
		d.giveUp(err) // nobody knows which of the two will be there
		return diskErr("replace journal", err)
	}
	d.replaceLog(last, int64(len(raw)))
	return errors.Join(d.dropDead(run[:len(run)-1]), d.flush())
}

func (d *dir) setCommitted(l *logFile, bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.committed += bytes - l.committed
	l.committed = bytes
	d.dirtyRows[l.num] = true
}

func (d *dir) writeNew(path string, raw []byte) error {
	_ = d.fs.Remove(path) // best effort: of an attempt that failed
	f, err := d.fs.OpenFile(path, true)
	if err != nil {
		return diskErr("create journal", err)
	}
	if len(raw) > 0 {
		_, err = f.WriteAt(raw, 0)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = d.fs.Remove(path) // best effort: the next open does it
		return diskErr("write journal", err)
	}
	return nil
}

// replaceLog enters the file that now has the name of an old one; who still reads that keeps it.
func (d *dir) replaceLog(old *logFile, size int64) {
	d.mu.Lock()
	now := &logFile{num: old.num, class: old.class, committed: size, sealed: true}
	d.committed += size - old.committed
	d.logs[old.num] = now
	d.dirtyRows[old.num] = true
	old.gone = true
	var shut File
	if old.idle != nil {
		d.idleFiles.Remove(old.idle)
		old.idle = nil
	}
	if old.refs == 0 {
		shut, old.file = old.file, nil
	}
	d.mu.Unlock()
	if shut != nil {
		_ = shut.Close() // best effort: it was read only
	}
}
