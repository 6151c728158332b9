package uplink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"storj/metainfo"
)

func beginParts(t testing.TB, p *Project, key string, opts *UploadOptions) string {
	t.Helper()
	u, err := p.BeginUpload(t.Context(), bucketName, key, opts)
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func putPart(t testing.TB, p *Project, key, id string, number int, data []byte) *Part {
	t.Helper()
	part, err := p.PutPart(t.Context(), bucketName, key, id, number, bytes.NewReader(data), nil)
	if err != nil {
		t.Fatal(err)
	}
	return part
}

func commitParts(t testing.TB, p *Project, key, id string, opts *CommitUploadOptions) *Object {
	t.Helper()
	object, err := p.CommitUpload(t.Context(), bucketName, key, id, opts)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func partsOf(t testing.TB, it *PartIterator) (parts []Part) {
	t.Helper()
	for it.Next() {
		parts = append(parts, *it.Item())
	}
	if it.Err() != nil {
		t.Fatal(it.Err())
	}
	return parts
}

// TestPartsOfAllSizes uploads parts in a random order, at the same time, with gaps, empty ones and ones that are replaced,
// and reads the object back from every border.
func TestPartsOfAllSizes(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	sizes := map[int]int{
		1: 3 * testSegment, 2: 3 * testSegment, 3: 100, 5: 0, 6: testSegment, 7: testSegment + 1, 9: 5000, 10000: 2*testSegment - 1,
	}
	custom, tags := CustomMetadata{"name": "value"}, Tags{"label": "yes"}
	id := beginParts(t, p, "object", &UploadOptions{Metadata: custom, Tags: tags})
	putPart(t, p, "object", id, 3, content(2*testSegment)) // replaced below
	var sending sync.WaitGroup
	for number, size := range sizes {
		sending.Go(func() {
			data := partContent(number, size)
			if _, err := p.PutPart(t.Context(), bucketName, "object", id, number, bytes.NewReader(data), nil); err != nil {
				t.Errorf("part %d: %v", number, err)
			}
		})
	}
	sending.Wait()
	if _, err := p.Stat(t.Context(), bucketName, "object"); !errors.Is(err, ErrObjectNotFound) {
		t.Errorf("object before its commit: %v", err)
	}
	var whole []byte
	var borders []int64
	numbers := []int{1, 2, 3, 5, 6, 7, 9, 10000}
	for i, part := range partsOf(t, p.ListParts(t.Context(), bucketName, "object", id, nil)) {
		if part.Number != numbers[i] || part.Size != int64(sizes[part.Number]) || part.Created.IsZero() {
			t.Errorf("part %d is %+v", numbers[i], part)
		}
	}
	for _, number := range numbers {
		whole = append(whole, partContent(number, sizes[number])...)
		borders = append(borders, int64(len(whole)))
	}
	object := commitParts(t, p, "object", id, nil)
	if object.Size != int64(len(whole)) || object.Parts != len(numbers) || object.Custom["name"] != "value" || object.Tags["label"] != "yes" {
		t.Errorf("committed as %+v", object)
	}
	if got := get(t, p, "object", nil); !bytes.Equal(got, whole) {
		t.Fatalf("%d bytes came back as other %d", len(whole), len(got))
	}
	for _, border := range borders {
		for _, opts := range []DownloadOptions{{Offset: border - 1, Length: 2}, {Offset: border, Length: 3}, {Offset: max(0, border-testSegment-5)}} {
			if opts.Offset < 0 || opts.Offset >= int64(len(whole)) {
				continue
			}
			offset, length := resolve(opts, int64(len(whole)))
			if got := get(t, p, "object", &opts); !bytes.Equal(got, whole[offset:offset+length]) {
				t.Errorf("range %+v differs", opts)
			}
		}
	}
	after := partsOf(t, p.ObjectParts(t.Context(), bucketName, "object", nil))
	if len(after) != len(numbers) || after[7].Number != 10000 || after[1].Size != 3*testSegment {
		t.Errorf("parts of the object: %+v", after)
	}
}

func partContent(number, size int) []byte {
	b := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{byte(number), byte(number >> 8), byte(size)})
	_, _ = rng.Read(b)
	return b
}

// TestUploadIsResumedElsewhere goes on with an upload in another process, which knows key, ID and passphrase only.
func TestUploadIsResumedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	first := withBucket(t, w, "secret")
	id := beginParts(t, first, "dir/object", &UploadOptions{Metadata: CustomMetadata{"a": "b"}})
	one, two := content(testSegment+9), content(77)
	putPart(t, first, "dir/object", id, 1, one)

	second := w.open(t, "secret")
	stat, err := second.StatUpload(t.Context(), bucketName, "dir/object", id)
	if err != nil || stat.ID != id || stat.Custom["a"] != "b" {
		t.Fatalf("upload seen as %+v, %v", stat, err)
	}
	u, err := second.UploadPart(t.Context(), bucketName, "dir/object", id, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write(two); err != nil {
		t.Fatal(err)
	}
	if err := u.SetMetadata(CustomMetadata{"etag": "0123"}); err != nil {
		t.Fatal(err)
	}
	if part, err := u.Commit(t.Context()); err != nil || part.Number != 2 || part.Size != 77 {
		t.Fatalf("part %+v, %v", part, err)
	}
	parts := partsOf(t, w.open(t, "secret").ListParts(t.Context(), bucketName, "dir/object", id, nil))
	if len(parts) != 2 || parts[1].Metadata["etag"] != "0123" {
		t.Fatalf("parts %+v", parts)
	}
	third := w.open(t, "secret")
	commitParts(t, third, "dir/object", id, nil)
	if got := get(t, first, "dir/object", nil); !bytes.Equal(got, slices.Concat(one, two)) {
		t.Error("content differs")
	}
	again := commitParts(t, first, "dir/object", id, nil) // whose answer a process may have missed
	if again.Size != int64(len(one)+len(two)) {
		t.Errorf("committed again as %+v", again)
	}
	if _, err := w.open(t, "wrong").StatUpload(t.Context(), bucketName, "dir/object", id); err == nil {
		t.Error("another passphrase found the upload")
	}
}

func TestListUploads(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	want := map[string]int{}
	for i := range 6 {
		key := fmt.Sprintf("dir%d/object", i/2)
		want[key+" "+beginParts(t, p, key, nil)]++
	}
	want["top "+beginParts(t, p, "top", &UploadOptions{Metadata: CustomMetadata{"x": "y"}})]++
	list := func(opts *ListUploadsOptions) (uploads []PendingUpload) {
		it := p.ListUploads(t.Context(), bucketName, opts)
		for it.Next() {
			uploads = append(uploads, *it.Item())
		}
		if it.Err() != nil || it.Hidden() != 0 {
			t.Fatalf("listing ended with %v, %d hidden", it.Err(), it.Hidden())
		}
		return uploads
	}
	all := list(&ListUploadsOptions{Recursive: true})
	for i, u := range all {
		want[u.Key+" "+u.ID]--
		if u.Key == "top" && u.Custom["x"] != "y" {
			t.Errorf("%+v has lost its metadata", u)
		}
		rest := list(&ListUploadsOptions{Recursive: true, Cursor: u.Key, CursorID: u.ID})
		if len(rest) != len(all)-i-1 {
			t.Errorf("%d of %d uploads behind number %d", len(rest), len(all), i)
		}
	}
	for name, n := range want {
		if n != 0 {
			t.Errorf("%s is listed %d times too few", name, n)
		}
	}
	if got := list(nil); len(got) != 4 {
		t.Errorf("top level has %+v", got)
	}
	if got := list(&ListUploadsOptions{Prefix: "dir1/"}); len(got) != 2 || got[0].Key != "dir1/object" {
		t.Errorf("prefix has %+v", got)
	}
}

func TestCommitUploadChoosesParts(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	id := beginParts(t, p, "object", &UploadOptions{Metadata: CustomMetadata{"old": "1"}})
	if _, err := p.CommitUpload(t.Context(), bucketName, "object", id, nil); !errors.Is(err, ErrPartInvalid) {
		t.Errorf("no parts: %v", err)
	}
	for number := 1; number <= 4; number++ {
		putPart(t, p, "object", id, number, partContent(number, 10))
	}
	for _, numbers := range [][]int{{5}, {1, 5}, {0}, {2, 1}, {1, 1}, {-1}} {
		_, err := p.CommitUpload(t.Context(), bucketName, "object", id, &CommitUploadOptions{Parts: numbers})
		if !errors.Is(err, ErrPartInvalid) {
			t.Errorf("parts %v: %v", numbers, err)
		}
	}
	object := commitParts(t, p, "object", id, &CommitUploadOptions{Parts: []int{2, 4}, Metadata: CustomMetadata{"new": "2"}})
	if want := slices.Concat(partContent(2, 10), partContent(4, 10)); !bytes.Equal(get(t, p, "object", nil), want) {
		t.Error("other parts than those that were named")
	}
	if object.Parts != 2 || len(object.Custom) != 1 || object.Custom["new"] != "2" {
		t.Errorf("%+v", object)
	}
}

// TestPartReplacedWhileCommitted has another process send a part again, and it is of another size, after the parts were
// listed for the commit: what is sealed must be what is stored.
func TestPartReplacedWhileCommitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	id := beginParts(t, p, "object", nil)
	putPart(t, p, "object", id, 1, partContent(1, 50))
	putPart(t, p, "object", id, 2, partContent(2, 50))
	var replaced atomic.Bool
	hook := func(method string, resp any) error {
		if _, ok := resp.(*metainfo.PartList); ok && replaced.CompareAndSwap(false, true) {
			putPart(t, p, "object", id, 2, partContent(3, 70))
		}
		return nil
	}
	w.service.after.Store(&hook)
	if object := commitParts(t, p, "object", id, &CommitUploadOptions{Parts: []int{1, 2}}); object.Size != 120 {
		t.Errorf("%d bytes", object.Size)
	}
	if want := slices.Concat(partContent(1, 50), partContent(3, 70)); !bytes.Equal(get(t, p, "object", nil), want) {
		t.Error("other parts than those that were stored")
	}
}

func TestPartArguments(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	id := beginParts(t, p, "object", nil)
	for _, number := range []int{0, -1, MaxParts + 1} {
		if _, err := p.UploadPart(t.Context(), bucketName, "object", id, number, nil); !errors.Is(err, ErrPartInvalid) {
			t.Errorf("number %d: %v", number, err)
		}
	}
	for _, bad := range []string{"", "x", id[:30], id + "00"} {
		if _, err := p.UploadPart(t.Context(), bucketName, "object", bad, 1, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("ID %q: %v", bad, err)
		}
	}
	other := "00112233445566778899aabbccddeeff"
	if _, err := p.UploadPart(t.Context(), bucketName, "object", other, 1, nil); !errors.Is(err, ErrUploadLost) {
		t.Errorf("unknown ID: %v", err)
	}
	if _, err := p.CommitUpload(t.Context(), bucketName, "object", other, nil); !errors.Is(err, ErrUploadLost) {
		t.Errorf("commit of an unknown ID: %v", err)
	}
	big := CustomMetadata{"k": string(make([]byte, 500))}
	if _, err := p.UploadPart(t.Context(), bucketName, "object", id, 1, &PartOptions{Metadata: big}); !errors.Is(err, ErrMetadataInvalid) {
		t.Errorf("large metadata: %v", err)
	}
	full := CustomMetadata{"k": string(bytes.Repeat([]byte("x"), MaxPartMetadata-9))}
	if _, err := p.PutPart(t.Context(), bucketName, "object", id, 1, bytes.NewReader(nil), &PartOptions{Metadata: full}); err != nil {
		t.Errorf("as much metadata as may be: %v", err)
	}
}

func TestAbortUpload(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	id := beginParts(t, p, "object", nil)
	putPart(t, p, "object", id, 1, content(2*testSegment))
	part, err := p.UploadPart(t.Context(), bucketName, "object", id, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(content(2 * testSegment)); err != nil {
		t.Fatal(err)
	}
	if err := part.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := part.Commit(t.Context()); !errors.Is(err, ErrUploadDone) {
		t.Errorf("part committed after abort: %v", err)
	}
	if parts := partsOf(t, p.ListParts(t.Context(), bucketName, "object", id, nil)); len(parts) != 1 {
		t.Errorf("parts %+v", parts)
	}
	for range 2 {
		if err := p.AbortUpload(t.Context(), bucketName, "object", id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.UploadPart(t.Context(), bucketName, "object", id, 1, nil); !errors.Is(err, ErrUploadLost) {
		t.Errorf("part of an aborted upload: %v", err)
	}
	it := p.ListUploads(t.Context(), bucketName, &ListUploadsOptions{Recursive: true})
	if it.Next() || it.Err() != nil {
		t.Errorf("aborted upload is listed: %+v, %v", it.Item(), it.Err())
	}
}

// TestPartsWhoseAnswersAreLost loses the answers of every call that writes.
func TestPartsWhoseAnswersAreLost(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"CommitPart", "CommitObject", "BeginPart", "CommitSegment", "ListParts"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 10)
				p := withBucket(t, w, "secret")
				id := beginParts(t, p, "object", nil)
				w.loseAnswer(method, 2)
				putPart(t, p, "object", id, 1, content(3*testSegment+1))
				putPart(t, p, "object", id, 2, content(9))
				object := commitParts(t, p, "object", id, &CommitUploadOptions{IfAbsent: true})
				if object.Parts != 2 {
					t.Errorf("%+v", object)
				}
				if got := get(t, p, "object", nil); !bytes.Equal(got, slices.Concat(content(3*testSegment+1), content(9))) {
					t.Error("content differs")
				}
			})
		})
	}
}

func TestPartOutlivesRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		id := beginParts(t, p, "object", nil)
		u, err := p.UploadPart(t.Context(), bucketName, "object", id, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		data := content(4 * testSegment)
		if _, err := u.Write(data[:2*testSegment]); err != nil {
			t.Fatal(err)
		}
		w.network.Kill(w.satellite.ID)
		time.AfterFunc(70*time.Second, func() { w.network.Revive(w.satellite.ID) })
		if _, err := u.Write(data[2*testSegment:]); err != nil {
			t.Fatal(err)
		}
		if _, err := u.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		commitParts(t, p, "object", id, nil)
		if !bytes.Equal(get(t, p, "object", nil), data) {
			t.Error("content differs")
		}
	})
}

// TestManyDifferentParts makes an object of more different parts than its seal holds.
func TestManyDifferentParts(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	id := beginParts(t, p, "object", nil)
	var whole []byte
	for number := 1; number <= maxRuns+10; number++ {
		data := partContent(number, 1+number%2)
		putPart(t, p, "object", id, number, data)
		whole = append(whole, data...)
	}
	commitParts(t, p, "object", id, nil)
	if got := get(t, p, "object", nil); !bytes.Equal(got, whole) {
		t.Errorf("%d bytes came back as other %d", len(whole), len(got))
	}
	if got := get(t, p, "object", &DownloadOptions{Offset: 501, Length: 7}); !bytes.Equal(got, whole[501:508]) {
		t.Error("range differs")
	}
	if err := p.UpdateTags(t.Context(), bucketName, "object", Tags{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Copy(t.Context(), bucketName, "object", bucketName, "copy", nil); err != nil {
		t.Fatal(err)
	}
	if got := get(t, p, "copy", nil); !bytes.Equal(got, whole) {
		t.Error("copy differs")
	}
}

// TestSatelliteLiesAboutParts has the satellite leave out parts, in the listing for the commit and in the one for the reader.
func TestSatelliteLiesAboutParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	lie := func(change func(*metainfo.PartList)) {
		hook := func(method string, resp any) error {
			if list, ok := resp.(*metainfo.PartList); ok {
				change(list)
			}
			return nil
		}
		w.service.after.Store(&hook)
	}
	id := beginParts(t, p, "object", nil)
	for number := 1; number <= 3; number++ {
		putPart(t, p, "object", id, number, partContent(number, 50))
	}
	lie(func(l *metainfo.PartList) { l.Parts[1].PlainSize++ })
	if _, err := p.CommitUpload(t.Context(), bucketName, "object", id, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another size: %v", err)
	}
	lie(func(l *metainfo.PartList) { l.Parts[1].Metadata = l.Parts[0].Metadata })
	if _, err := p.CommitUpload(t.Context(), bucketName, "object", id, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another part's metadata: %v", err)
	}
	lie(func(*metainfo.PartList) {})
	commitParts(t, p, "object", id, nil)

	many := beginParts(t, p, "many", nil)
	for number := 1; number <= maxRuns+2; number++ {
		putPart(t, p, "many", many, number, partContent(number, 1+number%2))
	}
	commitParts(t, p, "many", many, nil)
	lie(func(l *metainfo.PartList) { l.Parts = l.Parts[:len(l.Parts)-1] })
	if _, err := p.Download(t.Context(), bucketName, "many", nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a part left out: %v", err)
	}
}

// TestSegmentsOfPartsSwapped has the satellite send a segment of one part as that of another.
func TestSegmentsOfPartsSwapped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	id := beginParts(t, p, "object", nil)
	putPart(t, p, "object", id, 1, content(100))
	putPart(t, p, "object", id, 2, partContent(2, 100))
	commitParts(t, p, "object", id, nil)
	hook := func(_ string, resp any) error {
		if got, ok := resp.(*metainfo.DownloadResult); ok && len(got.Segments) == 2 {
			a, b := &got.Segments[0], &got.Segments[1]
			a.Inline, b.Inline = b.Inline, a.Inline
			a.Salt, b.Salt = b.Salt, a.Salt
		}
		return nil
	}
	w.service.after.Store(&hook)
	if got, err := read(t, p, "object", nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestPartsMemory holds that parts give back what they borrow.
func TestPartsMemory(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	id := beginParts(t, p, "object", nil)
	failing := io.MultiReader(bytes.NewReader(content(2*testSegment)), &brokenReader{})
	if _, err := p.PutPart(t.Context(), bucketName, "object", id, 1, failing, nil); !errors.Is(err, errBroken) {
		t.Errorf("reader failed as %v", err)
	}
	putPart(t, p, "object", id, 2, content(testSegment+1))
	if got := p.sizes.loaded.buffers.Large(); got != 0 {
		t.Errorf("%d large buffers are still lent", got)
	}
}

var errBroken = errors.New("disk gone")

type brokenReader struct{}

func (*brokenReader) Read([]byte) (int, error) { return 0, errBroken }

func BenchmarkPutPart(b *testing.B) {
	p := withBucket(b, newWorld(b, 10), "secret")
	id := beginParts(b, p, "object", nil)
	data := content(8 * testSegment)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.PutPart(b.Context(), bucketName, "object", id, 1, bytes.NewReader(data), nil); err != nil {
			b.Fatal(err)
		}
	}
}
