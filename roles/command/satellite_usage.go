package command

import (
	"context"
	"encoding/csv"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"storj/metainfo"
	"storj/netx"
	"storj/netx/rpc"
	"storj/roles/command/screen"
	"storj/roles/satellite/accounting"
	"storj/roles/satellite/admin"
)

func (a *app) satelliteUsageCommand() *cli.Command {
	return &cli.Command{
		Name: "usage", Usage: "show what projects and nodes used in a month",
		Description: `Storage is in GB-months of 730 hours, of encrypted objects; for nodes, of pieces. Egress is what is paid for: the bytes of
objects that were asked for and that nodes have shown signed orders for. Waste is what nodes sent beyond that, because
more pieces are asked for than are needed. Nodes hand in their orders an hour or two late. Months are UTC.`,
		UsageText: "storj satellite usage\nstorj satellite usage --project main --month 2026-11 --csv",
		Flags: adminFlags(
			jsonOutput(),
			&cli.BoolFlag{Name: "csv", Usage: "print comma-separated values: a line for each bucket and each node"},
			&cli.StringFlag{Name: "project", Usage: "only this project: `NAME` or ID"},
			&cli.StringFlag{Name: "month", Usage: "`YEAR-MONTH`; else the present one"},
		),
		Action: a.satelliteUsage,
	}
}

// parseMonth returns the first instants of a month and of the one after it. An empty text is the month of now.
func parseMonth(text string, now time.Time) (from, to time.Time, err error) {
	from = time.Date(now.UTC().Year(), now.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	if text != "" {
		if from, err = time.Parse("2006-01", text); err != nil {
			return from, to, usageErrorf("%q is not a month like 2026-11", text)
		}
	}
	return from, from.AddDate(0, 1, 0), nil
}

func (a *app) satelliteUsage(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	if c.Bool("csv") && c.Bool(jsonFlag) {
		return usageError("--csv and --json exclude each other")
	}
	from, to, err := parseMonth(c.String("month"), time.Now())
	if err != nil {
		return err
	}
	return a.withPool(c, func(ctx context.Context, pool *rpc.Pool, url netx.NodeURL) error {
		projects, err := admin.NewClient(pool, url).ListProjects(ctx)
		if err != nil {
			return err
		}
		query := accounting.Query{From: from, To: to}
		names := make(map[metainfo.ProjectID]string)
		for _, p := range projects {
			names[p.ID] = p.Name
			if wanted := c.String("project"); wanted != "" && (p.Name == wanted || p.ID.String() == wanted) {
				query.Project = p.ID
			}
		}
		if c.String("project") != "" && query.Project == (metainfo.ProjectID{}) {
			return fmt.Errorf("%w: %s", metainfo.ErrProjectNotFound, c.String("project"))
		}
		report, err := accounting.NewClient(pool, url).Usage(ctx, query)
		if err != nil {
			return err
		}
		return a.showSatelliteUsage(c, report, names)
	})
}

func (a *app) showSatelliteUsage(c *cli.Context, report *accounting.Report, names map[metainfo.ProjectID]string) error {
	if report.Cut {
		a.warn("there is more than one report holds: ask for one project at a time")
	}
	switch {
	case c.Bool(jsonFlag):
		return a.printIndented(newUsageReport(report, names))
	case c.Bool("csv"):
		return a.usageCSV(report, names)
	}
	tallied := "not yet"
	if !report.Tallied.IsZero() {
		tallied = screen.Ago(report.Tallied, time.Now())
	}
	a.printf("%s, counted last: %s\n\n", report.From.Format("January 2006"), tallied)
	t := screen.NewTable(a.out, "PROJECT", "BUCKET", "STORED NOW", "OBJECTS", "SEGMENTS", "GB-MONTHS", "EGRESS", "WASTE")
	for _, b := range report.Buckets {
		t.Row(projectName(names, b.Project), b.Bucket, screen.Bytes(b.Stored), fmt.Sprint(b.Objects), fmt.Sprint(b.Segments),
			gbMonths(b.ByteHours), screen.Bytes(b.Billed), screen.Bytes(b.Waste))
	}
	if err := t.Flush(); err != nil || len(report.Nodes) == 0 {
		return err
	}
	a.printf("\n")
	t = screen.NewTable(a.out, "NODE", "GB-MONTHS", "EGRESS", "AUDIT", "REPAIR")
	for _, n := range report.Nodes {
		t.Row(n.Node.Short(), gbMonths(n.ByteHours), screen.Bytes(n.Get), screen.Bytes(n.Audit), screen.Bytes(n.Repair))
	}
	return t.Flush()
}

func projectName(names map[metainfo.ProjectID]string, id metainfo.ProjectID) string {
	if name := names[id]; name != "" {
		return screen.Printable(name)
	}
	return id.String()[:8]
}

// gbMonths writes byte-hours in thousandths of a GB-month of 730 hours, without a float.
func gbMonths(byteHours int64) string {
	const hoursOfMonth = 730
	thousandths := byteHours / hoursOfMonth / 1_000_000
	return fmt.Sprintf("%d.%03d", thousandths/1000, thousandths%1000)
}

// usageReport is what usage prints with --json.
type usageReport struct {
	From    time.Time         `json:"from"`
	To      time.Time         `json:"to"`
	Tallied *time.Time        `json:"tallied,omitempty"`
	Buckets []bucketUsageLine `json:"buckets"`
	Nodes   []nodeUsageLine   `json:"nodes"`
}

type bucketUsageLine struct {
	Project      string `json:"project"`
	Name         string `json:"project_name,omitempty"`
	Bucket       string `json:"bucket"`
	ByteHours    int64  `json:"byte_hours"`
	ObjectHours  int64  `json:"object_hours"`
	SegmentHours int64  `json:"segment_hours"`
	Billed       int64  `json:"egress_billed_bytes"`
	Asked        int64  `json:"egress_asked_bytes"`
	Settled      int64  `json:"egress_settled_bytes"`
	Allocated    int64  `json:"egress_allocated_bytes"`
	Inline       int64  `json:"egress_inline_bytes"`
	Waste        int64  `json:"egress_waste_bytes"`
	Uploaded     int64  `json:"uploaded_bytes"`
	UploadLimits int64  `json:"upload_allocated_bytes"`
	Stored       int64  `json:"stored_bytes"`
	Objects      int64  `json:"objects"`
	Segments     int64  `json:"segments"`
}

type nodeUsageLine struct {
	Node      string `json:"node"`
	ByteHours int64  `json:"byte_hours"`
	Get       int64  `json:"egress_bytes"`
	Audit     int64  `json:"audit_bytes"`
	Repair    int64  `json:"repair_bytes"`
	Orders    int64  `json:"orders"`
}

func newUsageReport(r *accounting.Report, names map[metainfo.ProjectID]string) usageReport {
	u := usageReport{From: r.From, To: r.To, Tallied: optionalTime(r.Tallied), Buckets: []bucketUsageLine{}, Nodes: []nodeUsageLine{}}
	for _, b := range r.Buckets {
		u.Buckets = append(u.Buckets, bucketUsageLine{
			b.Project.String(), names[b.Project], b.Bucket, b.ByteHours, b.ObjectHours, b.SegmentHours, b.Billed, b.Asked, b.Settled,
			b.Allocated, b.Inline, b.Waste, b.Uploaded, b.UploadLimits, b.Stored, b.Objects, b.Segments,
		})
	}
	for _, n := range r.Nodes {
		u.Nodes = append(u.Nodes, nodeUsageLine{n.Node.String(), n.ByteHours, n.Get, n.Audit, n.Repair, n.Orders})
	}
	return u
}

func (a *app) usageCSV(r *accounting.Report, names map[metainfo.ProjectID]string) error {
	w := csv.NewWriter(a.out)
	rows := [][]string{{"kind", "project", "project_name", "bucket", "node", "byte_hours", "egress_bytes", "waste_bytes", "audit_bytes", "repair_bytes"}}
	for _, b := range r.Buckets {
		rows = append(rows, []string{"bucket", b.Project.String(), names[b.Project], b.Bucket, "",
			fmt.Sprint(b.ByteHours), fmt.Sprint(b.Billed), fmt.Sprint(b.Waste), "", ""})
	}
	for _, n := range r.Nodes {
		rows = append(rows, []string{"node", "", "", "", n.Node.String(),
			fmt.Sprint(n.ByteHours), fmt.Sprint(n.Get), "", fmt.Sprint(n.Audit), fmt.Sprint(n.Repair)})
	}
	return w.WriteAll(rows)
}
