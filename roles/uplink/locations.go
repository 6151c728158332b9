package uplink

import (
	"context"
	"fmt"

	"storj/metainfo"
)

// SegmentLocation says where a segment of an object lies.
type SegmentLocation struct {
	Offset   int64 // of the segment in the object, bytes
	Size     int64 // of content, bytes
	Required int   // pieces that give it back; 0: it lies on the satellite itself
	Pieces   []PieceLocation
}

// PieceLocation says which node holds a piece.
type PieceLocation struct {
	Number  int
	NodeID  string
	Address string // host:port
}

// Has says whether a node holds a piece of the segment.
func (s SegmentLocation) Has(nodeID string) bool {
	for _, piece := range s.Pieces {
		if piece.NodeID == nodeID {
			return true
		}
	}
	return false
}

// Locations returns where the segments of an object lie, in order.
//
// Errors: as Download.
func (p *Project) Locations(ctx context.Context, bucket, key string) (segments []SegmentLocation, err error) {
	err = p.do(ctx, "locate", func(ctx context.Context) error {
		segments, err = p.locations(ctx, bucket, key)
		return err
	})
	return segments, err
}

func (p *Project) locations(ctx context.Context, bucket, key string) (segments []SegmentLocation, err error) {
	t, err := p.locate(ctx, bucket, key)
	if err != nil {
		return nil, p.found(bucket, err)
	}
	got, err := call(ctx, p.standalone(), p.meta.Download, &metainfo.DownloadRequest{
		Auth: p.auth(), Bucket: t.bucket, Key: t.encrypted, Length: -1,
	})
	if err != nil {
		return nil, p.found(bucket, err)
	}
	batch, more := got.Segments, got.More
	for {
		for i := range batch {
			segments = append(segments, location(&batch[i]))
		}
		if !more || len(batch) == 0 {
			return segments, nil
		}
		last := segments[len(segments)-1]
		if last.Size <= 0 {
			return nil, fmt.Errorf("%w: satellite went no further than an empty segment at %d", ErrCorrupt, last.Offset)
		}
		next := last.Offset + last.Size
		rest, err := call(ctx, p.standalone(), p.meta.DownloadSegments, &metainfo.DownloadSegmentsRequest{
			Auth: p.auth(), Token: got.Token, Offset: next, Length: got.Object.PlainSize - next,
		})
		if err != nil {
			return nil, err
		}
		batch, more = rest.Segments, rest.More
	}
}

func location(s *metainfo.DownloadSegment) SegmentLocation {
	l := SegmentLocation{Offset: s.PlainOffset, Size: s.PlainSize, Required: s.Redundancy.Required}
	for _, limit := range s.Limits {
		l.Pieces = append(l.Pieces, PieceLocation{
			Number: limit.Number, NodeID: limit.Node.ID.String(), Address: limit.Node.Address,
		})
	}
	return l
}
