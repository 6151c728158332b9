package command

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"storj/roles/command/location"
	"storj/roles/command/screen"
	"storj/roles/uplink"
)

func (a *app) uploadsCommand() *cli.Command {
	return &cli.Command{
		Name: "uploads", Usage: "list and end uploads in parts that were not finished", Category: categoryObjects,
		Description: `Large files are uploaded in parts; when that is interrupted, what was sent stays for the next try, and uses space
until then. The satellite removes what nobody touched for long.`,
		Subcommands: []*cli.Command{
			{
				Name: "ls", Usage: "list them", ArgsUsage: "sj://BUCKET/PREFIX",
				UsageText: "storj uploads ls sj://backup",
				Flags:     []cli.Flag{jsonOutput(), &cli.BoolFlag{Name: "utc", Usage: "times in UTC, as RFC 3339"}},
				Action:    a.uploadsList,
			},
			{
				Name: "abort", Usage: "end them, and remove what was sent", ArgsUsage: "sj://BUCKET/PREFIX",
				Description: "All uploads to keys that begin so, or the one with this --id.",
				UsageText:   "storj uploads abort sj://backup/dump.sql\nstorj uploads abort --older 2d sj://backup",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "id", Usage: "the one with this `ID`"},
					&cli.StringFlag{Name: "older", Usage: "those begun before `TIME`: 2d is two days ago; or a date"},
					dryRunFlag(), jsonOutput(),
				},
				Action: a.uploadsAbort,
			},
		},
	}
}

// uploadLine is what --json prints for an upload.
type uploadLine struct {
	Key     string    `json:"key"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Parts   int       `json:"parts"`
	Bytes   int64     `json:"bytes"`
}

// removedUpload is what --json prints for an upload that was ended.
type removedUpload struct {
	Key    string `json:"key"`
	ID     string `json:"id"`
	DryRun bool   `json:"dry_run,omitempty"`
}

// eachUpload calls work for every unfinished upload under a place.
func (a *app) eachUpload(c *cli.Context, work func(ctx context.Context, p *uplink.Project, place location.Location, u *uplink.PendingUpload) error) error {
	places, err := remoteArguments(c, 1, 1)
	if err != nil {
		return err
	}
	place := places[0]
	if place.Bucket == "" {
		return usageError("name a bucket: sj://BUCKET")
	}
	return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
		it := p.ListUploads(ctx, place.Bucket, &uplink.ListUploadsOptions{Prefix: place.Key, Recursive: true})
		var seen int64
		for it.Next() {
			seen++
			u := it.Item()
			of := location.Location{Remote: true, Bucket: place.Bucket, Key: u.Key}
			if err := work(ctx, p, of, u); err != nil {
				return at(of, err)
			}
		}
		if it.Err() != nil {
			return at(place, it.Err())
		}
		return a.hiddenNames(it.Hidden(), seen)
	})
}

func (a *app) uploadsList(c *cli.Context) error {
	return a.eachUpload(c, func(ctx context.Context, p *uplink.Project, place location.Location, u *uplink.PendingUpload) error {
		line := uploadLine{Key: u.Key, ID: u.ID, Created: u.Created.UTC()}
		parts := p.ListParts(ctx, place.Bucket, place.Key, u.ID, nil)
		for parts.Next() {
			line.Parts++
			line.Bytes += parts.Item().Size
		}
		if parts.Err() != nil {
			return parts.Err()
		}
		if c.Bool(jsonFlag) {
			return a.printJSON(line)
		}
		a.printf("%s  %8s in %s  %s  %s\n", a.date(c, u.Created), screen.Bytes(line.Bytes), screen.Plural(int64(line.Parts), "part"), u.ID, screen.Printable(place.String()))
		return nil
	})
}

func (a *app) uploadsAbort(c *cli.Context) error {
	older, err := parsePast(c.String("older"), time.Now())
	if err != nil {
		return err
	}
	return a.eachUpload(c, func(ctx context.Context, p *uplink.Project, place location.Location, u *uplink.PendingUpload) error {
		if id := c.String("id"); id != "" && id != u.ID || !older.IsZero() && u.Created.After(older) {
			return nil
		}
		if !c.Bool("dry-run") {
			if err := p.AbortUpload(ctx, place.Bucket, place.Key, u.ID); err != nil {
				return err
			}
		}
		if c.Bool(jsonFlag) {
			return a.printJSON(removedUpload{u.Key, u.ID, c.Bool("dry-run")})
		}
		a.printf("abort %s  %s\n", screen.Printable(place.String()), a.style.Dim(u.ID))
		return nil
	})
}
