package boltkv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"storj/metainfo/kv"
)

const (
	// lockTimeout is how long Open waits for another process to let go of the file: a restart overlaps a little.
	lockTimeout = 2 * time.Second
	// mapSize is the address space reserved for the file on 64-bit systems in bytes; only what is used costs memory.
	mapSize = 16 << 30
	// fullPause is how long a full store refuses writes before it tries the disk again: a refused commit makes bbolt
	// walk all pages.
	fullPause = time.Second
)

// Options of a store. The zero value is durable and holds no particular format.
type Options struct {
	// Format is what the file must hold, see kv.Claim; without a name that is not checked.
	Format kv.Format
	// NoSync leaves writing to the operating system: a crash of the machine may lose or ruin the store. For tests.
	NoSync bool
	// SyncFreelist writes the free list at each commit: Open is quick on a large file, commits are slower.
	SyncFreelist bool
	// MaxSize is about how large the file may become, in bytes; 0: the disk is the limit. Near it, Updates that do not
	// free more than they write return kv.ErrFull.
	MaxSize int64
	// Reserve is the space on the disk below which it counts as full in the same way, in bytes; 0: 64 MiB,
	// negative: none.
	Reserve int64
}

// Store is a kv.Store on a file.
type Store struct {
	db    *bolt.DB
	found kv.Format
	path  string

	maxSize, reserve int64 // bytes, see Options

	updates, commits atomic.Uint64
	fullUntil        atomic.Int64 // Unix nanoseconds

	mu      sync.Mutex // guards the fields below
	waiting []*waiter  // first come, first served
	running bool       // somebody holds the baton
	closed  bool
	broken  error // why no more writes are taken
	last    int   // functions in the last batch
	pause   int   // batches before yielding is tried again
}

var _ kv.Store = (*Store)(nil)

// Open opens or creates the file. Errors: kv.ErrLocked, kv.ErrNewer, kv.ErrFormat, kv.ErrCorrupt, kv.ErrFull.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	db, err := openBolt(path, opts)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, translate(err))
	}
	s := &Store{db: db, path: path, maxSize: opts.MaxSize, reserve: cmp.Or(opts.Reserve, defaultReserve)}
	err = s.createBucket()
	if err == nil && !opts.NoSync {
		err = syncFolder(path)
	}
	if err == nil && opts.Format.Name != "" {
		s.found, err = kv.Claim(ctx, s, opts.Format)
	}
	if err != nil {
		_ = db.Close() // the error that counts is err
		return nil, fmt.Errorf("open %s: %w", path, translate(err))
	}
	return s, nil
}

// openBolt turns the panic of a walk over damaged pages into an error.
func openBolt(path string, opts Options) (db *bolt.DB, err error) {
	var file *os.File // of the last attempt, with the lock
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", kv.ErrCorrupt, v)
			if file != nil {
				_ = file.Close() // best effort: bbolt has forgotten it, and nobody else could open the store
			}
		}
	}()
	if err := preflight(path); err != nil {
		return nil, err
	}
	o := bolt.Options{
		Timeout:         lockTimeout,
		NoSync:          opts.NoSync,
		NoGrowSync:      opts.NoSync,
		NoFreelistSync:  !opts.SyncFreelist,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: initialMap(),
		OpenFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	}
	db, err = bolt.Open(path, 0o600, &o)
	if err != nil && o.InitialMmapSize > 0 && !permanent(err) {
		o.InitialMmapSize = 0 // perhaps address space is limited
		db, err = bolt.Open(path, 0o600, &o)
	}
	return db, err
}

// permanent says that a smaller map would not help.
func permanent(err error) bool {
	for _, e := range []error{bolterrors.ErrTimeout, bolterrors.ErrInvalid, bolterrors.ErrVersionMismatch,
		bolterrors.ErrChecksum, fs.ErrPermission, fs.ErrNotExist} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// initialMap is 0 where mapping beyond the end is not possible: Windows enlarges the file, and 32 bits are too few.
func initialMap() int {
	if runtime.GOOS == "windows" || strconv.IntSize < 64 {
		return 0
	}
	size := int64(mapSize) // a variable: the constant does not fit 32 bits
	return int(size)
}

// syncFolder makes the file's entry in its folder durable. It matters once, and costs little.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be opened for this
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func bucketName() []byte { return []byte("kv") }

func (s *Store) createBucket() error {
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	if tx.Bucket(bucketName()) != nil {
		return tx.Rollback()
	}
	if _, err := tx.CreateBucket(bucketName()); err != nil {
		_ = tx.Rollback() // the error that counts is err
		return err
	}
	return tx.Commit()
}

// Found is the format that the file had when it was opened, for who migrates.
func (s *Store) Found() kv.Format { return s.found }

// View implements kv.Store.
func (s *Store) View(ctx context.Context, fn func(kv.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	btx, err := s.db.Begin(false)
	if err != nil {
		return translate(err)
	}
	t := &tx{bucket: btx.Bucket(bucketName()), readOnly: true}
	defer func() {
		t.done = true
		_ = btx.Rollback() // fails only when closed already
	}()
	return fn(t)
}

// Stats implements kv.Store.
func (s *Store) Stats() kv.Stats {
	st := kv.Stats{Updates: s.updates.Load(), Commits: s.commits.Load()}
	if info, err := os.Stat(s.path); err == nil {
		st.SizeBytes = info.Size()
	}
	b := s.db.Stats()
	st.FreeBytes = int64(b.FreePageN+b.PendingPageN) * int64(s.db.Info().PageSize)
	return st
}

// Close implements kv.Store. Updates that wait for their turn still run; later ones return kv.ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	if s.running {
		w := &waiter{turn: make(chan *batch, 1), last: true}
		s.waiting = append(s.waiting, w)
		s.mu.Unlock()
		<-w.turn
	} else {
		s.running = true
		s.mu.Unlock()
	}
	if err := s.db.Close(); err != nil { // waits for Views
		return fmt.Errorf("close %s: %w", s.path, err)
	}
	return nil
}
