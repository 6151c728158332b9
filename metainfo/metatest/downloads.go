package metatest

import (
	"errors"

	"storj/metainfo"
)

func testRanges(b subject) {
	const share = 32 << 10
	size := int64(100 * share) // plaintext; 4 data pieces
	b.putRemote("r", size, size, 1000)
	total := 2*size + 1000
	tests := []struct {
		name           string
		offset, length int64
		wantOffset     int64
		wantLength     int64
		segments       []int // their indices
		rows           []int64
		err            error
	}{
		{name: "all", length: -1, wantLength: total, segments: []int{0, 1, 2}, rows: []int64{26, 26, 0}},
		{name: "one byte", offset: 5, length: 1, wantOffset: 5, wantLength: 1, segments: []int{0}, rows: []int64{1}},
		{name: "two blocks of two stripes", offset: 4*(share-16) - 1, length: 2, wantOffset: 4*(share-16) - 1, wantLength: 2, segments: []int{0}, rows: []int64{2}},
		{name: "across segments", offset: size - 1, length: 2, wantOffset: size - 1, wantLength: 2, segments: []int{0, 1}, rows: []int64{1, 1}},
		{name: "suffix", offset: -10, length: -1, wantOffset: total - 10, wantLength: 10, segments: []int{2}, rows: []int64{0}},
		{name: "suffix longer than the object", offset: -total - 5, length: 1, wantLength: 1, segments: []int{0}, rows: []int64{1}},
		{name: "length cut at the end", offset: total - 1, length: 1 << 40, wantOffset: total - 1, wantLength: 1, segments: []int{2}, rows: []int64{0}},
		{name: "record only", length: 0},
		{name: "behind the end", offset: total + 1, length: 1, err: metainfo.ErrRange},
	}
	for _, test := range tests {
		d, err := b.download("r", test.offset, test.length)
		if !errors.Is(err, test.err) {
			b.Errorf("%s: error %v, want %v", test.name, err, test.err)
		}
		if err != nil {
			continue
		}
		if d.Offset != test.wantOffset || d.Length != test.wantLength || len(d.Segments) != len(test.segments) || d.More {
			b.Errorf("%s: [%d, +%d) in %d segments", test.name, d.Offset, d.Length, len(d.Segments))
			continue
		}
		for i, s := range d.Segments {
			rows := test.rows[i]
			want := rows * share
			if rows == 0 { // one stripe of small shares
				want = int64(s.Redundancy.ShareSize)
			}
			if got := b.w.Limit(b, s.Limits[0]).Limit; s.Position.Index != uint32(test.segments[i]) || got != want {
				b.Errorf("%s: segment %s with %d bytes a piece, want index %d and %d", test.name, s.Position, got, test.segments[i], want)
			}
		}
	}
	d, err := b.download("r", 0, -1)
	b.ok(err)
	for name, change := range map[string]func(*metainfo.DownloadSegmentsRequest){
		"negative offset": func(r *metainfo.DownloadSegmentsRequest) { r.Offset = -1 },
		"negative length": func(r *metainfo.DownloadSegmentsRequest) { r.Length = -1 },
		"behind the end":  func(r *metainfo.DownloadSegmentsRequest) { r.Offset = total + 1; r.Length = 0 },
		"past the end":    func(r *metainfo.DownloadSegmentsRequest) { r.Offset = 1; r.Length = total },
		"overflow":        func(r *metainfo.DownloadSegmentsRequest) { r.Offset = 1; r.Length = 1<<63 - 1 },
	} {
		req := &metainfo.DownloadSegmentsRequest{Auth: b.auth, Token: d.Token, Length: total}
		change(req)
		_, err := b.svc.DownloadSegments(b.Context(), req)
		if !errors.Is(err, metainfo.ErrRange) {
			b.Errorf("%s: %v", name, err)
		}
	}
}

func testVerify(b subject) {
	b.putRemote("v", 10_000_000)
	d, err := b.download("v", 5, 1)
	b.ok(err)
	result, err := b.svc.DownloadSegments(b.Context(), &metainfo.DownloadSegmentsRequest{Auth: b.auth, Token: d.Token, Offset: 5, Length: 1, Verify: true})
	b.ok(err)
	s := result.Segments[0]
	whole := s.Redundancy.PieceSize(s.EncryptedSize)
	if got := b.w.Limit(b, s.Limits[0]).Limit; got != whole || s.UploadKey == [32]byte{} || d.Segments[0].UploadKey != [32]byte{} {
		b.Errorf("limit of %d bytes of %d, upload key %x", got, whole, s.UploadKey)
	}
	if s.PieceKey == [32]byte{} || s.PieceKey == d.Segments[0].PieceKey {
		b.Error("piece key of a download is not fresh")
	}
	b.put("v", 1) // replaced meanwhile
	_, err = b.svc.DownloadSegments(b.Context(), &metainfo.DownloadSegmentsRequest{Auth: b.auth, Token: d.Token, Offset: 5, Length: 1})
	b.want(err, metainfo.ErrObjectNotFound)
}
