package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/roles/command/location"
	"storj/roles/command/screen"
	"storj/roles/uplink"
)

func (a *app) versionsCommand() *cli.Command {
	return &cli.Command{
		Name: "versions", Usage: "list the versions of objects", ArgsUsage: "sj://BUCKET/KEY | sj://BUCKET/PREFIX/", Category: categoryObjects,
		Description: `Of a bucket with versioning (storj bucket versioning), all that was ever written and not deleted for good: the newest
of each object first. "deleted" is a delete marker: it hides the versions below it. The version is what --version
of cp, cat, stat, rm, lock and restore wants.`,
		UsageText: "storj versions sj://photos/cat.jpg\nstorj versions -r --json sj://photos/2026/",
		Flags: []cli.Flag{
			recursiveFlag(), jsonOutput(),
			&cli.BoolFlag{Name: "bytes", Aliases: []string{"b"}, Usage: "sizes in bytes"},
			&cli.BoolFlag{Name: "utc", Usage: "times in UTC, as RFC 3339"},
		},
		Action: func(c *cli.Context) error {
			places, err := remoteArguments(c, 1, 1)
			if err != nil {
				return err
			}
			if places[0].Bucket == "" {
				return usageError("name a bucket: storj versions sj://BUCKET/KEY")
			}
			return a.withProject(c, func(ctx context.Context, p *uplink.Project) error { return a.versions(ctx, c, p, places[0]) })
		},
	}
}

// versionFlag names one version of an object.
func versionFlag() cli.Flag {
	return &cli.StringFlag{Name: "version", Aliases: []string{"version-id"}, Usage: "the `VERSION` that storj versions shows, instead of the latest"}
}

func (a *app) versions(ctx context.Context, c *cli.Context, p *uplink.Project, place location.Location) error {
	opts := &uplink.ListVersionsOptions{Prefix: place.Key, Recursive: c.Bool("recursive"), Custom: c.Bool(jsonFlag)}
	if !place.IsPrefix() && !opts.Recursive {
		opts.Prefix, opts.Key = "", place.Key
	}
	it := p.ListVersions(ctx, place.Bucket, opts)
	var kept []*uplink.Object
	var seen int64
	show := func() error {
		// versions of a key stay in their order
		slices.SortStableFunc(kept, func(x, y *uplink.Object) int { return cmp.Compare(x.Key, y.Key) })
		for _, o := range kept {
			if err := a.showVersion(c, place, o); err != nil {
				return err
			}
		}
		kept = kept[:0]
		return nil
	}
	for it.Next() {
		seen++
		if kept = append(kept, it.Item()); seen > sortedNames {
			if err := show(); err != nil {
				return err
			}
		}
	}
	if it.Err() != nil {
		return at(place, it.Err())
	}
	if err := show(); err != nil {
		return err
	}
	if seen == 0 && it.Hidden() == 0 && opts.Key != "" {
		return at(place, uplink.ErrObjectNotFound)
	}
	return a.hiddenNames(it.Hidden(), seen)
}

// versionLine is what --json prints for a version.
type versionLine struct {
	objectLine
	Latest bool `json:"latest,omitempty"`
	Marker bool `json:"delete_marker,omitempty"`
}

func (a *app) showVersion(c *cli.Context, place location.Location, o *uplink.Object) error {
	if c.Bool(jsonFlag) {
		line := versionLine{newObjectLine(o), o.IsLatest, o.IsDeleteMarker}
		line.Version = o.Version // also the one that every object has
		if o.IsDeleteMarker {
			line.Size = nil
		}
		return a.printJSON(line)
	}
	name := strings.TrimPrefix(o.Key, place.Key[:strings.LastIndexByte(place.Key, '/')+1])
	if o.IsPrefix {
		a.printf("%s\n", a.objectRow(c, o, name))
		return nil
	}
	size := a.size(c, o.Size)
	if o.IsDeleteMarker {
		size = "deleted"
	}
	a.printf("%s  %*s  %s  %s%s\n", a.date(c, o.Created), a.sizeWidth(c, 8), size, o.Version, screen.Printable(name), a.style.Dim(versionMarks(o)))
	return nil
}

func versionMarks(o *uplink.Object) string {
	var marks []string
	if o.IsLatest {
		marks = append(marks, "latest")
	}
	if o.Retention.Mode != uplink.NoRetention {
		marks = append(marks, fmt.Sprintf("%s until %s", o.Retention.Mode, screen.Instant(o.Retention.Until)))
	}
	if o.LegalHold {
		marks = append(marks, "legal hold")
	}
	if marks == nil {
		return ""
	}
	return "  (" + strings.Join(marks, ", ") + ")"
}

func (a *app) restoreCommand() *cli.Command {
	return &cli.Command{
		Name: "restore", Usage: "bring back older versions of objects", ArgsUsage: "sj://BUCKET/KEY | -r sj://BUCKET/PREFIX/", Category: categoryObjects,
		Description: `A copy of the older version is put on top of the others, which all stay; nothing is moved through this machine.
Without --version and --at, what was deleted is undeleted: the newest version below the delete marker. --at takes the
version that was the latest at that time; objects that were not there then stay as they are.`,
		UsageText: `storj restore sj://photos/cat.jpg
storj restore --version 1792f0a3b5c1e sj://photos/cat.jpg
storj restore -r --at 2d --dry-run sj://photos/2026/   # as it was two days ago`,
		Flags: []cli.Flag{
			recursiveFlag(), dryRunFlag(), jsonOutput(), versionFlag(),
			&cli.StringFlag{Name: "at", Usage: "as it was at `TIME`: 2d is two days ago; or 2026-01-31, or RFC 3339"},
		},
		Action: a.restoreAction,
	}
}

func (a *app) restoreAction(c *cli.Context) error {
	places, err := remoteArguments(c, 1, 1)
	if err != nil {
		return err
	}
	place, recursive, version := places[0], c.Bool("recursive"), c.String("version")
	moment, err := parsePast(c.String("at"), time.Now())
	switch {
	case err != nil:
		return err
	case place.Bucket == "" || place.Key == "" && !recursive:
		return usageErrorf("%s is not an object: write sj://BUCKET/KEY, or give -r", place)
	case version != "" && (recursive || !moment.IsZero()):
		return usageError("--version is of one object, and excludes -r and --at")
	}
	return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
		r := &restorer{app: a, c: c, project: p, bucket: place.Bucket, at: moment, tally: newTally("object")}
		if version != "" {
			return at(place, r.restore(ctx, place.Key, version))
		}
		return r.run(ctx, place, recursive)
	})
}

// restorer brings back objects of a bucket.
type restorer struct {
	*app
	c       *cli.Context
	project *uplink.Project
	bucket  string
	at      time.Time // zero: undelete
	tally   *tally
}

// run goes through the versions of what is meant, newest first for each key.
func (r *restorer) run(ctx context.Context, place location.Location, recursive bool) error {
	opts := &uplink.ListVersionsOptions{Key: place.Key}
	if recursive {
		opts = &uplink.ListVersionsOptions{Prefix: place.Dir().Key, Recursive: true}
	}
	it := r.project.ListVersions(ctx, place.Bucket, opts)
	var versions []*uplink.Object // of one key
	var seen int64
	decide := func() error {
		if len(versions) == 0 {
			return nil
		}
		chosen := r.choose(versions)
		versions = versions[:0]
		if chosen == nil {
			return nil
		}
		err := r.restore(ctx, chosen.Key, chosen.Version)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if r.tally.count(err); err != nil {
			r.showError(at(location.Location{Remote: true, Bucket: r.bucket, Key: chosen.Key}, err))
		}
		return nil
	}
	for it.Next() {
		o := it.Item()
		seen++
		if len(versions) > 0 && versions[0].Key != o.Key {
			if err := decide(); err != nil {
				return err
			}
		}
		versions = append(versions, o)
	}
	if it.Err() != nil {
		return at(place, it.Err())
	}
	if err := decide(); err != nil {
		return err
	}
	if seen == 0 && it.Hidden() == 0 {
		return at(place, uplink.ErrObjectNotFound)
	}
	if r.tally.all == 0 && !recursive {
		return at(place, errNothingToRestore)
	}
	return r.tally.result(r.hiddenNames(it.Hidden(), seen))
}

// errNothingToRestore is returned for an object that is as it is to be.
var errNothingToRestore = errors.New("nothing to restore: it is not deleted, or was not there at that time, or is as it was")

// choose returns the version that is to be on top, or nil when it is, or none was. Shape: newest first, not empty.
func (r *restorer) choose(versions []*uplink.Object) *uplink.Object {
	if r.at.IsZero() {
		if !versions[0].IsDeleteMarker {
			return nil
		}
		i := slices.IndexFunc(versions, func(o *uplink.Object) bool { return !o.IsDeleteMarker })
		if i < 0 {
			return nil
		}
		return versions[i]
	}
	i := slices.IndexFunc(versions, func(o *uplink.Object) bool { return !o.Created.After(r.at) })
	if i <= 0 || versions[i].IsDeleteMarker {
		return nil
	}
	return versions[i]
}

func (r *restorer) restore(ctx context.Context, key, version string) error {
	if !r.c.Bool("dry-run") {
		if _, err := r.project.RestoreVersion(ctx, r.bucket, key, version); err != nil {
			return err
		}
	}
	if r.c.Bool(jsonFlag) {
		return r.printJSON(restoreLine{Key: key, Version: version, DryRun: r.c.Bool("dry-run")})
	}
	place := location.Location{Remote: true, Bucket: r.bucket, Key: key}
	r.printf("restore %s  %s\n", screen.Printable(place.String()), r.style.Dim(version))
	return nil
}

// restoreLine is what --json prints for an object that was restored.
type restoreLine struct {
	Key     string `json:"key"`
	Version string `json:"version"` // of which a copy is on top now
	DryRun  bool   `json:"dry_run,omitempty"`
}
