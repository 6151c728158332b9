package placement

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"storj/metainfo/metabase"
	"storj/netx"
	"storj/pieces"
)

// OfflineAfter is how long after its last contact a node is not selected any more. Source: the existing system.
const OfflineAfter = 4 * time.Hour

// Options tunes a Directory. A zero field is its default.
type Options struct {
	MinFree      int64         // bytes that a node must have free to be picked; default one largest piece
	OfflineAfter time.Duration // default OfflineAfter
}

// Node is what is known of a node.
type Node struct {
	URL         netx.NodeURL
	Domain      string // as DomainOf returns it
	Free        int64  // bytes
	LastContact time.Time
	Leaving     bool // it is about to stop, or said so
	Unreachable bool // it did not answer when last asked
}

// FromRow returns what selection needs of a node's row. ip is the address from which it answered last, needed where its
// own address is a host name; when it is empty, such a node counts as a domain of its own.
func FromRow(row metabase.Node, ip string) Node {
	host, _, _ := net.SplitHostPort(row.Address) // what is no address has no host, and then no IP
	addr, err := netip.ParseAddr(host)
	if err != nil {
		addr, _ = netip.ParseAddr(ip) // none: the zero address
	}
	return Node{
		URL:         netx.NodeURL{ID: row.ID, Address: row.Address},
		Domain:      DomainOf(row.ID, addr, row.Domain),
		Free:        row.Free,
		LastContact: row.LastContact,
		Leaving:     row.Leaving,
	}
}

// Directory holds what is known of all nodes.
type Directory struct {
	opts Options
	snap atomic.Pointer[Snapshot]

	mu     sync.Mutex // guards the fields below
	nodes  map[netx.NodeID]Node
	scores map[netx.NodeID]*score
}

// NewDirectory returns a directory without nodes.
func NewDirectory(opts Options) *Directory {
	if opts.MinFree == 0 {
		opts.MinFree = pieces.MaxPieceSize
	}
	if opts.OfflineAfter == 0 {
		opts.OfflineAfter = OfflineAfter
	}
	d := &Directory{opts: opts, nodes: make(map[netx.NodeID]Node), scores: make(map[netx.NodeID]*score)}
	d.snap.Store(newSnapshot(nil, nil, nil))
	return d
}

// Snapshot returns the current state. It never changes.
func (d *Directory) Snapshot() *Snapshot { return d.snap.Load() }

// Put adds nodes or replaces what is known of them. The next Snapshot has it.
func (d *Directory) Put(nodes ...Node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed := false
	now := time.Now()
	for _, node := range nodes {
		id := node.URL.ID
		old, known := d.nodes[id]
		d.nodes[id] = node
		if !known {
			d.scores[id] = newScore()
		}
		changed = changed || !known || d.differs(old, node, now)
	}
	if changed {
		d.rebuild(now)
	}
}

// SetReachable notes whether a node answered just now; if it did, that is a contact. It says whether that is news.
func (d *Directory) SetReachable(id netx.NodeID, reachable bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, known := d.nodes[id]
	if !known {
		return false
	}
	node, now := old, time.Now()
	node.Unreachable = !reachable
	if reachable {
		node.LastContact = now
	}
	d.nodes[id] = node
	if !d.differs(old, node, now) {
		return false
	}
	d.rebuild(now)
	return true
}

// Refresh takes out the nodes which have been silent too long.
func (d *Directory) Refresh() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rebuild(time.Now())
}

// Nodes returns a copy of what is known, in no particular order.
func (d *Directory) Nodes() []Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	nodes := make([]Node, 0, len(d.nodes))
	for node := range maps.Values(d.nodes) {
		nodes = append(nodes, node)
	}
	return nodes
}

// Report notes how nodes fared in an upload: the hint for choosing between two.
func (d *Directory) Report(stored, failed []netx.NodeID) {
	snap := d.Snapshot()
	for _, id := range stored {
		if e := snap.byID[id]; e != nil {
			e.score.add(true)
		}
	}
	for _, id := range failed {
		if e := snap.byID[id]; e != nil {
			e.score.add(false)
		}
	}
}

// HasRoom says whether a node has space for another piece.
func (d *Directory) HasRoom(n Node) bool { return n.Free >= d.opts.MinFree }

// differs says whether a snapshot would show the change.
func (d *Directory) differs(old, node Node, now time.Time) bool {
	return old.URL != node.URL || old.Domain != node.Domain ||
		d.online(old, now) != d.online(node, now) || d.eligible(old, now) != d.eligible(node, now)
}

func (d *Directory) online(n Node, now time.Time) bool {
	return !n.Unreachable && !n.Leaving && now.Sub(n.LastContact) <= d.opts.OfflineAfter
}

func (d *Directory) eligible(n Node, now time.Time) bool {
	return d.online(n, now) && d.HasRoom(n)
}

// rebuild is called with mu held.
func (d *Directory) rebuild(now time.Time) {
	d.snap.Store(newSnapshot(d.nodes, d.scores, func(n Node) (online, eligible bool) {
		return d.online(n, now), d.eligible(n, now)
	}))
}

// score is a moving average of success, 0 to scoreOne.
type score struct{ value atomic.Uint32 }

const (
	scoreOne  = 1 << 16
	scoreStep = 1 << 12 // scores are compared in these steps: a small difference must not steer all data
)

func newScore() *score {
	s := new(score)
	s.value.Store(scoreOne)
	return s
}

// add weighs a failure four times as much as a success. A lost update costs one observation, no more.
func (s *score) add(success bool) {
	v := s.value.Load()
	if success {
		v += (scoreOne - v) / 32
	} else {
		v -= v / 8
	}
	s.value.Store(v)
}

func (s *score) level() uint32 { return s.value.Load() / scoreStep }
