package uplink

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"storj/ecenc/keys"
)

// listAll returns the keys of a listing, sorted unless the bucket lists in order.
func listAll(t *testing.T, p *Project, bucket string, opts ListOptions) []string {
	t.Helper()
	var got []string
	it := p.List(t.Context(), bucket, &opts)
	for it.Next() {
		if it.Item().IsPrefix != strings.HasSuffix(it.Item().Key, "/") && !opts.Recursive {
			t.Errorf("%q is marked as prefix: %t", it.Item().Key, it.Item().IsPrefix)
		}
		got = append(got, it.Item().Key)
	}
	if it.Err() != nil || it.Hidden() != 0 {
		t.Errorf("%+v: %v, %d hidden", opts, it.Err(), it.Hidden())
	}
	return got
}

func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	p := w.open(t, "secret")
	objects := []string{"a", "b", "dir/a", "dir/b", "dir/sub/c", "dir2/x", "über/1", "//odd", "dir//two"}
	slices.Sort(objects)
	tests := []struct {
		opts ListOptions
		want []string
	}{
		{ListOptions{}, []string{"/", "a", "b", "dir/", "dir2/", "über/"}},
		{ListOptions{Recursive: true}, objects},
		{ListOptions{Prefix: "dir/"}, []string{"dir//", "dir/a", "dir/b", "dir/sub/"}},
		{ListOptions{Prefix: "dir"}, []string{"dir/", "dir2/"}},
		{ListOptions{Prefix: "dir", Recursive: true}, []string{"dir//two", "dir/a", "dir/b", "dir/sub/c", "dir2/x"}},
		{ListOptions{Prefix: "dir/s"}, []string{"dir/sub/"}},
		{ListOptions{Prefix: "none/"}, nil},
		{ListOptions{Prefix: "/"}, []string{"//"}},
	}
	for _, plain := range []bool{false, true} {
		name := fmt.Sprintf("names-plain-%t", plain)
		if _, err := p.CreateBucket(t.Context(), name, &BucketOptions{PlainNames: plain}); err != nil {
			t.Fatal(err)
		}
		for _, key := range objects {
			if _, err := p.Put(t.Context(), name, key, strings.NewReader(key), nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, test := range tests {
			got := listAll(t, p, name, test.opts)
			if !plain {
				slices.Sort(got)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%s %+v: got %q, want %q", name, test.opts, got, test.want)
			}
			checkCursors(t, p, name, test.opts)
		}
	}
}

// checkCursors lists again from each item on.
func checkCursors(t *testing.T, p *Project, bucket string, opts ListOptions) {
	t.Helper()
	all := listAll(t, p, bucket, opts)
	for i, key := range all {
		opts.Cursor = key
		if got := listAll(t, p, bucket, opts); !slices.Equal(got, all[i+1:]) {
			t.Errorf("%s %+v: got %q, want %q", bucket, opts, got, all[i+1:])
		}
	}
}

func TestListCustomMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	p := withBucket(t, w, "secret")
	for i := range 3 {
		put(t, p, fmt.Sprint("dir/", i), content(i), &UploadOptions{Metadata: CustomMetadata{"i": fmt.Sprint(i)}})
	}
	it := p.List(t.Context(), bucketName, &ListOptions{Prefix: "dir/", Custom: true})
	for it.Next() {
		if o := it.Item(); o.Key != "dir/"+o.Custom["i"] || fmt.Sprint(o.Size) != o.Custom["i"] || o.Created.IsZero() {
			t.Errorf("got %+v", o)
		}
	}
	if it.Err() != nil {
		t.Error(it.Err())
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("2,100 objects")
	}
	p := withBucket(t, newWorld(t, 0), "secret")
	want := make(map[string]bool)
	for i := range 2100 {
		key := fmt.Sprintf("k%04d", i)
		want[key] = true
		put(t, p, key, nil, nil)
	}
	for _, key := range listAll(t, p, bucketName, ListOptions{Recursive: true}) {
		if !want[key] {
			t.Fatalf("%q is listed twice, or is not there", key)
		}
		delete(want, key)
	}
	if len(want) != 0 {
		t.Errorf("%d objects were not listed", len(want))
	}
}

// TestWrongPassphrase holds that it never looks like an empty bucket.
func TestWrongPassphrase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	right := withBucket(t, w, "secret")
	for i := range 3 {
		put(t, right, fmt.Sprint(i), nil, nil)
	}
	wrong := w.open(t, "Secret")
	put(t, wrong, "mine", nil, nil)
	for _, recursive := range []bool{true, false} {
		it := wrong.List(t.Context(), bucketName, &ListOptions{Recursive: recursive})
		var got []string
		for it.Next() {
			got = append(got, it.Item().Key)
		}
		if it.Err() != nil || it.Hidden() != 3 || !slices.Equal(got, []string{"mine"}) {
			t.Errorf("got %q, %v, %d hidden", got, it.Err(), it.Hidden())
		}
	}
	if _, err := wrong.Stat(t.Context(), bucketName, "1"); !errors.Is(err, ErrObjectNotFound) {
		t.Errorf("encrypted names: %v", err)
	}
	other := w.open(t, "SECRET")
	if it := other.List(t.Context(), bucketName, &ListOptions{Prefix: "folder/"}); it.Next() || it.Err() != nil || it.Hidden() == 0 {
		t.Errorf("a prefix: %v, %d hidden: looks empty", it.Err(), it.Hidden())
	}
	if it := right.List(t.Context(), bucketName, &ListOptions{Prefix: "folder/"}); it.Next() || it.Hidden() != 0 {
		t.Errorf("a prefix that is empty: %d hidden", it.Hidden())
	}
	if _, err := right.CreateBucket(t.Context(), "plain", &BucketOptions{PlainNames: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := right.Put(t.Context(), "plain", "a", strings.NewReader("x"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Download(t.Context(), "plain", "a", nil); !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("plain names: %v", err)
	}
	it := wrong.List(t.Context(), "plain", &ListOptions{Custom: true})
	if it.Next() || it.Hidden() != 1 {
		t.Errorf("plain names with metadata: %d hidden, %v", it.Hidden(), it.Err())
	}
}

func TestRestrictedAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	p := withBucket(t, w, "secret")
	put(t, p, "shared/a", content(5), nil)
	put(t, p, "private/b", content(6), nil)
	shared, err := ParseAccess(serialize(t, restricted(t, p.access, bucketName, "shared/")))
	if err != nil {
		t.Fatal(err)
	}
	guest := w.openAccess(t, w.config(t), shared)
	if got := get(t, guest, "shared/a", nil); len(got) != 5 {
		t.Errorf("got %d bytes", len(got))
	}
	put(t, guest, "shared/c", content(7), nil)
	if got := get(t, p, "shared/c", nil); len(got) != 7 {
		t.Errorf("got %d bytes", len(got))
	}
	if got := listAll(t, guest, bucketName, ListOptions{Prefix: "shared/"}); len(got) != 2 {
		t.Errorf("listed %q", got)
	}
	if _, err := guest.Stat(t.Context(), bucketName, "private/b"); !errors.Is(err, ErrPermissionDenied) || !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("outside the prefix: %v", err)
	}
	if got := listAll(t, guest, bucketName, ListOptions{}); !slices.Equal(got, []string{"shared/"}) {
		t.Errorf("above the prefix: listed %q", got)
	}
	it := guest.List(t.Context(), bucketName, &ListOptions{Prefix: "private/"})
	if it.Next() || !errors.Is(it.Err(), ErrPermissionDenied) {
		t.Errorf("listing beside the prefix: %v", it.Err())
	}
}

func TestListRefusesCursorsElsewhere(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 0), "secret")
	it := p.List(t.Context(), bucketName, &ListOptions{Prefix: "a/", Cursor: "b/c"})
	if it.Next() || !errors.Is(it.Err(), ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", it.Err())
	}
}
