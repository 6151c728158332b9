package care

import (
	"context"
	"errors"
	"fmt"

	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/metabase"
)

// checkPage is how many segments Check reads in one transaction.
const checkPage = 2500

// Checker looks at the tables of one service.
type Checker func(ctx context.Context) error

// Check cross-checks all tables: those of metabase, that each piece is on a node that is known, those of this package, and
// more, by name. It reads everything. It returns what it found, joined; nil if all is well.
func Check(ctx context.Context, db *metabase.DB, more map[string]Checker) error {
	errs := []error{db.Check(ctx), checkAliases(ctx, db), checkTables(ctx, db.Store())}
	for name, check := range more {
		if err := check(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// checkAliases looks for pieces on nodes that the database does not know.
func checkAliases(ctx context.Context, db *metabase.DB) error {
	known := make(map[metainfo.NodeAlias]bool)
	var faults []error
	var at metabase.SegmentPlace
	for more := true; more; {
		page, next, again, err := db.SegmentPage(ctx, at, metainfo.StreamID{}, checkPage)
		if err != nil {
			return err
		}
		for i := range page {
			for _, piece := range page[i].Pieces {
				if known[piece.Alias] {
					continue
				}
				known[piece.Alias] = true
				if _, err := db.NodeIDs(ctx, []metainfo.NodeAlias{piece.Alias}); err != nil {
					faults = append(faults, fmt.Errorf("%w: segment %s of stream %s has a piece on node %d: %w",
						kv.ErrCorrupt, page[i].Position, page[i].Stream, piece.Alias, err))
				}
			}
		}
		at, more = next, again
	}
	return errors.Join(faults[:min(len(faults), maxFaults)]...)
}

// maxFaults is how many faults of one kind are reported.
const maxFaults = 20

// checkTables reads the rows of this package.
func checkTables(ctx context.Context, store kv.Store) error {
	return store.View(ctx, func(tx kv.Tx) error {
		var errs []error
		_, err := restoredTable().Get(tx, struct{}{})
		errs = append(errs, err)
		_, err = clockTable().Get(tx, struct{}{})
		errs = append(errs, err)
		_, err = backupTable().Get(tx, struct{}{})
		errs = append(errs, err)
		for i, err := range errs {
			if errors.Is(err, kv.ErrNotFound) {
				errs[i] = nil
			}
		}
		return errors.Join(errs...)
	})
}
