// Package owner is what the owner of a satellite asks about its nodes and decides about them: standing, evidence, tags,
// placement rules.
//
//	owner.Register(server, self, owner.New(owner.Options{...}))       // in a satellite that runs
//	o := owner.NewClient(pool, satellite)                             // over the wire, with its identity
//	o, err := owner.Offline(ctx, db)                                  // on the database of one that does not run
//	report, err := o.ShowNode(ctx, "12ab")                            // by ID or the beginning of one
//	err = o.Reinstate(ctx, "12ab")
//
// # FORMAT
//
// Methods 430 to 437 of netx/rpc, answered to the satellite's own identity alone; messages are in protocol.go.
//
// # Concurrency
//
// All methods may be called concurrently.
//
// # Why
//
// A room of its own, since it needs audit, reputation, placement and overlay, none of which needs the others' owner.
package owner
