package command

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"storj/roles/command/location"
	"storj/roles/command/screen"
	"storj/roles/uplink"
)

func (a *app) lsCommand() *cli.Command {
	return &cli.Command{
		Name: "ls", Usage: "list buckets and objects", ArgsUsage: "[sj://BUCKET/PREFIX]", Category: categoryObjects,
		Description: `Without an argument all buckets. A prefix need not end in "/": sj://b/20 lists what begins with 20.
Up to 100,000 names are sorted; longer lists come in the order in which they are kept.`,
		UsageText: `storj ls
storj ls sj://photos
storj ls -r --bytes sj://photos/2026/
storj ls --json sj://photos | jq .key`,
		Flags: []cli.Flag{
			recursiveFlag(),
			jsonOutput(),
			&cli.BoolFlag{Name: "bytes", Aliases: []string{"b"}, Usage: "sizes in bytes"},
			&cli.BoolFlag{Name: "utc", Usage: "times in UTC, as RFC 3339"},
		},
		Action: a.lsAction,
	}
}

func (a *app) lsAction(c *cli.Context) error {
	args, err := arguments(c, 0, 1)
	if err != nil {
		return err
	}
	place := location.Location{Remote: true}
	if len(args) == 1 {
		if place, err = location.ParseRemote(args[0]); err != nil {
			return err
		}
	}
	return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
		if place.Bucket == "" {
			return a.lsBuckets(ctx, c, p)
		}
		return a.lsObjects(ctx, c, p, place)
	})
}

// bucketLine is what --json prints for a bucket.
type bucketLine struct {
	Bucket     string    `json:"bucket"`
	Created    time.Time `json:"created"`
	PlainNames bool      `json:"plain_names,omitempty"`
}

func (a *app) lsBuckets(ctx context.Context, c *cli.Context, p *uplink.Project) error {
	it := p.ListBuckets(ctx, nil)
	for it.Next() {
		b := it.Item()
		if c.Bool(jsonFlag) {
			if err := a.printJSON(bucketLine{b.Name, b.Created.UTC(), b.PlainNames}); err != nil {
				return err
			}
			continue
		}
		a.printf("%s  %s\n", a.date(c, b.Created), location.Location{Remote: true, Bucket: b.Name})
	}
	return it.Err()
}

// sortedNames is how many names are kept to be sorted: at some 200 bytes each, 20 MB.
const sortedNames = 100_000

func (a *app) lsObjects(ctx context.Context, c *cli.Context, p *uplink.Project, place location.Location) error {
	it := p.List(ctx, place.Bucket, &uplink.ListOptions{Prefix: place.Key, Recursive: c.Bool("recursive")})
	var kept []*uplink.Object
	var seen int64
	for it.Next() {
		seen++
		if seen > sortedNames {
			if err := a.showObjects(c, place, append(kept, it.Item())); err != nil {
				return err
			}
			kept = nil
			continue
		}
		kept = append(kept, it.Item())
	}
	if it.Err() != nil {
		return at(place, it.Err())
	}
	slices.SortFunc(kept, func(x, y *uplink.Object) int { return cmp.Compare(x.Key, y.Key) })
	if err := a.showObjects(c, place, kept); err != nil {
		return err
	}
	return a.hiddenNames(it.Hidden(), seen)
}

// objectLine is what --json prints for an object or a common prefix.
type objectLine struct {
	Key      string                `json:"key"`
	KeyBytes string                `json:"key_base64,omitempty"` // of a key that is not UTF-8
	Prefix   bool                  `json:"prefix,omitempty"`
	Size     *int64                `json:"size,omitempty"`
	Created  *time.Time            `json:"created,omitempty"`
	Expires  *time.Time            `json:"expires,omitempty"`
	Revision string                `json:"revision,omitempty"`
	Metadata uplink.CustomMetadata `json:"metadata,omitempty"`
}

func newObjectLine(o *uplink.Object) objectLine {
	line := objectLine{Key: o.Key, Prefix: o.IsPrefix, Revision: o.Revision, Metadata: o.Custom}
	if !utf8.ValidString(o.Key) {
		line.KeyBytes = base64.StdEncoding.EncodeToString([]byte(o.Key))
	}
	if o.IsPrefix {
		return line
	}
	created := o.Created.UTC()
	line.Size, line.Created = &o.Size, &created
	if !o.Expires.IsZero() {
		expires := o.Expires.UTC()
		line.Expires = &expires
	}
	return line
}

func (a *app) showObjects(c *cli.Context, place location.Location, objects []*uplink.Object) error {
	dir := place.Key[:strings.LastIndexByte(place.Key, '/')+1]
	for _, o := range objects {
		if c.Bool(jsonFlag) {
			if err := a.printJSON(newObjectLine(o)); err != nil {
				return err
			}
			continue
		}
		a.printf("%s\n", a.objectRow(c, o, strings.TrimPrefix(o.Key, dir)))
	}
	return nil
}

// objectRow returns date, size and name in columns.
func (a *app) objectRow(c *cli.Context, o *uplink.Object, name string) string {
	const sizeWidth = 8 // "999.9 kB" is the widest
	if o.IsPrefix {
		return fmt.Sprintf("%*s  %*s  %s", len(a.date(c, time.Unix(0, 0))), "", a.sizeWidth(c, sizeWidth), "PRE", a.style.Blue(screen.Printable(name)))
	}
	return fmt.Sprintf("%s  %*s  %s", a.date(c, o.Created), a.sizeWidth(c, sizeWidth), a.size(c, o.Size), screen.Printable(name))
}

// sizeWidth is wider for sizes in bytes: up to some terabytes stay in column.
func (a *app) sizeWidth(c *cli.Context, human int) int {
	if c.Bool("bytes") {
		return 14
	}
	return human
}

func (a *app) size(c *cli.Context, bytes int64) string {
	if c.Bool("bytes") {
		return fmt.Sprint(bytes)
	}
	return screen.Bytes(bytes)
}

func (a *app) date(c *cli.Context, t time.Time) string {
	if c.Bool("utc") {
		return screen.Instant(t)
	}
	return screen.Date(t)
}
