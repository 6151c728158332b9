// Package satellite wires a satellite: the database, the directory of nodes, the Service for uplinks, the owner's Admin,
// and the chores.
//
//	sat, err := satellite.New(ctx, satellite.Options{Identity: id, DBPath: path, Transport: transport, Log: log})
//	err = sat.Run(ctx)                     // until ctx ends
//	err = sat.Close()
//	text, err := sat.Admin().CreateToken(ctx, 1, time.Hour)      // also over the wire, see package admin
//
// Rooms:
//
//	overlay    join, check-in, ping-back; overlay/owner: what the owner decides about nodes
//	placement  redundancy, rules and selection of nodes
//	audit      asks nodes for proofs
//	reputation scores and states of nodes
//	repair     finds segments that have lost pieces and makes these anew; rebalances what the network has outgrown
//	durability margins, worst domains, chance of loss: how safe what is stored is
//	events     the story of the network, for its owner
//	orders     order limits and acknowledgements
//	gc         tells nodes which pieces to keep
//	accounting what was moved and stored, for whom and by whom
//	care       backups, restores, checks, doubts about the clock
//	admin      what the owner does
//	limits     what each project may use
//
// # Secrets
//
// The satellite's secret is identity.Secret("satellite/v1"): node keys, piece keys, tokens and bucket tags follow from
// it. So a backup of the identity file and of the database is a backup of the satellite, and there is no third file to
// lose. Losing the identity means that every node must join again; API keys and data references are in the database.
//
// # What runs
//
// In the order of starting, which is the reverse of stopping: transport, database, overlay, chores (expired objects,
// uploads that never ended, rows of deleted streams), debug server, RPC server. with_metainfo.go has what the endpoint leaves
// to others: deletions in the background, lifecycle rules, what projects use.
//
// # Concurrency
//
// Run and Close may be called from different goroutines; everything else is for after New.
package satellite
