package transfer

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Files that are being written stand beside their target under such a name: hidden, and independent of its length.
const (
	tempPrefix = ".storj-"
	tempSuffix = ".part"
	tempRandom = 12 // characters, 60 bits
)

func isTemp(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

type fileOptions struct {
	makeDirs bool // make the directory that the file goes to
	ifAbsent bool // never replace a file
}

// writeFile makes a file of what fill writes. The file appears, or is replaced, when all of it is on disk; if fill fails
// nothing is left. A file that is replaced keeps its permissions, one that is reached by a symbolic link its place. What
// is no regular file, such as a pipe or /dev/null, is written to directly.
//
// Errors: ErrExists, ErrPlace for a directory, those of fill and of the file system.
func writeFile(path string, opts fileOptions, fill func(io.Writer) error) error {
	if opts.makeDirs {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil { // less the umask
			return err
		}
	}
	path, info, err := resolve(path)
	switch {
	case err != nil:
		return err
	case info != nil && info.IsDir():
		return fmt.Errorf("%w: %s is a directory", ErrPlace, path)
	case info != nil && opts.ifAbsent:
		return fmt.Errorf("%w: %s", ErrExists, path)
	case info != nil && !info.Mode().IsRegular():
		return writeDirectly(path, fill)
	}
	temp, err := createTemp(filepath.Dir(path))
	if err != nil {
		return err
	}
	err = fill(temp)
	if err == nil && info != nil {
		_ = temp.Chmod(info.Mode().Perm()) // best effort: not every file system has permissions
	}
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = publish(temp.Name(), path, opts.ifAbsent)
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // best effort: the error is reported
	}
	return err
}

// resolve follows symbolic links. The result has no info when there is no file yet.
func resolve(path string) (string, fs.FileInfo, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil // also a link to nowhere, which is replaced
	}
	if err != nil {
		return path, nil, err
	}
	info, err := os.Stat(target)
	return target, info, err
}

func writeDirectly(path string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}

// createTemp makes a new file with the permissions that any new file has here.
func createTemp(dir string) (*os.File, error) {
	const attempts = 100
	for attempt := 1; ; attempt++ {
		name := filepath.Join(dir, tempPrefix+rand.Text()[:tempRandom]+tempSuffix)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) // less the umask
		if err == nil || !errors.Is(err, fs.ErrExist) || attempt == attempts {
			return f, err
		}
	}
}

// publish gives a complete file its name, durably.
func publish(temp, path string, ifAbsent bool) error {
	if ifAbsent {
		err := os.Link(temp, path)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%w: %s", ErrExists, path)
		}
		if err == nil {
			_ = os.Remove(temp) // best effort: a second name for the same file
			return syncDir(filepath.Dir(path))
		}
		// a file system without links: what was not there a moment ago is taken to be absent
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return nil // a directory that may be written but not read cannot be synced
	}
	_ = dir.Sync() // best effort: not every file system can
	return dir.Close()
}
