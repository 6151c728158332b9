package owner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"storj/metainfo/metabase"
	"storj/netx"
	"storj/pieces"
	"storj/roles/satellite/audit"
	"storj/roles/satellite/overlay"
	"storj/roles/satellite/placement"
	"storj/roles/satellite/reputation"
)

// Owner is what the owner asks and decides. A node is named by its ID or by a beginning of it that no other has.
type Owner interface {
	// Standings returns the standing of every node that ever joined, by ID.
	Standings(ctx context.Context) ([]NodeStanding, error)
	// ShowNode returns all that is known of a node. Errors: ErrNode, ErrAmbiguous.
	ShowNode(ctx context.Context, node string) (*NodeReport, error)
	// Reinstate gives a node a clean page. Errors: ErrNode, ErrAmbiguous.
	Reinstate(ctx context.Context, node string) (netx.NodeID, error)
	// Disqualify ends a node's part in the network. Errors: ErrNode, ErrAmbiguous.
	Disqualify(ctx context.Context, node, reason string) (netx.NodeID, error)
	// Forgive gives a node fresh scores. Errors: ErrNode, ErrAmbiguous.
	Forgive(ctx context.Context, node string) (netx.NodeID, error)
	// AcceptTags accepts tags of a node, and no others. Errors: ErrNode, ErrAmbiguous, ErrRule.
	AcceptTags(ctx context.Context, node string, tags []string) (netx.NodeID, error)
	// SetRule adds a placement rule or changes the one of its name. Errors: ErrRule.
	SetRule(ctx context.Context, rule placement.Rule) (*placement.Rule, error)
	// Rules returns all placement rules by number.
	Rules(ctx context.Context) ([]RuleReport, error)
}

// Reasons 370-374 of metainfo's range are this package's.
var (
	// ErrNode is returned for a node that never joined.
	ErrNode = netx.Sentinel(netx.NotFound, 370, "no such node has joined")
	// ErrAmbiguous is returned for the beginning of several nodes' IDs.
	ErrAmbiguous = netx.Sentinel(netx.Invalid, 371, "several nodes' IDs begin so")
	// ErrRule is returned for a placement rule or a tag that makes no sense.
	ErrRule = netx.Sentinel(netx.Invalid, 372, "placement rule or tag is not valid")
)

// Errors lists the sentinels of owner.
func Errors() []*netx.Error { return []*netx.Error{ErrNode, ErrAmbiguous, ErrRule} }

// NodeStanding is a node and what is thought of it.
type NodeStanding struct {
	ID       netx.NodeID
	Standing pieces.Standing
}

// NodeReport is all that is known of a node.
type NodeReport struct {
	ID          netx.NodeID
	Address     string
	Domain      string // named by its owner
	Version     string
	Capacity    int64 // bytes
	Used        int64
	Free        int64
	Joined      time.Time
	LastContact time.Time
	Online      bool
	Invited     bool     // it joined by a token
	Tags        []string // as its owner says
	Believed    []string // those that count
	Faults      []string // of its disks
	Standing    pieces.Standing
	Audits      int64
	Failures    int64
	Watched     bool
	Lied        bool
	Pieces      int64 // by the last complete pass since the satellite started
	Patience    time.Duration
	Evidence    []audit.Evidence // newest first
}

// RuleReport is a placement rule and what it has to choose from now.
type RuleReport struct {
	Rule    placement.Rule
	Domains int64 // failure domains that take pieces under it
}

// Options says what a Direct works on. Overlay may be one that does not run.
type Options struct {
	DB        *metabase.DB
	Overlay   *overlay.Overlay
	Directory *placement.Directory
	Book      *reputation.Book
}

// Direct is the Owner on the parts of a satellite.
type Direct struct{ opts Options }

var _ Owner = (*Direct)(nil)

// New returns an Owner. What it works on stays the caller's.
func New(opts Options) *Direct { return &Direct{opts: opts} }

// Offline returns an Owner on the database of a satellite that does not run.
func Offline(ctx context.Context, db *metabase.DB) (*Direct, error) {
	book, err := reputation.Open(ctx, db.Store(), reputation.Options{})
	if err != nil {
		return nil, err
	}
	directory := placement.NewDirectory(placement.Options{Standing: book.State})
	rules, err := placement.LoadRules(ctx, db.Store())
	if err != nil {
		return nil, err
	}
	directory.SetRules(rules)
	o := overlay.New(overlay.Options{DB: db, Directory: directory})
	if err := o.Load(ctx); err != nil {
		return nil, err
	}
	return New(Options{DB: db, Overlay: o, Directory: directory, Book: book}), nil
}

// Standings returns the standing of every node.
func (d *Direct) Standings(ctx context.Context) ([]NodeStanding, error) {
	rows, err := d.opts.DB.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]NodeStanding, len(rows))
	for i, row := range rows {
		list[i] = NodeStanding{row.ID, d.opts.Book.Standing(row.ID)}
	}
	return list, nil
}

// find returns the row of a node.
func (d *Direct) find(ctx context.Context, name string) (found metabase.Node, err error) {
	rows, err := d.opts.DB.Nodes(ctx)
	if err != nil {
		return found, err
	}
	matches := 0
	for _, row := range rows {
		if id := row.ID.String(); id == name {
			return row, nil
		} else if name != "" && strings.HasPrefix(id, name) {
			found = row
			matches++
		}
	}
	switch matches {
	case 0:
		return found, ErrNode
	case 1:
		return found, nil
	}
	return found, ErrAmbiguous
}

// maxShown is how much evidence is shown.
const maxShown = 20

// ShowNode returns all that is known of a node.
func (d *Direct) ShowNode(ctx context.Context, node string) (*NodeReport, error) {
	row, err := d.find(ctx, node)
	if err != nil {
		return nil, err
	}
	evidence, err := audit.ReadEvidence(ctx, d.opts.DB.Store(), row.ID, maxShown)
	if err != nil {
		return nil, err
	}
	record := d.opts.Book.Record(row.ID)
	_, online, _ := d.opts.Directory.Snapshot().Node(row.ID)
	report := &NodeReport{
		ID: row.ID, Address: row.Address, Domain: row.Domain, Version: row.Version, Capacity: row.Capacity,
		Used: row.Used, Free: row.Free, Joined: row.Joined, LastContact: row.LastContact, Online: online,
		Invited: row.Invited, Tags: row.Tags, Believed: d.opts.Overlay.Believed(&row), Faults: row.Faults,
		Standing: d.opts.Book.Standing(row.ID), Audits: int64(record.Audits), Failures: int64(record.Failures),
		Watched: record.Watched, Lied: record.Lied, Pieces: record.Pieces, Patience: d.opts.Book.Patience(row.ID),
		Evidence: evidence,
	}
	if live, known := d.opts.Directory.Get(row.ID); known {
		report.LastContact, report.Free = live.LastContact, live.Free
	}
	return report, nil
}

// Reinstate gives a node a clean page.
func (d *Direct) Reinstate(ctx context.Context, node string) (netx.NodeID, error) {
	row, err := d.find(ctx, node)
	if err != nil {
		return row.ID, err
	}
	return row.ID, d.opts.Book.Reinstate(ctx, row.ID)
}

// Disqualify ends a node's part in the network.
func (d *Direct) Disqualify(ctx context.Context, node, reason string) (netx.NodeID, error) {
	row, err := d.find(ctx, node)
	if err != nil {
		return row.ID, err
	}
	return row.ID, d.opts.Book.Disqualify(ctx, row.ID, reason)
}

// Forgive gives a node fresh scores.
func (d *Direct) Forgive(ctx context.Context, node string) (netx.NodeID, error) {
	row, err := d.find(ctx, node)
	if err != nil {
		return row.ID, err
	}
	return row.ID, d.opts.Book.Forgive(ctx, row.ID)
}

// AcceptTags accepts tags of a node.
func (d *Direct) AcceptTags(ctx context.Context, node string, tags []string) (netx.NodeID, error) {
	row, err := d.find(ctx, node)
	if err != nil {
		return row.ID, err
	}
	_, err = d.opts.Overlay.AcceptTags(ctx, row.ID, tags)
	return row.ID, asRule(err)
}

// SetRule adds or changes a placement rule; it holds for what is written from now on, and repair moves the rest.
func (d *Direct) SetRule(ctx context.Context, rule placement.Rule) (*placement.Rule, error) {
	saved, err := placement.SaveRule(ctx, d.opts.DB.Store(), rule)
	if err != nil {
		return nil, asRule(err)
	}
	rules, err := placement.LoadRules(ctx, d.opts.DB.Store())
	if err != nil {
		return nil, err
	}
	d.opts.Directory.SetRules(rules)
	return &saved, nil
}

// Rules returns all placement rules.
func (d *Direct) Rules(context.Context) ([]RuleReport, error) {
	rules := d.opts.Directory.Rules()
	snapshot := d.opts.Directory.Snapshot()
	list := make([]RuleReport, len(rules))
	for i, rule := range rules {
		list[i] = RuleReport{rule, int64(snapshot.DomainsFor(rule.Number))}
	}
	return list, nil
}

// asRule gives errors of rules and tags their place on the wire; their text stays with who runs in the same process.
func asRule(err error) error {
	switch {
	case errors.Is(err, placement.ErrRule), errors.Is(err, placement.ErrTag), errors.Is(err, placement.ErrProfile):
		return fmt.Errorf("%w: %w", ErrRule, err)
	case errors.Is(err, metabase.ErrNode):
		return ErrNode
	}
	return err
}
