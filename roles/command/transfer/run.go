package transfer

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"storj/roles/command/location"
	"storj/roles/uplink"
)

// The flow: run plans on the caller's goroutine and hands each item to a worker of a group of Parallel, waiting while all
// are busy. Workers tell done, under the transfer's lock. The first error that must stop everything cancels the group's
// context; run then waits for the workers.

// run carries out the plan.
func (t *Transfer) run(ctx context.Context, p *plan) error {
	if p.single {
		return t.runSingle(ctx, p)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(t.opts.Parallel)
	start := func(item Item, err error) error {
		if groupCtx.Err() != nil {
			return context.Cause(groupCtx)
		}
		t.opts.Progress.Expect(item.Size)
		if err != nil {
			return t.done(groupCtx, false, Result{Item: item, Err: err})
		}
		group.Go(func() error { return t.done(groupCtx, false, t.carryOut(groupCtx, item)) })
		return nil
	}
	planErr := t.plan(groupCtx, p, start)
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

// plan runs the plan, to its end first if it would find what the transfer makes.
func (t *Transfer) plan(ctx context.Context, p *plan, start emit) error {
	if !p.overlaps() {
		return p.run(ctx, start)
	}
	type planned struct {
		item Item
		err  error
	}
	var all []planned
	err := p.run(ctx, func(item Item, err error) error {
		all = append(all, planned{item, err})
		return nil
	})
	for _, one := range all {
		if err := start(one.item, one.err); err != nil {
			return err
		}
	}
	return err
}

// runSingle carries out a plan of one item at most, on the caller's goroutine.
func (t *Transfer) runSingle(ctx context.Context, p *plan) error {
	t.summary.Single = true
	return p.run(ctx, func(item Item, err error) error {
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
	t.opts.Progress.Begin(item.From.String())
	if t.opts.IfAbsent && !item.To.Std {
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

func (t *Transfer) upload(ctx context.Context, item Item) (int64, error) {
	source, closeSource, err := t.openSource(ctx, item.From)
	if err != nil {
		return 0, err
	}
	defer closeSource()
	upload, err := t.project.Upload(ctx, item.To.Bucket, item.To.Key, &uplink.UploadOptions{
		Expires: t.opts.Expires, Metadata: t.opts.Metadata, IfAbsent: t.opts.IfAbsent, ContentSizeHint: max(item.Size, 0),
	})
	if err != nil {
		return 0, err
	}
	defer upload.Abort(ctx) // after Commit it does nothing
	n, err := io.Copy(upload, &countingReader{source, t})
	if err != nil {
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

// openSource opens what is uploaded.
func (t *Transfer) openSource(ctx context.Context, from location.Location) (io.Reader, func(), error) {
	if from.Std {
		return newStdinReader(ctx, t.opts.Stdin), func() {}, nil
	}
	f, err := os.Open(from.Path)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { _ = f.Close() }, nil // read only
}

func (t *Transfer) download(ctx context.Context, item Item) (n int64, err error) {
	var opts uplink.DownloadOptions
	if r := t.opts.Range; r != nil {
		opts = uplink.DownloadOptions{Offset: r.Offset, Length: r.Length}
	}
	download, err := t.project.Download(ctx, item.From.Bucket, item.From.Key, &opts)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, download.Close()) }()
	if _, length := download.Range(); item.Size < 0 {
		t.opts.Progress.Resize(length)
	}
	fill := func(w io.Writer) error {
		n, err = io.Copy(&countingWriter{w, t}, download)
		return err
	}
	if item.To.Std {
		err = fill(t.opts.Stdout)
	} else {
		err = writeFile(item.To.Path, fileOptions{makeDirs: item.makeDirs, ifAbsent: t.opts.IfAbsent}, fill)
	}
	return n, err
}

func (t *Transfer) copyObject(ctx context.Context, item Item) (int64, error) {
	do := t.project.Copy
	if item.Op == Move {
		do = t.project.Move
	}
	from, to := item.From, item.To
	object, err := do(ctx, from.Bucket, from.Key, to.Bucket, to.Key, &uplink.CopyOptions{IfAbsent: t.opts.IfAbsent})
	if err != nil {
		return 0, err
	}
	t.opts.Progress.Add(object.Size)
	return object.Size, nil
}

type countingReader struct {
	r io.Reader
	t *Transfer
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.t.opts.Progress.Add(int64(n))
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
