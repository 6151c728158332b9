package care

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"

	"storj/metainfo/kv"
)

const (
	// archiveSuffix ends the names of archives that a Schedule makes; the time in them sorts.
	archiveSuffix = ".storjbak"
	archiveTime   = "20060102T150405Z"
	tempSuffix    = ".part"
	// scheduleLook is how often is looked whether a backup is due, and how soon one that failed is tried again.
	scheduleLook = 10 * time.Minute
)

// ScheduleOptions says what to back up, where to, and how often.
type ScheduleOptions struct {
	Store      kv.Store
	Manifest   func() (Manifest, error) // Created is filled in
	Passphrase func() ([]byte, error)   // asked for each time: the file may be changed
	To         string                   // directory
	Every      time.Duration
	Keep       int // archives of this satellite in To; at least 1
	Event      func(text string)
	Metrics    *metrics.Set
	Log        zerolog.Logger
}

// Schedule makes backups.
type Schedule struct {
	opts ScheduleOptions
	log  zerolog.Logger

	mu      sync.Mutex // guards the fields below
	last    backupRow
	failure error // of the last attempt; nil: it was good
}

// NewSchedule returns a schedule; see Load.
func NewSchedule(opts ScheduleOptions) *Schedule {
	if opts.Event == nil {
		opts.Event = func(string) {}
	}
	if opts.Metrics == nil {
		opts.Metrics = metrics.NewSet()
	}
	opts.Keep = max(opts.Keep, 1)
	s := &Schedule{opts: opts, log: opts.Log.With().Str("svc", "backup").Logger()}
	opts.Metrics.NewGauge("storj_backup_age_seconds", func() float64 {
		if at := s.Last(); !at.IsZero() {
			return time.Since(at).Seconds()
		}
		return -1
	})
	return s
}

// Load reads when the last backup was made.
func (s *Schedule) Load(ctx context.Context) error {
	err := s.opts.Store.View(ctx, func(tx kv.Tx) error {
		row, err := backupTable().Get(tx, struct{}{})
		if err == nil {
			s.mu.Lock()
			s.last = row
			s.mu.Unlock()
		}
		if errors.Is(err, kv.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("load backups: %w", err)
	}
	return nil
}

// Last is when the last backup was made; zero: none was.
func (s *Schedule) Last() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.at
}

// Run makes backups until ctx ends.
func (s *Schedule) Run(ctx context.Context) error {
	for {
		if since := time.Since(s.Last()); since >= s.opts.Every || since < -scheduleLook { // made by a clock that was ahead
			s.note(ctx, s.Backup(ctx))
		}
		timer := time.NewTimer(min(scheduleLook, s.opts.Every))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Close does nothing: the store is the satellite's.
func (s *Schedule) Close() error { return nil }

// note tells of a failure when it is the first one running.
func (s *Schedule) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	first := err != nil && s.failure == nil
	s.failure = err
	s.mu.Unlock()
	if first {
		s.opts.Event(fmt.Sprintf("backup failed: %v", err))
		s.log.Error().Err(err).Msg("backup failed")
	}
}

// Backup makes one archive now, reads it back, and deletes those beyond Keep.
func (s *Schedule) Backup(ctx context.Context) error {
	m, err := s.opts.Manifest()
	if err != nil {
		return err
	}
	passphrase, err := s.opts.Passphrase()
	if err != nil {
		return err
	}
	row := backupRow{at: time.Now().UTC().Truncate(time.Second)}
	m.Created = row.at
	prefix := "satellite-" + m.Satellite.Short() + "-"
	path := filepath.Join(s.opts.To, prefix+row.at.Format(archiveTime)+archiveSuffix)
	if row.bytes, row.rows, err = s.write(ctx, path, passphrase, &m); err != nil {
		return fmt.Errorf("backup to %s: %w", s.opts.To, err)
	}
	err = s.opts.Store.Update(ctx, func(tx kv.Tx) error { return backupTable().Put(tx, struct{}{}, &row) })
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.last = row
	s.mu.Unlock()
	s.log.Info().Int64("bytes", row.bytes).Int64("count", row.rows).Msg("backup made")
	return s.prune(prefix, filepath.Base(path))
}

func (s *Schedule) write(ctx context.Context, path string, passphrase []byte, m *Manifest) (bytes, rows int64, err error) {
	if err := os.MkdirAll(s.opts.To, 0o700); err != nil {
		return 0, 0, err
	}
	temp := path + tempSuffix
	err = WriteFile(temp, func(w io.Writer) error {
		return Write(w, passphrase, m, func(w io.Writer) error {
			_, err := kv.Dump(ctx, s.opts.Store, w)
			return err
		})
	})
	if err == nil {
		bytes, rows, err = verifyFile(ctx, temp, passphrase)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp) // best effort: it is no backup
		return 0, 0, err
	}
	return bytes, rows, syncDir(s.opts.To)
}

// WriteFile creates a file that must not exist, mode 0600, and syncs it. After an error there is none.
func WriteFile(path string, write func(w io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(path) // best effort: the error that counts is err
	}
	return err
}

func verifyFile(ctx context.Context, path string, passphrase []byte) (bytes, rows int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = file.Close() }() // read only
	if _, rows, err = Verify(ctx, file, passphrase); err != nil {
		return 0, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, 0, err
	}
	return info.Size(), rows, nil
}

// prune deletes the oldest archives of this satellite, and what was left of one that was not finished. The one just made
// stays, whatever its name says: the clock may have been ahead when others were made.
func (s *Schedule) prune(prefix, made string) error {
	entries, err := os.ReadDir(s.opts.To)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, prefix) || !e.Type().IsRegular() {
			continue
		}
		switch {
		case name == made:
		case strings.HasSuffix(name, archiveSuffix):
			names = append(names, name)
		case strings.HasSuffix(name, archiveSuffix+tempSuffix):
			err = errors.Join(err, os.Remove(filepath.Join(s.opts.To, name)))
		}
	}
	slices.Sort(names)
	for _, name := range names[:max(0, len(names)+1-s.opts.Keep)] {
		err = errors.Join(err, os.Remove(filepath.Join(s.opts.To, name)))
	}
	if err != nil {
		return fmt.Errorf("delete old backups: %w", err)
	}
	return nil
}
