package command

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/pieces"
	"storj/roles/command/screen"
	"storj/roles/storagenode"
)

func (a *app) nodeStatusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show how the running node is, and what its satellites think of it",
		UsageText: "storj node status\nstorj node status --json",
		Flags:     nodeFlags(jsonOutput()),
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
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
			if c.Bool(jsonFlag) {
				return a.printIndented(status)
			}
			return a.showNodeStatus(status)
		},
	}
}

// nodeFlags are those of commands that ask a running node.
func nodeFlags(more ...cli.Flag) []cli.Flag {
	return append(more, settingFlags(&config.Node{}, "dir")...)
}

// nodeDir finds the directory of a node that was set up.
func (a *app) nodeDir(c *cli.Context) (string, error) {
	r, err := a.loadNode(c)
	if err != nil && !r.loaded.exists {
		return "", noNode(r.config.Dir)
	}
	return r.config.Dir, err
}

func (a *app) showNodeStatus(s *storagenode.Status) error {
	space, traffic := s.Space, s.Traffic
	t := screen.NewTable(a.out)
	t.Row("node", s.ID.String())
	t.Row("state", "running for "+screen.Span(s.Uptime())+", version "+s.Version)
	t.Row("address", s.Address)
	t.Row("space", fmt.Sprintf("%s used, %s free of %s",
		screen.Bytes(space.Used), screen.Bytes(space.Free), screen.Bytes(space.Capacity)))
	t.Row("", fmt.Sprintf("besides, %s trash and %s garbage", screen.Bytes(space.Trash), screen.Bytes(space.Garbage)))
	t.Row("traffic", fmt.Sprintf("%s in, %s out; %s, %s, %d refused", screen.Bytes(traffic.BytesIn), screen.Bytes(traffic.BytesOut),
		screen.Plural(traffic.Uploads, "upload"), screen.Plural(traffic.Downloads, "download"), traffic.Refused))
	t.Row("bandwidth", bandwidthText(s.Bandwidth))
	t.Row("scrub", scrubText(s.Scrub, s.Time))
	if s.Scrub.Pending > 0 {
		t.Row("", screen.Plural(s.Scrub.Pending, "damaged piece")+" to be reported")
	}
	if s.LostOrders > 0 {
		t.Row("orders", fmt.Sprintf("%d could not be kept: is the disk full?", s.LostOrders))
	}
	for _, id := range s.Forgetting {
		t.Row("deleting", "what was stored for "+id.String())
	}
	return errors.Join(t.Flush(), a.showSatellites(s), a.showStandings(s), a.showDirs(s.Dirs))
}

func bandwidthText(b storagenode.BandwidthStatus) string {
	text := "no limit"
	if b.Rate > 0 {
		text = config.Speed(b.Rate).String()
	}
	text += ", " + screen.Bytes(b.Used) + " this month"
	if b.Monthly > 0 {
		text += " of " + screen.Bytes(b.Monthly)
	}
	if b.Full {
		text += ": uploads are refused until it is over"
	}
	return text
}

func scrubText(s storagenode.ScrubStatus, now time.Time) string {
	if s.Every == 0 {
		return "off"
	}
	text := "everything is read once in " + config.Duration(s.Every).String()
	if !s.Started.IsZero() {
		text += fmt.Sprintf("; this pass: %s in %s read, %d damaged", screen.Bytes(s.Bytes), screen.Span(now.Sub(s.Started)), s.Found)
	}
	if !s.LastEnded.IsZero() {
		text += fmt.Sprintf("; the last ended %s: %s, %d damaged", screen.Ago(s.LastEnded, now), screen.Bytes(s.LastBytes), s.LastFound)
	}
	return text
}

func (a *app) showSatellites(s *storagenode.Status) error {
	a.printf("\n")
	t := screen.NewTable(a.out, "SATELLITE", "LAST CONTACT", "PIECES", "STORED", "TRASH", "CONTACT")
	for _, sat := range s.Satellites {
		state := "ok"
		if !sat.Reached {
			state = orDash(screen.Printable(sat.LastError))
		}
		t.Row(shortSatellite(sat.Satellite.String()), screen.Ago(sat.LastContact, s.Time), fmt.Sprint(sat.Pieces),
			screen.Bytes(sat.Bytes), screen.Bytes(sat.TrashBytes), state)
	}
	return t.Flush()
}

// showStandings shows what satellites think of the node, as far as they have answered.
func (a *app) showStandings(s *storagenode.Status) error {
	a.printf("\n")
	t := screen.NewTable(a.out, "SATELLITE", "STATE", "SINCE", "AUDITS", "UNKNOWN", "ONLINE", "GARBAGE", "UNSETTLED")
	for _, sat := range s.Satellites {
		if sat.LastContact.IsZero() {
			continue
		}
		st := sat.Standing
		t.Row(shortSatellite(sat.Satellite.String()), standingText(sat), dashDate(st.Since), score(st.AuditScore),
			score(st.UnknownScore), score(st.OnlineScore), garbageText(sat.Garbage, s.Time),
			fmt.Sprintf("%s, %s", screen.Plural(sat.Orders, "order"), screen.Bytes(sat.Ordered)))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, sat := range s.Satellites {
		name := shortSatellite(sat.Satellite.String())
		if reason := sat.Standing.Reason; reason != "" {
			a.printf("%s says: %s\n", name, screen.Printable(reason))
		}
		if !sat.Standing.Piece.IsZero() {
			a.printf("%s: the last audit that failed was about piece %s\n", name, sat.Standing.Piece)
		}
	}
	return nil
}

func standingText(sat storagenode.SatelliteStatus) string {
	text := sat.Standing.State.String()
	switch {
	case !sat.Exiting.IsZero() && sat.Standing.State == pieces.Exited:
		text += ": nothing is needed any more"
	case !sat.Exiting.IsZero():
		text += fmt.Sprintf(", leaving: %s left", screen.Plural(sat.Standing.PiecesLeft, "piece"))
	case !sat.Standing.Vetted:
		text += ", not vetted yet"
	}
	return text
}

// score shows a score of 0 to 1, or that there is none yet.
func score(value float64) string {
	if value == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", value*100)
}

func dashDate(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return screen.Date(t)
}

func garbageText(g storagenode.GarbageStatus, now time.Time) string {
	switch {
	case g.Waiting:
		return "being collected"
	case g.Applied.IsZero():
		return "-"
	}
	return fmt.Sprintf("%s %s", screen.Bytes(g.Bytes), screen.Ago(g.Applied, now))
}

func (a *app) showDirs(dirs []storagenode.DirStatus) error {
	a.printf("\n")
	t := screen.NewTable(a.out, "DIRECTORY", "USED", "FREE", "CAPACITY", "STATE")
	for _, d := range dirs {
		state := "ok"
		if d.Fault != "" {
			state = screen.Printable(d.Fault)
		}
		t.Row(d.Path, screen.Bytes(d.Used), screen.Bytes(d.Free), screen.Bytes(d.Capacity), state)
	}
	return t.Flush()
}
