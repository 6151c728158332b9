package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"storj/roles/command/location"
	"storj/roles/command/screen"
	"storj/roles/uplink"
)

func (a *app) catCommand() *cli.Command {
	return &cli.Command{
		Name: "cat", Usage: "write objects to standard output", ArgsUsage: "sj://BUCKET/KEY...", Category: categoryObjects,
		UsageText: "storj cat sj://logs/today | grep error\nstorj cat --range -100 sj://logs/today   # the last 100 bytes",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "range", Usage: "part of each object: `FIRST-LAST`, FIRST- or -COUNT bytes"},
		}, clientFlags("memory")...),
		Action: a.catAction,
	}
}

func (a *app) catAction(c *cli.Context) error {
	places, err := objectArguments(c, 1, -1)
	if err != nil {
		return err
	}
	opts := &uplink.DownloadOptions{}
	if text := c.String("range"); text != "" {
		r, err := parseRange(text)
		if err != nil {
			return err
		}
		opts.Offset, opts.Length = r.Offset, r.Length
	}
	return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
		return a.each(ctx, "object", places, func(place location.Location) error {
			return a.cat(ctx, p, place, opts)
		})
	})
}

func (a *app) cat(ctx context.Context, p *uplink.Project, place location.Location, opts *uplink.DownloadOptions) error {
	download, err := p.Download(ctx, place.Bucket, place.Key, opts)
	if err != nil {
		return err
	}
	_, err = io.Copy(a.out, download)
	return errors.Join(err, download.Close())
}

func (a *app) statCommand() *cli.Command {
	return &cli.Command{
		Name: "stat", Usage: "show what is known of objects and buckets", ArgsUsage: "sj://BUCKET[/KEY]...", Category: categoryObjects,
		UsageText: "storj stat sj://photos/cat.jpg\nstorj stat --json sj://photos",
		Flags:     []cli.Flag{jsonOutput()},
		Action: func(c *cli.Context) error {
			places, err := remoteArguments(c, 1, -1)
			if err != nil {
				return err
			}
			return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
				return a.each(ctx, "item", places, func(place location.Location) error { return a.stat(ctx, c, p, place) })
			})
		},
	}
}

func (a *app) stat(ctx context.Context, c *cli.Context, p *uplink.Project, place location.Location) error {
	switch {
	case place.Bucket == "":
		return usageErrorf("%s is not a bucket or object", place)
	case place.Key == "":
		return a.statBucket(ctx, c, p, place)
	}
	o, err := p.Stat(ctx, place.Bucket, place.Key)
	if err != nil {
		return err
	}
	if c.Bool(jsonFlag) {
		return a.printJSON(newObjectLine(o))
	}
	t := screen.NewTable(a.out)
	t.Row("object", screen.Printable(place.String()))
	t.Row("size", screen.Bytes(o.Size)+" ("+screen.Plural(o.Size, "byte")+")")
	t.Row("created", screen.Instant(o.Created))
	if !o.Expires.IsZero() {
		t.Row("expires", screen.Instant(o.Expires))
	}
	t.Row("revision", o.Revision)
	for _, key := range slices.Sorted(maps.Keys(o.Custom)) {
		t.Row("metadata", screen.Printable(key)+" = "+screen.Printable(o.Custom[key]))
	}
	return t.Flush()
}

func (a *app) statBucket(ctx context.Context, c *cli.Context, p *uplink.Project, place location.Location) error {
	b, err := p.StatBucket(ctx, place.Bucket)
	if err != nil {
		return err
	}
	if c.Bool(jsonFlag) {
		return a.printJSON(bucketLine{b.Name, b.Created.UTC(), b.PlainNames})
	}
	t := screen.NewTable(a.out)
	t.Row("bucket", place.String())
	t.Row("created", screen.Instant(b.Created))
	names := "encrypted"
	if b.PlainNames {
		names = "plain: the satellite sees them"
	}
	t.Row("names", names)
	return t.Flush()
}

func (a *app) duCommand() *cli.Command {
	return &cli.Command{
		Name: "du", Usage: "add up sizes", ArgsUsage: "[sj://BUCKET/PREFIX]", Category: categoryObjects,
		Description: "One line for each prefix below the place, one for the objects that lie in it directly, and the total.",
		UsageText:   "storj du\nstorj du sj://photos\nstorj du --summary --bytes sj://photos/2026/",
		Flags: []cli.Flag{
			jsonOutput(),
			&cli.BoolFlag{Name: "bytes", Aliases: []string{"b"}, Usage: "sizes in bytes"},
			&cli.BoolFlag{Name: "summary", Aliases: []string{"s"}, Usage: "the total only"},
		},
		Action: a.duAction,
	}
}

// usage is a line of du.
type usage struct {
	Place   string `json:"place"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

func (a *app) duAction(c *cli.Context) error {
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
		lines := make(map[string]*usage)
		total := &usage{Place: place.String()}
		hidden, err := a.measure(ctx, p, place, lines, total)
		if err != nil {
			return at(place, err)
		}
		if c.Bool("summary") {
			clear(lines)
		}
		if err := a.hiddenNames(hidden, total.Objects); err != nil {
			return err
		}
		return a.showUsage(c, lines, total)
	})
}

// measure adds up what lies at a place: all buckets, or a prefix of one.
func (a *app) measure(ctx context.Context, p *uplink.Project, place location.Location, lines map[string]*usage, total *usage) (hidden int, err error) {
	if place.Bucket != "" {
		return measureBucket(ctx, p, place, lines, total)
	}
	it := p.ListBuckets(ctx, nil)
	for it.Next() {
		bucket := location.Location{Remote: true, Bucket: it.Item().Name}
		line := &usage{Place: bucket.String()}
		more, err := measureBucket(ctx, p, bucket, nil, line)
		if err != nil {
			return hidden, err
		}
		hidden += more
		lines[line.Place] = line
		total.Objects, total.Bytes = total.Objects+line.Objects, total.Bytes+line.Bytes
	}
	return hidden, it.Err()
}

func measureBucket(ctx context.Context, p *uplink.Project, place location.Location, lines map[string]*usage, total *usage) (hidden int, err error) {
	dir := place
	dir.Key = place.Key[:strings.LastIndexByte(place.Key, '/')+1]
	it := p.List(ctx, place.Bucket, &uplink.ListOptions{Prefix: place.Key, Recursive: true})
	for it.Next() {
		o := it.Item()
		total.Objects, total.Bytes = total.Objects+1, total.Bytes+o.Size
		if lines == nil {
			continue
		}
		name := dir.String()
		if part, _, found := strings.Cut(o.Key[len(dir.Key):], "/"); found {
			name = dir.Join(part + "/").String()
		}
		line := lines[name]
		if line == nil {
			line = &usage{Place: name}
			lines[name] = line
		}
		line.Objects, line.Bytes = line.Objects+1, line.Bytes+o.Size
	}
	return it.Hidden(), it.Err()
}

func (a *app) showUsage(c *cli.Context, lines map[string]*usage, total *usage) error {
	sorted := slices.SortedFunc(maps.Values(lines), func(x, y *usage) int { return cmp.Compare(x.Place, y.Place) })
	if c.Bool(jsonFlag) {
		for _, line := range append(sorted, &usage{"total", total.Objects, total.Bytes}) {
			if err := a.printJSON(line); err != nil {
				return err
			}
		}
		return nil
	}
	t := screen.NewTable(a.out, "SIZE", "OBJECTS", "PLACE")
	row := func(line *usage, place string) {
		t.Row(a.size(c, line.Bytes), screen.Plural(line.Objects, "object"), place)
	}
	for _, line := range sorted {
		row(line, screen.Printable(line.Place))
	}
	row(total, "total")
	return t.Flush()
}

func (a *app) metaCommand() *cli.Command {
	return &cli.Command{
		Name: "meta", Usage: "read and change what is kept with an object", Category: categoryObjects,
		Subcommands: []*cli.Command{
			{
				Name: "get", Usage: "print the metadata of an object, or one value of it", ArgsUsage: "sj://BUCKET/KEY [NAME]",
				UsageText: "storj meta get sj://photos/cat.jpg\nstorj meta get sj://photos/cat.jpg camera",
				Action:    a.metaGet,
			},
			{
				Name: "set", Usage: "change the metadata of an object", ArgsUsage: "sj://BUCKET/KEY NAME=VALUE...",
				Description: "NAME=VALUE sets a value, NAME= takes it away; a JSON object may stand for several. Other values stay, unless --replace.",
				UsageText:   "storj meta set sj://photos/cat.jpg camera=phone tag=\nstorj meta set --replace sj://photos/cat.jpg '{\"a\":\"b\"}'",
				Flags:       []cli.Flag{&cli.BoolFlag{Name: "replace", Usage: "take all other values away"}},
				Action:      a.metaSet,
			},
		},
	}
}

func (a *app) metaGet(c *cli.Context) error {
	args, err := arguments(c, 1, 2)
	if err != nil {
		return err
	}
	place, err := objectArgument(args[0])
	if err != nil {
		return err
	}
	return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
		o, err := p.Stat(ctx, place.Bucket, place.Key)
		if err != nil {
			return at(place, err)
		}
		if len(args) == 1 {
			if o.Custom == nil {
				o.Custom = uplink.CustomMetadata{}
			}
			return a.printIndented(o.Custom)
		}
		value, ok := o.Custom[args[1]]
		if !ok {
			return fmt.Errorf("metadata %q of %s: %w", args[1], screen.Printable(place.String()), errMissing)
		}
		a.printf("%s\n", value)
		return nil
	})
}

func objectArgument(text string) (location.Location, error) {
	place, err := location.ParseRemote(text)
	if err == nil && place.Key == "" {
		err = usageErrorf("%s is not an object: write sj://BUCKET/KEY", place)
	}
	return place, err
}

func (a *app) metaSet(c *cli.Context) error {
	args, err := arguments(c, 2, -1)
	if err != nil {
		return err
	}
	place, err := objectArgument(args[0])
	if err != nil {
		return err
	}
	changes, err := parseMetadata(args[1:])
	if err != nil {
		return err
	}
	return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
		metadata := make(uplink.CustomMetadata)
		if !c.Bool("replace") {
			o, err := p.Stat(ctx, place.Bucket, place.Key)
			if err != nil {
				return at(place, err)
			}
			maps.Copy(metadata, o.Custom)
		}
		for key, value := range changes {
			if metadata[key] = value; value == "" {
				delete(metadata, key)
			}
		}
		return at(place, p.UpdateMetadata(ctx, place.Bucket, place.Key, metadata))
	})
}
