package retain

import (
	"context"
	"errors"
	"testing"
	"time"

	"storj/netx"
	"storj/pieces"
	"storj/pieces/filter"
)

// listed is a store that only lists and throws away.
type listed struct {
	pieces.Store
	ids     []pieces.PieceID
	trashed int
}

func (l *listed) Pieces(_ context.Context, _ netx.NodeID, fn func(pieces.Info) error) error {
	for _, id := range l.ids {
		if err := fn(pieces.Info{Piece: id, Size: 1, Created: time.Unix(1, 0)}); err != nil {
			return err
		}
	}
	return nil
}

func (l *listed) Trash(_ context.Context, _ netx.NodeID, ids []pieces.PieceID, _ time.Time) error {
	l.trashed += len(ids)
	return nil
}

// BenchmarkApplyMillion applies a filter to a million pieces, a tenth of which are garbage; without the store's own work.
func BenchmarkApplyMillion(b *testing.B) {
	const count = 1_000_000
	store := &listed{}
	f := filter.New(count, 1, filter.DefaultRate)
	root := pieces.PieceID{3}
	for n := range count {
		id := root.Derive(netx.NodeID{}, n)
		store.ids = append(store.ids, id)
		if n%10 != 0 {
			f.Add(id)
		}
	}
	c, err := New(Options{Store: store})
	if err != nil {
		b.Fatal(err)
	}
	raw := f.Marshal(time.Unix(100, 0))
	b.SetBytes(count * 32)
	b.ReportAllocs()
	for b.Loop() {
		c.memory[sat] = raw
		c.waiting[sat] = waiting{round: 1}
		store.trashed = 0
		if err := c.apply(b.Context(), sat, 1); err != nil && !errors.Is(err, context.Canceled) {
			b.Fatal(err)
		}
		if store.trashed < count/10*98/100 {
			b.Fatalf("trashed %d", store.trashed)
		}
	}
}
