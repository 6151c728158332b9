package memstore_test

import (
	"errors"
	"testing"

	"storj/pieces"
	"storj/pieces/memstore"
	"storj/pieces/storetest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Subject{Open: func(*testing.T) pieces.Store {
		return memstore.New(memstore.Options{Capacity: storetest.Capacity})
	}})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	ctx, sat := t.Context(), storetest.Satellite(0)
	st := memstore.New(memstore.Options{})
	defer func() { _ = st.Close() }()
	for i := range 3 {
		opts := pieces.CreateOptions{Satellite: sat, Piece: storetest.PieceID(i), Size: 100}
		if err := storetest.Store(ctx, st, opts, 100); err != nil {
			t.Fatal(err)
		}
	}
	id := storetest.PieceID
	if !st.Damage(sat, id(0)) || !st.Alter(sat, id(1), 99) || !st.Lose(sat, id(2)) {
		t.Fatal("a fault did not find its piece")
	}
	if st.Alter(sat, id(1), 100) || st.Lose(sat, id(2)) || st.Damage(sat, id(9)) {
		t.Fatal("a fault found what is not there")
	}
	if _, err := st.Open(ctx, sat, storetest.PieceID(0)); !errors.Is(err, pieces.ErrCorrupt) {
		t.Fatalf("open damaged: %v", err)
	}
	if err := storetest.Verify(ctx, st, sat, storetest.PieceID(1), 100); err == nil {
		t.Fatal("altered bytes were not altered")
	}
	if _, err := st.Open(ctx, sat, storetest.PieceID(2)); !errors.Is(err, pieces.ErrNotFound) {
		t.Fatalf("open lost: %v", err)
	}
	report, err := st.Check(ctx)
	if err != nil || len(report.Damaged) != 1 || len(report.Faults) != 0 || report.Pieces != 2 {
		t.Fatalf("check: %+v, %v", report, err)
	}
}
