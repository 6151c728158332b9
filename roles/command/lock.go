package command

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"storj/roles/command/location"
	"storj/roles/command/screen"
	"storj/roles/uplink"
)

func (a *app) lockCommand() *cli.Command {
	return &cli.Command{
		Name: "lock", Usage: "protect versions of objects from being deleted", Category: categoryObjects,
		Description: `In a bucket with object lock (storj mb --lock, storj bucket lock). A retention protects a version until a time: of mode
governance, who may bypass it can still delete it; of mode compliance nobody can, nor make it shorter, not even the
satellite's owner through the program. A legal hold has no end until it is taken away.`,
		Subcommands: []*cli.Command{
			{
				Name: "show", Usage: "show what protects an object", ArgsUsage: "sj://BUCKET/KEY",
				UsageText: "storj lock show sj://papers/contract.pdf",
				Flags:     []cli.Flag{versionFlag(), jsonOutput()},
				Action: func(c *cli.Context) error {
					return a.withObject(c, func(ctx context.Context, p *uplink.Project, place location.Location) error {
						return a.lockShow(ctx, c, p, place)
					})
				},
			},
			{
				Name: "retain", Usage: "protect a version until a time", ArgsUsage: "sj://BUCKET/KEY",
				UsageText: `storj lock retain --until +30d sj://papers/contract.pdf
storj lock retain --mode compliance --until 2036-12-31 sj://papers/contract.pdf
storj lock retain --none --bypass-governance sj://papers/contract.pdf`,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "mode", Usage: "`MODE`: governance or compliance", Value: "governance"},
					&cli.StringFlag{Name: "until", Usage: "protected until `TIME`: +30d, 2036-12-31 or RFC 3339"},
					&cli.BoolFlag{Name: "none", Usage: "take the retention away"},
					bypassFlag(), versionFlag(),
				},
				Action: a.lockRetain,
			},
			{
				Name: "hold", Usage: "put a legal hold on a version, or take it away", ArgsUsage: "sj://BUCKET/KEY",
				UsageText: "storj lock hold sj://papers/contract.pdf\nstorj lock hold --off sj://papers/contract.pdf",
				Flags:     []cli.Flag{&cli.BoolFlag{Name: "off", Usage: "take it away"}, versionFlag()},
				Action: func(c *cli.Context) error {
					return a.withObject(c, func(ctx context.Context, p *uplink.Project, place location.Location) error {
						return p.SetLegalHold(ctx, place.Bucket, place.Key, !c.Bool("off"), &uplink.LockOptions{Version: c.String("version")})
					})
				},
			},
		},
	}
}

func bypassFlag() cli.Flag {
	return &cli.BoolFlag{
		Name: "bypass-governance", Aliases: []string{"bypass-governance-retention"},
		Usage: "in spite of a retention of mode governance; the access must permit it",
	}
}

// withObject opens the project for work on the one object that is the argument.
func (a *app) withObject(c *cli.Context, work func(ctx context.Context, p *uplink.Project, place location.Location) error) error {
	places, err := objectArguments(c, 1, 1)
	if err != nil {
		return err
	}
	return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
		return at(places[0], work(ctx, p, places[0]))
	})
}

// lockLine is what --json prints of a version's protection.
type lockLine struct {
	Key       string     `json:"key"`
	Version   string     `json:"version"`
	Mode      string     `json:"mode,omitempty"`
	Until     *time.Time `json:"until,omitempty"`
	LegalHold bool       `json:"legal_hold,omitempty"`
}

func (a *app) lockShow(ctx context.Context, c *cli.Context, p *uplink.Project, place location.Location) error {
	o, err := p.StatVersion(ctx, place.Bucket, place.Key, c.String("version"))
	if err != nil {
		return err
	}
	line := lockLine{Key: o.Key, Version: o.Version, Until: instant(o.Retention.Until), LegalHold: o.LegalHold}
	if o.Retention.Mode != uplink.NoRetention {
		line.Mode = o.Retention.Mode.String()
	}
	if c.Bool(jsonFlag) {
		return a.printJSON(line)
	}
	t := screen.NewTable(a.out)
	t.Row("version", o.Version)
	t.Row("retention", shownRetention(o.Retention))
	hold := "no"
	if o.LegalHold {
		hold = "yes"
	}
	t.Row("legal hold", hold)
	return t.Flush()
}

func shownRetention(r uplink.Retention) string {
	if r.Mode == uplink.NoRetention {
		return "none"
	}
	text := r.Mode.String() + " until " + screen.Instant(r.Until)
	if !r.Active(time.Now()) {
		text += " (over)"
	}
	return text
}

func (a *app) lockRetain(c *cli.Context) error {
	retention, err := retentionOf(c.String("mode"), c.String("until"), time.Now())
	switch {
	case err != nil:
		return err
	case c.Bool("none") && retention.Mode != uplink.NoRetention:
		return usageError("--none and --until exclude each other")
	case !c.Bool("none") && retention.Mode == uplink.NoRetention:
		return usageError("say until when: --until TIME, or --none to take the retention away")
	}
	return a.withObject(c, func(ctx context.Context, p *uplink.Project, place location.Location) error {
		return p.SetRetention(ctx, place.Bucket, place.Key, retention, &uplink.LockOptions{
			Version: c.String("version"), BypassGovernance: c.Bool("bypass-governance"),
		})
	})
}

// retentionOf reads mode and end of a retention; without an end it is none.
func retentionOf(mode, until string, now time.Time) (uplink.Retention, error) {
	end, err := parseExpiry(until, now)
	if err != nil || end.IsZero() {
		return uplink.Retention{}, err
	}
	m, err := retentionMode(mode)
	return uplink.Retention{Mode: m, Until: end}, err
}

func retentionMode(text string) (uplink.RetentionMode, error) {
	for _, mode := range []uplink.RetentionMode{uplink.Governance, uplink.Compliance} {
		if text == mode.String() {
			return mode, nil
		}
	}
	return uplink.NoRetention, usageErrorf("%q is no mode of retention: write governance or compliance", text)
}
