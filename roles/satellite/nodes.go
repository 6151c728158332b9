package satellite

import (
	"storj/ecenc"
	"storj/metainfo"
	"storj/metainfo/endpoint"
	"storj/netx"
)

// nodes is the satellite's answer to what the endpoint asks of nodes.
type nodes struct{ s *Satellite }

var _ endpoint.NodePicker = (*nodes)(nil)

// Redundancy is the scheme for a segment written now.
func (n *nodes) Redundancy() ecenc.Redundancy {
	return n.s.opts.Redundancy.For(n.s.directory.Snapshot().Domains())
}

// Pick returns nodes in distinct failure domains.
func (n *nodes) Pick(count int, exclude []netx.NodeID) []netx.NodeURL {
	return n.s.directory.Snapshot().Pick(count, exclude)
}

// Node says where a node is.
func (n *nodes) Node(id netx.NodeID) (url netx.NodeURL, online, known bool) {
	return n.s.directory.Snapshot().Node(id)
}

// Report takes what a segment tells of nodes.
func (n *nodes) Report(stored, failed []netx.NodeID) { n.s.directory.Report(stored, failed) }

// Suspect has nodes asked whether they are there.
func (n *nodes) Suspect(ids []netx.NodeID) { n.s.overlay.Suspect(ids) }

// underfull counts segments that were stored with fewer than optimal pieces. Repair finds them by that number.
func (s *Satellite) underfull(metainfo.StreamID, metainfo.Position) {
	s.metrics.GetOrCreateCounter("storj_segments_underfull_total").Inc()
}
