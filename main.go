// Storj stores files on a network of disks that belong to many: encrypted and cut into pieces before they leave the
// machine, so that any few of the pieces give a file back and nobody but its owner reads it.
//
// # The house
//
// An import goes down, never up; within a wing, from a room to the wing's root or to a lower room.
//
//	main.go   e2e/                 start it | test it
//	roles/                         who runs: satellite, storagenode, uplink (the library), devnet, bench, command
//	metainfo/                      what is stored where: objects, segments, the satellite's service
//	pieces/                        the bytes on nodes: pieces, orders, the node's protocol
//	netx/   ecenc/   config/       peers and transports | pure math on bytes | settings
//
// Each wing's root package is its vocabulary; its doc.go is the wing's page. Start with `go doc storj/roles/uplink` for
// the library, with `storj help` for the program.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"storj/roles/command"
)

// version is stamped by the linker: -ldflags "-X main.version=1.2.3".
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	status := command.Main(ctx, command.ProcessEnv(command.BuildVersion(version)))
	stop()
	os.Exit(status)
}
