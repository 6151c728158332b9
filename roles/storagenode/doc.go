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
//	err := storagenode.Exit(ctx, dir, satellite, cancel) // and Forget, ForgetDisk, MoveDisk, ReadUsage
//
// Rooms:
//
//	contact    reports to satellites, holds the keys that they answer with, and what they think of the node
//	bandwidth  what of the line the node may use
//	usage      what was stored and moved, by day and satellite
//	orderlog   orders until their satellite has taken them
//	retain     garbage filters, applied
//	scrub      everything read once a month, rot reported
//	durable    small files, wholly there or not
//
// # Files in Dir
//
//	identity.key      the key of the node (netx/identity): whoever has it is the node
//	satellites.json   whom the node serves (contact)
//	disks.json        {"version": 1, "disks": [absolute paths], "moved": [{"from": PATH, "to": PATH}], "lost": [PATH]}: the
//	                  directories that this node has set up; what the settings still call FROM lies in TO; what the owner
//	                  gave up is not opened any more
//	usage/ orders/ retain/ scrub.json   of the rooms of these names
//	node.addr         host:port at which a process on this machine reaches the running node, and a line feed; gone when it
//	                  does not run, stale after a crash
//
// # Node admin
//
// Two operations of netx/rpc answer only to a peer with the node's own identity, which is whoever can read its key file.
//
//	120  status   unary    Empty > Status
//	121  check    stream   Empty > CheckResult, when every byte was read: hours on a large disk. It ends with the connection
//	122  exit     unary    ExitRequest > Empty
//	123  forget   unary    ForgetRequest > Empty; pieces are deleted afterwards
//	124  disk     unary    DiskRequest > DiskReply: a disk is lost for good
//	125  move     stream   MoveRequest > Empty, then (2 bytes length, progress) until one says done or why not
//	126  usage    unary    UsageRequest > UsageReply
//
// # When something fails
//
//	disk full         uploads are refused (pieces.ErrNoSpace) and satellites are told at once; again when there is space
//	directory gone    its pieces answer pieces.ErrDisk, the others go on; satellites are told (CheckIn.Faults), /health says
//	                  so, and the log, once. It comes back by itself when the disk does, tried every minute at first and
//	                  every hour in the end. A node without any disk goes on and says so: what it holds is not lost yet
//	disk lost         storj node disk forget: pieces that its index names are reported, the rest is found by audits
//	piece rotten      found by the scrub, or when it is read: reported to its satellite until that answers, then trashed
//	satellite deaf    orders and reports of damage wait on disk
//	power cut         orders of the last second are lost, usage of the last five minutes; pieces are not
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
