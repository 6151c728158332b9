package logstore

import (
	"cmp"
	"container/list"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"storj/pieces"
)

// class says which records share logs.
type class struct {
	journal bool
	day     uint32 // of expiry, days since 1970; 0: never
}

// classOf returns the class of pieces that expire at a time in Unix seconds.
func classOf(expires uint32) class { return class{day: expires / 86400} }

// limit is the size at which a log of the class is sealed.
func (d *dir) limit(c class) int64 {
	if c.journal {
		return min(maxJournal, d.logSize)
	}
	return d.logSize
}

// logFile is one log. dir.mu guards its fields, except that num and class never change, and that the lessee alone
// writes the bytes past committed.
type logFile struct {
	num   uint32
	class class

	committed int64 // end of the last record that is in the index or waits for its flush
	live      int64 // bytes of records of live pieces
	trash     int64 // bytes of records of pieces in the trash
	sealed    bool
	leased    bool
	stuck     bool // compaction could not move all
	gone      bool // unlinked; readers may still hold it
	unsynced  bool // has acknowledged bytes that no sync has covered (Options.NoSync)

	file File // nil: not open
	refs int  // users of file
	idle *list.Element
}

func (l *logFile) garbage() int64 { return l.committed - l.live - l.trash }

// name returns the file name: number, and the day of expiry.
func (l *logFile) name() string {
	switch {
	case l.class.journal:
		return fmt.Sprintf("%08x.journal", l.num)
	case l.class.day != 0:
		day := time.Unix(int64(l.class.day)*86400, 0).UTC()
		return fmt.Sprintf("%08x-%s.log", l.num, day.Format("20060102"))
	}
	return fmt.Sprintf("%08x.log", l.num)
}

// parseName is the inverse of name; ok is false for files that are not logs.
func parseName(name string) (l *logFile, ok bool) {
	l = &logFile{}
	base, isLog := strings.CutSuffix(name, ".log")
	if !isLog {
		if base, l.class.journal = strings.CutSuffix(name, ".journal"); !l.class.journal {
			return nil, false
		}
	}
	hexNum, date, dated := strings.Cut(base, "-")
	num, err := strconv.ParseUint(hexNum, 16, 32)
	if err != nil {
		return nil, false
	}
	l.num = uint32(num)
	if dated {
		day, err := time.Parse("20060102", date)
		if err != nil || day.Unix() <= 0 {
			return nil, false
		}
		l.class.day = uint32(day.Unix() / 86400)
	}
	return l, l.name() == name
}

func (d *dir) logPath(l *logFile) string { return filepath.Join(d.path, logsName, l.name()) }

// acquire opens the file of a log, or takes one more share of it. Pair with release.
func (d *dir) acquire(l *logFile) (File, error) {
	d.mu.Lock()
	if l.file == nil && !l.gone {
		d.mu.Unlock()
		f, err := d.fs.OpenFile(d.logPath(l), false)
		d.mu.Lock()
		switch {
		case l.file != nil || l.gone: // somebody else was faster
			if err == nil {
				defer func() { _ = f.Close() }() // best effort: nothing was written
			}
		case errors.Is(err, os.ErrNotExist):
			d.mu.Unlock()
			return nil, fmt.Errorf("log %s is missing: %w", l.name(), pieces.ErrCorrupt)
		case err != nil:
			d.mu.Unlock()
			return nil, diskErr("open log", err)
		default:
			l.file = f
		}
	}
	defer d.mu.Unlock()
	if l.file == nil {
		return nil, errGone
	}
	l.refs++
	if l.idle != nil {
		d.idleFiles.Remove(l.idle)
		l.idle = nil
	}
	return l.file, nil
}

// errGone tells a reader that the log was unlinked between two looks: look again.
var errGone = errors.New("log was unlinked")

// release gives back what acquire gave. It closes the file that was unused for longest when there are too many.
func (d *dir) release(l *logFile) {
	d.mu.Lock()
	var shut File
	l.refs--
	if l.refs == 0 {
		if l.gone {
			shut, l.file = l.file, nil
		} else {
			l.idle = d.idleFiles.PushBack(l)
			shut = d.trimIdle()
		}
	}
	d.mu.Unlock()
	if shut != nil {
		_ = shut.Close() // best effort: whatever mattered was synced
	}
}

// trimIdle takes the oldest idle file out when there are too many. The caller holds mu and closes what it returns.
func (d *dir) trimIdle() File {
	if d.idleFiles.Len() <= maxIdleHandles {
		return nil
	}
	for e := d.idleFiles.Front(); e != nil; e = e.Next() {
		old := e.Value.(*logFile)
		if old.unsynced {
			continue // flush wants to sync it
		}
		d.idleFiles.Remove(e)
		old.idle = nil
		shut := old.file
		old.file = nil
		return shut
	}
	return nil
}

// lease hands out a log of the class to one writer, with its file; unlease takes it back.
func (d *dir) lease(c class) (*logFile, File, error) {
	if err := d.writable(); err != nil {
		return nil, nil, err
	}
	d.mu.Lock()
	if err := d.fault; err != nil || d.frozen { // since writable has looked
		d.mu.Unlock()
		return nil, nil, cmp.Or(err, errFrozen)
	}
	d.busy++
	if spare := d.spare[c]; len(spare) > 0 {
		l := spare[len(spare)-1]
		d.spare[c] = spare[:len(spare)-1]
		l.leased = true
		d.mu.Unlock()
		f, err := d.acquire(l)
		if err != nil {
			d.mu.Lock()
			l.leased, l.sealed = false, true
			d.dirtyRows[l.num] = true
			d.busy--
			d.mu.Unlock()
			return nil, nil, d.failed(err)
		}
		return l, f, nil
	}
	l := &logFile{num: d.nextLog, class: c, leased: true, refs: 1}
	d.nextLog++
	d.mu.Unlock()
	f, err := d.fs.OpenFile(d.logPath(l), true)
	if err != nil {
		d.unbusy()
		return nil, nil, d.failed(diskErr("create log", err))
	}
	if err := d.fs.SyncDir(filepath.Join(d.path, logsName)); err != nil {
		_ = errors.Join(f.Close(), d.fs.Remove(d.logPath(l))) // best effort: an empty log does no harm
		d.unbusy()
		return nil, nil, d.failed(diskErr("create log", err))
	}
	d.mu.Lock()
	l.file = f
	d.logs[l.num] = l
	d.mu.Unlock()
	return l, f, nil
}

// unlease ends a lease. A log that is full, or whose last write failed, is sealed.
func (d *dir) unlease(l *logFile, failed bool) {
	d.mu.Lock()
	l.leased = false
	d.busy--
	if failed || l.committed >= d.limit(l.class) {
		l.sealed = true
		d.dirtyRows[l.num] = true
	}
	if !l.sealed {
		d.spare[l.class] = append(d.spare[l.class], l)
	}
	d.mu.Unlock()
	d.release(l)
}

func (d *dir) unbusy() {
	d.mu.Lock()
	d.busy--
	d.mu.Unlock()
}

// rollback cuts off what a failed or cancelled lessee wrote past committed. Where that fails too the directory is
// given up: its next Open decides by what the disk has then.
func (d *dir) rollback(l *logFile, f File) error {
	if d.faulted() != nil {
		return nil // the next open of the directory cuts it off, and somebody else may write behind that by now
	}
	if err := f.Truncate(l.committed); err != nil {
		err = diskErr("cut off unfinished piece", err)
		d.giveUp(err)
		return err
	}
	return nil
}

// dropDead unlinks logs in which nothing lives. The index must have no entries of them: the caller has just flushed.
// The row of an unlinked log goes with the next flush.
func (d *dir) dropDead(dead []*logFile) error {
	if len(dead) == 0 {
		return nil
	}
	for _, l := range dead {
		d.setGone(l, true) // before the file goes: nobody is to miss it
		if err := d.fs.Remove(d.logPath(l)); err != nil && !errors.Is(err, os.ErrNotExist) {
			d.setGone(l, false)
			return diskErr("unlink log", err)
		}
		d.mu.Lock()
		d.forgetLog(l)
		shut := l.file
		if l.refs > 0 {
			shut = nil
		} else {
			l.file = nil
		}
		d.mu.Unlock()
		if shut != nil {
			_ = shut.Close() // best effort: it is unlinked
		}
	}
	return diskErr("unlink logs", d.fs.SyncDir(filepath.Join(d.path, logsName)))
}

func (d *dir) setGone(l *logFile, gone bool) {
	d.mu.Lock()
	l.gone = gone
	d.mu.Unlock()
}

// forgetLog takes a log out of all lists. The caller holds mu.
func (d *dir) forgetLog(l *logFile) {
	l.gone = true
	if !l.class.journal {
		d.dropped++
	}
	d.committed -= l.committed
	delete(d.logs, l.num)
	d.dirtyRows[l.num] = true
	if l.idle != nil {
		d.idleFiles.Remove(l.idle)
		l.idle = nil
	}
}

// deadLogs picks the logs that can be unlinked after the next flush and keeps writers away from them. While replay
// runs there are none: what it has not read yet may live. The caller holds mu.
func (d *dir) deadLogs() (dead []*logFile) {
	if !d.whole {
		return nil
	}
	for _, l := range d.logs {
		if l.class.journal || l.leased || l.live+l.trash > 0 || l.committed == 0 {
			continue
		}
		if !l.sealed && l.class.day == 0 && l.committed < dropSize {
			continue
		}
		l.sealed = true
		d.dirtyRows[l.num] = true
		d.unspare(l)
		dead = append(dead, l)
	}
	return dead
}

// unspare takes a log off the list for lessees. The caller holds mu.
func (d *dir) unspare(l *logFile) {
	spare := d.spare[l.class]
	for i := range spare {
		if spare[i] == l {
			d.spare[l.class] = append(spare[:i], spare[i+1:]...)
			break
		}
	}
	if len(d.spare[l.class]) == 0 {
		delete(d.spare, l.class)
	}
}
