package durability

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop"
	"storj/metainfo/rangedloop/looptest"
	"storj/netx"
	"storj/pieces"
	"storj/roles/satellite/events"
	"storj/roles/satellite/orders"
	"storj/roles/satellite/repair"
)

// network is nodes that are only known, not there.
type network struct {
	t      *testing.T
	nodes  []repair.Node
	store  *memkv.Store
	svc    *Service
	repair *repair.Service
	loop   *rangedloop.Loop
	events *events.Log
}

func (n *network) Nodes(context.Context) ([]repair.Node, error) { return n.nodes, nil }
func (n *network) Group(_ uint32, node *repair.Node) (string, bool) {
	return node.Domain, true
}

func newNetwork(t *testing.T, count int) *network {
	t.Helper()
	n := &network{t: t, store: memkv.New(memkv.Options{})}
	for i := range count {
		id := netx.NodeID{byte(i), 1}
		n.nodes = append(n.nodes, repair.Node{
			ID: id, Alias: metainfo.NodeAlias(i + 1), Online: true, Eligible: true, LastContact: time.Now(), Domain: id.String(),
		})
	}
	db, err := metabase.Open(t.Context(), n.store)
	if err != nil {
		t.Fatal(err)
	}
	if n.events, err = events.Open(t.Context(), n.store, events.Options{}); err != nil {
		t.Fatal(err)
	}
	n.repair, err = repair.New(t.Context(), repair.Options{
		DB: db, Nodes: n, Signer: orders.New(orders.Options{}), Events: n.events, Log: zerolog.Nop(),
		Redundancy: func(uint32) ecenc.Redundancy { return scheme() },
	})
	if err != nil {
		t.Fatal(err)
	}
	n.loop = rangedloop.New(db, rangedloop.Options{})
	n.svc = New(Options{Repair: n.repair, Events: n.events, Loop: n.loop, Metrics: metrics.NewSet()})
	n.loop.Add("repair", n.repair.Checker())
	n.loop.Add("durability", n.svc.Observer())
	return n
}

func scheme() ecenc.Redundancy {
	return ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: 4, Repair: 6, Optimal: 8, Total: 10}
}

func (n *network) put(number int, on ...int) {
	n.t.Helper()
	var aliases []metainfo.NodeAlias
	for _, i := range on {
		aliases = append(aliases, metainfo.NodeAlias(i+1))
	}
	if err := looptest.Put(n.t.Context(), n.store, looptest.Segment(number, scheme(), aliases)); err != nil {
		n.t.Fatal(err)
	}
}

func (n *network) pass() *Health {
	n.t.Helper()
	n.repair.NodesChanged()
	report, err := n.loop.Pass(n.t.Context())
	if err != nil || len(report.Failed) > 0 {
		n.t.Fatalf("%+v, %v", report, err)
	}
	return n.svc.Health()
}

func TestWorstDomain(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 16)
	for i := range 6 {
		n.nodes[i].Tags = []string{"site=attic", "country=IS"}
	}
	for i := 6; i < 16; i++ {
		n.nodes[i].Tags = []string{"country=IS"}
	}
	n.put(1, 0, 1, 2, 3, 4, 6, 7, 8)     // five in the attic: three left, of which four are needed
	n.put(2, 0, 1, 2, 6, 7, 8, 9, 10)    // three in the attic: five left
	n.put(3, 0, 1, 6, 7, 8, 9, 10, 11)   // two: six left
	n.put(4, 6, 7, 8, 9, 10, 11, 12, 13) // none
	h := n.pass()
	got := make(map[string]DomainLine)
	for _, d := range h.Domains {
		got[d.Name] = d
	}
	if d := got["country=IS"]; d.Lost != 4 || d.AtRisk != 0 || !d.Tag || d.Nodes != 16 || d.Pieces != 32 {
		t.Errorf("%+v", d)
	}
	if d := got["site=attic"]; d.Lost != 1 || d.AtRisk != 1 || d.Nodes != 6 || d.Pieces != 10 {
		t.Errorf("%+v", d)
	}
	if h.Domains[0].Name != "country=IS" || h.Domains[1].Name != "site=attic" || got[n.nodes[0].ID.Short()].Lost != 0 {
		t.Errorf("%+v", h.Domains)
	}
	if !reflect.DeepEqual(h.Margins, []MarginLine{{4, 4}}) || h.Lost != 0 || h.Segments != 4 || h.Level != Good {
		t.Errorf("%+v", h)
	}
	if !strings.Contains(h.Sentence, "all 4 segments") || !strings.Contains(h.Sentence, "any 4 nodes") {
		t.Error(h.Sentence)
	}
}

func TestMarginsAndSentences(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 20)
	if h := n.svc.Health(); h.Level != Unknown {
		t.Errorf("before the first pass: %+v", h)
	}
	if h := n.pass(); h.Level != Good || h.Sentence != "nothing is stored on nodes" {
		t.Errorf("empty: %s: %s", h.Level, h.Sentence)
	}
	for i := range 10 {
		n.put(i, 0, 1, 2, 3, 4, 5, 6, 7)
	}
	n.put(11, 4, 5, 6, 7, 8, 9, 10, 11)
	n.put(12, 12, 13, 14, 15, 16, 17, 18, 19)
	n.nodes[4].State = pieces.Disqualified
	n.nodes[5].State = pieces.Disqualified
	h := n.pass()
	if !reflect.DeepEqual(h.Margins, []MarginLine{{2, 11}, {4, 1}}) || h.Level != Watch || !strings.Contains(h.Sentence, "11 segments are") {
		t.Errorf("%s: %s, %+v", h.Level, h.Sentence, h.Margins)
	}
	if len(h.Repair.Queue) != 1 || h.Repair.Queue[0].Count != 11 || len(h.Events) != 2 || !strings.Contains(h.Events[0].Text, "11 segments queued") {
		t.Errorf("queue %+v, events %+v", h.Repair.Queue, h.Events)
	}
	for i := range 4 {
		n.nodes[i].State = pieces.Disqualified
	}
	h = n.pass()
	if h.Lost != 10 || h.Level != Bad || !strings.Contains(h.Sentence, "10 segments cannot be rebuilt") {
		t.Errorf("%s: %s, %d", h.Level, h.Sentence, h.Lost)
	}
	again := new(Health)
	if err := wire.Unmarshal(wire.Marshal(h), again); err != nil || !reflect.DeepEqual(h.Domains, again.Domains) || again.Sentence != h.Sentence ||
		again.Estimate != h.Estimate || len(again.Events) != len(h.Events) || again.Repair.Lost != 10 {
		t.Errorf("%+v became %+v, %v", h, again, err)
	}
}

// TestEstimate holds the numbers to what can be reckoned by hand, and to what must grow and shrink.
func TestEstimate(t *testing.T) {
	t.Parallel()
	rate := 1e-4
	at := func(shapes map[shape]int64, nodes int, rate float64, span time.Duration) Estimate {
		return estimate(shapes, nodes, repair.NodeFailures{RatePerDay: rate}, span)
	}
	single := at(map[shape]int64{{1, 0, 1, 1, 1}: 1_000_000}, 1, rate, 24*time.Hour)
	if math.Abs(single.Probability-(1-math.Exp(-365*rate))) > 1e-4 {
		t.Errorf("one node that fails once in 27 years: %v a year", single.Probability)
	}
	pair := at(map[shape]int64{{2, 0, 1, 1, 2}: 1}, 2, rate, 24*time.Hour)
	if want := 365 * 2 * rate * rate; math.Abs(pair.Probability-want) > want/5 { // one fails, then the other within a day
		t.Errorf("two nodes: %v, about %v by hand", pair.Probability, want)
	}
	wide := map[shape]int64{{80, 0, 29, 35, 80}: 1_000_000}
	base := at(wide, 2000, rate, 24*time.Hour)
	if base.Probability <= 0 || base.Probability > 1e-9 {
		t.Errorf("wide: %v", base.Probability)
	}
	for name, worse := range map[string]Estimate{
		"slower repair":  at(wide, 2000, rate, 96*time.Hour),
		"worse nodes":    at(wide, 2000, 4*rate, 24*time.Hour),
		"fewer to spare": at(map[shape]int64{{60, 0, 29, 31, 60}: 1_000_000}, 2000, rate, 24*time.Hour),
		"one that is low": at(map[shape]int64{
			{80, 0, 29, 35, 80}: 999_999, {31, 0, 29, 35, 80}: 1,
		}, 2000, rate, 24*time.Hour),
	} {
		if worse.Probability <= base.Probability {
			t.Errorf("%s: %v, base %v", name, worse.Probability, base.Probability)
		}
	}
	if e := at(nil, 5, rate, time.Hour); e.Probability != 0 || e.Segments != 0 {
		t.Errorf("nothing stored: %+v", e)
	}
}

func BenchmarkPass(b *testing.B) {
	n := &network{t: nil}
	for i := range 2000 {
		n.nodes = append(n.nodes, repair.Node{
			ID: netx.NodeID{byte(i), byte(i >> 8)}, Alias: metainfo.NodeAlias(i + 1), Online: true, Eligible: true,
			LastContact: time.Now(), Domain: fmt.Sprint(i), Tags: []string{fmt.Sprint("site=", i%10)},
		})
	}
	view, err := repair.NewView(b.Context(), n, repair.ViewOptions{LostAfter: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	wide := ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: 29, Repair: 35, Optimal: 80, Total: 110}
	var page []metainfo.Segment
	for i := range 2500 {
		on := make([]metainfo.NodeAlias, 80)
		for j := range on {
			on[j] = metainfo.NodeAlias((i*7919+j*25)%2000 + 1)
		}
		page = append(page, looptest.Segment(i, wide, on))
	}
	labels := newLabels(view)
	p := &partial{judge: repair.NewJudge(view), labels: labels, sum: newSums(len(labels.names)), counts: make([]uint8, len(labels.names))}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Process(b.Context(), page); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2500, "ns/segment")
}
