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
	"storj/roles/command/transfer"
	"storj/roles/uplink"
)

func (a *app) catCommand() *cli.Command {
	return &cli.Command{
		Name: "cat", Usage: "write objects to standard output", ArgsUsage: "sj://BUCKET/KEY...", Category: categoryObjects,
		UsageText: "storj cat sj://logs/today | grep error\nstorj cat --range -100 sj://logs/today   # the last 100 bytes",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "range", Usage: "part of each object: `FIRST-LAST`, FIRST- or -COUNT bytes"},
			versionFlag(),
		}, clientFlags("memory")...),
		Action: a.catAction,
	}
}

func (a *app) catAction(c *cli.Context) error {
	places, err := objectArguments(c, 1, -1)
	if err != nil {
		return err
	}
	opts := &uplink.DownloadOptions{Version: c.String("version")}
	if opts.Version != "" && len(places) > 1 {
		return usageError("--version is of one object")
	}
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
		Flags:     []cli.Flag{jsonOutput(), versionFlag()},
		Action: func(c *cli.Context) error {
			places, err := remoteArguments(c, 1, -1)
			if err != nil {
				return err
			}
			if c.String("version") != "" && len(places) > 1 {
				return usageError("--version is of one object")
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
	o, err := p.StatVersion(ctx, place.Bucket, place.Key, c.String("version"))
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
	if o.Version != uplink.NullVersion {
		t.Row("version", o.Version)
	}
	if o.Parts > 0 {
		t.Row("parts", fmt.Sprint(o.Parts))
	}
	if o.Retention.Mode != uplink.NoRetention {
		t.Row("retention", shownRetention(o.Retention))
	}
	if o.LegalHold {
		t.Row("legal hold", "yes")
	}
	if modified, ok := transfer.Modified(o.Custom); ok {
		t.Row("modified", screen.Instant(modified))
	}
	if hash, ok := transfer.Hash(o.Custom); ok {
		t.Row("blake3", fmt.Sprintf("%x", hash))
	}
	custom := userMetadata(o.Custom)
	for _, key := range slices.Sorted(maps.Keys(custom)) {
		t.Row("metadata", screen.Printable(key)+" = "+screen.Printable(custom[key]))
	}
	for _, key := range slices.Sorted(maps.Keys(o.Tags)) {
		t.Row("tag", screen.Printable(key)+" = "+screen.Printable(o.Tags[key]))
	}
	return t.Flush()
}

// userMetadata leaves out what transfers keep in metadata for themselves. It may be nil.
func userMetadata(metadata uplink.CustomMetadata) uplink.CustomMetadata {
	var user uplink.CustomMetadata
	for key, value := range metadata {
		if transfer.IsFileMetadata(key) {
			continue
		}
		if user == nil {
			user = make(uplink.CustomMetadata)
		}
		user[key] = value
	}
	return user
}

func (a *app) statBucket(ctx context.Context, c *cli.Context, p *uplink.Project, place location.Location) error {
	b, err := p.StatBucket(ctx, place.Bucket)
	if err != nil {
		return err
	}
	if c.Bool(jsonFlag) {
		return a.printJSON(newBucketLine(b))
	}
	t := screen.NewTable(a.out)
	t.Row("bucket", place.String())
	t.Row("created", screen.Instant(b.Created))
	t.Row("names", shownNames(b))
	if b.Versioning != uplink.Unversioned {
		t.Row("versioning", b.Versioning.String())
	}
	if b.ObjectLock {
		t.Row("object lock", "yes")
	}
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
		return a.showSizes(c, lines, total)
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

func (a *app) showSizes(c *cli.Context, lines map[string]*usage, total *usage) error {
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
