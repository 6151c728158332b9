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
// Stat, Delete, DeleteItems, Copy, Move, UpdateMetadata and UpdateTags work on objects without moving their bytes. DeletePrefix
// and DropBucket have the satellite delete any number of them in the background. FS shows a bucket as an fs.FS.
//
// Whoever must not overwrite what others write gives UploadOptions.IfAbsent, or IfRevision with the Object.Revision that
// he has read: the satellite decides in one transaction.
//
// # Versions and locks
//
// A bucket with versioning keeps what was there: a write adds a version, Delete hides the object under a delete marker.
//
//	_, err := project.UpdateBucket(ctx, "photos", uplink.BucketUpdate{Versioning: uplink.VersioningEnabled})
//	versions := project.ListVersions(ctx, "photos", &uplink.ListVersionsOptions{Key: "2026/dog.jpg"})
//	object, err := project.RestoreVersion(ctx, "photos", "2026/dog.jpg", version)
//	_, err = project.DeleteObject(ctx, "photos", "2026/dog.jpg", &uplink.DeleteOptions{Version: version})      // for good
//
// With object lock, SetRetention and SetLegalHold keep a version from being deleted, also by its owner.
//
// # Uploads in parts
//
//	upload, err := project.BeginUpload(ctx, "backups", "disk.img", nil)
//	part, err := project.PutPart(ctx, "backups", "disk.img", upload.ID, 1, r, nil)       // any order, at the same time
//	object, err := project.CommitUpload(ctx, "backups", "disk.img", upload.ID, nil)
//
// Another process that knows the key, the ID and the passphrase can go on: ListParts tells what is there.
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
//	3  Int         plaintext bytes of every segment but the last of its part
//	4  Repeated    custom metadata, ascending key: key 1, value 2
//	5  Repeated    tags, likewise
//	6  Repeated    of an object uploaded in parts, runs of parts of one size: first number 1, count 2, plaintext bytes of each 3
//	7  Fixed 32    when those would not fit: SHA-256 of number (4) and size (8), big endian, of each part
//
// Segment i of part p is at position (p, i), its key is cipher.SegmentKey(content key, salt, p, i); an object uploaded in one
// go is part 0. An upload in parts has such metadata from its beginning, with the first two fields 0. The metadata of a
// part is a box under the content key, purpose "part-metadata/v1", of number 1, plaintext bytes 2, custom metadata 3.
// docs/format.md has all of it in one place, for other implementations.
//
// # Why
//
// Sizes are sealed with the metadata because the satellite keeps the list of segments: it could leave out the last
// ones, or answer a range from another place, and nobody would notice. With the sealed sizes, the position in each
// segment's key and the last-block flag of the cipher, every byte that is read is known to be the one at that offset. Of an
// upload in parts the sizes come from the seals of the parts, never from the satellite; it could only answer with an
// older part of the same number, upload and size.
//
// Which parts make an object is sealed as runs because uploads cut equal parts: one run or two for 10,000 of them. A list that
// does not fit is held against its hash, at the price of asking the satellite for it when the object is read.
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
