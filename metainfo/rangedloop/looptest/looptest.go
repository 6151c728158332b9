// Package looptest makes segments for tests of observers, many of them, without nodes or uploads.
package looptest

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/pieces"
)

// row is the stored form of a segment, see KEYS in package metabase.
type row struct {
	metainfo.Segment
	packed []byte
}

func (r *row) Fields(c *wire.Codec) {
	c.Time(1, &r.Created)
	c.Time(2, &r.Expires)
	c.Time(3, &r.Repaired)
	c.Int(4, &r.PlainOffset)
	c.Int(5, &r.PlainSize)
	c.Int(6, &r.EncryptedSize)
	c.Fixed(7, r.Salt[:])
	c.Bytes(8, &r.Inline, metainfo.InlineSize)
	c.Fixed(9, r.Root[:])
	if r.Redundancy.Required != 0 {
		c.Message(10, &r.Redundancy)
	}
	c.Bytes(11, &r.packed, ecenc.MaxTotal*8)
	c.Uint32(12, &r.Placement)
}

// Put writes segments as they are, with no object that they belong to.
func Put(ctx context.Context, store kv.Store, segments ...metainfo.Segment) error {
	const batch = 10_000
	for len(segments) > 0 {
		some := segments[:min(batch, len(segments))]
		segments = segments[len(some):]
		err := store.Update(ctx, func(tx kv.Tx) error {
			for _, s := range some {
				r := row{Segment: s, packed: pack(s.Pieces)}
				if err := tx.Put(key(&s), wire.Marshal(&r)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("put segments: %w", err)
		}
	}
	return nil
}

// Break makes the row of a segment unreadable.
func Break(ctx context.Context, store kv.Store, s metainfo.Segment) error {
	return store.Update(ctx, func(tx kv.Tx) error { return tx.Put(key(&s), []byte{0xff}) })
}

// Delete removes the row of a segment.
func Delete(ctx context.Context, store kv.Store, s metainfo.Segment) error {
	return store.Update(ctx, func(tx kv.Tx) error { return tx.Delete(key(&s)) })
}

func key(s *metainfo.Segment) []byte {
	return kv.AppendUint64(append([]byte("s"), s.Stream[:]...), s.Position.Uint64())
}

func pack(list []metainfo.Piece) (packed []byte) {
	next := 0
	for _, p := range list {
		packed = binary.AppendUvarint(packed, uint64(p.Number-next))
		packed = binary.AppendUvarint(packed, uint64(p.Alias))
		next = p.Number + 1
	}
	return packed
}

// Segment returns the i-th of a series: a stream of its own, spread over the stream IDs, of 64 MiB, with a piece on
// each of the nodes.
func Segment(i int, r ecenc.Redundancy, nodes []metainfo.NodeAlias) metainfo.Segment {
	const size = metainfo.SegmentCipherSize
	s := metainfo.Segment{
		Created: time.Unix(1_800_000_000, 0).UTC(), PlainSize: metainfo.SegmentSize, EncryptedSize: size,
		Redundancy: r.WithShareSize(size), Pieces: make([]metainfo.Piece, len(nodes)),
	}
	binary.BigEndian.PutUint64(s.Stream[:], uint64(i+1)*0x9e3779b97f4a7c15) // odd: no two are alike
	binary.BigEndian.PutUint64(s.Stream[8:], uint64(i))
	s.Root = pieces.PieceID{1}
	copy(s.Root[8:], s.Stream[:])
	for number, alias := range nodes {
		s.Pieces[number] = metainfo.Piece{Number: number, Alias: alias}
	}
	return s
}
