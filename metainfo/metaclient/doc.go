// Package metaclient speaks metainfo.Service to a satellite, and lets a server speak it to others.
//
//	svc := metaclient.New(pool, satellite)          // an uplink
//	info, err := svc.ProjectInfo(ctx, &metainfo.ProjectInfoRequest{Auth: auth})
//
//	metaclient.Register(server, endpoint)           // a satellite
//
// # Deadlines and repeats
//
// A call whose context has no deadline gets CallTimeout. Requests that read, begin calls, which write nothing, and those
// that the satellite recognises or that do nothing the second time (commits, aborts, copies, moves, metadata, settings) are sent
// again once when the pooled connection turns out to be dead. So are not those which would do it twice: making and
// deleting buckets, deleting objects (somebody may have written a new one between), beginning an upload in parts,
// starting a deletion.
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
