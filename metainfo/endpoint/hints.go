package endpoint

import (
	"sync"
	"time"

	"storj/metainfo"
	"storj/netx"
)

const (
	// hintEvery is how often a project is believed that a node failed it. Others who store on the node outweigh that; the
	// failures of one client must not, whatever it says.
	hintEvery = 10 * time.Second
	// maxHints bounds what is remembered: some MB.
	maxHints = 50_000
)

type hint struct {
	project metainfo.ProjectID
	node    netx.NodeID
}

// hints remembers who said lately that a node failed. What an uplink says of nodes cannot be checked: who wants data to go
// to its own would say it of all others.
type hints struct {
	mu    sync.Mutex // guards the fields below
	heard map[hint]time.Time
}

// fresh returns those of the nodes of which the project has not said it lately, each once.
func (h *hints) fresh(project metainfo.ProjectID, nodes []netx.NodeID, now time.Time) (list []netx.NodeID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, node := range nodes {
		key := hint{project, node}
		if at, known := h.heard[key]; known && now.Sub(at) < hintEvery {
			continue
		}
		if h.heard == nil || len(h.heard) >= maxHints {
			h.heard = make(map[hint]time.Time)
		}
		h.heard[key] = now
		list = append(list, node)
	}
	return list
}
