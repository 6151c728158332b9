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
		Name: "mb", Usage: "make buckets", ArgsUsage: "sj://BUCKET...", Category: categoryObjects,
		UsageText: "storj mb sj://photos\nstorj mb --if-absent sj://photos",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "plain-names", Usage: "let the satellite see object names: it then lists them in their order; content is encrypted all the same"},
			&cli.BoolFlag{Name: "if-absent", Usage: "succeed when the bucket exists"},
		},
		Action: func(c *cli.Context) error {
			return a.eachBucket(c, func(ctx context.Context, p *uplink.Project, name string) error {
				create := p.CreateBucket
				if c.Bool("if-absent") {
					create = p.EnsureBucket
				}
				_, err := create(ctx, name, &uplink.BucketOptions{PlainNames: c.Bool("plain-names")})
				if err == nil {
					a.printf("made sj://%s\n", name)
				}
				return err
			})
		},
	}
}

func (a *app) rbCommand() *cli.Command {
	return &cli.Command{
		Name: "rb", Usage: "delete buckets", ArgsUsage: "sj://BUCKET...", Category: categoryObjects,
		UsageText: "storj rb sj://photos\nstorj rb --force sj://photos   # with all that is in it",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Usage: "delete all that is in it, too"},
		},
		Action: func(c *cli.Context) error {
			return a.eachBucket(c, func(ctx context.Context, p *uplink.Project, name string) error {
				if !c.Bool("force") {
					err := p.DeleteBucket(ctx, name)
					if err == nil {
						a.printf("deleted sj://%s\n", name)
					}
					return err
				}
				objects, err := p.DeleteBucketWithObjects(ctx, name)
				if err == nil {
					a.printf("deleted sj://%s with %s\n", name, screen.Plural(objects, "object"))
				}
				return err
			})
		},
	}
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
