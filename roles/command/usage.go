package command

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"storj/roles/command/screen"
	"storj/roles/uplink"
)

func (a *app) usageCommand() *cli.Command {
	return &cli.Command{
		Name: "usage", Usage: "show what the project uses, and what it may", Category: categoryBuckets,
		Description: "Of the whole project, all buckets and versions. What was stored is counted from time to time by the satellite.",
		UsageText:   "storj usage\nstorj usage --json",
		Flags:       []cli.Flag{jsonOutput(), &cli.BoolFlag{Name: "bytes", Aliases: []string{"b"}, Usage: "sizes in bytes"}},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
				u, err := p.Usage(ctx)
				if err != nil {
					return err
				}
				return a.showProjectUsage(c, u)
			})
		},
	}
}

// projectUsage is what --json prints of a project. Limits of 0 are none.
type projectUsage struct {
	Storage  int64         `json:"storage_bytes"`
	Objects  int64         `json:"objects"`
	Segments int64         `json:"segments"`
	Buckets  int64         `json:"buckets"`
	Egress   int64         `json:"egress_bytes"` // this calendar month, UTC
	Limits   projectLimits `json:"limits"`
}

type projectLimits struct {
	Storage  int64 `json:"storage_bytes"`
	Objects  int64 `json:"objects"`
	Segments int64 `json:"segments"`
	Buckets  int64 `json:"buckets"`
	Egress   int64 `json:"egress_bytes"`
	Rate     int64 `json:"requests_per_second"`
	Burst    int64 `json:"burst_requests"`
}

func (a *app) showProjectUsage(c *cli.Context, u *uplink.Usage) error {
	l := u.Limits
	if c.Bool(jsonFlag) {
		return a.printIndented(projectUsage{u.Storage, u.Objects, u.Segments, u.Buckets, u.Egress,
			projectLimits{l.Storage, l.Objects, l.Segments, l.Buckets, l.Egress, l.Rate, l.Burst}})
	}
	count := func(n int64) string { return fmt.Sprint(n) }
	size := func(n int64) string { return a.size(c, n) }
	t := screen.NewTable(a.out, "", "USED", "LIMIT")
	row := func(name string, used, limit int64, shown func(int64) string) {
		most := "none"
		if limit > 0 {
			most = fmt.Sprintf("%s (%d%% used)", shown(limit), int64(100*float64(used)/float64(limit)))
		}
		t.Row(name, shown(used), most)
	}
	row("storage", u.Storage, l.Storage, size)
	row("objects", u.Objects, l.Objects, count)
	row("segments", u.Segments, l.Segments, count)
	row("buckets", u.Buckets, l.Buckets, count)
	row("download this month", u.Egress, l.Egress, size)
	if l.Rate > 0 {
		t.Row("requests a second", "", fmt.Sprintf("%d, %d at once", l.Rate, l.Burst))
	}
	return t.Flush()
}
