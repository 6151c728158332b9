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
//	CreateBucket, uploads, metadata      write
//	ListBuckets, ListObjects             list
//	GetBucket, GetObject                 read or list (a bucket: or write, or delete)
//	Download                             read
//	DeleteBucket, DeleteObjects          delete
//	CopyObject                           read there, write here; to move, delete there
//	replacing an object                  delete, besides write
//	RevokeAPIKey                         a key that the other was made from
//
// Tokens name the object that they are for, and whoever shows one is asked anew for leave to it.
//
// A revocation is the tail of a key; it ends every key whose chain has it. Genuine keys are remembered for seconds, so
// another process may take that long to notice; the one that revokes forgets them before it answers, and does not
// remember what it was reading meanwhile.
//
// A caveat that this version does not know denies everything. Requests of a project are counted against its rate.
//
// # Upload
//
// Plans are not stored: a token carries them. A commit checks every acknowledgement: the node's MAC, the piece ID that
// follows from root, node and number, and the size that follows from the segment's. One that is not valid is dropped,
// since the uplink could not have known; a number or a node that comes twice makes the whole segment invalid. A segment
// is stored with optimal pieces; where fewer nodes can be reached, with more than the repair threshold, and is then
// reported to Options.Underfull.
//
// # FORMAT: tokens
//
// Sealed for the satellite itself, opaque to uplinks: day (4 bytes, big endian, Unix time / 86400), nonce (12),
// AES-256-GCM of a wire message, with the kind as associated data. The key is HKDF-SHA256 (RFC 5869) of the satellite's
// secret with info "storj/token/v1 " and the day in decimal. Kinds "upload", "segment", "download"; fields are in
// token.go. A token is good for metainfo.MaxUploadAge; one of another project, or altered, is one that does not exist.
//
// # Concurrency
//
// An Endpoint may be used concurrently. It starts no goroutines.
//
// # Why
//
// Writing nothing at begin keeps a small upload at one transaction, and a broken one costs nothing. Tokens are encrypted
// rather than signed because they hold the root piece ID, from which uplinks must not compute other nodes' piece IDs,
// and the names of buckets.
package endpoint
