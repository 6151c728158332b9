package command

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/netx/rpc"
	"storj/roles/command/screen"
	"storj/roles/satellite/repair"
)

func (a *app) withRepair(c *cli.Context, work func(ctx context.Context, client *repair.Client) error) error {
	return a.withPool(c, func(ctx context.Context, pool *rpc.Pool, satellite netx.NodeURL) error {
		return work(ctx, repair.NewClient(pool, satellite))
	})
}

func (a *app) satelliteRepairCommand() *cli.Command {
	return &cli.Command{
		Name: "repair", Usage: "show what is being repaired, or repair one segment now",
		Subcommands: []*cli.Command{
			{
				Name: "status", Usage: "show the queue, what is being repaired and what cannot be",
				UsageText: "storj satellite repair status\nstorj satellite repair status --json",
				Flags:     adminFlags(jsonOutput()),
				Action: func(c *cli.Context) error {
					if _, err := arguments(c, 0, 0); err != nil {
						return err
					}
					return a.withRepair(c, func(ctx context.Context, client *repair.Client) error {
						status, err := client.Status(ctx)
						if err != nil {
							return err
						}
						return a.showRepair(c, status)
					})
				},
			},
			{
				Name: "segment", Usage: "repair one segment now, whatever the queue says",
				ArgsUsage: "STREAM [PART/INDEX]",
				UsageText: "storj satellite repair segment 8f3a…  0/2",
				Flags:     adminFlags(jsonOutput()),
				Action:    a.repairSegment,
			},
		},
	}
}

// repairJSON is what status prints with --json.
type repairJSON struct {
	Checked     *time.Time          `json:"checked,omitempty"`
	Segments    int64               `json:"segments"`
	Below       int64               `json:"segments_below_optimal"`
	Queue       []repairQueueJSON   `json:"queue"`
	Waiting     int64               `json:"waiting"`
	Running     []repairSegmentJSON `json:"running"`
	Today       map[string]int64    `json:"today"`
	Irreparable []repairSegmentJSON `json:"irreparable"`
	Lost        int64               `json:"irreparable_count"`
	Damaged     int64               `json:"damaged_pieces"`
	WaitSecs    float64             `json:"mean_wait_seconds"`
	Read        int64               `json:"bytes_read"`
	Written     int64               `json:"bytes_written"`
}

type repairQueueJSON struct {
	Reason string    `json:"reason"`
	Count  int64     `json:"count"`
	Oldest time.Time `json:"oldest"`
}

type repairSegmentJSON struct {
	Stream   string    `json:"stream"`
	Position string    `json:"position"`
	Reason   string    `json:"reason"`
	Healthy  int64     `json:"healthy,omitempty"`
	Required int64     `json:"required,omitempty"`
	Size     int64     `json:"size,omitempty"`
	Since    time.Time `json:"since"`
}

func newRepairJSON(s *repair.Status) repairJSON {
	lines := func(list []repair.SegmentLine) []repairSegmentJSON {
		out := make([]repairSegmentJSON, len(list))
		for i, l := range list {
			out[i] = repairSegmentJSON{l.Stream.String(), l.Position.String(), l.Reason, l.Healthy, l.Required, l.Size, l.Since.UTC()}
		}
		return out
	}
	j := repairJSON{
		Segments: s.Segments, Below: s.Below, Queue: []repairQueueJSON{}, Waiting: s.Waiting, Running: lines(s.Running),
		Today: make(map[string]int64), Irreparable: lines(s.Irreparable), Lost: s.Lost, Damaged: s.Damaged,
		WaitSecs: s.MeanWait.Seconds(), Read: s.Read, Written: s.Written,
	}
	if !s.Checked.IsZero() {
		checked := s.Checked.UTC()
		j.Checked = &checked
	}
	for _, q := range s.Queue {
		j.Queue = append(j.Queue, repairQueueJSON{q.Reason, q.Count, q.Oldest.UTC()})
	}
	for _, n := range s.Today {
		j.Today[n.Name] = n.Value
	}
	return j
}

func (a *app) showRepair(c *cli.Context, s *repair.Status) error {
	if c.Bool(jsonFlag) {
		return a.printIndented(newRepairJSON(s))
	}
	now := time.Now()
	t := screen.NewTable(a.out)
	checked := "not yet"
	if !s.Checked.IsZero() {
		checked = fmt.Sprintf("%s, %s, %d of them below optimal", screen.Ago(s.Checked, now), screen.Plural(s.Segments, "segment"), s.Below)
	}
	t.Row("checked", checked)
	t.Row("queue", queueInWords(s))
	t.Row("running", screen.Plural(int64(len(s.Running)), "segment"))
	var today []string
	for _, n := range s.Today {
		today = append(today, fmt.Sprintf("%d %s", n.Value, n.Name))
	}
	t.Row("today", orDash(strings.Join(today, ", ")))
	t.Row("moved", fmt.Sprintf("%s read, %s written since the start", screen.Bytes(s.Read), screen.Bytes(s.Written)))
	if s.Damaged > 0 {
		t.Row("damaged", screen.Plural(s.Damaged, "piece")+" reported by nodes and not yet replaced")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return a.showIrreparable(s)
}

func queueInWords(s *repair.Status) string {
	var parts []string
	for _, q := range s.Queue {
		parts = append(parts, fmt.Sprintf("%d %s (since %s)", q.Count, q.Reason, screen.Instant(q.Oldest)))
	}
	if len(parts) == 0 {
		return "empty"
	}
	text := strings.Join(parts, ", ")
	if s.Waiting > 0 {
		text += fmt.Sprintf("; %d wait for nodes or another attempt", s.Waiting)
	}
	return text
}

func (a *app) showIrreparable(s *repair.Status) error {
	if s.Lost == 0 {
		return nil
	}
	a.warn("%s cannot be rebuilt from the nodes in contact now:", screen.Plural(s.Lost, "segment"))
	t := screen.NewTable(a.out, "STREAM", "POSITION", "HEALTHY", "REQUIRED", "SIZE", "SINCE")
	for _, l := range s.Irreparable {
		t.Row(l.Stream.String(), l.Position.String(), fmt.Sprint(l.Healthy), fmt.Sprint(l.Required), screen.Bytes(l.Size), screen.Instant(l.Since))
	}
	return t.Flush()
}

// parsePlace reads STREAM [PART/INDEX].
func parsePlace(args []string) (at metabase.SegmentPlace, err error) {
	raw, err := hex.DecodeString(args[0])
	if err != nil || len(raw) != len(at.Stream) {
		return at, fmt.Errorf("%q is not a stream: one has %d hexadecimal digits", args[0], 2*len(at.Stream))
	}
	at.Stream = metainfo.StreamID(raw)
	if len(args) < 2 {
		return at, nil
	}
	part, index, found := strings.Cut(args[1], "/")
	if !found {
		part, index = "0", part
	}
	p, err := strconv.ParseUint(part, 10, 32)
	if err == nil {
		var i uint64
		i, err = strconv.ParseUint(index, 10, 32)
		at.Position = metainfo.Position{Part: uint32(p), Index: uint32(i)}
	}
	if err != nil {
		return at, fmt.Errorf("%q is not a position: it is PART/INDEX, such as 0/2", args[1])
	}
	return at, nil
}

func (a *app) repairSegment(c *cli.Context) error {
	args, err := arguments(c, 1, 2)
	if err != nil {
		return err
	}
	at, err := parsePlace(args)
	if err != nil {
		return err
	}
	return a.withRepair(c, func(ctx context.Context, client *repair.Client) error {
		r, err := client.Repair(ctx, at)
		if err != nil {
			return err
		}
		if c.Bool(jsonFlag) {
			err = a.printIndented(map[string]any{
				"outcome": r.Outcome, "reason": r.Reason, "healthy_before": r.Before, "healthy_after": r.After,
				"required": r.Required, "optimal": r.Optimal, "altered": nodeNames(r.Altered), "absent": nodeNames(r.Absent),
				"seconds": r.Took.Seconds(), "error": r.Error,
			})
		} else {
			a.printf("%s: %d healthy pieces before, %d now; %d rebuild it, %d are wanted (%s)\n",
				r.Outcome, r.Before, r.After, r.Required, r.Optimal, screen.Span(r.Took))
			for _, n := range r.Altered {
				a.printf("node %s sent something else than was stored\n", n.NodeID)
			}
			for _, n := range r.Absent {
				a.printf("node %s does not have its piece\n", n.NodeID)
			}
		}
		if err == nil && r.Error != "" {
			err = fmt.Errorf("repair segment: %s", screen.Printable(r.Error))
		}
		return err
	})
}

func nodeNames(list []repair.NodeName) []string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].NodeID.String()
	}
	return names
}

func (a *app) satelliteRebalanceCommand() *cli.Command {
	sub := func(name, usage string, do func(ctx context.Context, client *repair.Client) (*repair.RebalanceStatus, error)) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, UsageText: "storj satellite rebalance " + name, Flags: adminFlags(jsonOutput()), Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			return a.withRepair(c, func(ctx context.Context, client *repair.Client) error {
				status, err := do(ctx, client)
				if err != nil {
					return err
				}
				return a.showRebalance(c, status)
			})
		}}
	}
	return &cli.Command{
		Name: "rebalance", Usage: "spread old segments as the network of today allows",
		Description: "A segment keeps the redundancy that it was stored with. When the network has grown since, start\nreads such segments and stores them anew in the background, within a budget of bytes a second.",
		Subcommands: []*cli.Command{
			sub("status", "show how far it is", func(ctx context.Context, client *repair.Client) (*repair.RebalanceStatus, error) {
				return client.Rebalance(ctx)
			}),
			sub("start", "start it; it ends by itself", func(ctx context.Context, client *repair.Client) (*repair.RebalanceStatus, error) {
				return client.SetRebalance(ctx, true)
			}),
			sub("stop", "stop it; what was done stays", func(ctx context.Context, client *repair.Client) (*repair.RebalanceStatus, error) {
				return client.SetRebalance(ctx, false)
			}),
		},
	}
}

func (a *app) showRebalance(c *cli.Context, s *repair.RebalanceStatus) error {
	if c.Bool(jsonFlag) {
		return a.printIndented(map[string]any{
			"on": s.On, "auto": s.Auto, "started": s.Started.UTC(), "segments_done": s.Segments, "bytes_moved": s.Bytes,
			"segments_left": s.Waiting, "bytes_left": s.BytesLeft,
		})
	}
	state := "off"
	switch {
	case s.Auto:
		state = "always on, by setting"
	case s.On:
		state = "on since " + screen.Instant(s.Started)
	}
	t := screen.NewTable(a.out)
	t.Row("rebalance", state)
	t.Row("done", fmt.Sprintf("%s, %s moved", screen.Plural(s.Segments, "segment"), screen.Bytes(s.Bytes)))
	t.Row("left", fmt.Sprintf("%s of %s, as of the last pass", screen.Plural(s.Waiting, "segment"), screen.Bytes(s.BytesLeft)))
	return t.Flush()
}
