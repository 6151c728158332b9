package transfer

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/zeebo/blake3"

	"storj/roles/command/resume"
	"storj/roles/uplink"
)

const (
	// resumableSize is from what size on a download can be gone on with, bytes: what is smaller is as soon begun anew.
	resumableSize = 8 << 20
	// checkpointSize is after how many bytes a partial file is synced and what it has is noted: what is lost at most.
	checkpointSize = 32 << 20
)

// partial is a download to a file that an interruption leaves for the next try.
type partial struct {
	t     *Transfer
	item  Item
	claim *resume.Claim
	entry resume.Entry
	path  string // that is written in the end
	mode  os.FileMode
	file  *os.File
	hash  *blake3.Hasher
	since int64 // bytes written since the last checkpoint
}

// errStalePartial means that a partial file turned out not to be the start of the object.
var errStalePartial = errors.New("what an earlier try left is not the start of the object")

// resumes says whether a download can be gone on with: of a large object as a whole, to a regular file.
func (t *Transfer) resumes(item Item) bool {
	if t.opts.Resume == nil || t.opts.Range != nil || item.To.Std {
		return false
	}
	_, info, err := resolve(item.To.Path)
	return err == nil && (info == nil || info.Mode().IsRegular() && !t.opts.IfAbsent)
}

// downloadPartial downloads a large object, behind what an earlier try left. done is false when it is none, or another
// process is at the same: the caller then downloads as usual, with opened unless that is nil.
func (t *Transfer) downloadPartial(ctx context.Context, item Item, opened *uplink.Download) (n int64, done bool, err error) {
	info := opened.Info()
	if info.Size < resumableSize {
		return 0, false, nil
	}
	absolute, err := filepath.Abs(item.To.Path)
	if err != nil {
		return 0, true, err
	}
	id := resume.ID("download", t.opts.ResumeScope, item.From.String(), t.opts.Version, absolute)
	claim, err := t.opts.Resume.Claim(id)
	if err != nil || claim == nil {
		return 0, err != nil, err
	}
	defer claim.Release()
	if err := staysIn(item.Root, item.To.Path); err != nil {
		return 0, true, err
	}
	if item.MakeDirs {
		if err := os.MkdirAll(filepath.Dir(absolute), 0o777); err != nil { // less the umask
			return 0, true, err
		}
	}
	p := &partial{t: t, item: item, claim: claim, hash: blake3.New()}
	if err := p.open(absolute, id, info); err != nil {
		return 0, true, err
	}
	err = p.run(ctx, opened)
	if errors.Is(err, errStalePartial) {
		if err = p.restart(); err == nil {
			err = p.run(ctx, nil)
		}
	}
	err = errors.Join(err, p.file.Close())
	switch {
	case err == nil:
		err = p.publish(info)
	case p.entry.Done == 0 || errors.Is(err, syscall.ENOSPC):
		// There is nothing to go on with, or it takes the space that is missing. The next try does not need to find it gone.
		_ = errors.Join(os.Remove(p.entry.Partial), claim.Remove())
	}
	return info.Size, true, err
}

// open opens the partial file, and takes what is known to be in it.
func (p *partial) open(absolute, id string, info *uplink.Object) error {
	path, existing, err := resolve(absolute)
	if err != nil {
		return err
	}
	p.path = path
	if existing != nil {
		p.mode = existing.Mode().Perm()
	}
	p.entry = resume.Entry{Size: info.Size, Revision: info.Revision, Partial: filepath.Join(filepath.Dir(path), tempPrefix+id+tempSuffix)}
	if old, known := p.claim.Load(); known && old.Revision == info.Revision && old.Size == info.Size && old.Partial == p.entry.Partial {
		if p.file = reopen(p.entry.Partial, old.Done); p.file != nil {
			p.entry.Done = old.Done
			return nil
		}
	}
	// What is there under the name is not ours, or of no use. In a directory that others may write to it must not be
	// opened: it may be a link to another file, or a file that they read.
	if err := os.Remove(p.entry.Partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.file, err = os.OpenFile(p.entry.Partial, os.O_RDWR|os.O_CREATE|os.O_EXCL, newMode(existing))
	return err
}

// reopen opens a file that an earlier try wrote, nil if it is not there with as many bytes.
func reopen(path string, size int64) *os.File {
	named, err := os.Lstat(path)
	if err != nil || !named.Mode().IsRegular() {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	if opened, err := f.Stat(); err != nil || !os.SameFile(named, opened) || opened.Size() < size {
		_ = f.Close() // nothing was written
		return nil
	}
	return f
}

// restart throws away what the partial file has.
func (p *partial) restart() error {
	p.entry.Done = 0
	p.hash.Reset()
	if err := p.claim.Save(p.entry); err != nil {
		return err
	}
	return p.file.Truncate(0)
}

// run reads the rest of the object. opened is a download of the whole, or nil.
func (p *partial) run(ctx context.Context, opened *uplink.Download) (err error) {
	if err := p.file.Truncate(p.entry.Done); err != nil {
		return err
	}
	if p.entry.Done > 0 {
		if err := readAll(p.hash, io.NewSectionReader(p.file, 0, p.entry.Done)); err != nil {
			return err
		}
		p.t.opts.Progress.Skip(p.entry.Done)
	}
	if _, err := p.file.Seek(p.entry.Done, io.SeekStart); err != nil {
		return err
	}
	if err := p.claim.Save(p.entry); err != nil {
		return err
	}
	download := opened
	if p.entry.Done == p.entry.Size {
		return p.verify(opened)
	}
	if opened == nil || p.entry.Done > 0 {
		if opened != nil {
			_ = opened.Close() // before more of its start comes; it may be closed twice
		}
		from := p.item.From
		download, err = p.t.project.Download(ctx, from.Bucket, from.Key, &uplink.DownloadOptions{Offset: p.entry.Done, Version: p.t.opts.Version})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, download.Close()) }()
	}
	if download.Info().Revision != p.entry.Revision {
		return fmt.Errorf("%w: %s", uplink.ErrObjectChanged, p.item.From)
	}
	_, err = io.Copy(p.t.opts.Limit.Writer(ctx, &countingWriter{p, p.t}), download)
	if checkpointErr := p.checkpoint(); err == nil {
		err = checkpointErr // after a failure it is best effort
	}
	if err != nil {
		return err
	}
	return p.verify(download)
}

// Write implements io.Writer.
func (p *partial) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	_, _ = p.hash.Write(b[:n]) // never fails
	if p.since += int64(n); err == nil && p.since >= checkpointSize {
		err = p.checkpoint()
	}
	return n, err
}

// checkpoint notes what the partial file has, once that is on disk.
func (p *partial) checkpoint() error {
	if err := p.file.Sync(); err != nil {
		return err
	}
	p.entry.Done += p.since
	p.since = 0
	return p.claim.Save(p.entry)
}

// verify compares the whole file with the checksum in the object's metadata, if there is one. What was downloaded now is
// authentic anyway; what lay on disk since an earlier try need not be.
func (p *partial) verify(download *uplink.Download) error {
	want, known := p.t.hashOf(download)
	if !known || [HashSize]byte(p.hash.Sum(nil)) == want {
		return nil
	}
	return fmt.Errorf("%w: its checksum is %s", errStalePartial, hex.EncodeToString(p.hash.Sum(nil)))
}

func (t *Transfer) hashOf(download *uplink.Download) ([HashSize]byte, bool) {
	if download == nil {
		return [HashSize]byte{}, false
	}
	return Hash(download.Info().Custom)
}

// publish gives the complete file its name.
func (p *partial) publish(info *uplink.Object) error {
	if p.mode != 0 {
		_ = os.Chmod(p.entry.Partial, p.mode) // best effort: not every file system has permissions
	}
	setTime(p.entry.Partial, timeOf(info))
	if err := publish(p.entry.Partial, p.path, p.t.opts.IfAbsent); err != nil {
		return err
	}
	return p.claim.Remove()
}
