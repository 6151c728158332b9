package metaclient_test

import (
	"context"
	"sync/atomic"
	"testing"

	"storj/metainfo"
	"storj/metainfo/metatest"
	"storj/netx"
)

// lossy is a service that does what it is asked, and whose answer is lost once: the connection dies before it is sent.
type lossy struct {
	metainfo.Service
	cut  func() // the connection
	lose atomic.Bool
	done atomic.Int32 // calls that were carried out
}

func (l *lossy) after() {
	l.done.Add(1)
	if l.lose.CompareAndSwap(true, false) {
		l.cut()
	}
}

func answer[Req, Resp any](ctx context.Context, l *lossy, req *Req, do func(context.Context, *Req) (*Resp, error)) (*Resp, error) {
	defer l.after()
	return do(ctx, req)
}

func quietly[Req any](ctx context.Context, l *lossy, req *Req, do func(context.Context, *Req) error) error {
	defer l.after()
	return do(ctx, req)
}

func (l *lossy) CommitObject(ctx context.Context, req *metainfo.CommitObjectRequest) (*metainfo.Object, error) {
	return answer(ctx, l, req, l.Service.CommitObject)
}

func (l *lossy) CopyObject(ctx context.Context, req *metainfo.CopyObjectRequest) (*metainfo.Object, error) {
	return answer(ctx, l, req, l.Service.CopyObject)
}

func (l *lossy) CommitPart(ctx context.Context, req *metainfo.CommitPartRequest) (*metainfo.Part, error) {
	return answer(ctx, l, req, l.Service.CommitPart)
}

func (l *lossy) UpdateMetadata(ctx context.Context, req *metainfo.UpdateMetadataRequest) error {
	return quietly(ctx, l, req, l.Service.UpdateMetadata)
}

func (l *lossy) CommitSegment(ctx context.Context, req *metainfo.CommitSegmentRequest) error {
	return quietly(ctx, l, req, l.Service.CommitSegment)
}

func (l *lossy) AbortObject(ctx context.Context, req *metainfo.AbortObjectRequest) error {
	return quietly(ctx, l, req, l.Service.AbortObject)
}

func (l *lossy) DeleteObjects(ctx context.Context, req *metainfo.DeleteObjectsRequest) (*metainfo.DeleteObjectsResult, error) {
	return answer(ctx, l, req, l.Service.DeleteObjects)
}

func (l *lossy) BeginObject(ctx context.Context, req *metainfo.BeginObjectRequest) (*metainfo.BeginObjectResult, error) {
	return answer(ctx, l, req, l.Service.BeginObject)
}

// TestLostAnswers loses the answer of each kind of call: those that may be sent again are, and have happened once;
// others are not, and say so.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	w := metatest.NewWorld(t, metatest.Options{})
	l := &lossy{Service: w.Endpoint}
	svc, wire := serveOver(t, l)
	l.cut = wire.cut
	ctx, auth := t.Context(), w.Auth(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := svc.CreateBucket(ctx, &metainfo.CreateBucketRequest{Auth: auth, Name: "bucket"})
	must(err)
	begin := func(parts bool) *metainfo.BeginObjectResult {
		t.Helper()
		begun, err := w.Endpoint.BeginObject(ctx, &metainfo.BeginObjectRequest{Auth: auth, Bucket: "bucket", Key: []byte("big"), Multipart: parts})
		must(err)
		return begun
	}
	whole, parts := begin(false), begin(true)
	part, err := w.Endpoint.BeginPart(ctx, &metainfo.BeginPartRequest{Auth: auth, Upload: parts.Upload, Number: 1})
	must(err)
	var made *metainfo.Object
	for _, call := range []struct {
		name string
		do   func() error
		sent int // how often
	}{
		{"begin", func() error {
			_, err := svc.BeginObject(ctx, &metainfo.BeginObjectRequest{Auth: auth, Bucket: "bucket", Key: []byte("k")})
			return err
		}, 2},
		{"begin in parts", func() error {
			_, err := svc.BeginObject(ctx, &metainfo.BeginObjectRequest{Auth: auth, Bucket: "bucket", Key: []byte("k"), Multipart: true})
			return err
		}, 1},
		{"commit", func() (err error) {
			made, err = svc.CommitObject(ctx, &metainfo.CommitObjectRequest{
				Auth: auth, Bucket: "bucket", Key: []byte("a"), Segments: 1, Last: metatest.Inline(metainfo.Position{}, 0, 10), WrappedKey: []byte("w"),
			})
			return err
		}, 2},
		{"metadata", func() error {
			return svc.UpdateMetadata(ctx, &metainfo.UpdateMetadataRequest{Auth: auth, Bucket: "bucket", Key: []byte("a"), Stream: made.Stream, Metadata: []byte("m")})
		}, 2},
		{"copy", func() error {
			_, err := svc.CopyObject(ctx, &metainfo.CopyObjectRequest{Auth: auth, Bucket: "bucket", Key: []byte("a"), Stream: made.Stream, ToBucket: "bucket", ToKey: []byte("b"), WrappedKey: []byte("x"), IfAbsent: true})
			return err
		}, 2},
		{"move", func() error {
			_, err := svc.CopyObject(ctx, &metainfo.CopyObjectRequest{Auth: auth, Bucket: "bucket", Key: []byte("a"), Stream: made.Stream, ToBucket: "bucket", ToKey: []byte("c"), WrappedKey: []byte("y"), Move: true})
			return err
		}, 2},
		{"segment", func() error {
			return svc.CommitSegment(ctx, &metainfo.CommitSegmentRequest{Auth: auth, Upload: whole.Upload, Segment: *metatest.Inline(metainfo.Position{}, 0, 10)})
		}, 2},
		{"abort", func() error {
			return svc.AbortObject(ctx, &metainfo.AbortObjectRequest{Auth: auth, Upload: whole.Upload})
		}, 2},
		{"part", func() error {
			_, err := svc.CommitPart(ctx, &metainfo.CommitPartRequest{Auth: auth, Upload: part.Upload, Segments: 1, Last: metatest.Inline(metainfo.Position{Part: 1}, 0, 10)})
			return err
		}, 2},
		{"parts", func() error {
			_, err := svc.CommitObject(ctx, &metainfo.CommitObjectRequest{Auth: auth, Upload: parts.Upload, IfAbsent: true})
			return err
		}, 2},
		{"delete", func() error {
			_, err := svc.DeleteObjects(ctx, &metainfo.DeleteObjectsRequest{Auth: auth, Bucket: "bucket", Items: []metainfo.DeleteItem{{Key: []byte("b")}}})
			return err
		}, 1},
	} {
		_, err := svc.ProjectInfo(ctx, &metainfo.ProjectInfoRequest{Auth: auth}) // there is a connection
		must(err)
		l.done.Store(0)
		l.lose.Store(true)
		err = call.do()
		if again := call.sent == 2; again != (err == nil) || !again && netx.CodeOf(err) != netx.Unavailable {
			t.Errorf("%s: %v", call.name, err)
		}
		if done := int(l.done.Load()); done != call.sent {
			t.Errorf("%s was carried out %d times, want %d", call.name, done, call.sent)
		}
	}
	page, err := svc.ListObjects(ctx, &metainfo.ListObjectsRequest{Auth: auth, Bucket: "bucket"})
	must(err)
	var keys string
	for _, item := range page.Items {
		keys += string(item.Object.Key) + " "
	}
	if keys != "big c " {
		t.Errorf("objects are %q", keys)
	}
}
