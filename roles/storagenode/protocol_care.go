package storagenode

import (
	"time"

	"storj/ecenc/wire"
	"storj/netx"
	"storj/roles/storagenode/usage"
)

const (
	maxPath = 4096
	// maxUsage bounds a UsageReply: 31 days of as many satellites as a node may have.
	maxUsage = 31 * (maxSatellites + 50)
)

// ScrubStatus says how far the reading of everything is.
type ScrubStatus struct {
	Every       time.Duration `json:"every_ns"`         // of a pass; 0: off
	Started     time.Time     `json:"started,omitzero"` // of the pass that runs; zero: none
	Bytes       int64         `json:"bytes"`            // of it so far
	Pieces      int64         `json:"pieces"`
	Found       int64         `json:"found"`               // damaged pieces
	LastEnded   time.Time     `json:"last_ended,omitzero"` // zero: no pass has ended yet
	LastStarted time.Time     `json:"last_started,omitzero"`
	LastBytes   int64         `json:"last_bytes"`
	LastPieces  int64         `json:"last_pieces"`
	LastFound   int64         `json:"last_found"`
	Pending     int64         `json:"pending"` // damaged pieces that a satellite has not been told yet
}

// Fields codes the status for wire.
func (s *ScrubStatus) Fields(c *wire.Codec) {
	every := int64(s.Every)
	c.Int(1, &every)
	c.Time(2, &s.Started)
	c.Int(3, &s.Bytes)
	c.Int(4, &s.Pieces)
	c.Int(5, &s.Found)
	c.Time(6, &s.LastEnded)
	c.Time(7, &s.LastStarted)
	c.Int(8, &s.LastBytes)
	c.Int(9, &s.LastPieces)
	c.Int(10, &s.LastFound)
	c.Int(11, &s.Pending)
	s.Every = time.Duration(every)
}

// BandwidthStatus says what the owner lets through.
type BandwidthStatus struct {
	Rate    int64 `json:"rate"`    // now, bytes a second; 0: no limit
	Monthly int64 `json:"monthly"` // bytes; 0: no cap
	Used    int64 `json:"used"`    // this month, bytes
	Full    bool  `json:"full"`    // uploads are refused until the month is over
}

// Fields codes the status for wire.
func (s *BandwidthStatus) Fields(c *wire.Codec) {
	c.Int(1, &s.Rate)
	c.Int(2, &s.Monthly)
	c.Int(3, &s.Used)
	c.Bool(4, &s.Full)
}

// GarbageStatus says what the last garbage filter of a satellite did.
type GarbageStatus struct {
	Waiting bool      `json:"waiting"`          // one is still to be applied, or just is
	Created time.Time `json:"created,omitzero"` // date of the last one applied; zero: none since the start
	Applied time.Time `json:"applied,omitzero"`
	Checked int64     `json:"checked"` // pieces
	Trashed int64     `json:"trashed"`
	Bytes   int64     `json:"bytes"` // of the trashed
}

// Fields codes the status for wire.
func (s *GarbageStatus) Fields(c *wire.Codec) {
	c.Bool(1, &s.Waiting)
	c.Time(2, &s.Created)
	c.Time(3, &s.Applied)
	c.Int(4, &s.Checked)
	c.Int(5, &s.Trashed)
	c.Int(6, &s.Bytes)
}

// codeIDs codes a list of satellites.
func codeIDs(c *wire.Codec, num int, list *[]netx.NodeID) {
	raw := make([][]byte, len(*list))
	for i := range *list {
		raw[i] = (*list)[i][:]
	}
	wire.RepeatedBytes(c, num, &raw, maxSatellites, len(netx.NodeID{}))
	if !c.Decoding() {
		return
	}
	*list = nil
	for _, id := range raw {
		if len(id) != len(netx.NodeID{}) {
			c.Fail()
			return
		}
		*list = append(*list, netx.NodeID(id))
	}
}

// ExitRequest has the node leave a satellite.
type ExitRequest struct {
	Satellite netx.NodeID
	Cancel    bool // stay
}

// Fields codes the request for wire.
func (r *ExitRequest) Fields(c *wire.Codec) {
	c.Fixed(1, r.Satellite[:])
	c.Bool(2, &r.Cancel)
}

// ForgetRequest has the node delete what it stores for a satellite.
type ForgetRequest struct {
	Satellite netx.NodeID
	Insist    bool // although it still needs that
}

// Fields codes the request for wire.
func (r *ForgetRequest) Fields(c *wire.Codec) {
	c.Fixed(1, r.Satellite[:])
	c.Bool(2, &r.Insist)
}

// DiskRequest says that a disk is lost for good.
type DiskRequest struct {
	Path string
}

// Fields codes the request for wire.
func (r *DiskRequest) Fields(c *wire.Codec) { c.String(1, &r.Path, maxPath) }

// DiskReply says what is known of a lost disk.
type DiskReply struct {
	Reported int64 `json:"reported"` // pieces that its index named: satellites are told
}

// Fields codes the reply for wire.
func (r *DiskReply) Fields(c *wire.Codec) { c.Int(1, &r.Reported) }

// MoveRequest has the node move a disk's content to another directory.
type MoveRequest struct {
	From, To string
}

// Fields codes the request for wire.
func (r *MoveRequest) Fields(c *wire.Codec) {
	c.String(1, &r.From, maxPath)
	c.String(2, &r.To, maxPath)
}

// MoveProgress says how far a move is; the last one has Done.
type MoveProgress struct {
	Bytes int64 `json:"bytes"` // copied
	Total int64 `json:"total"`
	Done  bool  `json:"done"`
}

// Fields codes the progress for wire.
func (p *MoveProgress) Fields(c *wire.Codec) {
	c.Int(1, &p.Bytes)
	c.Int(2, &p.Total)
	c.Bool(3, &p.Done)
}

// UsageRequest asks for a month.
type UsageRequest struct {
	Month string // 2026-11; empty: this one
}

// Fields codes the request for wire.
func (r *UsageRequest) Fields(c *wire.Codec) { c.String(1, &r.Month, 16) }

// UsageReply is what was stored and moved in a month.
type UsageReply struct {
	Month string     `json:"month"`
	Days  []UsageDay `json:"days"`
}

// Fields codes the reply for wire.
func (r *UsageReply) Fields(c *wire.Codec) {
	c.String(1, &r.Month, 16)
	wire.Repeated(c, 2, &r.Days, maxUsage)
}

// UsageDay is one day of one satellite, in bytes.
type UsageDay struct {
	Date      string      `json:"date"`
	Satellite netx.NodeID `json:"satellite"`
	usage.Day
}

// Fields codes the day for wire.
func (d *UsageDay) Fields(c *wire.Codec) {
	c.String(1, &d.Date, 16)
	c.Fixed(2, d.Satellite[:])
	for i, n := range []*int64{&d.Put, &d.PutRepair, &d.Get, &d.GetRepair, &d.GetAudit, &d.Settled, &d.ByteSeconds} {
		c.Int(3+i, n)
	}
}
