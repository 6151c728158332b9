package years

import (
	"bytes"
	"context"
	"sync/atomic"

	"storj/netx"
	"storj/pieces"
	"storj/pieces/memstore"
)

// lie is what a node does to make money without keeping what it was given.
type lie int32

const (
	honest  lie = iota
	drops       // acknowledges what comes and keeps nothing of it
	loses       // has thrown half of its pieces away
	alters      // has other bytes than it was given, in every other piece
	confuse     // answers with another piece
	lieKinds
)

func (l lie) String() string {
	return [...]string{"honest", "drops", "loses", "alters", "confuses"}[l]
}

// store is a node's store, which may lie from some time on.
type store struct {
	*memstore.Store
	lies  atomic.Int32
	other atomic.Pointer[pieces.PieceID] // that confuse answers with
}

// half says whether a piece is among those that a lie is about.
func half(id pieces.PieceID) bool { return id[0]&1 == 0 }

// Open implements pieces.Store.
func (s *store) Open(ctx context.Context, satellite netx.NodeID, id pieces.PieceID) (pieces.Reader, error) {
	switch lie(s.lies.Load()) {
	case drops:
		return nil, pieces.ErrNotFound
	case loses:
		if half(id) {
			return nil, pieces.ErrNotFound
		}
	case confuse:
		if other := s.other.Load(); other != nil && half(id) && !bytes.Equal(other[:], id[:]) {
			return s.Store.Open(ctx, satellite, *other)
		}
		s.other.Store(&id)
	}
	return s.Store.Open(ctx, satellite, id)
}

// turn has the node lie from now on.
func (n *node) turn(ctx context.Context, satellite netx.NodeID, how lie) error {
	n.store.lies.Store(int32(how))
	if how != alters {
		return nil
	}
	return n.store.Pieces(ctx, satellite, func(info pieces.Info) error {
		if half(info.Piece) {
			n.store.Alter(satellite, info.Piece, info.Size/2)
		}
		return nil
	})
}
