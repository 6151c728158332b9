package metabase

import (
	"context"
	"time"

	"storj/metainfo/kv"
)

// pruneRows is how many revocations one transaction of PruneRevocations looks at.
const pruneRows = 1000

// RevokeTail ends every API key whose chain of caveats has this tail. until is when the last of them ends by itself;
// zero: never. It may be repeated; the first time stands.
func (db *DB) RevokeTail(ctx context.Context, tail [32]byte, at, until time.Time) error {
	return db.update(ctx, "revoke tail", func(tx kv.Tx) error {
		done, err := tables{}.revocations().Has(tx, tail)
		if err != nil || done {
			return err
		}
		return tables{}.revocations().Put(tx, tail, &timeRow{at: at, until: until})
	})
}

// PruneRevocations forgets revocations of keys that ended by themselves before a time, and says how many. It reads all
// revocations, some in each transaction.
func (db *DB) PruneRevocations(ctx context.Context, before time.Time) (removed int, err error) {
	table := tables{}.revocations()
	r := table.All()
	for more := true; more && err == nil && ctx.Err() == nil; {
		var next []byte
		var dropped int
		err = db.update(ctx, "prune revocations", func(tx kv.Tx) error {
			seen := 0
			dropped, next, more = 0, nil, false
			return table.Scan(tx, r, func(tail hash, row *timeRow) (bool, error) {
				if seen == pruneRows {
					next, more = table.Key(nil, tail), true
					return false, nil
				}
				seen++
				if row.until.IsZero() || !row.until.Before(before) {
					return true, nil
				}
				dropped++
				return true, table.Delete(tx, tail)
			})
		})
		r.Start = next
		removed += dropped
	}
	return removed, err
}
