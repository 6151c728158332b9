// Package overlay is a satellite's directory of nodes: who joined, where they are, whether they answer.
//
//	o := overlay.New(overlay.Options{DB: db, Directory: dir, Keys: signer, Transport: transport, Log: log})
//	o.Register(server)                   // answers MethodJoin and MethodCheckIn
//	err := o.Load(ctx)                   // what the database knows: nodes stay selectable across a restart
//	group.Add("overlay", o)              // probes nodes of which somebody said that they do not answer
//
// # How a node is known
//
// It joins once with a token. From then on it reports, hourly and at each start, where it listens and what space it
// has; the satellite dials that address, checks that the node answers with its identity, and only then hands out keys. A
// row is written when something changed or once an hour.
//
// The failure domain that an owner names is believed where nodes join by token: owners are trusted to know their racks.
// In an open network it is not, unless the node was invited all the same: whoever names a domain for each of a thousand
// nodes in one rack would be given all pieces of a segment.
//
// Tags (name=value) are what the owner of a node says of it, for placement rules. Those are believed that the satellite's
// setting lets pass, and those that its owner accepted by hand; a tag that changes has to be accepted anew.
//
// # How a node is missed
//
// It says that it leaves; or it has not been in contact for four hours; or an uplink says that it does not answer, and
// it does not answer the satellite either. The last is asked again, after a minute and then at times that grow to an
// eighth of its silence, for a week.
//
// # Concurrency
//
// All methods may be called concurrently, Register before the server serves.
//
// # Why
//
// With four nodes and four pieces a segment, one node that died unseen stops every upload: waiting four hours is right
// for a network of thousands, where the others carry on, and wrong for a small one. A hint is checked rather than
// believed, since any customer can give one.
package overlay
