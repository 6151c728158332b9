package command

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/netx"
	"storj/netx/rpc"
	"storj/roles/command/screen"
	"storj/roles/satellite/admin"
)

// withAdmin works on a satellite of this machine: over the wire while it runs, else on its database.
func (a *app) withAdmin(c *cli.Context, work func(ctx context.Context, adm admin.Admin) error) error {
	return a.onlineOrNot(c, func(ctx context.Context, pool *rpc.Pool, satellite netx.NodeURL) error {
		return work(ctx, admin.NewClient(pool, satellite))
	}, func(ctx context.Context, r *satelliteRole) error {
		id, err := r.identity()
		if err != nil {
			return err
		}
		return r.withDB(ctx, id, func(adm admin.Admin, _ netx.NodeURL) error { return work(ctx, adm) })
	})
}

// adminFlags are those of commands that ask or change a satellite.
func adminFlags(more ...cli.Flag) []cli.Flag {
	return append(more, settingFlags(&config.Satellite{}, "dir")...)
}

func (a *app) satelliteInviteCommand() *cli.Command {
	return &cli.Command{
		Name: "invite", Usage: "print a token by which nodes join",
		UsageText: "storj satellite invite > token.txt\nstorj satellite invite --uses 10 --expires 7d",
		Flags: adminFlags(
			&cli.IntFlag{Name: "uses", Value: 1, Usage: "how many nodes may join by it"},
			&cli.StringFlag{Name: "expires", Value: "24h", Usage: "valid until `TIME`: 24h, 7d, 2027-01-31"},
		),
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			now := time.Now()
			expires, err := parseExpiry(c.String("expires"), now)
			if err != nil {
				return err
			}
			return a.withAdmin(c, func(ctx context.Context, adm admin.Admin) error {
				token, err := adm.CreateToken(ctx, c.Int("uses"), expires.Sub(now))
				if err != nil {
					return err
				}
				a.printf("%s\n", token)
				a.errorLine("For %s, until %s. On the machine with the disk:\n\n  storj node run --join @FILE --capacity 500GB\n\nwith the token in FILE, or itself after --join.",
					screen.Plural(int64(c.Int("uses")), "node"), screen.Date(expires))
				return nil
			})
		},
	}
}

// statusLine is what status prints with --json.
type statusLine struct {
	URL        string   `json:"url"`
	Running    bool     `json:"running"`
	Version    string   `json:"version,omitempty"`
	UptimeSecs int64    `json:"uptime_seconds"`
	Projects   int64    `json:"projects"`
	Buckets    int64    `json:"buckets"`
	Objects    int64    `json:"objects"`
	Segments   int64    `json:"segments"`
	Bytes      int64    `json:"bytes"`
	Nodes      int64    `json:"nodes"`
	Online     int64    `json:"nodes_online"`
	Domains    int64    `json:"domains"`
	Redundancy string   `json:"redundancy"`
	Auto       bool     `json:"redundancy_auto"`
	DBBytes    int64    `json:"database_bytes"`
	Warnings   []string `json:"warnings"`
}

func (a *app) satelliteStatusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show how the satellite is",
		UsageText: "storj satellite status\nstorj satellite status --json",
		Flags:     adminFlags(jsonOutput()),
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			return a.withAdmin(c, func(ctx context.Context, adm admin.Admin) error {
				s, err := adm.Status(ctx)
				if err != nil {
					return err
				}
				return a.showSatelliteStatus(c, s)
			})
		},
	}
}

func (a *app) showSatelliteStatus(c *cli.Context, s *admin.Status) error {
	if c.Bool(jsonFlag) {
		warnings := s.Warnings
		if warnings == nil {
			warnings = []string{}
		}
		return a.printIndented(statusLine{
			URL: s.Satellite.String(), Running: s.Running, Version: s.Version, UptimeSecs: int64(s.Uptime.Seconds()),
			Projects: s.Projects, Buckets: s.Buckets, Objects: s.Objects, Segments: s.Segments, Bytes: s.Bytes,
			Nodes: s.Nodes, Online: s.Online, Domains: s.Domains, Redundancy: s.Redundancy, Auto: s.Auto,
			DBBytes: s.DBBytes, Warnings: warnings,
		})
	}
	state := "not running"
	if s.Running {
		state = "running for " + screen.Span(s.Uptime) + ", version " + s.Version
	}
	redundancy := s.Redundancy
	if s.Auto {
		redundancy += " (auto)"
	}
	t := screen.NewTable(a.out)
	t.Row("satellite", s.Satellite.String())
	t.Row("state", state)
	t.Row("nodes", fmt.Sprintf("%d online of %d, in %s", s.Online, s.Nodes, screen.Plural(s.Domains, "failure domain")))
	t.Row("redundancy", redundancy+": any "+firstPart(s.Redundancy)+" pieces give a segment back")
	t.Row("stored", fmt.Sprintf("%s in %s, %s, %s", screen.Bytes(s.Bytes), screen.Plural(s.Objects, "object"),
		screen.Plural(s.Segments, "segment"), screen.Plural(s.Buckets, "bucket")))
	t.Row("projects", fmt.Sprint(s.Projects))
	t.Row("database", screen.Bytes(s.DBBytes))
	if err := t.Flush(); err != nil {
		return err
	}
	for _, warning := range s.Warnings {
		a.warn("%s", warning)
	}
	return nil
}

// firstPart returns the number of pieces that are required.
func firstPart(redundancy string) string {
	for i, r := range redundancy {
		if r == '/' {
			return redundancy[:i]
		}
	}
	return redundancy
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
