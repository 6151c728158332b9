package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/netx"
	"storj/netx/rpc"
	"storj/roles/command/screen"
	"storj/roles/satellite/admin"
	"storj/roles/satellite/gc"
)

// restorePause is how long no garbage is collected after trash was restored: long enough to find out what was wrong.
const restorePause = 7 * 24 * time.Hour

func (a *app) satelliteGCCommand() *cli.Command {
	sub := func(name, usage string, flags []cli.Flag, work func(c *cli.Context, ctx context.Context, client *gc.Client) error) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, UsageText: "storj satellite gc " + name, Flags: adminFlags(flags...),
			Action: func(c *cli.Context) error {
				if _, err := arguments(c, 0, 0); err != nil {
					return err
				}
				return a.withPool(c, func(ctx context.Context, pool *rpc.Pool, url netx.NodeURL) error {
					return work(c, ctx, gc.NewClient(pool, url))
				})
			},
		}
	}
	return &cli.Command{
		Name: "gc", Usage: "show how far garbage collection is, or stop it for a time",
		Description: "Nodes learn what was deleted by filters of what is to be kept, made once a day. They keep trash for seven days.",
		Subcommands: []*cli.Command{
			sub("status", "show the filters and which nodes have taken them", []cli.Flag{jsonOutput()}, a.showGC),
			sub("pause", "make and send no filters for a time",
				[]cli.Flag{&cli.StringFlag{Name: "for", Value: "7d", Usage: "`SPAN` of time: 12h, 7d"}},
				func(c *cli.Context, ctx context.Context, client *gc.Client) error {
					now := time.Now()
					until, err := parseExpiry(c.String("for"), now)
					if err != nil {
						return err
					}
					return client.Pause(ctx, until.Sub(now))
				}),
			sub("resume", "end a pause", nil, func(_ *cli.Context, ctx context.Context, client *gc.Client) error {
				return client.Pause(ctx, 0)
			}),
		},
	}
}

// gcLine is what gc status prints with --json.
type gcLine struct {
	Built   *time.Time   `json:"filters_made,omitempty"`
	EveryS  int64        `json:"interval_seconds"`
	Paused  *time.Time   `json:"paused_until,omitempty"`
	Held    string       `json:"held,omitempty"`
	Waiting int64        `json:"filters_waiting"`
	Nodes   []gcNodeLine `json:"nodes"`
}

type gcNodeLine struct {
	Node    string     `json:"node"`
	Pieces  int64      `json:"pieces"`
	Bytes   int64      `json:"bytes"`
	Made    time.Time  `json:"made"`
	Sent    *time.Time `json:"sent,omitempty"`
	Problem string     `json:"problem,omitempty"`
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (a *app) showGC(c *cli.Context, ctx context.Context, client *gc.Client) error {
	s, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if c.Bool(jsonFlag) {
		line := gcLine{
			Built: optionalTime(s.Built), EveryS: int64(s.Every.Seconds()), Paused: optionalTime(s.Paused), Held: s.Held,
			Waiting: s.Waiting, Nodes: []gcNodeLine{},
		}
		for _, n := range s.Nodes {
			line.Nodes = append(line.Nodes, gcNodeLine{n.Node.String(), n.Pieces, n.Size, n.Made, optionalTime(n.Sent), n.Problem})
		}
		return a.printIndented(line)
	}
	now := time.Now()
	t := screen.NewTable(a.out)
	made := "never: the first pass over all segments only counts"
	if !s.Built.IsZero() {
		made = screen.Ago(s.Built, now)
	}
	t.Row("filters made", made)
	t.Row("again every", screen.Span(s.Every))
	t.Row("not yet sent", fmt.Sprint(s.Waiting))
	if s.Held != "" {
		t.Row("held", s.Held)
	}
	if err := t.Flush(); err != nil || len(s.Nodes) == 0 {
		return err
	}
	a.printf("\n")
	t = screen.NewTable(a.out, "NODE", "PIECES", "SIZE", "MADE", "TAKEN", "PROBLEM")
	for _, n := range s.Nodes {
		taken := "not yet"
		if !n.Sent.IsZero() {
			taken = screen.Ago(n.Sent, now)
		}
		t.Row(n.Node.Short(), fmt.Sprint(n.Pieces), screen.Bytes(n.Size), screen.Ago(n.Made, now), taken, orDash(screen.Printable(n.Problem)))
	}
	return t.Flush()
}

func (a *app) satelliteRestoreTrashCommand() *cli.Command {
	return &cli.Command{
		Name: "restore-trash", Usage: "have nodes take pieces out of their trash again", ArgsUsage: "[NODE...]",
		Description: `For the case that something was deleted that should not have been: nodes keep trash for seven days. Without NODE, all
nodes. A node may be named by the beginning of its ID. Garbage collection is paused for seven days, since the next
filter would put back what is still garbage; storj satellite gc resume ends that.`,
		UsageText: "storj satellite restore-trash\nstorj satellite restore-trash --since 2d 1aBcDeF2",
		Flags: adminFlags(
			&cli.StringFlag{Name: "since", Value: "8d", Usage: "only what was put there within this `SPAN` of time"},
			&cli.BoolFlag{Name: "no-pause", Usage: "do not pause garbage collection"},
		),
		Action: a.satelliteRestoreTrash,
	}
}

func (a *app) satelliteRestoreTrash(c *cli.Context) error {
	names, err := arguments(c, 0, -1)
	if err != nil {
		return err
	}
	now := time.Now()
	back, err := parseExpiry(c.String("since"), now)
	if err != nil {
		return err
	}
	since := now.Add(now.Sub(back))
	return a.withPool(c, func(ctx context.Context, pool *rpc.Pool, url netx.NodeURL) error {
		nodes, err := admin.NewClient(pool, url).ListNodes(ctx)
		if err != nil {
			return err
		}
		if nodes, err = chooseNodes(nodes, names); err != nil {
			return err
		}
		client := gc.NewClient(pool, url)
		if !c.Bool("no-pause") {
			if err := client.Pause(ctx, restorePause); err != nil {
				return err
			}
		}
		var failed error
		for _, n := range nodes {
			count, err := client.RestoreTrash(ctx, n.ID, since)
			if err != nil {
				a.warn("%s: %v", n.ID.Short(), err)
				failed = errors.Join(failed, err)
				continue
			}
			a.printf("%s  %s\n", n.ID.Short(), screen.Plural(count, "piece"))
		}
		return failed
	})
}

// chooseNodes returns the nodes whose IDs begin with the names; all without names.
func chooseNodes(nodes []admin.Node, names []string) ([]admin.Node, error) {
	if len(names) == 0 {
		return nodes, nil
	}
	var chosen []admin.Node
	for _, name := range names {
		matching := slices.DeleteFunc(slices.Clone(nodes), func(n admin.Node) bool { return !strings.HasPrefix(n.ID.String(), name) })
		if len(matching) != 1 {
			return nil, usageErrorf("%q is the beginning of %s", name, screen.Plural(int64(len(matching)), "node ID"))
		}
		chosen = append(chosen, matching[0])
	}
	return chosen, nil
}
