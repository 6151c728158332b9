// Package memnet is the Transport in memory: peers of one process, streams with flow control, and faults as verbs.
//
//	network := memnet.New(seed)
//	a, b := network.Transport(idA), network.Transport(idB)
//	listener, err := b.Listen()
//	conn, err := a.Dial(ctx, netx.NodeURL{ID: idB, Address: b.Address()}, netx.Data)
//	network.Partition(idA, idB)
//	network.Heal(idA, idB)
//
// Only mutexes, condition variables, channels and timers are used: it works in a testing/synctest bubble, where the time
// of delays and timeouts costs nothing. A Network and everything on it must then be made inside the bubble.
//
// # What is like QUIC
//
// A stream holds 256 KiB on its way, then Write waits. The peer sees a stream at its first write. A connection carries
// 256 streams opened by each side at once, and a stream counts until both of its directions were read to the end or
// cancelled. Bytes of a partitioned or hung peer are late, not lost, until the connection dies of silence after 60 s.
// What is not: nothing is encrypted, and a NodeID is what Transport was told.
//
// # Concurrency
//
// Everything may be called concurrently. There are no goroutines; timers are stopped by what they belong to.
//
// # Why
//
// Real sockets never count as blocked in a synctest bubble, and faults of a real network cannot be named. One mutex per
// connection guards all its streams: simple, and a copy of 32 KiB under it takes about 2 us.
package memnet
