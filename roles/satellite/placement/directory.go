package placement

import (
	"cmp"
	"maps"
	"math/bits"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"storj/metainfo/metabase"
	"storj/netx"
	"storj/pieces"
)

// OfflineAfter is how long after its last contact a node is not selected any more. Source: the existing system.
const OfflineAfter = 4 * time.Hour

const (
	// nearFull is how many times MinFree a node must have free to be as good as another: those with less are avoided
	// where there is a choice, so that the last bytes of a disk serve when all are full.
	nearFull = 16
	// VettingFrom is the number of known nodes from which an open network gives new ones a limited share. Source: the
	// largest scheme of Auto; a smaller network needs every node it has.
	VettingFrom = 110
)

// Options tunes a Directory. A zero field is its default.
type Options struct {
	MinFree      int64         // bytes that a node must have free to be picked; default one largest piece
	OfflineAfter time.Duration // default OfflineAfter
	// Standing says what the satellite thinks of a node, and whether it takes its full share of new pieces; nil: all are
	// healthy and do. It is called with a lock held and must not call the Directory; after a change, call
	// Rebuild.
	Standing func(id netx.NodeID) (state pieces.State, vetted bool)
	Vetting  bool // nodes that are not vetted get a limited share, once there are VettingFrom nodes: for open networks
}

// Node is what is known of a node.
type Node struct {
	URL         netx.NodeURL
	Domain      string // as DomainOf returns it
	Free        int64  // bytes
	LastContact time.Time
	Leaving     bool     // it is about to stop, or said so
	Unreachable bool     // it did not answer when last asked
	Tags        []string // that the satellite believes; sorted, read only
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
		Tags:        row.Tags,
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
	rules  []Rule // by number; the default one is among them
}

// NewDirectory returns a directory without nodes.
func NewDirectory(opts Options) *Directory {
	if opts.MinFree == 0 {
		opts.MinFree = pieces.MaxPieceSize
	}
	if opts.OfflineAfter == 0 {
		opts.OfflineAfter = OfflineAfter
	}
	d := &Directory{
		opts: opts, nodes: make(map[netx.NodeID]Node), scores: make(map[netx.NodeID]*score),
		rules: []Rule{{Name: DefaultName}},
	}
	d.rebuild(time.Now())
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

// Refresh takes out the nodes which have been silent too long. It is cheap when there are none.
func (d *Directory) Refresh() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, snap := time.Now(), d.Snapshot()
	for id, node := range d.nodes {
		if snap.byID[id].online != d.online(node, now) {
			d.rebuild(now)
			return
		}
	}
}

// Rebuild makes a snapshot with the standing that nodes have now.
func (d *Directory) Rebuild() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rebuild(time.Now())
}

// SetRules replaces all rules. Without one of number 0 the default is as it was born.
func (d *Directory) SetRules(list []Rule) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rules = slices.SortedFunc(slices.Values(list), func(a, b Rule) int { return cmp.Compare(a.Number, b.Number) })
	if len(d.rules) == 0 || d.rules[0].Number != 0 {
		d.rules = slices.Insert(d.rules, 0, Rule{Name: DefaultName})
	}
	d.rebuild(time.Now())
}

// Rules returns all rules by number, the default one first.
func (d *Directory) Rules() []Rule {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.rules)
}

// Observe notes how long a node took to answer something small: of two that are as reliable the faster is chosen.
func (d *Directory) Observe(id netx.NodeID, took time.Duration) {
	if e := d.Snapshot().byID[id]; e != nil {
		e.score.observe(took)
	}
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

// Get returns what is known of a node.
func (d *Directory) Get(id netx.NodeID) (node Node, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	node, known = d.nodes[id]
	return node, known
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
	return old.URL != node.URL || old.Domain != node.Domain || !slices.Equal(old.Tags, node.Tags) ||
		d.online(old, now) != d.online(node, now) || d.eligible(old, now) != d.eligible(node, now) ||
		d.nearFull(old) != d.nearFull(node)
}

func (d *Directory) online(n Node, now time.Time) bool {
	return !n.Unreachable && !n.Leaving && now.Sub(n.LastContact) <= d.opts.OfflineAfter
}

func (d *Directory) eligible(n Node, now time.Time) bool {
	return d.online(n, now) && d.HasRoom(n)
}

func (d *Directory) nearFull(n Node) bool { return n.Free < nearFull*d.opts.MinFree }

// rebuild is called with mu held.
func (d *Directory) rebuild(now time.Time) {
	vetting := d.opts.Vetting && len(d.nodes) >= VettingFrom
	d.snap.Store(newSnapshot(d.nodes, d.rules, func(n Node) entry {
		e := entry{
			url: n.URL, tags: n.Tags, score: d.scores[n.URL.ID],
			online: d.online(n, now), eligible: d.eligible(n, now), nearFull: d.nearFull(n),
		}
		if d.opts.Standing != nil {
			state, vetted := d.opts.Standing(n.URL.ID)
			e.eligible = e.eligible && state == pieces.Healthy
			e.fresh = vetting && !vetted
		}
		return e
	}))
}

// score is how a node fares: a moving average of success, 0 to scoreOne, and one of what it takes to answer.
type score struct {
	value  atomic.Uint32
	micros atomic.Uint32 // microseconds; 0: never measured
}

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

// observe weighs a new span as an eighth. A lost update costs one observation, no more.
func (s *score) observe(took time.Duration) {
	const most = time.Minute
	fresh := uint32(max(1, min(took, most).Microseconds()))
	if old := s.micros.Load(); old != 0 {
		fresh = max(1, old-old/8+fresh/8)
	}
	s.micros.Store(fresh)
}

// pace is the magnitude of the span: spans are compared by powers of two, so that a little does not steer all data. What
// was never measured counts as fast, since then it will be.
func (s *score) pace() int { return bits.Len32(s.micros.Load()) }
