package satellite

import (
	"storj/ecenc"
	"storj/metainfo/endpoint"
	"storj/netx"
)

// nodes is the satellite's answer to what the endpoint asks of nodes.
type nodes struct{ s *Satellite }

var (
	_ endpoint.NodePicker = (*nodes)(nil)
	_ endpoint.Grouper    = (*nodes)(nil)
)

// Placement says whether the owner has defined a rule.
func (n *nodes) Placement(placement uint32) bool {
	_, known := n.s.directory.Snapshot().Rule(placement)
	return known
}

// Redundancy is the scheme for a segment written now: the rule's, else that of the network as far as the rule lets it be
// used.
func (n *nodes) Redundancy(placement uint32) ecenc.Redundancy {
	snapshot := n.s.directory.Snapshot()
	profile := n.s.opts.Redundancy
	if rule, known := snapshot.Rule(placement); known && !rule.Redundancy.IsAuto() {
		profile = rule.Redundancy
	}
	return profile.For(snapshot.DomainsFor(placement))
}

// Pick returns nodes in distinct failure domains, as the rule spreads them.
func (n *nodes) Pick(placement uint32, count int, exclude []netx.NodeID) []endpoint.PickedNode {
	nodes := n.s.directory.Snapshot().PickFor(placement, count, exclude)
	picked := make([]endpoint.PickedNode, len(nodes))
	for i, node := range nodes {
		picked[i] = endpoint.PickedNode{NodeURL: node.NodeURL, Group: node.Group}
	}
	return picked
}

// Groups says which of the nodes would be lost together.
func (n *nodes) Groups(placement uint32, ids []netx.NodeID) []uint32 {
	snapshot := n.s.directory.Snapshot()
	groups := make([]uint32, len(ids))
	for i, id := range ids {
		groups[i] = snapshot.Place(placement, id, len(ids)).Group // 0 for a node that is not known
	}
	return groups
}

// Node says where a node is.
func (n *nodes) Node(id netx.NodeID) (url netx.NodeURL, online, known bool) {
	return n.s.directory.Snapshot().Node(id)
}

// Report takes what a segment tells of nodes.
func (n *nodes) Report(stored, failed []netx.NodeID) { n.s.directory.Report(stored, failed) }

// Suspect has nodes asked whether they are there.
func (n *nodes) Suspect(ids []netx.NodeID) { n.s.overlay.Suspect(ids) }
