package overlay

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"storj/metainfo/metabase"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/placement"
)

const (
	// DefaultInterval is how often nodes check in.
	DefaultInterval = time.Hour
	// pingTimeout bounds a ping-back: dial and call.
	pingTimeout = 10 * time.Second
	// checkInTimeout bounds a whole check-in on the server.
	checkInTimeout = 30 * time.Second
	// writeEvery is how often a row is written when nothing in it changed but the last contact.
	writeEvery = time.Hour
	// maxSkew is how wrong a node's clock may be before it is logged; limits fail at pieces.MaxClockSkew.
	maxSkew = pieces.MaxClockSkew / 4
	// A node may check in this often: a restart is no offence.
	checkInEvery = 20 * time.Second
	checkInBurst = 20
	maxCallers   = 100_000 // bounds the memory of who checked in lately

	maxRequest = 4 << 10 // bytes
)

// Book is what is thought of nodes. It may be called concurrently.
type Book interface {
	// Standing is told to the node.
	Standing(id netx.NodeID) pieces.Standing
	// Seen notes that the node was heard of.
	Seen(id netx.NodeID)
	// SetExiting notes whether its owner wants it to leave for good.
	SetExiting(id netx.NodeID, exiting bool)
}

// KeySource makes the keys that a node shares with the satellite.
type KeySource interface {
	NodeKeys(node netx.NodeID) []pieces.NodeKey
}

// Options says what an Overlay works with.
type Options struct {
	DB        *metabase.DB
	Directory *placement.Directory
	Keys      KeySource
	Transport netx.Transport
	Open      bool          // nodes may join without a token
	Interval  time.Duration // between check-ins; DefaultInterval
	Log       zerolog.Logger
	Accept    TagPolicy         // which tags of nodes are believed; zero: all, in an open network none
	Book      Book              // nil: nothing is thought of anybody
	Event     func(text string) // told what the owner would want to know; nil: nobody
}

// Overlay answers nodes.
type Overlay struct {
	opts   Options
	log    zerolog.Logger
	probes chan netx.NodeID // nodes to be asked whether they are there; full: the hint is dropped
	pings  chan struct{}    // one for each ping-back on its way

	mu      sync.Mutex     // guards the fields below
	asking  map[string]int // strangers that wait for their ping-back, by the host that they call from
	nodes   map[netx.NodeID]node
	callers map[netx.NodeID]*rate.Limiter
	probed  map[netx.NodeID]time.Time // when last asked
}

// node is what is known of a node: its row as it was last written, and what is too fleeting to be written.
type node struct {
	row metabase.Node
	ip  string // from which it answered last; empty: not asked since start
}

// New returns an overlay that knows nobody.
func New(opts Options) *Overlay {
	if opts.Interval == 0 {
		opts.Interval = DefaultInterval
	}
	return &Overlay{
		opts:    opts,
		log:     opts.Log.With().Str("svc", "overlay").Logger(),
		probes:  make(chan netx.NodeID, maxProbes),
		pings:   make(chan struct{}, maxPings),
		asking:  make(map[string]int),
		nodes:   make(map[netx.NodeID]node),
		callers: make(map[netx.NodeID]*rate.Limiter),
		probed:  make(map[netx.NodeID]time.Time),
	}
}

// Register has the server answer nodes.
func (o *Overlay) Register(s *rpc.Server) {
	limits := rpc.Limits{MaxRequest: maxRequest, Timeout: checkInTimeout}
	rpc.Unary(s, pieces.MethodJoin, limits, o.join)
	rpc.Unary(s, pieces.MethodCheckIn, limits, o.checkIn)
}

// Load fills the directory from the database.
func (o *Overlay) Load(ctx context.Context) error {
	rows, err := o.opts.DB.Nodes(ctx)
	if err != nil {
		return fmt.Errorf("load nodes: %w", err)
	}
	nodes := make([]placement.Node, len(rows))
	o.mu.Lock()
	for i, row := range rows {
		o.nodes[row.ID] = node{row: row}
		nodes[i] = o.selectable(row, "")
	}
	o.mu.Unlock()
	o.opts.Directory.Put(nodes...)
	return nil
}

// join redeems a token. A node that has joined already may repeat it. Errors: pieces.ErrToken, netx.ErrBusy.
func (o *Overlay) join(ctx context.Context, peer rpc.Peer, req *pieces.JoinRequest) (*pieces.Empty, error) {
	if !o.allow(peer.ID) {
		return nil, netx.ErrBusy
	}
	_, err := o.opts.DB.RedeemToken(ctx, sha256.Sum256(req.Secret[:]), peer.ID,
		func(n *metabase.Node, joins bool) error {
			n.Invited = n.Invited || joins
			return nil // its address is believed at check-in, not before
		})
	switch {
	case errors.Is(err, metabase.ErrToken):
		return nil, pieces.ErrToken
	case err != nil:
		return nil, fmt.Errorf("join: %w", err)
	}
	o.log.Info().Stringer("node", peer.ID).Msg("join token redeemed")
	return nil, nil
}

// checkIn takes a node's report. Errors: pieces.ErrNotJoined, ErrPingBack, ErrMalformed; netx.ErrBusy.
func (o *Overlay) checkIn(ctx context.Context, peer rpc.Peer, req *pieces.CheckIn) (*pieces.CheckInReply, error) {
	if !o.allow(peer.ID) {
		return nil, netx.ErrBusy
	}
	old, err := o.known(ctx, peer.ID)
	if err != nil {
		return nil, err
	}
	address, err := resolveAddress(req.Address, peer.RemoteAddr)
	if err != nil {
		return nil, err
	}
	tags, err := placement.CleanTags(req.Tags)
	if err != nil || req.Capacity < 0 || req.Used < 0 || req.Free < 0 ||
		!printable(append(req.Faults, address, req.Domain, req.Version)...) {
		return nil, pieces.ErrMalformed
	}
	if req.Leaving {
		if old.row.Alias == 0 {
			return nil, pieces.ErrNotJoined // whoever was never reached has nothing to leave, and gets no row for it
		}
		address = old.row.Address // a new one would have to be tried
	}
	next, now := old, time.Now().UTC()
	next.row.Address, next.row.Domain, next.row.Version, next.row.Leaving = address, req.Domain, req.Version, req.Leaving
	next.row.Capacity, next.row.Used, next.row.Free = req.Capacity, req.Used, req.Free
	if !req.Leaving { // a node that stops may say nothing of these
		next.row.Exiting, next.row.Tags, next.row.Faults = req.Exiting, tags, req.Faults
	}
	if !req.Leaving {
		ask := o.ping
		if old.row.Alias == 0 {
			ask = o.strangers(rpc.HostOf(peer.RemoteAddr))
		}
		next.ip, err = ask(ctx, netx.NodeURL{ID: peer.ID, Address: address})
		if err != nil {
			return nil, err
		}
		next.row.LastContact = now
	}
	if err := o.save(ctx, old, next); err != nil {
		return nil, err
	}
	if skew := req.Time.Sub(now).Abs(); skew > maxSkew {
		o.log.Warn().Stringer("node", peer.ID).Int64("dur_ms", skew.Milliseconds()).Msg("clock of node is wrong")
	}
	reply := &pieces.CheckInReply{
		Keys: o.opts.Keys.NodeKeys(peer.ID), Address: address, Interval: o.opts.Interval, Time: now,
	}
	o.note(&old.row, &next.row, reply)
	return reply, nil
}

// soon divides the interval of nodes whose standing is likely to change, so that their owners see it.
const soon = 4

// note tells the book, the owner and the node what there is to tell.
func (o *Overlay) note(old, row *metabase.Node, reply *pieces.CheckInReply) {
	if old.LastContact.IsZero() && !row.LastContact.IsZero() {
		o.event("node %s joined, at %s", row.ID.Short(), row.Address)
	}
	if faults := strings.Join(row.Faults, "; "); faults != strings.Join(old.Faults, "; ") {
		if faults == "" {
			faults = "all disks are well again"
		}
		o.event("node %s says: %s", row.ID.Short(), faults)
	}
	if o.opts.Book == nil {
		return
	}
	if !row.Leaving {
		o.opts.Book.Seen(row.ID)
		o.opts.Book.SetExiting(row.ID, row.Exiting)
	}
	reply.Standing = o.opts.Book.Standing(row.ID)
	switch reply.Standing.State {
	case pieces.Suspended, pieces.Quarantined, pieces.Exiting:
		reply.Interval /= soon
	}
}

func (o *Overlay) event(format string, args ...any) {
	if o.opts.Event != nil {
		o.opts.Event(fmt.Sprintf(format, args...))
	}
}

// known returns a node that has joined. In an open network everybody joins by checking in.
func (o *Overlay) known(ctx context.Context, id netx.NodeID) (node, error) {
	o.mu.Lock()
	n, cached := o.nodes[id]
	o.mu.Unlock()
	if cached {
		return n, nil
	}
	row, err := o.opts.DB.Node(ctx, id)
	switch {
	case errors.Is(err, metabase.ErrNode) && o.opts.Open:
		return node{row: metabase.Node{ID: id}}, nil // save writes it, after the ping-back
	case errors.Is(err, metabase.ErrNode):
		return node{}, pieces.ErrNotJoined
	case err != nil:
		return node{}, err
	}
	return node{row: row}, nil
}

// save tells selection of a report at once, and the database when it says something new.
func (o *Overlay) save(ctx context.Context, old, next node) error {
	fresh := o.selectable(next.row, next.ip)
	if worthWriting(old.row, next.row) {
		row, err := o.opts.DB.PutNode(ctx, next.row.ID, func(n *metabase.Node, _ bool) error {
			next.row.Alias, next.row.Joined = n.Alias, n.Joined
			next.row.Invited, next.row.Accepted = n.Invited, n.Accepted
			*n = next.row
			return nil
		})
		if err != nil {
			return fmt.Errorf("save node: %w", err)
		}
		next.row = row
	} else {
		next.row = old.row // as it was last written, so that it is written again when that is an hour old
	}
	o.mu.Lock()
	o.nodes[next.row.ID] = next
	o.mu.Unlock()
	o.opts.Directory.Put(fresh)
	return nil
}

// worthWriting says whether a row differs in more than a little free space and the time of the last contact.
func worthWriting(old, row metabase.Node) bool {
	moved := row.Free - old.Free
	spaceChanged := max(moved, -moved) > row.Capacity/100
	return spaceChanged || row.LastContact.Sub(old.LastContact) >= writeEvery || row.Address != old.Address ||
		row.Domain != old.Domain || row.Version != old.Version ||
		row.Capacity != old.Capacity || row.Leaving != old.Leaving || row.Exiting != old.Exiting || old.Alias == 0 ||
		!slices.Equal(row.Tags, old.Tags) || !slices.Equal(row.Faults, old.Faults)
}

// resolveAddress completes the address that a node gave: without a host, it is where the node calls from.
func resolveAddress(given, remote string) (string, error) {
	host, port, err := net.SplitHostPort(given)
	if err != nil {
		return "", fmt.Errorf("%w: address %q", pieces.ErrMalformed, given)
	}
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		if host, _, err = net.SplitHostPort(remote); err != nil {
			return "", fmt.Errorf("%w: address %q from %q", pieces.ErrMalformed, given, remote)
		}
	}
	address := net.JoinHostPort(host, port)
	if err := netx.CheckAddress(address); err != nil {
		return "", fmt.Errorf("%w: %w", pieces.ErrMalformed, err)
	}
	return address, nil
}

// printable says whether texts of a node can be shown to people: names that move the cursor of a terminal, or hide, are
// not for good.
func printable(texts ...string) bool {
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return false
		}
	}
	return true
}

// allow counts a request of a node against its rate.
func (o *Overlay) allow(id netx.NodeID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	limiter := o.callers[id]
	if limiter == nil {
		if len(o.callers) >= maxCallers {
			clear(o.callers) // a burst more for those that are active
		}
		// The satellite itself may ask for more: twice that is within the jitter of honest nodes.
		limiter = rate.NewLimiter(rate.Every(min(checkInEvery, o.opts.Interval/soon/2)), checkInBurst)
		o.callers[id] = limiter
	}
	return limiter.Allow()
}
