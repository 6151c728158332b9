// Package durable keeps small files of a node: each is there wholly, old or new, whatever happens meanwhile.
//
//	err := durable.Replace(path, raw)
//	err = durable.Save(path, &state)                       // as JSON
//	found, err := durable.Load(path, &state, maxBytes)
//
// # Concurrency
//
// Functions without state; two that write the same path at once leave one of the two.
//
// # Why
//
// Temporary file, sync, rename, sync of the folder: the four steps stand in one place of the node, because each of them
// was forgotten somewhere once.
package durable

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// ErrDamaged is returned by Load for a file that cannot be read as what it should be.
var ErrDamaged = errors.New("file is damaged")

// Replace gives path new content, mode 0600, and returns when it is on disk: after a crash there is the old or the new.
func Replace(path string, raw []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = file.Write(raw)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // best effort: the error that counts is err
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes what was created, renamed and removed in a folder durable.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Save replaces path by v as JSON. An empty path keeps nothing.
func Save(path string, v any) error {
	if path == "" {
		return nil
	}
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("save %s: %w", filepath.Base(path), err)
	}
	if err := Replace(path, append(raw, '\n')); err != nil {
		return fmt.Errorf("save %s: %w", filepath.Base(path), err)
	}
	return nil
}

// Load reads what Save wrote into v. A file that is not there, or an empty path, is found false. Errors: ErrDamaged, also
// for more than limit bytes.
func Load(path string, v any, limit int64) (found bool, err error) {
	if path == "" {
		return false, nil
	}
	raw, err := Read(path, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return false, fmt.Errorf("load %s: %w: %w", path, ErrDamaged, err)
	}
	return true, nil
}

// Read reads a file of at most limit bytes. Errors: ErrDamaged for a longer one; those of the disk.
func Read(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // best effort: read only
	raw, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("load %s: %w: over %d bytes", path, ErrDamaged, limit)
	}
	return raw, nil
}
