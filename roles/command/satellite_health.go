package command

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/netx"
	"storj/netx/rpc"
	"storj/roles/command/screen"
	"storj/roles/satellite/durability"
)

// shownEvents and shownDomains are how many lines of each people see; --json has more.
const (
	shownEvents  = 15
	shownDomains = 5
)

func (a *app) satelliteHealthCommand() *cli.Command {
	return &cli.Command{
		Name: "health", Usage: "show how safe what is stored is, and what happened",
		Description: "The margin of a segment is how many more pieces it may lose before it cannot be rebuilt.",
		UsageText:   "storj satellite health\nstorj satellite health --json | jq .level",
		Flags:       adminFlags(jsonOutput()),
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			return a.withPool(c, func(ctx context.Context, pool *rpc.Pool, satellite netx.NodeURL) error {
				h, err := durability.Ask(ctx, pool, satellite)
				if err != nil {
					return err
				}
				if c.Bool(jsonFlag) {
					return a.printIndented(newHealthJSON(h))
				}
				return a.showHealth(h, time.Now())
			})
		},
	}
}

// healthJSON is what health prints with --json.
type healthJSON struct {
	Level     string           `json:"level"`
	Sentence  string           `json:"sentence"`
	At        *time.Time       `json:"counted_at,omitempty"`
	Segments  int64            `json:"segments"`
	Bytes     int64            `json:"bytes"`
	Lost      int64            `json:"segments_without_enough_pieces"`
	Margins   map[string]int64 `json:"segments_by_margin"`
	Domains   []domainJSON     `json:"worst_domains"`
	Annual    annualJSON       `json:"annual_loss"`
	Repair    repairJSON       `json:"repair"`
	Events    []eventJSON      `json:"events"`
	PassSecs  float64          `json:"pass_seconds"`
	PassFails []string         `json:"pass_failed"`
}

type domainJSON struct {
	Name   string `json:"name"`
	Tag    bool   `json:"tag"`
	Nodes  int64  `json:"nodes"`
	Lost   int64  `json:"segments_lost"`
	AtRisk int64  `json:"segments_at_risk"`
	Pieces int64  `json:"pieces"`
}

type annualJSON struct {
	Probability    float64 `json:"probability"`
	Segments       float64 `json:"expected_segments"`
	FailuresPerDay float64 `json:"node_failures_per_day"`
	NodesLost      int64   `json:"nodes_lost"`
	NodeDays       float64 `json:"node_days"`
	RepairSecs     float64 `json:"repair_seconds"`
}

type eventJSON struct {
	Time  time.Time `json:"time"`
	Last  time.Time `json:"last"`
	Count uint32    `json:"count"`
	Kind  string    `json:"kind"`
	Text  string    `json:"text"`
}

func newHealthJSON(h *durability.Health) healthJSON {
	j := healthJSON{
		Level: h.Level, Sentence: h.Sentence, Segments: h.Segments, Bytes: h.Bytes, Lost: h.Lost,
		Margins: make(map[string]int64), Domains: []domainJSON{}, Repair: newRepairJSON(&h.Repair), Events: []eventJSON{},
		PassSecs: h.PassTook.Seconds(), PassFails: []string{},
		Annual: annualJSON{
			h.Estimate.Probability, h.Estimate.Segments, h.Estimate.RatePerDay, h.Estimate.NodesLost, h.Estimate.NodeDays,
			h.Estimate.RepairTime.Seconds(),
		},
	}
	if !h.At.IsZero() {
		at := h.At.UTC()
		j.At = &at
	}
	for _, m := range h.Margins {
		j.Margins[fmt.Sprint(m.Margin)] = m.Segments
	}
	for _, d := range h.Domains {
		j.Domains = append(j.Domains, domainJSON(d))
	}
	for _, e := range h.Events {
		j.Events = append(j.Events, eventJSON{e.Time.UTC(), e.Last.UTC(), e.Count, string(e.Kind), e.Text})
	}
	for _, n := range h.PassFailed {
		j.PassFails = append(j.PassFails, n.Name)
	}
	return j
}

func (a *app) showHealth(h *durability.Health, now time.Time) error {
	a.printf("%s: %s.\n\n", h.Level, screen.Printable(h.Sentence))
	t := screen.NewTable(a.out)
	if !h.At.IsZero() {
		t.Row("stored", fmt.Sprintf("%s on nodes, %s, as of %s", screen.Plural(h.Segments, "segment"), screen.Bytes(h.Bytes), screen.Ago(h.At, now)))
		t.Row("margin", marginsInWords(h))
		for i, line := range worstInWords(h) {
			heading := ""
			if i == 0 {
				heading = "worst loss"
			}
			t.Row(heading, line)
		}
		t.Row("within a year", annualInWords(&h.Estimate))
	}
	t.Row("repair", queueInWords(&h.Repair))
	if h.Rebalance.On {
		t.Row("rebalance", fmt.Sprintf("%d segments done, %d left", h.Rebalance.Segments, h.Rebalance.Waiting))
	}
	for _, n := range h.PassFailed {
		t.Row("failed", screen.Printable(n.Name)+" did not finish the last pass over all segments: see the log")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(h.Events) == 0 {
		return nil
	}
	a.printf("\n")
	e := screen.NewTable(a.out, "WHEN", "WHAT")
	for _, event := range h.Events[:min(len(h.Events), shownEvents)] {
		text := screen.Printable(event.Text)
		if event.Count > 1 {
			text += fmt.Sprintf(" (%d times)", event.Count)
		}
		e.Row(screen.Instant(event.Last), text)
	}
	return e.Flush()
}

// marginsInWords gives the least margins one by one, and the others together.
func marginsInWords(h *durability.Health) string {
	const single = 4
	var parts []string
	if h.Lost > 0 {
		parts = append(parts, fmt.Sprintf("%d without enough pieces", h.Lost))
	}
	rest := int64(0)
	for i, m := range h.Margins {
		if i < single {
			parts = append(parts, fmt.Sprintf("%d with %d to spare", m.Segments, m.Margin))
		} else {
			rest += m.Segments
		}
	}
	if rest > 0 {
		parts = append(parts, fmt.Sprintf("%d with more", rest))
	}
	return orDash(strings.Join(parts, ", "))
}

// worstInWords says what the loss of the worst domains and tags would do. Single nodes that are alike are one line.
func worstInWords(h *durability.Health) (lines []string) {
	rest := h.Domains
	for len(rest) > 0 && len(lines) < shownDomains {
		d := rest[0]
		alike := 1
		for alike < len(rest) && single(d) && single(rest[alike]) && rest[alike].Lost == d.Lost && rest[alike].AtRisk == d.AtRisk {
			alike++
		}
		rest = rest[alike:]
		if len(lines) > 0 && d.Lost+d.AtRisk == 0 {
			break
		}
		name := screen.Printable(d.Name)
		switch {
		case alike > 1 && len(rest) == 0:
			name = fmt.Sprintf("any of %d nodes", alike)
		case alike == 2:
			name += ", or another like it,"
		case alike > 2:
			name = fmt.Sprintf("%s, or one of %d like it,", name, alike-1)
		case d.Nodes != 1:
			name += fmt.Sprintf(" (%s)", screen.Plural(d.Nodes, "node"))
		}
		lines = append(lines, fmt.Sprintf("if %s is lost: %s lost, %d at risk", name, screen.Plural(d.Lost, "segment"), d.AtRisk))
	}
	if len(lines) == 0 {
		lines = []string{"-"}
	}
	return lines
}

// single says whether a domain is nothing but a node.
func single(d durability.DomainLine) bool { return !d.Tag && d.Nodes == 1 }

// chanceInWords writes a probability as people say it.
func chanceInWords(p float64) string {
	const million, billion, trillion = 1e6, 1e9, 1e12
	switch one := 1 / p; {
	case p >= 0.01:
		return fmt.Sprintf("%.0f %%", p*100)
	case one < million:
		return fmt.Sprintf("one in %.0f", one)
	case one < billion:
		return fmt.Sprintf("one in %.0f million", one/million)
	case one < trillion:
		return fmt.Sprintf("one in %.0f billion", one/billion)
	}
	return "less than one in a trillion"
}

func annualInWords(e *durability.Estimate) string {
	years := 1 / math.Max(e.RatePerDay*365, 1e-9)
	return fmt.Sprintf("chance of losing anything at most %s, if nodes last %.0f years and repair takes %s", chanceInWords(e.Probability), years, screen.Span(e.RepairTime))
}
