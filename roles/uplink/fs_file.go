package uplink

import (
	"io"
	"io/fs"
	"path"
	"sync"

	"storj/ecenc/cipher"
)

// fsFile is an open file.
type fsFile struct {
	fs     *FS
	name   string
	object *Object

	mu       sync.Mutex // guards the fields below; held while Read waits
	download *Download  // nil: not open
	at       int64      // that download gives next
	offset   int64      // that Read is to give next
	closed   bool

	block      []byte // that ReadAt read last; never written to again
	blockStart int64
}

func (f *fsFile) Stat() (fs.FileInfo, error) { return fsInfo{path.Base(f.name), f.object}, nil }

func (f *fsFile) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, pathError("read", f.name, fs.ErrClosed)
	}
	if f.offset >= f.object.Size {
		return 0, io.EOF
	}
	if f.at != f.offset && f.download != nil {
		_ = f.download.Close() // it gives other bytes than those that are wanted
		f.download = nil
	}
	if f.download == nil {
		var err error
		if f.download, err = f.open(f.offset, 0); err != nil {
			return 0, pathError("read", f.name, err)
		}
		f.at = f.offset
	}
	n, err := f.download.Read(p)
	f.at += int64(n)
	f.offset = f.at
	if err != nil && err != io.EOF {
		err = pathError("read", f.name, err)
	}
	return n, err
}

// open starts a download of the same object; Errors: ErrObjectChanged when it is another by now.
func (f *fsFile) open(offset, length int64) (*Download, error) {
	d, err := f.fs.project.Download(f.fs.ctx, f.fs.bucket, f.fs.prefix+f.name, &DownloadOptions{
		Offset: offset, Length: length, Version: f.object.Version,
	})
	if err != nil {
		return nil, err
	}
	if d.Info().Revision != f.object.Revision {
		_ = d.Close() // of another object
		return nil, ErrObjectChanged
	}
	return d, nil
}

func (f *fsFile) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.object.Size
	default:
		offset = -1
	}
	switch {
	case f.closed:
		return 0, pathError("seek", f.name, fs.ErrClosed)
	case offset < 0:
		return 0, pathError("seek", f.name, fs.ErrInvalid)
	}
	f.offset = offset
	return offset, nil
}

// ReadAt reads by a download of its own, so that many may run at once; small ranges a block at a time, of which the last
// one is kept: readers of archives ask for a few bytes here and there.
func (f *fsFile) ReadAt(p []byte, offset int64) (n int, err error) {
	switch {
	case offset < 0:
		return 0, pathError("read", f.name, fs.ErrInvalid)
	case len(p) >= fsBlock:
		return f.readAt(p, offset)
	}
	for n < len(p) && err == nil {
		var block []byte
		at := offset + int64(n)
		if block, err = f.blockAt(at - at%fsBlock); err == nil || err == io.EOF {
			block = block[min(at%fsBlock, int64(len(block))):]
			if len(block) > 0 {
				err = nil
			}
			n += copy(p[n:], block)
		}
	}
	return n, err
}

// fsBlock is what is read at least, bytes: a cipher block where the object is one part.
const fsBlock = cipher.PlainBlockSize

// blockAt returns the block that starts at an offset, to be read only. Errors: io.EOF, with a block that is short.
func (f *fsFile) blockAt(start int64) ([]byte, error) {
	f.mu.Lock()
	block, at, closed := f.block, f.blockStart, f.closed
	f.mu.Unlock()
	switch {
	case closed:
		return nil, pathError("read", f.name, fs.ErrClosed)
	case block == nil || at != start:
		block = make([]byte, fsBlock)
		n, err := f.readAt(block, start)
		if err != nil && err != io.EOF {
			return nil, err
		}
		block = block[:n]
		f.mu.Lock()
		f.block, f.blockStart = block, start
		f.mu.Unlock()
	}
	if len(block) < fsBlock {
		return block, io.EOF
	}
	return block, nil
}

func (f *fsFile) readAt(p []byte, offset int64) (int, error) {
	if offset >= f.object.Size {
		return 0, io.EOF
	}
	d, err := f.open(offset, int64(len(p)))
	if err != nil {
		return 0, pathError("read", f.name, err)
	}
	defer d.Close() // nothing of interest comes from it
	n, err := io.ReadFull(d, p)
	if err == io.ErrUnexpectedEOF {
		return n, io.EOF
	}
	if err != nil {
		err = pathError("read", f.name, err)
	}
	return n, err
}

func (f *fsFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	if f.download != nil {
		return f.download.Close()
	}
	return nil
}
