// Package metaclient speaks metainfo.Service to a satellite, and lets a server speak it to others.
//
//	svc := metaclient.New(pool, satellite)          // an uplink
//	info, err := svc.ProjectInfo(ctx, &metainfo.ProjectInfoRequest{Auth: auth})
//
//	metaclient.Register(server, endpoint)           // a satellite
//
// # Deadlines and repeats
//
// A call whose context has no deadline gets CallTimeout. Requests that read, and begin calls, which write nothing, are
// sent again once when the pooled connection turns out to be dead; others are not, though their callers may: repeating a
// commit, an abort or a deletion is harmless.
//
// # Concurrency
//
// A Client may be used concurrently.
//
// # Why
//
// Both directions stand in one file each and next to each other, so that a method number, its messages and its limits
// cannot differ between the sides.
package metaclient
