// Package scrub re-reads everything that a node stores at a set pace, and tells satellites which pieces have rotted before
// anybody asks for them.
//
//	s, err := scrub.New(scrub.Options{Dir: dir, Store: store, Every: 30 * 24 * time.Hour, Report: report})
//	group.Add("scrub", s)
//	s.Damaged(satellite, ids)          // found elsewhere: by a check, or with a disk that is lost
//
// A pass takes Every: its steps are small and spread evenly, of at least 64 MiB and at most a day apart. What is found is
// kept on disk until its satellite has answered the report, then put into the trash, for a day. A satellite does not hold
// against a node what the node reports itself.
//
// # FORMAT
//
// Dir has scrub.json, replaced as a whole: {"version": 1, "started": TIME, "place": BASE64, "bytes": N, "pieces": N,
// "found": N, "last": {...}, "damaged": {"SATELLITE ID": ["PIECE ID", ...]}}. At most 100,000 damaged pieces are kept; what is
// beyond is found again by the next pass.
//
// # Concurrency
//
// All methods may be called concurrently. Run is one goroutine; it sleeps between steps.
//
// # Why
//
// An audit looks at one block of a few pieces a day; rot that is found when enough other pieces are gone already is found
// too late. The pace follows the amount stored, so that an empty node does nothing and a full one is done in time.
package scrub
