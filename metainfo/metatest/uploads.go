package metatest

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"storj/metainfo"
	"storj/netx"
	"storj/pieces"
)

func testInline(b subject) {
	first := b.inline("a", 100)
	made, err := b.svc.CommitObject(b.Context(), first)
	b.ok(err)
	if made.PlainSize != 100 || made.Segments != 1 || made.Stream.IsZero() || !bytes.Equal(made.Key, []byte("a")) {
		b.Errorf("object is %+v", made)
	}
	d, err := b.download("a", 0, -1)
	b.ok(err)
	want := Inline(metainfo.Position{}, 0, 100)
	if len(d.Segments) != 1 || !bytes.Equal(d.Segments[0].Inline, want.Inline) || d.More || d.Length != 100 ||
		string(d.Object.Metadata) != "meta a" || string(d.Object.WrappedKey) != "wrapped a" || len(d.Segments[0].Limits) != 0 {
		b.Errorf("download is %+v", d)
	}
	again, err := b.svc.CommitObject(b.Context(), first) // the answer to the first was lost
	b.ok(err)
	if again.Stream != made.Stream || !again.Created.Equal(made.Created) {
		b.Error("repeating a commit made another object")
	}
	replaced := b.put("a", 50)
	if replaced.Stream == made.Stream || replaced.PlainSize != 50 {
		b.Error("object was not replaced")
	}
	req := &metainfo.CommitObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte("a"), Segments: 1, Last: Inline(metainfo.Position{}, 0, 7), IfAbsent: true}
	_, err = b.svc.CommitObject(b.Context(), req)
	b.want(err, metainfo.ErrObjectExists)
	req.Key = []byte("empty")
	req.Last = Inline(metainfo.Position{}, 0, 0)
	empty, err := b.svc.CommitObject(b.Context(), req)
	b.ok(err)
	if d, err := b.download("empty", 0, -1); err != nil || d.Length != 0 || empty.PlainSize != 0 || d.More {
		b.Errorf("empty object: %+v, %v", d, err)
	}
	for name, change := range map[string]func(r *metainfo.CommitObjectRequest){
		"too large":       func(r *metainfo.CommitObjectRequest) { r.Last = Inline(metainfo.Position{}, 0, metainfo.InlineSize) },
		"size differs":    func(r *metainfo.CommitObjectRequest) { r.Last.PlainSize-- },
		"bytes differ":    func(r *metainfo.CommitObjectRequest) { r.Last.Inline = r.Last.Inline[1:] },
		"negative offset": func(r *metainfo.CommitObjectRequest) { r.Last.PlainOffset = -1 },
	} {
		bad := *req
		bad.Key, bad.Last = []byte("bad"), Inline(metainfo.Position{}, 0, 10)
		change(&bad)
		if _, err := b.svc.CommitObject(b.Context(), &bad); !errors.Is(err, metainfo.ErrSegment) && !errors.Is(err, netx.ErrMalformed) {
			b.Errorf("%s: %v", name, err)
		}
	}
}

func testOneSegment(b subject) {
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	begun, err := b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{
		Auth: b.auth, Bucket: bucket, Key: []byte("big"), Expires: expires, Plan: true,
	})
	b.ok(err)
	plan := begun.Plan
	if plan == nil || plan.Redundancy.String() != "4/6/8/10" || len(plan.Limits) != 10 {
		b.Fatalf("plan is %+v", plan)
	}
	for i, l := range plan.Limits {
		limit := b.w.Limit(b, l)
		if l.Number != i || limit.Action != pieces.ActionPut || !limit.PieceExpires.Equal(expires) || limit.Limit < metainfo.SegmentCipherSize/4 {
			b.Errorf("limit %d is %+v", i, limit)
		}
	}
	if _, err := b.get("big"); !errors.Is(err, metainfo.ErrObjectNotFound) {
		b.Errorf("object before its commit: %v", err)
	}
	commit := &metainfo.CommitObjectRequest{
		Auth: b.auth, Upload: begun.Upload, Segments: 1, WrappedKey: []byte("w"),
		Last: b.w.Store(b, plan, metainfo.Position{}, 0, 1_000_000, 8),
	}
	made, err := b.svc.CommitObject(b.Context(), commit)
	b.ok(err)
	if made.PlainSize != 1_000_000 || !made.Expires.Equal(expires) || b.w.Underfull() != 0 {
		b.Errorf("object is %+v", made)
	}
	again, err := b.svc.CommitObject(b.Context(), commit)
	b.ok(err)
	if again.Stream != made.Stream || again.Version != made.Version {
		b.Error("repeating a commit made another object")
	}
	d, err := b.download("big", 0, -1)
	b.ok(err)
	if len(d.Segments) != 1 || len(d.Segments[0].Limits) != 8 || d.Segments[0].Redundancy.ShareSize != commit.Last.ShareSize ||
		d.Segments[0].Salt != commit.Last.Salt {
		b.Fatalf("segments are %+v", d.Segments)
	}
	for i, l := range d.Segments[0].Limits {
		limit := b.w.Limit(b, l)
		if limit.Action != pieces.ActionGet || limit.Piece != commit.Last.Pieces[i].Ack.Piece || limit.Limit != commit.Last.Pieces[i].Ack.Size {
			b.Errorf("limit %d is %+v", i, limit)
		}
	}
	stored, failed, _ := b.w.Reported()
	if len(stored) != 16 || len(failed) != 0 { // twice: the repeated commit
		b.Errorf("reported %d stored, %d failed", len(stored), len(failed))
	}

	begun, err = b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte("few"), Plan: true})
	b.ok(err)
	_, err = b.svc.CommitObject(b.Context(), &metainfo.CommitObjectRequest{
		Auth: b.auth, Upload: begun.Upload, Segments: 1, Last: b.w.Store(b, begun.Plan, metainfo.Position{}, 0, 5000, 7),
	})
	b.ok(err)
	if b.w.Underfull() != 1 {
		b.Error("a segment short of optimal was not reported")
	}
	b.w.SetDown(true, b.w.Nodes[:4]...)
	_, err = b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte("none"), Plan: true})
	b.want(err, metainfo.ErrNotEnoughNodes)
	d, err = b.download("big", 0, -1)
	b.ok(err)
	var numbers []int
	for _, l := range d.Segments[0].Limits {
		numbers = append(numbers, l.Number)
	}
	if !slices.Equal(numbers, []int{4, 5, 6, 7, 0, 1, 2, 3}) {
		b.Errorf("pieces come in the order %v, want those in contact first", numbers)
	}
}

func testManySegments(b subject) {
	sizes := make([]int64, 60) // more than one response carries
	var total int64
	for i := range sizes {
		sizes[i] = int64(10_000 + i)
		total += sizes[i]
	}
	made := b.putRemote("many", sizes...)
	if made.PlainSize != total || made.Segments != 60 {
		b.Errorf("object is %+v", made)
	}
	d, err := b.download("many", 0, -1)
	b.ok(err)
	segments, more := d.Segments, d.More
	if !more {
		b.Fatalf("all %d segments in one response", len(segments))
	}
	for more {
		last := segments[len(segments)-1]
		next := last.PlainOffset + last.PlainSize
		result, err := b.svc.DownloadSegments(b.Context(), &metainfo.DownloadSegmentsRequest{
			Auth: b.auth, Token: d.Token, Offset: next, Length: total - next,
		})
		b.ok(err)
		segments, more = append(segments, result.Segments...), result.More
	}
	var offset int64
	for i, s := range segments {
		if s.PlainOffset != offset || s.PlainSize != sizes[i] || s.Position.Index != uint32(i) {
			b.Fatalf("segment %d is %s at %d", i, s.Position, s.PlainOffset)
		}
		offset += s.PlainSize
	}
	if offset != total {
		b.Errorf("segments hold %d bytes of %d", offset, total)
	}
}

func testReplace(b subject) {
	b.w.SetDown(true, b.w.Nodes[8:]...)
	longest := bytes.Repeat([]byte("r"), metainfo.MaxKeySize) // stands in the tokens
	begun, err := b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: longest, Plan: true})
	b.ok(err)
	b.w.SetDown(false, b.w.Nodes[8:]...)
	var tried []netx.NodeID
	for _, l := range begun.Plan.Limits {
		tried = append(tried, l.Node.ID)
	}
	req := &metainfo.ReplacePiecesRequest{Auth: b.auth, Token: begun.Plan.Token, Numbers: []int{6, 2}, Exclude: tried}
	result, err := b.svc.ReplacePieces(b.Context(), req)
	b.ok(err)
	if len(result.Limits) != 2 || result.Limits[0].Number != 2 || result.Limits[1].Number != 6 {
		b.Fatalf("limits are %+v", result.Limits)
	}
	segment := b.w.Store(b, begun.Plan, metainfo.Position{}, 0, 70_000, 8)
	size := segment.Pieces[0].Ack.Size
	for _, l := range result.Limits {
		if slices.Contains(tried, l.Node.ID) {
			b.Errorf("node %s was tried already", l.Node.ID)
		}
		segment.Pieces[l.Number] = b.w.Ack(b, l, size)
	}
	segment.Failed = []netx.NodeID{tried[2], tried[6]}
	_, err = b.svc.CommitObject(b.Context(), &metainfo.CommitObjectRequest{Auth: b.auth, Upload: begun.Upload, Segments: 1, Last: segment})
	b.ok(err)
	if _, failed, suspects := b.w.Reported(); !slices.Equal(failed, segment.Failed) || !slices.Equal(suspects, segment.Failed) {
		b.Errorf("failed %v, suspected %v", failed, suspects)
	}
	for _, l := range result.Limits {
		req.Exclude = append(req.Exclude, l.Node.ID)
	}
	result, err = b.svc.ReplacePieces(b.Context(), req)
	b.ok(err)
	if len(result.Limits) != 0 {
		b.Errorf("%d limits though all nodes were tried", len(result.Limits))
	}
	for name, numbers := range map[string][]int{"twice": {1, 1}, "out of range": {10}} {
		req.Numbers = numbers
		if _, err := b.svc.ReplacePieces(b.Context(), req); !errors.Is(err, metainfo.ErrSegment) {
			b.Errorf("%s: %v", name, err)
		}
	}
	req.Token = begun.Upload // a token, of another kind
	_, err = b.svc.ReplacePieces(b.Context(), req)
	if err == nil {
		b.Error("an upload token was taken for a segment's")
	}
}

func testAbort(b subject) {
	begun, err := b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte("a")})
	b.ok(err)
	commit := &metainfo.CommitSegmentRequest{Auth: b.auth, Upload: begun.Upload, Segment: *Inline(metainfo.Position{}, 0, 10)}
	b.ok(b.svc.CommitSegment(b.Context(), commit))
	b.ok(b.svc.CommitSegment(b.Context(), commit)) // repeated
	for range 2 {
		b.ok(b.svc.AbortObject(b.Context(), &metainfo.AbortObjectRequest{Auth: b.auth, Upload: begun.Upload}))
	}
	b.want(b.svc.CommitSegment(b.Context(), commit), metainfo.ErrUpload)
	_, err = b.svc.CommitObject(b.Context(), &metainfo.CommitObjectRequest{Auth: b.auth, Upload: begun.Upload, Segments: 1})
	if err == nil {
		b.Error("an aborted upload was committed")
	}
}
