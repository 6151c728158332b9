// Package contact keeps a storage node known to its satellites: it joins them, reports to them, and holds the keys that
// they answer with.
//
//	c, err := contact.New(contact.Options{File: "satellites.json", Pool: pool, Report: report, Log: log})
//	err = c.Join(ctx, token)                 // or c.Add(url), where a satellite takes everybody
//	group.Add("contact", c)
//	keys, err := c.NodeKeys(satellite)       // for piecenode
//	err = c.SetExiting(satellite, true)      // the owner wants to leave it; Status has what it answers
//	err = c.Forget(satellite)                // and then c.Forgot(satellite), when its pieces are gone
//
// # When a node reports
//
// To each satellite on its own: at the start, at the interval that the satellite answered with, give or take a tenth; at
// once when Wake is called, when the free space crosses LowSpace, and when the machine's addresses change. A satellite
// that does not answer is asked again after one second, two, four, up to five minutes, each shortened by up to half at
// random. When Run is told to stop it tells the satellites that the node is leaving, if they answer within a second.
//
// # FORMAT
//
// The file is JSON, replaced as a whole (temporary file, sync, rename, sync of the folder):
//
//	{"version": 1, "satellites": [{"url": "ID@host:port", "joined": "2026-11-22T10:00:00Z"}]}
//
// A satellite that the node is leaving has "exiting" with the time at which the owner said so, and one that was forgotten
// stands in "forgotten": ["ID@host:port"] until its pieces are deleted. Order is order of joining. Unknown fields are ignored, another version is ErrFile. At most 1 MiB and 256 satellites.
//
// # Concurrency
//
// New, Join and Add come before Run, one at a time; a satellite that is added while Run runs is served after the next
// start. The other methods may be called concurrently. The goroutines stand
// in contact.go.
//
// # Why
//
// Keys are not kept on disk: a satellite that hands out limits answers check-ins too. A token for a satellite that is
// known already is held back, not redeemed: restarting with the same command line costs nothing, and if the satellite
// turns out to have lost the node it is used then.
package contact
