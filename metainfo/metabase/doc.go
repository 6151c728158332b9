// Package metabase holds a satellite's projects, API keys, buckets, objects, segments, uploads, nodes and join tokens,
// as tables on kv.
//
//	store, err := boltkv.Open(ctx, path, boltkv.Options{Format: metabase.Format()})
//	db, err := metabase.Open(ctx, store)
//	object, err := db.CommitObject(ctx, metabase.CommitObject{Upload: upload, Last: &segment, Segments: 1, ...})
//
// A DB does not authorise and does not seal tokens: that is endpoint's. It keeps what follows true:
//
//   - an object's row has all its segment rows, contiguous, and a bucket that exists;
//   - a stream has either one object row or one pending row or one dead row, else no segment rows;
//   - a node's alias is never given twice.
//
// # KEYS
//
// A key is a table's letter and the parts below, encoded as in package kv: IDs and hashes as they are, numbers big
// endian, text ended by 00 01. A value is a wire.Message, see rows.go. ^ is the complement, so that higher comes first.
//
//	table       key                                          value
//	projects    p  project(16)                               name, salt, created
//	names       P  text(project name)                        project
//	keys        k  head(32)                                  secret, project, name, created, revoked
//	key names   K  project(16) text(key name)                head
//	buckets     b  project(16) text(bucket)                  created, plain names
//	objects     o  project(16) text(bucket) text(key) ^version(8)   stream, times, sizes, wrapped key, metadata
//	segments    s  stream(16) position(8)                    times, offset, sizes, salt, inline bytes or pieces
//	parts       m  stream(16)                                of an object with part numbers: number, segments, size
//	uploads     u  stream(16)                                of an upload with segments: where to, created, last activity
//	dead        d  stream(16)                                nothing: its segment rows are to be removed
//	expiries    x  expires(8, Unix nanoseconds) stream(16)   which object
//	nodes       n  node(32)                                  alias, address, what it reported, when
//	aliases     a  alias(4)                                  node
//	tokens      t  hash(32)                                  created, expires, uses left, nodes admitted
//	revocations r  tail(32)                                  when
//	counters    c  name                                      number
//
// An object has one version now; a new one of the same key counts on from it. Other services of the satellite may
// keep tables in the same store under keys that start with "z/" and their name.
//
// # Concurrency
//
// A DB may be used by many goroutines; each method is one serializable transaction unless it says otherwise. Methods
// named Delete...Batch and Sweep... do a bounded part of a long job and say whether there is more. The functions given
// to methods may run more than once.
//
// # Why
//
// Begin calls write nothing, so an object of one segment is one transaction which touches three leaf pages. Objects
// with more than 1,000 segments are deleted by marking their stream dead: no transaction grows with an object. A
// segment names nodes by 4-byte alias, and 80 pieces with everything around them fit in 600 bytes.
//
// Where an upload with several segments ends is told by its pending row: segment rows of a stream without one belong
// to an object, so a late or repeated call with an old token cannot touch them.
package metabase
