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
	"storj/roles/command/match"
	"storj/roles/command/screen"
	"storj/roles/command/transfer"
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
storj ls -r --name '*.mov' --larger 1GB --older 30d --sum sj://photos
storj ls --json sj://photos | jq .key`,
		Flags: append([]cli.Flag{
			recursiveFlag(),
			jsonOutput(),
			&cli.BoolFlag{Name: "bytes", Aliases: []string{"b"}, Usage: "sizes in bytes"},
			&cli.BoolFlag{Name: "utc", Usage: "times in UTC, as RFC 3339"},
			&cli.BoolFlag{Name: "all-versions", Aliases: []string{"a"}, Usage: "all versions, as storj versions shows them"},
			&cli.BoolFlag{Name: "pending", Usage: "uploads that were not finished, as storj uploads ls shows them"},
			&cli.BoolFlag{Name: "sum", Usage: "how many objects and bytes that was, at the end"},
		}, filterFlags()...),
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
	if c.Bool("pending") {
		return a.uploadsList(c)
	}
	return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
		switch {
		case place.Bucket == "":
			return a.lsBuckets(ctx, c, p)
		case c.Bool("all-versions"):
			return a.versions(ctx, c, p, place)
		}
		return a.lsObjects(ctx, c, p, place)
	})
}

// bucketLine is what --json prints for a bucket.
type bucketLine struct {
	Bucket     string    `json:"bucket"`
	Created    time.Time `json:"created"`
	PlainNames bool      `json:"plain_names,omitempty"`
	Versioning string    `json:"versioning,omitempty"`
	ObjectLock bool      `json:"object_lock,omitempty"`
}

func newBucketLine(b *uplink.Bucket) bucketLine {
	line := bucketLine{Bucket: b.Name, Created: b.Created.UTC(), PlainNames: b.PlainNames, ObjectLock: b.ObjectLock}
	if b.Versioning != uplink.Unversioned {
		line.Versioning = b.Versioning.String()
	}
	return line
}

func (a *app) lsBuckets(ctx context.Context, c *cli.Context, p *uplink.Project) error {
	it := p.ListBuckets(ctx, nil)
	for it.Next() {
		b := it.Item()
		if c.Bool(jsonFlag) {
			if err := a.printJSON(newBucketLine(b)); err != nil {
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

// lister shows the objects of one place.
type lister struct {
	*app
	c      *cli.Context
	place  location.Location
	filter match.Filter
	kept   []*uplink.Object // to be sorted
	seen   int64            // objects and prefixes
	total  usage            // of what is shown
}

func (a *app) lsObjects(ctx context.Context, c *cli.Context, p *uplink.Project, place location.Location) error {
	filter, err := filterOf(c, time.Now())
	if err != nil {
		return err
	}
	l := &lister{app: a, c: c, place: place, filter: filter, total: usage{Place: "total"}}
	it := p.List(ctx, place.Bucket, &uplink.ListOptions{Prefix: place.Key, Recursive: c.Bool("recursive"), Custom: c.Bool(jsonFlag)})
	for it.Next() {
		if err := l.take(it.Item()); err != nil {
			return err
		}
	}
	if it.Err() != nil {
		return at(place, it.Err())
	}
	if err := l.showSorted(); err != nil {
		return err
	}
	if c.Bool("sum") {
		if err := l.showTotal(); err != nil {
			return err
		}
	}
	return a.hiddenNames(it.Hidden(), l.seen)
}

// take keeps an object to be sorted, or shows it when there are too many.
func (l *lister) take(o *uplink.Object) error {
	l.seen++
	if l.filter.Set() && (o.IsPrefix || !l.filter.Takes(o.Key, o.Size, o.Created)) {
		return nil
	}
	if !o.IsPrefix {
		l.total.Objects, l.total.Bytes = l.total.Objects+1, l.total.Bytes+o.Size
	}
	l.kept = append(l.kept, o)
	if l.total.Objects > sortedNames {
		return l.showSorted()
	}
	return nil
}

func (l *lister) showSorted() error {
	slices.SortFunc(l.kept, func(x, y *uplink.Object) int { return cmp.Compare(x.Key, y.Key) })
	err := l.showObjects(l.c, l.place, l.kept)
	l.kept = nil
	return err
}

func (l *lister) showTotal() error {
	if l.c.Bool(jsonFlag) {
		return l.printJSON(l.total)
	}
	l.printf("%s in %s\n", l.size(l.c, l.total.Bytes), screen.Plural(l.total.Objects, "object"))
	return nil
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
	Modified *time.Time            `json:"modified,omitempty"` // of the file that was uploaded
	BLAKE3   string                `json:"blake3,omitempty"`   // of the content, hex
	Metadata uplink.CustomMetadata `json:"metadata,omitempty"`
	Tags     uplink.Tags           `json:"tags,omitempty"`
	// Version is left out where there is but one: the one that an unversioned bucket has of each object.
	Version   string     `json:"version,omitempty"`
	Parts     int        `json:"parts,omitempty"`
	Retention string     `json:"retention,omitempty"` // its mode
	Until     *time.Time `json:"retain_until,omitempty"`
	LegalHold bool       `json:"legal_hold,omitempty"`
}

func newObjectLine(o *uplink.Object) objectLine {
	line := objectLine{Key: o.Key, Prefix: o.IsPrefix, Revision: o.Revision, Metadata: userMetadata(o.Custom)}
	if !utf8.ValidString(o.Key) {
		line.KeyBytes = base64.StdEncoding.EncodeToString([]byte(o.Key))
	}
	if o.IsPrefix {
		return line
	}
	line.Tags, line.Parts, line.LegalHold = o.Tags, o.Parts, o.LegalHold
	if o.Version != uplink.NullVersion {
		line.Version = o.Version
	}
	if o.Retention.Mode != uplink.NoRetention {
		line.Retention, line.Until = o.Retention.Mode.String(), instant(o.Retention.Until)
	}
	if modified, ok := transfer.Modified(o.Custom); ok {
		line.Modified = &modified
	}
	if hash, ok := transfer.Hash(o.Custom); ok {
		line.BLAKE3 = fmt.Sprintf("%x", hash)
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
