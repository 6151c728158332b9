package metatest

import (
	"errors"
	"fmt"
	"slices"

	"storj/metainfo"
)

// beginParts begins an upload in parts.
func (b subject) beginParts(key string) *metainfo.BeginObjectResult {
	b.Helper()
	begun, err := b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{
		Auth: b.auth, Bucket: bucket, Key: []byte(key), Multipart: true,
		WrappedKey: []byte("kept wrap"), Metadata: []byte("kept meta"),
	})
	b.ok(err)
	return begun
}

// putPart uploads a part of inline segments of the given plain sizes.
func (b subject) putPart(upload []byte, number uint32, sizes ...int64) *metainfo.Part {
	b.Helper()
	begun, err := b.svc.BeginPart(b.Context(), &metainfo.BeginPartRequest{Auth: b.auth, Upload: upload, Number: number})
	b.ok(err)
	part, err := b.svc.CommitPart(b.Context(), b.fillPart(begun.Upload, number, sizes...))
	b.ok(err)
	return part
}

// fillPart uploads all segments of a part but the last, and returns what commits it.
func (b subject) fillPart(token []byte, number uint32, sizes ...int64) *metainfo.CommitPartRequest {
	b.Helper()
	var last *metainfo.NewSegment
	var offset int64
	for i, size := range sizes {
		if last != nil {
			b.ok(b.svc.CommitSegment(b.Context(), &metainfo.CommitSegmentRequest{Auth: b.auth, Upload: token, Segment: *last}))
		}
		last = Inline(metainfo.Position{Part: number, Index: uint32(i)}, offset, size)
		offset += size
	}
	return &metainfo.CommitPartRequest{
		Auth: b.auth, Upload: token, Segments: uint32(len(sizes)), Last: last, Metadata: fmt.Appendf(nil, "part %d", number),
	}
}

func (b subject) commitParts(upload []byte, numbers ...uint32) (*metainfo.Object, error) {
	return b.svc.CommitObject(b.Context(), &metainfo.CommitObjectRequest{Auth: b.auth, Upload: upload, Parts: numbers})
}

func (b subject) partNumbers(req metainfo.ListPartsRequest) (numbers []uint32) {
	b.Helper()
	req.Auth = b.auth
	for {
		page, err := b.svc.ListParts(b.Context(), &req)
		b.ok(err)
		for _, part := range page.Parts {
			if want := fmt.Sprintf("part %d", part.Number); string(part.Metadata) != want {
				b.Errorf("metadata of part %d is %q", part.Number, part.Metadata)
			}
			numbers, req.Cursor = append(numbers, part.Number), part.Number
		}
		if !page.More {
			return numbers
		}
	}
}

// testParts uploads an object in parts, some of them twice and out of order.
func testParts(b subject) {
	begun := b.beginParts("big")
	if begun.Plan != nil || begun.Stream.IsZero() {
		b.Errorf("begun %+v", begun)
	}
	b.putPart(begun.Upload, 7, 30)
	b.putPart(begun.Upload, 2, 10, 11)
	b.putPart(begun.Upload, 2, 12, 13, 14) // again
	b.putPart(begun.Upload, 10_000, 5)
	b.putPart(begun.Upload, 9, 100)
	if got := b.partNumbers(metainfo.ListPartsRequest{Upload: begun.Upload, Limit: 2}); !slices.Equal(got, []uint32{2, 7, 9, 10_000}) {
		b.Errorf("parts are %v", got)
	}
	if _, err := b.get("big"); !errors.Is(err, metainfo.ErrObjectNotFound) {
		b.Errorf("object before its commit: %v", err)
	}
	made, err := b.commitParts(begun.Upload, 2, 7, 10_000)
	b.ok(err)
	const total = 12 + 13 + 14 + 30 + 5
	if made.PlainSize != total || made.Parts != 3 || made.Segments != 5 || string(made.WrappedKey) != "kept wrap" || string(made.Metadata) != "kept meta" {
		b.Errorf("object is %+v", made)
	}
	again, err := b.commitParts(begun.Upload, 2, 7, 10_000)
	b.ok(err)
	if again.Stream != made.Stream || again.Version != made.Version {
		b.Error("repeating a commit made another object")
	}
	if got := b.partNumbers(metainfo.ListPartsRequest{Bucket: bucket, Key: []byte("big"), Limit: 2}); !slices.Equal(got, []uint32{2, 7, 10_000}) {
		b.Errorf("parts of the object are %v", got)
	}
	b.readParts("big", []int64{12, 13, 14, 30, 5}, []metainfo.Position{{Part: 2}, {Part: 2, Index: 1}, {Part: 2, Index: 2}, {Part: 7}, {Part: 10_000}})
	d, err := b.download("big", 40, 10)
	b.ok(err)
	if len(d.Segments) != 1 || d.Segments[0].PlainOffset != 39 || d.Segments[0].Position.Part != 7 {
		b.Errorf("a range is in %+v", d.Segments)
	}
	b.want(errOf(b.svc.BeginPart(b.Context(), &metainfo.BeginPartRequest{Auth: b.auth, Upload: begun.Upload, Number: 1})), metainfo.ErrUpload)
	b.want(errOf(b.svc.GetUpload(b.Context(), &metainfo.UploadRequest{Auth: b.auth, Bucket: bucket, Key: []byte("big"), Stream: begun.Stream})), metainfo.ErrUpload)
	b.remotePart()
}

func (b subject) readParts(key string, sizes []int64, positions []metainfo.Position) {
	b.Helper()
	d, err := b.download(key, 0, -1)
	b.ok(err)
	if len(d.Segments) != len(sizes) || d.More {
		b.Fatalf("%d segments, more %v", len(d.Segments), d.More)
	}
	var offset int64
	for i, s := range d.Segments {
		if s.PlainSize != sizes[i] || s.Position != positions[i] || s.PlainOffset != offset {
			b.Errorf("segment %d is %s of %d at %d", i, s.Position, s.PlainSize, s.PlainOffset)
		}
		offset += s.PlainSize
	}
}

// remotePart uploads a part whose segments lie on nodes.
func (b subject) remotePart() {
	b.Helper()
	begun := b.beginParts("remote")
	part, err := b.svc.BeginPart(b.Context(), &metainfo.BeginPartRequest{Auth: b.auth, Upload: begun.Upload, Number: 3, Plan: true})
	b.ok(err)
	first := b.w.Store(b, part.Plan, metainfo.Position{Part: 3}, 0, 70_000, 8)
	b.ok(b.svc.CommitSegment(b.Context(), &metainfo.CommitSegmentRequest{Auth: b.auth, Upload: part.Upload, Segment: *first}))
	at := metainfo.Position{Part: 3, Index: 1}
	plan, err := b.svc.BeginSegment(b.Context(), &metainfo.BeginSegmentRequest{Auth: b.auth, Upload: part.Upload, Position: at})
	b.ok(err)
	commit := &metainfo.CommitPartRequest{Auth: b.auth, Upload: part.Upload, Segments: 2, Last: b.w.Store(b, plan, at, 70_000, 80_000, 8)}
	for range 2 {
		got, err := b.svc.CommitPart(b.Context(), commit)
		b.ok(err)
		if got.PlainSize != 150_000 || got.Segments != 2 || got.Number != 3 {
			b.Errorf("part is %+v", got)
		}
	}
	made, err := b.commitParts(begun.Upload)
	b.ok(err)
	if made.PlainSize != 150_000 || made.Parts != 1 {
		b.Errorf("object is %+v", made)
	}
	b.readParts("remote", []int64{70_000, 80_000}, []metainfo.Position{{Part: 3}, at})
}

// testPartErrors shows the wrong tokens, numbers and positions.
func testPartErrors(b subject) {
	ctx := b.Context()
	whole, err := b.svc.BeginObject(ctx, &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte("whole"), Plan: true})
	b.ok(err)
	parts, other := b.beginParts("parts"), b.beginParts("other")
	part, err := b.svc.BeginPart(ctx, &metainfo.BeginPartRequest{Auth: b.auth, Upload: parts.Upload, Number: 2, Plan: true})
	b.ok(err)
	begin := func(token []byte, number uint32) error {
		return errOf(b.svc.BeginPart(ctx, &metainfo.BeginPartRequest{Auth: b.auth, Upload: token, Number: number}))
	}
	segment := func(token []byte, at metainfo.Position) error {
		return errOf(b.svc.BeginSegment(ctx, &metainfo.BeginSegmentRequest{Auth: b.auth, Upload: token, Position: at}))
	}
	store := func(token []byte, at metainfo.Position) error {
		return b.svc.CommitSegment(ctx, &metainfo.CommitSegmentRequest{Auth: b.auth, Upload: token, Segment: *Inline(at, 0, 1)})
	}
	end := func(token []byte, at metainfo.Position) error {
		return errOf(b.svc.CommitPart(ctx, &metainfo.CommitPartRequest{Auth: b.auth, Upload: token, Segments: 1, Last: Inline(at, 0, 1)}))
	}
	planned := func(token []byte, s *metainfo.NewSegment) error {
		return errOf(b.svc.CommitPart(ctx, &metainfo.CommitPartRequest{Auth: b.auth, Upload: token, Segments: 1, Last: s}))
	}
	second := metainfo.Position{Part: 2}
	for _, test := range []struct {
		name      string
		err, want error
	}{
		{"part 0", begin(parts.Upload, 0), metainfo.ErrPart},
		{"part 10001", begin(parts.Upload, metainfo.MaxParts+1), metainfo.ErrPart},
		{"part of an upload in one go", begin(whole.Upload, 1), metainfo.ErrUpload},
		{"part of a part", begin(part.Upload, 1), metainfo.ErrUpload},
		{"part of a segment", begin(part.Plan.Token, 1), metainfo.ErrUpload},
		{"part of nothing", begin(nil, 1), metainfo.ErrUpload},
		{"segment of an upload in parts", segment(parts.Upload, metainfo.Position{}), metainfo.ErrUpload},
		{"segment of a part, through the upload", segment(parts.Upload, second), metainfo.ErrUpload},
		{"segment of another part", segment(part.Upload, metainfo.Position{Part: 3}), metainfo.ErrSegment},
		{"segment outside of parts", segment(part.Upload, metainfo.Position{}), metainfo.ErrSegment},
		{"numbered segment of an upload in one go", segment(whole.Upload, second), metainfo.ErrSegment},
		{"commit to an upload in parts", store(parts.Upload, second), metainfo.ErrUpload},
		{"commit to another part", store(part.Upload, metainfo.Position{Part: 1}), metainfo.ErrSegment},
		{"numbered commit to an upload in one go", store(whole.Upload, second), metainfo.ErrSegment},
		{"end an upload as a part", end(parts.Upload, second), metainfo.ErrUpload},
		{"end an upload in one go as a part", end(whole.Upload, metainfo.Position{}), metainfo.ErrUpload},
		{"end a part at another number", end(part.Upload, metainfo.Position{Part: 1}), metainfo.ErrSegment},
		{"plan of another upload", planned(part.Upload, b.w.Store(b, whole.Plan, second, 0, 10_000, 8)), metainfo.ErrUpload},
		{"commit a part as an object", errOf(b.commitParts(part.Upload)), metainfo.ErrUpload},
		{"commit without parts", errOf(b.commitParts(other.Upload)), metainfo.ErrPart},
		{"commit a part that is not there", errOf(b.commitParts(other.Upload, 1)), metainfo.ErrPart},
		{"commit parts that do not ascend", errOf(b.commitParts(other.Upload, 2, 1)), metainfo.ErrPart},
		{"commit a part twice", errOf(b.commitParts(other.Upload, 2, 2)), metainfo.ErrPart},
		{"commit part 0", errOf(b.commitParts(other.Upload, 0)), metainfo.ErrPart},
		{"parts of an upload in one go", errOf(b.commitParts(whole.Upload, 1)), metainfo.ErrPart},
		{"list parts of an upload in one go", errOf(b.svc.ListParts(ctx, &metainfo.ListPartsRequest{Auth: b.auth, Upload: whole.Upload})), metainfo.ErrUpload},
		{"list parts of a part", errOf(b.svc.ListParts(ctx, &metainfo.ListPartsRequest{Auth: b.auth, Upload: part.Upload})), metainfo.ErrUpload},
		{"upload of another key", errOf(b.svc.GetUpload(ctx, &metainfo.UploadRequest{Auth: b.auth, Bucket: bucket, Key: []byte("other"), Stream: parts.Stream})), metainfo.ErrUpload},
		{"upload in one go, by stream", errOf(b.svc.GetUpload(ctx, &metainfo.UploadRequest{Auth: b.auth, Bucket: bucket, Key: []byte("whole"), Stream: whole.Stream})), metainfo.ErrUpload},
	} {
		b.wantErr(test.name, test.err, test.want)
	}
	b.foreignParts(parts, part)
}

func (b subject) wantErr(name string, err, want error) {
	b.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		b.Errorf("%s: error is %v, want %v", name, err, want)
	}
}

// foreignParts shows tokens of parts with the key of another project.
func (b subject) foreignParts(upload, part *metainfo.BeginObjectResult) {
	b.Helper()
	ctx := b.Context()
	_, key := b.w.NewProject(b, "stranger")
	auth := Auth(b, key)
	b.want(errOf(b.svc.BeginPart(ctx, &metainfo.BeginPartRequest{Auth: auth, Upload: upload.Upload, Number: 1})), metainfo.ErrUpload)
	b.want(errOf(b.svc.CommitPart(ctx, &metainfo.CommitPartRequest{Auth: auth, Upload: part.Upload})), metainfo.ErrUpload)
	b.want(errOf(b.svc.ListParts(ctx, &metainfo.ListPartsRequest{Auth: auth, Upload: upload.Upload})), metainfo.ErrUpload)
	b.want(errOf(b.svc.BeginSegment(ctx, &metainfo.BeginSegmentRequest{Auth: auth, Upload: part.Upload, Position: metainfo.Position{Part: 2}})), metainfo.ErrUpload)
	b.want(b.svc.AbortObject(ctx, &metainfo.AbortObjectRequest{Auth: auth, Upload: part.Upload}), metainfo.ErrUpload)
	b.want(errOf(b.svc.GetUpload(ctx, &metainfo.UploadRequest{Auth: auth, Bucket: bucket, Key: []byte("parts"), Stream: upload.Stream})), metainfo.ErrUpload)
	b.want(errOf(b.svc.ListUploads(ctx, &metainfo.ListUploadsRequest{Auth: auth, Bucket: bucket})), metainfo.ErrBucketNotFound)
}

// testUploads lists uploads, resumes one and aborts others.
func testUploads(b subject) {
	ctx := b.Context()
	streams := map[string]metainfo.StreamID{}
	for _, key := range []string{"a", "b/1", "b/2", "c"} {
		begun := b.beginParts(key)
		streams[key] = begun.Stream
		b.putPart(begun.Upload, 1, 10)
	}
	b.beginParts("a") // a second one of the same key
	for _, test := range []struct {
		prefix    string
		recursive bool
		want      []string
	}{
		{want: []string{"a", "a", "b/", "c"}},
		{recursive: true, want: []string{"a", "a", "b/1", "b/2", "c"}},
		{prefix: "b/", want: []string{"1", "2"}},
		{prefix: "x/"},
	} {
		for _, limit := range []int{1, 3, 0} {
			if got := b.uploadKeys(test.prefix, test.recursive, limit); !slices.Equal(got, test.want) {
				b.Errorf("uploads under %q recursive %v by %d are %q, want %q", test.prefix, test.recursive, limit, got, test.want)
			}
		}
	}
	b.want(errOf(b.svc.ListUploads(ctx, &metainfo.ListUploadsRequest{Auth: b.auth, Bucket: bucket, Prefix: []byte("b")})), metainfo.ErrListLimit)
	b.want(errOf(b.svc.ListUploads(ctx, &metainfo.ListUploadsRequest{Auth: b.auth, Bucket: "absent"})), metainfo.ErrBucketNotFound)

	found, err := b.svc.GetUpload(ctx, &metainfo.UploadRequest{Auth: b.auth, Bucket: bucket, Key: []byte("c"), Stream: streams["c"]})
	b.ok(err)
	if string(found.WrappedKey) != "kept wrap" || string(found.Metadata) != "kept meta" || found.Stream != streams["c"] {
		b.Errorf("upload is %+v", found)
	}
	b.putPart(found.Upload, 2, 20)
	made, err := b.commitParts(found.Upload)
	b.ok(err)
	if made.PlainSize != 30 {
		b.Errorf("object is %+v", made)
	}
	b.abortParts(streams["b/1"])
}

func (b subject) uploadKeys(prefix string, recursive bool, limit int) (keys []string) {
	b.Helper()
	req := &metainfo.ListUploadsRequest{Auth: b.auth, Bucket: bucket, Prefix: []byte(prefix), Recursive: recursive, Limit: limit}
	for {
		page, err := b.svc.ListUploads(b.Context(), req)
		b.ok(err)
		for _, item := range page.Items {
			keys = append(keys, string(item.Upload.Key))
			req.Cursor, req.CursorStream = item.Upload.Key, item.Upload.Stream
		}
		if !page.More {
			return keys
		}
	}
}

// abortParts aborts an attempt at a part, then the upload.
func (b subject) abortParts(stream metainfo.StreamID) {
	b.Helper()
	ctx := b.Context()
	found, err := b.svc.GetUpload(ctx, &metainfo.UploadRequest{Auth: b.auth, Bucket: bucket, Key: []byte("b/1"), Stream: stream})
	b.ok(err)
	attempt, err := b.svc.BeginPart(ctx, &metainfo.BeginPartRequest{Auth: b.auth, Upload: found.Upload, Number: 1})
	b.ok(err)
	commit := b.fillPart(attempt.Upload, 1, 50, 60)
	for range 2 {
		b.ok(b.svc.AbortObject(ctx, &metainfo.AbortObjectRequest{Auth: b.auth, Upload: attempt.Upload}))
	}
	b.want(errOf(b.svc.CommitPart(ctx, commit)), metainfo.ErrUpload)
	list, err := b.svc.ListParts(ctx, &metainfo.ListPartsRequest{Auth: b.auth, Upload: found.Upload})
	b.ok(err)
	if len(list.Parts) != 1 || list.Parts[0].PlainSize != 10 {
		b.Errorf("aborting an attempt left %+v", list.Parts)
	}
	late, err := b.svc.BeginPart(ctx, &metainfo.BeginPartRequest{Auth: b.auth, Upload: found.Upload, Number: 2})
	b.ok(err)
	for range 2 {
		b.ok(b.svc.AbortObject(ctx, &metainfo.AbortObjectRequest{Auth: b.auth, Upload: found.Upload}))
	}
	b.want(errOf(b.svc.CommitPart(ctx, b.lonePart(late.Upload, 2))), metainfo.ErrUpload)
	b.want(errOf(b.commitParts(found.Upload)), metainfo.ErrUpload)
	if got := b.uploadKeys("b/", true, 0); !slices.Equal(got, []string{"2"}) {
		b.Errorf("uploads left are %q", got)
	}
}

func (b subject) lonePart(token []byte, number uint32) *metainfo.CommitPartRequest {
	return &metainfo.CommitPartRequest{
		Auth: b.auth, Upload: token, Segments: 1, Last: Inline(metainfo.Position{Part: number}, 0, 5),
	}
}
