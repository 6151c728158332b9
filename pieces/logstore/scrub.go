package logstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.etcd.io/bbolt"

	"storj/netx"
	"storj/pieces"
)

// A scrub reads logs from end to end, which disks like best, and checks every record on the way. Where something does not
// parse, the index is asked which pieces lie there, and each of them is read by itself.

const (
	placeSize = len(storeID{}) + 8
	// skipOver is how much is passed over where the disk cannot read.
	skipOver = 256 << 10
	// maxUnreadable bounds such places in one step: past it the disk, not a place on it, is bad.
	maxUnreadable = 256
)

// scrub is one step of a scrub.
type scrub struct {
	store  *Store
	budget int64
	step   pieces.ScrubStep
}

var _ pieces.Scrubber = (*Store)(nil)

// Scrub implements pieces.Scrubber. A place is directory, log, offset; damage is of pieces, live or in the trash.
func (s *Store) Scrub(ctx context.Context, from []byte, budget int64) (pieces.ScrubStep, error) {
	if err := s.enter(); err != nil {
		return pieces.ScrubStep{}, err
	}
	defer s.exit()
	c := &scrub{store: s, budget: max(budget, 1)}
	dirs := s.serving()
	slices.SortFunc(dirs, func(a, b *dir) int { return bytes.Compare(a.id[:], b.id[:]) })
	for _, d := range dirs {
		var at location
		if len(from) == placeSize {
			switch order := bytes.Compare(d.id[:], from[:len(d.id)]); {
			case order < 0:
				continue
			case order == 0:
				at.log = binary.BigEndian.Uint32(from[len(d.id):])
				at.offset = binary.BigEndian.Uint32(from[len(d.id)+4:])
			}
		}
		next, err := c.dir(ctx, d, at)
		if err != nil && d.faulted() == nil {
			return c.step, fmt.Errorf("scrub %s: %w", d.path, err)
		}
		if next != nil {
			c.step.Next = next
			return c.step, nil
		}
	}
	return c.step, nil
}

// dir goes through the logs of a directory from a place on; it returns where to go on, nil at the end.
func (c *scrub) dir(ctx context.Context, d *dir, at location) ([]byte, error) {
	_, logs := (&checker{dir: d}).snapshot()
	for _, x := range logs {
		if x.log.num < at.log {
			continue
		}
		start := int64(0)
		if x.log.num == at.log {
			start = min(int64(at.offset), x.end)
		}
		end, err := c.log(ctx, d, x, start)
		if err != nil {
			return nil, err
		}
		if c.step.Bytes >= c.budget {
			place := binary.BigEndian.AppendUint32(bytes.Clone(d.id[:]), x.log.num)
			return binary.BigEndian.AppendUint32(place, uint32(end)), nil
		}
	}
	return nil, nil
}

// span is a part of a log that did not parse.
type span struct{ start, end int64 }

// log reads one log until the budget is used up, and looks at what did not parse. It returns where it stopped.
func (c *scrub) log(ctx context.Context, d *dir, x extent, start int64) (end int64, err error) {
	if start >= x.end {
		return x.end, nil
	}
	f, err := d.acquire(x.log)
	if errors.Is(err, errGone) {
		return x.end, nil
	}
	if err != nil { // the file is missing, or cannot be opened
		if err := d.watch(); err != nil {
			return 0, err
		}
		c.step.Bytes++
		return x.end, c.suspects(ctx, d, x.log.num, []span{{start, x.end}})
	}
	defer d.release(x.log)
	s := &scanner{file: f, mark: syncOf(d.id, x.log.num), pos: start, end: x.end, verify: true}
	bad, err := c.scan(ctx, d, s)
	c.step.Bytes += s.pos - start
	if err != nil || len(bad) == 0 {
		return s.pos, err
	}
	return s.pos, c.suspects(ctx, d, x.log.num, bad)
}

// scan walks records until the budget is used up and returns what was passed over.
func (c *scrub) scan(ctx context.Context, d *dir, s *scanner) (bad []span, err error) {
	start, unreadable := s.pos, 0
	for c.step.Bytes+s.pos-start < c.budget {
		if err := c.store.stopped(ctx); err != nil {
			return nil, err
		}
		before := s.pos
		rec, err := s.next()
		switch {
		case err == io.EOF:
			if s.gap > 0 {
				bad = append(bad, span{before, s.end})
			}
			s.pos = s.end
			return bad, nil
		case err == nil:
			if s.gap > 0 {
				bad = append(bad, span{before, rec.offset})
			}
			if rec.hdr.kind.isPiece() {
				c.step.Pieces++
			}
		default: // the disk cannot read here, or the log is shorter than it was
			if err := d.watch(); err != nil {
				return nil, err
			}
			if unreadable++; unreadable > maxUnreadable {
				return nil, err
			}
			s.pos = min(before+skipOver, s.end)
			bad = append(bad, span{before, s.pos})
		}
	}
	return bad, nil
}

// suspects reads the pieces of the index that touch spans of a log, and notes the damaged.
func (c *scrub) suspects(ctx context.Context, d *dir, log uint32, bad []span) error {
	if err := d.flush(); err != nil {
		return err
	}
	owners, err := d.owners()
	if err != nil {
		return err
	}
	for _, owner := range owners {
		err := d.overEntries(owner, maxItems, func(chunk []listed) error {
			if err := c.store.stopped(ctx); err != nil {
				return err
			}
			for _, l := range chunk {
				if l.entry.at.log != log || !touches(l.entry, bad) {
					continue
				}
				if err := c.suspect(d, l); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	slices.SortFunc(c.step.Damaged, func(a, b pieces.DamagedPiece) int {
		return cmp.Or(bytes.Compare(a.Satellite[:], b.Satellite[:]), bytes.Compare(a.Piece[:], b.Piece[:]))
	})
	return nil
}

// suspect reads one piece. An error that is the disk's as a whole is returned.
func (c *scrub) suspect(d *dir, l listed) error {
	check := &checker{store: c.store, dir: d}
	if check.readPiece(l) == nil {
		return nil
	}
	if err := d.watch(); err != nil {
		return err
	}
	now, found, err := d.lookup(l.key)
	if err != nil {
		return err
	}
	if !found || now.at != l.entry.at {
		return nil // deleted or moved meanwhile
	}
	c.step.Damaged = append(c.step.Damaged, pieces.DamagedPiece{Satellite: l.key.satellite, Info: now.info(l.key.piece)})
	return nil
}

func touches(e entry, bad []span) bool {
	start := int64(e.at.offset)
	return slices.ContainsFunc(bad, func(s span) bool { return start < s.end && start+e.diskSize() > s.start })
}

// owners lists the satellites of the index.
func (d *dir) owners() (list []netx.NodeID, err error) {
	err = d.view(func(tx *bbolt.Tx) error {
		all := tx.Bucket(d.names.pieces)
		if all == nil {
			return errIndex
		}
		return all.ForEachBucket(func(name []byte) error {
			if len(name) == len(netx.NodeID{}) {
				list = append(list, netx.NodeID(name))
			}
			return nil
		})
	})
	return list, err
}
