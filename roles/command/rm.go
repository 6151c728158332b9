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
first also the object dir. What is deleted cannot be had back.`,
		UsageText: "storj rm sj://photos/cat.jpg\nstorj rm -r --dry-run sj://photos/2025/\nstorj rm -r sj://photos/2025/",
		Flags: append([]cli.Flag{
			recursiveFlag(), dryRunFlag(), quietFlag(),
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "no error for what does not exist"},
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
	if r.c.Bool("recursive") {
		return r.removeAll(ctx, place)
	}
	if r.c.Bool("dry-run") {
		_, err := r.project.Stat(ctx, place.Bucket, place.Key)
		if err == nil {
			r.show(place.Bucket, []string{place.Key}, nil)
		}
		return err
	}
	err := r.project.Delete(ctx, place.Bucket, place.Key)
	if err == nil {
		r.show(place.Bucket, []string{place.Key}, nil)
	}
	return err
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
	} else {
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
		if deleted == nil || deleted[i] {
			place := location.Location{Remote: true, Bucket: bucket, Key: key}
			r.a.printf("delete %s\n", screen.Printable(place.String()))
		}
	}
}
