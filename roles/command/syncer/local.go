package syncer

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// LocalOptions tunes Local.
type LocalOptions struct {
	// LeavesOut says that a folder need not be read. Shape: relative, with "/" at its end. Nil: all are.
	LeavesOut func(folder string) bool
	// Skips says that an entry of a folder, by its own name, is nobody's file. Nil: none.
	Skips func(name string) bool
	Warn  func(path, what string) // of what is neither file nor folder; nil: silent
	// Absent says that the directory need not exist: it is then empty.
	Absent bool
}

// Local lists the files of a directory. Symbolic links to files are followed, those to folders are not; what is neither
// is left out. Only the folders above the present one are in memory, with the names in them.
//
// A folder that cannot be read is an entry with Err.
func Local(dir string, opts LocalOptions) Listing {
	return func(yield func(Entry, error) bool) {
		w := &walker{root: dir, opts: opts, yield: yield}
		if _, err := os.Stat(dir); opts.Absent && errors.Is(err, fs.ErrNotExist) {
			return
		}
		w.walk("")
	}
}

type walker struct {
	root  string
	opts  LocalOptions
	yield func(Entry, error) bool
}

// child is an entry of a folder; the key of a folder has a "/" at its end, which puts it where what lies in it belongs.
type child struct {
	key  string
	info fs.FileInfo // nil for folders
	err  error
}

// walk lists what lies under a folder, "" or with "/" at its end. It returns false to stop.
func (w *walker) walk(folder string) bool {
	path := filepath.Join(w.root, filepath.FromSlash(folder))
	before, _ := os.Stat(path) // an error comes again
	entries, err := os.ReadDir(path)
	children := make([]child, 0, len(entries))
	vanished := false
	for _, entry := range entries {
		c, ok := w.look(folder, entry)
		if ok {
			children = append(children, c)
		}
		vanished = vanished || errors.Is(c.err, fs.ErrNotExist)
	}
	if vanished && err == nil {
		err = stillThere(path, before)
	}
	if err != nil && !w.yield(Entry{Key: folder, Err: err}, nil) {
		return false // what could be read in spite of the error is listed
	}
	slices.SortFunc(children, func(a, b child) int { return cmp.Compare(a.key, b.key) })
	for _, c := range children {
		goOn := true
		switch {
		case c.err != nil:
			goOn = w.yield(Entry{Key: c.key, Err: c.err}, nil)
		case c.info == nil:
			goOn = w.walk(c.key)
		default:
			goOn = w.yield(Entry{Key: c.key, Size: c.info.Size(), Modified: c.info.ModTime().UnixNano()}, nil)
		}
		if !goOn {
			return false
		}
	}
	return true
}

// errMoved is returned for a folder that is another than the one that was read.
var errMoved = errors.New("the folder went away while it was read: is a disk not mounted any more?")

// stillThere says whether a folder that files are gone from is the one that was read: when a disk goes away all its files
// look as if they were deleted, one by one.
func stillThere(path string, before fs.FileInfo) error {
	after, err := os.Stat(path)
	if err == nil && (before == nil || !os.SameFile(before, after)) {
		err = errMoved
	}
	return err
}

// look says what an entry of a folder is, and whether it is listed.
func (w *walker) look(folder string, entry fs.DirEntry) (child, bool) {
	c := child{key: folder + filepath.ToSlash(entry.Name())}
	if w.opts.Skips != nil && w.opts.Skips(entry.Name()) {
		return c, false
	}
	if entry.IsDir() {
		c.key += "/"
		return c, w.opts.LeavesOut == nil || !w.opts.LeavesOut(c.key)
	}
	path := filepath.Join(w.root, filepath.FromSlash(c.key))
	c.info, c.err = entry.Info()
	if entry.Type()&fs.ModeSymlink != 0 {
		c.info, c.err = os.Stat(path)
	}
	switch {
	case errors.Is(c.err, fs.ErrNotExist) && entry.Type()&fs.ModeSymlink == 0:
		return c, false // deleted meanwhile
	case c.err != nil:
		return c, true
	case c.info.IsDir():
		w.warn(path, "a symbolic link to a directory")
		return c, false
	case !c.info.Mode().IsRegular():
		w.warn(path, "neither a file nor a directory")
		return c, false
	}
	return c, true
}

func (w *walker) warn(path, what string) {
	if w.opts.Warn != nil {
		w.opts.Warn(path, what)
	}
}
