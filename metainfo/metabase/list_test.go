package metabase_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"storj/metainfo"
	"storj/metainfo/metabase"
)

// names prints a page: keys, joined, with a mark if there are more.
func names(page metainfo.ObjectList) string {
	var list []string
	for _, item := range page.Items {
		list = append(list, string(item.Object.Key))
	}
	if page.More {
		list = append(list, "...")
	}
	return strings.Join(list, " ")
}

func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, key := range []string{"a", "b/1", "b/2", "b/c/3", "b", "b0", "c/", "c/x", "d/e/f", "z"} {
		w.put(key, "x")
	}
	for _, key := range []string{"a1", "e/only", "b/0"} {
		c := w.inline(w.upload(key), "x")
		c.Expires = time.Now().Add(-time.Hour)
		if _, err := w.CommitObject(w.ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name           string
		prefix, cursor string
		limit          int
		recursive      bool
		want           string
	}{
		{"all", "", "", 0, false, "a b b/ b0 c/ d/ z"},
		{"recursive", "", "", 0, true, "a b b/1 b/2 b/c/3 b0 c/ c/x d/e/f z"},
		{"limit", "", "", 3, false, "a b b/ ..."},
		{"exact limit", "", "", 7, false, "a b b/ b0 c/ d/ z"},
		{"cursor at a prefix", "", "b/", 3, false, "b0 c/ d/ ..."},
		{"cursor inside a prefix", "", "b/1", 2, false, "b0 c/ ..."},
		{"cursor inside, recursive", "", "b/1", 2, true, "b/2 b/c/3 ..."},
		{"cursor between", "", "b/1x", 2, true, "b/2 b/c/3 ..."},
		{"cursor that is a beginning", "", "b", 2, false, "b/ b0 ..."},
		{"cursor behind", "", "zz", 0, false, ""},
		{"prefix", "b/", "", 0, false, "1 2 c/"},
		{"prefix and cursor", "b/", "1", 0, false, "2 c/"},
		{"prefix and cursor at a prefix", "b/", "c/", 0, false, ""},
		{"prefix recursive", "b/", "", 0, true, "1 2 c/3"},
		{"prefix within a name", "b", "", 0, false, " / 0"},
		{"prefix that is a key", "c/", "", 0, false, " x"},
		{"prefix that is a key, limit 1", "c/", "", 1, false, "x"},
		{"prefix of none", "nothing/", "", 0, false, ""},
	}
	for _, test := range tests {
		page, err := w.ListObjects(w.ctx, metabase.ListObjects{
			Project: w.project, Bucket: "bucket", Prefix: []byte(test.prefix), Cursor: []byte(test.cursor),
			Limit: test.limit, Recursive: test.recursive,
		})
		if got := names(page); err != nil || got != test.want {
			t.Errorf("%s: %q, %v; want %q", test.name, got, err, test.want)
		}
	}
	for name, req := range map[string]metabase.ListObjects{
		"limit": {Project: w.project, Bucket: "bucket", Limit: metainfo.MaxList + 1}, "negative": {Project: w.project, Bucket: "bucket", Limit: -1},
		"cursor": {Project: w.project, Bucket: "bucket", Cursor: make([]byte, metainfo.MaxKeySize+1)},
	} {
		_, err := w.ListObjects(w.ctx, req)
		wantErr(t, name, err, metainfo.ErrListLimit)
	}
	_, err := w.ListObjects(w.ctx, metabase.ListObjects{Project: w.project, Bucket: "none"})
	wantErr(t, "no bucket", err, metainfo.ErrBucketNotFound)
}

func TestListFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.inline(w.upload("k"), "content")
	c.Metadata = []byte("metadata")
	o, err := w.CommitObject(w.ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, metadata := range []bool{false, true} {
		page, err := w.ListObjects(w.ctx, metabase.ListObjects{Project: w.project, Bucket: "bucket", Metadata: metadata})
		if err != nil || len(page.Items) != 1 {
			t.Fatalf("%+v, %v", page, err)
		}
		got := page.Items[0].Object
		if got.Stream != o.Stream || got.PlainSize != 7 || got.Version == 0 || !got.Created.Equal(o.Created) ||
			(got.Metadata != nil) != metadata || (got.WrappedKey != nil) != metadata {
			t.Errorf("metadata %v: %+v", metadata, got)
		}
	}
}

// naiveList is what ListObjects should return, from a sorted list of all keys.
func naiveList(keys []string, prefix, cursor string, limit int, recursive bool) string {
	folder := func(relative string) string {
		if i := strings.IndexByte(relative, '/'); i >= 0 && !recursive {
			return relative[:i+1]
		}
		return relative
	}
	var items []string
	for _, key := range keys {
		relative, ok := strings.CutPrefix(key, prefix)
		item := folder(relative)
		behind := cursor == "" || relative > cursor && (item != folder(cursor) || item == relative && relative > cursor && recursive)
		if !ok || !behind || relative == "" && limit == 1 || len(items) > 0 && items[len(items)-1] == item {
			continue
		}
		if len(items) == limit {
			items = append(items, "...")
			break
		}
		items = append(items, item)
	}
	return strings.Join(items, " ")
}

// TestListRandom compares pages of random trees with the naive listing, by chance and as a walk through all pages.
func TestListRandom(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	trees, tries := 12, 300
	if testing.Short() {
		trees, tries = 4, 100
	}
	for range trees {
		w := newWorld(t)
		set := map[string]bool{}
		for range 1 + rnd.IntN(120) {
			set[randomName(rnd, 5)] = true
		}
		delete(set, "")
		var keys []string
		for key := range set {
			w.put(key, "x")
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for range tries {
			prefix, cursor, limit, recursive := "", "", 1+rnd.IntN(12), rnd.IntN(2) == 0
			if rnd.IntN(2) == 0 {
				prefix = randomName(rnd, 2)
			}
			if rnd.IntN(2) == 0 {
				cursor = randomName(rnd, 3)
			}
			compareList(t, w, keys, prefix, cursor, limit, recursive)
			if t.Failed() {
				t.Fatalf("keys %q", keys)
			}
		}
	}
}

func compareList(t *testing.T, w *world, keys []string, prefix, cursor string, limit int, recursive bool) {
	t.Helper()
	page, err := w.ListObjects(w.ctx, metabase.ListObjects{
		Project: w.project, Bucket: "bucket", Prefix: []byte(prefix), Cursor: []byte(cursor), Limit: limit, Recursive: recursive,
	})
	if want := naiveList(keys, prefix, cursor, limit, recursive); err != nil || names(page) != want {
		t.Errorf("prefix %q cursor %q limit %d recursive %v: %q, %v; want %q", prefix, cursor, limit, recursive, names(page), err, want)
	}
}

func randomName(rnd *rand.Rand, parts int) string {
	var name []byte
	for range 1 + rnd.IntN(parts) {
		name = append(name, []byte("ab/\x00\xff/c")[rnd.IntN(7)])
	}
	return string(name)
}

// TestListWalk reads all pages and expects each item once.
func TestListWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 300 {
		w.put(fmt.Sprintf("%d/%d/%d", i%3, i%7, i), "x")
	}
	for _, recursive := range []bool{false, true} {
		for _, limit := range []int{1, 2, 50} {
			seen := 0
			var cursor []byte
			for more := true; more; {
				page, err := w.ListObjects(w.ctx, metabase.ListObjects{
					Project: w.project, Bucket: "bucket", Prefix: []byte("1/"), Cursor: cursor, Limit: limit, Recursive: recursive,
				})
				if err != nil || page.More && len(page.Items) != limit {
					t.Fatalf("page of %d, %v", len(page.Items), err)
				}
				for _, item := range page.Items {
					if bytes.Compare(item.Object.Key, cursor) <= 0 || item.Prefix == recursive {
						t.Errorf("%q after %q, prefix %v", item.Object.Key, cursor, item.Prefix)
					}
					cursor = item.Object.Key
					seen++
				}
				more = page.More
			}
			want := 7
			if recursive {
				want = 100
			}
			if seen != want {
				t.Errorf("recursive %v limit %d: %d items, want %d", recursive, limit, seen, want)
			}
		}
	}
}

// TestListBoundsBytes lists objects whose metadata would make a page of many megabytes.
func TestListBoundsBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const objects = 600
	for i := range objects {
		c := w.inline(w.upload(fmt.Sprintf("%03d", i)), "x")
		c.Metadata = bytes.Repeat([]byte{1}, metainfo.MaxMetadataSize)
		if _, err := w.CommitObject(w.ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	req := metabase.ListObjects{Project: w.project, Bucket: "bucket", Metadata: true}
	seen, pages := 0, 0
	for more := true; more; pages++ {
		page, err := w.ListObjects(w.ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		if size := len(page.Items) * metainfo.MaxMetadataSize; size > 1<<20+metainfo.MaxMetadataSize || len(page.Items) == 0 {
			t.Fatalf("page %d has %d items of the largest metadata", pages, len(page.Items))
		}
		for _, item := range page.Items {
			if want := fmt.Sprintf("%03d", seen); string(item.Object.Key) != want {
				t.Fatalf("got %q, want %q", item.Object.Key, want)
			}
			seen++
		}
		req.Cursor, more = page.Items[len(page.Items)-1].Object.Key, page.More
	}
	if want := objects*metainfo.MaxMetadataSize>>20 + 1; seen != objects || pages != want {
		t.Errorf("%d objects on %d pages, want %d on %d", seen, pages, objects, want)
	}
}
