package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/netx"
	"storj/pieces"
	"storj/roles/command/screen"
	"storj/roles/storagenode"
)

const yesFlag = "yes"

// findSatellite finds the satellite that a text means: an ID, its beginning, or an address. Errors: usage.
func findSatellite(s *storagenode.Status, text string) (storagenode.SatelliteStatus, error) {
	var found []storagenode.SatelliteStatus
	for _, sat := range s.Satellites {
		id := sat.Satellite.ID.String()
		if id == text || sat.Satellite.String() == text || sat.Satellite.Address == text || len(text) >= 4 && strings.HasPrefix(id, text) {
			found = append(found, sat)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return storagenode.SatelliteStatus{}, fmt.Errorf("%w: %q; `storj node status` shows the satellites", pieces.ErrUntrusted, text)
	}
	return storagenode.SatelliteStatus{}, usageErrorf("%q fits %d satellites: give more of the ID", text, len(found))
}

// withSatellite asks the running node for its state and finds the satellite of the first argument.
func (a *app) withSatellite(c *cli.Context, work func(dir string, sat storagenode.SatelliteStatus) error) error {
	args, err := arguments(c, 1, 1)
	if err != nil {
		return err
	}
	dir, err := a.nodeDir(c)
	if err != nil {
		return err
	}
	status, err := storagenode.ReadStatus(c.Context, dir)
	if err != nil {
		return err
	}
	sat, err := findSatellite(status, args[0])
	if err != nil {
		return err
	}
	return work(dir, sat)
}

func (a *app) nodeExitCommand() *cli.Command {
	return &cli.Command{
		Name: "exit", Usage: "leave a satellite for good: its pieces are moved to other nodes first", ArgsUsage: "SATELLITE",
		Description: `The node gets no new pieces of this satellite and goes on serving the old ones until they are moved away: leave it
running. How many are left is in 'storj node status' and in --status. When the state is exited, 'storj node
forget-satellite' deletes what is still stored. Until then --cancel takes it back.`,
		UsageText: "storj node exit 12CWYuqvX\nstorj node exit 12CWYuqvX --status\nstorj node exit 12CWYuqvX --cancel",
		Flags: nodeFlags(jsonOutput(),
			&cli.BoolFlag{Name: "cancel", Usage: "stay after all"},
			&cli.BoolFlag{Name: "status", Usage: "only show how far it is"}),
		Action: func(c *cli.Context) error {
			return a.withSatellite(c, func(dir string, sat storagenode.SatelliteStatus) error { return a.nodeExit(c, dir, sat) })
		},
	}
}

// exitLine is what exit prints with --json.
type exitLine struct {
	Satellite  netx.NodeID  `json:"satellite"`
	State      pieces.State `json:"state"`
	Exiting    time.Time    `json:"exiting,omitzero"`
	PiecesLeft int64        `json:"pieces_left"`
	Pieces     int64        `json:"pieces"`
	Bytes      int64        `json:"bytes"`
}

func (a *app) nodeExit(c *cli.Context, dir string, sat storagenode.SatelliteStatus) error {
	if c.Bool("status") || c.Bool(jsonFlag) {
		return a.showExit(c, sat)
	}
	if err := storagenode.Exit(c.Context, dir, sat.Satellite.ID, c.Bool("cancel")); err != nil {
		return err
	}
	if c.Bool("cancel") {
		a.tell(c, "The node stays with %s.", sat.Satellite.ID)
		return nil
	}
	a.tell(c, "The satellite is told. Leave the node running: `storj node exit %s --status` shows how far it is.", sat.Satellite.ID.Short())
	return nil
}

func (a *app) showExit(c *cli.Context, sat storagenode.SatelliteStatus) error {
	if c.Bool(jsonFlag) {
		return a.printJSON(exitLine{sat.Satellite.ID, sat.Standing.State, sat.Exiting, sat.Standing.PiecesLeft, sat.Pieces, sat.Bytes})
	}
	t := screen.NewTable(a.out)
	t.Row("satellite", sat.Satellite.String())
	t.Row("state", standingText(sat))
	if sat.Exiting.IsZero() {
		t.Row("leaving", "no")
	} else {
		t.Row("leaving", "since "+screen.Date(sat.Exiting))
	}
	t.Row("stored", fmt.Sprintf("%s, %s", screen.Plural(sat.Pieces, "piece"), screen.Bytes(sat.Bytes)))
	return t.Flush()
}

func (a *app) nodeForgetCommand() *cli.Command {
	return &cli.Command{
		Name: "forget-satellite", Usage: "end the relation to a satellite and delete everything stored for it", ArgsUsage: "SATELLITE",
		Description: `After 'storj node exit' is done this frees the disk. Before, it is refused unless --force is given: what is deleted is
lost to the satellite, which holds it against the node.`,
		UsageText: "storj node forget-satellite 12CWYuqvX\nstorj node forget-satellite 12CWYuqvX --yes",
		Flags: nodeFlags(&cli.BoolFlag{Name: yesFlag, Usage: "do not ask"},
			&cli.BoolFlag{Name: "force", Usage: "although the satellite still needs the pieces"}),
		Action: func(c *cli.Context) error {
			return a.withSatellite(c, func(dir string, sat storagenode.SatelliteStatus) error {
				question := fmt.Sprintf("Delete %s, %s, of satellite %s for good? [yes/no]",
					screen.Plural(sat.Pieces, "piece"), screen.Bytes(sat.Bytes), sat.Satellite.ID)
				if err := a.confirm(c, question); err != nil {
					return err
				}
				if err := storagenode.Forget(c.Context, dir, sat.Satellite.ID, c.Bool("force")); err != nil {
					return err
				}
				a.tell(c, "Forgotten. The disk is freed in the background; `storj node status` shows when it is done.")
				return nil
			})
		},
	}
}

// confirm asks unless --yes is given. Errors: usage when the answer is not yes.
func (a *app) confirm(c *cli.Context, question string) error {
	if c.Bool(yesFlag) {
		return nil
	}
	answer, err := a.ask(c.Context, question, "--yes")
	if err != nil {
		return err
	}
	if answer != "yes" && answer != "y" {
		return usageErrorf("nothing was done")
	}
	return nil
}

func (a *app) nodeDiskCommand() *cli.Command {
	return &cli.Command{
		Name: "disk", Usage: "what to do about a disk that is gone",
		Subcommands: []*cli.Command{{
			Name: "forget", Usage: "give a disk up that will not come back", ArgsUsage: "PATH",
			Description: `A disk that is only away comes back by itself when it is mounted again. This is for one that is lost: its directory is
taken out of the node. Pieces that its index still names are reported to the satellites and replaced without penalty;
what cannot be read any more they find missing by their audits, which costs the node some of its score.`,
			UsageText: "storj node disk forget /mnt/b/storj",
			Flags:     nodeFlags(jsonOutput(), &cli.BoolFlag{Name: yesFlag, Usage: "do not ask"}),
			Action:    a.nodeForgetDisk,
		}},
	}
}

func (a *app) nodeForgetDisk(c *cli.Context) error {
	args, err := arguments(c, 1, 1)
	if err != nil {
		return err
	}
	dir, err := a.nodeDir(c)
	if err != nil {
		return err
	}
	if err := a.confirm(c, fmt.Sprintf("Give up everything on %s for good? [yes/no]", args[0])); err != nil {
		return err
	}
	reply, err := storagenode.ForgetDisk(c.Context, dir, args[0])
	if err != nil {
		return err
	}
	if c.Bool(jsonFlag) {
		return a.printJSON(reply)
	}
	a.tell(c, "Given up. %s reported as lost to the satellites.", screen.Plural(reply.Reported, "piece"))
	return nil
}

func (a *app) nodeMoveCommand() *cli.Command {
	return &cli.Command{
		Name: "move-disk", Usage: "move what lies in one directory to another disk, while the node runs", ArgsUsage: "FROM TO",
		Description: `Everything is copied and read back; only for the last seconds uploads have to wait. Then the new directory takes the
place of the old one, for later starts too: the settings may go on naming the old path. Interrupted at any time, the old
directory stays the one that counts; give the command again and it goes on. The old files are left for you to delete.`,
		UsageText: "storj node move-disk /mnt/old/storj /mnt/new/storj",
		Flags:     nodeFlags(),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 2, 2)
			if err != nil {
				return err
			}
			dir, err := a.nodeDir(c)
			if err != nil {
				return err
			}
			shown := int64(-1)
			err = storagenode.MoveDisk(c.Context, dir, args[0], args[1], func(p storagenode.MoveProgress) {
				if percent := p.Bytes * 100 / max(p.Total, 1); p.Total > 0 && percent/10 != shown {
					shown = percent / 10
					a.errorLine("%s of %s copied", screen.Bytes(p.Bytes), screen.Bytes(p.Total))
				}
			})
			if err != nil {
				return err
			}
			a.tell(c, "Moved. What is left in %s can be deleted.", args[0])
			return nil
		},
	}
}

func (a *app) nodeUsageCommand() *cli.Command {
	return &cli.Command{
		Name: "usage", Usage: "show what was stored and moved in a month, as the node counted it",
		UsageText: "storj node usage\nstorj node usage --month 2026-11 --json",
		Flags:     nodeFlags(jsonOutput(), &cli.StringFlag{Name: "month", Usage: "`MONTH` to show: 2026-11; else this one"}),
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			month := c.String("month")
			if _, err := time.Parse("2006-01", month); err != nil && month != "" {
				return usageErrorf("--month wants a month like 2026-11, not %q", month)
			}
			dir, err := a.nodeDir(c)
			if err != nil {
				return err
			}
			usage, err := storagenode.ReadUsage(c.Context, dir, month)
			if err != nil {
				return err
			}
			if c.Bool(jsonFlag) {
				return a.printIndented(usage)
			}
			return a.showNodeUsage(usage)
		},
	}
}

func (a *app) showNodeUsage(u *storagenode.UsageReply) error {
	t := screen.NewTable(a.out, "DAY", "SATELLITE", "STORED (MEAN)", "IN", "IN FOR REPAIR", "OUT", "OUT FOR REPAIR", "AUDITS", "SETTLED")
	var sum storagenode.UsageDay
	for _, d := range u.Days {
		t.Row(d.Date, d.Satellite.Short(), screen.Bytes(d.ByteSeconds/86400), screen.Bytes(d.Put), screen.Bytes(d.PutRepair),
			screen.Bytes(d.Get), screen.Bytes(d.GetRepair), screen.Bytes(d.GetAudit), screen.Bytes(d.Settled))
		sum.ByteSeconds += d.ByteSeconds
		sum.Put += d.Put
		sum.PutRepair += d.PutRepair
		sum.Get += d.Get
		sum.GetRepair += d.GetRepair
		sum.GetAudit += d.GetAudit
		sum.Settled += d.Settled
	}
	const monthHours = 730
	t.Row(u.Month, "all", fmt.Sprintf("%s-months", screen.Bytes(sum.ByteSeconds/3600/monthHours)), screen.Bytes(sum.Put),
		screen.Bytes(sum.PutRepair), screen.Bytes(sum.Get), screen.Bytes(sum.GetRepair), screen.Bytes(sum.GetAudit), screen.Bytes(sum.Settled))
	return t.Flush()
}
