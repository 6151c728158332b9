// Package devnet is a whole network on one machine, in two forms.
//
// Start runs satellite and nodes inside this process: `storj up`, and most stories of e2e.
//
//	net, err := devnet.Start(ctx, devnet.Options{Dir: dir, Nodes: 10})
//	defer net.Close()
//	access := net.Grant()
//
// Spawn runs each of them as a process of its own, through the same commands that a person would type: `storj demo`,
// `storj bench --network`, and the stories in which processes are killed.
//
//	procs, err := devnet.Spawn(ctx, devnet.SpawnOptions{Binary: exe, Dir: dir, Nodes: 10})
//	defer procs.Close()
//	procs.Nodes[3].Kill()
//
// Everything listens on loopback only and keeps its data below one directory.
package devnet
