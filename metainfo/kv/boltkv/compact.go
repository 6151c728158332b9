package boltkv

import (
	"context"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"

	"storj/metainfo/kv"
)

// compactTx is the bytes that Compact copies in one transaction of the new file.
const compactTx = 8 << 20

// Compact rewrites the file at path without its free pages and returns the sizes before and after, in bytes. The
// store must not be open, in this process or another. The old file stays until the new one is whole and synced.
//
// Errors: kv.ErrLocked, kv.ErrFull (the old file is as it was).
func Compact(ctx context.Context, path string) (before, after int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	src, err := openBolt(path, Options{})
	if err != nil {
		return 0, 0, fmt.Errorf("compact %s: %w", path, translate(err))
	}
	temp := path + ".compact"
	before, after, err = rewrite(src, path, temp)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err == nil {
		err = syncFolder(path)
	}
	if err = errors.Join(err, src.Close()); err != nil {
		_ = os.Remove(temp) // best effort: it is not the store
		return 0, 0, fmt.Errorf("compact %s: %w", path, translate(err))
	}
	return before, after, nil
}

// rewrite copies src, which lies at path, to a new file at temp.
func rewrite(src *bolt.DB, path, temp string) (before, after int64, err error) {
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, 0, err
	}
	dst, err := openBolt(temp, Options{NoSync: true})
	if err != nil {
		return 0, 0, err
	}
	err = bolt.Compact(dst, src, compactTx)
	if err == nil {
		err = dst.Sync()
	}
	if err = errors.Join(err, dst.Close()); err != nil {
		return 0, 0, err
	}
	old, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	fresh, err := os.Stat(temp)
	if err != nil {
		return 0, 0, err
	}
	return old.Size(), fresh.Size(), nil
}

// Check walks all pages and returns the first faults found. It reads the whole file; writes wait for it to end.
func (s *Store) Check(ctx context.Context) error {
	return s.View(ctx, func(t kv.Tx) error {
		var faults []error
		const maxFaults = 10
		for err := range t.(*tx).bucket.Tx().Check() {
			if len(faults) < maxFaults { // the channel must be drained
				faults = append(faults, fmt.Errorf("%w: %w", kv.ErrCorrupt, err))
			}
		}
		return errors.Join(faults...)
	})
}
