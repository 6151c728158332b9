package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/roles/command/screen"
	"storj/roles/uplink"
)

func (a *app) bucketLifecycleCommand() *cli.Command {
	return &cli.Command{
		Name: "lifecycle", Usage: "have the satellite delete by age", Category: categoryBuckets,
		Description: `Rules are added one by one with flags, or set as a whole from JSON as "show --json" prints it. Ages are whole days.`,
		Subcommands: []*cli.Command{
			{
				Name: "show", Usage: "show the rules of a bucket", ArgsUsage: "sj://BUCKET",
				UsageText: "storj bucket lifecycle show sj://photos",
				Flags:     []cli.Flag{jsonOutput()},
				Action:    a.bucketAction(1, a.lifecycleShow),
			},
			{
				Name: "add", Usage: "add a rule, or replace the one of the same --id", ArgsUsage: "sj://BUCKET",
				UsageText: `storj bucket lifecycle add --prefix tmp/ --expire-days 7 sj://photos
storj bucket lifecycle add --id old --noncurrent-days 30 --noncurrent-keep 3 --expire-markers sj://photos
storj bucket lifecycle add --abort-uploads-after 2 sj://photos`,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "id", Usage: "`NAME` of the rule"},
					&cli.StringFlag{Name: "prefix", Usage: "of keys that begin with `PREFIX`, which ends in /"},
					&cli.StringFlag{Name: "larger", Usage: "of objects of more than `SIZE`"},
					&cli.StringFlag{Name: "smaller", Usage: "of objects of less than `SIZE`"},
					&cli.IntFlag{Name: "expire-days", Usage: "delete objects `N` days after their writing; with versioning a delete marker then hides them"},
					&cli.StringFlag{Name: "expire-at", Usage: "delete objects from `TIME` on"},
					&cli.BoolFlag{Name: "expire-markers", Usage: "delete markers that hide nothing any more"},
					&cli.IntFlag{Name: "noncurrent-days", Usage: "delete old versions `N` days after another came on top"},
					&cli.IntFlag{Name: "noncurrent-keep", Usage: "but keep `N` of them"},
					&cli.IntFlag{Name: "abort-uploads-after", Usage: "remove uploads in parts that were begun `N` days ago"},
					&cli.BoolFlag{Name: "disabled", Usage: "keep the rule without following it"},
				},
				Action: a.bucketAction(1, a.lifecycleAdd),
			},
			{
				Name: "set", Usage: "replace all rules by those of a JSON file", ArgsUsage: "sj://BUCKET FILE|-",
				UsageText: "storj bucket lifecycle set sj://photos rules.json",
				Action:    a.bucketAction(2, a.lifecycleSet),
			},
			{
				Name: "clear", Usage: "take all rules away", ArgsUsage: "sj://BUCKET",
				UsageText: "storj bucket lifecycle clear sj://photos",
				Action: a.bucketAction(1, func(ctx context.Context, _ *cli.Context, p *uplink.Project, bucket string, _ []string) error {
					return p.SetLifecycle(ctx, bucket, nil)
				}),
			},
		},
	}
}

// lifecycleRule is a rule as JSON.
type lifecycleRule struct {
	ID                string     `json:"id,omitempty"`
	Disabled          bool       `json:"disabled,omitempty"`
	Prefix            string     `json:"prefix,omitempty"`
	Hidden            bool       `json:"prefix_hidden,omitempty"` // of another passphrase
	MinSize           int64      `json:"larger_bytes,omitempty"`
	MaxSize           int64      `json:"smaller_bytes,omitempty"`
	ExpireDays        int        `json:"expire_days,omitempty"`
	ExpireAt          *time.Time `json:"expire_at,omitempty"`
	ExpireMarkers     bool       `json:"expire_markers,omitempty"`
	NoncurrentDays    int        `json:"noncurrent_days,omitempty"`
	NoncurrentKeep    int        `json:"noncurrent_keep,omitempty"`
	AbortUploadsAfter int        `json:"abort_uploads_after_days,omitempty"`
}

func lifecycleLines(rules []uplink.LifecycleRule) []lifecycleRule {
	lines := make([]lifecycleRule, len(rules))
	for i, r := range rules {
		lines[i] = lifecycleRule{
			r.ID, r.Disabled, r.Prefix, r.Hidden, r.MinSize, r.MaxSize, r.ExpireDays, instant(r.ExpireAt), r.ExpireMarkers,
			r.NoncurrentDays, r.NoncurrentKeep, r.AbortUploadsAfter,
		}
	}
	return lines
}

func (r *lifecycleRule) rule() uplink.LifecycleRule {
	rule := uplink.LifecycleRule{
		ID: r.ID, Disabled: r.Disabled, Prefix: r.Prefix, Hidden: r.Hidden, MinSize: r.MinSize, MaxSize: r.MaxSize,
		ExpireDays: r.ExpireDays, ExpireMarkers: r.ExpireMarkers,
		NoncurrentDays: r.NoncurrentDays, NoncurrentKeep: r.NoncurrentKeep, AbortUploadsAfter: r.AbortUploadsAfter,
	}
	if r.ExpireAt != nil {
		rule.ExpireAt = *r.ExpireAt
	}
	return rule
}

// String says what the rule does.
func (r lifecycleRule) String() string {
	var does []string
	add := func(yes bool, format string, args ...any) {
		if yes {
			does = append(does, fmt.Sprintf(format, args...))
		}
	}
	add(r.ExpireDays > 0, "delete after %d days", r.ExpireDays)
	if r.ExpireAt != nil {
		add(true, "delete from %s on", screen.Instant(*r.ExpireAt))
	}
	add(r.NoncurrentDays > 0 || r.NoncurrentKeep > 0, "delete old versions after %d days, but keep %d", r.NoncurrentDays, r.NoncurrentKeep)
	add(r.ExpireMarkers, "delete idle delete markers")
	add(r.AbortUploadsAfter > 0, "abort uploads after %d days", r.AbortUploadsAfter)
	text := strings.Join(does, "; ")
	var of []string
	switch {
	case r.Hidden:
		of = append(of, "under a prefix of another passphrase")
	case r.Prefix != "":
		of = append(of, "under "+screen.Printable(r.Prefix))
	}
	if r.MinSize > 0 {
		of = append(of, "larger than "+screen.Bytes(r.MinSize))
	}
	if r.MaxSize > 0 {
		of = append(of, "smaller than "+screen.Bytes(r.MaxSize))
	}
	if of != nil {
		text += ", " + strings.Join(of, ", ")
	}
	if r.ID != "" {
		text = screen.Printable(r.ID) + ": " + text
	}
	if r.Disabled {
		text += " (disabled)"
	}
	return text
}

func (a *app) lifecycleShow(ctx context.Context, c *cli.Context, p *uplink.Project, bucket string, _ []string) error {
	rules, err := p.Lifecycle(ctx, bucket)
	if err != nil {
		return err
	}
	lines := lifecycleLines(rules)
	if c.Bool(jsonFlag) {
		return a.printIndented(lines)
	}
	for _, line := range lines {
		a.printf("%s\n", line)
	}
	return nil
}

func (a *app) lifecycleAdd(ctx context.Context, c *cli.Context, p *uplink.Project, bucket string, _ []string) error {
	rule := uplink.LifecycleRule{
		ID: c.String("id"), Prefix: c.String("prefix"), ExpireDays: c.Int("expire-days"), ExpireMarkers: c.Bool("expire-markers"),
		NoncurrentDays: c.Int("noncurrent-days"), NoncurrentKeep: c.Int("noncurrent-keep"),
		AbortUploadsAfter: c.Int("abort-uploads-after"), Disabled: c.Bool("disabled"),
	}
	var err error
	if rule.MinSize, err = sizeFlag(c, "larger"); err != nil {
		return err
	}
	if rule.MaxSize, err = sizeFlag(c, "smaller"); err != nil {
		return err
	}
	if rule.ExpireAt, err = parseExpiry(c.String("expire-at"), time.Now()); err != nil {
		return err
	}
	rules, err := p.Lifecycle(ctx, bucket)
	if err != nil {
		return err
	}
	kept := rules[:0]
	for _, r := range rules {
		if r.ID == "" || r.ID != rule.ID {
			kept = append(kept, r)
		}
	}
	return p.SetLifecycle(ctx, bucket, append(kept, rule))
}

func (a *app) lifecycleSet(ctx context.Context, _ *cli.Context, p *uplink.Project, bucket string, rest []string) error {
	raw, err := a.readInput(rest[0])
	if err != nil {
		return err
	}
	var lines []lifecycleRule
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&lines); err != nil {
		return usageErrorf("%s is not a JSON list of rules as `storj bucket lifecycle show --json` prints it: %v", rest[0], err)
	}
	rules := make([]uplink.LifecycleRule, len(lines))
	for i := range lines {
		rules[i] = lines[i].rule()
	}
	return p.SetLifecycle(ctx, bucket, rules)
}
