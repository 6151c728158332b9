package durability

import (
	"context"
	"math"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/admin"
	"storj/roles/satellite/events"
	"storj/roles/satellite/repair"
)

// MethodHealth is the method number on netx/rpc, for the owner.
const MethodHealth = 443

const (
	maxText     = 512
	maxObserver = 64
	callTimeout = 30 * time.Second
)

// DomainLine is what the loss of a group of nodes would do.
type DomainLine struct {
	Name   string
	Tag    bool  // a tag value; else a failure domain
	Nodes  int64 // in it that are not lost
	Lost   int64 // segments that could not be rebuilt without it
	AtRisk int64 // segments that would be left with few
	Pieces int64 // in it
}

// Fields codes the line for wire.
func (l *DomainLine) Fields(c *wire.Codec) {
	c.String(1, &l.Name, maxText)
	c.Bool(2, &l.Tag)
	c.Int(3, &l.Nodes)
	c.Int(4, &l.Lost)
	c.Int(5, &l.AtRisk)
	c.Int(6, &l.Pieces)
}

// MarginLine is how many segments have a margin.
type MarginLine struct{ Margin, Segments int64 }

// Fields codes the line for wire.
func (l *MarginLine) Fields(c *wire.Codec) {
	c.Int(1, &l.Margin)
	c.Int(2, &l.Segments)
}

// EventLine is an event on the wire.
type EventLine struct{ events.Event }

// Fields codes the line for wire.
func (l *EventLine) Fields(c *wire.Codec) { l.Event.Fields(c) }

// NameLine is a name on the wire.
type NameLine struct{ Name string }

// Fields codes the line for wire.
func (l *NameLine) Fields(c *wire.Codec) { c.String(1, &l.Name, maxText) }

// Fields codes the estimate for wire.
func (e *Estimate) Fields(c *wire.Codec) {
	repairTime := int64(e.RepairTime)
	codeFloat(c, 1, &e.Segments)
	codeFloat(c, 2, &e.Probability)
	codeFloat(c, 3, &e.RatePerDay)
	c.Int(4, &e.NodesLost)
	codeFloat(c, 5, &e.NodeDays)
	c.Int(6, &repairTime)
	e.RepairTime = time.Duration(repairTime)
}

func codeFloat(c *wire.Codec, num int, v *float64) {
	bits := math.Float64bits(*v)
	c.Uint(num, &bits)
	*v = math.Float64frombits(bits)
}

// Health is how the network is.
type Health struct {
	Level    string // Unknown, Good, Watch, Bad
	Sentence string
	At       time.Time // of the pass that the counts are from; zero: none was made since the start
	Segments int64     // on nodes
	Bytes    int64     // of ciphertext in them
	Lost     int64     // of them, with fewer healthy pieces than required
	Margins  []MarginLine
	Domains  []DomainLine // the worst first
	Estimate Estimate
	Repair   repair.Status
	Events   []EventLine // the newest first

	PassStarted time.Time // of the last pass, whole or not
	PassTook    time.Duration
	PassFailed  []NameLine // observers that did not finish
	Rebalance   repair.RebalanceStatus
}

// Fields codes the health for wire.
func (h *Health) Fields(c *wire.Codec) {
	took := int64(h.PassTook)
	c.String(1, &h.Level, maxText)
	c.String(2, &h.Sentence, maxText)
	c.Time(3, &h.At)
	c.Int(4, &h.Segments)
	c.Int(5, &h.Bytes)
	c.Int(6, &h.Lost)
	wire.Repeated(c, 7, &h.Margins, maxMargin+1)
	wire.Repeated(c, 8, &h.Domains, shownDomains)
	c.Message(9, &h.Estimate)
	c.Message(10, &h.Repair)
	wire.Repeated(c, 11, &h.Events, shownEvents)
	c.Time(12, &h.PassStarted)
	c.Int(13, &took)
	wire.Repeated(c, 14, &h.PassFailed, maxObserver)
	c.Message(15, &h.Rebalance)
	h.PassTook = time.Duration(took)
}

// Register has the server answer the owner, whose identity is self.
func (s *Service) Register(server *rpc.Server, self netx.NodeID) {
	admin.Serve(server, self, MethodHealth, func(context.Context, *pieces.Empty) (*Health, error) { return s.Health(), nil })
}

// Ask asks a running satellite; the pool's transport must have its identity.
func Ask(ctx context.Context, pool *rpc.Pool, satellite netx.NodeURL) (*Health, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	health := new(Health)
	err := pool.Call(ctx, satellite, netx.Control, MethodHealth, new(pieces.Empty), health, metainfo.Errors())
	return health, err
}
