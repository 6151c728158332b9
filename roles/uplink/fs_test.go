package uplink

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"
)

// TestFS runs the suite of the standard library on buckets of both kinds.
func TestFS(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*BucketOptions{"encrypted": nil, "plain": {PlainNames: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newWorld(t, 10).open(t, "secret")
			if _, err := p.CreateBucket(t.Context(), bucketName, opts); err != nil {
				t.Fatal(err)
			}
			if err := fstest.TestFS(p.FS(t.Context(), bucketName, nil)); err != nil {
				t.Errorf("empty: %v", err)
			}
			keys := []string{"b", "a.txt", "dir/x", "dir/sub/large", "dir/sub/empty", "dir/z", "ü/漢"}
			for i, key := range keys {
				put(t, p, key, content([]int{10, 0, 300, 5000, 0, 10, 1}[i]), nil)
			}
			for _, hidden := range []string{"dir/", "a//b", "/top", "b/below", "dir/sub/."} {
				put(t, p, hidden, content(1), nil)
			}
			if err := fstest.TestFS(p.FS(t.Context(), bucketName, nil), keys...); err != nil {
				t.Error(err)
			}
			if err := fstest.TestFS(p.FS(t.Context(), bucketName, &FSOptions{Prefix: "dir/"}), "x", "z", "sub/large"); err != nil {
				t.Errorf("below a prefix: %v", err)
			}
		})
	}
}

func TestFSErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	put(t, p, "dir/file", content(10), nil)
	files := p.FS(t.Context(), bucketName, nil)
	absent := p.FS(t.Context(), "no-such-bucket", nil)
	for name, err := range map[string]error{
		"open":         second(files.Open("nothing")),
		"stat":         second(files.Stat("dir/nothing")),
		"read file":    second(files.ReadFile("nothing")),
		"read folder":  second(files.ReadDir("nothing")),
		"bucket":       second(absent.Open("x")),
		"bucket's top": second(absent.ReadDir(".")),
	} {
		var pathErr *fs.PathError
		if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &pathErr) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"open": second(files.Open("/x")), "stat": second(files.Stat("a/../b")), "read file": second(files.ReadFile(".")),
		"read folder": second(files.ReadDir("x/")),
	} {
		if !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	shared, err := p.Share(t.Context(), ReadOnlyPermission(), SharePrefix{Bucket: bucketName, Prefix: "other/"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.openAccess(t, w.config(t), shared).FS(t.Context(), bucketName, nil).Open("dir/file"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("beside the shared prefix: %v", err)
	}
}

// TestFSFile seeks about in a file that is replaced in the end.
func TestFSFile(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	data := content(3*testSegment + 7)
	object := put(t, p, "file", data, nil)
	file, err := p.FS(t.Context(), bucketName, nil).Open("file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() != int64(len(data)) || info.Sys().(*Object).Revision != object.Revision {
		t.Fatalf("%+v, %v", info, err)
	}
	seeker := file.(io.ReadSeeker)
	for _, at := range []int64{testSegment - 3, 5, 2 * testSegment} {
		if _, err := seeker.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 10)
		if _, err := io.ReadFull(seeker, got); err != nil || !bytes.Equal(got, data[at:at+10]) {
			t.Errorf("read at %d: %v", at, err)
		}
	}
	tail := make([]byte, 100)
	if n, err := file.(io.ReaderAt).ReadAt(tail, int64(len(data)-40)); n != 40 || err != io.EOF || !bytes.Equal(tail[:n], data[len(data)-40:]) {
		t.Errorf("read %d at the end, %v", n, err)
	}
	put(t, p, "file", slices.Concat(data, data), nil)
	if _, err := file.(io.ReaderAt).ReadAt(tail, 0); !errors.Is(err, ErrObjectChanged) {
		t.Errorf("read from a file that was replaced: %v", err)
	}
}
