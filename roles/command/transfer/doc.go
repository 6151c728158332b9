// Package transfer copies objects and files: up, down, and from one object to another, one or a million of them.
//
//	t := transfer.New(project, transfer.Options{Parallel: 4, Recursive: true, Done: func(r transfer.Result) { ... }})
//	summary, err := t.Run(ctx, sources, dest)
//
// A plan (plan.go) turns sources and destination into items while workers (run.go) already carry them out; local.go
// writes files so that they appear complete or not at all.
//
// # Rules
//
// A file or object goes to the destination's very name, or under it by its own last name when the destination is a place
// for several: a prefix, an existing directory, a path that ends in a separator. The content of a directory or prefix
// (Recursive) goes under the destination; of several sources each gets its own name between. A remote source without "/"
// at its end stands, recursively, for the object of that name and for all under it, but not for names that only begin so.
//
// Local symbolic links to files are followed; those to directories are not, so there are no loops. What is neither file
// nor directory is skipped with a warning, unless it was named itself: then it is read to its end. Empty directories
// leave no trace.
//
// A download's file gets the time of change of the file that was uploaded, or the time of the upload.
//
// # Interruptions
//
// With Options.Resume, a file of more than PartSize is uploaded in parts, and an object of 8 MiB or more downloaded to a
// partial file beside its place; what is known of either is kept by package resume. The next transfer of the same goes on
// there if the file, by size and time of change, or the object, by its revision, is still the same. Parts that were sent
// are compared by checksum, not sent again; a partial file counts up to where it was synced, and as a whole is compared
// with the checksum in the object's metadata.
//
// # FORMAT: metadata of a file
//
// An upload keeps two texts in the custom metadata of the object, encrypted like all of it. Others may be absent.
//
//	mtime    when the file's content was last changed: seconds since 1970 in decimal, ".", nine digits of a second.
//	         Example: 1767225600.000000000. Read with any number of digits up to nine, and none.
//	blake3   BLAKE3 of the content, 64 hex digits; parts have their own in their metadata
//
// # Concurrency
//
// A Transfer runs once. Done and Warn are called by one goroutine at a time. When Run returns nothing of it runs any
// more, with one exception: a read from standard input cannot be interrupted, and is left behind when ctx ends.
//
// # Why
//
// Items are not collected before they are carried out: a bucket may hold more names than memory. Only a copy within
// one bucket whose source and destination overlap is planned to its end first, as it would go on for ever otherwise.
package transfer
