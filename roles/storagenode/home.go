package storagenode

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"storj/netx"
	"storj/netx/identity"
)

// The files in the directory of a node.
const (
	IdentityFile   = "identity.key"
	satellitesFile = "satellites.json"
	disksFile      = "disks.json"
	addressFile    = "node.addr"
	usageDir       = "usage"
	ordersDir      = "orders"
	retainDir      = "retain"
)

// LoadIdentity returns the identity of the node in dir; one is made when there is none and create is set.
//
// Errors: those of identity.Load and Save.
func LoadIdentity(dir string, create bool) (*identity.Identity, error) {
	path := filepath.Join(dir, IdentityFile)
	id, err := identity.Load(path)
	if !create || !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	if id, err = identity.Generate(); err != nil {
		return nil, err
	}
	return id, id.Save(path)
}

// writeAddress notes where a process on this machine reaches the node. It need not survive a crash.
func writeAddress(dir, listening string) error {
	host, port, err := net.SplitHostPort(listening)
	if err != nil {
		return fmt.Errorf("note address: %w", err)
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
	}
	path := filepath.Join(dir, addressFile)
	if err := os.WriteFile(path, []byte(net.JoinHostPort(host, port)+"\n"), 0o600); err != nil {
		return fmt.Errorf("note address: %w", err)
	}
	return nil
}

func removeAddress(dir string) { _ = os.Remove(filepath.Join(dir, addressFile)) } // best effort: readers take a stale one

// readAddress returns what writeAddress noted. Errors: ErrNotRunning.
func readAddress(dir string) (string, error) {
	file, err := os.Open(filepath.Join(dir, addressFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNotRunning
	}
	if err != nil {
		return "", fmt.Errorf("find node: %w", err)
	}
	defer func() { _ = file.Close() }() // best effort: read only
	const maxAddressBytes = 300
	raw, err := io.ReadAll(io.LimitReader(file, maxAddressBytes))
	if err != nil {
		return "", fmt.Errorf("find node: %w", err)
	}
	address := strings.TrimSpace(string(raw))
	if err := netx.CheckAddress(address); err != nil {
		return "", fmt.Errorf("%w: %s is damaged", ErrNotRunning, addressFile)
	}
	return address, nil
}
