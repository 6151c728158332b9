// Package accesses keeps access grants under names, in one file of a person's configuration directory.
//
//	store := accesses.Store{Dir: dir}
//	err := store.Save("home", grant, accesses.SaveOptions{Use: true})
//	text, err := store.Find("home")         // "" finds the current one
//
// # FORMAT
//
// access.json, mode 0600 in a directory of mode 0700: one JSON object.
//
//	{
//	  "version": 1,
//	  "current": "home",                     // absent or empty: none
//	  "accesses": {"home": "<grant text>"}   // what uplink.Access.Serialize returns
//	}
//
// A reader refuses a later version and unknown fields. The file is replaced as a whole (written beside, synced, renamed),
// so it is never seen half written. A second file, access, may stand beside it: one line, a grant that a local network
// started by `storj up` leaves there; it is used when nothing else is chosen.
//
// # Concurrency
//
// A Store has no state. Two processes that save at the same instant: the last one wins, and the other's change is lost;
// people do not type that fast.
package accesses
