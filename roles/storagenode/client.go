package storagenode

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"storj/netx"
	"storj/netx/identity"
	"storj/netx/quicnet"
	"storj/netx/rpc"
	"storj/pieces"
)

// ErrNotRunning is returned when no node runs in a directory.
var ErrNotRunning = errors.New("no node is running in this directory")

// findTimeout is how long a node on this machine may take to answer a dial.
const findTimeout = 2 * time.Second

// ReadStatus asks the node that runs in dir, as its owner. Errors: ErrNotRunning; those of identity.Load.
func ReadStatus(ctx context.Context, dir string) (*Status, error) {
	c, err := dialOwn(dir)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.status(ctx)
}

// CheckOptions says what to check.
type CheckOptions struct {
	Dir   string // of the node
	Disks []Disk // read directly when the node does not run
	Log   zerolog.Logger
}

// Check has the running node read every byte that it keeps, or reads them itself when no node runs: hours on a large disk,
// until ctx ends. Errors: those of identity.Load and of the store.
func Check(ctx context.Context, opts CheckOptions) (*CheckResult, error) {
	c, err := dialOwn(opts.Dir)
	if err == nil {
		defer c.close()
		var result *CheckResult
		if result, err = c.check(ctx); err == nil {
			return result, nil
		}
	}
	if !errors.Is(err, ErrNotRunning) {
		return nil, err
	}
	return checkOffline(ctx, opts)
}

func checkOffline(ctx context.Context, opts CheckOptions) (_ *CheckResult, err error) {
	list, err := readDiskList(filepath.Join(opts.Dir, disksFile))
	if err != nil {
		return nil, err
	}
	disks, err := list.where(opts.Disks)
	if err != nil {
		return nil, err
	}
	store, err := openDisks(ctx, Options{Disks: disks, Log: opts.Log})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	report, err := store.Check(ctx)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return newCheckResult(report), nil
}

// ownClient speaks to a node as the node itself.
type ownClient struct {
	node      netx.NodeURL
	transport netx.Transport
	pool      *rpc.Pool
}

func dialOwn(dir string) (*ownClient, error) {
	address, err := readAddress(dir)
	if err != nil {
		return nil, err
	}
	id, err := LoadIdentity(dir, false)
	if err != nil {
		return nil, err
	}
	return newOwnClient(id, address)
}

func newOwnClient(id *identity.Identity, address string) (*ownClient, error) {
	transport, err := quicnet.New(id, quicnet.Options{Address: ":0", HandshakeTimeout: findTimeout})
	if err != nil {
		return nil, fmt.Errorf("ask node: %w", err)
	}
	return &ownClient{
		node:      netx.NodeURL{ID: id.ID(), Address: address},
		transport: transport,
		pool:      rpc.NewPool(transport, rpc.PoolOptions{DialTimeout: findTimeout}),
	}, nil
}

func (c *ownClient) close() {
	_ = c.pool.Close()      // best effort: all was answered
	_ = c.transport.Close() // the same
}

func (c *ownClient) status(ctx context.Context) (*Status, error) {
	var status Status
	if err := c.pool.Call(ctx, c.node, netx.Control, MethodStatus, new(pieces.Empty), &status, adminErrors(), pieces.Errors()); err != nil {
		return nil, asNotRunning(err)
	}
	return &status, nil
}

func (c *ownClient) check(ctx context.Context) (*CheckResult, error) {
	st, err := c.pool.Open(ctx, c.node, netx.Control, MethodCheck, new(pieces.Empty))
	if err != nil {
		return nil, asNotRunning(err)
	}
	defer st.Cancel(netx.Cancelled) // after a complete exchange it does nothing
	if err := st.CloseWrite(); err != nil {
		return nil, fmt.Errorf("ask node: %w", err)
	}
	var result CheckResult
	if err := st.Response(&result, adminErrors(), pieces.Errors()); err != nil {
		return nil, fmt.Errorf("check by the running node: %w", err)
	}
	result.Running = true
	return &result, nil
}

// asNotRunning tells a node that is gone, whose address file is stale, from one that answered with an error.
func asNotRunning(err error) error {
	for _, gone := range []error{netx.ErrUnreachable, netx.ErrRefused, netx.ErrIdentity} {
		if errors.Is(err, gone) {
			return fmt.Errorf("%w: %w", ErrNotRunning, err)
		}
	}
	return fmt.Errorf("ask node: %w", err)
}
