package logstore

import (
	"context"
	"fmt"
	"time"

	"storj/pieces"
)

// Run does what can wait: it flushes the index, syncs logs (Options.NoSync), looks at markers and disks, unlinks dead
// logs and compacts. It returns nil when ctx ends. Without it the store works, flushes when enough has gathered, and
// does not compact.
//
// One goroutine, the caller's. Nothing ticks while nothing is stored, but the watch each minute.
func (s *Store) Run(ctx context.Context) error {
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
			s.compactAll(ctx)
		}
	}
}

// serving returns the directories that are served.
func (s *Store) serving() (list []*dir) {
	for _, d := range s.dirs {
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
		if _, _, err := d.compactOne(ctx, s, s.compact); err != nil && s.stopped(ctx) == nil {
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
			n, found, err := d.compactOne(ctx, s, below)
			freed += n
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
