// Package admin is what the owner of a satellite does with it: projects, API keys, join tokens, nodes, status.
//
//	adm := admin.New(admin.Options{DB: db, Satellite: url})       // on the database: while the satellite is not running
//	admin.Register(server, id, adm)                               // in the satellite, for its own identity only
//	adm := admin.NewClient(pool, url)                             // the same over the wire
//	text, err := adm.CreateToken(ctx, 1, 24*time.Hour)
//
// Admin is the interface of all three. Messages are in protocol.go.
//
// # Who may
//
// The methods answer only to a peer whose NodeID is the satellite's own: whoever can read the identity file on the
// satellite's machine. Everybody else gets metainfo.ErrAdmin.
//
// # Concurrency
//
// All methods of every Admin may be called concurrently.
//
// # Why
//
// There is no password to choose, to forget or to guess, and no second port to protect: owning the machine is the right,
// as it is for the files below.
package admin
