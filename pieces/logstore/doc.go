// Package logstore is a pieces.Store on disk: pieces lie behind each other in append-only logs, and an index that can
// be rebuilt says where.
//
//	err := logstore.Setup("/mnt/disk1/storj") // once, when the owner hands the directory over
//	st, err := logstore.Open(ctx, logstore.Options{Dirs: []logstore.Dir{{Path: "/mnt/disk1/storj", Capacity: 8e12}}})
//	go st.Run(ctx) // flushes, watches disks, compacts; whoever starts it waits for it
//	defer st.Close()
//
// Store is what Open returns; Options and Dir configure it; FS is the seam where tests put faults; Dump and Rebuild
// are for maintenance, as is Store.Compact. Several directories, best one a disk, share the pieces by free space; one
// that fails loses only its own.
//
// # Promises
//
// The log is the truth, the index is derived. Commit returns after the piece's record is synced in its log (and the
// log's directory entry, when the log is new); the index follows in batches. Whatever a crash leaves, Open reads what
// the logs have beyond the index and cuts off the unfinished. Trash, Restore, EmptyTrash and DeleteExpired are
// records too, in logs called journals. So an index that is lost, old or damaged costs a rebuild and nothing else.
//
// Bytes are checked before they are returned: header and footer when a piece is opened, blocks of 32 KiB when they
// are read. What does not match is ErrCorrupt, for that piece alone. Scrub reads everything, at the caller's pace. A
// directory whose marker file is gone (an unmounted disk), that is read-only, or where three writes in a row fail, is
// given up: its pieces answer ErrDisk, never ErrNotFound, and others are served on. Run opens it anew when it is well
// again, after a minute at first and an hour in the end. Drop takes out one that is lost, Lost lists what it held.
//
// Move moves a directory to another disk while it is used; after a crash FinishMove says which of the two counts.
//
// Space is refused before it is used up: Create reserves room for the whole record, by capacity and by what the disk
// has beyond Options.Reserve. A disk that is full all the same gives ErrNoSpace; the log is cut back and the store
// goes on when there is room again.
//
// Times are kept in whole seconds: expiry rounded up, all others down.
//
// # FORMAT
//
// A directory holds
//
//	storj-store         marker, text: version and the store's random ID
//	lock                locked by the process that has the store open
//	index.db            index, bbolt
//	logs/NNNNNNNN.log   pieces that do not expire; the number is hexadecimal and never used again
//	logs/NNNNNNNN-YYYYMMDD.log   pieces that expire on that day (UTC)
//	logs/NNNNNNNN.journal        mutations
//	logs/NNNNNNNN.journal.new    a journal that is to replace one; removed by Open
//	storj-store.moved            instead of the marker: what was here is elsewhere
//	storj-store.arriving         instead of the marker: what is here is a copy that is not complete, or not in use yet;
//	                             logs/*.part are logs that are being copied
//
// A log is records, one behind the other without gaps. Numbers are big endian; checksums are CRC-32C (Castagnoli).
//
//	OFFSET  SIZE  FIELD
//	0       8     mark: SHA-256("storj/log-sync/v1" 00 | store ID | log number)[:8]
//	8       1     version, 1
//	9       1     kind: 1 piece, 2 trash, 3 restore, 4 delete, 5 copy, 6 adopt
//	10      2     0
//	12      4     size S of the body
//	16      8     Unix seconds: creation of the piece; of a trash record the date that counts for emptying
//	24      8     Unix seconds: expiry, 0 never
//	32      32    satellite
//	64      32    piece ID; 0 in mutations
//	96      4     checksum of bytes 0 to 95
//	100     S     body
//	100+S   4xB   checksum of each 32 KiB of the body, the last one short; B = ceil(S / 32 KiB)
//	...     2     size P of the proof
//	...     P     proof
//	...     4     seal: checksum of the header and of the footer up to here
//
// Kinds 1 and 5 hold pieces, the others are mutations and stand in journals. A copy is made by compaction and counts
// only if a later record adopts it. The body of a mutation is items, at most 4096: 32 bytes piece ID, 4 bytes log
// number, 4 bytes offset of the piece's record in that log. A mutation speaks about records, not IDs: a piece that is
// stored again under the same ID is another record.
//
// Version rule: a reader of version 1 takes records of other versions for damage; a change adds a version and keeps
// this one readable. A torn tail is what does not parse at the end of a log: it was never acknowledged and is cut
// off, except when the index was lost, when it is kept as garbage because it may be an old record that rotted. Damage
// with sound records after it is passed over: the next record is found by the mark, which nobody who uploads can
// know.
//
// Worked example: store ID 000102...1f, log 1, satellite aa..aa, piece bb..bb, created 1700000000, body "hello",
// proof "ok":
//
//	052db4b38473c15a0101000000000005000000006553f1000000000000000000
//	aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
//	bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
//	04c064b768656c6c6f9a71bb4c00026f6bebf7bd9a
//
// The index has the buckets meta (format, id, next log number, ready), logs (number: kind, sealed, day, length, live
// and trash bytes), usage (satellite: four counters), pieces (one bucket a satellite; piece: log, offset, size, proof
// size, created, expires, trashed; 26 bytes), trash (satellite | date | piece) and expiry (date | satellite | piece).
// Each flush is one transaction: entries, counters and the lengths up to which logs are entered agree at all times.
//
// # Concurrency
//
// All methods of Store may be called concurrently; a pieces.Writer belongs to one goroutine. Pieces up to 128 KiB are
// gathered in memory and committed in groups: the caller that comes first writes for all that wait, with one write
// and one sync. Larger ones get a log for themselves while they are written. Run is the caller's; it has one goroutine
// of its own for what takes long, which it waits for. The locks of a store are, outermost first: moveMu, tendMu (one
// directory at a time is brought back), then of a directory tendMu (one compaction at a time), mutMu (one change of
// existing entries at a time), journalMu (journals are replaced, or several are read), flushMu (one flush at a time), mu
// (memory only).
//
// # Why
//
// One file a piece makes a disk seek for every piece and a walk over millions of files for every question; logs make
// writes sequential, counters exact, and deleting a day of expired pieces one unlink. bbolt as index costs about 200
// bytes of disk a piece (measured 2026-11: 68 MB for 300,000) and no memory of its own; since it is derived it is
// synced only every few seconds, and what pieces wait for is one sync of a log that many share. The mark at the head
// of a record depends on the log, so that resuming after damage is safe against pieces that contain records, and
// against logs of other stores.
//
// Journals are compacted in runs of up to 32 MiB, after logs that they speak of have gone; the newest, up to 16 MiB, is
// not. What background work reads and writes is bounded by Options.IORate.
//
// The index is mapped into memory; where its pages cannot be read any more, because a disk was pulled, the fault becomes
// an error of that directory.
//
// Known limits: a rebuild keeps 24 bytes in memory for each item of the journals. Records that rot inside the bytes that a crash made Open read again are lost,
// not damaged.
package logstore
