package metabase

import (
	"context"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

const (
	// copiesPage is how many streams one transaction of CopiedStreams reads, or of PruneCopies removes.
	copiesPage = 5000
	// copiesMargin is how much earlier than asked for CopiedStreams begins: a copy is logged with the time at which its
	// transaction began, and can be seen when it ends.
	copiesMargin = 10 * time.Minute
)

// logCopy writes down that segments of a stream were written that may be old, in the transaction that writes them.
func logCopy(tx kv.Tx, stream metainfo.StreamID, at time.Time) error {
	return tables{}.copies().Put(tx, timedKey{nanosOf(at), stream}, &emptyRow{})
}

// CopiedStreams calls fn for each stream that CopyObject wrote segments of since a time, and a little before; for some
// more than once. All segments of such a stream, and of no other, are its positions. fn runs outside of transactions. The
// first error of fn ends it.
func (db *DB) CopiedStreams(ctx context.Context, since time.Time, fn func(metainfo.StreamID) error) error {
	table := tables{}.copies()
	r := table.All()
	r.Start = table.Key(nil, timedKey{nanos: nanosOf(since.Add(-copiesMargin))})
	for more := true; more; {
		var page []timedKey
		err := db.view(ctx, "list copies", func(tx kv.Tx) error {
			page, more = page[:0], false
			return kv.Scan(tx, r, func(stored, _ []byte) (bool, error) {
				if more = len(page) == copiesPage; more {
					return false, nil
				}
				key, err := table.ParseKey(stored)
				page = append(page, key)
				return true, err
			})
		})
		if err != nil {
			return err
		}
		for _, key := range page {
			if err := fn(key.stream); err != nil {
				return err
			}
		}
		if more {
			r.Start = append(table.Key(nil, page[len(page)-1]), 0)
		}
	}
	return nil
}

// PruneCopies forgets copies made before a time, some at a time, until there are none.
func (db *DB) PruneCopies(ctx context.Context, before time.Time) error {
	table := tables{}.copies()
	r := table.All()
	r.End = table.Key(nil, timedKey{nanos: nanosOf(before)})
	for more := true; more; {
		err := db.update(ctx, "prune copies", func(tx kv.Tx) error {
			more = false
			count := 0
			return kv.Scan(tx, r, func(key, _ []byte) (bool, error) {
				if more = count == copiesPage; more {
					return false, nil
				}
				count++
				return true, tx.Delete(key)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
