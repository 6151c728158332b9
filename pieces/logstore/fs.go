package logstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"storj/pieces"
)

// FS is the disk as the store sees it; tests put faults in between. The index and the lock do not go through it. All
// methods may be called concurrently.
type FS interface {
	// OpenFile opens a log or marker for reading and writing; create makes it and fails if it is there.
	OpenFile(path string, create bool) (File, error)
	// ReadFile reads a small file.
	ReadFile(path string) ([]byte, error)
	// List returns names and sizes of the regular files in a directory.
	List(dir string) (map[string]int64, error)
	// Remove unlinks a file.
	Remove(path string) error
	// Rename gives a file another name in its directory, in the place of the file that may have had it.
	Rename(from, to string) error
	// SyncDir makes creations and removals in a directory durable.
	SyncDir(dir string) error
	// Usage returns the size of the disk under a directory and what an ordinary user may still write, in bytes. Errors:
	// syscall.EROFS for a disk that is mounted read-only.
	Usage(dir string) (total, free int64, err error)
}

// File is an open log.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes the content durable, and the length; not the time stamps.
	Sync() error
	// Writeback asks the disk to begin writing a range, without waiting: a shorter Sync later.
	Writeback(offset, length int64)
	// Truncate sets the length.
	Truncate(size int64) error
}

// osFS is the real disk.
type osFS struct{}

type osFile struct{ *os.File }

func (osFS) OpenFile(path string, create bool) (File, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE | os.O_EXCL
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // best effort: read only
	return io.ReadAll(io.LimitReader(f, 4096))
}

func (osFS) List(dir string) (map[string]int64, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64, len(list))
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			sizes[e.Name()] = info.Size()
		}
	}
	return sizes, nil
}

func (osFS) Remove(path string) error { return os.Remove(path) }

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }

func (osFS) Usage(dir string) (total, free int64, err error) { return diskUsage(dir) }

func (f osFile) Sync() error                    { return datasync(f.File) }
func (f osFile) Writeback(offset, length int64) { writeback(f.File, offset, length) }

// diskErr gives an error of the disk its sentinel: ErrNoSpace when it is full, else ErrDisk.
func diskErr(verb string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pieces.ErrNoSpace), errors.Is(err, pieces.ErrDisk), errors.Is(err, pieces.ErrStoreClosed):
		return err
	case errors.Is(err, os.ErrClosed):
		return fmt.Errorf("%s: %w", verb, pieces.ErrStoreClosed)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: %w: %w", verb, pieces.ErrNoSpace, err)
	}
	return fmt.Errorf("%s: %w: %w", verb, pieces.ErrDisk, err)
}

// writeFileDurable makes a small file that is there wholly or not at all: temporary file, sync, rename, sync folder.
func writeFileDurable(path string, content []byte) (err error) {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp) // best effort: the first error tells more
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp, path); err != nil {
		return err
	}
	return osFS{}.SyncDir(filepath.Dir(path))
}
