package storagenode

import (
	"time"

	"storj/ecenc/wire"
	"storj/netx"
	"storj/pieces"
)

// Method numbers on netx/rpc: 120-139 answer to the node's own identity.
const (
	MethodStatus = 120
	MethodCheck  = 121
	MethodExit   = 122
	MethodForget = 123
	MethodDisk   = 124
	MethodMove   = 125
	MethodUsage  = 126
)

// ErrNotOwner is returned by the node admin methods to every peer but the node itself.
var ErrNotOwner = netx.Sentinel(netx.Denied, 190, "only the node's own identity may ask that")

// adminErrors lists the sentinels of node admin.
func adminErrors() []*netx.Error { return []*netx.Error{ErrNotOwner, ErrNotExited, ErrNotLost} }

const (
	maxSatellites = 256
	maxDirs       = 256
	maxText       = 1024
	// maxListed bounds the lists of a CheckResult: a response has at most 64 KiB.
	maxListed    = 100
	maxFaultText = 300
)

// Status is what a node says of itself.
type Status struct {
	ID         netx.NodeID       `json:"id"`
	Version    string            `json:"version"`
	Started    time.Time         `json:"started"`
	Time       time.Time         `json:"time"`    // the node's clock
	Address    string            `json:"address"` // listened on
	Space      Space             `json:"space"`
	Dirs       []DirStatus       `json:"dirs"`
	Satellites []SatelliteStatus `json:"satellites"`
	Traffic    Traffic           `json:"traffic"`
	Scrub      ScrubStatus       `json:"scrub"`
	Bandwidth  BandwidthStatus   `json:"bandwidth"`
	Forgetting []netx.NodeID     `json:"forgetting,omitempty"` // satellites whose pieces are being deleted
	LostOrders int64             `json:"lost_orders"`          // that could not be kept since the start
}

// Uptime is how long the node had run when it answered.
func (s *Status) Uptime() time.Duration { return s.Time.Sub(s.Started) }

// Space says where the bytes are; see pieces.Space.
type Space struct {
	Capacity int64 `json:"capacity"`
	Used     int64 `json:"used"`
	Trash    int64 `json:"trash"`
	Garbage  int64 `json:"garbage"`
	Free     int64 `json:"free"`
}

// DirStatus describes a directory for pieces; see pieces.DirStatus.
type DirStatus struct {
	Path     string `json:"path"`
	Capacity int64  `json:"capacity"`
	Used     int64  `json:"used"`
	Free     int64  `json:"free"`
	Fault    string `json:"fault,omitempty"` // empty: serving
}

// SatelliteStatus describes one satellite and what is stored for it.
type SatelliteStatus struct {
	Satellite   netx.NodeURL  `json:"satellite"`
	Joined      time.Time     `json:"joined"`
	LastContact time.Time     `json:"last_contact"` // zero: none since the start
	LastError   string        `json:"last_error,omitempty"`
	Reached     bool          `json:"reached"` // within two intervals
	Address     string        `json:"address"` // of the node, as the satellite hands it out
	Epoch       uint32        `json:"epoch"`   // of the current key; 0: none
	Interval    time.Duration `json:"interval_ns"`
	Skew        time.Duration `json:"skew_ns"` // the node's clock minus the satellite's
	Pieces      int64         `json:"pieces"`
	Bytes       int64         `json:"bytes"`
	TrashPieces int64         `json:"trash_pieces"`
	TrashBytes  int64         `json:"trash_bytes"`

	Standing pieces.Standing `json:"standing"`         // what the satellite thinks of the node
	Exiting  time.Time       `json:"exiting,omitzero"` // since when the node is leaving; zero: it stays
	Garbage  GarbageStatus   `json:"garbage"`
	Orders   int64           `json:"unsettled_orders"`
	Ordered  int64           `json:"unsettled_bytes"`
}

// Traffic counts operations since the start.
type Traffic struct {
	Uploads          int64 `json:"uploads"`
	CancelledUploads int64 `json:"cancelled_uploads"`
	Downloads        int64 `json:"downloads"`
	BytesIn          int64 `json:"bytes_in"`
	BytesOut         int64 `json:"bytes_out"`
	Refused          int64 `json:"refused"`
}

// CheckResult is what reading every byte has found.
type CheckResult struct {
	Running      bool           `json:"running"` // the node was: it checked itself
	Pieces       int64          `json:"pieces"`
	Bytes        int64          `json:"bytes"`
	DamagedCount int64          `json:"damaged_count"`
	FaultCount   int64          `json:"fault_count"`
	Damaged      []DamagedPiece `json:"damaged"` // the first 100
	Faults       []string       `json:"faults"`  // the first 100
}

// DamagedPiece is a piece whose bytes do not match their checksums.
type DamagedPiece struct {
	Piece   pieces.PieceID `json:"piece"`
	Size    int64          `json:"size"`
	Created time.Time      `json:"created"`
}

// OK says whether nothing was found.
func (r *CheckResult) OK() bool { return r.DamagedCount == 0 && r.FaultCount == 0 }

// newCheckResult cuts a report to what fits a response.
func newCheckResult(report pieces.CheckReport) *CheckResult {
	r := &CheckResult{
		Pieces: report.Pieces, Bytes: report.Bytes,
		DamagedCount: int64(len(report.Damaged)), FaultCount: int64(len(report.Faults)),
	}
	for _, info := range report.Damaged[:min(len(report.Damaged), maxListed)] {
		r.Damaged = append(r.Damaged, DamagedPiece{Piece: info.Piece, Size: info.Size, Created: info.Created})
	}
	for _, fault := range report.Faults[:min(len(report.Faults), maxListed)] {
		r.Faults = append(r.Faults, fault[:min(len(fault), maxFaultText)])
	}
	return r
}

// Fields codes the status for wire.
func (s *Status) Fields(c *wire.Codec) {
	c.Fixed(1, s.ID[:])
	c.String(2, &s.Version, maxText)
	c.Time(3, &s.Started)
	c.Time(4, &s.Time)
	c.String(5, &s.Address, maxText)
	c.Message(6, &s.Space)
	wire.Repeated(c, 7, &s.Dirs, maxDirs)
	wire.Repeated(c, 8, &s.Satellites, maxSatellites)
	c.Message(9, &s.Traffic)
	c.Message(10, &s.Scrub)
	c.Message(11, &s.Bandwidth)
	codeIDs(c, 12, &s.Forgetting)
	c.Int(13, &s.LostOrders)
}

// Fields codes the space for wire.
func (s *Space) Fields(c *wire.Codec) {
	c.Int(1, &s.Capacity)
	c.Int(2, &s.Used)
	c.Int(3, &s.Trash)
	c.Int(4, &s.Garbage)
	c.Int(5, &s.Free)
}

// Fields codes the directory for wire.
func (d *DirStatus) Fields(c *wire.Codec) {
	c.String(1, &d.Path, 4*maxText)
	c.Int(2, &d.Capacity)
	c.Int(3, &d.Used)
	c.Int(4, &d.Free)
	c.String(5, &d.Fault, 4*maxText)
}

// Fields codes the satellite for wire.
func (s *SatelliteStatus) Fields(c *wire.Codec) {
	interval, skew := int64(s.Interval), int64(s.Skew)
	c.Fixed(1, s.Satellite.ID[:])
	c.String(2, &s.Satellite.Address, maxText)
	c.Time(3, &s.Joined)
	c.Time(4, &s.LastContact)
	c.String(5, &s.LastError, maxText)
	c.Bool(6, &s.Reached)
	c.String(7, &s.Address, maxText)
	c.Uint32(8, &s.Epoch)
	c.Int(9, &interval)
	c.Int(10, &skew)
	c.Int(11, &s.Pieces)
	c.Int(12, &s.Bytes)
	c.Int(13, &s.TrashPieces)
	c.Int(14, &s.TrashBytes)
	c.Message(15, &s.Standing)
	c.Time(16, &s.Exiting)
	c.Message(17, &s.Garbage)
	c.Int(18, &s.Orders)
	c.Int(19, &s.Ordered)
	s.Interval, s.Skew = time.Duration(interval), time.Duration(skew)
}

// Fields codes the counters for wire.
func (t *Traffic) Fields(c *wire.Codec) {
	c.Int(1, &t.Uploads)
	c.Int(2, &t.CancelledUploads)
	c.Int(3, &t.Downloads)
	c.Int(4, &t.BytesIn)
	c.Int(5, &t.BytesOut)
	c.Int(6, &t.Refused)
}

// Fields codes the result for wire. Running is for the caller to fill in.
func (r *CheckResult) Fields(c *wire.Codec) {
	faults := make([][]byte, len(r.Faults))
	for i, fault := range r.Faults {
		faults[i] = []byte(fault)
	}
	c.Int(1, &r.Pieces)
	c.Int(2, &r.Bytes)
	c.Int(3, &r.DamagedCount)
	c.Int(4, &r.FaultCount)
	wire.Repeated(c, 5, &r.Damaged, maxListed)
	wire.RepeatedBytes(c, 6, &faults, maxListed, maxFaultText)
	if c.Decoding() {
		r.Faults = make([]string, len(faults))
		for i, fault := range faults {
			r.Faults[i] = string(fault)
		}
	}
}

// Fields codes the piece for wire.
func (p *DamagedPiece) Fields(c *wire.Codec) {
	c.Fixed(1, p.Piece[:])
	c.Int(2, &p.Size)
	c.Time(3, &p.Created)
}
