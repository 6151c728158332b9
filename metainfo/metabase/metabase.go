package metabase

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
)

// Format is what a store must hold, for opening an engine.
func Format() kv.Format { return kv.Format{Name: "metabase", Version: 1} }

// The sentinels of metabase that the vocabulary of metainfo lacks.
var (
	// ErrNode is returned for a node that never joined.
	ErrNode = netx.Sentinel(netx.NotFound, 390, "node is not known to this satellite")
	// ErrToken is returned for a join token that is unknown, expired or used up.
	ErrToken = netx.Sentinel(netx.Denied, 391, "join token is not valid: unknown, expired or used up")
)

// DB is the tables of one satellite. Its methods may be called concurrently.
type DB struct {
	store kv.Store
	batch int // how many rows a bounded transaction removes or looks at, where a test wants few; else 0

	mu      sync.RWMutex // guards the fields below: caches of what never changes
	aliasOf map[netx.NodeID]metainfo.NodeAlias
	nodeOf  map[metainfo.NodeAlias]netx.NodeID
}

// Open returns the tables in store. Errors: metainfo.ErrNewer, kv.ErrFormat.
//
// Ownership: the store stays the caller's, who closes it after the last call.
func Open(ctx context.Context, store kv.Store) (*DB, error) {
	if _, err := kv.Claim(ctx, store, Format()); err != nil {
		return nil, fmt.Errorf("open metabase: %w", translate(err))
	}
	return &DB{
		store:   store,
		aliasOf: map[netx.NodeID]metainfo.NodeAlias{},
		nodeOf:  map[metainfo.NodeAlias]netx.NodeID{},
	}, nil
}

// Store is the store below, for services that keep tables of their own.
func (db *DB) Store() kv.Store { return db.store }

func (db *DB) view(ctx context.Context, verb string, fn func(kv.Tx) error) error {
	return wrap(verb, db.store.View(ctx, fn))
}

func (db *DB) update(ctx context.Context, verb string, fn func(kv.Tx) error) error {
	return wrap(verb, db.store.Update(ctx, fn))
}

func wrap(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", verb, translate(err))
}

// translate gives the errors of kv that a peer should know the names of metainfo.
func translate(err error) error {
	switch {
	case errors.Is(err, kv.ErrFull):
		return fmt.Errorf("%w: %w", metainfo.ErrFull, err)
	case errors.Is(err, kv.ErrNewer):
		return fmt.Errorf("%w: %w", metainfo.ErrNewer, err)
	}
	return err
}

// orElse turns an absent row into the error that names what is absent.
func orElse(err, absent error) error {
	if errors.Is(err, kv.ErrNotFound) {
		return absent
	}
	return err
}

// now is the satellite's clock as it is stored.
func now() time.Time { return time.Now().UTC().Round(0) }
