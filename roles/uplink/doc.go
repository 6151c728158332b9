// Package uplink is the client library: it stores and reads objects, encrypted on this machine, on many nodes.
//
// Whoever has an access grant can begin:
//
//	access, err := uplink.ParseAccess(os.Getenv("STORJ_ACCESS"))
//	project, err := uplink.Open(ctx, uplink.Config{}, access)
//	defer project.Close()
//
//	_, err = project.EnsureBucket(ctx, "photos", nil)
//	_, err = project.Put(ctx, "photos", "2026/cat.jpg", file, nil)
//
//	download, err := project.Download(ctx, "photos", "2026/cat.jpg", nil)
//	defer download.Close()
//	_, err = io.Copy(out, download)
//
// The first grant is made from the satellite's address, an API key, both from whoever runs the satellite, and a
// passphrase that only its owner knows:
//
//	access, err := uplink.RequestAccess(ctx, uplink.Config{}, satelliteURL, apiKey, passphrase)
//	grant, err := access.Serialize()        // a secret: keep it like the passphrase
//
// Share makes an access for others: to a part of what one has, for a time or for some operations. RevokeAccess ends it, and all that were made from it:
//
//	permission := uplink.ReadOnlyPermission()
//	permission.NotAfter = time.Now().Add(24 * time.Hour)
//	shared, err := project.Share(ctx, permission, uplink.SharePrefix{Bucket: "photos", Prefix: "2026/"})
//	err = project.RevokeAccess(ctx, shared)
//
// # Objects
//
// An object appears as a whole, at Commit, and replaces the one of the same key:
//
//	upload, err := project.Upload(ctx, "photos", "2026/dog.jpg", &uplink.UploadOptions{IfAbsent: true})
//	defer upload.Abort(ctx)                 // does nothing after Commit
//	_, err = io.Copy(upload, r)
//	object, err := upload.Commit(ctx)
//
// A range, from any byte; a negative offset counts from the end:
//
//	download, err := project.Download(ctx, "photos", "log", &uplink.DownloadOptions{Offset: -4096})
//
// Stat, Delete, DeleteMany, Copy, Move and UpdateMetadata work on objects without moving their bytes.
//
// # Listings
//
//	list := project.List(ctx, "photos", &uplink.ListOptions{Prefix: "2026/"})
//	for list.Next() {
//		fmt.Println(list.Item().Key)        // "2026/cat.jpg"; "2026/trips/" with IsPrefix
//	}
//	err := list.Err()
//	hidden := list.Hidden()                 // objects whose names this passphrase does not open
//
// Names are encrypted, so the order is not that of the alphabet, except in buckets made with PlainNames.
//
// # Errors
//
// Every error matches, by errors.Is, one of the Err variables here or an error of a context, or of the reader or writer
// that the caller gave. Calls are repeated, with growing pauses, while the satellite does not answer or asks for
// patience: for 10 seconds when they stand alone, for Config.RetryTimeout in the middle of a transfer. A node that
// fails is passed over without any error.
//
// # Concurrency
//
// Access and Project may be used concurrently; an Upload, a Download or an iterator is for one goroutine at a time.
// Close of a project ends what is under way and waits for it.
//
// # Memory
//
// An upload holds at most Config.SegmentsPerUpload segments of 64 MiB, and what it sends of their parity; a small
// object only a few times its size. A download holds some 8 MiB of stripes for the segment that is read, and as much
// for the one behind it.
//
// # FORMAT: access grant
//
// Base58check with version byte 2 of a wire message, at most 16 KiB:
//
//	1  Uint        version, 1
//	2  Fixed 32    NodeID of the satellite
//	3  String      host:port of the satellite
//	4  Bytes       API key, binary (package macaroon)
//	5  Message     encryption keys (package keys, Access); what is shared has only prefixes. A prefix whose encrypted form
//	               is the same lies in a bucket with plain names; the field for this in Access is not used
//
// A grant with anything else in it was made by a later version and is refused: what is not understood may be a
// restriction.
//
// # FORMAT: object
//
// The content key is 32 random bytes. WrappedKey is a box (package cipher) of it under keys.ContentWrapKey of the
// object's path key, purpose "content-key/v1". Metadata is a box under the content key, purpose "object-metadata/v1",
// of a wire message:
//
//	1  Uint32      segments of the object
//	2  Int         its plaintext bytes
//	3  Int         plaintext bytes of every segment but the last
//	4  Repeated    custom metadata, ascending key: key 1, value 2
//
// Segment i is at position (0, i), its key is cipher.SegmentKey(content key, salt, 0, i).
//
// # Why
//
// Sizes are sealed with the metadata because the satellite keeps the list of segments: it could leave out the last
// ones, or answer a range from another place, and nobody would notice. With the sealed sizes, the position in each
// segment's key and the last-block flag of the cipher, every byte that is read is known to be the one at that offset.
//
// A shared access is narrowed twice. Its keys open only the prefixes: that holds against the satellite too. Its API key
// says what may be asked: the satellite keeps operations, times and revocations, which no key can.
//
// Ciphertext of a segment that failed goes to other nodes as it is: only encrypting anew needs a fresh salt. All
// retries of calls go through one function, by the kind of error alone.
//
// One round trip stores a small object and one reads any object's start; the first call of a process asks for the
// bucket's and the project's settings besides.
package uplink
