package pieces

import (
	"time"

	"storj/ecenc/wire"
)

// Bounds of what nodes and satellites tell each other beside pieces.
const (
	// MaxTags and MaxFaults bound a CheckIn.
	MaxTags   = 16
	MaxFaults = 16
	// MaxSlice is the most bytes of a piece that a Prove may ask for.
	MaxSlice = 64 << 10
	// MaxProveReply bounds an encoded ProveReply: the slice, and the hashes on the way to it.
	MaxProveReply = 2*MaxSlice + MaxProofSize + 16<<10
	// MaxFilter is the largest garbage filter in bytes: at 10 bits a piece, 26 million pieces.
	MaxFilter = 32 << 20
	// MaxSettle is the most orders of one Settle request, MaxDamage the most pieces of one DamageReport.
	MaxSettle = 1000
	MaxDamage = 1000

	maxTag    = 128
	maxFault  = 256
	maxReason = 256
)

// State is what a satellite thinks of a node.
type State uint8

// The states; the list is append-only.
const (
	Healthy      State = 0
	Offline      State = 1 // away too much: no new pieces until it is back
	Suspended    State = 2 // answers audits with errors: no new pieces
	Quarantined  State = 3 // lost or altered data: no new pieces, its pieces are being replaced, the owner decides
	Disqualified State = 4 // its pieces do not count any more
	Exiting      State = 5 // its pieces are being moved away
	Exited       State = 6 // has no piece any more that is needed
)

// String names the state.
func (s State) String() string {
	names := [...]string{"healthy", "offline", "suspended", "quarantined", "disqualified", "exiting", "exited"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// MarshalText names the state in JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Standing is what a satellite thinks of a node, and why; the node is told at each check-in. Scores are 0 to 1.
type Standing struct {
	State        State
	Since        time.Time // of the state
	AuditScore   float64
	UnknownScore float64
	OnlineScore  float64
	Reason       string  // of the state or of the last failed audit, in words
	Piece        PieceID // that the last failed audit was about; zero: none
	Vetted       bool    // it takes its full share of new pieces
	PiecesLeft   int64   // of an exiting node: how many are still to be moved
}

// Fields codes the standing for wire. Scores travel as millionths.
func (s *Standing) Fields(c *wire.Codec) {
	state := uint32(s.State)
	c.Uint32(1, &state)
	s.State = State(state)
	c.Time(2, &s.Since)
	codeScore(c, 3, &s.AuditScore)
	codeScore(c, 4, &s.UnknownScore)
	codeScore(c, 5, &s.OnlineScore)
	c.String(6, &s.Reason, maxReason)
	c.Fixed(7, s.Piece[:])
	c.Bool(8, &s.Vetted)
	c.Int(9, &s.PiecesLeft)
	if state > uint32(Exited) {
		c.Fail()
	}
}

func codeScore(c *wire.Codec, num int, score *float64) {
	const unit = 1_000_000
	v := uint32(min(max(*score, 0), 1)*unit + 0.5)
	c.Uint32(num, &v)
	if v > unit {
		c.Fail()
	}
	*score = float64(v) / unit
}

// ProveRequest asks a node to prove that it has a piece: its Proof, and the bytes around an offset with the hashes
// that lead from them to the signed hash (a Bao slice).
type ProveRequest struct {
	Piece  PieceID
	Offset int64 // bytes
	Length int64 // 1 to MaxSlice
}

// Fields codes the request for wire.
func (r *ProveRequest) Fields(c *wire.Codec) {
	c.Fixed(1, r.Piece[:])
	c.Int(2, &r.Offset)
	c.Int(3, &r.Length)
}

// ProveReply is the proof.
type ProveReply struct {
	Size    int64  // of the piece, bytes
	Trashed bool   // the piece was in the trash
	Proof   []byte // encoded Proof
	Slice   []byte // Bao slice; its 8-byte length header included
}

// Fields codes the reply for wire.
func (r *ProveReply) Fields(c *wire.Codec) {
	c.Int(1, &r.Size)
	c.Bool(2, &r.Trashed)
	c.Bytes(3, &r.Proof, MaxProofSize)
	c.Bytes(4, &r.Slice, 2*MaxSlice+16<<10)
}

// RetainHeader precedes the Size bytes of a garbage filter on a stream: pieces made before Created that are not in the
// filter are garbage.
type RetainHeader struct {
	Created time.Time // when the pass over all segments began, less the skew allowed to clocks and uploads
	Pieces  int64     // in the filter
	Seed    uint64
	Hashes  uint32 // 1 to 32
	Size    int64  // bytes that follow, 1 to MaxFilter
}

// Fields codes the header for wire.
func (h *RetainHeader) Fields(c *wire.Codec) {
	c.Time(1, &h.Created)
	c.Int(2, &h.Pieces)
	c.Uint(3, &h.Seed)
	c.Uint32(4, &h.Hashes)
	c.Int(5, &h.Size)
}

// RestoreTrashRequest asks a node to take pieces out of the trash again.
type RestoreTrashRequest struct {
	Since time.Time // that were put there at this time or later
}

// Fields codes the request for wire.
func (r *RestoreTrashRequest) Fields(c *wire.Codec) { c.Time(1, &r.Since) }

// RestoreTrashReply says how many there were.
type RestoreTrashReply struct {
	Pieces int64
}

// Fields codes the reply for wire.
func (r *RestoreTrashReply) Fields(c *wire.Codec) { c.Int(1, &r.Pieces) }

// SettledOrder is an order with the limit that it is for.
type SettledOrder struct {
	Limit SignedLimit
	Order Order
}

// Fields codes the order for wire.
func (o *SettledOrder) Fields(c *wire.Codec) {
	c.Message(1, &o.Limit)
	c.Message(2, &o.Order)
}

// SettleRequest hands in orders of one window of time, an hour: those whose limits were made in it.
type SettleRequest struct {
	Window time.Time // its start, whole hour
	Batch  uint32    // of the window, from 0: a window may need several requests
	Orders []SettledOrder
}

// Fields codes the request for wire.
func (r *SettleRequest) Fields(c *wire.Codec) {
	c.Time(1, &r.Window)
	c.Uint32(2, &r.Batch)
	wire.Repeated(c, 3, &r.Orders, MaxSettle)
}

// SettleReply says what was counted. Handing in the same batch again changes nothing and is answered the same.
type SettleReply struct {
	Accepted int64 // orders
	Rejected int64 // not of this satellite, node or time, or badly signed
	Bytes    int64
}

// Fields codes the reply for wire.
func (r *SettleReply) Fields(c *wire.Codec) {
	c.Int(1, &r.Accepted)
	c.Int(2, &r.Rejected)
	c.Int(3, &r.Bytes)
}

// DamageReport names pieces that the node found damaged, or lost with a disk: they are to be replaced, without
// penalty.
type DamageReport struct {
	Pieces []PieceID // at most MaxDamage
}

// Fields codes the report for wire.
func (r *DamageReport) Fields(c *wire.Codec) {
	raw := make([][]byte, len(r.Pieces))
	for i := range r.Pieces {
		raw[i] = r.Pieces[i][:]
	}
	wire.RepeatedBytes(c, 1, &raw, MaxDamage, len(PieceID{}))
	if !c.Decoding() {
		return
	}
	r.Pieces = nil
	for _, id := range raw {
		if len(id) != len(PieceID{}) {
			c.Fail()
			return
		}
		r.Pieces = append(r.Pieces, PieceID(id))
	}
}
