package segmentio

import (
	"sync"
	"time"

	"storj/netx"
)

const (
	firstPenalty = 10 * time.Second
	maxPenalty   = 5 * time.Minute
	maxMemory    = 4096 // nodes; the whole memory is dropped when it is full
)

// memory keeps which nodes failed or stalled lately, so that later segments ask them last.
type memory struct {
	mu    sync.Mutex // guards the fields below
	nodes map[netx.NodeID]lapse
}

type lapse struct {
	until   time.Time
	penalty time.Duration
}

func newMemory() *memory { return &memory{nodes: make(map[netx.NodeID]lapse)} }

// suspect says whether the node failed lately.
func (m *memory) suspect(node netx.NodeID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, known := m.nodes[node]
	return known && time.Now().Before(l.until)
}

// failed notes a failure; each further one without a success between lasts twice as long.
func (m *memory) failed(node netx.NodeID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.nodes) >= maxMemory {
		clear(m.nodes)
	}
	now := time.Now()
	l := m.nodes[node]
	if now.Before(l.until) && l.until.Sub(now) > l.penalty*3/4 {
		return // the same incident, seen by several streams
	}
	l.penalty = min(max(firstPenalty, 2*l.penalty), maxPenalty)
	l.until = now.Add(l.penalty)
	m.nodes[node] = l
}

// succeeded forgets failures.
func (m *memory) succeeded(node netx.NodeID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.nodes, node)
}
