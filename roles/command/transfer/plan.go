package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"storj/roles/command/location"
	"storj/roles/uplink"
)

// plan turns places into items.
type plan struct {
	t       *Transfer
	sources []location.Location
	dest    location.Location
	destDir bool // dest is a place for several items
	single  bool // one item at most comes of it
}

// planFunc makes items until emit returns an error.
type planFunc func(ctx context.Context, out emit) error

// emit takes the next item, or the error of a source that cannot be read. It returns an error to stop the plan.
type emit func(item Item, err error) error

func (t *Transfer) newPlan(sources []location.Location, dest location.Location) (*plan, error) {
	p := &plan{t: t, sources: sources, dest: dest, single: len(sources) == 1 && !t.opts.Recursive}
	switch {
	case len(sources) == 0:
		return nil, fmt.Errorf("%w: no source", ErrPlace)
	case dest.Remote && dest.Bucket == "":
		return nil, fmt.Errorf("%w: %s names no bucket", ErrPlace, dest)
	case dest.Std && !p.single:
		return nil, fmt.Errorf("%w: only one object at a time goes to standard output", ErrPlace)
	case dest.Remote:
		p.destDir = dest.IsPrefix()
	case dest.IsLocal():
		info, err := os.Stat(dest.Path)
		p.destDir = err == nil && info.IsDir() || endsInSeparator(dest.Path)
		if err == nil && !info.IsDir() && (len(sources) > 1 || p.destDir) {
			return nil, fmt.Errorf("%w: %s is a file, not a directory", ErrPlace, dest.Path)
		}
		p.destDir = p.destDir || len(sources) > 1
	}
	if len(sources) > 1 && !p.destDir {
		return nil, fmt.Errorf("%w: several sources need a place for several, such as %s/", ErrPlace, dest)
	}
	for _, source := range sources {
		if err := p.check(source); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func endsInSeparator(path string) bool {
	return path != "" && os.IsPathSeparator(path[len(path)-1])
}

// check says whether a source goes together with the destination, as far as their form tells.
func (p *plan) check(source location.Location) error {
	opts := &p.t.opts
	switch {
	case source.Remote && source.Bucket == "":
		return fmt.Errorf("%w: %s names no bucket", ErrPlace, source)
	case !source.Remote && !p.dest.Remote:
		return fmt.Errorf("%w: neither %s nor %s is an sj:// place", ErrPlace, source, p.dest)
	case source.Std && p.destDir:
		return fmt.Errorf("%w: standard input has no name: name the object, as in %s/NAME", ErrPlace, strings.TrimSuffix(p.dest.String(), "/"))
	case opts.Move && !(source.Remote && p.dest.Remote):
		return fmt.Errorf("%w: only from one sj:// place to another can objects be moved", ErrPlace)
	case source.Remote && source.IsPrefix() && !opts.Recursive:
		return fmt.Errorf("%w: %s %w", ErrPlace, source, ErrIsDirectory)
	case opts.Range != nil && !(source.Remote && !p.dest.Remote && p.single):
		return fmt.Errorf("%w: a range is of one object that is downloaded", ErrPlace)
	case source.Remote && (!opts.Expires.IsZero() || opts.Metadata != nil || opts.Tags != nil):
		return fmt.Errorf("%w: expiry, metadata and tags can be given to uploads only", ErrPlace)
	case opts.Version != "" && !(source.Remote && p.single):
		return fmt.Errorf("%w: a version is of one object that is copied from", ErrPlace)
	case opts.IfRevision != "" && !(p.dest.Remote && p.single):
		return fmt.Errorf("%w: a revision is of one object that is replaced", ErrPlace)
	case !p.dest.Remote && (opts.LegalHold || opts.Retention.Mode != uplink.NoRetention):
		return fmt.Errorf("%w: only what is stored can be locked", ErrPlace)
	case source.Remote && source == p.dest:
		return fmt.Errorf("%w: source and destination are the same", ErrPlace)
	}
	return nil
}

// overlaps says whether the plan would find what the transfer makes.
func (p *plan) overlaps() bool {
	for _, source := range p.sources {
		if p.t.opts.Recursive && (source.Contains(p.dest) || p.dest.Contains(source)) {
			return true
		}
	}
	return false
}

// whole returns the plan as it is to be run: to its end first if it would find what the transfer makes.
func (p *plan) whole() planFunc {
	if !p.overlaps() {
		return p.run
	}
	return func(ctx context.Context, out emit) error {
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
			if err := out(one.item, one.err); err != nil {
				return err
			}
		}
		return err
	}
}

// run makes the items, one source after another.
func (p *plan) run(ctx context.Context, out emit) error {
	for _, source := range p.sources {
		var err error
		switch {
		case source.Remote:
			err = p.remote(ctx, source, out)
		case source.Std:
			err = out(Item{Op: Upload, From: source, To: p.dest, Size: -1}, nil)
		default:
			err = p.local(ctx, source, out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// root returns where the content of a directory or prefix goes to, whose own name is base.
func (p *plan) root(base string) location.Location {
	root := p.dest.Dir()
	if len(p.sources) == 1 || base == "" {
		return root
	}
	return root.Join(base).Dir()
}

// target returns where a single file or object goes to, whose own name is base.
func (p *plan) target(base string) (location.Location, error) {
	if !p.destDir {
		return p.dest, nil
	}
	if p.dest.Remote {
		return p.dest.Dir().Join(base), nil
	}
	name, err := location.LocalName(base)
	return p.dest.Join(name), err
}

// local makes the items of a path.
func (p *plan) local(ctx context.Context, source location.Location, out emit) error {
	info, err := os.Stat(source.Path)
	switch {
	case err != nil:
		return out(Item{Op: Upload, From: source, To: p.dest}, err)
	case info.IsDir() && !p.t.opts.Recursive:
		return out(Item{Op: Upload, From: source, To: p.dest}, ErrIsDirectory)
	case info.IsDir():
		return p.walk(ctx, source, out)
	}
	size := int64(-1)
	if info.Mode().IsRegular() {
		size = info.Size()
	}
	to, err := p.target(source.Base())
	return out(Item{Op: Upload, From: source, To: to, Size: size}, err)
}

// walk makes the items of a directory. The directory may be reached by a symbolic link; those inside are not entered.
func (p *plan) walk(ctx context.Context, source location.Location, out emit) error {
	absolute, err := filepath.Abs(source.Path)
	if err == nil {
		absolute, err = filepath.EvalSymlinks(absolute)
	}
	if err != nil {
		return out(Item{Op: Upload, From: source, To: p.dest}, err)
	}
	root := p.root(location.Location{Path: absolute}.Base())
	return filepath.WalkDir(absolute, func(path string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rel, relErr := filepath.Rel(absolute, path)
		if err = errors.Join(err, relErr); err == nil && entry.IsDir() {
			return nil
		}
		from := location.Location{Path: filepath.Join(source.Path, rel)}
		item := Item{Op: Upload, From: from, To: root.Join(filepath.ToSlash(rel))}
		if err != nil {
			return out(item, err) // of a directory: what is in it is left out
		}
		return p.entry(item, path, entry, out)
	})
}

// entry makes the item of a directory's entry that is no directory.
func (p *plan) entry(item Item, path string, entry fs.DirEntry, out emit) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return out(item, err)
	case info.IsDir():
		p.t.warn("skipped %s: a symbolic link to a directory", item.From.Path)
		return nil
	case !info.Mode().IsRegular():
		p.t.warn("skipped %s: neither a file nor a directory", item.From.Path)
		return nil
	case IsTemp(entry.Name()):
		p.t.warn("skipped %s: an unfinished download", item.From.Path)
		return nil
	}
	item.Size = info.Size()
	return out(item, nil)
}

// remote makes the items of an object or prefix.
func (p *plan) remote(ctx context.Context, source location.Location, out emit) error {
	if source.IsPrefix() {
		return p.list(ctx, source, source.Key != "", out)
	}
	item := Item{Op: p.remoteOp(), From: source, Size: -1, MakeDirs: p.destDir}
	to, err := p.target(source.Base())
	if item.To = to; err != nil {
		return out(item, err)
	}
	if !p.t.opts.Recursive {
		return out(item, nil)
	}
	object, err := p.t.project.Stat(ctx, source.Bucket, source.Key)
	switch {
	case errors.Is(err, uplink.ErrObjectNotFound):
		return p.list(ctx, source, true, out)
	case err != nil:
		return out(item, err)
	}
	item.Size = object.Size
	if err := out(item, nil); err != nil {
		return err
	}
	return p.list(ctx, source, false, out)
}

func (p *plan) remoteOp() Op {
	switch {
	case !p.dest.Remote:
		return Download
	case p.t.opts.Move:
		return Move
	}
	return Copy
}

// list makes the items of all objects under a prefix. If there must be some, it is an error that there are none.
func (p *plan) list(ctx context.Context, source location.Location, must bool, out emit) error {
	prefix := source.Dir()
	root, err := p.listRoot(prefix)
	if err != nil {
		return out(Item{Op: p.remoteOp(), From: source, To: p.dest}, err)
	}
	found := 0
	it := p.t.project.List(ctx, prefix.Bucket, &uplink.ListOptions{Prefix: prefix.Key, Recursive: true})
	for it.Next() {
		found++
		object := it.Item()
		item := Item{
			Op: p.remoteOp(), From: location.Location{Remote: true, Bucket: prefix.Bucket, Key: object.Key},
			To: p.dest, Size: object.Size, MakeDirs: true,
		}
		to, err := p.place(root, strings.TrimPrefix(object.Key, prefix.Key))
		if err == nil {
			item.To = to
		}
		if err := out(item, err); err != nil {
			return err
		}
	}
	p.t.hide(it.Hidden())
	if it.Err() != nil {
		return out(Item{Op: p.remoteOp(), From: source, To: p.dest}, it.Err())
	}
	if found == 0 && it.Hidden() == 0 && must {
		return out(Item{Op: p.remoteOp(), From: source, To: p.dest}, fmt.Errorf("%w: nothing under %s", uplink.ErrObjectNotFound, prefix))
	}
	return nil
}

// listRoot returns where the objects under a prefix go to.
func (p *plan) listRoot(prefix location.Location) (location.Location, error) {
	base := strings.TrimSuffix(prefix.Key, "/")
	if base = base[strings.LastIndexByte(base, '/')+1:]; base == "" {
		base = prefix.Bucket
	}
	if !p.dest.Remote && len(p.sources) > 1 {
		if _, err := location.LocalName(base); err != nil {
			return location.Location{}, err
		}
	}
	return p.root(base), nil
}

// place returns where an object goes to whose key has the rest rel behind the prefix.
func (p *plan) place(root location.Location, rel string) (location.Location, error) {
	if p.dest.Remote {
		return root.Join(rel), nil
	}
	name, err := location.LocalName(rel)
	return root.Join(name), err
}

func (t *Transfer) hide(names int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.summary.Hidden += names
}
