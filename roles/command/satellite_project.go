package command

import (
	"context"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/metainfo"
	"storj/metainfo/endpoint"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/netx/rpc"
	"storj/roles/command/screen"
	"storj/roles/satellite/limits"
)

// withLimits works on the limits of a satellite of this machine: over the wire while it runs, else on its database.
func (a *app) withLimits(c *cli.Context, work func(ctx context.Context, l limits.Limits) error) error {
	return a.onlineOrNot(c, func(ctx context.Context, pool *rpc.Pool, satellite netx.NodeURL) error {
		return work(ctx, limits.NewClient(pool, satellite))
	}, func(ctx context.Context, r *satelliteRole) error {
		return r.withTables(ctx, func(db *metabase.DB) error {
			counter := endpoint.New(endpoint.Options{DB: db}) // serves nobody
			return work(ctx, limits.New(limits.Options{DB: db, Endpoint: counter}))
		})
	})
}

// limitFlag is a limit that can be set: its flag, the field, and whether it is an amount of bytes.
type limitFlag struct {
	name, usage string
	field       func(l *metainfo.Limits) *int64
	bytes       bool
}

func limitFlags() []limitFlag {
	return []limitFlag{
		{"storage", "at most `SIZE` stored, as 1TB", func(l *metainfo.Limits) *int64 { return &l.Storage }, true},
		{"egress", "at most `SIZE` downloaded in a calendar month", func(l *metainfo.Limits) *int64 { return &l.Egress }, true},
		{"objects", "at most `N` objects, or versions of them", func(l *metainfo.Limits) *int64 { return &l.Objects }, false},
		{"segments", "at most `N` segments", func(l *metainfo.Limits) *int64 { return &l.Segments }, false},
		{"buckets", "at most `N` buckets", func(l *metainfo.Limits) *int64 { return &l.Buckets }, false},
		{"rate", "at most `N` requests a second", func(l *metainfo.Limits) *int64 { return &l.Rate }, false},
		{"burst", "at most `N` requests at once", func(l *metainfo.Limits) *int64 { return &l.Burst }, false},
	}
}

func (a *app) projectLimitsCommand() *cli.Command {
	flags := []cli.Flag{jsonOutput()}
	for _, f := range limitFlags() {
		flags = append(flags, &cli.StringFlag{Name: f.name, Usage: f.usage})
	}
	return &cli.Command{
		Name: "limits", Usage: "show or set what a project may use", ArgsUsage: "NAME",
		Description: "Sets the limits that are given and shows them all, with what the project uses. \"none\" takes one away.",
		UsageText:   "storj satellite project limits backup\nstorj satellite project limits backup --storage 1TB --egress 500GB --rate none",
		Flags:       adminFlags(flags...), Action: a.projectLimits,
	}
}

func (a *app) projectLimits(c *cli.Context) error {
	args, err := arguments(c, 1, 1)
	if err != nil {
		return err
	}
	changes := make(map[string]int64)
	for _, f := range limitFlags() {
		if !c.IsSet(f.name) {
			continue
		}
		if changes[f.name], err = parseLimit(c.String(f.name), f.bytes); err != nil {
			return usageErrorf("--%s: %v", f.name, err)
		}
	}
	return a.withLimits(c, func(ctx context.Context, l limits.Limits) error {
		usage, err := l.Usage(ctx, args[0])
		if err != nil {
			return err
		}
		for _, f := range limitFlags() {
			if value, ok := changes[f.name]; ok {
				*f.field(&usage.Limits) = value
			}
		}
		if len(changes) > 0 {
			if err := l.SetLimits(ctx, args[0], usage.Limits); err != nil {
				return err
			}
		}
		return a.showUsage(c, usage)
	})
}

// parseLimit reads a limit; "none" is 0.
func parseLimit(text string, bytes bool) (int64, error) {
	if text == "none" {
		return 0, nil
	}
	if bytes {
		size, err := config.ParseSize(text)
		if err == nil && size <= 0 {
			err = fmt.Errorf("%w: %q", config.ErrValue, text)
		}
		return int64(size), err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is not a number above 0, nor \"none\"", text)
	}
	return n, nil
}

// usageLine is what limits prints with --json. A limit of 0 is none.
type usageLine struct {
	Storage  amountLine `json:"storage"`
	Egress   amountLine `json:"egress_this_month"`
	Objects  amountLine `json:"objects"`
	Segments amountLine `json:"segments"`
	Buckets  amountLine `json:"buckets"`
	Rate     int64      `json:"rate"`
	Burst    int64      `json:"burst"`
}

type amountLine struct {
	Used  int64 `json:"used"`
	Limit int64 `json:"limit"`
}

func (a *app) showUsage(c *cli.Context, u *metainfo.ProjectUsage) error {
	l := &u.Limits
	if c.Bool(jsonFlag) {
		return a.printIndented(usageLine{
			Storage: amountLine{u.Storage, l.Storage}, Egress: amountLine{u.Egress, l.Egress},
			Objects: amountLine{u.Objects, l.Objects}, Segments: amountLine{u.Segments, l.Segments},
			Buckets: amountLine{u.Buckets, l.Buckets}, Rate: l.Rate, Burst: l.Burst,
		})
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	limit := func(n int64, show func(int64) string, none string) string {
		if n == 0 {
			return none
		}
		return show(n)
	}
	t := screen.NewTable(a.out, "WHAT", "USED", "LIMIT")
	t.Row("storage", screen.Bytes(u.Storage), limit(l.Storage, screen.Bytes, "none"))
	t.Row("egress this month", screen.Bytes(u.Egress), limit(l.Egress, screen.Bytes, "none"))
	t.Row("objects", number(u.Objects), limit(l.Objects, number, "none"))
	t.Row("segments", number(u.Segments), limit(l.Segments, number, "none"))
	t.Row("buckets", number(u.Buckets), limit(l.Buckets, number, number(metainfo.MaxBuckets)))
	t.Row("requests a second", "", limit(l.Rate, number, "the satellite's"))
	t.Row("requests at once", "", limit(l.Burst, number, "the satellite's"))
	return t.Flush()
}
