package satellite

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv/memkv"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/overlay"
	"storj/roles/satellite/overlay/owner"
	"storj/roles/satellite/placement"
	"storj/roles/satellite/reputation"
)

// tell checks in with what change makes of a report, as nodes may do every now and then.
func (p *peer) tell(change func(*pieces.CheckIn)) (*pieces.CheckInReply, error) {
	time.Sleep(time.Minute)
	report := p.report()
	if change != nil {
		change(report)
	}
	return p.checkIn(report)
}

func (w *world) policy(text string) overlay.TagPolicy {
	w.Helper()
	policy, err := overlay.ParseTagPolicy(text)
	if err != nil {
		w.Fatal(err)
	}
	return policy
}

// TestTagsAreBelieved goes through who believes which tags and domain names.
func TestTagsAreBelieved(t *testing.T) {
	tests := []struct {
		policy  string
		open    bool // and the node was not invited
		tags    string
		domains int // of two nodes that name the same one
	}{
		{policy: "", tags: "country=DE site=attic", domains: 1},
		{policy: "all", tags: "country=DE site=attic", domains: 1},
		{policy: "none", tags: "", domains: 1},
		{policy: "site,rack", tags: "site=attic", domains: 1},
		{policy: "", open: true, tags: "", domains: 2},
		{policy: "all", open: true, tags: "country=DE site=attic", domains: 2},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(o *Options) { o.OpenJoin, o.AcceptTags = test.open, w0(t).policy(test.policy) })
			for n := range 2 {
				p := w.peer(n + 1)
				p.answerPings()
				if !test.open {
					w.check("join", p.join(w.token(1)), nil)
				}
				_, err := p.tell(func(r *pieces.CheckIn) {
					r.Domain, r.Tags = "house", []string{"site=attic", "country=DE"}
				})
				w.check("check-in", err, nil)
				node, _ := w.sat.Directory().Get(p.wire.ID())
				if got := strings.Join(node.Tags, " "); got != test.tags {
					t.Errorf("policy %q, open %v: believes %q", test.policy, test.open, got)
				}
			}
			if got := w.domains(); got != test.domains {
				t.Errorf("policy %q, open %v: %d domains, want %d", test.policy, test.open, got, test.domains)
			}
		})
	}
	for _, text := range []string{"every", "a b", "site,,x", "a=b"} {
		if _, err := overlay.ParseTagPolicy(text); text != "every" && !errors.Is(err, overlay.ErrPolicy) {
			t.Errorf("policy %q: %v", text, err)
		}
	}
}

func w0(t *testing.T) *world { return &world{T: t} }

// TestTagsAreAccepted: the owner accepts a tag by hand; the node changes it; the satellite is restarted.
func TestTagsAreAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.AcceptTags = w0(t).policy("none") })
		p := w.node(1)
		site := func(value string) {
			_, err := p.tell(func(r *pieces.CheckIn) { r.Tags = []string{"site=" + value} })
			w.check("check-in", err, nil)
		}
		believed := func() string {
			node, _ := w.sat.Directory().Get(p.wire.ID())
			return strings.Join(node.Tags, " ")
		}
		site("attic")
		o := w.owner()
		_, err := o.AcceptTags(t.Context(), p.wire.ID().String(), []string{"site=cellar"})
		w.check("a tag that it does not have", err, owner.ErrRule)
		_, err = o.AcceptTags(t.Context(), p.wire.ID().String(), []string{"site=attic"})
		w.check("accept", err, nil)
		if believed() != "site=attic" || w.domains() != 1 {
			t.Errorf("believes %q, %d domains", believed(), w.domains())
		}
		site("attic")
		if believed() != "site=attic" {
			t.Errorf("after a check-in: believes %q", believed())
		}
		site("cellar")
		if believed() != "" {
			t.Errorf("after a change: believes %q", believed())
		}
		for _, bad := range [][]string{{"site"}, {"a=1", "a=2"}, {"a=\x1b[2J"}} {
			_, err := p.tell(func(r *pieces.CheckIn) { r.Tags = bad })
			w.check("bad tags", err, pieces.ErrMalformed)
		}
	})
}

// owner is the owner over the wire, with the satellite's identity.
func (w *world) owner() owner.Owner {
	pool := rpc.NewPool(w.wire, rpc.PoolOptions{})
	w.Cleanup(func() { w.check("close", pool.Close(), nil) })
	return owner.NewClient(pool, w.sat.URL())
}

// kept is a store that outlives its satellite.
type kept struct{ *memkv.Store }

// Close implements kv.Store.
func (*kept) Close() error { return nil }

// TestStandingIsTold: a node is told what is thought of it, and its owner's wish to leave is heard, kept and taken back.
func TestStandingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &kept{memkv.New(memkv.Options{})}
		w := newWorld(t, func(o *Options) { o.DB = store })
		p, other := w.node(1), w.node(2)
		id := p.wire.ID()
		reply, err := p.tell(nil)
		w.check("check-in", err, nil)
		if s := reply.Standing; s.State != pieces.Healthy || s.AuditScore != 1 || !s.Vetted || reply.Interval != time.Hour {
			t.Errorf("standing %+v, interval %v", s, reply.Interval)
		}
		_, err = other.tell(nil)
		w.check("check-in", err, nil)
		w.sat.Book().Report(id, reputation.Finding{Verdict: reputation.Altered, Piece: pieces.PieceID{5}, Text: "words"})
		if w.domains() != 1 {
			t.Errorf("%d domains: a quarantined node is still picked", w.domains())
		}
		reply, err = p.tell(nil)
		w.check("check-in", err, nil)
		if s := reply.Standing; s.State != pieces.Quarantined || s.Piece != (pieces.PieceID{5}) || s.Reason != "altered: words" ||
			reply.Interval >= time.Hour {
			t.Errorf("standing %+v, interval %v", s, reply.Interval)
		}
		_, err = w.owner().Reinstate(t.Context(), id.String())
		w.check("reinstate", err, nil)

		exit := func(exiting, leaving bool) pieces.State {
			reply, err := p.tell(func(r *pieces.CheckIn) { r.Exiting, r.Leaving = exiting, leaving })
			w.check("check-in", err, nil)
			return reply.Standing.State
		}
		if got := exit(true, false); got != pieces.Exiting || w.domains() != 1 {
			t.Errorf("exiting: %s, %d domains", got, w.domains())
		}
		if got := exit(false, true); got != pieces.Exiting {
			t.Errorf("it only stops: %s", got)
		}
		w.stop()
		w.start(store, nil)
		if s := w.sat.Book().Standing(id); s.State != pieces.Exiting {
			t.Errorf("after a restart: %s", s.State)
		}
	})
}

// TestOwner asks and decides over the wire.
func TestOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		var ids []string
		for n := range 3 {
			p := w.node(n + 1)
			_, err := p.tell(func(r *pieces.CheckIn) {
				r.Tags, r.Faults = []string{"site=" + string(rune('a'+n))}, []string{"disk 1 is away"}
			})
			w.check("check-in", err, nil)
			ids = append(ids, p.wire.ID().String())
		}
		o, ctx := w.owner(), t.Context()
		list, err := o.Standings(ctx)
		if err != nil || len(list) != 3 || list[0].Standing.State != pieces.Healthy {
			t.Errorf("standings %+v, %v", list, err)
		}
		report, err := o.ShowNode(ctx, ids[1])
		if err != nil || report.ID.String() != ids[1] || !report.Online || !report.Invited || len(report.Believed) != 1 ||
			len(report.Faults) != 1 || report.Patience != reputation.MinPatience {
			t.Errorf("report %+v, %v", report, err)
		}
		_, err = o.ShowNode(ctx, "nobody")
		w.check("unknown", err, owner.ErrNode)
		_, err = o.ShowNode(ctx, ids[0][:1])
		w.check("ambiguous", err, owner.ErrAmbiguous)
		_, err = o.Disqualify(ctx, ids[2], "stolen")
		w.check("disqualify", err, nil)
		if report, err = o.ShowNode(ctx, ids[2]); err != nil || report.Standing.State != pieces.Disqualified ||
			!strings.Contains(report.Standing.Reason, "stolen") || w.domains() != 2 {
			t.Errorf("report %+v, %v, %d domains", report, err, w.domains())
		}
		_, err = o.Forgive(ctx, ids[2])
		w.check("forgive", err, nil)
		_, err = o.Reinstate(ctx, ids[2])
		w.check("reinstate", err, nil)

		saved, err := o.SetRule(ctx, placement.Rule{Name: "ab", Require: []string{"site=a", "site=b"}})
		if err != nil || saved.Number != 1 {
			t.Errorf("rule %+v, %v", saved, err)
		}
		_, err = o.SetRule(ctx, placement.Rule{Name: "bad", Require: []string{"site"}})
		w.check("bad rule", err, owner.ErrRule)
		rules, err := o.Rules(ctx)
		if err != nil || len(rules) != 2 || rules[0].Domains != 3 || rules[1].Domains != 2 {
			t.Errorf("rules %+v, %v", rules, err)
		}
		picker := &nodes{w.sat}
		if !picker.Placement(1) || picker.Placement(2) || len(picker.Pick(1, 9, nil)) != 2 ||
			picker.Redundancy(1) != placement.Auto(2) || picker.Redundancy(0) != placement.Auto(3) {
			t.Errorf("picks %v with %s", picker.Pick(1, 9, nil), picker.Redundancy(1))
		}

		stranger := owner.NewClient(w.peer(9).pool, w.sat.URL())
		_, err = stranger.Rules(ctx)
		w.check("stranger", err, metainfo.ErrAdmin)
		_, err = stranger.Disqualify(ctx, ids[0], "")
		w.check("stranger", err, metainfo.ErrAdmin)

		w.sat.Book().Report(netx.NodeID{1, 0xee}, reputation.Finding{Verdict: reputation.Lost})
		offline, err := owner.Offline(ctx, w.sat.DB())
		if err != nil {
			t.Fatal(err)
		}
		if list, err := offline.Standings(ctx); err != nil || len(list) != 3 {
			t.Errorf("offline: %+v, %v", list, err)
		}
		if rules, err := offline.Rules(ctx); err != nil || len(rules) != 2 {
			t.Errorf("offline: %+v, %v", rules, err)
		}
	})
}

// TestProbesGrowRare: a node that is gone is not dialed every minute for a week.
func TestProbesGrowRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.node(1)
		_, err := p.tell(nil)
		w.check("check-in", err, nil)
		w.network.Kill(p.wire.ID())
		probes := 0
		last := time.Time{}
		for range 7 * 24 * 60 {
			time.Sleep(time.Minute)
			if at := w.sat.overlay.Probed(p.wire.ID()); at.After(last) {
				last = at
				probes++
			}
		}
		if probes < 20 || probes > 60 {
			t.Errorf("%d probes in a week", probes)
		}
		w.network.Revive(p.wire.ID())
		_, err = p.tell(nil)
		w.check("check-in", err, nil)
		if w.domains() != 1 {
			t.Error("a node that came back is not picked")
		}
	})
}
