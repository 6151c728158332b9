package logstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"storj/pieces"
)

// Run does what can wait: it flushes the index, syncs logs (Options.NoSync), looks at markers and disks, unlinks dead
// logs, compacts, and brings back directories that were given up. It returns nil when ctx ends. Without it the store
// works, flushes when enough has gathered, and does not compact.
//
// Two goroutines, one of them the caller's: runTend may take hours for a log, within Options.IORate. Nothing ticks while
// nothing is stored, but the watch each minute.
func (s *Store) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { s.runTend(ctx) })
	watch := time.NewTicker(watchInterval)
	defer watch.Stop()
	delay := flushDelay
	if s.noSync {
		delay = time.Second // how much a power cut may cost
	}
	timer := time.NewTimer(delay)
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.closing:
			return nil
		case <-s.wakeRun:
			timer.Reset(delay)
		case <-timer.C:
			s.flushAll()
		case <-watch.C:
			s.watchAll()
		}
	}
}

// runTend does what may take long.
func (s *Store) runTend(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.closing:
			return
		case <-tick.C:
			s.reviveAll(ctx)
			s.compactAll(ctx)
		}
	}
}

// serving returns the directories that are served.
func (s *Store) serving() (list []*dir) {
	for _, d := range s.list() {
		if d.faulted() == nil {
			list = append(list, d)
		}
	}
	return list
}

func (s *Store) flushAll() {
	if s.enter() != nil {
		return
	}
	defer s.exit()
	for _, d := range s.serving() {
		if err := d.flush(); err != nil {
			s.log.Warn().Err(err).Str("dir", d.path).Msg("index not flushed, trying again")
			s.wake()
		}
	}
}

func (s *Store) watchAll() {
	if s.enter() != nil {
		return
	}
	defer s.exit()
	for _, d := range s.serving() {
		if err := d.watch(); err != nil {
			s.log.Warn().Err(err).Str("dir", d.path).Msg("directory does not answer")
			continue
		}
		_ = d.refreshSpace() // best effort: Create asks again
	}
}

// compactAll gives each directory one log's worth of compaction.
func (s *Store) compactAll(ctx context.Context) {
	if s.compact < 0 || s.enter() != nil {
		return
	}
	defer s.exit()
	for _, d := range s.serving() {
		err := s.tendDir(d, func() error {
			_, _, err := d.compactOne(ctx, s, compaction{below: s.compact, rate: s.opts.IORate})
			if err == nil {
				_, err = d.compactJournals(ctx, s, s.opts.IORate)
			}
			return err
		})
		if err != nil && s.stopped(ctx) == nil && d.faulted() == nil {
			s.log.Warn().Err(err).Str("dir", d.path).Msg("log not compacted")
		}
	}
}

// Compact rewrites every sealed log of which less than the given share lives, and unlinks what is left. It returns
// the bytes freed.
func (s *Store) Compact(ctx context.Context, below float64) (freed int64, err error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.exit()
	for _, d := range s.serving() {
		for {
			var found bool
			err := s.tendDir(d, func() (err error) {
				var n int64
				n, found, err = d.compactOne(ctx, s, compaction{below: below, rate: -1})
				freed += n
				return err
			})
			if err != nil {
				return freed, fmt.Errorf("compact %s: %w", d.path, err)
			}
			if !found {
				break
			}
		}
	}
	return freed, nil
}

// CompactJournals rewrites the journals that are not written to any more without what they say about logs that are gone. It
// returns the bytes freed.
func (s *Store) CompactJournals(ctx context.Context) (freed int64, err error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.exit()
	for _, d := range s.serving() {
		err := s.tendDir(d, func() error {
			n, err := d.compactJournals(ctx, s, -1)
			freed += n
			return err
		})
		if err != nil {
			return freed, fmt.Errorf("compact journals of %s: %w", d.path, err)
		}
	}
	return freed, nil
}

// tendDir runs work that moves records of a directory; one that is being moved itself is left alone.
func (s *Store) tendDir(d *dir, work func() error) error {
	d.tendMu.Lock()
	defer d.tendMu.Unlock()
	d.mu.Lock()
	idle := d.fault != nil || d.moving
	d.mu.Unlock()
	if idle {
		return nil
	}
	return work()
}

// pace waits as long as bytes may take at a rate; a rate of 0 or below is no bound.
func (s *Store) pace(ctx context.Context, bytes, rate int64) error {
	if rate <= 0 || bytes <= 0 {
		return s.stopped(ctx)
	}
	timer := time.NewTimer(time.Duration(float64(bytes) / float64(rate) * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return pieces.ErrStoreClosed
	}
}

// Flush brings the index up to date. It is never needed for safety.
func (s *Store) Flush() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.exit()
	for _, d := range s.serving() {
		if err := d.flush(); err != nil {
			return err
		}
	}
	return nil
}

var _ interface {
	Run(context.Context) error
	Close() error
	pieces.Store
} = (*Store)(nil)
