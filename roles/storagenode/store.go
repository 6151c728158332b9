package storagenode

import (
	"context"
	"errors"

	"storj/pieces"
	"storj/roles/lifecycle"
)

// errNoDisks is returned by New without a place for pieces.
var errNoDisks = errors.New("node has no directory for pieces")

// openStore opens the store on the disks, or takes the one that was given.
func (n *Node) openStore(ctx context.Context) error {
	store := n.opts.Store
	if store == nil {
		err := n.setUpDisks()
		if err != nil {
			return err
		}
		if store, err = openDisks(ctx, n.opts); err != nil {
			return err
		}
		n.addStore(store)
	}
	n.store = &watchedStore{Store: store, full: n.contact.Wake}
	return nil
}

// addStore gives the group a store to run, if it has anything to do in the background, and to close.
func (n *Node) addStore(store pieces.Store) {
	if runner, ok := store.(lifecycle.Runner); ok {
		n.group.Add("store", runner)
		return
	}
	n.group.Add("store", lifecycle.Closer(store.Close))
}

// watchedStore is a store that tells when it refused a piece for lack of space.
type watchedStore struct {
	pieces.Store
	full func() // does not block
}

// Create implements pieces.Store.
func (s *watchedStore) Create(ctx context.Context, opts pieces.CreateOptions) (pieces.Writer, error) {
	w, err := s.Store.Create(ctx, opts)
	if errors.Is(err, pieces.ErrNoSpace) {
		s.full()
	}
	return w, err
}
