package durability

import (
	"fmt"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"storj/metainfo"
	"storj/metainfo/rangedloop"
	"storj/roles/satellite/events"
	"storj/roles/satellite/repair"
)

const (
	// shownDomains and shownEvents bound a Health.
	shownDomains = 20
	shownEvents  = 50
)

// Options says what a Service works with. All must be set.
type Options struct {
	Repair  *repair.Service
	Events  *events.Log
	Loop    *rangedloop.Loop
	Metrics *metrics.Set
}

// Service knows how safe what is stored is.
type Service struct {
	opts Options

	mu   sync.Mutex // guards the field below
	last result
}

// result is what the last pass found.
type result struct {
	at      time.Time
	sum     sums
	domains []DomainLine // the worst first
	view    *repair.View
}

// New returns a service that knows nothing yet.
func New(opts Options) *Service {
	s := &Service{opts: opts}
	gauge := func(name string, value func() float64) { opts.Metrics.NewGauge(name, value) }
	gauge("storj_durability_segments", func() float64 { return float64(s.result().sum.segments) })
	gauge("storj_durability_lost_segments", func() float64 { return float64(s.result().sum.lost) })
	gauge("storj_durability_least_margin_pieces", func() float64 { return float64(leastMargin(s.result())) })
	gauge("storj_durability_annual_loss_probability", func() float64 { return s.Estimate().Probability })
	gauge("storj_durability_node_failures_per_day", func() float64 { return opts.Repair.Failures().RatePerDay })
	gauge("storj_durability_worst_domain_lost_segments", func() float64 { return float64(worst(s.result()).Lost) })
	gauge("storj_durability_worst_domain_risk_segments", func() float64 { return float64(worst(s.result()).AtRisk) })
	gauge("storj_rangedloop_segments", func() float64 { return float64(opts.Loop.Last().Segments) })
	gauge("storj_rangedloop_pass_seconds", func() float64 { return opts.Loop.Last().Took.Seconds() })
	gauge("storj_rangedloop_failed_observers", func() float64 { return float64(len(opts.Loop.Last().Failed)) })
	return s
}

func (s *Service) publish(r result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = r
}

func (s *Service) result() result {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func worst(r result) DomainLine {
	if len(r.domains) == 0 {
		return DomainLine{}
	}
	return r.domains[0]
}

// leastMargin is the least margin of a segment that is not lost; 0 without segments.
func leastMargin(r result) int {
	for margin, count := range r.sum.margins {
		if count > 0 {
			return margin
		}
	}
	return 0
}

// Estimate is how likely something is lost within a year, as of the last pass.
func (s *Service) Estimate() Estimate {
	r := s.result()
	nodes := 0
	if r.view != nil {
		for alias := range r.view.Len() {
			if n := r.view.Node(metainfo.NodeAlias(alias)); n != nil && !r.view.Condition(n.Alias).Lost() {
				nodes++
			}
		}
	}
	return estimate(r.sum.shapes, nodes, s.opts.Repair.Failures(), s.opts.Repair.RepairTime())
}

// Health tells how the network is.
func (s *Service) Health() *Health {
	r, pass, status := s.result(), s.opts.Loop.Last(), s.opts.Repair.Status()
	h := &Health{
		At: r.at, Segments: r.sum.segments, Bytes: r.sum.bytes, Lost: r.sum.lost, Repair: status, Estimate: s.Estimate(),
		PassStarted: pass.Started, PassTook: pass.Took, Rebalance: s.opts.Repair.Rebalance(),
	}
	for margin, count := range r.sum.margins {
		if count > 0 {
			h.Margins = append(h.Margins, MarginLine{int64(margin), count})
		}
	}
	h.Domains = append(h.Domains, r.domains[:min(len(r.domains), shownDomains)]...)
	for _, e := range s.opts.Events.List(shownEvents) {
		h.Events = append(h.Events, EventLine{e})
	}
	for name := range pass.Failed {
		h.PassFailed = append(h.PassFailed, NameLine{name})
	}
	h.Level, h.Sentence = judge(h, leastMargin(r))
	return h
}

// The levels of a Health.
const (
	Unknown = "unknown"
	Good    = "good"
	Watch   = "watch" // nothing is wrong that repair does not mend by itself, or that more nodes would
	Bad     = "bad"   // something cannot be read now, or is about to be lost
)

// judge puts a health into one sentence.
func judge(h *Health, least int) (level, sentence string) {
	queued := func(reasons ...repair.Reason) (n int64) {
		for _, line := range h.Repair.Queue {
			for _, r := range reasons {
				if line.Reason == r.String() {
					n += line.Count
				}
			}
		}
		return n
	}
	irreparable, danger := queued(repair.Irreparable), queued(repair.Endangered, repair.Few)
	waiting := ""
	if h.Repair.Waiting > 0 {
		waiting = fmt.Sprintf(", and %d wait for more nodes or another attempt", h.Repair.Waiting)
	}
	switch {
	case h.At.IsZero():
		return Unknown, "nothing is known yet: the first pass over all segments has not been made"
	case irreparable > 0:
		return Bad, fmt.Sprintf("%s cannot be rebuilt from the nodes in contact now; they are kept and tried again when nodes come back", segments(irreparable))
	case danger > 0 && least > 0:
		return Watch, fmt.Sprintf("all %s can be read and survive the loss of any %s; %s at or below the repair threshold%s",
			segments(h.Segments), nodes(least), are(danger), waiting)
	case danger > 0:
		return Watch, fmt.Sprintf("%s at or below the repair threshold, some without a piece to spare%s", are(danger), waiting)
	case h.Segments == 0:
		return Good, "nothing is stored on nodes"
	case least == 0:
		return Watch, "some segments have no piece to spare: the loss of one node would lose them; more nodes are needed"
	case len(h.Repair.Queue) > 0:
		return Good, fmt.Sprintf("all %s can be read and survive the loss of any %s; repair is at work%s", segments(h.Segments), nodes(least), waiting)
	}
	return Good, fmt.Sprintf("all %s can be read and survive the loss of any %s", segments(h.Segments), nodes(least))
}

func segments(n int64) string {
	if n == 1 {
		return "1 segment"
	}
	return fmt.Sprintf("%d segments", n)
}

func are(n int64) string {
	if n == 1 {
		return "1 segment is"
	}
	return fmt.Sprintf("%d segments are", n)
}

func nodes(n int) string {
	if n == 1 {
		return "one node"
	}
	return fmt.Sprintf("%d nodes", n)
}
