package metabase

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// PlacedSegment is a segment with its place in the object.
type PlacedSegment struct {
	metainfo.Segment
	Offset int64 // of its plaintext in the object, bytes
}

// Download is an object with the first segments of a range of it.
type Download struct {
	Object   metainfo.Object
	Offset   int64 // the range, resolved: plaintext bytes
	Length   int64
	Segments []PlacedSegment
	More     bool // the range has more segments
}

// Download returns an object's record and up to limit segments which hold a range of its plaintext, of one snapshot.
// A negative offset counts from the end, a negative length means to the end, length 0 the record only.
//
// Errors: metainfo.ErrBucketNotFound, metainfo.ErrObjectNotFound, metainfo.ErrDeleteMarker, metainfo.ErrRange.
func (db *DB) Download(ctx context.Context, ref ObjectRef, offset, length int64, limit int) (d Download, err error) {
	err = db.view(ctx, "download", func(tx kv.Tx) error {
		row, err := find(tx, &ref, now())
		if err != nil {
			return err
		}
		d = Download{Object: row.Object}
		if length == 0 {
			return nil
		}
		if d.Offset, d.Length, err = resolve(row.PlainSize, offset, length); err != nil || d.Length == 0 {
			return err
		}
		d.Segments, d.More, err = segmentRange(tx, row.Stream, row.Parts > 0, d.Offset, d.Length, limit)
		return err
	})
	return d, err
}

// resolve turns a range as it was asked for into one that lies in the object. An empty object has the empty range.
func resolve(size, offset, length int64) (from, count int64, err error) {
	if offset < 0 {
		offset = max(size+offset, 0)
	}
	if offset > size || offset == size && size > 0 {
		return 0, 0, metainfo.ErrRange
	}
	if length < 0 || length > size-offset {
		length = size - offset
	}
	return offset, length, nil
}

// Segments returns up to limit segments which hold a range of the plaintext of an object's stream, and whether there are
// more. Those of parts are of other streams.
//
// Errors: metainfo.ErrObjectNotFound if the stream is gone.
func (db *DB) Segments(ctx context.Context, stream metainfo.StreamID, offset, length int64, limit int) (
	list []PlacedSegment, more bool, err error,
) {
	err = db.view(ctx, "get segments", func(tx kv.Tx) (err error) {
		parts, err := hasParts(tx, stream)
		if err != nil {
			return err
		}
		list, more, err = segmentRange(tx, stream, parts, offset, length, limit)
		return err
	})
	return list, more, err
}

// Segment returns one segment. Errors: metainfo.ErrObjectNotFound.
func (db *DB) Segment(ctx context.Context, stream metainfo.StreamID, position metainfo.Position) (
	s metainfo.Segment, err error,
) {
	err = db.view(ctx, "get segment", func(tx kv.Tx) error {
		key := segmentKey{stream, position}
		row, err := tables{}.segments().Get(tx, key)
		if err != nil {
			return orElse(err, metainfo.ErrObjectNotFound)
		}
		s, err = row.segment(key)
		return err
	})
	return s, err
}

// segmentRange reads the segments from the one that holds offset on. parts says that the stream is of an object in parts.
func segmentRange(tx kv.Tx, stream metainfo.StreamID, parts bool, offset, length int64, limit int) (
	[]PlacedSegment, bool, error,
) {
	r := rangeReader{tx: tx, offset: offset, length: length, limit: limit}
	var err error
	if parts {
		err = r.parts(stream)
	} else {
		_, err = r.part(stream, 0, math.MaxUint32, 0)
	}
	if err == nil && len(r.list) == 0 && !r.more && length > 0 {
		err = metainfo.ErrObjectNotFound
	}
	return r.list, r.more, err
}

// rangeReader collects the segments of a range.
type rangeReader struct {
	tx             kv.Tx
	offset, length int64 // in the object
	limit          int

	list []PlacedSegment
	more bool
}

// parts reads from the parts of an object that the range touches.
func (r *rangeReader) parts(stream metainfo.StreamID) error {
	index, err := partIndexOf(r.tx, stream)
	if err != nil {
		return err
	}
	first := partPlace{}
	for _, place := range index.places {
		if place.start <= r.offset {
			first = place
		}
	}
	table := tables{}.parts()
	rows := table.Prefix(stream[:])
	rows.Start = table.Key(nil, partKey{stream, first.number})
	start := first.start
	return table.Scan(r.tx, rows, func(k partKey, row *partRow) (bool, error) {
		more := start-r.offset < r.length
		if more && start+row.plainSize > r.offset {
			if more, err = r.part(row.stream, k.number, row.segments, start); err != nil {
				return false, err
			}
		}
		start += row.plainSize
		return more, nil
	})
}

// part reads from one part, which starts at start in the object, and says whether the range goes on behind it. A count of
// segments of math.MaxUint32 is one that is not known.
func (r *rangeReader) part(stream metainfo.StreamID, number, segments uint32, start int64) (goesOn bool, err error) {
	index, err := findIndex(r.tx, stream, number, segments, r.offset-start)
	if err != nil {
		return false, err
	}
	table := tables{}.segments()
	rows := table.Prefix(kv.AppendUint32(append(make([]byte, 0, 20), stream[:]...), number))
	rows.Start = table.Key(nil, segmentKey{stream, metainfo.Position{Part: number, Index: index}})
	goesOn = true
	err = table.Scan(r.tx, rows, func(k segmentKey, row *segmentRow) (bool, error) {
		place := start + row.PlainOffset
		if place-r.offset >= r.length {
			goesOn = false
			return false, nil
		}
		if len(r.list) == r.limit {
			r.more, goesOn = true, false
			return false, nil
		}
		s, err := row.segment(k)
		r.list = append(r.list, PlacedSegment{s, place})
		return true, err
	})
	return goesOn, err
}

// findIndex returns the index of the last segment of a part whose plain offset is at most offset, by bisection: an
// object of a terabyte takes 14 reads.
func findIndex(tx kv.Tx, stream metainfo.StreamID, number, count uint32, offset int64) (uint32, error) {
	if offset <= 0 {
		return 0, nil
	}
	if count == math.MaxUint32 {
		last, err := lastIndex(tx, stream, number)
		if err != nil {
			return 0, err
		}
		count = last + 1
	}
	low, high := uint32(0), count-1 // the answer lies in [low, high]
	for low < high {
		middle := high - (high-low)/2
		row, err := tables{}.segments().Get(tx, segmentKey{stream, metainfo.Position{Part: number, Index: middle}})
		if errors.Is(err, kv.ErrNotFound) {
			return 0, fmt.Errorf("%w: stream %s lacks a segment", kv.ErrCorrupt, stream)
		}
		if err != nil {
			return 0, err
		}
		if row.PlainOffset <= offset {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low, nil
}

// lastIndex is the index of the last segment of a part. Errors: metainfo.ErrObjectNotFound.
func lastIndex(tx kv.Tx, stream metainfo.StreamID, number uint32) (uint32, error) {
	table := tables{}.segments()
	r := table.Prefix(slices.Concat(stream[:], kv.AppendUint32(nil, number)))
	r.Reverse = true
	rows := table.Rows(tx, r)
	defer rows.Close()
	if !rows.Next() {
		return 0, errors.Join(rows.Err(), metainfo.ErrObjectNotFound)
	}
	key, err := rows.RowKey()
	return key.position.Index, err
}
