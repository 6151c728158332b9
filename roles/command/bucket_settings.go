package command

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/roles/command/location"
	"storj/roles/command/screen"
	"storj/roles/uplink"
)

func (a *app) bucketCommand() *cli.Command {
	return &cli.Command{
		Name: "bucket", Usage: "show and change the settings of buckets", Category: categoryBuckets,
		Subcommands: []*cli.Command{
			{
				Name: "show", Usage: "show all settings of a bucket", ArgsUsage: "sj://BUCKET",
				UsageText: "storj bucket show sj://photos",
				Flags:     []cli.Flag{jsonOutput()},
				Action: a.bucketAction(1, func(ctx context.Context, c *cli.Context, p *uplink.Project, bucket string, _ []string) error {
					return a.bucketShow(ctx, c, p, bucket)
				}),
			},
			a.bucketVersioningCommand(), a.bucketLockCommand(), a.bucketTTLCommand(), a.bucketPlacementCommand(),
			a.bucketLifecycleCommand(), a.bucketDocumentCommand(),
		},
	}
}

// bucketAction is an action whose first argument is a bucket, with this many arguments in all.
func (a *app) bucketAction(count int, work func(ctx context.Context, c *cli.Context, p *uplink.Project, bucket string, rest []string) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		args, err := arguments(c, count, count)
		if err != nil {
			return err
		}
		place, err := location.ParseRemote(args[0])
		if err != nil {
			return err
		}
		if place.Bucket == "" || place.Key != "" {
			return usageErrorf("%s is not a bucket: write sj://BUCKET", place)
		}
		return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
			return at(place, work(ctx, c, p, place.Bucket, args[1:]))
		})
	}
}

func (a *app) bucketVersioningCommand() *cli.Command {
	states := map[string]uplink.Versioning{
		"on": uplink.VersioningEnabled, "enabled": uplink.VersioningEnabled,
		"off": uplink.VersioningSuspended, "suspended": uplink.VersioningSuspended,
	}
	return &cli.Command{
		Name: "versioning", Usage: "keep old versions of objects, or no more", ArgsUsage: "sj://BUCKET on|off",
		Description: `Once on, it can only be suspended: what is written then replaces what was written so before, and versions
that are there stay. storj bucket lifecycle deletes old versions by age and number.`,
		UsageText: "storj bucket versioning sj://photos on",
		Action: a.bucketAction(2, func(ctx context.Context, _ *cli.Context, p *uplink.Project, bucket string, rest []string) error {
			state, known := states[rest[0]]
			if !known {
				return usageErrorf("versioning is on or off, not %q", rest[0])
			}
			_, err := p.UpdateBucket(ctx, bucket, uplink.BucketUpdate{Versioning: state})
			return err
		}),
	}
}

func (a *app) bucketLockCommand() *cli.Command {
	return &cli.Command{
		Name: "lock", Usage: "permit object lock in a bucket, for good", ArgsUsage: "sj://BUCKET",
		Description: "Needs versioning, which cannot be suspended any more then. With --default every new version is protected from its writing on.",
		UsageText: `storj bucket lock sj://papers
storj bucket lock --default governance:30d sj://papers
storj bucket lock --default none sj://papers`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "default", Usage: "retention of new versions: `MODE:DAYS`d, MODE:YEARSy, or none; MODE is governance or compliance"},
		},
		Action: a.bucketAction(1, func(ctx context.Context, c *cli.Context, p *uplink.Project, bucket string, _ []string) error {
			update := uplink.BucketUpdate{ObjectLock: true}
			if c.IsSet("default") {
				retention, err := parseDefaultRetention(c.String("default"))
				if err != nil {
					return err
				}
				update.DefaultRetention = &retention
			}
			_, err := p.UpdateBucket(ctx, bucket, update)
			return err
		}),
	}
}

func parseDefaultRetention(text string) (r uplink.DefaultRetention, err error) {
	if text == "none" {
		return r, nil
	}
	wrong := usageErrorf("%q is no default retention: write governance:30d, compliance:1y or none", text)
	mode, span, found := strings.Cut(text, ":")
	if !found || len(span) < 2 {
		return r, wrong
	}
	if r.Mode, err = retentionMode(mode); err != nil {
		return r, err
	}
	count, err := strconv.Atoi(span[:len(span)-1])
	if err != nil || count < 1 {
		return r, wrong
	}
	switch span[len(span)-1] {
	case 'd':
		r.Days = count
	case 'y':
		r.Years = count
	default:
		return r, wrong
	}
	return r, nil
}

func shownDefaultRetention(r uplink.DefaultRetention) string {
	switch {
	case r.Mode == uplink.NoRetention:
		return "none"
	case r.Years > 0:
		return fmt.Sprintf("%s:%dy", r.Mode, r.Years)
	}
	return fmt.Sprintf("%s:%dd", r.Mode, r.Days)
}

func (a *app) bucketTTLCommand() *cli.Command {
	return &cli.Command{
		Name: "ttl", Usage: "let new objects of a bucket expire", ArgsUsage: "sj://BUCKET DURATION|none",
		Description: "Objects that are there keep their time. An upload may ask for a shorter life, not for a longer one.",
		UsageText:   "storj bucket ttl sj://scratch 30d\nstorj bucket ttl sj://scratch none",
		Action: a.bucketAction(2, func(ctx context.Context, _ *cli.Context, p *uplink.Project, bucket string, rest []string) error {
			ttl, err := parseTTL(rest[0])
			if err != nil {
				return err
			}
			_, err = p.UpdateBucket(ctx, bucket, uplink.BucketUpdate{TTL: &ttl})
			return err
		}),
	}
}

func (a *app) bucketPlacementCommand() *cli.Command {
	return &cli.Command{
		Name: "placement", Usage: "choose the rule for where the pieces of a bucket go", ArgsUsage: "sj://BUCKET NUMBER",
		Description: "The satellite's owner makes the rules and gives their numbers; 0 is the default one. Objects that are there stay\n" +
			"under the rule that they were stored with.",
		UsageText: "storj bucket placement sj://documents 2\nstorj bucket placement sj://documents 0",
		Action: a.bucketAction(2, func(ctx context.Context, _ *cli.Context, p *uplink.Project, bucket string, rest []string) error {
			number, err := strconv.Atoi(rest[0])
			if err != nil {
				return usageErrorf("placement %q is not a number", rest[0])
			}
			_, err = p.UpdateBucket(ctx, bucket, uplink.BucketUpdate{Placement: &number})
			return err
		}),
	}
}

// documents are those that a bucket keeps for a gateway to serve. Lifecycle rules are apart: the satellite follows them.
func documents() []string {
	return []string{
		uplink.DocumentTags, uplink.DocumentCORS, uplink.DocumentPolicy, uplink.DocumentWebsite, uplink.DocumentNotifications,
		uplink.DocumentACL, uplink.DocumentLogging, uplink.DocumentEncryption,
	}
}

func (a *app) bucketDocumentCommand() *cli.Command {
	names := strings.Join(documents(), ", ")
	check := func(name string) error {
		if !slices.Contains(documents(), name) {
			return usageErrorf("there is no document %q; there are: %s", name, names)
		}
		return nil
	}
	return &cli.Command{
		Name: "document", Aliases: []string{"doc"}, Usage: "read and change what is kept with a bucket for S3 clients",
		Description: "Documents are " + names + ": XML or JSON as S3 has them, kept as they are. They are not encrypted.",
		Subcommands: []*cli.Command{
			{
				Name: "get", Usage: "print a document", ArgsUsage: "sj://BUCKET NAME",
				UsageText: "storj bucket document get sj://photos " + uplink.DocumentCORS,
				Action: a.bucketAction(2, func(ctx context.Context, _ *cli.Context, p *uplink.Project, bucket string, rest []string) error {
					if err := check(rest[0]); err != nil {
						return err
					}
					document, err := p.BucketDocument(ctx, bucket, rest[0])
					if err != nil {
						return err
					}
					if len(document.Data) == 0 {
						return fmt.Errorf("document %s: %w", rest[0], errMissing)
					}
					_, err = a.out.Write(document.Data)
					return err
				}),
			},
			{
				Name: "set", Usage: "keep a document, from a file or standard input", ArgsUsage: "sj://BUCKET NAME FILE|-",
				UsageText: "storj bucket document set sj://photos " + uplink.DocumentCORS + " cors.xml",
				Action: a.bucketAction(3, func(ctx context.Context, _ *cli.Context, p *uplink.Project, bucket string, rest []string) error {
					if err := check(rest[0]); err != nil {
						return err
					}
					data, err := a.readInput(rest[1])
					if err != nil {
						return err
					}
					if len(data) == 0 {
						return usageErrorf("%s is empty; to remove a document: storj bucket document rm", rest[1])
					}
					return p.SetBucketDocument(ctx, bucket, rest[0], data)
				}),
			},
			{
				Name: "rm", Aliases: []string{"delete"}, Usage: "remove a document", ArgsUsage: "sj://BUCKET NAME",
				UsageText: "storj bucket document rm sj://photos " + uplink.DocumentPolicy,
				Action: a.bucketAction(2, func(ctx context.Context, _ *cli.Context, p *uplink.Project, bucket string, rest []string) error {
					if err := check(rest[0]); err != nil {
						return err
					}
					return p.SetBucketDocument(ctx, bucket, rest[0], nil)
				}),
			},
		},
	}
}

// bucketSettings is what --json prints for a bucket's settings.
type bucketSettings struct {
	bucketLine
	DefaultRetention string          `json:"default_retention,omitempty"`
	TTL              string          `json:"ttl,omitempty"`
	Placement        int             `json:"placement,omitempty"`
	Lifecycle        []lifecycleRule `json:"lifecycle,omitempty"`
	Documents        []string        `json:"documents,omitempty"`
}

func (a *app) bucketShow(ctx context.Context, c *cli.Context, p *uplink.Project, name string) error {
	b, err := p.StatBucket(ctx, name)
	if err != nil {
		return err
	}
	s := bucketSettings{bucketLine: newBucketLine(b), Placement: b.Placement}
	if b.DefaultRetention.Mode != uplink.NoRetention {
		s.DefaultRetention = shownDefaultRetention(b.DefaultRetention)
	}
	if b.TTL > 0 {
		s.TTL = shownDuration(b.TTL)
	}
	rules, err := p.Lifecycle(ctx, name)
	if err != nil {
		return err
	}
	s.Lifecycle = lifecycleLines(rules)
	for _, document := range documents() {
		d, err := p.BucketDocument(ctx, name, document)
		if err != nil {
			return err
		}
		if len(d.Data) > 0 {
			s.Documents = append(s.Documents, document)
		}
	}
	if c.Bool(jsonFlag) {
		return a.printIndented(s)
	}
	return a.showBucketSettings(b, s)
}

func (a *app) showBucketSettings(b *uplink.Bucket, s bucketSettings) error {
	t := screen.NewTable(a.out)
	t.Row("bucket", location.Location{Remote: true, Bucket: b.Name}.String())
	t.Row("created", screen.Instant(b.Created))
	t.Row("names", shownNames(b))
	t.Row("versioning", b.Versioning.String())
	lock := "no"
	if b.ObjectLock {
		lock = "yes, default retention " + shownDefaultRetention(b.DefaultRetention)
	}
	t.Row("object lock", lock)
	ttl := "objects stay until they are deleted"
	if s.TTL != "" {
		ttl = "new objects expire after " + s.TTL
	}
	t.Row("expiry", ttl)
	if b.Placement != 0 {
		t.Row("placement", fmt.Sprint(b.Placement))
	}
	for _, rule := range s.Lifecycle {
		t.Row("lifecycle", rule.String())
	}
	for _, document := range s.Documents {
		t.Row("document", document)
	}
	return t.Flush()
}

// shownDuration returns a duration as it is typed: 30d, 12h.
func shownDuration(d time.Duration) string { return config.Duration(d).String() }

func shownNames(b *uplink.Bucket) string {
	if b.PlainNames {
		return "plain: the satellite sees them"
	}
	return "encrypted"
}
