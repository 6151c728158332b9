package storagenode

import (
	"context"
	"errors"

	"storj/netx"
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
	n.store = &watchedStore{Store: store, full: n.contact.Wake, rotten: n.rotten}
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

// watchedStore is a store that tells when it refused a piece for lack of space, and when one turns out to be damaged.
type watchedStore struct {
	pieces.Store
	full   func()                                            // does not block
	rotten func(satellite netx.NodeID, piece pieces.PieceID) // of a piece that could not be read
}

// Open implements pieces.Store. A piece that turns out to be damaged is told the satellite, whoever wanted to read it.
func (s *watchedStore) Open(ctx context.Context, satellite netx.NodeID, piece pieces.PieceID) (pieces.Reader, error) {
	r, err := s.Store.Open(ctx, satellite, piece)
	if err == nil {
		return &watchedReader{Reader: r, store: s, satellite: satellite}, nil
	}
	if errors.Is(err, pieces.ErrCorrupt) {
		s.rotten(satellite, piece)
	}
	return nil, err
}

type watchedReader struct {
	pieces.Reader
	store     *watchedStore
	satellite netx.NodeID
}

// ReadAt implements pieces.Reader.
func (r *watchedReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.Reader.ReadAt(p, off)
	if errors.Is(err, pieces.ErrCorrupt) {
		r.store.rotten(r.satellite, r.Info().Piece)
	}
	return n, err
}

// Create implements pieces.Store.
func (s *watchedStore) Create(ctx context.Context, opts pieces.CreateOptions) (pieces.Writer, error) {
	w, err := s.Store.Create(ctx, opts)
	if errors.Is(err, pieces.ErrNoSpace) {
		s.full()
	}
	return w, err
}
