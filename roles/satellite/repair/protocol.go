package repair

import (
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/netx"
)

// Method numbers on netx/rpc, for the owner.
const (
	MethodStatus        = 440
	MethodRepairSegment = 441
	MethodRebalance     = 442
)

const (
	// maxListed is the most irreparable and running segments of a Status.
	maxListed = 100
	maxText   = 64
	maxNodes  = 256
)

// QueueLine is the queued segments of one reason.
type QueueLine struct {
	Reason string
	Count  int64
	Oldest time.Time
}

// Fields codes the line for wire.
func (l *QueueLine) Fields(c *wire.Codec) {
	c.String(1, &l.Reason, maxText)
	c.Int(2, &l.Count)
	c.Time(3, &l.Oldest)
}

// SegmentLine is a segment that is being worked on, or cannot be repaired.
type SegmentLine struct {
	Stream   metainfo.StreamID
	Position metainfo.Position
	Reason   string
	Healthy  int64
	Required int64
	Size     int64 // bytes
	Since    time.Time
}

// Fields codes the line for wire.
func (l *SegmentLine) Fields(c *wire.Codec) {
	c.Fixed(1, l.Stream[:])
	codePosition(c, 2, &l.Position)
	c.String(3, &l.Reason, maxText)
	c.Int(4, &l.Healthy)
	c.Int(5, &l.Required)
	c.Int(6, &l.Size)
	c.Time(7, &l.Since)
}

func codePosition(c *wire.Codec, num int, p *metainfo.Position) {
	v := p.Uint64()
	c.Uint(num, &v)
	*p = metainfo.PositionFromUint64(v)
}

// Count is a number with a name.
type Count struct {
	Name  string
	Value int64
}

// Fields codes the count for wire.
func (n *Count) Fields(c *wire.Codec) {
	c.String(1, &n.Name, maxText)
	c.Int(2, &n.Value)
}

// Status is how repair is.
type Status struct {
	Checked     time.Time // start of the last whole pass; zero: none since the start
	Segments    int64     // remote ones that it saw
	Below       int64     // of them, with fewer pieces than optimal though the network could hold more
	Queue       []QueueLine
	Waiting     int64 // of the queue, for nodes or for another attempt
	Dropped     int64 // not queued because the queue is full
	Running     []SegmentLine
	Today       []Count // outcomes of this UTC day
	Irreparable []SegmentLine
	Lost        int64 // how many irreparable ones there are; the list may be shorter
	Damaged     int64 // pieces reported and not yet replaced
	MeanWait    time.Duration
	Read        int64 // bytes since the start
	Written     int64
}

// Fields codes the status for wire.
func (s *Status) Fields(c *wire.Codec) {
	wait := int64(s.MeanWait)
	c.Time(1, &s.Checked)
	c.Int(2, &s.Segments)
	c.Int(3, &s.Below)
	wire.Repeated(c, 4, &s.Queue, int(reasons))
	c.Int(5, &s.Waiting)
	c.Int(6, &s.Dropped)
	wire.Repeated(c, 7, &s.Running, maxListed)
	wire.Repeated(c, 8, &s.Today, maxText)
	wire.Repeated(c, 9, &s.Irreparable, maxListed)
	c.Int(10, &s.Lost)
	c.Int(11, &s.Damaged)
	c.Int(12, &wait)
	c.Int(13, &s.Read)
	c.Int(14, &s.Written)
	s.MeanWait = time.Duration(wait)
}

// segmentRequest names a segment.
type segmentRequest struct {
	Stream   metainfo.StreamID
	Position metainfo.Position
}

// Fields codes the request for wire.
func (r *segmentRequest) Fields(c *wire.Codec) {
	c.Fixed(1, r.Stream[:])
	codePosition(c, 2, &r.Position)
}

func (r *segmentRequest) place() metabase.SegmentPlace {
	return metabase.SegmentPlace{Stream: r.Stream, Position: r.Position}
}

// Result is a Report in words.
type Result struct {
	Outcome  string
	Reason   string
	Before   int64 // healthy pieces
	After    int64
	Required int64
	Optimal  int64
	Altered  []NodeName // sent something else than was uploaded
	Absent   []NodeName // do not have their piece
	Took     time.Duration
	Error    string // empty: none
}

// NodeName is a NodeID on the wire.
type NodeName struct{ netx.NodeID }

// Fields codes the name for wire.
func (n *NodeName) Fields(c *wire.Codec) { c.Fixed(1, n.NodeID[:]) }

// Fields codes the result for wire.
func (r *Result) Fields(c *wire.Codec) {
	took := int64(r.Took)
	c.String(1, &r.Outcome, maxText)
	c.String(2, &r.Reason, maxText)
	c.Int(3, &r.Before)
	c.Int(4, &r.After)
	c.Int(5, &r.Required)
	c.Int(6, &r.Optimal)
	wire.Repeated(c, 7, &r.Altered, maxNodes)
	wire.Repeated(c, 8, &r.Absent, maxNodes)
	c.Int(9, &took)
	c.String(10, &r.Error, 1024)
	r.Took = time.Duration(took)
}

// The actions of a rebalanceRequest.
const (
	actionStatus = 0
	actionStart  = 1
	actionStop   = 2
)

type rebalanceRequest struct{ Action uint32 }

// Fields codes the request for wire.
func (r *rebalanceRequest) Fields(c *wire.Codec) { c.Uint32(1, &r.Action) }

// Fields codes the status for wire.
func (s *RebalanceStatus) Fields(c *wire.Codec) {
	c.Bool(1, &s.On)
	c.Bool(2, &s.Auto)
	c.Time(3, &s.Started)
	c.Int(4, &s.Segments)
	c.Int(5, &s.Bytes)
	c.Int(6, &s.Waiting)
	c.Int(7, &s.BytesLeft)
}
