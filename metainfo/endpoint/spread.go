package endpoint

import (
	"storj/ecenc/cipher"
	"storj/metainfo"
)

const (
	// maxBatchLimits bounds the order limits of one response: four segments of 80 pieces, some 100 KB and 1 ms of work.
	maxBatchLimits = 330
	// maxBatchSegments bounds the segments of one response, inline ones among them.
	maxBatchSegments = 16
)

// pieceBytes is how much of each piece of a segment is needed for the plaintext range [from, to) of the object, where
// the segment starts at offset: the rows of shares which the range's cipher blocks touch.
func pieceBytes(s *metainfo.Segment, offset, from, to int64) int64 {
	start, end := max(from-offset, 0), min(to-offset, s.PlainSize)
	first, blocks, _ := cipher.Blocks(start, end-start, s.PlainSize)
	at, size := cipher.BlockRange(first, blocks, s.EncryptedSize)
	if size == 0 {
		return 0
	}
	stripe := s.Redundancy.StripeSize()
	rows := (at+size+stripe-1)/stripe - at/stripe
	return rows * int64(s.Redundancy.ShareSize)
}
