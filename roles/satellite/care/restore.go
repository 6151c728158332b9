package care

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"storj/metainfo/kv"
	"storj/metainfo/kv/boltkv"
	"storj/metainfo/metabase"
	"storj/netx/identity"
)

var (
	// ErrNotEmpty is returned by Restore for a directory that holds something.
	ErrNotEmpty = errors.New("directory is not empty")
	// ErrIdentity is returned by Restore for an archive whose identity is not that of its satellite.
	ErrIdentity = errors.New("the identity in the backup is another satellite's")
)

// Names are the files of a satellite's directory.
type Names struct{ DB, Identity, Settings string }

// Restored says what Restore did.
type Restored struct {
	Manifest Manifest
	Rows     int64
	Faults   error // that Check found in what was restored; it is there all the same
}

// Restore makes a satellite's directory of an archive: all of it, or nothing. The directory must not exist, or be empty.
//
// Errors: ErrNotEmpty, ErrIdentity, as Open's, kv.ErrCorrupt, kv.ErrFull.
func Restore(ctx context.Context, r io.Reader, passphrase []byte, dir string, names Names) (*Restored, error) {
	if err := checkFree(dir); err != nil {
		return nil, err
	}
	a, err := Open(r, passphrase)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-restore-*")
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	report, err := restoreTo(ctx, a, temp, names)
	if err == nil {
		err = publish(temp, dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("restore to %s: %w", dir, err), os.RemoveAll(temp))
	}
	return report, nil
}

func checkFree(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(filepath.Dir(dir), 0o700)
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%w: %s", ErrNotEmpty, dir)
	}
	return nil
}

func restoreTo(ctx context.Context, a *Archive, dir string, names Names) (*Restored, error) {
	m := &a.Manifest
	path := filepath.Join(dir, names.Identity)
	if err := writeSynced(path, m.Identity); err != nil {
		return nil, err
	}
	id, err := identity.Load(path)
	if err != nil {
		return nil, err
	}
	if id.ID() != m.Satellite {
		return nil, ErrIdentity
	}
	if len(m.Settings) > 0 {
		if err := writeSynced(filepath.Join(dir, names.Settings), m.Settings); err != nil {
			return nil, err
		}
	}
	report := &Restored{Manifest: *m}
	store, err := boltkv.Open(ctx, filepath.Join(dir, names.DB), boltkv.Options{})
	if err != nil {
		return nil, err
	}
	report.Rows, report.Faults, err = restoreDB(ctx, store, a)
	return report, errors.Join(err, store.Close())
}

// restoreDB fills an empty store and marks it as restored.
func restoreDB(ctx context.Context, store kv.Store, a *Archive) (rows int64, faults, err error) {
	if rows, err = load(ctx, store, a); err != nil {
		return 0, nil, err
	}
	db, err := metabase.Open(ctx, store)
	if err != nil {
		return 0, nil, err
	}
	if err := MarkRestored(ctx, store, a.Manifest.Created); err != nil {
		return 0, nil, err
	}
	return rows, db.Check(ctx), nil
}

// load fills a store with the whole archive.
func load(ctx context.Context, store kv.Store, a *Archive) (rows int64, err error) {
	rows, err = kv.Load(ctx, store, a)
	if err != nil {
		return 0, err
	}
	return rows, a.finish()
}

func writeSynced(path string, raw []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(raw)
	return errors.Join(err, file.Sync(), file.Close())
}

// publish puts a directory in the place of one that is empty or not there.
func publish(temp, dir string) error {
	if err := syncDir(temp); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // it is not empty any more
	}
	if err := os.Rename(temp, dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MarkRestored notes that a store was restored from a snapshot of that time: at the next start nodes are asked to revive
// their trash.
func MarkRestored(ctx context.Context, store kv.Store, snapshot time.Time) error {
	err := store.Update(ctx, func(tx kv.Tx) error {
		if err := deleteAll(tx, revivedTable().All()); err != nil {
			return err
		}
		return restoredTable().Put(tx, struct{}{}, &restoredRow{snapshot: snapshot, restored: time.Now().UTC().Round(0)})
	})
	if err != nil {
		return fmt.Errorf("mark as restored: %w", err)
	}
	return nil
}

func deleteAll(tx kv.Tx, r kv.Range) error {
	return kv.Scan(tx, r, func(key, _ []byte) (bool, error) { return true, tx.Delete(key) })
}

// sink is a store that keeps nothing, to check dumps with.
type sink struct{ kv.Store }

func newSink() sink { return sink{} }

// View has an empty store seen.
func (sink) View(_ context.Context, fn func(kv.Tx) error) error { return fn(sinkTx{}) }

// Update throws away what is written.
func (sink) Update(ctx context.Context, fn func(kv.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return fn(sinkTx{})
}

// Close does nothing.
func (sink) Close() error { return nil }

type sinkTx struct{}

func (sinkTx) Get([]byte) ([]byte, error)  { return nil, kv.ErrNotFound }
func (sinkTx) Put(key, value []byte) error { return kv.CheckPut(key, value) }
func (sinkTx) Delete([]byte) error         { return nil }
func (sinkTx) Cursor(kv.Range) kv.Cursor   { return sinkCursor{} }

type sinkCursor struct{}

func (sinkCursor) Next() bool       { return false }
func (sinkCursor) Seek([]byte) bool { return false }
func (sinkCursor) Key() []byte      { return nil }
func (sinkCursor) Value() []byte    { return nil }
func (sinkCursor) Err() error       { return nil }
func (sinkCursor) Close()           {}
