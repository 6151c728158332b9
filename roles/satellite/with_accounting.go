package satellite

import (
	"storj/ecenc"
	"storj/roles/satellite/accounting"
	"storj/roles/satellite/orders"
)

// openAccounting makes what the endpoint tells of what it hands out.
func (s *Satellite) openAccounting(signer *orders.Signer, secret ecenc.Key) {
	s.accounts = accounting.New(accounting.Options{
		DB: s.db, Satellite: s.opts.Identity.ID(), Secret: secret, OpenTag: signer.OpenBucketTag,
		Interval: s.opts.Tune.TallyInterval, Metrics: s.metrics, Log: s.opts.Log,
		MayDelete: func() error { return s.clock.MayDelete() }, // which is made later, before anything runs
	})
}

// addAccounting adds settlement and tallies.
func (s *Satellite) addAccounting() {
	s.accounts.Register(s.server)
	s.accounts.RegisterAdmin(s.server, s.opts.Identity.ID())
	s.segments.Add("accounting", s.accounts.NodeTally())
	s.group.Add("accounting", s.accounts)
}

// Accounting is what was moved and stored, for whom and by whom.
func (s *Satellite) Accounting() *accounting.Accounting { return s.accounts }
