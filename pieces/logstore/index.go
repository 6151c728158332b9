package logstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"storj/netx"
	"storj/pieces"
)

// indexFormat is the version of everything in the index. The index is derived: an unknown version is rebuilt.
const indexFormat = 1

// errIndex is returned for an index that cannot be used; it is rebuilt from the logs.
var errIndex = errors.New("index is not usable")

// bucketNames are the buckets of the index; see FORMAT.
type bucketNames struct{ meta, logs, usage, pieces, trash, expiry []byte }

func newNames() bucketNames {
	return bucketNames{
		[]byte("meta"), []byte("logs"), []byte("usage"), []byte("pieces"), []byte("trash"), []byte("expiry"),
	}
}

func (n bucketNames) all() [][]byte {
	return [][]byte{n.meta, n.logs, n.usage, n.pieces, n.trash, n.expiry}
}

// openIndex opens the index and reads all but the pieces. rebuild: it is new. Errors: errIndex.
func (d *dir) openIndex() (rebuild bool, err error) {
	path := filepath.Join(d.path, indexName)
	defer func() {
		if r := recover(); r != nil { // bbolt panics on some damaged pages
			err = fmt.Errorf("%w: %v", errIndex, r)
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: 5 * time.Second, FreelistType: bbolt.FreelistMapType, NoSync: d.fastIdx,
	})
	if err != nil {
		return false, fmt.Errorf("%w: %w", errIndex, err)
	}
	d.db = db
	fresh := false
	err = db.View(func(tx *bbolt.Tx) error {
		n := d.names
		meta := tx.Bucket(n.meta)
		if fresh = meta == nil; fresh {
			rebuild = true
			return nil
		}
		if !bytes.Equal(meta.Get([]byte("id")), d.id[:]) || !bytes.Equal(meta.Get([]byte("format")), []byte{indexFormat}) {
			return fmt.Errorf("%w: it is of another store or version", errIndex)
		}
		next := meta.Get([]byte("next"))
		if len(next) != 4 {
			return errIndex
		}
		d.nextLog = binary.BigEndian.Uint32(next)
		if meta.Get([]byte("ready")) == nil {
			return fmt.Errorf("%w: its making was interrupted", errIndex)
		}
		return errors.Join(d.loadRows(tx.Bucket(n.logs)), d.loadUsage(tx.Bucket(n.usage)))
	})
	if err == nil && fresh {
		db.NoSync = true // until markReady: without its note this index is not used
		err = db.Update(d.createBuckets)
	}
	if err != nil {
		d.db = nil
		return false, errors.Join(err, db.Close())
	}
	return rebuild, nil
}

func (d *dir) createBuckets(tx *bbolt.Tx) error {
	n := d.names
	for _, name := range n.all() {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(n.meta)
	return errors.Join(
		meta.Put([]byte("format"), []byte{indexFormat}),
		meta.Put([]byte("id"), d.id[:]),
		meta.Put([]byte("next"), binary.BigEndian.AppendUint32(nil, d.nextLog)),
	)
}

func (d *dir) loadRows(b *bbolt.Bucket) error {
	if b == nil {
		return errIndex
	}
	return b.ForEach(func(k, v []byte) error {
		r, err := decodeRow(v)
		if err != nil || len(k) != 4 {
			return errIndex
		}
		l := &logFile{
			num: binary.BigEndian.Uint32(k), class: class{journal: r.journal, day: r.day}, sealed: r.sealed,
			committed: int64(r.committed), live: int64(r.live), trash: int64(r.trash),
		}
		d.logs[l.num] = l
		d.committed += l.committed
		d.live += l.live
		d.trash += l.trash
		return nil
	})
}

func (d *dir) loadUsage(b *bbolt.Bucket) error {
	if b == nil {
		return errIndex
	}
	return b.ForEach(func(k, v []byte) error {
		u, err := decodeUsage(v)
		if err != nil || len(k) != len(netx.NodeID{}) {
			return errIndex
		}
		d.usage[netx.NodeID(k)] = u
		return nil
	})
}

func encodeUsage(u pieces.Usage) []byte {
	p := make([]byte, 0, 32)
	for _, n := range []int64{u.Pieces, u.Bytes, u.TrashPieces, u.TrashBytes} {
		p = binary.BigEndian.AppendUint64(p, uint64(n))
	}
	return p
}

func decodeUsage(p []byte) (u pieces.Usage, err error) {
	if len(p) != 32 {
		return u, errIndex
	}
	for i, n := range []*int64{&u.Pieces, &u.Bytes, &u.TrashPieces, &u.TrashBytes} {
		*n = int64(binary.BigEndian.Uint64(p[8*i:]))
	}
	return u, nil
}

// lookup finds the entry of a piece.
func (d *dir) lookup(k key) (e entry, found bool, err error) {
	d.mu.Lock()
	c, ok := d.pending[k]
	if !ok {
		c, ok = d.flushing[k]
	}
	d.mu.Unlock()
	if ok {
		return c.entry, !c.deleted, nil
	}
	err = d.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(d.names.pieces).Bucket(k.satellite[:])
		if b == nil {
			return nil
		}
		raw := b.Get(k.piece[:])
		if raw == nil {
			return nil
		}
		found = true
		e, err = decodeEntry(raw)
		return err
	})
	return e, found, err
}

// snapshot is what one flush writes.
type snapshot struct {
	changes map[key]change
	rows    map[uint32]*row // nil: the log is gone
	usage   map[netx.NodeID]pieces.Usage
	nextLog uint32
	unsync  []*logFile
	dead    []*logFile
}

// flush writes what is pending into the index with one transaction: entries, counters and the ends of the logs belong
// together. Then it unlinks the logs in which nothing lives any more.
func (d *dir) flush() error {
	d.flushMu.Lock()
	defer d.flushMu.Unlock()
	s := d.beginFlush()
	if s == nil {
		return nil
	}
	err := d.syncLogs(s.unsync)
	if err == nil {
		err = d.writeIndex(s)
	}
	d.endFlush(s, err)
	if err != nil {
		return d.failed(diskErr("flush index", err))
	}
	return d.failed(d.dropDead(s.dead))
}

// flushIfFull keeps the pending changes bounded: past flushEntries somebody flushes, past four times that all wait.
func (d *dir) flushIfFull() error {
	d.mu.Lock()
	n := len(d.pending)
	d.mu.Unlock()
	switch {
	case n >= 4*flushEntries:
		return d.flush()
	case n >= flushEntries && !d.db.NoSync && d.flushMu.TryLock():
		d.flushMu.Unlock()
		return d.flush()
	}
	return nil
}

// beginFlush moves what is pending out of the way; nil: nothing is.
func (d *dir) beginFlush() *snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	dead := d.deadLogs()
	if len(d.pending) == 0 && len(d.dirtyRows) == 0 && len(d.dirtyUsage) == 0 {
		return nil
	}
	s := &snapshot{
		changes: d.pending, rows: map[uint32]*row{}, usage: map[netx.NodeID]pieces.Usage{}, nextLog: d.nextLog, dead: dead,
	}
	for num := range d.dirtyRows {
		s.rows[num] = nil
		if l := d.logs[num]; l != nil {
			s.rows[num] = &row{
				journal: l.class.journal, sealed: l.sealed, day: l.class.day,
				committed: uint32(l.committed), live: uint32(l.live), trash: uint32(l.trash),
			}
		}
	}
	for _, l := range d.logs {
		if l.unsynced {
			s.unsync = append(s.unsync, l)
		}
	}
	for satellite := range d.dirtyUsage {
		s.usage[satellite] = d.usage[satellite]
	}
	d.flushing, d.pending = d.pending, map[key]change{}
	clear(d.dirtyRows)
	clear(d.dirtyUsage)
	return s
}

// endFlush forgets the changes that were written, or puts them back under those that came since.
func (d *dir) endFlush(s *snapshot, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flushing = nil
	if err == nil {
		return
	}
	for k, c := range s.changes {
		if _, newer := d.pending[k]; !newer {
			d.pending[k] = c
		}
	}
	for num := range s.rows {
		d.dirtyRows[num] = true
	}
	for satellite := range s.usage {
		d.dirtyUsage[satellite] = true
	}
}

// syncLogs makes acknowledged bytes durable which no sync covers yet (Options.NoSync): the index must not know more
// than the logs.
func (d *dir) syncLogs(logs []*logFile) error {
	for _, l := range logs {
		f, err := d.acquire(l)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return err
		}
		d.mu.Lock()
		l.unsynced = false // what is written from now on sets it again
		d.mu.Unlock()
		if err = f.Sync(); err != nil {
			d.mu.Lock()
			l.unsynced = true
			d.mu.Unlock()
		}
		d.release(l)
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *dir) writeIndex(s *snapshot) error {
	if d.fail != nil {
		if err := d.fail("flush"); err != nil {
			return err
		}
	}
	keys := slices.SortedFunc(maps.Keys(s.changes), func(a, b key) int {
		if c := bytes.Compare(a.satellite[:], b.satellite[:]); c != 0 {
			return c
		}
		return bytes.Compare(a.piece[:], b.piece[:])
	})
	return d.update(func(tx *bbolt.Tx) error {
		if err := d.putRows(tx, s); err != nil {
			return err
		}
		for _, k := range keys {
			if err := d.putChange(tx, k, s.changes[k]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *dir) putRows(tx *bbolt.Tx, s *snapshot) error {
	n := d.names
	err := tx.Bucket(n.meta).Put([]byte("next"), binary.BigEndian.AppendUint32(nil, s.nextLog))
	logs, usage := tx.Bucket(n.logs), tx.Bucket(n.usage)
	for num, r := range s.rows {
		k := binary.BigEndian.AppendUint32(nil, num)
		if r == nil {
			err = errors.Join(err, logs.Delete(k))
		} else {
			err = errors.Join(err, logs.Put(k, r.encode()))
		}
	}
	for satellite, u := range s.usage {
		if u == (pieces.Usage{}) {
			err = errors.Join(err, usage.Delete(satellite[:]))
		} else {
			err = errors.Join(err, usage.Put(satellite[:], encodeUsage(u)))
		}
	}
	return err
}

// putChange writes one entry and its keys in the lists of trash and expiry.
func (d *dir) putChange(tx *bbolt.Tx, k key, c change) error {
	n := d.names
	b, err := tx.Bucket(n.pieces).CreateBucketIfNotExists(k.satellite[:])
	if err != nil {
		return err
	}
	trash, expiry := tx.Bucket(n.trash), tx.Bucket(n.expiry)
	if raw := b.Get(k.piece[:]); raw != nil {
		old, err := decodeEntry(raw)
		if err != nil {
			return err
		}
		if old.trashed != 0 && (c.deleted || old.trashed != c.entry.trashed) {
			err = errors.Join(err, trash.Delete(trashKey(k, old.trashed)))
		}
		if old.expires != 0 && (c.deleted || old.expires != c.entry.expires) {
			err = errors.Join(err, expiry.Delete(expiryKey(k, old.expires)))
		}
		if err != nil {
			return err
		}
	}
	if c.deleted {
		return b.Delete(k.piece[:])
	}
	if c.entry.trashed != 0 {
		err = errors.Join(err, trash.Put(trashKey(k, c.entry.trashed), []byte{}))
	}
	if c.entry.expires != 0 {
		err = errors.Join(err, expiry.Put(expiryKey(k, c.entry.expires), []byte{}))
	}
	return errors.Join(err, b.Put(k.piece[:], c.entry.encode()))
}

// trashKey is satellite | date | piece: the trash of one satellite by date.
func trashKey(k key, at uint32) []byte {
	p := append(make([]byte, 0, 68), k.satellite[:]...)
	p = binary.BigEndian.AppendUint32(p, at)
	return append(p, k.piece[:]...)
}

// expiryKey is date | satellite | piece: all that expires, by date.
func expiryKey(k key, at uint32) []byte {
	p := binary.BigEndian.AppendUint32(make([]byte, 0, 68), at)
	p = append(p, k.satellite[:]...)
	return append(p, k.piece[:]...)
}
