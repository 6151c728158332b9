package metabase

import (
	"context"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// copiedPage is how many segments CopiedSegments hands over at a time.
const copiedPage = 1000

// CopiedSegments calls fn for all segments of the streams that CopiedStreams names, as they are at one instant: what a
// pass over all segments that has just ended may have missed, because copies carry pieces from where it had not been yet
// to where it had been already.
//
// It is one transaction, and fn runs in it: it must not use the DB. The segments and their slices are fn's during the call.
// The first error of fn ends it.
func (db *DB) CopiedSegments(ctx context.Context, since time.Time, fn func([]metainfo.Segment) error) error {
	return db.view(ctx, "read copied segments", func(tx kv.Tx) error {
		c := copied{fn: fn, page: make([]metainfo.Segment, 0, copiedPage)}
		seen := make(map[streamKey]bool)
		table := tables{}.copies()
		r := table.All()
		r.Start = table.Key(nil, timedKey{nanos: nanosOf(since.Add(-copiesMargin))})
		err := kv.Scan(tx, r, func(stored, _ []byte) (bool, error) {
			key, err := table.ParseKey(stored)
			if err != nil || seen[key.stream] {
				return err == nil, err
			}
			seen[key.stream] = true
			return true, c.stream(tx, key.stream)
		})
		if err != nil {
			return err
		}
		return c.flush()
	})
}

// copied collects segments.
type copied struct {
	fn   func([]metainfo.Segment) error
	page []metainfo.Segment
}

func (c *copied) stream(tx kv.Tx, stream streamKey) error {
	table := tables{}.segments()
	return table.Scan(tx, table.Prefix(stream[:]), func(k segmentKey, row *segmentRow) (bool, error) {
		s, err := row.segment(k)
		if err != nil {
			return false, err
		}
		c.page = append(c.page, s)
		if len(c.page) == copiedPage {
			err = c.flush()
		}
		return err == nil, err
	})
}

func (c *copied) flush() error {
	page := c.page
	c.page = c.page[:0]
	if len(page) == 0 {
		return nil
	}
	return c.fn(page)
}
