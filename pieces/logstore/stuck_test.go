package logstore_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"storj/pieces"
	"storj/pieces/storetest"
)

// TestCompactPassesDamageOver: a log that lost its end, or is gone, cannot be compacted; the others still are.
func TestCompactPassesDamageOver(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"cut short": func(path string) error { return os.Truncate(path, 3000) },
		"gone":      os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := optionsFor(t, 1)
			opts.SetLogSize(3000) // two pieces a log
			opts.SkipSyncs()
			st := mustOpen(t, opts)
			owner := storetest.Satellite(0)
			for n := range 4 {
				create := pieces.CreateOptions{Satellite: owner, Piece: storetest.PieceID(n), Size: 2000}
				if err := storetest.Store(t.Context(), st, create, 2000); err != nil {
					t.Fatal(err)
				}
			}
			dead := []pieces.PieceID{storetest.PieceID(0), storetest.PieceID(2)}
			err := st.Trash(t.Context(), owner, dead, time.Unix(5, 0))
			if err == nil {
				_, err = st.EmptyTrash(t.Context(), owner, time.Unix(6, 0))
			}
			if err = errors.Join(err, st.Close()); err != nil {
				t.Fatal(err)
			}
			if err := damage(logFiles(t, opts.Dirs[0].Path)[0]); err != nil {
				t.Fatal(err)
			}

			st = mustOpen(t, opts)
			defer func() { _ = st.Close() }()
			freed, err := st.Compact(t.Context(), 0.9)
			if err != nil || freed < 2000 {
				t.Errorf("freed %d bytes: %v", freed, err)
			}
			if err := storetest.Verify(t.Context(), st, owner, storetest.PieceID(3), 2000); err != nil {
				t.Errorf("piece of the sound log: %v", err)
			}
			if _, err := st.Open(t.Context(), owner, storetest.PieceID(1)); !errors.Is(err, pieces.ErrCorrupt) {
				t.Errorf("piece of the damaged log: %v", err)
			}
		})
	}
}
