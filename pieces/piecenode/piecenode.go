package piecenode

import (
	"context"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"storj/ecenc/wire"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

// Keyring knows the keys that the node shares with each satellite. It may be called concurrently.
type Keyring interface {
	// NodeKeys returns the keys of the epochs that count now. Errors: pieces.ErrUntrusted for a satellite that the node has
	// not joined, pieces.ErrNotReady before the first check-in.
	NodeKeys(satellite netx.NodeID) ([]pieces.NodeKey, error)
}

// Options makes a Node. Store, Keys and ID are needed.
type Options struct {
	ID      netx.NodeID
	Store   pieces.Store
	Keys    Keyring
	Version string
	Metrics *metrics.Set     // nil: counted, but shown nowhere
	Now     func() time.Time // nil: time.Now
	// StallTimeout ends an operation whose peer moves no byte for so long; 30 s. So does being below minRate on the whole.
	StallTimeout time.Duration
	// MaxSerials bounds the table of used serial numbers; 1,000,000, about 40 MB when full.
	MaxSerials int

	Ledger    Ledger    // nil: orders are verified and dropped
	Throttle  Throttle  // nil: as fast as it goes
	Collector Collector // nil: garbage filters are refused
	// MaxProofs bounds the proofs that are cut at once, each a read of a whole piece; 4. More wait.
	MaxProofs int
}

// Node serves the piece protocol.
type Node struct {
	opts    Options
	serials *serials
	buffers *buffers
	count   *counters
	proving chan struct{} // one token for each proof that is being cut
}

// New makes a Node.
func New(opts Options) *Node {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.StallTimeout == 0 {
		opts.StallTimeout = 30 * time.Second
	}
	if opts.MaxSerials == 0 {
		opts.MaxSerials = 1_000_000
	}
	if opts.MaxProofs == 0 {
		opts.MaxProofs = 4
	}
	if opts.Metrics == nil {
		opts.Metrics = metrics.NewSet()
	}
	if opts.Ledger == nil {
		opts.Ledger = noLedger{}
	}
	if opts.Throttle == nil {
		opts.Throttle = noThrottle{}
	}
	return &Node{
		opts:    opts,
		serials: newSerials(opts.MaxSerials),
		buffers: newBuffers(),
		count:   newCounters(opts.Metrics),
		proving: make(chan struct{}, opts.MaxProofs),
	}
}

// Register adds the methods of the piece protocol to a server.
func (n *Node) Register(s *rpc.Server) {
	s.Stream(pieces.MethodUpload, pieces.MaxHeaderSize, n.upload)
	s.Stream(pieces.MethodDownload, pieces.MaxHeaderSize, n.download)
	rpc.Unary(s, pieces.MethodPing, rpc.Limits{}, n.ping)
	n.registerCare(s)
}

// MarkUsed makes the limit of a serial number count as used, as after a restart those do whose orders were kept.
func (n *Node) MarkUsed(satellite netx.NodeID, serial pieces.SerialNumber) {
	n.serials.use(satellite, serial, n.opts.Now())
}

func (n *Node) ping(context.Context, rpc.Peer, *pieces.Empty) (*pieces.PingReply, error) {
	return &pieces.PingReply{Version: n.opts.Version, Time: n.opts.Now()}, nil
}

// maxLimitLife is how far in the future a limit may expire. Satellites make them for an hour; its serial number takes room
// in a table that all satellites share until then, so none may take it for good.
const maxLimitLife = 24*time.Hour + pieces.MaxClockSkew

// admit checks a limit for an action and uses up its serial number. It returns the key to acknowledge with.
func (n *Node) admit(signed *pieces.SignedLimit, allowed func(pieces.Action) bool) (pieces.OrderLimit, pieces.NodeKey, error) {
	limit, err := signed.Decode()
	if err != nil {
		return limit, pieces.NodeKey{}, n.refuse("malformed", err)
	}
	keys, err := n.opts.Keys.NodeKeys(limit.Satellite)
	if err != nil {
		return limit, pieces.NodeKey{}, n.refuse("satellite", err)
	}
	if limit.Node != n.opts.ID || !allowed(limit.Action) || !authentic(signed, limit.Epoch, keys) {
		return limit, pieces.NodeKey{}, n.refuse("limit", pieces.ErrLimit)
	}
	now := n.opts.Now()
	skewed := now.Sub(limit.Created).Abs() > pieces.MaxClockSkew
	dead := !limit.PieceExpires.IsZero() && now.After(limit.PieceExpires)
	forever := limit.Expires.Sub(now) > maxLimitLife
	if skewed || dead || forever || !now.Before(limit.Expires) || !limit.Serial.Expires().Equal(limit.Expires) {
		return limit, pieces.NodeKey{}, n.refuse("expired", pieces.ErrLimitExpired)
	}
	if !n.serials.use(limit.Satellite, limit.Serial, now) {
		return limit, pieces.NodeKey{}, n.refuse("replayed", pieces.ErrLimitUsed)
	}
	return limit, keys[0], nil
}

func authentic(signed *pieces.SignedLimit, epoch uint32, keys []pieces.NodeKey) bool {
	for _, key := range keys {
		if key.Epoch == epoch {
			return signed.Verify(key)
		}
	}
	return false
}

func (n *Node) refuse(cause string, err error) error {
	n.count.refused(cause)
	return err
}

// decodeHeader reads a request header, which the stream's buffer owns, into m.
func decodeHeader(header []byte, m wire.Message) error {
	if err := wire.Unmarshal(header, m); err != nil {
		return pieces.ErrMalformed
	}
	return nil
}

// minRate is how fast an operation must move on the whole, in bytes a second, besides never standing still for
// StallTimeout: who sends a byte now and then would keep a log of the store, a buffer and a stream for weeks. It is low,
// since the slowest of links may be shared by hundreds of streams.
const minRate = 512

// pace bounds the reads and writes of one operation in time.
type pace struct {
	st    *rpc.ServerStream
	stall time.Duration
	end   time.Time
}

// pace starts the clock of an operation that moves size bytes.
func (n *Node) pace(st *rpc.ServerStream, size int64) pace {
	stall := n.opts.StallTimeout
	return pace{st: st, stall: stall, end: time.Now().Add(stall + time.Duration(size)*time.Second/minRate)}
}

// deadline is until when the next step must be done.
func (p pace) deadline() time.Time {
	if next := time.Now().Add(p.stall); next.Before(p.end) {
		return next
	}
	return p.end
}

// step sets the deadline of the next step.
func (p pace) step() error { return p.st.SetDeadline(p.deadline()) }
