package durability

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"storj/metainfo"
	"storj/metainfo/rangedloop"
	"storj/netx"
	"storj/roles/satellite/repair"
)

// maxMargin bounds the histogram of margins: larger ones are counted there.
const maxMargin = 255

// observer counts margins and groups.
type observer struct {
	s      *Service
	view   *repair.View
	labels *labels
	sum    sums
}

var _ rangedloop.Tolerant = (*observer)(nil)

// Observer is what counts, in each pass over the segments. It is for one loop.
func (s *Service) Observer() rangedloop.Observer { return &observer{s: s} }

// labels are the groups of nodes that may vanish together.
type labels struct {
	names   []string
	isTag   []bool
	nodes   []int      // in each
	byAlias [][]uint32 // groups of a node
}

func newLabels(view *repair.View) *labels {
	l := &labels{byAlias: make([][]uint32, view.Len())}
	index := make(map[string]uint32)
	put := func(alias int, name string, isTag bool) {
		at, known := index[name]
		if !known {
			at = uint32(len(l.names))
			index[name] = at
			l.names, l.isTag, l.nodes = append(l.names, name), append(l.isTag, isTag), append(l.nodes, 0)
		}
		l.nodes[at]++
		l.byAlias[alias] = append(l.byAlias[alias], at)
	}
	for alias := range view.Len() {
		n := view.Node(metainfo.NodeAlias(alias))
		if n == nil || view.Condition(n.Alias).Lost() {
			continue
		}
		domain := n.Domain
		if domain == n.ID.String() {
			domain = n.ID.Short()
		}
		put(alias, domain, false)
		for _, tag := range n.Tags {
			if tag != domain {
				put(alias, tag, true)
			}
		}
	}
	return l
}

// shape is what the chances of a segment depend on.
type shape struct {
	reach, asleep             uint8
	required, repair, optimal uint8
}

// sums is what a pass counts.
type sums struct {
	segments int64 // remote ones
	bytes    int64
	lost     int64 // with fewer healthy pieces than required
	margins  [maxMargin + 1]int64
	shapes   map[shape]int64
	groups   []group
}

// group is what the loss of a group of nodes would do.
type group struct {
	lost, risk, pieces int64
}

func newSums(groups int) sums {
	return sums{shapes: make(map[shape]int64), groups: make([]group, groups)}
}

func (s *sums) add(o *sums) {
	s.segments += o.segments
	s.bytes += o.bytes
	s.lost += o.lost
	for i := range s.margins {
		s.margins[i] += o.margins[i]
	}
	for k, n := range o.shapes {
		s.shapes[k] += n
	}
	for i := range o.groups {
		s.groups[i].lost += o.groups[i].lost
		s.groups[i].risk += o.groups[i].risk
		s.groups[i].pieces += o.groups[i].pieces
	}
}

// Start takes a view of the nodes.
func (o *observer) Start(ctx context.Context, _ time.Time) (err error) {
	if o.view, err = o.s.opts.Repair.View(ctx); err != nil {
		return err
	}
	o.labels = newLabels(o.view)
	o.sum = newSums(len(o.labels.names))
	return nil
}

// Fork returns what looks at a range.
func (o *observer) Fork(context.Context) (rangedloop.Partial, error) {
	count := len(o.labels.names)
	return &partial{
		judge: o.s.opts.Repair.NewJudge(o.view), labels: o.labels, sum: newSums(count), counts: make([]uint8, count),
	}, nil
}

type partial struct {
	judge   *repair.Judge
	labels  *labels
	sum     sums
	counts  []uint8 // pieces of the segment in each group
	touched []uint32
	healthy []metainfo.NodeAlias
	last    shape // and how often it came running: most segments are alike
	run     int64
}

// Process counts segments.
func (p *partial) Process(_ context.Context, segments []metainfo.Segment) error {
	now := time.Now()
	for i := range segments {
		s := &segments[i]
		if s.IsInline() || !s.Expires.IsZero() && s.Expires.Before(now) {
			continue
		}
		v := p.judge.Look(s)
		p.count(s, &v)
		p.groups(s, &v)
	}
	p.sum.shapes[p.last] += p.run
	p.run = 0
	return nil
}

func (p *partial) count(s *metainfo.Segment, v *repair.Verdict) {
	r := &s.Redundancy
	p.sum.segments++
	p.sum.bytes += s.EncryptedSize
	margin := v.Healthy - r.Required
	if margin < 0 {
		p.sum.lost++
		return
	}
	p.sum.margins[min(margin, maxMargin)]++
	k := shape{uint8(v.Reach), uint8(v.Healthy - v.Reach), uint8(r.Required), uint8(r.Repair), uint8(r.Optimal)}
	if k != p.last {
		p.sum.shapes[p.last] += p.run
		p.last, p.run = k, 0
	}
	p.run++
}

// groups notes what the loss of each group that has pieces of the segment would do.
func (p *partial) groups(s *metainfo.Segment, v *repair.Verdict) {
	p.healthy, p.touched = p.judge.Healthy(p.healthy[:0]), p.touched[:0]
	for _, alias := range p.healthy {
		for _, label := range p.labels.byAlias[alias] {
			if p.counts[label] == 0 {
				p.touched = append(p.touched, label)
			}
			p.counts[label]++
		}
	}
	danger := repair.Danger(&s.Redundancy)
	for _, label := range p.touched {
		left := v.Healthy - int(p.counts[label])
		g := &p.sum.groups[label]
		g.pieces += int64(p.counts[label])
		switch {
		case left < s.Redundancy.Required:
			g.lost++
		case left <= danger:
			g.risk++
		}
		p.counts[label] = 0
	}
}

// Join adds what a range has counted.
func (o *observer) Join(_ context.Context, p rangedloop.Partial) error {
	o.sum.add(&p.(*partial).sum)
	return nil
}

// FinishWithout is Finish: what cannot be read is not counted.
func (o *observer) FinishWithout(ctx context.Context, _ int64) error { return o.Finish(ctx) }

// Finish publishes the counts.
func (o *observer) Finish(context.Context) error {
	delete(o.sum.shapes, shape{})
	o.s.publish(result{at: o.view.At, sum: o.sum, domains: o.domains(), view: o.view})
	return nil
}

// domains are the groups, the worst first.
func (o *observer) domains() []DomainLine {
	lines := make([]DomainLine, 0, len(o.labels.names))
	for i, g := range o.sum.groups {
		if g.pieces > 0 {
			lines = append(lines, DomainLine{
				Name: shown(o.labels.names[i]), Tag: o.labels.isTag[i], Nodes: int64(o.labels.nodes[i]), Lost: g.lost, AtRisk: g.risk, Pieces: g.pieces,
			})
		}
	}
	slices.SortFunc(lines, func(a, b DomainLine) int {
		return cmp.Or(cmp.Compare(b.Lost, a.Lost), cmp.Compare(b.AtRisk, a.AtRisk), cmp.Compare(b.Pieces, a.Pieces), cmp.Compare(a.Name, b.Name))
	})
	return lines
}

// shown is the name of a domain as people read it: the satellite's name of a node that is its own domain holds its ID as
// bytes.
func shown(domain string) string {
	id, own := strings.CutPrefix(domain, "node:")
	if !own || len(id) != len(netx.NodeID{}) {
		return domain
	}
	return "node " + netx.NodeID([]byte(id)).Short()
}
