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
//	overlay    join, check-in, ping-back
//	placement  redundancy and selection of nodes
//	orders     order limits and acknowledgements
//	admin      what the owner does
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
// uploads that never ended, rows of deleted streams), debug server, RPC server.
//
// # Concurrency
//
// Run and Close may be called from different goroutines; everything else is for after New.
package satellite
