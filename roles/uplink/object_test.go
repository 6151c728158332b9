package uplink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"storj/ecenc/cipher"
	"storj/metainfo"
	"storj/netx"
)

const bucketName = "bucket"

// content is n bytes that do not repeat at block borders.
func content(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	_, _ = rng.Read(b)
	return b
}

func withBucket(t testing.TB, w *world, passphrase string) *Project {
	t.Helper()
	p := w.open(t, passphrase)
	if _, err := p.EnsureBucket(t.Context(), bucketName, nil); err != nil {
		t.Fatal(err)
	}
	return p
}

func put(t testing.TB, p *Project, key string, data []byte, opts *UploadOptions) *Object {
	t.Helper()
	object, err := p.Put(t.Context(), bucketName, key, bytes.NewReader(data), opts)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func get(t testing.TB, p *Project, key string, opts *DownloadOptions) []byte {
	t.Helper()
	got, err := read(t, p, key, opts)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func read(t testing.TB, p *Project, key string, opts *DownloadOptions) ([]byte, error) {
	t.Helper()
	d, err := p.Download(t.Context(), bucketName, key, opts)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var out bytes.Buffer
	_, err = io.Copy(&out, d)
	return out.Bytes(), err
}

// boundarySizes are those at which an object changes its shape.
func boundarySizes() []int {
	inline := metainfo.InlineSize - cipher.BoxOverhead // not a border: BoxOverhead is not the block's
	inline = int(metainfo.InlineSize - (cipher.EncryptedSize(1) - 1))
	return []int{
		0, 1, inline - 1, inline, inline + 1, 64 << 10,
		testSegment - 1, testSegment, testSegment + 1, 2 * testSegment, 2*testSegment + inline, 2*testSegment + inline + 1, 5*testSegment + 99,
	}
}

func TestObjectsOfBoundarySizes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	for _, size := range boundarySizes() {
		data := content(size)
		key := fmt.Sprintf("size/%d", size)
		object := put(t, p, key, data, nil)
		if object.Size != int64(size) || object.Key != key || object.Created.IsZero() {
			t.Errorf("%d bytes were stored as %+v", size, object)
		}
		if got := get(t, p, key, nil); !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back as other %d", size, len(got))
		}
		record, err := w.record(t, p, key)
		if err != nil {
			t.Fatal(err)
		}
		if want := max(1, (size+testSegment-1)/testSegment); int(record.Segments) != want {
			t.Errorf("%d bytes in %d segments, want %d", size, record.Segments, want)
		}
	}
}

// record returns what the satellite has of an object.
func (w *world) record(t testing.TB, p *Project, key string) (*metainfo.Object, error) {
	t.Helper()
	target, err := p.locate(t.Context(), bucketName, key)
	if err != nil {
		return nil, err
	}
	return w.service.Service.GetObject(t.Context(), &metainfo.ObjectRequest{Auth: p.auth(), Bucket: bucketName, Key: target.encrypted})
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	put(t, p, "warm", nil, nil)
	tests := []struct {
		name     string
		size     int
		hint     int64
		up, down int64
	}{
		{"inline", 100, 0, 1, 1},
		{"inline, announced", 100, 100, 1, 1},
		{"one segment", 64 << 10, 0, 2, 1},
		{"one segment, announced", 64 << 10, 64 << 10, 2, 1},
		{"three segments", 3 * testSegment, 0, 6, 1},
	}
	for _, test := range tests {
		began := w.service.calls.Load()
		put(t, p, test.name, content(test.size), &UploadOptions{ContentSizeHint: test.hint})
		if got := w.service.calls.Load() - began; got != test.up {
			t.Errorf("%s: upload took %d calls, want %d", test.name, got, test.up)
		}
		began = w.service.calls.Load()
		get(t, p, test.name, nil)
		if got := w.service.calls.Load() - began; got != test.down {
			t.Errorf("%s: download took %d calls, want %d", test.name, got, test.down)
		}
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	const size = 3*testSegment + 12345
	data := content(size)
	put(t, p, "object", data, nil)
	block := int64(cipher.PlainBlockSize)
	ranges := []DownloadOptions{
		{}, {Length: 1}, {Offset: size - 1}, {Offset: -1}, {Offset: -size}, {Offset: -size - 1},
		{Offset: block - 1, Length: 2}, {Offset: block, Length: block}, {Offset: testSegment - 1, Length: 2},
		{Offset: testSegment, Length: testSegment}, {Offset: testSegment - 10, Length: testSegment + 20},
		{Offset: 3*testSegment - 1, Length: 100000}, {Offset: -12345, Length: 10}, {Length: 1 << 62},
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for range 20 {
		offset := rng.Int64N(size)
		ranges = append(ranges, DownloadOptions{Offset: offset, Length: 1 + rng.Int64N(size-offset)})
	}
	for _, opts := range ranges {
		offset, length := resolve(opts, size)
		if got := get(t, p, "object", &opts); !bytes.Equal(got, data[offset:][:length]) {
			t.Errorf("%+v: got other %d bytes", opts, len(got))
		}
	}
	if _, err := read(t, p, "object", &DownloadOptions{Offset: size}); !errors.Is(err, ErrRangeInvalid) {
		t.Errorf("behind the end: got %v, want ErrRangeInvalid", err)
	}
}

func TestReadInSmallSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	data := content(2*testSegment + 10000)
	put(t, p, "object", data, nil)
	d, err := p.Download(t.Context(), bucketName, "object", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var got []byte
	buf := make([]byte, 1777)
	for {
		n, err := d.Read(buf)
		got = append(got, buf[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, data) {
		t.Errorf("got other %d bytes", len(got))
	}
	stats := d.Stats()
	if stats.Segments != 3 || stats.NodesAsked < 3*4 || stats.PieceBytes < int64(len(data)) || len(stats.CorruptNodes) != 0 || stats.Retries != 0 {
		t.Errorf("stats %+v", stats)
	}
	if total := p.Stats(); total.PieceBytesReceived != stats.PieceBytes || total.PieceBytesSent < int64(len(data))*2 || total.SegmentsSent != 3 {
		t.Errorf("stats of the project %+v", total)
	}
}

func TestSmallRangeAsksOneNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	data := content(testSegment)
	put(t, p, "object", data, nil)
	d, err := p.Download(t.Context(), bucketName, "object", &DownloadOptions{Offset: 40000, Length: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, err := io.ReadAll(d)
	if err != nil || !bytes.Equal(got, data[40000:40100]) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	if stats := d.Stats(); stats.NodesAsked != 1 || stats.PieceBytes > 64<<10 {
		t.Errorf("stats %+v", stats)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	first := CustomMetadata{"content-type": "image/png", "größe": "12"}
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	object := put(t, p, "object", content(10000), &UploadOptions{Metadata: first, Expires: expires})
	check := func(got *Object, custom CustomMetadata) {
		t.Helper()
		if !maps.Equal(got.Custom, custom) || got.Size != 10000 || !got.Expires.Equal(expires) || got.Revision != object.Revision {
			t.Errorf("got %+v, want custom %v", got, custom)
		}
	}
	check(object, first)
	stat, err := p.Stat(t.Context(), bucketName, "object")
	if err != nil {
		t.Fatal(err)
	}
	check(stat, first)
	second := CustomMetadata{"b": "2"}
	if err := p.UpdateMetadata(t.Context(), bucketName, "object", second); err != nil {
		t.Fatal(err)
	}
	d, err := p.Download(t.Context(), bucketName, "object", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	check(d.Info(), second)

	u, err := p.Upload(t.Context(), bucketName, "other", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.SetMetadata(entries(1, MaxMetadataSize+1)); !errors.Is(err, ErrMetadataInvalid) {
		t.Errorf("too large: %v", err)
	}
	if err := u.SetMetadata(first); err != nil {
		t.Fatal(err)
	}
	if other, err := u.Commit(t.Context()); err != nil || !maps.Equal(other.Custom, first) {
		t.Errorf("got %+v, %v", other, err)
	}
	if err := u.SetMetadata(second); !errors.Is(err, ErrUploadDone) {
		t.Errorf("after commit: %v", err)
	}
}

func TestLocations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	const size = cipher.PlainBlockSize
	w.service.segmentSize = size
	p := withBucket(t, w, "secret")
	const segments = 50 // more than one answer has
	put(t, p, "object", content(segments*size+100), nil)
	got, err := p.Locations(t.Context(), bucketName, "object")
	if err != nil || len(got) != segments+1 {
		t.Fatalf("%d segments, %v", len(got), err)
	}
	for i, s := range got {
		inline := i == segments
		if s.Offset != int64(i)*size || inline != (s.Required == 0) || !inline && len(s.Pieces) < 8 {
			t.Errorf("segment %d: %+v", i, s)
		}
	}
	if piece := got[0].Pieces[0]; !got[0].Has(piece.NodeID) || got[0].Has("nobody") {
		t.Error("a node is not known for its piece, or nobody is")
	}
}

func TestCopyAndMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	if _, err := p.CreateBucket(t.Context(), "plain", &BucketOptions{PlainNames: true}); err != nil {
		t.Fatal(err)
	}
	data := content(2*testSegment + 5)
	custom := CustomMetadata{"a": "b"}
	put(t, p, "dir/one", data, &UploadOptions{Metadata: custom})
	copied, err := p.Copy(t.Context(), bucketName, "dir/one", bucketName, "dir/sub/two", nil)
	if err != nil || copied.Key != "dir/sub/two" || !maps.Equal(copied.Custom, custom) {
		t.Fatalf("got %+v, %v", copied, err)
	}
	moved, err := p.Move(t.Context(), bucketName, "dir/sub/two", "plain", "three", nil)
	if err != nil || moved.Size != int64(len(data)) {
		t.Fatalf("got %+v, %v", moved, err)
	}
	if _, err := p.Stat(t.Context(), bucketName, "dir/sub/two"); !errors.Is(err, ErrObjectNotFound) {
		t.Errorf("moved away: %v", err)
	}
	d, err := p.Download(t.Context(), "plain", "three", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got, err := io.ReadAll(d); err != nil || !bytes.Equal(got, data) {
		t.Errorf("moved content: %d bytes, %v", len(got), err)
	}
	if got := get(t, p, "dir/one", nil); !bytes.Equal(got, data) {
		t.Error("the source of a copy changed")
	}
	_, err = p.Copy(t.Context(), bucketName, "dir/one", "plain", "three", &CopyOptions{IfAbsent: true})
	if !errors.Is(err, ErrObjectExists) {
		t.Errorf("copy over an object: %v", err)
	}
	if _, err := p.Copy(t.Context(), bucketName, "none", bucketName, "x", nil); !errors.Is(err, ErrObjectNotFound) {
		t.Errorf("copy of nothing: %v", err)
	}
}

func TestMoveWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	put(t, p, "from", content(100), nil)
	w.loseAnswer("CopyObject", 1)
	if _, err := p.Move(t.Context(), bucketName, "from", bucketName, "to", nil); err != nil {
		t.Fatal(err)
	}
	if got := get(t, p, "to", nil); !bytes.Equal(got, content(100)) {
		t.Error("moved object differs")
	}
}

// TestMoveOnce: while the answer to a move is lost, somebody stores another object where the first was. That one is
// not moved, which would put it in the place of the object that was.
func TestMoveOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	put(t, p, "from", content(100), nil)
	var calls atomic.Int64
	hook := func(method string, _ any) error {
		if method != "CopyObject" || calls.Add(1) > 1 {
			return nil
		}
		put(t, p, "from", content(200), nil)
		return netx.ErrClosed
	}
	w.service.after.Store(&hook)
	if _, err := p.Move(t.Context(), bucketName, "from", bucketName, "to", nil); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string][]byte{"from": content(200), "to": content(100)} {
		if got := get(t, p, key, nil); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d", key, len(got), len(want))
		}
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	put(t, p, "a", content(1), nil)
	put(t, p, "b/c", content(1), nil)
	deleted, err := p.DeleteMany(t.Context(), bucketName, []string{"a", "none", "b/c"})
	if err != nil || !slices.Equal(deleted, []bool{true, false, true}) {
		t.Errorf("got %v, %v", deleted, err)
	}
	if err := p.Delete(t.Context(), bucketName, "a"); !errors.Is(err, ErrObjectNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	put(t, p, "a", content(1), nil)
	w.loseAnswer("DeleteObjects", 1)
	if err := p.Delete(t.Context(), bucketName, "a"); err != nil {
		t.Errorf("deletion whose answer was lost: %v", err)
	}
	put(t, p, "a", content(1), nil)
	if err := p.DeleteBucket(t.Context(), bucketName); !errors.Is(err, ErrBucketNotEmpty) {
		t.Errorf("bucket with an object: %v", err)
	}
	if n, err := p.DeleteBucketWithObjects(t.Context(), bucketName); err != nil || n != 1 {
		t.Errorf("got %d, %v", n, err)
	}
	if _, err := p.StatBucket(t.Context(), bucketName); !errors.Is(err, ErrBucketNotFound) {
		t.Errorf("deleted bucket: %v", err)
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	p := newWorld(t, 0).open(t, "secret")
	var want []string
	for i := range 5 {
		name := fmt.Sprintf("bucket-%d", i)
		b, err := p.CreateBucket(t.Context(), name, &BucketOptions{PlainNames: i%2 == 1})
		if err != nil || b.Name != name || b.PlainNames != (i%2 == 1) || b.Created.IsZero() {
			t.Fatalf("got %+v, %v", b, err)
		}
		want = append(want, name)
	}
	if _, err := p.CreateBucket(t.Context(), "bucket-1", nil); !errors.Is(err, ErrBucketExists) {
		t.Errorf("created twice: %v", err)
	}
	if b, err := p.EnsureBucket(t.Context(), "bucket-1", nil); err != nil || !b.PlainNames {
		t.Errorf("ensured: %+v, %v", b, err)
	}
	if _, err := p.CreateBucket(t.Context(), "No", nil); !errors.Is(err, ErrBucketNameInvalid) {
		t.Errorf("bad name: %v", err)
	}
	for cursor, want := range map[string][]string{"": want, "bucket-2": want[3:], "z": nil} {
		var got []string
		it := p.ListBuckets(t.Context(), &ListBucketsOptions{Cursor: cursor})
		for it.Next() {
			got = append(got, it.Item().Name)
		}
		if it.Err() != nil || !slices.Equal(got, want) {
			t.Errorf("after %q: got %v, %v; want %v", cursor, got, it.Err(), want)
		}
	}
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	ctx := t.Context()
	_, upErr := p.Put(ctx, "no-such", "key", strings.NewReader("x"), nil)
	_, downErr := p.Download(ctx, "no-such", "key", nil)
	list := p.List(ctx, "no-such", nil)
	list.Next()
	_, statErr := p.Stat(ctx, bucketName, "none")
	_, getErr := p.Download(ctx, bucketName, "none", nil)
	_, emptyErr := p.Put(ctx, bucketName, "", strings.NewReader("x"), nil)
	_, longErr := p.Put(ctx, bucketName, strings.Repeat("x", 5000), strings.NewReader("x"), nil)
	_, nameErr := p.Stat(ctx, "No", "key")
	for name, test := range map[string]struct{ got, want error }{
		"upload to no bucket":     {upErr, ErrBucketNotFound},
		"download from no bucket": {downErr, ErrBucketNotFound},
		"list of no bucket":       {list.Err(), ErrBucketNotFound},
		"stat":                    {statErr, ErrObjectNotFound},
		"download":                {getErr, ErrObjectNotFound},
		"empty key":               {emptyErr, ErrObjectKeyInvalid},
		"long key":                {longErr, ErrObjectKeyInvalid},
		"bucket name":             {nameErr, ErrBucketNameInvalid},
	} {
		if !errors.Is(test.got, test.want) {
			t.Errorf("%s: got %v, want %v", name, test.got, test.want)
		}
	}
}

// TestBucketMadeAnew holds that a bucket which was deleted and made anew with plain names is noticed.
func TestBucketMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	other := w.openAccess(t, w.config(t), p.access)
	put(t, other, "a", content(1), nil)
	if _, err := p.DeleteBucketWithObjects(t.Context(), bucketName); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Stat(t.Context(), bucketName, "a"); !errors.Is(err, ErrBucketNotFound) {
		t.Fatalf("got %v", err)
	}
	if _, err := p.CreateBucket(t.Context(), bucketName, &BucketOptions{PlainNames: true}); err != nil {
		t.Fatal(err)
	}
	put(t, other, "a", content(1), nil)
	if _, err := p.Stat(t.Context(), bucketName, "a"); err != nil {
		t.Errorf("stored under an encrypted name in a bucket with plain ones: %v", err)
	}
}
