// Package storagenode is a storage node: it wires the store of pieces, the piece protocol and the relation to satellites
// into one service.
//
//	node, err := storagenode.New(ctx, storagenode.Options{Dir: dir, Disks: disks, Address: ":28967", Join: tokens, Log: log})
//	err = node.Run(ctx)                      // until ctx ends
//	err = node.Close()
//
// Everything happens in that one step: an identity is made when there is none, a token is redeemed, the satellite is
// remembered. The next start needs no token. A second satellite is a second token.
//
//	status, err := storagenode.ReadStatus(ctx, dir)      // of the node that runs in dir; ErrNotRunning
//	result, err := storagenode.Check(ctx, storagenode.CheckOptions{Dir: dir, Disks: disks})
//
// Room:
//
//	contact  reports to satellites, holds the keys that they answer with
//
// # Files in Dir
//
//	identity.key      the key of the node (netx/identity): whoever has it is the node
//	satellites.json   whom the node serves (contact)
//	disks.json        {"version": 1, "disks": [absolute paths]}: the directories that this node has set up
//	node.addr         host:port at which a process on this machine reaches the running node, and a line feed; gone when it
//	                  does not run, stale after a crash
//
// # Node admin
//
// Two operations of netx/rpc answer only to a peer with the node's own identity, which is whoever can read its key file.
//
//	120  status   unary    Empty > Status
//	121  check    stream   Empty > CheckResult, when every byte was read: hours on a large disk. It ends with the connection
//
// # When something fails
//
//	disk full         uploads are refused (pieces.ErrNoSpace) and satellites are told at once; again when there is space
//	directory gone    its pieces answer pieces.ErrDisk, the others go on; /health says so and the log, once. When the last
//	                  one is gone Run ends with ErrNoDisk, and whoever supervises the process tries again
//	satellite away    pieces are served with the keys at hand; the node asks again, every five minutes in the end
//	clock wrong       a warning that says what to do; limits are refused beyond pieces.MaxClockSkew
//
// # Concurrency
//
// All methods of a Node may be called concurrently. Goroutines belong to the group that New fills and Run runs.
//
// # Why
//
// A directory is set up once, when the node first hears of it. If it is empty later, its disk is not mounted: the node
// must not write to what lies below, nor say that it has lost all pieces.
//
// The status is asked over the node's own transport rather than over HTTP, so that there is one door with one lock: the
// key. The debug address, which has no lock, shows counters only, and is off by default.
package storagenode
