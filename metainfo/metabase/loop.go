package metabase

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/pieces"
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
		return table.Scan(tx, placeRange(from, end), func(k segmentKey, row *segmentRow) (bool, error) {
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

// PageBuffer holds a page of segments in memory that the next page uses again. The zero value is ready; it is used by
// one goroutine.
type PageBuffer struct {
	Segments []metainfo.Segment // valid, with their slices, until the next ReadPage
	// Unreadable counts rows of the page that could not be decoded: they are left out of Segments.
	Unreadable int

	raw    []byte
	pieces []metainfo.Piece
	row    segmentRow // being decoded
}

// ReadPage is SegmentPage without its allocations, for passes over everything: rows that cannot be decoded are counted
// and passed over. It is one transaction. limit is a bound on rows.
func (db *DB) ReadPage(
	ctx context.Context, from SegmentPlace, end metainfo.StreamID, limit int, page *PageBuffer,
) (next SegmentPlace, more bool, err error) {
	err = db.view(ctx, "read segments", func(tx kv.Tx) error {
		page.Segments, page.raw, page.pieces, page.Unreadable = page.Segments[:0], page.raw[:0], page.pieces[:0], 0
		next, more = SegmentPlace{}, false
		return kv.Scan(tx, placeRange(from, end), func(stored, value []byte) (bool, error) {
			key, err := tables{}.segments().ParseKey(stored)
			if err != nil {
				page.Unreadable++
				return true, nil
			}
			if len(page.Segments)+page.Unreadable == limit {
				next, more = SegmentPlace{key.stream, key.position}, true
				return false, nil
			}
			if page.add(key, value) != nil {
				page.Unreadable++
			}
			return true, nil
		})
	})
	return next, more, err
}

// placeRange is the rows at from and behind it, before the stream end (zero: to the last).
func placeRange(from SegmentPlace, end metainfo.StreamID) kv.Range {
	table := tables{}.segments()
	r := table.All()
	r.Start = table.Key(nil, segmentKey{from.Stream, from.Position})
	if !end.IsZero() {
		r.End = table.Key(nil, segmentKey{stream: end})
	}
	return r
}

// add decodes a row. When the memory below grows, what was decoded before keeps the old one.
func (p *PageBuffer) add(key segmentKey, value []byte) error {
	at := len(p.raw)
	p.raw = append(p.raw, value...)
	row := &p.row
	*row = segmentRow{}
	if err := wire.Unmarshal(p.raw[at:len(p.raw):len(p.raw)], row); err != nil {
		return err
	}
	first := len(p.pieces)
	list, err := appendPieces(p.pieces, row.packed)
	if err != nil {
		return err
	}
	p.pieces = list
	row.Stream, row.Position = key.stream, key.position
	if len(list) > first {
		row.Pieces = list[first:len(list):len(list)]
	}
	p.Segments = append(p.Segments, row.Segment)
	return nil
}

// appendPieces is unpackPieces into memory that is there.
func appendPieces(dst []metainfo.Piece, packed []byte) ([]metainfo.Piece, error) {
	for next := uint64(0); len(packed) > 0; {
		gap, n := binary.Uvarint(packed)
		if n <= 0 || gap >= ecenc.MaxTotal || next+gap >= ecenc.MaxTotal {
			return nil, wire.ErrMalformed
		}
		alias, m := binary.Uvarint(packed[n:])
		if m <= 0 || alias > 1<<32-1 {
			return nil, wire.ErrMalformed
		}
		packed = packed[n+m:]
		dst = append(dst, metainfo.Piece{Number: int(next + gap), Alias: metainfo.NodeAlias(alias)})
		next += gap + 1
	}
	return dst, nil
}

// countPage is how many keys CountSegments walks in one transaction.
const countPage = 20_000

// CountSegments counts the rows of segments by their keys alone: another way to the number that a pass over all of them
// should see. It is many transactions.
func (db *DB) CountSegments(ctx context.Context) (count int64, err error) {
	r := tables{}.segments().All()
	for more := true; more && err == nil; {
		var next []byte
		walked := int64(0)
		err = db.view(ctx, "count segments", func(tx kv.Tx) error {
			next, walked = nil, 0
			return kv.Scan(tx, r, func(key, _ []byte) (bool, error) {
				if walked == countPage {
					next = bytes.Clone(key)
					return false, nil
				}
				walked++
				return true, nil
			})
		})
		count += walked
		r.Start, more = next, next != nil
	}
	return count, err
}

// LiveSegment is Segment for background work. Errors: metainfo.ErrObjectNotFound if it is gone, or of a stream whose object is deleted.
func (db *DB) LiveSegment(ctx context.Context, at SegmentPlace) (s metainfo.Segment, err error) {
	err = db.view(ctx, "get segment", func(tx kv.Tx) error {
		key := segmentKey{at.Stream, at.Position}
		row, err := tables{}.segments().Get(tx, key)
		if err != nil {
			return orElse(err, metainfo.ErrObjectNotFound)
		}
		dead, err := tables{}.dead().Has(tx, at.Stream)
		if err == nil && dead {
			err = metainfo.ErrObjectNotFound
		}
		if err != nil {
			return err
		}
		s, err = row.segment(key)
		return err
	})
	return s, err
}

// Rewritten is a segment stored anew under another root and scheme; its ciphertext is the same.
type Rewritten struct {
	Root       pieces.PieceID
	Redundancy ecenc.Redundancy // with ShareSize
	Pieces     []metainfo.Piece // ascending Number
	Repaired   time.Time
}

// ReplaceSegment gives a segment another root, scheme and pieces if it still has the root and the pieces that the caller
// saw. Copies of it have rows of their own, which stay as they are.
//
// Errors: metainfo.ErrObjectNotFound if the segment is gone, metainfo.ErrObjectChanged if it is another,
// metainfo.ErrSegment if the new one makes no sense.
func (db *DB) ReplaceSegment(ctx context.Context, at SegmentPlace, saw *metainfo.Segment, with Rewritten) error {
	if with.Redundancy.Validate() != nil || with.Redundancy.ShareSize == 0 || with.Root.IsZero() ||
		!fits(with.Pieces, with.Redundancy) {
		return metainfo.ErrSegment
	}
	return db.update(ctx, "replace segment", func(tx kv.Tx) error {
		key := segmentKey{at.Stream, at.Position}
		row, err := tables{}.segments().Get(tx, key)
		if err != nil {
			return orElse(err, metainfo.ErrObjectNotFound)
		}
		if row.Root != saw.Root || !bytes.Equal(row.packed, packPieces(saw.Pieces)) {
			return metainfo.ErrObjectChanged
		}
		row.Root, row.Redundancy, row.packed = with.Root, with.Redundancy, packPieces(with.Pieces)
		row.Repaired = with.Repaired
		return tables{}.segments().Put(tx, key, &row)
	})
}

// fits says whether pieces ascend within a scheme and rebuild a segment.
func fits(list []metainfo.Piece, r ecenc.Redundancy) bool {
	for i, p := range list {
		if p.Number < 0 || p.Number >= r.Total || i > 0 && p.Number <= list[i-1].Number {
			return false
		}
	}
	return len(list) >= r.Required
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
		if err := logCopy(tx, at.Stream, now()); err != nil { // a node may have had the piece, of a copy
			return err
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

// BucketTotals adds up all versions of objects, by bucket, in order; buckets without any are left out. Parts of uploads in
// parts are counted too, but not as objects, as delete markers are not. It is many transactions: what comes or goes
// meanwhile may or may not be counted. Expired objects that are not yet deleted are.
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
				page = addTotal(page, totalOf(k, row))
				return true, nil
			})
		})
		r.Start = next
		for _, t := range page {
			list = addTotal(list, t)
		}
	}
	if err != nil {
		return nil, err
	}
	return db.addPending(ctx, list)
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
