// Package placement decides over how many nodes a segment is spread and which ones are asked.
//
//	profile, err := placement.ParseProfile("auto")        // or "4/6/8/10"
//	dir := placement.NewDirectory(placement.Options{})
//	dir.Put(node)                                         // at start, and at each check-in
//	snap := dir.Snapshot()
//	scheme := profile.For(snap.Domains())
//	nodes := snap.PickFor(rule, scheme.Total, nil)
//
// A Profile gives the numbers of a segment, by Auto from the size of the network. A Directory holds what is known of
// the nodes; a Snapshot is one state of it that never changes, with the nodes that may be picked in groups of one
// failure domain each.
//
// # Rules
//
// The owner may define a Rule for buckets: tags that nodes must have or must not have, a tag whose values (sites) share a
// segment's pieces evenly, a least number of sites, a redundancy of its own. Rule 0, "default", is that of buckets which
// name none. Under a rule with sites several pieces may lie in one; then they are picked with the site's group, the same
// number in every snapshot, and an upload is not done until it would outlive the loss of any one group.
//
// # Who is picked
//
// A node in contact, healthy in the eyes of Options.Standing, with room. Of two draws the one that is not nearly full;
// else the one that stored more reliably of late; else the faster one, by powers of two. In an open network of 110 nodes
// or more, those that are not vetted get one piece in twenty, and more only where the others do not suffice.
//
// # KEYS
//
//	z/placement/ number(4)     name, tags, sites, redundancy
//
// # Failure domains
//
// Pieces of one segment lie in distinct domains. A domain is what the owner named; without a name, on a private
// network the node itself, on a public one the /24 (IPv4) or /64 (IPv6) of its address.
//
// # Concurrency
//
// All methods may be called concurrently. Pick takes no lock; a change builds a new snapshot and swaps it in.
//
// # Why
//
// A small network cannot keep 80 pieces on distinct machines, and a large one need not pay the expansion of a small one:
// numbers that are set by hand are wrong as soon as a node joins. Selection from memory, because it is asked for with
// each segment. Domains have equal chances, not nodes, so that a hundred nodes in one rack do not draw all data there.
package placement
