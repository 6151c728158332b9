package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/metainfo/metabase"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/command/screen"
	"storj/roles/satellite/admin"
	"storj/roles/satellite/audit"
	"storj/roles/satellite/overlay/owner"
)

// withOwner works on what the owner of a satellite of this machine decides about nodes: over the wire while it runs,
// else on its database.
func (a *app) withOwner(c *cli.Context, work func(ctx context.Context, o owner.Owner) error) error {
	return a.onlineOrNot(c, func(ctx context.Context, pool *rpc.Pool, satellite netx.NodeURL) error {
		return work(ctx, owner.NewClient(pool, satellite))
	}, func(ctx context.Context, r *satelliteRole) error {
		return r.withTables(ctx, func(db *metabase.DB) error {
			o, err := owner.Offline(ctx, db)
			if err != nil {
				return err
			}
			return work(ctx, o)
		})
	})
}

// nodeLine is what nodes prints for each with --json.
type nodeLine struct {
	ID          string    `json:"id"`
	Address     string    `json:"address"`
	Online      bool      `json:"online"`
	State       string    `json:"state"`
	Domain      string    `json:"domain,omitempty"`
	Version     string    `json:"version,omitempty"`
	Capacity    int64     `json:"capacity"`
	Used        int64     `json:"used"`
	Free        int64     `json:"free"`
	Joined      time.Time `json:"joined"`
	LastContact time.Time `json:"last_contact"`
}

func (a *app) satelliteNodesCommand() *cli.Command {
	return &cli.Command{
		Name: "nodes", Usage: "show the nodes of the network, and decide about them",
		UsageText: `storj satellite nodes
storj satellite nodes --json | jq '.[] | select(.online | not)'
storj satellite nodes show 12Ab
storj satellite nodes reinstate 12Ab`,
		Flags: adminFlags(jsonOutput()),
		Subcommands: []*cli.Command{
			a.nodesShowCommand(), a.nodesReinstateCommand(), a.nodesForgiveCommand(), a.nodesDisqualifyCommand(),
			a.nodesTagsCommand(),
		},
		Action: a.satelliteNodes,
	}
}

func (a *app) satelliteNodes(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	var nodes []admin.Node
	err := a.withAdmin(c, func(ctx context.Context, adm admin.Admin) (err error) {
		nodes, err = adm.ListNodes(ctx)
		return err
	})
	if err != nil {
		return err
	}
	states := make(map[netx.NodeID]pieces.State, len(nodes))
	err = a.withOwner(c, func(ctx context.Context, o owner.Owner) error {
		list, err := o.Standings(ctx)
		for _, s := range list {
			states[s.ID] = s.Standing.State
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.showNodes(c, nodes, states)
}

func (a *app) showNodes(c *cli.Context, nodes []admin.Node, states map[netx.NodeID]pieces.State) error {
	if c.Bool(jsonFlag) {
		lines := make([]nodeLine, len(nodes))
		for i, n := range nodes {
			lines[i] = nodeLine{
				n.ID.String(), n.Address, n.Online, states[n.ID].String(), n.Domain, n.Version, n.Capacity, n.Used, n.Free,
				n.Joined.UTC(), n.LastContact.UTC(),
			}
		}
		return a.printIndented(lines)
	}
	if len(nodes) == 0 {
		a.errorLine("no node has joined; `storj satellite invite` prints a token for one")
		return nil
	}
	t := screen.NewTable(a.out, "NODE", "STATE", "LAST CONTACT", "USED", "FREE", "CAPACITY", "DOMAIN", "VERSION", "ADDRESS")
	for _, n := range nodes {
		t.Row(n.ID.Short(), stateWords(n.Online, states[n.ID]), screen.Ago(n.LastContact, time.Now()), screen.Bytes(n.Used),
			screen.Bytes(n.Free), screen.Bytes(n.Capacity), orDash(screen.Printable(n.Domain)),
			orDash(screen.Printable(n.Version)), screen.Printable(n.Address))
	}
	return t.Flush()
}

// stateWords is whether a node is there, and what else there is to say.
func stateWords(online bool, state pieces.State) string {
	words := "offline"
	if online {
		words = "online"
	}
	if state == pieces.Healthy || state == pieces.Offline && !online {
		return words
	}
	if state == pieces.Offline {
		return words + ", often away"
	}
	return words + ", " + state.String()
}

// nodeArgument returns the one argument, an ID or the beginning of one.
func nodeArgument(c *cli.Context, more int) (node string, rest []string, err error) {
	args, err := arguments(c, 1, 1+more)
	if err != nil {
		return "", nil, err
	}
	return args[0], args[1:], nil
}

func (a *app) nodesShowCommand() *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "show what is known of a node: scores, state, reason, evidence", ArgsUsage: "NODE",
		Description: "NODE is the node's ID, or a beginning of it that no other node's ID has.",
		UsageText:   "storj satellite nodes show 12Ab\nstorj satellite nodes show 12Ab --json",
		Flags:       adminFlags(jsonOutput()),
		Action: func(c *cli.Context) error {
			node, _, err := nodeArgument(c, 0)
			if err != nil {
				return err
			}
			return a.withOwner(c, func(ctx context.Context, o owner.Owner) error {
				report, err := o.ShowNode(ctx, node)
				if err != nil {
					return err
				}
				if c.Bool(jsonFlag) {
					return a.printIndented(reportLine(report))
				}
				return a.showNode(report)
			})
		},
	}
}

// showNode prints a report for people.
func (a *app) showNode(n *owner.NodeReport) error {
	now := time.Now()
	s := &n.Standing
	t := screen.NewTable(a.out)
	t.Row("node", n.ID.String())
	t.Row("state", stateWords(n.Online, s.State)+", since "+screen.Ago(s.Since, now))
	if s.Reason != "" {
		t.Row("reason", screen.Printable(s.Reason))
	}
	t.Row("audits", fmt.Sprintf("score %.3f: %d asked, %d failed%s", s.AuditScore, n.Audits, n.Failures, watchWords(n)))
	t.Row("answers", fmt.Sprintf("score %.3f", s.UnknownScore))
	t.Row("online", fmt.Sprintf("score %.3f; missed after %s away", s.OnlineScore, screen.Span(n.Patience)))
	t.Row("pieces", fmt.Sprintf("%d by the last count", n.Pieces))
	t.Row("space", fmt.Sprintf("%s used, %s free of %s", screen.Bytes(n.Used), screen.Bytes(n.Free), screen.Bytes(n.Capacity)))
	t.Row("address", screen.Printable(n.Address))
	t.Row("domain", orDash(screen.Printable(n.Domain)))
	t.Row("tags", tagWords(n))
	t.Row("version", orDash(screen.Printable(n.Version)))
	t.Row("last contact", screen.Ago(n.LastContact, now))
	t.Row("joined", screen.Date(n.Joined))
	for _, fault := range n.Faults {
		t.Row("fault", screen.Printable(fault))
	}
	if err := t.Flush(); err != nil || len(n.Evidence) == 0 {
		return err
	}
	a.printf("\n")
	t = screen.NewTable(a.out, "WHEN", "VERDICT", "PIECE", "ASKED FOR", "WHAT CAME")
	for _, e := range n.Evidence {
		t.Row(screen.Ago(e.Time, now), e.Verdict.String(), e.Piece.String()[:12], askedWords(&e), screen.Printable(e.Text))
	}
	return t.Flush()
}

func watchWords(n *owner.NodeReport) string {
	if n.Watched {
		return "; looked at closely"
	}
	return ""
}

func tagWords(n *owner.NodeReport) string {
	if len(n.Tags) == 0 {
		return "-"
	}
	believed := make(map[string]bool)
	for _, tag := range n.Believed {
		believed[tag] = true
	}
	words := make([]string, len(n.Tags))
	for i, tag := range n.Tags {
		words[i] = screen.Printable(tag)
		if !believed[tag] {
			words[i] += " (not accepted)"
		}
	}
	return strings.Join(words, ", ")
}

func askedWords(e *audit.Evidence) string {
	return fmt.Sprintf("%s at %d", screen.Bytes(e.Length), e.Offset)
}

// evidenceLine and nodeReportLine are what show prints with --json.
type evidenceLine struct {
	Time     time.Time `json:"time"`
	Verdict  string    `json:"verdict"`
	Piece    string    `json:"piece"`
	Stream   string    `json:"stream"`
	Position string    `json:"position"`
	Number   int       `json:"number"`
	Offset   int64     `json:"offset"`
	Length   int64     `json:"length"`
	TookMS   int64     `json:"took_ms"`
	Text     string    `json:"text,omitempty"`
}

type nodeReportLine struct {
	nodeLine
	Since        time.Time      `json:"since"`
	Reason       string         `json:"reason,omitempty"`
	AuditScore   float64        `json:"audit_score"`
	UnknownScore float64        `json:"unknown_score"`
	OnlineScore  float64        `json:"online_score"`
	Audits       int64          `json:"audits"`
	Failures     int64          `json:"audits_failed"`
	Watched      bool           `json:"watched"`
	Pieces       int64          `json:"pieces"`
	PatienceSecs int64          `json:"patience_seconds"`
	Vetted       bool           `json:"vetted"`
	Tags         []string       `json:"tags"`
	Believed     []string       `json:"tags_believed"`
	Faults       []string       `json:"faults"`
	Evidence     []evidenceLine `json:"evidence"`
}

func reportLine(n *owner.NodeReport) nodeReportLine {
	s := &n.Standing
	line := nodeReportLine{
		nodeLine: nodeLine{
			n.ID.String(), n.Address, n.Online, s.State.String(), n.Domain, n.Version, n.Capacity, n.Used, n.Free,
			n.Joined.UTC(), n.LastContact.UTC(),
		},
		Since: s.Since.UTC(), Reason: s.Reason, AuditScore: s.AuditScore, UnknownScore: s.UnknownScore,
		OnlineScore: s.OnlineScore, Audits: n.Audits, Failures: n.Failures, Watched: n.Watched, Pieces: n.Pieces,
		PatienceSecs: int64(n.Patience.Seconds()), Vetted: s.Vetted,
		Tags: orEmpty(n.Tags), Believed: orEmpty(n.Believed), Faults: orEmpty(n.Faults), Evidence: []evidenceLine{},
	}
	for _, e := range n.Evidence {
		line.Evidence = append(line.Evidence, evidenceLine{
			e.Time.UTC(), e.Verdict.String(), e.Piece.String(), e.Stream.String(), e.Position.String(), e.Number, e.Offset,
			e.Length, e.Took.Milliseconds(), e.Text,
		})
	}
	return line
}

// orEmpty is for JSON: a list that is empty is still a list.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
