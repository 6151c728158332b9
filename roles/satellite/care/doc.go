// Package care keeps a satellite from losing what it knows: backups and what follows a restore, checks, and a guard
// against a clock that jumped.
//
//	err := care.Write(ctx, file, passphrase, manifest, dump)        // an archive; dump is kv.Dump's
//	report, err := care.Restore(ctx, file, passphrase, dir, names)  // into a directory that is empty or not there
//	reviver := care.NewReviver(...)                                 // after a restore: nodes revive their trash
//	clock := care.NewClock(...)                                     // clock.MayDelete() before anything is deleted for its age
//	err = care.Check(ctx, db, more)                                 // cross-checks of all tables
//	schedule := care.NewSchedule(...)                               // a backup every day
//
// # FORMAT: archive
//
//	OFFSET  SIZE  FIELD
//	0       8     "storjbak"
//	8       1     version, 1
//	9       32    salt, random for each archive
//	41            a segment as package ecenc/cipher has it: blocks of 32 KiB, AES-256-GCM, the last one marked
//
// Its key is HKDF-SHA256 (no salt, info "storj/backup/v1") of Argon2id(passphrase, salt) with the parameters of package
// ecenc/keys. What is sealed:
//
//	SIZE     FIELD
//	uvarint  size of the manifest, at most MaxManifest
//	         manifest, package wire: 1 when the snapshot was made (time), 2 satellite (32 bytes), 3 version (text),
//	         4 identity file, 5 settings file
//	         a dump as package metainfo/kv has it, to the end
//
// An archive that is cut anywhere, altered, or goes on after its end does not open to its end. A reader refuses other
// versions. The example in testdata/archive.golden is opened by a test with the passphrase "correct horse".
//
// # After a restore
//
// The database is that of the snapshot. Since then nodes may have trashed pieces of objects that were deleted or
// overwritten later and are there again: nodes keep trash for seven days. So Restore leaves a mark, and at the next start
// the Reviver asks each node to take out of its trash what was put there since the snapshot, an hour before it counted, for
// clocks. Until a node has done so, and for a day after the restore in any case, Hold keeps garbage filters back: objects
// that came after the snapshot are unknown and their pieces look like garbage; whoever has a newer archive has that day
// to use it. Nodes that joined after the snapshot have to join again, API keys made since are gone.
//
// # The clock
//
// A clock that jumps ahead makes objects expire, uploads stale and trash old at once. So the last time seen is kept in
// the database. When the clock is more than MaxJump ahead of that time and of what has passed since, deletions are held
// until the clocks of nodes, by their median, agree with it to MaxSkew, or the owner confirms it. A satellite that was off for
// two days waits for the first nodes that answer.
//
// # KEYS
//
//	z/care/restored          the snapshot that was restored, and when
//	z/care/revived/ node(32) which has revived its trash since
//	z/care/clock             the last time seen
//	z/care/backup            the last scheduled backup
//
// # Concurrency
//
// The methods of Clock, Reviver and Schedule may be called concurrently; each Run once.
//
// # Why
//
// One file restores all, the identity included, because two files are never from the same day. The passphrase never
// leaves the command: a running satellite hands its snapshot to whoever holds its identity, and that is sealed there. A
// dump of rows and not of the file: smaller, it reads every row once, and it restores into any engine.
package care
