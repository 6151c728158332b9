package metabase

import (
	"context"
	"slices"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// SegmentPlace is a place in the order of all segments: by stream, then position.
type SegmentPlace struct {
	Stream   metainfo.StreamID
	Position metainfo.Position
}

// SegmentPage returns up to limit segments of all objects and uploads, at from or after it and before the stream end
// (zero: to the last), in order. The next page starts at Next; more is false when there is none.
//
// A pass over all is many pages: a segment may come or go between them. Segments of dead streams are among them.
func (db *DB) SegmentPage(ctx context.Context, from SegmentPlace, end metainfo.StreamID, limit int) (
	page []metainfo.Segment, next SegmentPlace, more bool, err error,
) {
	err = db.view(ctx, "read segments", func(tx kv.Tx) error {
		page, next, more = make([]metainfo.Segment, 0, limit), SegmentPlace{}, false
		table := tables{}.segments()
		r := table.All()
		r.Start = table.Key(nil, segmentKey{from.Stream, from.Position})
		if !end.IsZero() {
			r.End = table.Key(nil, segmentKey{stream: end})
		}
		return table.Scan(tx, r, func(k segmentKey, row *segmentRow) (bool, error) {
			if len(page) == limit {
				next, more = SegmentPlace{k.stream, k.position}, true
				return false, nil
			}
			s, err := row.segment(k)
			page = append(page, s)
			return true, err
		})
	})
	return page, next, more, err
}

// ReplacePieces gives a segment other pieces if it still has those that the caller saw; repaired is kept unless zero.
//
// Errors: metainfo.ErrObjectNotFound if the segment is gone, metainfo.ErrObjectChanged if its pieces are others,
// metainfo.ErrSegment if the new ones are not ascending.
func (db *DB) ReplacePieces(
	ctx context.Context, at SegmentPlace, saw, with []metainfo.Piece, repaired time.Time,
) error {
	ascending := true
	for i := 1; i < len(with); i++ {
		ascending = ascending && with[i-1].Number < with[i].Number
	}
	return db.update(ctx, "replace pieces", func(tx kv.Tx) error {
		key := segmentKey{at.Stream, at.Position}
		row, err := tables{}.segments().Get(tx, key)
		if err != nil {
			return orElse(err, metainfo.ErrObjectNotFound)
		}
		if !slices.Equal(row.packed, packPieces(saw)) {
			return metainfo.ErrObjectChanged
		}
		total := row.Redundancy.Total
		if !ascending || len(with) == 0 || with[0].Number < 0 || with[len(with)-1].Number >= total {
			return metainfo.ErrSegment
		}
		row.packed = packPieces(with)
		if !repaired.IsZero() {
			row.Repaired = repaired
		}
		return tables{}.segments().Put(tx, key, &row)
	})
}

// BucketTotal is what a bucket holds.
type BucketTotal struct {
	Project       metainfo.ProjectID
	Bucket        string
	Objects       int64
	Segments      int64
	PlainSize     int64 // bytes
	EncryptedSize int64
}

// totalsPage is how many objects BucketTotals reads in one transaction.
const totalsPage = 10_000

// BucketTotals adds up all objects, by bucket, in order; buckets without objects are left out. It is many
// transactions: objects that come or go meanwhile may or may not be counted. Expired objects that are not yet deleted
// are.
func (db *DB) BucketTotals(ctx context.Context) (list []BucketTotal, err error) {
	table := tables{}.objects()
	r := table.All()
	for more := true; more && err == nil; {
		var page []BucketTotal
		var next []byte
		err = db.view(ctx, "add up buckets", func(tx kv.Tx) error {
			page, next, more = nil, nil, false
			count := 0
			return table.Scan(tx, r, func(k objectKey, row *objectRow) (bool, error) {
				if count == totalsPage {
					next, more = table.Key(nil, k), true
					return false, nil
				}
				count++
				page = addTotal(page, BucketTotal{
					k.ref.Project, k.ref.Bucket, 1, int64(row.Segments), row.PlainSize, row.EncryptedSize,
				})
				return true, nil
			})
		})
		r.Start = next
		for _, t := range page {
			list = addTotal(list, t)
		}
	}
	return list, err
}

// addTotal adds t to the last of the list if that is of the same bucket.
func addTotal(list []BucketTotal, t BucketTotal) []BucketTotal {
	if n := len(list); n > 0 && list[n-1].Project == t.Project && list[n-1].Bucket == t.Bucket {
		sum := &list[n-1]
		sum.Objects += t.Objects
		sum.Segments += t.Segments
		sum.PlainSize += t.PlainSize
		sum.EncryptedSize += t.EncryptedSize
		return list
	}
	return append(list, t)
}

// Counts is how many rows the small tables have.
type Counts struct {
	Projects, Buckets, Uploads, Dead, Nodes int
}

// Counts counts rows. It walks them: for pages and metrics, not for each request.
func (db *DB) Counts(ctx context.Context) (c Counts, err error) {
	err = db.view(ctx, "count", func(tx kv.Tx) error {
		c = Counts{}
		for _, count := range []struct {
			rows kv.Range
			n    *int
		}{
			{tables{}.projects().All(), &c.Projects},
			{tables{}.buckets().All(), &c.Buckets},
			{tables{}.uploads().All(), &c.Uploads},
			{tables{}.dead().All(), &c.Dead},
			{tables{}.nodes().All(), &c.Nodes},
		} {
			err := kv.Scan(tx, count.rows, func(_, _ []byte) (bool, error) {
				*count.n++
				return true, nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return c, err
}
