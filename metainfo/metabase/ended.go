package metabase

import (
	"context"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// endedPeriod is how long a stream that ended is looked for in one range of keys: three are looked at, so its name is
// known for at least two periods, longer than any token of it is good.
const endedPeriod = (metainfo.MaxUploadAge + 2*time.Hour) / 2

func periodOf(at time.Time) uint32 { return uint32(max(at.Unix(), 0) / int64(endedPeriod/time.Second)) }

// end writes down that no call with this stream may make anything any more.
func end(tx kv.Tx, stream metainfo.StreamID, at time.Time) error {
	return tables{}.ended().Put(tx, endedKey{periodOf(at), stream}, &emptyRow{})
}

// isEnded says whether a stream has ended lately. A clock that went back is looked ahead of.
func isEnded(tx kv.Tx, stream metainfo.StreamID, at time.Time) (bool, error) {
	period := periodOf(at)
	for _, p := range [...]uint32{period, period - 1, period - 2, period + 1} {
		if ended, err := (tables{}).ended().Has(tx, endedKey{p, stream}); err != nil || ended {
			return ended, err
		}
	}
	return false, nil
}

// checkOpen returns metainfo.ErrUpload for a stream that ended, or that has segment rows although it is not pending:
// they belong to an object, or are dead.
func checkOpen(tx kv.Tx, stream metainfo.StreamID, at time.Time) error {
	ended, err := isEnded(tx, stream, at)
	if err == nil && !ended {
		ended, err = tables{}.dead().Has(tx, stream)
	}
	if err != nil {
		return err
	}
	if ended {
		return metainfo.ErrUpload
	}
	c := tx.Cursor(tables{}.segments().Prefix(stream[:]))
	defer c.Close()
	if c.Next() {
		return metainfo.ErrUpload
	}
	return c.Err()
}

// SweepEnded forgets streams that ended so long ago that no token of theirs is good, some at a time, and says how many.
func (db *DB) SweepEnded(ctx context.Context) (removed int, err error) {
	table := tables{}.ended()
	for more := true; more && err == nil; {
		count := 0
		err = db.update(ctx, "sweep ended", func(tx kv.Tx) error {
			count, more = 0, false
			r := table.All()
			r.End = table.Key(nil, endedKey{period: max(periodOf(now()), 2) - 2})
			return kv.Scan(tx, r, func(key, _ []byte) (bool, error) {
				if more = count == maxBatchRows; more {
					return false, nil
				}
				count++
				return true, tx.Delete(key)
			})
		})
		if err == nil {
			removed += count
		}
	}
	return removed, err
}
