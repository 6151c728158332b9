package command

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/urfave/cli/v2"

	"storj/metainfo/kv"
	"storj/metainfo/kv/boltkv"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/netx/identity"
	"storj/netx/quicnet"
	"storj/netx/rpc"
	"storj/roles/command/accesses"
)

// localPatience is how long a satellite on this machine may take to answer a dial.
const localPatience = 2 * time.Second

// errNotRunning is returned by commands that ask a satellite what only a running one knows.
var errNotRunning = errors.New("the satellite is not running")

// overWire is work on a running satellite, by a pool with its identity.
type overWire func(ctx context.Context, pool *rpc.Pool, satellite netx.NodeURL) error

// withPool works on a running satellite of this machine.
func (a *app) withPool(c *cli.Context, work overWire) error {
	return a.onlineOrNot(c, work, func(context.Context, *satelliteRole) error {
		return &hintError{errNotRunning, "`storj satellite run` starts it; --dir says where it is."}
	})
}

// onlineOrNot works on the running satellite of this machine, or, where none runs, on its files.
func (a *app) onlineOrNot(c *cli.Context, online overWire, offline func(ctx context.Context, r *satelliteRole) error) error {
	r, err := a.loadSatellite(c)
	if err != nil {
		return err
	}
	running, err := a.reach(c.Context, r, online)
	if running || err != nil {
		return err
	}
	return offline(c.Context, r)
}

// reach works over the wire. running is false, and work was not done, when nobody answers at the address: there is none,
// or it was left by a satellite that did not end well.
func (a *app) reach(ctx context.Context, r *satelliteRole, work overWire) (running bool, err error) {
	id, err := r.identity()
	if err != nil {
		return false, err
	}
	address, err := accesses.ReadGrant(r.path(satelliteAddressFile)) // a short text, like a grant
	if errors.Is(err, fs.ErrNotExist) || err == nil && netx.CheckAddress(address) != nil {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	transport, release, err := a.ownerTransport(id)
	if err != nil {
		return false, err
	}
	pool := rpc.NewPool(transport, rpc.PoolOptions{DialTimeout: localPatience})
	defer func() { err = errors.Join(err, pool.Close(), release()) }()
	url := netx.NodeURL{ID: id.ID(), Address: address}
	if _, err := pool.Get(ctx, url, netx.Control); netx.CodeOf(err) == netx.Unavailable || errors.Is(err, netx.ErrIdentity) {
		return false, nil
	}
	return true, work(ctx, pool, url)
}

// ownerTransport is what carries the owner's questions to a satellite of this machine: Env.Transport, which stays open, or
// QUIC.
func (a *app) ownerTransport(id *identity.Identity) (transport netx.Transport, release func() error, err error) {
	if a.env.Transport != nil {
		return a.env.Transport, func() error { return nil }, nil
	}
	transport, err = quicnet.New(id, quicnet.Options{HandshakeTimeout: localPatience})
	if err != nil {
		return nil, nil, err
	}
	return transport, transport.Close, nil
}

// withStore opens the database of a satellite that does not run.
func (r *satelliteRole) withStore(ctx context.Context, work func(store *boltkv.Store) error) error {
	store, err := boltkv.Open(ctx, r.path(satelliteDBFile), boltkv.Options{Format: metabase.Format()})
	if errors.Is(err, kv.ErrCorrupt) {
		return &hintError{err, "The database is damaged. `storj satellite restore` makes a new directory of a backup; keep the damaged one until all is well."}
	}
	if err != nil {
		return err
	}
	return errors.Join(work(store), store.Close())
}

// withTables is withStore for the tables in it.
func (r *satelliteRole) withTables(ctx context.Context, work func(db *metabase.DB) error) error {
	return r.withStore(ctx, func(store *boltkv.Store) error {
		db, err := metabase.Open(ctx, store)
		if err != nil {
			return err
		}
		return work(db)
	})
}
