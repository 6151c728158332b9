// Package metabase holds a satellite's projects, API keys, buckets, objects, segments, uploads, nodes and join tokens,
// as tables on kv.
//
//	store, err := boltkv.Open(ctx, path, boltkv.Options{Format: metabase.Format()})
//	db, err := metabase.Open(ctx, store)
//	object, err := db.CommitObject(ctx, metabase.CommitObject{Upload: upload, Last: &segment, Segments: 1, ...})
//
// A DB does not authorise and does not seal tokens: that is endpoint's. It keeps what follows true:
//
//   - a version's row has all its segment rows, contiguous, and a bucket that exists; a delete marker has none;
//   - of the versions of a key at most one is the null version, and those above it know its number;
//   - a stream has one row that says what it belongs to: a version, a pending row, a part, or a dead row; else it has no
//     segment rows. A copy of an object in parts has them all under its own stream;
//   - a stream that ended never becomes anything again;
//   - a version that is locked is not removed, by whatever way;
//   - a node's alias is never given twice.
//
// # KEYS
//
// A key is a table's letter and the parts below, encoded as in package kv: IDs and hashes as they are, numbers big
// endian, text ended by 00 01. A value is a wire.Message, see rows.go, uploadrow.go, settings.go and deletions.go. ^ is
// the complement, so that higher comes first.
//
//	table       key                                          value
//	projects    p  project(16)                               name, salt, created, limits
//	names       P  text(project name)                        project
//	keys        k  head(32)                                  secret, project, name, created, revoked
//	key names   K  project(16) text(key name)                head
//	buckets     b  project(16) text(bucket)                  created, plain names, settings
//	documents   B  project(16) text(bucket) text(name)       changed, data
//	lifecycles  l  project(16) text(bucket)                  rules
//	objects     o  project(16) text(bucket) text(key) ^version(8)   stream, times, sizes, wrapped key, metadata, lock, null below
//	segments    s  stream(16) part(4) index(4)               times, offset in the part, sizes, salt, inline bytes or pieces
//	parts       m  stream(16) number(4)                      of an object or upload in parts: the part's stream, sizes, metadata
//	part index  i  stream(16)                                of an object with more than 64 parts: where each 64th starts
//	uploads     u  stream(16)                                pending: where to, kind, created, last activity, what is kept for its end
//	pending     U  project(16) text(bucket) text(key) stream(16)    nothing: an upload in parts
//	dead        d  stream(16)                                when, if a token of it may be good: its part and segment rows are to be removed
//	ended       e  period(4) stream(16)                      nothing: no token of this stream is good any more
//	copies      y  when(8, Unix nanoseconds) stream(16)      nothing: CopyObject wrote segments of this stream
//	expiries    x  expires(8, Unix nanoseconds) stream(16)   which version
//	deletions   j  deletion(16)                              what is to be deleted, how far it is
//	nodes       n  node(32)                                  alias, address, what it reported, when
//	aliases     a  alias(4)                                  node
//	tokens      t  hash(32)                                  created, expires, uses left, nodes admitted
//	revocations r  tail(32)                                  when, until when it matters
//	counters    c  name                                      number
//
// Other services of the satellite may keep tables in the same store under keys that start with "z/" and their name.
//
// # Versions
//
// A version's number is the Unix time of its writing in microseconds, or one more than that of the version before. What
// requests without a version mean is the newest row of a key that has not expired: an expired version is as good as gone
// before and after its row is removed, so in a versioned bucket the one below it shows again. While a bucket is not
// versioned, or versioning is suspended, writes and delete markers are null versions, and a new one takes the place of the
// old one wherever that lies. So that it is found without a walk, the newest row knows the number of the null version
// below it.
//
// Protection never lasts longer than an expiry: the nodes drop pieces at the expiry that they were told at upload. For
// the same reason a copy does not outlive its source.
//
// # Repeats
//
// A call whose answer was lost may come again, also after others have changed what it made. A commit, a part and a copy
// name the stream that they make; a move, the one that it takes. Where that stream is found in its place, the first
// call's answer is given again; where it has ended, nothing is done. So each stream that is replaced, deleted or aborted
// while a token of it may be good leaves its name for 50 to 75 hours: one small row for each delete or overwrite of what
// is younger than that, none for older ones. A dead row says it too. UpdateMetadataOnce names the call itself in the same table.
//
// # Concurrency
//
// A DB may be used by many goroutines; each method is one serializable transaction unless it says otherwise. Methods
// named ...Batch and Sweep... do a bounded part of a long job and say whether there is more. The functions given
// to methods may run more than once.
//
// # Why
//
// Begin calls write nothing, except for an upload in parts, which must be listed. So an object of one segment is one
// transaction which touches three leaf pages. Objects
// with more than 1,000 segments are deleted by marking their stream dead: no transaction grows with an object. Jobs that
// delete many do so for all: the sweep then goes through the segments in their order, and writes each page once. A
// segment names nodes by 4-byte alias, and 80 pieces with everything around them fit in 600 bytes.
//
// Where an upload with several segments ends is told by its pending row: segment rows of a stream without one belong
// to an object, so a late or repeated call with an old token cannot touch them.
//
// Each attempt at a part is a stream of its own. So a part that is sent again while the old attempt still runs cannot mix
// with it, the one that is committed last stands, and to complete an upload of 10,000 parts is to read their rows, not to
// move segments.
//
// Garbage collection marks pieces in one pass over all segments, in order of stream. A copy could be made of a segment that
// the pass has not come to, under a stream that it has gone by, and the segment deleted before the pass comes: its pieces
// would be in no filter. Therefore copies are logged, in the transaction that makes them. What is uploaded meanwhile is
// protected by its age.
package metabase
