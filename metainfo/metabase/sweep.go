package metabase

import (
	"context"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// partsIdle is how much longer than others uploads in parts may be idle: 7 days where others may for MaxUploadAge.
const partsIdle = 7*24*time.Hour - metainfo.MaxUploadAge

// DeleteExpiredBatch deletes some of the versions that have expired at an instant, returns how many, and whether there are more.
// One that is locked stays.
func (db *DB) DeleteExpiredBatch(ctx context.Context, at time.Time) (deleted int, more bool, err error) {
	err = db.update(ctx, "delete expired", func(tx kv.Tx) error {
		deleted, more = 0, false
		table, b := tables{}.expiries(), db.jobBudget()
		r := table.All()
		r.End = table.Key(nil, timedKey{nanos: nanosOf(at) + 1}) // what expires at an instant is gone at it
		return table.Scan(tx, r, func(k timedKey, ref *refRow) (bool, error) {
			if more = b.spent(); more {
				return false, nil
			}
			b.rows--
			row, err := getVersion(tx, &ref.ObjectRef, ref.Version)
			if err != nil {
				return false, err
			}
			if row == nil || row.Stream != k.stream { // cannot be; the row would only stay for ever
				return true, table.Delete(tx, k)
			}
			if row.locked(at, false) { // cannot be either: no protection outlives an expiry
				return true, nil
			}
			deleted++
			return true, deleteVersion(tx, &ref.ObjectRef, row, at, b)
		})
	})
	return deleted, more, err
}

// zombieBatch is how many uploads one transaction of DeleteZombies ends.
const zombieBatch = 500

// DeleteZombies ends the uploads without activity since the given time, those in parts without any in the five days
// before it either, and attempts at parts of uploads that have ended; SweepDead removes their segments. It is some
// transactions, after a look at all.
func (db *DB) DeleteZombies(ctx context.Context, since time.Time) (deleted int, err error) {
	var idle []metainfo.StreamID
	err = db.view(ctx, "list zombies", func(tx kv.Tx) error {
		idle = nil
		table := tables{}.uploads()
		return table.Scan(tx, table.All(), func(stream streamKey, row *uploadRow) (bool, error) {
			zombie, err := row.zombie(tx, since)
			if zombie {
				idle = append(idle, stream)
			}
			return true, err
		})
	})
	for err == nil && len(idle) > 0 {
		batch := idle[:min(len(idle), zombieBatch)]
		idle = idle[len(batch):]
		ended := 0
		err = db.update(ctx, "delete zombies", func(tx kv.Tx) error {
			ended = 0
			for _, stream := range batch {
				row, found, err := getUpload(tx, stream)
				if err != nil {
					return err
				}
				zombie := false
				if found {
					zombie, err = row.zombie(tx, since)
				}
				if err == nil && zombie {
					ended++
					err = killUpload(tx, stream, &row, now())
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			deleted += ended
		}
	}
	return deleted, err
}

func (r *uploadRow) zombie(tx kv.Tx, since time.Time) (bool, error) {
	switch r.kind {
	case uploadInParts:
		return r.activity.Before(since.Add(-partsIdle)), nil
	case partAttempt:
		if parent, err := (tables{}).uploads().Has(tx, r.parent); err != nil || !parent {
			return true, err
		}
	}
	return r.activity.Before(since), nil
}

// SweepDead removes some rows of dead streams, returns how many, and whether there may be more.
func (db *DB) SweepDead(ctx context.Context) (removed int, more bool, err error) {
	err = db.update(ctx, "sweep dead", func(tx kv.Tx) error {
		at, b := now(), db.sweepBudget()
		rows := b.rows
		more = false
		spawned := false // streams of parts became dead, perhaps before the cursor
		dead := tables{}.dead()
		err := dead.Scan(tx, dead.All(), func(stream streamKey, died *timeRow) (bool, error) {
			if more = b.spent(); more {
				return false, nil
			}
			done, parts, err := sweepStream(tx, stream, b)
			spawned = spawned || parts
			if err != nil || !done {
				more = !done
				return false, err
			}
			b.rows--
			if !died.at.IsZero() && died.at.After(at.Add(-2*endedPeriod)) {
				if err := end(tx, stream, died.at); err != nil {
					return false, err
				}
			}
			return true, dead.Delete(tx, stream)
		})
		removed, more = rows-b.rows, more || spawned
		return err
	})
	return removed, more, err
}

// sweepStream removes parts and segments of a dead stream and says whether that was all. Streams of parts become dead
// themselves, which spawned says.
func sweepStream(tx kv.Tx, stream metainfo.StreamID, b *budget) (done, spawned bool, err error) {
	done = true
	table := tables{}.parts()
	err = table.Scan(tx, table.Prefix(stream[:]), func(k partKey, row *partRow) (bool, error) {
		if done = !b.spent(); !done {
			return false, nil
		}
		b.rows--
		if row.stream != stream {
			b.rows--
			spawned = true
			if err := kill(tx, row.stream, time.Time{}); err != nil { // its upload has ended: that is enough
				return false, err
			}
		}
		return true, table.Delete(tx, k)
	})
	if err != nil || !done {
		return false, spawned, err
	}
	if err := (tables{}).partIndex().Delete(tx, stream); err != nil {
		return false, spawned, err
	}
	err = kv.Scan(tx, tables{}.segments().Prefix(stream[:]), func(key, _ []byte) (bool, error) {
		if done = !b.spent(); !done {
			return false, nil
		}
		b.rows--
		return true, tx.Delete(key)
	})
	return done, spawned, err
}
