package logstore

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"go.etcd.io/bbolt"

	"storj/netx"
	"storj/pieces"
)

// checkChunk is how many pieces are read between two pauses.
const checkChunk = 512

// maxFaults bounds the words of a report; a store with more is rebuilt, not read about.
const maxFaults = 1000

// checker is one Check of one directory.
type checker struct {
	store  *Store
	dir    *dir
	report *pieces.CheckReport
	read   int64 // bytes since the last pause
}

func (c *checker) fault(format string, args ...any) {
	if len(c.report.Faults) < maxFaults {
		c.report.Faults = append(c.report.Faults, c.dir.path+": "+fmt.Sprintf(format, args...))
	}
}

// Check implements pieces.Store. It reads every piece, adds up every counter, and compares the index with what a
// rebuild from the logs would make of it. Directories that are not served are faults of the report.
func (s *Store) Check(ctx context.Context) (report pieces.CheckReport, err error) {
	if err := s.enter(); err != nil {
		return report, err
	}
	defer s.exit()
	for _, d := range s.list() {
		c := &checker{store: s, dir: d, report: &report}
		if fault := d.faulted(); fault != nil {
			c.fault("not served: %v", fault)
			continue
		}
		if err := c.run(ctx); err != nil {
			return report, fmt.Errorf("check %s: %w", d.path, err)
		}
	}
	return report, nil
}

func (c *checker) run(ctx context.Context) error {
	if err := c.dir.flush(); err != nil {
		return err
	}
	owners, err := c.counters()
	if err != nil {
		return err
	}
	for _, owner := range owners {
		err := c.dir.overEntries(owner, checkChunk, func(chunk []listed) error { return c.readAll(ctx, chunk) })
		if err != nil {
			return err
		}
	}
	return c.compareLogs(ctx)
}

// counters compares the counters in the index with its entries, inside one transaction. It returns the satellites.
func (c *checker) counters() (owners []netx.NodeID, err error) {
	err = c.dir.view(func(tx *bbolt.Tx) error {
		n := c.dir.names
		rows := map[uint32]row{}
		lists := 0
		err := tx.Bucket(n.pieces).ForEachBucket(func(name []byte) error {
			owner := netx.NodeID(name)
			owners = append(owners, owner)
			var u pieces.Usage
			err := tx.Bucket(n.pieces).Bucket(name).ForEach(func(k, v []byte) error {
				e, err := decodeEntry(v)
				if err != nil {
					return err
				}
				lists += c.checkLists(tx, key{owner, pieces.PieceID(k)}, e)
				tally(&u, rows, e)
				return nil
			})
			stored, _ := decodeUsage(tx.Bucket(n.usage).Get(name)) // absent: zero
			if stored != u {
				c.fault("satellite %s: counted %+v, found %+v", owner.Short(), stored, u)
			}
			return err
		})
		if err != nil {
			return err
		}
		if got := tx.Bucket(n.trash).Stats().KeyN + tx.Bucket(n.expiry).Stats().KeyN; got != lists {
			c.fault("lists of trash and expiry: %d keys, want %d", got, lists)
		}
		return c.checkRows(tx, rows)
	})
	return owners, err
}

// tally adds an entry to the sums.
func tally(u *pieces.Usage, rows map[uint32]row, e entry) {
	r := rows[e.at.log]
	if e.trashed != 0 {
		u.TrashPieces++
		u.TrashBytes += int64(e.size)
		r.trash += uint32(e.diskSize())
	} else {
		u.Pieces++
		u.Bytes += int64(e.size)
		r.live += uint32(e.diskSize())
	}
	rows[e.at.log] = r
}

// checkLists looks for the entry's keys in the lists of trash and expiry; it returns how many there are to be.
func (c *checker) checkLists(tx *bbolt.Tx, k key, e entry) (want int) {
	n := c.dir.names
	if e.trashed != 0 {
		want++
		if tx.Bucket(n.trash).Get(trashKey(k, e.trashed)) == nil {
			c.fault("piece %s is not in the list of trash", k.piece)
		}
	}
	if e.expires != 0 {
		want++
		if tx.Bucket(n.expiry).Get(expiryKey(k, e.expires)) == nil {
			c.fault("piece %s is not in the list of expiry", k.piece)
		}
	}
	return want
}

func (c *checker) checkRows(tx *bbolt.Tx, found map[uint32]row) error {
	return tx.Bucket(c.dir.names.logs).ForEach(func(k, v []byte) error {
		r, err := decodeRow(v)
		if err != nil {
			return err
		}
		num := uint32(k[0])<<24 | uint32(k[1])<<16 | uint32(k[2])<<8 | uint32(k[3])
		if got := found[num]; got.live != r.live || got.trash != r.trash {
			c.fault("log %08x: counted %d live and %d trash bytes, found %d and %d", num, r.live, r.trash, got.live, got.trash)
		}
		return nil
	})
}

// readAll reads pieces in the order in which they lie on the disk.
func (c *checker) readAll(ctx context.Context, chunk []listed) error {
	slices.SortFunc(chunk, func(a, b listed) int { return cmp.Compare(a.entry.at.number(), b.entry.at.number()) })
	for _, l := range chunk {
		if err := c.store.stopped(ctx); err != nil {
			return err
		}
		if err := c.readPiece(l); err != nil {
			if now, found, lookErr := c.dir.lookup(l.key); lookErr != nil {
				return lookErr
			} else if !found || now.at != l.entry.at {
				continue // deleted or moved meanwhile
			}
			c.report.Damaged = append(c.report.Damaged, l.entry.info(l.key.piece))
		}
		c.report.Pieces++
		c.report.Bytes += int64(l.entry.size)
		c.read += l.entry.diskSize()
	}
	read := c.read
	c.read = 0
	return c.store.pace(ctx, read, c.store.opts.CheckRate)
}

func (c *checker) readPiece(l listed) error {
	r, err := c.dir.openAt(c.store, l.key, l.entry)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // best effort: read only
	buf := c.dir.buffers.get(batchBuffer)
	defer c.dir.buffers.put(buf)
	for pos := int64(0); pos < int64(l.entry.size); {
		p := (*buf)[:min(batchBuffer, int64(l.entry.size)-pos)]
		if _, err := r.read(p, pos); err != nil {
			return err
		}
		pos += int64(len(p))
	}
	return nil
}

// suspect is a record about which index and journals disagree.
type suspect struct {
	key  key
	at   location
	kind kind
}

// compareLogs asks of every record whether a rebuild would treat it as the index does. What looks wrong is looked at
// again while nothing changes.
func (c *checker) compareLogs(ctx context.Context) error {
	_, logs := c.snapshot()
	fates, err := c.readFates(ctx)
	if err != nil {
		return err
	}
	var suspects []suspect
	for _, l := range logs {
		if err := c.compareLog(ctx, l, fates, &suspects); err != nil {
			return err
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	c.dir.mutMu.Lock()
	defer c.dir.mutMu.Unlock()
	if fates, err = c.readFates(ctx); err != nil {
		return err
	}
	for _, s := range suspects {
		wrong, err := c.disagree(s, fates)
		if err != nil {
			return err
		}
		if wrong != "" && c.exists(s.at.log) {
			c.fault("piece %s at log %08x offset %d: %s", s.key.piece, s.at.log, s.at.offset, wrong)
		}
	}
	return nil
}

func (c *checker) exists(log uint32) bool {
	c.dir.mu.Lock()
	defer c.dir.mu.Unlock()
	return c.dir.logs[log] != nil
}

// extent is a log as far as it is committed.
type extent struct {
	log *logFile
	end int64
}

func (c *checker) snapshot() (journals, logs []extent) {
	c.dir.mu.Lock()
	defer c.dir.mu.Unlock()
	for _, l := range c.dir.logs {
		if l.class.journal {
			journals = append(journals, extent{l, l.committed})
		} else {
			logs = append(logs, extent{l, l.committed})
		}
	}
	slices.SortFunc(journals, func(a, b extent) int { return cmp.Compare(a.log.num, b.log.num) })
	slices.SortFunc(logs, func(a, b extent) int { return cmp.Compare(a.log.num, b.log.num) })
	return journals, logs
}

// walk hands the sound records of a log to fn.
func (c *checker) walk(ctx context.Context, x extent, fn func(*scanner, record) error) error {
	f, err := c.dir.acquire(x.log)
	if err == errGone {
		return nil
	}
	if err != nil {
		c.fault("log %s: %v", x.log.name(), err)
		return nil
	}
	defer c.dir.release(x.log)
	s := &scanner{file: f, mark: syncOf(c.dir.id, x.log.num), end: x.end}
	for {
		if err := c.store.stopped(ctx); err != nil {
			return err
		}
		rec, err := s.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			c.fault("log %s: %v", x.log.name(), err)
			return nil
		}
		if err := fn(s, rec); err != nil {
			return err
		}
	}
}

func (c *checker) readFates(ctx context.Context) (*replayer, error) {
	c.dir.journalMu.RLock() // journals are not replaced meanwhile
	defer c.dir.journalMu.RUnlock()
	journals, _ := c.snapshot()
	r := &replayer{dir: c.dir}
	for _, x := range journals {
		err := c.walk(ctx, x, func(s *scanner, rec record) error {
			body, err := s.body(rec)
			if err != nil {
				return err
			}
			r.note(rec.hdr, decodeItems(body))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	r.sortMentions()
	return r, nil
}

func (c *checker) compareLog(ctx context.Context, x extent, fates *replayer, suspects *[]suspect) error {
	return c.walk(ctx, x, func(_ *scanner, rec record) error {
		if !rec.hdr.kind.isPiece() || len(*suspects) >= maxFaults {
			return nil
		}
		s := suspect{key{rec.hdr.satellite, rec.hdr.piece}, location{x.log.num, uint32(rec.offset)}, rec.hdr.kind}
		wrong, err := c.disagree(s, fates)
		if err == nil && wrong != "" {
			*suspects = append(*suspects, s)
		}
		return err
	})
}

// disagree says in words what index and journals disagree about, if anything.
func (c *checker) disagree(s suspect, fates *replayer) (string, error) {
	e, found, err := c.dir.lookup(s.key)
	if err != nil {
		return "", err
	}
	f := fates.fateOf(s.at, s.key.piece)
	switch live := found && e.at == s.at; {
	case live && !f.counts(s.kind):
		return "in the index, but garbage by the journal", nil
	case !live && f.counts(s.kind):
		return "not in the index, but not deleted by the journal", nil
	case live && f.trashed != e.trashed:
		return fmt.Sprintf("trashed at %d by the index, at %d by the journal", e.trashed, f.trashed), nil
	}
	return "", nil
}
