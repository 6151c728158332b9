package storagenode

import (
	"context"
	"strings"

	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/storagenode/contact"
)

func (n *Node) registerAdmin() {
	rpc.Unary(n.server, MethodStatus, rpc.Limits{}, func(_ context.Context, peer rpc.Peer, _ *pieces.Empty) (*Status, error) {
		if peer.ID != n.id.ID() {
			return nil, ErrNotOwner
		}
		return n.Status(), nil
	})
	n.server.Stream(MethodCheck, maxText, func(ctx context.Context, peer rpc.Peer, _ []byte, st *rpc.ServerStream) error {
		if peer.ID != n.id.ID() {
			return ErrNotOwner
		}
		report, err := n.store.Check(ctx)
		if err != nil {
			return err
		}
		return st.Reply(newCheckResult(report))
	})
	n.registerOwner()
}

// Status describes the node.
func (n *Node) Status() *Status {
	space := n.store.Space()
	s := &Status{
		ID: n.id.ID(), Version: n.opts.Version, Started: n.started, Time: n.opts.Now().UTC(), Address: n.transport.Address(),
		Space: Space{
			Capacity: space.Capacity, Used: space.Used, Trash: space.Trash, Garbage: space.Garbage, Free: space.Free,
		},
		Traffic: n.traffic(),
	}
	for _, dir := range space.Dirs {
		s.Dirs = append(s.Dirs, DirStatus(dir))
	}
	usage := n.store.Usage()
	for _, known := range n.contact.Status() {
		s.Satellites = append(s.Satellites, n.satelliteStatus(known, usage[known.Satellite.ID]))
	}
	n.careStatus(s)
	return s
}

func (n *Node) satelliteStatus(s contact.Status, usage pieces.Usage) SatelliteStatus {
	out := SatelliteStatus{
		Satellite: s.Satellite, Joined: s.Joined, LastContact: s.LastContact, Reached: s.Reached(n.opts.Now()),
		Address: s.Address, Epoch: s.Epoch, Interval: s.Interval, Skew: s.Skew,
		Pieces: usage.Pieces, Bytes: usage.Bytes, TrashPieces: usage.TrashPieces, TrashBytes: usage.TrashBytes,
		Standing: s.Standing, Exiting: s.Exiting,
	}
	if s.Err != nil {
		text := s.Err.Error()
		out.LastError = text[:min(len(text), maxText)]
	}
	return out
}

// traffic reads the counters of piecenode.
func (n *Node) traffic() Traffic {
	count := func(name string) int64 { return int64(n.opts.Metrics.GetOrCreateCounter(name).Get()) }
	t := Traffic{
		Uploads:          count("storj_node_uploads_total"),
		CancelledUploads: count("storj_node_uploads_cancelled_total"),
		Downloads:        count("storj_node_downloads_total"),
		BytesIn:          count("storj_node_received_bytes_total"),
		BytesOut:         count("storj_node_sent_bytes_total"),
	}
	for _, name := range n.opts.Metrics.ListMetricNames() {
		if strings.HasPrefix(name, "storj_node_refused_total{") {
			t.Refused += count(name)
		}
	}
	return t
}
