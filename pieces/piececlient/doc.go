// Package piececlient speaks the piece protocol: it stores one piece on one node, or reads a range of it.
//
//	ack, err := piececlient.Upload(ctx, pool, piececlient.UploadOptions{...})
//	r, err := piececlient.Open(ctx, pool, piececlient.DownloadOptions{...})
//	defer r.Close()
//	io.ReadFull(r, buf)
//
// A call runs on the caller's goroutine and ends early when its context does. Nothing is retried here: a limit is good
// for one attempt.
package piececlient
