package logstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"storj/pieces"
)

// The files of a directory.
const (
	markerName = "storj-store"
	lockName   = "lock"
	indexName  = "index.db"
	logsName   = "logs"
)

const (
	markerFirst = "storj store, format 1\n"
	markerLast  = "This file says that the disk is mounted. Without it the pieces beside it are not served.\n"
)

var (
	// ErrNoMarker is returned for a directory that was never set up, or whose disk is not mounted.
	ErrNoMarker = errors.New("no " + markerName + " file: is the disk mounted? (a new directory wants setup first)")
	// ErrMarker is returned for a directory whose marker is not that of this store or not of a known version.
	ErrMarker = errors.New(markerName + " file is not that of this store")
	// ErrLocked is returned for a directory that another process has open.
	ErrLocked = errors.New("directory is in use by another process")
	// ErrNotEmpty is returned by Setup for a directory with files that are not of a store.
	ErrNotEmpty = errors.New("directory holds other files; a store wants an empty one")
)

// storeID is random, made at setup.
type storeID [32]byte

// Setup makes dir ready for Open: it creates it where necessary and writes the marker. A directory that is set up is
// left as it is. Errors: ErrNotEmpty, ErrMarker.
func Setup(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("set up store %s: %w", dir, err)
	}
	_, err := readMarker(osFS{}, dir)
	if !errors.Is(err, ErrNoMarker) {
		return err
	}
	if err := checkEmpty(dir); err != nil {
		return err
	}
	var id storeID
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	content := markerFirst + "id " + hex.EncodeToString(id[:]) + "\n" + markerLast
	if err := os.MkdirAll(filepath.Join(dir, logsName), 0o700); err != nil {
		return fmt.Errorf("set up store %s: %w", dir, err)
	}
	if err := writeFileDurable(filepath.Join(dir, markerName), []byte(content)); err != nil {
		return fmt.Errorf("set up store %s: %w", dir, err)
	}
	return nil
}

// checkEmpty lets pass what an interrupted Setup and a fresh file system leave behind.
func checkEmpty(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("set up store %s: %w", dir, err)
	}
	for _, e := range list {
		switch name := e.Name(); name {
		case logsName, "lost+found", markerName + ".tmp":
		default:
			return fmt.Errorf("set up store %s: found %q: %w", dir, name, ErrNotEmpty)
		}
	}
	if logs, err := os.ReadDir(filepath.Join(dir, logsName)); err == nil && len(logs) > 0 {
		return fmt.Errorf("set up store %s: found logs without a marker: %w", dir, ErrNotEmpty)
	}
	return nil
}

// readMarker returns the ID of the store in dir. Errors: ErrNoMarker, ErrMarker, those of the disk.
func readMarker(fsys FS, dir string) (id storeID, err error) {
	content, err := fsys.ReadFile(filepath.Join(dir, markerName))
	if errors.Is(err, os.ErrNotExist) {
		return id, fmt.Errorf("store %s: %w", dir, ErrNoMarker)
	}
	if err != nil {
		return id, diskErr("store "+dir, err)
	}
	rest, ok := strings.CutPrefix(string(content), markerFirst+"id ")
	text, _, ok2 := strings.Cut(rest, "\n")
	raw, err := hex.DecodeString(text)
	if !ok || !ok2 || err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("store %s: %w", dir, ErrMarker)
	}
	return storeID(raw), nil
}

// lockWait is how long a lock may stay taken. A process that this one starts holds its files, locks and all, until it
// has become another program.
const lockWait = time.Second

// lockDir takes the lock of a directory. Errors: ErrLocked.
func lockDir(ctx context.Context, dir string) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	for start := time.Now(); ; {
		f, err := lockFile(path)
		if !errors.Is(err, ErrLocked) || time.Since(start) > lockWait {
			return f, err
		}
		select {
		case <-time.After(lockWait / 50):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// checkMarker says whether the directory is still the one that was opened.
func (d *dir) checkMarker() error {
	id, err := readMarker(d.fs, d.path)
	switch {
	case err != nil:
		return err
	case id != d.id:
		return fmt.Errorf("store %s: %w: %w", d.path, ErrMarker, pieces.ErrDisk)
	}
	return nil
}
