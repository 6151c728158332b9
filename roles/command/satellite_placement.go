package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"storj/netx"
	"storj/roles/command/screen"
	"storj/roles/satellite/overlay/owner"
	"storj/roles/satellite/placement"
)

// decide is the commands that take a node and say what became of it.
func (a *app) decide(
	c *cli.Context, done string, do func(ctx context.Context, o owner.Owner, node string) (netx.NodeID, error),
) error {
	node, _, err := nodeArgument(c, 0)
	if err != nil {
		return err
	}
	return a.withOwner(c, func(ctx context.Context, o owner.Owner) error {
		id, err := do(ctx, o, node)
		if err == nil {
			a.printf("%s %s\n", id, done)
		}
		return err
	})
}

func (a *app) nodesReinstateCommand() *cli.Command {
	return &cli.Command{
		Name: "reinstate", Usage: "take back quarantine, disqualification or exit of a node", ArgsUsage: "NODE",
		Description: "The node gets fresh scores. What it has lost in truth will show in audits again.",
		UsageText:   "storj satellite nodes reinstate 12Ab",
		Flags:       adminFlags(),
		Action: func(c *cli.Context) error {
			return a.decide(c, "reinstated", func(ctx context.Context, o owner.Owner, node string) (netx.NodeID, error) {
				return o.Reinstate(ctx, node)
			})
		},
	}
}

func (a *app) nodesForgiveCommand() *cli.Command {
	return &cli.Command{
		Name: "forgive", Usage: "give a node fresh scores: ends a suspension, and being offline too much", ArgsUsage: "NODE",
		UsageText: "storj satellite nodes forgive 12Ab",
		Flags:     adminFlags(),
		Action: func(c *cli.Context) error {
			return a.decide(c, "forgiven", func(ctx context.Context, o owner.Owner, node string) (netx.NodeID, error) {
				return o.Forgive(ctx, node)
			})
		},
	}
}

func (a *app) nodesDisqualifyCommand() *cli.Command {
	return &cli.Command{
		Name: "disqualify", Usage: "end a node's part in the network, until it is reinstated", ArgsUsage: "NODE",
		Description: "Its pieces do not count from now on, and are replaced on other nodes.",
		UsageText:   "storj satellite nodes disqualify 12Ab --reason 'stolen'",
		Flags:       adminFlags(&cli.StringFlag{Name: "reason", Usage: "`WORDS` that the node and you are shown"}),
		Action: func(c *cli.Context) error {
			return a.decide(c, "disqualified", func(ctx context.Context, o owner.Owner, node string) (netx.NodeID, error) {
				return o.Disqualify(ctx, node, c.String("reason"))
			})
		},
	}
}

func (a *app) nodesTagsCommand() *cli.Command {
	return &cli.Command{
		Name: "tags", Usage: "accept tags of a node, for placement rules", ArgsUsage: "NODE [NAME=VALUE]...",
		Description: `A node's owner gives it tags: storj node run --tag site=attic. In a network whose nodes join by token they are
accepted by themselves, unless the setting accept-tags says otherwise; in an open one, those that you accept here.
What was accepted for the node before and is not among them is not any more.`,
		UsageText: "storj satellite nodes tags 12Ab site=attic country=DE\nstorj satellite nodes tags 12Ab      # none",
		Flags:     adminFlags(),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 1, 1+16)
			if err != nil {
				return err
			}
			return a.withOwner(c, func(ctx context.Context, o owner.Owner) error {
				id, err := o.AcceptTags(ctx, args[0], args[1:])
				if err == nil {
					a.printf("%s has accepted: %s\n", id, orDash(strings.Join(args[1:], ", ")))
				}
				return err
			})
		},
	}
}

func (a *app) satellitePlacementCommand() *cli.Command {
	return &cli.Command{
		Name: "placement", Usage: "rules for which nodes may have the pieces of a bucket",
		Subcommands: []*cli.Command{a.placementListCommand(), a.placementSetCommand()},
	}
}

// ruleLine is what list prints for each with --json.
type ruleLine struct {
	Number     uint32   `json:"number"`
	Name       string   `json:"name"`
	Require    []string `json:"require"`
	Exclude    []string `json:"exclude"`
	DistinctBy string   `json:"distinct_by,omitempty"`
	MinSites   int      `json:"min_sites,omitempty"`
	Redundancy string   `json:"redundancy"`
	Domains    int64    `json:"domains"`
}

func (a *app) placementListCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Aliases: []string{"ls"}, Usage: "show the rules",
		UsageText: "storj satellite placement list",
		Flags:     adminFlags(jsonOutput()),
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			return a.withOwner(c, func(ctx context.Context, o owner.Owner) error {
				rules, err := o.Rules(ctx)
				if err != nil {
					return err
				}
				return a.showRules(c, rules)
			})
		},
	}
}

func (a *app) showRules(c *cli.Context, rules []owner.RuleReport) error {
	if c.Bool(jsonFlag) {
		lines := make([]ruleLine, len(rules))
		for i, r := range rules {
			lines[i] = ruleLine{
				r.Rule.Number, r.Rule.Name, orEmpty(r.Rule.Require), orEmpty(r.Rule.Exclude), r.Rule.DistinctBy, r.Rule.MinSites,
				r.Rule.Redundancy.String(), r.Domains,
			}
		}
		return a.printIndented(lines)
	}
	t := screen.NewTable(a.out, "NUMBER", "NAME", "NODES WITH", "WITHOUT", "SPREAD OVER", "REDUNDANCY", "DOMAINS NOW")
	for _, r := range rules {
		spread := "failure domains"
		if r.Rule.DistinctBy != "" {
			spread = r.Rule.DistinctBy
		}
		if r.Rule.MinSites > 0 {
			spread += fmt.Sprintf(", at least %d", r.Rule.MinSites)
		}
		t.Row(fmt.Sprint(r.Rule.Number), screen.Printable(r.Rule.Name), orDash(screen.Printable(strings.Join(r.Rule.Require, " "))),
			orDash(screen.Printable(strings.Join(r.Rule.Exclude, " "))), spread, r.Rule.Redundancy.String(), fmt.Sprint(r.Domains))
	}
	return t.Flush()
}

func (a *app) placementSetCommand() *cli.Command {
	return &cli.Command{
		Name: "set", Usage: "add a rule, or change the one of that name", ArgsUsage: "NAME",
		Description: `A rule holds for what is stored from now on in buckets that name it; repair moves the rest. "default" is the rule
of buckets that name none. Of several required tags with one name, a node needs one; of each name, one.`,
		UsageText: `storj satellite placement set europe --require country=DE --require country=FR
storj satellite placement set sites --distinct-by site --min-sites 3
storj satellite placement set default --exclude site=attic`,
		Flags: adminFlags(
			&cli.StringSliceFlag{Name: "require", Usage: "only nodes with the tag `NAME=VALUE`; repeatable"},
			&cli.StringSliceFlag{Name: "exclude", Usage: "no nodes with the tag `NAME=VALUE`; repeatable"},
			&cli.StringFlag{Name: "distinct-by", Usage: "spread the pieces of a segment evenly over the values of the tag `NAME`"},
			&cli.IntFlag{Name: "min-sites", Usage: "store nothing while fewer values of that tag have room"},
			&cli.StringFlag{Name: "redundancy", Value: "auto", Usage: "required/repair/optimal/total, such as 4/6/8/10"},
		),
		Action: func(c *cli.Context) error {
			name, _, err := nodeArgument(c, 0)
			if err != nil {
				return err
			}
			profile, err := placement.ParseProfile(c.String("redundancy"))
			if err != nil {
				return err
			}
			rule := placement.Rule{
				Name: name, Require: c.StringSlice("require"), Exclude: c.StringSlice("exclude"),
				DistinctBy: c.String("distinct-by"), MinSites: c.Int("min-sites"), Redundancy: profile,
			}
			return a.withOwner(c, func(ctx context.Context, o owner.Owner) error {
				saved, err := o.SetRule(ctx, rule)
				if err == nil {
					a.printf("rule %d, %s\n", saved.Number, saved.Name)
				}
				return err
			})
		},
	}
}
