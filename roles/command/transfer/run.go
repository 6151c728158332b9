package transfer

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"storj/roles/command/location"
	"storj/roles/uplink"
)

// The flow: run plans on the caller's goroutine and hands each item to a worker of one of two groups, waiting while all of
// that group are busy: large items one of Parallel, small ones one of several times as many. Workers tell done, under the
// transfer's lock. The first error that must stop everything cancels the groups' context; run then waits for the workers.

const (
	// smallItem is up to what size an item is small, bytes: it costs round trips rather than bandwidth and memory.
	smallItem = 64 << 10
	// smallFactor is how many small items go where one large one does. Measured: see the package comment of syncer.
	smallFactor = 8
)

// small says whether an item is one of those that many go at once of.
func (i *Item) small() bool {
	switch i.Op {
	case Copy, Move, Delete:
		return true
	}
	return i.Size >= 0 && i.Size <= smallItem
}

// run carries out a plan.
func (t *Transfer) run(ctx context.Context, plan planFunc) error {
	group, groupCtx := errgroup.WithContext(ctx)
	large := make(chan struct{}, t.opts.Parallel) // full while all are busy
	small := large
	if t.opts.Parallel > 1 {
		small = make(chan struct{}, t.opts.Parallel*smallFactor)
	}
	start := func(item Item, err error) error {
		if groupCtx.Err() != nil {
			return context.Cause(groupCtx)
		}
		t.opts.Progress.Expect(item.Size)
		if err != nil {
			return t.done(groupCtx, false, Result{Item: item, Err: err})
		}
		if t.opts.DryRun && !t.opts.IfAbsent { // nothing to wait for: in order
			return t.done(groupCtx, false, t.carryOut(groupCtx, item))
		}
		slots := large
		if item.small() {
			slots = small
		}
		select {
		case slots <- struct{}{}:
		case <-groupCtx.Done():
			return context.Cause(groupCtx)
		}
		group.Go(func() error {
			defer func() { <-slots }()
			return t.done(groupCtx, false, t.carryOut(groupCtx, item))
		})
		return nil
	}
	planErr := plan(groupCtx, start)
	t.opts.Progress.Complete()
	err := group.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	}
	return planErr
}

// runSingle carries out a plan of one item at most, on the caller's goroutine.
func (t *Transfer) runSingle(ctx context.Context, plan planFunc) error {
	t.summary.Single = true
	return plan(ctx, func(item Item, err error) error {
		t.opts.Progress.Expect(item.Size)
		t.opts.Progress.Complete()
		r := Result{Item: item, Err: err}
		if err == nil {
			r = t.carryOut(ctx, item)
		}
		return t.done(ctx, true, r)
	})
}

// carryOut does what an item asks for.
func (t *Transfer) carryOut(ctx context.Context, item Item) Result {
	r := Result{Item: item}
	if item.Op != Delete {
		t.opts.Progress.Begin(item.From.String())
	}
	if t.opts.IfAbsent && !item.To.Std && item.Op != Delete {
		exists, err := t.exists(ctx, item.To)
		if r.Err = err; err != nil || exists {
			return t.left(r)
		}
	}
	if t.opts.DryRun {
		r.Bytes = max(item.Size, 0)
		return r
	}
	switch item.Op {
	case Upload:
		r.Bytes, r.Err = t.upload(ctx, item)
	case Download:
		r.Bytes, r.Err = t.download(ctx, item)
	case Delete:
		r.Err = t.delete(ctx, item)
	default:
		r.Bytes, r.Err = t.copyObject(ctx, item)
	}
	if t.opts.IfAbsent && isExists(r.Err) {
		return t.left(Result{Item: item})
	}
	return r
}

func isExists(err error) bool {
	return errors.Is(err, uplink.ErrObjectExists) || errors.Is(err, ErrExists)
}

// left is the result of an item whose destination is there, and is left as it is.
func (t *Transfer) left(r Result) Result {
	if r.Err == nil && t.summary.Single {
		r.Err = ErrExists
		if r.To.Remote {
			r.Err = uplink.ErrObjectExists
		}
	}
	r.Skipped = r.Err == nil
	return r
}

func (t *Transfer) exists(ctx context.Context, place location.Location) (bool, error) {
	if place.Remote {
		_, err := t.project.Stat(ctx, place.Bucket, place.Key)
		if errors.Is(err, uplink.ErrObjectNotFound) {
			return false, nil
		}
		return err == nil, err
	}
	_, err := os.Lstat(place.Path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// uploadOptions returns how an item is uploaded.
func (t *Transfer) uploadOptions(item Item) *uplink.UploadOptions {
	return &uplink.UploadOptions{
		Expires: t.opts.Expires, Metadata: t.opts.Metadata, Tags: t.opts.Tags, Retention: t.opts.Retention, LegalHold: t.opts.LegalHold,
		IfAbsent: t.opts.IfAbsent, IfRevision: t.opts.IfRevision, ContentSizeHint: max(item.Size, 0),
	}
}

func (t *Transfer) upload(ctx context.Context, item Item) (int64, error) {
	if t.inParts(item) {
		if n, done, err := t.uploadParts(ctx, item); done {
			return n, err
		}
	}
	source, err := t.openSource(ctx, item.From)
	if err != nil {
		return 0, err
	}
	defer source.close()
	upload, err := t.project.Upload(ctx, item.To.Bucket, item.To.Key, t.uploadOptions(item))
	if err != nil {
		return 0, err
	}
	defer upload.Abort(ctx) // after Commit it does nothing
	hash := blake3.New()
	n, err := io.Copy(upload, t.opts.Limit.Reader(ctx, &countingReader{source.r, t, hash}))
	if err != nil {
		return 0, err
	}
	if err := upload.SetMetadata(withFile(t.opts.Metadata, source.modified, hash.Sum(nil))); err != nil {
		return 0, err
	}
	object, err := upload.Commit(ctx)
	if err != nil {
		return 0, err
	}
	if item.Size >= 0 && n != item.Size {
		t.warn("%s changed while it was read: it had %d bytes, %d were stored", item.From, item.Size, n)
	}
	return object.Size, nil
}

// source is what is uploaded.
type source struct {
	r        io.Reader
	modified time.Time // of a file; zero: not known
	close    func()
}

func (t *Transfer) openSource(ctx context.Context, from location.Location) (source, error) {
	if from.Std {
		return source{r: newStdinReader(ctx, t.opts.Stdin), close: func() {}}, nil
	}
	f, err := os.Open(from.Path)
	if err != nil {
		return source{}, err
	}
	s := source{r: f, close: func() { _ = f.Close() }} // read only
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		s.modified = info.ModTime()
	}
	return s, nil
}

func (t *Transfer) download(ctx context.Context, item Item) (n int64, err error) {
	opts := uplink.DownloadOptions{Version: t.opts.Version}
	if r := t.opts.Range; r != nil {
		opts.Offset, opts.Length = r.Offset, r.Length
	}
	download, err := t.project.Download(ctx, item.From.Bucket, item.From.Key, &opts)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, download.Close()) }()
	if _, length := download.Range(); item.Size < 0 {
		t.opts.Progress.Resize(length)
	}
	if t.resumes(item) {
		if n, done, err := t.downloadPartial(ctx, item, download); done {
			return n, err
		}
	}
	fill := func(w io.Writer) error {
		n, err = io.Copy(t.opts.Limit.Writer(ctx, &countingWriter{w, t}), download)
		return err
	}
	if item.To.Std {
		err = fill(t.opts.Stdout)
		return n, err
	}
	file := fileOptions{makeDirs: item.MakeDirs, ifAbsent: t.opts.IfAbsent, root: item.Root}
	if t.opts.Range == nil {
		file.modified = timeOf(download.Info())
	}
	err = writeFile(item.To.Path, file, fill)
	return n, err
}

// timeOf returns the time that a file gets which an object is downloaded to.
func timeOf(object *uplink.Object) time.Time {
	if modified, ok := Modified(object.Custom); ok {
		return modified
	}
	return object.Created
}

// delete deletes what item.To is. What is gone already is no error.
func (t *Transfer) delete(ctx context.Context, item Item) error {
	if item.To.Remote {
		err := t.project.Delete(ctx, item.To.Bucket, item.To.Key)
		if errors.Is(err, uplink.ErrObjectNotFound) {
			return nil
		}
		return err
	}
	if err := os.Remove(item.To.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for dir := filepath.Dir(item.To.Path); len(dir) > len(filepath.Clean(item.Root)) && item.Root != ""; dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			break // something is in it
		}
	}
	return nil
}

func (t *Transfer) copyObject(ctx context.Context, item Item) (int64, error) {
	do := t.project.Copy
	if item.Op == Move {
		do = t.project.Move
	}
	from, to := item.From, item.To
	object, err := do(ctx, from.Bucket, from.Key, to.Bucket, to.Key, &uplink.CopyOptions{
		Version: t.opts.Version, IfAbsent: t.opts.IfAbsent, IfRevision: t.opts.IfRevision, Retention: t.opts.Retention, LegalHold: t.opts.LegalHold,
	})
	if err != nil {
		return 0, err
	}
	t.opts.Progress.Add(object.Size)
	return object.Size, nil
}

// countingReader counts what is read for progress, and adds it to a checksum.
type countingReader struct {
	r    io.Reader
	t    *Transfer
	hash io.Writer
}

// Read implements io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.t.opts.Progress.Add(int64(n))
	_, _ = c.hash.Write(p[:n]) // never fails
	return n, err
}

type countingWriter struct {
	w io.Writer
	t *Transfer
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.t.opts.Progress.Add(int64(n))
	return n, err
}
