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
// Errors: metainfo.ErrBucketNotFound, metainfo.ErrObjectNotFound, metainfo.ErrRange.
func (db *DB) Download(ctx context.Context, ref ObjectRef, offset, length int64, limit int) (d Download, err error) {
	err = db.view(ctx, "download", func(tx kv.Tx) error {
		_, row, err := live(tx, ref, now())
		if err != nil {
			return missing(tx, ref, err)
		}
		d = Download{Object: row.Object}
		if length == 0 {
			return nil
		}
		if d.Offset, d.Length, err = resolve(row.PlainSize, offset, length); err != nil || d.Length == 0 {
			return err
		}
		d.Segments, d.More, err = segmentRange(tx, row.Stream, d.Offset, d.Length, limit)
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

// Segments returns up to limit segments which hold a range of the plaintext of a stream, and whether there are more.
//
// Errors: metainfo.ErrObjectNotFound if the stream is gone.
func (db *DB) Segments(ctx context.Context, stream metainfo.StreamID, offset, length int64, limit int) (
	list []PlacedSegment, more bool, err error,
) {
	err = db.view(ctx, "get segments", func(tx kv.Tx) (err error) {
		list, more, err = segmentRange(tx, stream, offset, length, limit)
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

// segmentRange reads the segments from the one that holds offset on.
func segmentRange(tx kv.Tx, stream metainfo.StreamID, offset, length int64, limit int) (
	list []PlacedSegment, more bool, err error,
) {
	parts, err := tables{}.parts().Get(tx, stream)
	if err := orElse(err, nil); err != nil {
		return nil, false, err
	}
	if len(parts.list) == 0 {
		parts.list = []part{{segments: math.MaxUint32, plainSize: math.MaxInt64}}
	}
	at, start := findPart(parts.list, offset)
	index, err := findIndex(tx, stream, parts.list[at], offset-start)
	if err != nil {
		return nil, false, err
	}
	table := tables{}.segments()
	r := table.Prefix(stream[:])
	r.Start = table.Key(nil, segmentKey{stream, metainfo.Position{Part: parts.list[at].number, Index: index}})
	err = table.Scan(tx, r, func(k segmentKey, row *segmentRow) (bool, error) {
		for parts.list[at].number != k.position.Part {
			start += parts.list[at].plainSize
			if at++; at == len(parts.list) {
				return false, fmt.Errorf("%w: part %d is not listed", kv.ErrCorrupt, k.position.Part)
			}
		}
		place := start + row.PlainOffset
		if place-offset >= length {
			return false, nil
		}
		if len(list) == limit {
			more = true
			return false, nil
		}
		s, err := row.segment(k)
		list = append(list, PlacedSegment{s, place})
		return true, err
	})
	if err == nil && len(list) == 0 && !more && length > 0 {
		err = metainfo.ErrObjectNotFound
	}
	return list, more, err
}

// findPart returns the index of the part that holds offset, and where it starts in the object.
func findPart(parts []part, offset int64) (at int, start int64) {
	for at < len(parts)-1 && offset-start >= parts[at].plainSize {
		start += parts[at].plainSize
		at++
	}
	return at, start
}

// findIndex returns the index of the last segment of a part whose plain offset is at most offset, by bisection: an
// object of a terabyte takes 14 reads.
func findIndex(tx kv.Tx, stream metainfo.StreamID, p part, offset int64) (uint32, error) {
	if offset <= 0 {
		return 0, nil
	}
	count := p.segments
	if count == math.MaxUint32 {
		last, err := lastIndex(tx, stream, p.number)
		if err != nil {
			return 0, err
		}
		count = last + 1
	}
	low, high := uint32(0), count-1 // the answer lies in [low, high]
	for low < high {
		middle := high - (high-low)/2
		row, err := tables{}.segments().Get(tx, segmentKey{stream, metainfo.Position{Part: p.number, Index: middle}})
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
