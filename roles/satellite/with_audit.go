package satellite

import (
	"context"

	"storj/ecenc"
	"storj/netx"
	"storj/netx/rpc"
	"storj/roles/lifecycle"
	"storj/roles/satellite/audit"
	"storj/roles/satellite/events"
	"storj/roles/satellite/orders"
	"storj/roles/satellite/overlay/owner"
	"storj/roles/satellite/placement"
	"storj/roles/satellite/reputation"
)

// openReputation reads what is thought of nodes, which selection, the overlay, audit and repair ask for.
func (s *Satellite) openReputation(ctx context.Context) (err error) {
	s.book, err = reputation.Open(ctx, s.db.Store(), reputation.Options{
		Contacts: s.contacts, Interval: s.opts.Tune.CheckInInterval, SampleEvery: s.opts.Tune.SampleInterval,
		Quarantine: s.opts.Tune.Quarantine, Vetting: s.opts.OpenJoin,
		Changed: func([]netx.NodeID) { s.directory.Rebuild() },
		Event:   func(text string) { s.events.Add(events.Verdict, text) },
		Failed:  func(err error) { s.log.Warn().Err(err).Msg("reputation not written") },
	})
	return err
}

// contacts is what the directory knows of who is there.
func (s *Satellite) contacts() []reputation.Contact {
	nodes := s.directory.Nodes()
	list := make([]reputation.Contact, len(nodes))
	for i, n := range nodes {
		list[i] = reputation.Contact{Node: n.URL.ID, Last: n.LastContact, Gone: n.Unreachable || n.Leaving}
	}
	return list
}

// loadRules tells selection the placement rules.
func (s *Satellite) loadRules(ctx context.Context) error {
	rules, err := placement.LoadRules(ctx, s.db.Store())
	if err == nil {
		s.directory.SetRules(rules)
	}
	return err
}

// addAudit adds audits, and what the owner may ask of and decide about nodes.
func (s *Satellite) addAudit(ctx context.Context, signer *orders.Signer, secret ecenc.Key) (err error) {
	pool := rpc.NewPool(s.opts.Transport, rpc.PoolOptions{})
	s.group.Add("audit connections", lifecycle.Closer(pool.Close))
	s.auditor, err = audit.Open(ctx, audit.Options{
		DB: s.db, Store: s.db.Store(), Satellite: s.opts.Identity.ID(), Secret: secret, Limits: signer, Pool: pool,
		Directory: s.directory, Book: s.book, Suspect: s.overlay.Suspect,
		Event:  func(text string) { s.events.Add(events.Damage, text) },
		PerDay: s.opts.Tune.AuditsPerDay, Retry: s.opts.Tune.AuditRetry, Metrics: s.metrics, Log: s.opts.Log,
	})
	if err != nil {
		return err
	}
	s.segments.Add("audit", s.auditor.Observer())
	owner.Register(s.server, s.opts.Identity.ID(), owner.New(owner.Options{
		DB: s.db, Overlay: s.overlay, Directory: s.directory, Book: s.book,
	}))
	s.group.Add("reputation", s.book)
	s.group.Add("audit", s.auditor)
	s.bookMetrics()
	return nil
}

// bookMetrics counts nodes by state.
func (s *Satellite) bookMetrics() {
	for state := range reputation.States() {
		s.metrics.NewGauge(`storj_nodes_by_state{state="`+state.String()+`"}`, func() float64 {
			return float64(s.book.Count(state))
		})
	}
}

// Book is what the satellite thinks of its nodes.
func (s *Satellite) Book() *reputation.Book { return s.book }

// Auditor asks nodes for proofs.
func (s *Satellite) Auditor() *audit.Auditor { return s.auditor }
