// Package syncer finds what makes one place a mirror of another: which files to copy, and which to delete.
//
//	source, _ := syncer.Local("photos", syncer.LocalOptions{})
//	dest, hidden, err := syncer.Remote(ctx, project, place, spill)    // spill: where large listings go
//	stats, err := syncer.Diff(source, dest, syncer.Options{Delete: true}, func(a syncer.Action) error { ... })
//
// A Listing yields entries in ascending order of the bytes of their keys. Diff goes through two of them side by side, so
// that it needs no more memory for ten million files than for ten. A directory is read in that order as it is walked; the
// objects of a bucket come in the order of their encrypted names and are sorted first (sorter.go).
//
// # What is the same
//
// Two entries of one key are the same if their sizes are equal, and then: if both have a checksum to compare, by that
// alone; else if both have a time of change, when the times are within Options.Window of each other; else if the
// destination's was made at or after the source's. An object's time of change and checksum are in its metadata (package
// transfer); a file's checksum is computed only with Options.Checksum.
//
// # What is never deleted
//
// What the rules leave out; what lies in a directory of the source that could not be read, or that went away while it was
// read, as that of a disk that is unmounted; anything, once the source listing ended early. The caller looks out for a source that is empty as a whole.
//
// # FORMAT: spilled listing
//
// Temporary files, deleted as soon as they are open where the system permits it. A file is a sequence of records in
// ascending order of keys; the numbers are varints of encoding/binary, U unsigned, S signed.
//
//	U n, n bytes   key
//	S              size, bytes
//	S              time of change, ns since 1970; 0: not known
//	S              time of creation, ns since 1970; 0: not known
//	U n, n bytes   checksum; 0 or 32 bytes
//
// # Concurrency
//
// A Listing is for one goroutine, and may be gone through once.
package syncer
