package command

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"storj/roles/command/location"
	"storj/roles/command/screen"
	"storj/roles/uplink"
)

func (a *app) rmCommand() *cli.Command {
	return &cli.Command{
		Name: "rm", Usage: "delete objects", ArgsUsage: "sj://BUCKET/KEY...", Category: categoryObjects,
		Description: `With -r all objects under a prefix: sj://b/dir and sj://b/dir/ both mean what lies under dir/, and the
first also the object dir. The satellite does it by itself once it is asked; of a whole bucket, or with --list, this
command deletes by name what it can see, and says so.

In a bucket with versioning objects are hidden by a delete marker, and storj restore brings them back; --version and
--all-versions delete for good. Elsewhere what is deleted cannot be had back.`,
		UsageText: `storj rm sj://photos/cat.jpg
storj rm -r --dry-run sj://photos/2025/
storj rm -r sj://photos/2025/
storj rm -r --all-versions sj://photos/2025/`,
		Flags: append([]cli.Flag{
			recursiveFlag(), dryRunFlag(), quietFlag(), jsonOutput(), progressFlag(),
			&cli.BoolFlag{Name: "list", Aliases: []string{"v"}, Usage: "with -r: list the objects, delete them by name, and say which"},
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "no error for what does not exist"},
			versionFlag(),
			&cli.BoolFlag{Name: "all-versions", Usage: "delete all versions, for good"},
			bypassFlag(),
		}, clientFlags("parallel")...),
		Action: a.rmAction,
	}
}

func (a *app) rmAction(c *cli.Context) error {
	places, err := remoteArguments(c, 1, -1)
	if err != nil {
		return err
	}
	for _, place := range places {
		if place.Bucket == "" || place.Key == "" && !c.Bool("recursive") {
			return usageErrorf("%s is not an object: write sj://BUCKET/KEY, or give -r for all that is in the bucket", place)
		}
	}
	if c.String("version") != "" && (len(places) > 1 || c.Bool("recursive") || c.Bool("all-versions")) {
		return usageError("--version is of one object, and excludes -r and --all-versions")
	}
	client, err := a.client(c)
	if err != nil {
		return err
	}
	return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
		r := &remover{a: a, c: c, project: p, parallel: client.Parallel}
		return a.each(ctx, "item", places, func(place location.Location) error {
			err := r.remove(ctx, place)
			if c.Bool("force") && isNotFound(err) {
				return nil
			}
			return err
		})
	})
}

// remover deletes objects and says which.
type remover struct {
	a        *app
	c        *cli.Context
	project  *uplink.Project
	parallel int

	mu sync.Mutex // guards what is printed
}

func (r *remover) remove(ctx context.Context, place location.Location) error {
	switch c := r.c; {
	case c.Bool("recursive") && place.Dir().Key != "" && !c.Bool("dry-run") && !c.Bool("list"):
		return r.removeByJob(ctx, place)
	case c.Bool("all-versions"):
		return r.removeVersions(ctx, place)
	case c.Bool("recursive"):
		return r.removeAll(ctx, place)
	}
	opts := &uplink.DeleteOptions{Version: r.c.String("version"), BypassGovernance: r.c.Bool("bypass-governance")}
	if r.c.Bool("dry-run") {
		_, err := r.project.StatVersion(ctx, place.Bucket, place.Key, opts.Version)
		if err == nil || opts.Version != "" && errors.Is(err, uplink.ErrDeleteMarker) {
			r.show(place.Bucket, []string{place.Key}, nil)
			return nil
		}
		return err
	}
	if opts.Version == "" {
		if err := r.absent(ctx, place); err != nil {
			return err
		}
	}
	_, err := r.project.DeleteObject(ctx, place.Bucket, place.Key, opts)
	if err == nil {
		r.show(place.Bucket, []string{place.Key}, nil)
	}
	return err
}

// absent returns the error of an object that is not there: in a bucket with versioning, deleting it would be no error, and
// leave a delete marker that hides nothing. Who may not look is not kept from deleting.
func (r *remover) absent(ctx context.Context, place location.Location) error {
	_, err := r.project.Stat(ctx, place.Bucket, place.Key)
	if errors.Is(err, uplink.ErrObjectNotFound) {
		return err
	}
	return nil
}

// removeByJob has the satellite delete what lies under a place.
func (r *remover) removeByJob(ctx context.Context, place location.Location) error {
	var exact int64
	if !r.c.Bool("all-versions") {
		var err error
		if exact, err = r.removeExact(ctx, place); err != nil {
			return err
		}
	} else if !place.IsPrefix() {
		if err := r.removeVersions(ctx, place); err != nil && !isNotFound(err) {
			return err
		} else if err == nil {
			exact = 1
		}
	}
	prefix := place.Dir()
	job, err := r.project.DeletePrefix(ctx, prefix.Bucket, prefix.Key, &uplink.DeletePrefixOptions{
		AllVersions: r.c.Bool("all-versions"), BypassGovernance: r.c.Bool("bypass-governance"),
	})
	if err != nil {
		return err
	}
	done, err := r.a.watchDeletion(ctx, r.c, r.project, job)
	if err != nil {
		return err
	}
	switch {
	case exact == 0 && done.Objects == 0 && done.Kept == 0:
		return fmt.Errorf("%w: nothing lies under it", errMissing)
	case r.c.Bool("quiet"):
	case r.c.Bool(jsonFlag):
		return r.a.printJSON(removedLine{Place: prefix.String(), Objects: done.Objects, Bytes: done.Bytes, Kept: done.Kept})
	default:
		r.a.printf("deleted %s, %s under %s\n", screen.Plural(done.Objects, "object"), screen.Bytes(done.Bytes), screen.Printable(prefix.String()))
	}
	return nil
}

// removedLine is what --json prints for an object or prefix that was deleted.
type removedLine struct {
	Place   string `json:"place"`
	Version string `json:"version,omitempty"`
	Objects int64  `json:"objects,omitempty"`
	Bytes   int64  `json:"bytes,omitempty"`
	Kept    int64  `json:"kept,omitempty"` // since they are locked
	DryRun  bool   `json:"dry_run,omitempty"`
}

// watchDeletion waits for a deletion that the satellite does, with progress on a terminal. When ctx ends the satellite
// goes on.
func (a *app) watchDeletion(ctx context.Context, c *cli.Context, p *uplink.Project, job *uplink.Deletion) (*uplink.Deletion, error) {
	shows := a.env.Terminal.Stderr && c.Bool("progress") && !c.Bool("quiet")
	done, err := p.WaitDeletion(ctx, job.ID, func(d *uplink.Deletion) {
		if shows {
			_, _ = fmt.Fprintf(a.env.Stderr, "\r\x1b[K%s deleted", screen.Plural(d.Objects, "object")) // decoration
		}
	})
	if shows {
		_, _ = fmt.Fprint(a.env.Stderr, "\r\x1b[K")
	}
	if ctx.Err() != nil {
		a.errorLine("the satellite goes on with the deletion")
	}
	if errors.Is(err, uplink.ErrObjectLocked) && done != nil {
		return done, fmt.Errorf("%s deleted, %s kept: %w", screen.Plural(done.Objects, "object"), screen.Plural(done.Kept, "object"), err)
	}
	return done, err
}

// removeVersions deletes all versions of an object for good, or with -r those of all objects under a prefix, by name.
func (r *remover) removeVersions(ctx context.Context, place location.Location) error {
	opts := &uplink.ListVersionsOptions{Key: place.Key}
	if r.c.Bool("recursive") {
		opts = &uplink.ListVersionsOptions{Prefix: place.Dir().Key, Recursive: true}
	}
	it := r.project.ListVersions(ctx, place.Bucket, opts)
	tally := newTally("version")
	var batch []uplink.DeleteItem
	send := func() error {
		items := batch
		batch = nil
		return r.removeItems(ctx, place.Bucket, items, tally)
	}
	for it.Next() {
		o := it.Item()
		if batch = append(batch, uplink.DeleteItem{Key: o.Key, Version: o.Version}); len(batch) == batchKeys {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(it.Err(), send()); err != nil {
		return err
	}
	if tally.all == 0 && it.Hidden() == 0 && place.Key != "" {
		return uplink.ErrObjectNotFound
	}
	return tally.result(r.a.hiddenNames(it.Hidden(), tally.all))
}

func (r *remover) removeItems(ctx context.Context, bucket string, items []uplink.DeleteItem, tally *tally) error {
	if r.c.Bool("dry-run") {
		for _, item := range items {
			tally.count(nil)
			r.showItem(bucket, item)
		}
		return nil
	}
	if len(items) == 0 {
		return nil
	}
	results, err := r.project.DeleteItems(ctx, bucket, items, &uplink.DeleteItemsOptions{BypassGovernance: r.c.Bool("bypass-governance")})
	for i, result := range results {
		if tally.count(result.Err); result.Err != nil {
			r.a.showError(at(location.Location{Remote: true, Bucket: bucket, Key: items[i].Key}, result.Err))
			continue
		}
		r.showItem(bucket, items[i])
	}
	return err
}

func (r *remover) showItem(bucket string, item uplink.DeleteItem) {
	place := location.Location{Remote: true, Bucket: bucket, Key: item.Key}
	switch {
	case r.c.Bool("quiet"):
	case r.c.Bool(jsonFlag):
		_ = r.a.printJSON(removedLine{Place: place.String(), Version: item.Version, DryRun: r.c.Bool("dry-run")}) // an error comes again
	default:
		r.a.printf("delete %s  %s\n", screen.Printable(place.String()), r.a.style.Dim(item.Version))
	}
}

// batchKeys is how many objects one call deletes: what a listing's page holds.
const batchKeys = 1000

// removeAll deletes what lies under a place, in batches, several at once.
func (r *remover) removeAll(ctx context.Context, place location.Location) error {
	found, err := r.removeExact(ctx, place)
	if err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(r.parallel)
	it := r.project.List(groupCtx, place.Bucket, &uplink.ListOptions{Prefix: place.Dir().Key, Recursive: true})
	var batch []string
	send := func() {
		keys := batch
		batch = nil
		group.Go(func() error { return r.removeBatch(groupCtx, place.Bucket, keys) })
	}
	for it.Next() {
		found++
		if batch = append(batch, it.Item().Key); len(batch) == batchKeys {
			send()
		}
	}
	if len(batch) > 0 {
		send()
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if it.Err() != nil {
		return it.Err()
	}
	if found == 0 && it.Hidden() == 0 && place.Key != "" {
		return fmt.Errorf("%w: nothing lies under it", errMissing)
	}
	return r.a.hiddenNames(it.Hidden(), found)
}

// removeExact deletes the object whose key the place is, if it could be one and is.
func (r *remover) removeExact(ctx context.Context, place location.Location) (found int64, err error) {
	if place.IsPrefix() {
		return 0, nil
	}
	if r.c.Bool("dry-run") {
		_, err = r.project.Stat(ctx, place.Bucket, place.Key)
	} else if err = r.absent(ctx, place); err == nil {
		err = r.project.Delete(ctx, place.Bucket, place.Key)
	}
	if errors.Is(err, uplink.ErrObjectNotFound) {
		return 0, nil
	}
	if err == nil {
		r.show(place.Bucket, []string{place.Key}, nil)
	}
	return 1, err
}

func (r *remover) removeBatch(ctx context.Context, bucket string, keys []string) error {
	if r.c.Bool("dry-run") {
		r.show(bucket, keys, nil)
		return nil
	}
	deleted, err := r.project.DeleteMany(ctx, bucket, keys)
	r.show(bucket, keys[:len(deleted)], deleted)
	return err
}

// show prints the objects that were deleted; nil is all of them.
func (r *remover) show(bucket string, keys []string, deleted []bool) {
	if r.c.Bool("quiet") {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, key := range keys {
		if deleted != nil && !deleted[i] {
			continue
		}
		place := location.Location{Remote: true, Bucket: bucket, Key: key}
		if r.c.Bool(jsonFlag) {
			_ = r.a.printJSON(removedLine{Place: place.String(), Version: r.c.String("version"), DryRun: r.c.Bool("dry-run")}) // an error comes again
			continue
		}
		r.a.printf("delete %s\n", screen.Printable(place.String()))
	}
}
