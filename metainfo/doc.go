// Package metainfo is what is stored where: projects, buckets, objects, segments, and the calls of a satellite.
//
// A Project holds Buckets, a bucket Objects, an object is a stream of Segments. Service is what an uplink asks of a
// satellite; a Segment is inline (its bytes stand in the record) or remote (its pieces lie on nodes).
//
// Rooms:
//
//	kv          ordered keys with serializable transactions; engines and their suite
//	metabase    the tables, on kv
//	endpoint    serves Service
//	metaclient  speaks it
//	metatest    the suite that every Service passes
//
// # An upload
//
// Begin calls write nothing. BeginObject returns a sealed token which later calls show; with it, when asked, the plan
// of the first segment. An object of one segment is one transaction at CommitObject, an inline object is CommitObject
// alone. Objects of several segments commit each segment as it is done; those of an upload that never ends are
// removed after a day.
//
//	inline            CommitObject                                            1 round trip
//	one segment       BeginObject(with plan)  CommitObject(with segment)      2
//	more              BeginObject(with plan)  (CommitSegment | BeginSegment)*  CommitObject(with last segment)
//	download          Download                                                1, and one for each further batch of segments
//
// # What the satellite sees
//
// Bucket names, encrypted object keys, sizes, times. Not: object names, content, metadata, passphrases.
package metainfo
