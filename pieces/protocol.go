package pieces

import (
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/netx"
)

// Method numbers on netx/rpc: 100-199 are served by nodes, 300-399 by a satellite to its nodes.
const (
	MethodUpload   = 100
	MethodDownload = 101
	MethodPing     = 110

	// These answer to the satellite whose pieces they are about, and to nobody else.
	MethodProve        = 130
	MethodRetain       = 131
	MethodRestoreTrash = 132

	MethodJoin         = 300
	MethodCheckIn      = 301
	MethodSettle       = 302
	MethodReportDamage = 303
)

// UploadHeader starts an upload.
type UploadHeader struct {
	Limit SignedLimit
	Size  int64 // bytes of body that follow
}

// MaxHeaderSize bounds UploadHeader and DownloadHeader in bytes.
const MaxHeaderSize = MaxLimitSize + 512

// Fields codes the header for wire.
func (h *UploadHeader) Fields(c *wire.Codec) {
	c.Message(1, &h.Limit)
	c.Int(2, &h.Size)
}

// DownloadHeader starts a download of [Offset, Offset+Length) of a piece.
type DownloadHeader struct {
	Limit     SignedLimit
	Offset    int64
	Length    int64
	Order     Order // the first one
	WantProof bool
}

// Fields codes the header for wire.
func (h *DownloadHeader) Fields(c *wire.Codec) {
	c.Message(1, &h.Limit)
	c.Int(2, &h.Offset)
	c.Int(3, &h.Length)
	c.Message(4, &h.Order)
	c.Bool(5, &h.WantProof)
}

// DownloadReply precedes the bytes of a download.
type DownloadReply struct {
	Size    int64 // of the whole piece, bytes
	Trashed bool  // the piece was in the trash
	Proof   []byte
}

// Fields codes the reply for wire.
func (r *DownloadReply) Fields(c *wire.Codec) {
	c.Int(1, &r.Size)
	c.Bool(2, &r.Trashed)
	c.Bytes(3, &r.Proof, MaxProofSize)
}

// MaxOrderSize bounds an encoded Order in bytes.
const MaxOrderSize = 128

// FirstOrderBytes is the amount of the first order of a download. Each later order adds half as much again as the
// step before it, up to MaxOrderStep, and is sent when half of the last step has arrived: neither side is ever ahead
// of the other by more than two steps. Source: the existing system's 256 KiB growing by 1.5; its cap of 550 KiB is
// widened to a round 1 MiB, at which the two signatures cost 0.1 CPU-s a GiB.
const (
	FirstOrderBytes = 256 << 10
	MaxOrderStep    = 1 << 20
)

// NextOrderStep returns the step after step.
func NextOrderStep(step int64) int64 { return min(step*3/2, MaxOrderStep) }

// Empty is a message without fields.
type Empty struct{}

// Fields codes nothing.
func (*Empty) Fields(*wire.Codec) {}

// PingReply is a node's answer to its satellite's ping-back.
type PingReply struct {
	Version string
	Time    time.Time // the node's clock
}

// Fields codes the reply for wire.
func (r *PingReply) Fields(c *wire.Codec) {
	c.String(1, &r.Version, maxVersion)
	c.Time(2, &r.Time)
}

const (
	maxVersion = 64
	maxAddress = 300
	maxDomain  = 64
	// TokenSecretSize is the size of the secret in a join token in bytes.
	TokenSecretSize = 16
)

// JoinRequest redeems a join token for the node that sends it.
type JoinRequest struct {
	Secret [TokenSecretSize]byte
}

// Fields codes the request for wire.
func (r *JoinRequest) Fields(c *wire.Codec) { c.Fixed(1, r.Secret[:]) }

// CheckIn is a node's regular report to its satellite; the node is whoever holds the connection.
type CheckIn struct {
	Address  string // host:port at which the satellite and uplinks reach the node; host may be empty: as seen
	Version  string
	Capacity int64 // bytes given
	Used     int64
	Free     int64
	Domain   string    // failure domain named by the owner; empty: decided by the satellite
	Time     time.Time // the node's clock
	Leaving  bool      // the node is about to stop: take it out of selection
	Exiting  bool      // the owner wants to leave the network for good: move its pieces away
	Tags     []string  // name=value, of the owner's choice; at most MaxTags
	Faults   []string  // disks that are away or read-only, in words; at most MaxFaults
}

// Fields codes the report for wire.
func (r *CheckIn) Fields(c *wire.Codec) {
	c.String(1, &r.Address, maxAddress)
	c.String(2, &r.Version, maxVersion)
	c.Int(3, &r.Capacity)
	c.Int(4, &r.Used)
	c.Int(5, &r.Free)
	c.String(6, &r.Domain, maxDomain)
	c.Time(7, &r.Time)
	c.Bool(8, &r.Leaving)
	c.Bool(9, &r.Exiting)
	codeStrings(c, 10, &r.Tags, MaxTags, maxTag)
	codeStrings(c, 11, &r.Faults, MaxFaults, maxFault)
}

// CheckInReply gives a node what it needs to serve until its next check-in.
type CheckInReply struct {
	Keys     []NodeKey // current epoch first
	Address  string    // as the satellite will hand it out
	Interval time.Duration
	Time     time.Time // the satellite's clock
	Standing Standing
}

// Fields codes the reply for wire.
func (r *CheckInReply) Fields(c *wire.Codec) {
	const maxKeys = 4
	interval := int64(r.Interval)
	wire.Repeated(c, 1, &r.Keys, maxKeys)
	c.String(2, &r.Address, maxAddress)
	c.Int(3, &interval)
	c.Time(4, &r.Time)
	r.Interval = time.Duration(interval)
	c.Message(5, &r.Standing)
}

// Fields codes the key for wire.
func (k *NodeKey) Fields(c *wire.Codec) {
	c.Uint32(1, &k.Epoch)
	c.Fixed(2, k.Key[:])
}

// PieceLimit is what an uplink needs to move one piece: where, and the leave to do so.
type PieceLimit struct {
	Number int // piece number in the segment
	Node   netx.NodeURL
	Limit  SignedLimit
	Group  uint32 // of an upload: pieces of equal numbers other than 0 would be lost together; 0: a domain of its own
}

// Fields codes the piece limit for wire.
func (l *PieceLimit) Fields(c *wire.Codec) {
	number := uint32(l.Number)
	c.Uint32(1, &number)
	c.Fixed(2, l.Node.ID[:])
	c.String(3, &l.Node.Address, maxAddress)
	c.Message(4, &l.Limit)
	c.Uint32(5, &l.Group)
	if number >= ecenc.MaxTotal {
		c.Fail()
	}
	l.Number = int(number)
}

// StoredPiece is an uplink's report of one piece of a segment that a node acknowledged.
type StoredPiece struct {
	Number int
	Node   netx.NodeID
	Ack    PieceAck
}

// Fields codes the report for wire.
func (p *StoredPiece) Fields(c *wire.Codec) {
	number := uint32(p.Number)
	c.Uint32(1, &number)
	c.Fixed(2, p.Node[:])
	c.Message(3, &p.Ack)
	if number >= ecenc.MaxTotal {
		c.Fail()
	}
	p.Number = int(number)
}

// codeStrings codes short texts.
func codeStrings(c *wire.Codec, num int, list *[]string, limit, size int) {
	raw := make([][]byte, len(*list))
	for i, text := range *list {
		raw[i] = []byte(text)
	}
	wire.RepeatedBytes(c, num, &raw, limit, size)
	if !c.Decoding() {
		return
	}
	*list = nil
	for _, text := range raw {
		*list = append(*list, string(text))
	}
}
