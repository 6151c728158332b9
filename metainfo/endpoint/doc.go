// Package endpoint serves metainfo.Service on a metabase.
//
//	e := endpoint.New(endpoint.Options{DB: db, Secret: secret, Nodes: picker, Limits: signer})
//	metaclient.Register(server, e)
//
// It authorises each request by its API key, chooses nodes and issues limits through NodePicker and LimitSigner, checks
// what comes back, and reads and writes rows. It declares what it needs of nodes and limits; the satellite supplies it.
//
// # Authorisation
//
//	ProjectInfo                          a genuine key
//	ProjectUsage                         read or write, of a key that is not bound to a part of the project
//	uploads, parts, GetUpload, metadata  write
//	retention, legal hold, when writing  besides write: put retention, put legal hold
//	SetLock                              put retention, put legal hold; to weaken: bypass governance
//	ListBuckets, ListObjects, ListUploads    list
//	GetObject, ListParts of an object    read or list
//	Download                             read
//	DeleteObjects                        delete, and bypass governance where asked for
//	DeletePrefix                         that, and list; DropBucket: in the whole bucket
//	GetDeletion                          delete there: to others there is no such deletion
//	CopyObject                           read there, write here; to move, delete there
//	replacing an object for good         delete, besides write
//	CreateBucket                         write, and put bucket lock where asked for
//	GetBucket                            anything in all of it, or read in a part
//	DeleteBucket                         delete, in the whole bucket
//	UpdateBucket                         write in the whole bucket; lock and retention: put bucket lock
//	documents                            write and read in the whole bucket; notifications: those of notifications;
//	                                     what every visitor is told (CORS, website, tags, encryption): read in a part
//	lifecycle rules                      read; write and delete, all in the whole bucket
//	RevokeAPIKey                         a key that the other was made from
//
// All that is decided from the key alone, before anything is read: an answer of ErrDenied says nothing of what there is.
// Retention and legal hold are left out of records for keys that may not get them; so are a bucket's lock and default
// retention.
//
// Tokens name the object that they are for, and whoever shows one is asked anew for leave to it, and for leave to make an
// object that lives as long: GetUpload hands tokens of uploads that others began. A deletion in the
// background is the exception: what its key allowed is decided when it is asked for, and it goes on when the key is
// revoked or ends.
//
// A revocation is the tail of a key; it ends every key whose chain has it. Genuine keys are remembered for seconds, so
// another process may take that long to notice; the one that revokes forgets them before it answers, and does not
// remember what it was reading meanwhile. A revocation is forgotten when the revoked key would have ended by itself.
//
// A caveat that this version does not know denies everything. Requests of a project are counted against its rate; a
// listing that has to skip many rows counts as several, afterwards.
//
// # Limits of use
//
// What a project stores is counted from time to time (TallyUsage), what is committed since is added, and counted anew
// when a project is at its limit. A commit reserves its room before the transaction, so that writers at once cannot
// exceed a limit together; an object in several segments of which the last was committed by CommitSegment, and an upload
// in parts of a project without limit, are counted after it. Parts count when they become an object.
//
// Downloads count the plaintext that they ask for; with Verify that of whole segments, which the limits then are for. FlushUsage writes that down; a crash forgets what was
// handed out since, FlushInterval at most. Several processes on one database add up their downloads, and know of each
// other's writes after the next count.
//
// KEYS: z/usage/ project(16) -> month and egress, what is stored as last known, when it was counted; see tables.go.
//
// # Changes
//
// Each bucket has a counter, in memory, which every change of its objects moves before the change is answered, and which
// a listing reads before its page: a cache whose counter is still that of the bucket is the bucket. It starts at random
// with the process. What ends by its expiry does not move it. Keys for a part of a bucket are shown a MAC of it: that
// something changed, not how often.
//
// # Upload
//
// Plans are not stored: a token carries them. A commit checks every acknowledgement: the node's MAC, the piece ID that
// follows from root, node and number, and the size that follows from the segment's. One that is not valid is dropped,
// since the uplink could not have known; a number or a node that comes twice makes the whole segment invalid. A segment
// is stored with optimal pieces; where fewer nodes can be reached, with more than the repair threshold, and is then
// reported to Options.Underfull. What an uplink says of nodes that failed is believed of each node once in ten seconds and
// project, and so is an acknowledgement that is not valid: it may be the uplink's own. Where the NodePicker knows which
// nodes would be lost together, a segment that would not survive that is refused, unless there are no others.
//
// Each attempt at a part has a stream of its own and a token of its own, which names the upload, the number and that
// stream; CommitPart puts the stream in the place of an older attempt's. An upload in parts is the one thing that a
// begin call writes, for it must be found again.
//
// Repeats: a commit with a token is known by its stream. An inline commit and a copy have none; theirs is a MAC of the
// whole request, in which salt and wrapped key are random for each attempt. The database remembers streams that ended, so
// that a late repeat does not bring back what was replaced or deleted since.
//
// # FORMAT: tokens
//
// Sealed for the satellite itself, opaque to uplinks: day (4 bytes, big endian, Unix time / 86400), nonce (12),
// AES-256-GCM of a wire message, with the kind as associated data. The key is HKDF-SHA256 (RFC 5869) of the satellite's
// secret with info "storj/token/v1 " and the day in decimal. Kinds "upload", "part", "segment", "download"; fields are
// in token.go. A token is good for metainfo.MaxUploadAge; one of another project, or altered, is one that does not exist.
//
// # Concurrency
//
// An Endpoint may be used concurrently. It starts no goroutines: its owner calls DeletionRound when Deletions has a
// token and at the start, LifecycleRound daily, TallyUsage and FlushUsage every FlushInterval and FlushUsage in the end.
//
// # Why
//
// Writing nothing at begin keeps a small upload at one transaction, and a broken one costs nothing. Tokens are encrypted
// rather than signed because they hold the root piece ID, from which uplinks must not compute other nodes' piece IDs,
// and the names of buckets.
package endpoint
