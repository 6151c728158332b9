package command

import (
	"context"

	"github.com/urfave/cli/v2"

	"storj/roles/command/location"
	"storj/roles/command/screen"
	"storj/roles/uplink"
)

func (a *app) mbCommand() *cli.Command {
	return &cli.Command{
		Name: "mb", Usage: "make buckets", ArgsUsage: "sj://BUCKET...", Category: categoryBuckets,
		UsageText: "storj mb sj://photos\nstorj mb --versioning sj://documents\nstorj mb --if-absent sj://photos",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "plain-names", Usage: "let the satellite see object names: it then lists them in their order; content is encrypted all the same"},
			&cli.BoolFlag{Name: "versioning", Usage: "keep old versions of objects"},
			&cli.BoolFlag{Name: "lock", Usage: "permit object lock, with versioning, for good"},
			&cli.IntFlag{Name: "placement", Usage: "`NUMBER` of the satellite's rule for where the pieces go"},
			&cli.BoolFlag{Name: "if-absent", Usage: "succeed when the bucket exists, whatever its settings"},
			jsonOutput(),
		},
		Action: func(c *cli.Context) error {
			return a.eachBucket(c, func(ctx context.Context, p *uplink.Project, name string) error {
				create := p.CreateBucket
				if c.Bool("if-absent") {
					create = p.EnsureBucket
				}
				bucket, err := create(ctx, name, &uplink.BucketOptions{
					PlainNames: c.Bool("plain-names"), Versioning: c.Bool("versioning") || c.Bool("lock"), ObjectLock: c.Bool("lock"),
					Placement: c.Int("placement"),
				})
				if err != nil {
					return err
				}
				if c.Bool(jsonFlag) {
					return a.printJSON(newBucketLine(bucket))
				}
				a.printf("made sj://%s\n", name)
				return nil
			})
		},
	}
}

func (a *app) rbCommand() *cli.Command {
	return &cli.Command{
		Name: "rb", Usage: "delete buckets", ArgsUsage: "sj://BUCKET...", Category: categoryBuckets,
		Description: "With --force the satellite deletes all that is in it, all versions too; what is locked stays, and the bucket with it.",
		UsageText:   "storj rb sj://photos\nstorj rb --force sj://photos   # with all that is in it",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Usage: "delete all that is in it, too"}, bypassFlag(), jsonOutput(), progressFlag(),
		},
		Action: func(c *cli.Context) error {
			return a.eachBucket(c, func(ctx context.Context, p *uplink.Project, name string) error {
				if !c.Bool("force") {
					err := p.DeleteBucket(ctx, name)
					if err == nil {
						a.tell(c, "deleted sj://%s", name)
					}
					return a.printRemoved(c, err, removedLine{Place: "sj://" + name})
				}
				job, err := p.DropBucket(ctx, name, &uplink.DeletePrefixOptions{BypassGovernance: c.Bool("bypass-governance")})
				if err != nil {
					return err
				}
				done, err := a.watchDeletion(ctx, c, p, job)
				if err != nil {
					return err
				}
				a.tell(c, "deleted sj://%s with %s", name, screen.Plural(done.Objects, "object"))
				return a.printRemoved(c, nil, removedLine{Place: "sj://" + name, Objects: done.Objects, Bytes: done.Bytes})
			})
		},
	}
}

// printRemoved prints what was deleted, with --json, unless that failed.
func (a *app) printRemoved(c *cli.Context, err error, line removedLine) error {
	if err != nil || !c.Bool(jsonFlag) {
		return err
	}
	return a.printJSON(line)
}

// eachBucket does work for each bucket that is named as an argument.
func (a *app) eachBucket(c *cli.Context, work func(ctx context.Context, p *uplink.Project, name string) error) error {
	places, err := remoteArguments(c, 1, -1)
	if err != nil {
		return err
	}
	for _, place := range places {
		if place.Bucket == "" || place.Key != "" {
			return usageErrorf("%s is not a bucket: write sj://BUCKET", place)
		}
	}
	return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
		return a.each(ctx, "bucket", places, func(place location.Location) error { return work(ctx, p, place.Bucket) })
	})
}

// remoteArguments reads the arguments, which must all be sj:// places.
func remoteArguments(c *cli.Context, least, most int) ([]location.Location, error) {
	args, err := arguments(c, least, most)
	if err != nil {
		return nil, err
	}
	places := make([]location.Location, len(args))
	for i, arg := range args {
		if places[i], err = location.ParseRemote(arg); err != nil {
			return nil, err
		}
	}
	return places, nil
}

// objectArguments reads the arguments, which must all name objects.
func objectArguments(c *cli.Context, least, most int) ([]location.Location, error) {
	places, err := remoteArguments(c, least, most)
	for _, place := range places {
		if place.Bucket == "" || place.Key == "" {
			return nil, usageErrorf("%s is not an object: write sj://BUCKET/KEY", place)
		}
	}
	return places, err
}

// each does work for each place. The error of a single one is returned as it is; those of several are shown as they come.
func (a *app) each(ctx context.Context, noun string, places []location.Location, work func(location.Location) error) error {
	if len(places) == 1 {
		return at(places[0], work(places[0]))
	}
	tally := newTally(noun)
	for _, place := range places {
		err := work(place)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if tally.count(err); err != nil {
			a.showError(at(place, err))
		}
	}
	return tally.result(nil)
}
