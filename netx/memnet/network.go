package memnet

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"storj/netx"
)

// Network joins transports. Verbs change how it treats them, at once.
type Network struct {
	mu        sync.Mutex // guards the fields below
	random    *rand.Rand
	hosts     map[netx.NodeID]*host
	byAddress map[string]*host
	links     map[*link]struct{}
	parted    map[[2]netx.NodeID]bool // both orders
	latency   time.Duration
	jitter    time.Duration
}

// host is a place on the network. It outlives the transports that are opened for its ID one after another.
type host struct {
	id        netx.NodeID
	address   string
	transport *Transport // the open one, if any
	killed    bool
	hung      bool
	perWrite  time.Duration
}

// New makes a network without peers. The seed decides the jitter of SetLatency.
func New(seed int64) *Network {
	return &Network{
		random:    rand.New(rand.NewPCG(uint64(seed), 0)),
		hosts:     make(map[netx.NodeID]*host),
		byAddress: make(map[string]*host),
		links:     make(map[*link]struct{}),
		parted:    make(map[[2]netx.NodeID]bool),
	}
}

// Transport opens the transport of a peer. Each ID has an address of its own, which stays the same when the transport is
// closed and opened again. It panics while one is open.
func (n *Network) Transport(id netx.NodeID) *Transport {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hostLocked(id)
	if h.transport != nil {
		panic("memnet: transport of " + id.String() + " is open already")
	}
	h.transport = newTransport(n, h)
	return h.transport
}

// hostLocked finds or makes the host of an ID. Addresses are 10.x.y.z:7777, one host each.
func (n *Network) hostLocked(id netx.NodeID) *host {
	h := n.hosts[id]
	if h == nil {
		i := len(n.hosts) + 1
		h = &host{id: id, address: fmt.Sprintf("10.%d.%d.%d:7777", i>>16&0xff, i>>8&0xff, i&0xff)}
		n.hosts[id] = h
		n.byAddress[h.address] = h
	}
	return h
}

// Partition cuts two peers off from each other: bytes wait, dials time out.
func (n *Network) Partition(a, b netx.NodeID) { n.part(a, b, true) }

// Heal undoes Partition. What waited is delivered, unless the connection died meanwhile.
func (n *Network) Heal(a, b netx.NodeID) { n.part(a, b, false) }

func (n *Network) part(a, b netx.NodeID, parted bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.parted[[2]netx.NodeID{a, b}] = parted
	n.parted[[2]netx.NodeID{b, a}] = parted
	n.refreshLocked()
}

// Hang stops every byte from and to a peer while its connections stay open; dials to it time out.
func (n *Network) Hang(id netx.NodeID) { n.hang(id, true) }

// Unhang undoes Hang.
func (n *Network) Unhang(id netx.NodeID) { n.hang(id, false) }

func (n *Network) hang(id netx.NodeID, hung bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hostLocked(id).hung = hung
	n.refreshLocked()
}

// Kill ends every connection of a peer on both sides and makes dials to and from it fail at once, until Revive. Its
// transport and listener stay: who runs there does not know.
func (n *Network) Kill(id netx.NodeID) {
	n.mu.Lock()
	n.hostLocked(id).killed = true
	var cut []*link
	for l := range n.links {
		if l.ends[0].host.id == id || l.ends[1].host.id == id {
			cut = append(cut, l)
		}
	}
	n.mu.Unlock()
	for _, l := range cut {
		l.cut(netx.ErrClosed)
	}
}

// Revive undoes Kill.
func (n *Network) Revive(id netx.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hostLocked(id).killed = false
}

// Slow makes every write from or to a peer take perWrite on its way, one after another in each stream; 0 undoes it.
func (n *Network) Slow(id netx.NodeID, perWrite time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hostLocked(id).perWrite = perWrite
	n.refreshLocked()
}

// SetLatency makes bytes between any two peers take latency plus a random part of jitter, decided per connection. It
// holds for connections dialed from now on.
func (n *Network) SetLatency(latency, jitter time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.latency, n.jitter = latency, jitter
}

// refreshLocked applies the verbs to the connections that are open.
func (n *Network) refreshLocked() {
	for l := range n.links {
		l.apply(n.blockedLocked(l.ends[0].host, l.ends[1].host), l.ends[0].host.perWrite+l.ends[1].host.perWrite)
	}
}

func (n *Network) blockedLocked(a, b *host) bool {
	return a.hung || b.hung || n.parted[[2]netx.NodeID{a.id, b.id}]
}

func (n *Network) latencyLocked() time.Duration {
	if n.jitter <= 0 {
		return n.latency
	}
	return n.latency + time.Duration(n.random.Int64N(int64(n.jitter)))
}

func (n *Network) remove(l *link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.links, l)
}
