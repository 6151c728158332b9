package orderlog

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"storj/netx"
	"storj/pieces"
	"storj/roles/storagenode/durable"
)

// reader reads the records of a part.
func (l *Log) reader(p *part, suffix string) (r io.Reader, done func(), err error) {
	if l.opts.Dir == "" {
		return bytes.NewReader(p.memory), func() {}, nil
	}
	f, err := os.Open(l.path(p, suffix))
	if err != nil {
		return nil, nil, err
	}
	return bufio.NewReaderSize(f, 64<<10), func() { _ = f.Close() }, nil // best effort: read only
}

// ready says whether nothing more is to be expected of a window.
func (p *part) ready(now time.Time) bool {
	end := time.Unix(p.hour*int64(window/time.Second), 0).Add(window + limitLife)
	if p.expires.After(end) {
		end = p.expires
	}
	return now.After(end.Add(patience))
}

// Ready seals the windows that are over and returns the parts that wait to be settled, in order of satellite and time.
// Errors: those of the disk; parts are returned all the same.
func (l *Log) Ready() (list []Part, err error) {
	now := l.opts.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, p := range l.parts {
		if !p.ready(now) {
			continue
		}
		l.shut(p)
		if err = l.seal(k, p); err != nil {
			break
		}
	}
	for _, parts := range l.sealed {
		for _, p := range parts {
			list = append(list, Part{
				Satellite: p.satellite, Window: time.Unix(p.hour*int64(window/time.Second), 0).UTC(), First: p.first,
				Orders: p.sum.Orders, Bytes: p.sum.Bytes,
			})
		}
	}
	slices.SortFunc(list, func(a, b Part) int {
		if n := bytes.Compare(a.Satellite[:], b.Satellite[:]); n != 0 {
			return n
		}
		if n := a.Window.Compare(b.Window); n != 0 {
			return n
		}
		return int(int64(a.First) - int64(b.First))
	})
	return list, err
}

// seal ends the growth of a part, whose file is shut. One without orders is removed. The caller holds mu.
func (l *Log) seal(k key, p *part) error {
	if l.opts.Dir != "" {
		open := l.path(p, openSuffix)
		if p.sum.Orders == 0 {
			delete(l.parts, k)
			return os.Remove(open)
		}
		if err := os.Rename(open, l.path(p, sealedSuffix)); err != nil {
			return fmt.Errorf("seal orders: %w", err)
		}
		if err := l.syncDir(p); err != nil {
			return err
		}
	}
	delete(l.parts, k)
	l.sealed[k] = append(l.sealed[k], p)
	return nil
}

func (l *Log) syncDir(p *part) error {
	if l.opts.NoSync {
		return nil
	}
	return durable.SyncDir(l.dirOf(p.satellite))
}

// Batches hands the batches of a part to fn, the same ones whenever it is called. It stops at fn's error.
func (l *Log) Batches(which Part, fn func(Batch) error) error {
	p := l.find(which)
	if p == nil {
		return nil // of a satellite that was dropped meanwhile
	}
	batch := Batch{Number: p.first}
	_, err := l.eachRecord(p, sealedSuffix, func(order *pieces.SettledOrder, _ *pieces.OrderLimit, _ int64) error {
		batch.Orders = append(batch.Orders, *order)
		if len(batch.Orders) < pieces.MaxSettle {
			return nil
		}
		err := fn(batch)
		batch = Batch{Number: batch.Number + 1}
		return err
	})
	if err == nil && len(batch.Orders) > 0 {
		err = fn(batch)
	}
	return err
}

func (l *Log) find(which Part) *part {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.sealed[which.key()] {
		if p.first == which.First {
			return p
		}
	}
	return nil
}

func (w Part) key() key {
	return key{w.Satellite, w.Window.Unix() / int64(window/time.Second)}
}

// Settled notes that the satellite has taken every batch of a part.
func (l *Log) Settled(which Part) error {
	p := l.find(which)
	if p == nil {
		return nil
	}
	if l.opts.Dir != "" {
		if err := os.Rename(l.path(p, sealedSuffix), l.path(p, settledSuffix)); err != nil {
			return fmt.Errorf("archive orders: %w", err)
		}
		if err := l.syncDir(p); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	k := which.key()
	l.sealed[k] = slices.DeleteFunc(l.sealed[k], func(other *part) bool { return other == p })
	if len(l.sealed[k]) == 0 {
		delete(l.sealed, k)
	}
	l.count(p, p.sum, -1)
	delete(l.full, which.Satellite)
	return nil
}

// Prune removes settled parts that were looked at long enough.
func (l *Log) Prune() error {
	if l.opts.Dir == "" {
		return nil
	}
	oldest := l.opts.Now().Add(-keptFor).Unix() / int64(window/time.Second)
	files, err := filepath.Glob(filepath.Join(l.opts.Dir, "*", "*"+settledSuffix))
	if err != nil {
		return err
	}
	for _, path := range files {
		if p, _, ok := parseName(filepath.Base(path)); ok && p.hour < oldest {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("remove settled orders: %w", err)
			}
		}
	}
	return nil
}

// Drop forgets every order of a satellite.
func (l *Log) Drop(satellite netx.NodeID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, p := range l.parts {
		if k.satellite == satellite {
			l.shut(p)
			delete(l.parts, k)
		}
	}
	for k := range l.sealed {
		if k.satellite == satellite {
			delete(l.sealed, k)
		}
	}
	delete(l.sums, satellite)
	if l.opts.Dir == "" {
		return nil
	}
	return os.RemoveAll(l.dirOf(satellite))
}

// Unsettled counts the orders that wait, by satellite.
func (l *Log) Unsettled() map[netx.NodeID]Sum {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[netx.NodeID]Sum, len(l.sums))
	for id, sum := range l.sums {
		sum.disk = 0
		all[id] = sum
	}
	return all
}

// Lost is how many orders could not be kept since the start.
func (l *Log) Lost() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.errs
}
