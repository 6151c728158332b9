package uplink

import (
	"errors"
	"fmt"
	"io"

	"storj/ecenc"
	"storj/ecenc/cipher"
	"storj/metainfo"
	"storj/pieces/segmentio"
)

// readAttempts is how often in a row a segment is asked for again without a byte of progress in between.
const readAttempts = 5

// reader reads the part of one segment that lies in the range of a download. For one goroutine.
type reader struct {
	meta    *downloadMeta
	segment *metainfo.DownloadSegment
	cipher  *cipher.Cipher
	start   int64 // of the part, in the object, plaintext bytes
	end     int64

	at       int64               // next byte to hand out, in the object
	source   *segmentio.Download // nil: inline, or not running
	block    uint64              // next block that source returns
	attempts int                 // without progress
	verify   bool                // pieces are checked against their hashes
	cost     DownloadStats
}

// newReader starts reading [from, to) as far as it lies in the segment, which must be the one that holds from.
//
// Errors: ErrCorrupt for numbers that cannot be those of this object.
func (m *downloadMeta) newReader(seg *metainfo.DownloadSegment, from, to int64) (*reader, error) {
	if err := m.layout.check(seg); err != nil {
		return nil, err
	}
	end := seg.PlainOffset + seg.PlainSize
	if from < seg.PlainOffset || from >= end {
		return nil, fmt.Errorf("%w: segment %s is not the one at %d", ErrCorrupt, seg.Position, from)
	}
	c, err := cipher.New(cipher.SegmentKey(m.content, seg.Salt, seg.Position.Part, seg.Position.Index))
	if err != nil {
		return nil, err
	}
	r := &reader{meta: m, segment: seg, cipher: c, start: from, at: from, end: min(end, to)}
	r.open()
	return r, nil
}

// open starts fetching from the block that holds the next byte to hand out.
func (r *reader) open() {
	seg := r.segment
	first, count, _ := cipher.Blocks(r.at-seg.PlainOffset, r.end-r.at, seg.PlainSize)
	r.block = first
	if seg.Redundancy.Required == 0 {
		return
	}
	offset, length := cipher.BlockRange(first, count, seg.EncryptedSize)
	req := &segmentio.DownloadRequest{
		Redundancy: seg.Redundancy, EncryptedSize: seg.EncryptedSize, Offset: offset, Length: length,
		PieceKey: seg.PieceKey, Limits: seg.Limits,
	}
	if r.verify {
		req.UploadKey = seg.UploadKey
	}
	r.source = r.meta.project.segments.Download(r.meta.ctx, req)
}

// half says whether half of the part has been handed out.
func (r *reader) half() bool { return r.at-r.start >= (r.end-r.start)/2 }

// run returns the next bytes of the part, valid until the next run or close. Errors: io.EOF at its end.
func (r *reader) run() ([]byte, error) {
	for {
		if r.at == r.end {
			return nil, io.EOF
		}
		plain, err := r.fetch()
		if err == nil {
			r.attempts = 0
			return plain, nil
		}
		if err := r.recover(err); err != nil {
			return nil, err
		}
	}
}

// fetch returns what the next run of ciphertext opens to, cut to the part.
func (r *reader) fetch() ([]byte, error) {
	sealed, err := r.nextSealed()
	if err != nil {
		return nil, err
	}
	seg := r.segment
	ends := int64(r.block)*ecenc.CipherBlockSize+int64(len(sealed)) == seg.EncryptedSize
	if len(sealed) == 0 || len(sealed)%ecenc.CipherBlockSize != 0 && !ends {
		return nil, fmt.Errorf("%w: %d bytes of ciphertext are not whole blocks", ErrInternal, len(sealed))
	}
	blocks := (int64(len(sealed)) + ecenc.CipherBlockSize - 1) / ecenc.CipherBlockSize
	plain, err := r.cipher.OpenInPlace(sealed, r.block, ends)
	if err != nil {
		return nil, err
	}
	starts := seg.PlainOffset + int64(r.block)*cipher.PlainBlockSize
	plain = plain[r.at-starts : min(int64(len(plain)), r.end-starts)]
	r.block += uint64(blocks)
	r.at += int64(len(plain))
	return plain, nil
}

func (r *reader) nextSealed() ([]byte, error) {
	if r.segment.Redundancy.Required > 0 {
		sealed, err := r.source.Next()
		if err == io.EOF {
			err = fmt.Errorf("%w: segment ended early", ErrInternal)
		}
		return sealed, err
	}
	r.cost.InlineObjects = 1
	first, count, _ := cipher.Blocks(r.at-r.segment.PlainOffset, r.end-r.at, r.segment.PlainSize)
	offset, length := cipher.BlockRange(first, count, r.segment.EncryptedSize)
	return r.segment.Inline[offset:][:length], nil
}

// recover begins the segment again where it broke off, or returns the error that ends the download.
//
// When a block did not open, some node lied: every piece is then read whole and checked against what was signed at
// upload, which names the liars and does without them. When too few pieces came, the limits may have grown old while
// the reader was slow, or nodes may be back in a moment.
func (r *reader) recover(cause error) error {
	ctx := r.meta.ctx
	if ctx.Err() != nil {
		return cause
	}
	lied := errors.Is(cause, cipher.ErrDecrypt)
	switch {
	case lied && (r.verify || r.segment.Redundancy.Required == 0):
		return cause
	case !lied && !readAgain(cause) || r.attempts == readAttempts:
		return cause
	}
	r.close()
	r.cost.Retries++
	r.verify = r.verify || lied
	if !lied {
		if err := sleep(ctx, pause(r.attempts+2)); err != nil {
			return err
		}
	}
	r.attempts++
	got, err := r.meta.ask(ctx, r.at, r.end-r.at, r.verify)
	if err != nil {
		return err
	}
	if len(got.Segments) == 0 || got.Segments[0].Position != r.segment.Position {
		return fmt.Errorf("%w: satellite has no segment %s any more", ErrCorrupt, r.segment.Position)
	}
	return r.restart(&got.Segments[0])
}

// restart goes on with other limits for the same segment. Its pieces, and so its scheme, may have been made anew.
func (r *reader) restart(seg *metainfo.DownloadSegment) error {
	if err := r.meta.layout.check(seg); err != nil {
		return err
	}
	c, err := cipher.New(cipher.SegmentKey(r.meta.content, seg.Salt, seg.Position.Part, seg.Position.Index))
	if err != nil {
		return err
	}
	r.segment, r.cipher = seg, c
	r.open()
	return nil
}

// close stops fetching and adds up what it cost. It may be repeated.
func (r *reader) close() {
	if r.source == nil {
		return
	}
	stats, corrupt := r.source.Stats(), r.source.Corrupt()
	_ = r.source.Close() // what went wrong with it was returned by Next
	r.source = nil
	r.cost.Segments = 1
	r.cost.NodesAsked += stats.PiecesAsked
	r.cost.Hedges += stats.Hedges
	r.cost.PieceBytes += stats.Bytes
	for _, id := range corrupt {
		r.cost.CorruptNodes = append(r.cost.CorruptNodes, id.String())
	}
}
