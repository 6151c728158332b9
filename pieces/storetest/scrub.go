package storetest

import (
	"testing"

	"storj/pieces"
)

// testScrub walks a store in steps of different size: each sound piece is seen once a pass, and none is called damaged.
func testScrub(t *testing.T, st pieces.Store) {
	scrubber, ok := st.(pieces.Scrubber)
	if !ok {
		t.Skip("store does not scrub")
	}
	ctx := t.Context()
	step, err := scrubber.Scrub(ctx, nil, 1<<20)
	if err != nil || step.Next != nil || step.Pieces != 0 {
		t.Fatalf("scrub of nothing: %+v, %v", step, err)
	}
	const count = 40
	for n := range count {
		mustStore(t, st, pieces.CreateOptions{Satellite: Satellite(n % 3), Piece: PieceID(n), Size: int64(n) * 5000})
	}
	for _, budget := range []int64{1, 70_000, 1 << 40} {
		var place []byte
		var seen, bytes int64
		for steps := 0; ; steps++ {
			if steps > 3*count {
				t.Fatal("scrub does not end")
			}
			step, err := scrubber.Scrub(ctx, place, budget)
			if err != nil || len(step.Damaged) != 0 || len(step.Next) > pieces.MaxScrubPlace {
				t.Fatalf("scrub by %d: %+v, %v", budget, step, err)
			}
			seen, bytes = seen+step.Pieces, bytes+step.Bytes
			if place = step.Next; place == nil {
				break
			}
		}
		if seen != count || bytes < count*(count-1)/2*5000 {
			t.Fatalf("scrub by %d: saw %d pieces and %d bytes", budget, seen, bytes)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = scrubber.Scrub(ctx, nil, 1)
	wantErr(t, "scrub of a closed store", err, pieces.ErrStoreClosed)
}
