package metabase_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
)

func (w *world) settings(change metainfo.UpdateBucketRequest) {
	w.t.Helper()
	change.Name = "bucket"
	_, err := w.UpdateBucket(w.ctx, w.project, &change)
	wantErr(w.t, "settings", err, nil)
}

func (w *world) versioning(v metainfo.Versioning) {
	w.t.Helper()
	w.settings(metainfo.UpdateBucketRequest{Change: metainfo.ChangeVersioning, Versioning: v})
}

// versions shows all versions of a bucket, newest first: content, marker as X, null in brackets, the latest with a star.
func (w *world) versions() string {
	w.t.Helper()
	page, err := w.ListObjects(w.ctx, metabase.ListObjects{
		Project: w.project, Bucket: "bucket", Recursive: true, Versions: true,
	})
	if err != nil || page.More {
		w.t.Fatalf("list: %v", err)
	}
	var all []string
	for _, item := range page.Items {
		o := item.Object
		text := "X"
		if !o.Marker {
			ref := w.ref(string(o.Key))
			ref.Version = o.Version
			d, err := w.Download(w.ctx, ref, 0, -1, 10)
			if err != nil {
				w.t.Fatal(err)
			}
			text = string(d.Segments[0].Inline)
		}
		if o.Null {
			text = "(" + text + ")"
		}
		if o.Latest {
			text += "*"
		}
		all = append(all, string(o.Key)+"="+text)
	}
	return strings.Join(all, " ")
}

// TestVersions tells the manual of S3 step by step: what each request does, and what there is afterwards.
func TestVersions(t *testing.T) {
	t.Parallel()
	const on, off = metainfo.VersioningEnabled, metainfo.VersioningSuspended
	put := func(content string) func(*world) { return func(w *world) { w.put("k", content) } }
	set := func(v metainfo.Versioning) func(*world) { return func(w *world) { w.versioning(v) } }
	del := func(version uint64) func(*world) {
		return func(w *world) {
			ref := w.ref("k")
			ref.Version = version
			w.delete(ref)
		}
	}
	at := func(index int, do func(w *world, ref metabase.ObjectRef)) func(*world) { // the version listed there
		return func(w *world) {
			page, err := w.ListObjects(w.ctx, metabase.ListObjects{Project: w.project, Bucket: "bucket", Versions: true})
			wantErr(w.t, "list", err, nil)
			ref := w.ref("k")
			ref.Version = page.Items[index].Object.Version
			do(w, ref)
		}
	}
	delAt := func(index int) func(*world) {
		return at(index, func(w *world, ref metabase.ObjectRef) { w.delete(ref) })
	}
	restore := func(index int) func(*world) {
		return at(index, func(w *world, ref metabase.ObjectRef) {
			wantErr(w.t, "restore", errOf(w.CopyObject(w.ctx, metabase.CopyObject{From: ref, To: w.ref("k")})), nil)
		})
	}
	move := func(index int, to string) func(*world) {
		return at(index, func(w *world, ref metabase.ObjectRef) {
			c := metabase.CopyObject{From: ref, To: w.ref(to), Move: true}
			wantErr(w.t, "move", errOf(w.CopyObject(w.ctx, c)), nil)
		})
	}
	type step struct {
		do   func(*world)
		want string
	}
	tests := map[string][]step{
		"not versioned": {{put("a"), "k=(a)*"}, {put("b"), "k=(b)*"}, {del(0), ""}, {del(0), ""}},
		"enabled": {
			{set(on), ""}, {put("a"), "k=a*"}, {put("b"), "k=b* k=a"}, {del(0), "k=X* k=b k=a"},
			{del(0), "k=X* k=X k=b k=a"}, {delAt(0), "k=X* k=b k=a"}, {delAt(0), "k=b* k=a"}, {delAt(0), "k=a*"}, {delAt(0), ""},
		},
		"null version below": {
			{put("a"), "k=(a)*"}, {set(on), "k=(a)*"}, {put("b"), "k=b* k=(a)"}, {put("c"), "k=c* k=b k=(a)"},
			{del(metainfo.NullVersion), "k=c* k=b"}, {del(metainfo.NullVersion), "k=c* k=b"},
		},
		"suspended": {
			{put("a"), "k=(a)*"}, {set(on), "k=(a)*"}, {put("b"), "k=b* k=(a)"}, {set(off), "k=b* k=(a)"},
			{put("c"), "k=(c)* k=b"}, {put("d"), "k=(d)* k=b"}, {del(0), "k=(X)* k=b"}, {del(0), "k=(X)* k=b"},
			{set(on), "k=(X)* k=b"}, {put("e"), "k=e* k=(X) k=b"}, {set(off), "k=e* k=(X) k=b"}, {put("f"), "k=(f)* k=e k=b"},
			{del(metainfo.NullVersion), "k=e* k=b"},
		},
		"marker of nothing": {{set(on), ""}, {del(0), "k=X*"}, {put("a"), "k=a* k=X"}},
		"null marker":       {{set(off), ""}, {del(0), "k=(X)*"}, {put("a"), "k=(a)*"}, {del(0), "k=(X)*"}, {del(metainfo.NullVersion), ""}},
		"restore":           {{set(on), ""}, {put("a"), "k=a*"}, {put("b"), "k=b* k=a"}, {del(0), "k=X* k=b k=a"}, {restore(2), "k=a* k=X k=b k=a"}},
		"restore null":      {{put("a"), "k=(a)*"}, {set(on), "k=(a)*"}, {put("b"), "k=b* k=(a)"}, {restore(1), "k=a* k=b k=(a)"}},
		"restore suspended": {
			{set(on), ""}, {put("a"), "k=a*"}, {set(off), "k=a*"}, {put("b"), "k=(b)* k=a"}, {restore(1), "k=(a)* k=a"}, {restore(0), "k=(a)* k=a"},
		},
		"move a version": {
			{set(on), ""}, {put("a"), "k=a*"}, {put("b"), "k=b* k=a"}, {move(0, "m"), "k=a* m=b*"}, {move(0, "m"), "m=a* m=b"},
		},
		"move onto itself": {
			{put("a"), "k=(a)*"}, {move(0, "k"), "k=(a)*"}, {set(on), "k=(a)*"}, {put("b"), "k=b* k=(a)"}, {move(1, "k"), "k=a* k=b"},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for i, s := range steps {
				s.do(w)
				if got := w.versions(); got != s.want {
					t.Fatalf("step %d: %q, want %q", i, got, s.want)
				}
			}
		})
	}
}

// TestVersionErrors asks for versions that are not there, or are markers.
func TestVersionErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioning(metainfo.VersioningEnabled)
	o := w.put("k", "content")
	marker := w.delete(w.ref("k"))
	if !marker.Found || !marker.Marker || marker.Version <= o.Version {
		t.Errorf("marker: %+v", marker)
	}
	for version, want := range map[uint64]error{
		metainfo.LatestVersion: metainfo.ErrDeleteMarker, marker.Version: metainfo.ErrDeleteMarker, o.Version: nil,
		metainfo.NullVersion: metainfo.ErrObjectNotFound, 5: metainfo.ErrObjectNotFound,
	} {
		ref := w.ref("k")
		ref.Version = version
		what := fmt.Sprint("version ", version)
		wantErr(t, what, errOf(w.Object(w.ctx, ref)), want)
		wantErr(t, what, errOf(w.Download(w.ctx, ref, 0, -1, 1)), want)
		_, _, err := w.ObjectParts(w.ctx, ref, 0, 0)
		wantErr(t, what, err, want)
		wantErr(t, what, w.UpdateMetadata(w.ctx, ref, o.Stream, nil), want)
		wantErr(t, what, errOf(w.CopyObject(w.ctx, metabase.CopyObject{From: ref, To: w.ref("copy")})), want)
	}
	absent := w.inline(w.upload("k"), "again")
	absent.IfAbsent, absent.NoReplace = true, true
	wantErr(t, "a marker counts as absent", errOf(w.CommitObject(w.ctx, absent)), nil)
	newer := w.inline(w.upload("k"), "newer")
	newer.NoReplace = true
	wantErr(t, "nothing is replaced", errOf(w.CommitObject(w.ctx, newer)), nil)
	item := w.delete(metabase.ObjectRef{Project: w.project, Bucket: "bucket", Key: []byte("k"), Version: marker.Version})
	if !item.Found || !item.Marker || item.Version != marker.Version {
		t.Errorf("deleted marker: %+v", item)
	}
}

// TestVersionNumbers are times, and grow also where time does not.
func TestVersionNumbers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(t, memkv.New(memkv.Options{}))
		w.versioning(metainfo.VersioningEnabled)
		first := w.put("k", "a").Version
		if first != uint64(time.Now().UnixMicro()) {
			t.Errorf("first version %d", first)
		}
		for i := range uint64(3) {
			if got := w.put("k", "b").Version; got != first+i+1 {
				t.Errorf("version %d, want %d", got, first+i+1)
			}
		}
		time.Sleep(time.Second)
		if got := w.put("k", "c").Version; got != first+1e6 {
			t.Errorf("version %d, want %d", got, first+1e6)
		}
	})
}

// TestExpiryShowsBelow has the latest version expire: the one below shows again, before and after the sweep.
func TestExpiryShowsBelow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(t, memkv.New(memkv.Options{}))
		w.versioning(metainfo.VersioningEnabled)
		w.put("k", "below")
		c := w.inline(w.upload("k"), "top")
		c.Expires = time.Now().Add(time.Hour)
		wantErr(t, "commit", errOf(w.CommitObject(w.ctx, c)), nil)
		time.Sleep(time.Hour)
		for range 2 {
			if got := w.content("k") + " " + w.versions(); got != "below k=below*" {
				t.Errorf("%q", got)
			}
			if _, _, err := w.DeleteExpiredBatch(w.ctx, time.Now()); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestBucketTTL bounds the life of what is written from then on, also of copies.
func TestBucketTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(t, memkv.New(memkv.Options{}))
		w.put("before", "x")
		w.settings(metainfo.UpdateBucketRequest{Change: metainfo.ChangeTTL, TTL: 24 * time.Hour})
		day := time.Now().Add(24 * time.Hour)
		soon := w.inline(w.upload("soon"), "x")
		soon.Expires = time.Now().Add(time.Hour)
		late := w.inline(w.upload("late"), "x")
		late.Expires = time.Now().Add(48 * time.Hour)
		for _, c := range []metabase.CommitObject{w.inline(w.upload("never"), "x"), soon, late} {
			o, err := w.CommitObject(w.ctx, c)
			if want := day; err != nil || !o.Expires.Equal(want) && !(string(c.Key) == "soon" && o.Expires.Equal(soon.Expires)) {
				t.Errorf("%s: %v, %v", c.Key, o.Expires, err)
			}
		}
		copied, err := w.CopyObject(w.ctx, metabase.CopyObject{
			From: w.ref("soon"), To: w.ref("copy"), ReplaceMetadata: true, Expires: time.Now().Add(5 * time.Hour),
		})
		if err != nil || !copied.Expires.Equal(soon.Expires) {
			t.Errorf("a copy outlives its source: %v, %v", copied.Expires, err)
		}
		copied, err = w.CopyObject(w.ctx, metabase.CopyObject{From: w.ref("before"), To: w.ref("copy")})
		if err != nil || !copied.Expires.Equal(day) {
			t.Errorf("copy: %v, %v", copied.Expires, err)
		}
	})
}

func TestListVersionPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("k", "null")
	w.versioning(metainfo.VersioningEnabled)
	for i := range 5 {
		w.put("k", fmt.Sprint(i))
	}
	w.put("z", "last")
	req := metabase.ListObjects{Project: w.project, Bucket: "bucket", Versions: true, Limit: 2}
	latest, seen := 0, 0
	for more := true; more; {
		page, err := w.ListObjects(w.ctx, req)
		if err != nil || len(page.Items) == 0 {
			t.Fatalf("page of %d, %v", len(page.Items), err)
		}
		for _, item := range page.Items {
			seen++
			if item.Object.Latest {
				latest++
			}
			req.Cursor, req.CursorVersion = item.Object.Key, item.Object.Version
		}
		more = page.More
	}
	if seen != 7 || latest != 2 {
		t.Errorf("%d versions, %d of them latest", seen, latest)
	}
	for version, want := range map[uint64]int{0: 1, metainfo.NullVersion: 1, 1: 1} { // all of k were listed
		req.Cursor, req.CursorVersion, req.Limit = []byte("k"), version, 0
		if page, err := w.ListObjects(w.ctx, req); err != nil || len(page.Items) != want || !page.Items[0].Object.Latest {
			t.Errorf("behind version %d: %+v, %v", version, page, err)
		}
	}
	w.delete(w.ref("k"))
	page, err := w.ListObjects(w.ctx, metabase.ListObjects{Project: w.project, Bucket: "bucket"})
	if err != nil || len(page.Items) != 1 || string(page.Items[0].Object.Key) != "z" {
		t.Errorf("deleted key is listed: %+v, %v", page, err)
	}
}
