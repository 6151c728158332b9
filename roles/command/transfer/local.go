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
	"time"
)

// Files that are being written stand beside their target under such a name: hidden, and independent of its length.
const (
	tempPrefix = ".storj-"
	tempSuffix = ".part"
	tempRandom = 12 // characters, 60 bits
)

// IsTemp says whether a name is that of a file that a download is, or was, being written to.
func IsTemp(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

type fileOptions struct {
	makeDirs bool      // make the directory that the file goes to
	ifAbsent bool      // never replace a file
	modified time.Time // of the content; zero: now
	root     string    // directory that the file must not leave by a symbolic link in it; empty: it may
}

// writeFile makes a file of what fill writes. The file appears, or is replaced, when all of it is on disk; if fill fails
// nothing is left. A file that is replaced keeps its permissions, one that is reached by a symbolic link its place. What
// is no regular file, such as a pipe or /dev/null, is written to directly.
//
// Errors: ErrExists, ErrPlace for a directory, those of fill and of the file system.
func writeFile(path string, opts fileOptions, fill func(io.Writer) error) error {
	if err := staysIn(opts.root, path); err != nil {
		return err
	}
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
	temp, err := createTemp(filepath.Dir(path), newMode(info))
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
	if err == nil {
		setTime(temp.Name(), opts.modified)
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = publish(temp.Name(), path, opts.ifAbsent)
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // best effort: the error is reported
	}
	return err
}

// staysIn refuses a path that leads out of the directory that it is below: names come from whoever may write to a
// bucket, and a link in a mirror would let them choose among all that it leads to. Errors: ErrPlace, those of the file
// system.
func staysIn(root, path string) error {
	if root == "" {
		return nil
	}
	top, err := filepath.EvalSymlinks(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing is in it
	}
	if err != nil {
		return err
	}
	for at := filepath.Clean(path); len(at) > len(filepath.Clean(root)); at = filepath.Dir(at) {
		target, err := filepath.EvalSymlinks(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if rel, err := filepath.Rel(top, target); err != nil || !filepath.IsLocal(rel) {
			return fmt.Errorf("%w: %s leads out of %s by a symbolic link", ErrPlace, path, root)
		}
		return nil
	}
	return nil
}

// newMode is what a file is made with that takes the place of another, or of none: others must not read in the making
// what they cannot read when it is done.
func newMode(old fs.FileInfo) fs.FileMode {
	const all = 0o666 // less the umask
	if old == nil {
		return all
	}
	return old.Mode().Perm()&all | 0o600
}

// setTime sets when a file's content was changed; not to the zero time.
func setTime(path string, modified time.Time) {
	if !modified.IsZero() {
		_ = os.Chtimes(path, time.Time{}, modified) // best effort: not every file system keeps every time
	}
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

// createTemp makes a new file.
func createTemp(dir string, mode fs.FileMode) (*os.File, error) {
	const attempts = 100
	for attempt := 1; ; attempt++ {
		name := filepath.Join(dir, tempPrefix+rand.Text()[:tempRandom]+tempSuffix)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
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
