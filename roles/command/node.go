package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/pieces"
	"storj/roles/command/accesses"
	"storj/roles/command/screen"
	"storj/roles/storagenode"
	"storj/roles/storagenode/bandwidth"
)

// joinVariable may hold the token of a node.
const joinVariable = "STORJ_NODE_JOIN"

func (a *app) nodeCommand() *cli.Command {
	return &cli.Command{
		Name: "node", Usage: "run a storage node: who keeps pieces for a satellite", Category: categoryRoles,
		Description: "All commands find the node by --dir, or STORJ_NODE_DIR, or in the user's data directory.",
		Subcommands: []*cli.Command{
			a.nodeRunCommand(), a.nodeStatusCommand(), a.nodeUsageCommand(), a.nodeCheckCommand(), a.nodeExitCommand(),
			a.nodeForgetCommand(), a.nodeDiskCommand(), a.nodeMoveCommand(), a.nodeConfigCommand(),
		},
	}
}

// nodeRole is what commands know of a node of this machine.
type nodeRole struct {
	config config.Node
	loaded loaded
}

func (a *app) loadNode(c *cli.Context) (*nodeRole, error) {
	var r nodeRole
	var err error
	r.loaded, err = a.loadRole(c, &r.config, &r.config.Dir, "node")
	return &r, err
}

func (r *nodeRole) disks() []storagenode.Disk {
	var disks []storagenode.Disk
	for _, d := range r.config.PieceDisks() {
		disks = append(disks, storagenode.Disk{Path: d.Path, Capacity: int64(d.Capacity)})
	}
	return disks
}

// ioRate is what compaction may do, as the node wants it: below 0 is no bound.
func (r *nodeRole) ioRate() int64 {
	if r.config.CompactSpeed == 0 {
		return -1
	}
	return int64(r.config.CompactSpeed)
}

func (r *nodeRole) bandwidth() bandwidth.Options {
	opts := bandwidth.Options{Rate: int64(r.config.Bandwidth), Monthly: int64(r.config.Monthly)}
	for _, h := range r.config.Hours() {
		opts.Schedule = append(opts.Schedule, bandwidth.Span{Start: h.Start, End: h.End, Rate: int64(h.Speed)})
	}
	return opts
}

func (a *app) nodeRunCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "start the node, until it is interrupted",
		Description: `The first start needs a token from the satellite's owner, and how much to store. The flags of that start are
remembered in the settings file; later starts need --dir at most. A second token joins a second satellite.`,
		UsageText: `storj node run --join @token.txt --capacity 500GB
storj node run --dir /mnt/disk/storj --join @token.txt --capacity 4TB --external-address node.example.org:28967
storj node run --join @token.txt --dir /mnt/a/storj --dir /mnt/b/storj --capacity 4TB
storj node run --join @token.txt --disks /mnt/a/storj=4TB --disks /mnt/b/storj=8TB
storj node run --bandwidth 20Mbit --schedule 23:00-08:00=full --monthly 2TB --tag site=attic
storj node run`,
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "join", Usage: "`TOKEN` of a satellite, or @FILE that holds it (or STORJ_NODE_JOIN)"},
			&cli.StringSliceFlag{Name: "dir", Usage: "directory of the identity, the settings file and pieces; " +
				"repeated, each further one takes pieces too, and as much as --capacity says"},
		}, slices.DeleteFunc(settingFlags(&config.Node{}), func(f cli.Flag) bool { return f.Names()[0] == "dir" })...),
		Action: a.nodeRun,
	}
}

func (a *app) nodeRun(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	r, err := a.loadNode(c)
	if err != nil {
		return err
	}
	tokens, err := a.joinTokens(c)
	if err != nil {
		return err
	}
	log, err := config.NewLogger(a.env.Stderr, r.config.Log, a.env.Environ)
	if err != nil {
		return err
	}
	now, err := a.rehearseClock()
	if err != nil {
		return err
	}
	node, err := storagenode.New(c.Context, storagenode.Options{
		Now: now,
		Dir: r.config.Dir, Disks: r.disks(), Reserve: int64(r.config.Reserve), RelaxedSync: r.config.RelaxedSync,
		Address: r.config.Address, ExternalAddress: r.config.ExternalAddress, Domain: r.config.Domain,
		DebugAddress: r.config.DebugAddress, Join: tokens, Version: a.env.Version.Version, Metrics: metrics.NewSet(), Log: log,
		Tags: r.config.Tags, Scrub: time.Duration(r.config.Scrub), IORate: r.ioRate(), Bandwidth: r.bandwidth(),
	})
	if err != nil {
		return err
	}
	if err := a.rememberNode(c, r); err != nil {
		return errors.Join(err, node.Close())
	}
	return errors.Join(node.Run(c.Context), node.Close())
}

// rememberNode writes the settings of the first start that came this far.
func (a *app) rememberNode(c *cli.Context, r *nodeRole) error {
	if !r.loaded.exists {
		return config.WriteFile(r.loaded.file, r.loaded.report)
	}
	flags := setFlags(c, &config.Node{})
	delete(flags, "dir")
	if len(flags) > 0 {
		a.warn("flags of this start are not remembered; %s has the settings", r.loaded.file)
	}
	return nil
}

// joinTokens reads the tokens of --join, or else of the environment. Errors: pieces.ErrToken.
func (a *app) joinTokens(c *cli.Context) ([]pieces.JoinToken, error) {
	texts := c.StringSlice("join")
	if variable := a.env.getenv(joinVariable); len(texts) == 0 && variable != "" {
		texts = []string{variable}
	}
	var tokens []pieces.JoinToken
	for _, text := range texts {
		if file, found := strings.CutPrefix(text, "@"); found {
			var err error
			if text, err = accesses.ReadGrant(file); err != nil { // a short text, like a grant
				return nil, fmt.Errorf("read join token: %w", err)
			}
		}
		token, err := pieces.ParseJoinToken(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, token)
	}
	return tokens, nil
}

func noNode(dir string) error {
	return &hintError{
		fmt.Errorf("there is no node in %s: %w", dir, storagenode.ErrNotRunning),
		"`storj node run --join TOKEN --capacity 500GB` makes one; --dir says where it is.",
	}
}

func (a *app) nodeCheckCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "read every byte of the node and look for damage",
		Description: "Works while the node runs and while it does not. It takes as long as reading the disk: hours for a large one.",
		UsageText:   "storj node check",
		Flags:       append([]cli.Flag{jsonOutput()}, settingFlags(&config.Node{}, "dir", "log-level")...),
		Action:      a.nodeCheck,
	}
}

func (a *app) nodeCheck(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	r, err := a.loadNode(c)
	if err != nil && !r.loaded.exists {
		return noNode(r.config.Dir)
	}
	if err != nil {
		return err
	}
	log, err := config.NewLogger(a.env.Stderr, r.config.Log, a.env.Environ)
	if err != nil {
		return err
	}
	started := time.Now()
	result, err := storagenode.Check(c.Context, storagenode.CheckOptions{
		Dir: r.config.Dir, Disks: r.disks(), Log: log,
	})
	if err != nil {
		return err
	}
	if c.Bool(jsonFlag) {
		err = a.printIndented(result)
	} else {
		a.showCheck(result, time.Since(started))
	}
	if err == nil && !result.OK() {
		err = fmt.Errorf("%w: %s, %s", pieces.ErrCorrupt, screen.Plural(result.DamagedCount, "damaged piece"), screen.Plural(result.FaultCount, "other fault"))
	}
	return err
}

func (a *app) showCheck(r *storagenode.CheckResult, span time.Duration) {
	a.printf("read %s, %s, in %s\n", screen.Plural(r.Pieces, "piece"), screen.Bytes(r.Bytes), screen.Span(span))
	for _, d := range r.Damaged {
		a.printf("damaged  %s  %s  %s\n", d.Piece, screen.Bytes(d.Size), screen.Date(d.Created))
	}
	for _, fault := range r.Faults {
		a.printf("fault    %s\n", fault)
	}
	if r.OK() {
		a.printf("no damage found\n")
	}
}

func (a *app) nodeConfigCommand() *cli.Command {
	return &cli.Command{
		Name: "config", Usage: "show the settings and where they are from",
		UsageText: "storj node config --show",
		Flags:     append([]cli.Flag{showFlag()}, settingFlags(&config.Node{})...),
		Action: func(c *cli.Context) error {
			r, err := a.loadNode(c)
			return errors.Join(a.showConfig(r.loaded), err)
		},
	}
}
