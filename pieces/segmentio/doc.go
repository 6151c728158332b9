// Package segmentio moves one segment to many nodes and back from any Required of them.
//
//	client := segmentio.New(pool, segmentio.Options{})
//	stored, err := client.Upload(ctx, &segmentio.UploadRequest{...})
//
//	d := client.Download(ctx, &segmentio.DownloadRequest{...})
//	defer d.Close()
//	for run, err := d.Next(); err != io.EOF; run, err = d.Next() { ... }
//
// # Upload
//
// One conductor (the caller's goroutine) starts a sender for each of the first Optimal pieces, of large ones at most
// MaxStreams at a time, nodes of good memory first. Another piece is started only when one fails, stalls or falls far behind; whoever
// is done when Optimal pieces are, counts, and the rest is cancelled. When no piece is left to start and those running
// have stalled, more than Repair pieces are enough. A stalled sender has moved nothing for a multiple of what the
// median sender needs for a chunk.
//
// Senders of data pieces send straight from the segment. Parity pieces are computed in cohorts, a group of stripes at a
// time, by whichever sender of the cohort needs the group first; each share is kept until its sender has sent it.
//
// # Download
//
// One conductor goroutine starts a fetcher for each data piece and, when one fails or holds up the first stripe that
// is not complete, another piece from that stripe on. A stripe is ready when Required pieces have it; without the data
// pieces among them it is decoded. Fetchers run at most a window of stripes ahead of the consumer. A range inside one
// stripe asks only the nodes that have it.
//
// # Why
//
// Starting all Total pieces and cutting the tail sends a quarter more than needed when nodes are equally fast (ten
// nodes, 8 of 10); starting spares on evidence sends almost nothing more, and costs a slow network one detection.
package segmentio
