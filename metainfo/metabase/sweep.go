package metabase

import (
	"context"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// DeleteExpiredBatch deletes some of the objects that expired before at, returns how many, and whether there are more.
func (db *DB) DeleteExpiredBatch(ctx context.Context, at time.Time) (deleted int, more bool, err error) {
	err = db.update(ctx, "delete expired", func(tx kv.Tx) error {
		deleted, more = 0, false
		table, b := tables{}.expiries(), newBudget()
		r := table.All()
		r.End = table.Key(nil, expiryKey{nanos: uint64(max(at.UnixNano(), 0))})
		return table.Scan(tx, r, func(k expiryKey, ref *refRow) (bool, error) {
			if b.spent() {
				more = true
				return false, nil
			}
			b.rows--
			key, row, found, err := latest(tx, ref.ObjectRef)
			if err != nil {
				return false, err
			}
			if !found || row.Stream != k.stream { // cannot be; the row would only stay for ever
				return true, table.Delete(tx, k)
			}
			deleted++
			return true, deleteObject(tx, key, &row, b)
		})
	})
	return deleted, more, err
}

// DeleteZombies ends the uploads without activity since the given time; SweepDead removes their segments. It is one
// transaction for each, after a look at all.
func (db *DB) DeleteZombies(ctx context.Context, since time.Time) (deleted int, err error) {
	var idle []metainfo.StreamID
	err = db.view(ctx, "list zombies", func(tx kv.Tx) error {
		idle = nil
		table := tables{}.uploads()
		return table.Scan(tx, table.All(), func(stream streamKey, row *uploadRow) (bool, error) {
			if row.activity.Before(since) {
				idle = append(idle, stream)
			}
			return true, nil
		})
	})
	for _, stream := range idle {
		if err != nil {
			break
		}
		ended := false
		err = db.update(ctx, "delete zombie", func(tx kv.Tx) error {
			row, found, err := getUpload(tx, stream)
			if ended = err == nil && found && row.activity.Before(since); !ended {
				return err
			}
			return killUpload(tx, stream)
		})
		if err == nil && ended {
			deleted++
		}
	}
	return deleted, err
}

// SweepDead removes some rows of dead streams, returns how many, and whether there may be more.
func (db *DB) SweepDead(ctx context.Context) (removed int, more bool, err error) {
	err = db.update(ctx, "sweep dead", func(tx kv.Tx) error {
		more = false
		b := newBudget()
		dead := tables{}.dead()
		err := dead.Scan(tx, dead.All(), func(stream streamKey, _ *emptyRow) (bool, error) {
			if more = b.spent(); more {
				return false, nil
			}
			err := kv.Scan(tx, tables{}.segments().Prefix(stream[:]), func(key, _ []byte) (bool, error) {
				if b.spent() {
					more = true
					return false, nil
				}
				b.rows--
				return true, tx.Delete(key)
			})
			if err != nil || more {
				return false, err
			}
			if err := (tables{}).parts().Delete(tx, stream); err != nil {
				return false, err
			}
			b.rows--
			return true, dead.Delete(tx, stream)
		})
		removed = maxBatchRows - b.rows
		return err
	})
	return removed, more, err
}
