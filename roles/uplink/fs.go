package uplink

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// FSOptions narrows a view of a bucket. The zero value, and nil, is the whole of it.
type FSOptions struct {
	Prefix string // of keys, left out of names; empty or ending in "/"
}

// FS is a read-only view of a bucket as a tree of files: it is an fs.FS, fs.ReadDirFS, fs.ReadFileFS and fs.StatFS. Files
// are io.Seeker and io.ReaderAt too, and their FileInfo.Sys is the *Object. It may be used concurrently.
//
// Objects whose keys are no path in the sense of fs.ValidPath are not shown; nor is what lies below a key that is also an
// object's. Folders have the zero time. ReadDir holds the whole of a folder in memory.
// Errors are *fs.PathError, and match fs.ErrNotExist or fs.ErrPermission as well as the errors of this package.
type FS struct {
	project *Project
	ctx     context.Context // of the call that made it: fs.FS has no place for one
	bucket  string
	prefix  string
}

// FS returns a view of a bucket. Its context bounds all that is done with it. Nothing is asked before it is used.
func (p *Project) FS(ctx context.Context, bucket string, opts *FSOptions) *FS {
	f := &FS{project: p, ctx: ctx, bucket: bucket}
	if opts != nil {
		f.prefix = opts.Prefix
	}
	return f
}

var (
	_ fs.ReadDirFS   = (*FS)(nil)
	_ fs.ReadFileFS  = (*FS)(nil)
	_ fs.StatFS      = (*FS)(nil)
	_ fs.ReadDirFile = (*fsDir)(nil)
	_ io.ReadSeeker  = (*fsFile)(nil)
	_ io.ReaderAt    = (*fsFile)(nil)
)

// Open opens a file or a folder.
func (f *FS) Open(name string) (fs.File, error) {
	const op = "open"
	if !fs.ValidPath(name) {
		return nil, pathError(op, name, fs.ErrInvalid)
	}
	if name != "." {
		d, err := f.project.Download(f.ctx, f.bucket, f.prefix+name, nil)
		if err == nil {
			return &fsFile{fs: f, name: name, object: d.Info(), download: d}, nil
		}
		if !errors.Is(err, ErrObjectNotFound) {
			return nil, pathError(op, name, err)
		}
	}
	if err := f.isDir(name); err != nil {
		return nil, pathError(op, name, err)
	}
	return &fsDir{fs: f, name: name}, nil
}

// Stat returns what is known of a file or a folder.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	const op = "stat"
	if !fs.ValidPath(name) {
		return nil, pathError(op, name, fs.ErrInvalid)
	}
	if name != "." {
		object, err := f.project.Stat(f.ctx, f.bucket, f.prefix+name)
		if err == nil {
			return fsInfo{path.Base(name), object}, nil
		}
		if !errors.Is(err, ErrObjectNotFound) {
			return nil, pathError(op, name, err)
		}
	}
	if err := f.isDir(name); err != nil {
		return nil, pathError(op, name, err)
	}
	return fsInfo{path.Base(name), nil}, nil
}

// ReadFile returns the content of a file.
func (f *FS) ReadFile(name string) ([]byte, error) {
	const op = "read"
	if !fs.ValidPath(name) || name == "." {
		return nil, pathError(op, name, fs.ErrInvalid)
	}
	d, err := f.project.Download(f.ctx, f.bucket, f.prefix+name, nil)
	if err != nil {
		return nil, pathError(op, name, err)
	}
	defer d.Close() // nothing of interest comes from it
	var content bytes.Buffer
	content.Grow(int(min(d.Info().Size, 1<<20)))
	if _, err := d.WriteTo(&content); err != nil {
		return nil, pathError(op, name, err)
	}
	return content.Bytes(), nil
}

// ReadDir returns the files and folders of a folder, in order of name.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	const op = "read"
	if !fs.ValidPath(name) {
		return nil, pathError(op, name, fs.ErrInvalid)
	}
	entries, seen, err := f.list(name)
	if err == nil && !seen && name != "." {
		err = ErrObjectNotFound
	}
	if err != nil {
		return nil, pathError(op, name, err)
	}
	return entries, nil
}

// list reads a folder; seen says whether there was anything under it.
func (f *FS) list(name string) (entries []fs.DirEntry, seen bool, err error) {
	dir := f.dir(name)
	list := f.project.List(f.ctx, f.bucket, &ListOptions{Prefix: dir, Custom: true})
	for list.Next() {
		seen = true
		item := list.Item()
		base := strings.TrimSuffix(item.Key[len(dir):], "/")
		if base == "." || strings.Contains(base, "/") || !fs.ValidPath(base) || !item.IsPrefix && strings.HasSuffix(item.Key, "/") {
			continue
		}
		info := fsInfo{base, item}
		if item.IsPrefix {
			info.object = nil
		}
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	if list.Err() != nil {
		return nil, false, list.Err()
	}
	// files first, so that of a file and a folder of one name the file stays
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		return cmp.Or(strings.Compare(a.Name(), b.Name()), cmp.Compare(a.Type(), b.Type()))
	})
	entries = slices.CompactFunc(entries, func(a, b fs.DirEntry) bool { return a.Name() == b.Name() })
	return entries, seen, nil
}

// isDir returns nil if there is anything below a name, or the name is the top.
func (f *FS) isDir(name string) error {
	list := f.project.List(f.ctx, f.bucket, &ListOptions{Prefix: f.dir(name)})
	if list.Next() || name == "." {
		return list.Err()
	}
	if list.Err() != nil {
		return list.Err()
	}
	return ErrObjectNotFound
}

// dir returns the prefix of a folder's keys.
func (f *FS) dir(name string) string {
	if name == "." {
		return f.prefix
	}
	return f.prefix + name + "/"
}

// pathError gives an error the form that users of io/fs expect.
func pathError(op, name string, err error) error {
	switch {
	case errors.Is(err, ErrObjectNotFound) || errors.Is(err, ErrBucketNotFound):
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case errors.Is(err, ErrPermissionDenied):
		err = fmt.Errorf("%w: %w", fs.ErrPermission, err)
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// fsInfo is what is known of a file; of a folder object is nil.
type fsInfo struct {
	name   string
	object *Object
}

func (i fsInfo) Name() string { return i.name }

func (i fsInfo) Size() int64 {
	if i.object == nil {
		return 0
	}
	return i.object.Size
}

func (i fsInfo) Mode() fs.FileMode {
	if i.object == nil {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

func (i fsInfo) ModTime() (at time.Time) {
	if i.object != nil {
		at = i.object.Created
	}
	return at
}

func (i fsInfo) IsDir() bool { return i.object == nil }

func (i fsInfo) Sys() any {
	if i.object == nil {
		return nil
	}
	return i.object
}

// fsDir is an open folder. For one goroutine.
type fsDir struct {
	fs      *FS
	name    string
	listed  bool
	entries []fs.DirEntry // not yet returned
}

func (d *fsDir) Stat() (fs.FileInfo, error) { return fsInfo{path.Base(d.name), nil}, nil }

func (d *fsDir) Read([]byte) (int, error) {
	return 0, pathError("read", d.name, errors.New("is a folder"))
}

func (d *fsDir) Close() error { return nil }

func (d *fsDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.listed {
		entries, _, err := d.fs.list(d.name)
		if err != nil {
			return nil, pathError("read", d.name, err)
		}
		d.entries, d.listed = entries, true
	}
	if n <= 0 {
		n = len(d.entries)
	} else if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	page := d.entries[:n:n]
	d.entries = d.entries[n:]
	return page, nil
}
