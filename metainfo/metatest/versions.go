package metatest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
)

// version turns versioning of the bucket to a state.
func (b subject) version(state metainfo.Versioning) {
	b.Helper()
	got, err := b.svc.UpdateBucket(b.Context(), &metainfo.UpdateBucketRequest{
		Auth: b.auth, Name: bucket, Change: metainfo.ChangeVersioning, Versioning: state,
	})
	b.ok(err)
	if got.Versioning != state {
		b.Errorf("versioning is %v, want %v", got.Versioning, state)
	}
}

func (b subject) getVersion(key string, version uint64) (*metainfo.Object, error) {
	return b.svc.GetObject(b.Context(), &metainfo.ObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte(key), Version: version})
}

// remove deletes one version, or the object where version is metainfo.LatestVersion.
func (b subject) remove(key string, version uint64) metainfo.DeletedItem {
	b.Helper()
	result, err := b.svc.DeleteObjects(b.Context(), &metainfo.DeleteObjectsRequest{
		Auth: b.auth, Bucket: bucket, Items: []metainfo.DeleteItem{{Key: []byte(key), Version: version}},
	})
	b.ok(err)
	return result.Items[0]
}

// versions lists all versions under a prefix: key, what it is, and its size.
func (b subject) versions(prefix string, limit int) (list []string) {
	b.Helper()
	req := &metainfo.ListObjectsRequest{
		Auth: b.auth, Bucket: bucket, Prefix: []byte(prefix), Recursive: true, Versions: true, Limit: limit,
	}
	for {
		page, err := b.svc.ListObjects(b.Context(), req)
		b.ok(err)
		for _, item := range page.Items {
			o := &item.Object
			text := fmt.Sprintf("%s %d", o.Key, o.PlainSize)
			for mark, set := range map[string]bool{" marker": o.Marker, " null": o.Null} {
				if set {
					text += mark
				}
			}
			if o.Latest {
				text += " latest"
			}
			list = append(list, text)
			req.Cursor, req.CursorVersion = o.Key, o.Version
		}
		if !page.More {
			return list
		}
	}
}

func testVersions(b subject) {
	null := b.put("k", 1)
	b.put("other", 9)
	b.version(metainfo.VersioningEnabled)
	two, three := b.put("k", 2), b.put("k", 3)
	if !(null.Version < two.Version && two.Version < three.Version) || two.Null || three.Null {
		b.Errorf("versions are %d, %d, %d", null.Version, two.Version, three.Version)
	}
	marker := b.remove("k", metainfo.LatestVersion)
	if !marker.Marker || marker.Version <= three.Version || marker.Reason != 0 {
		b.Errorf("deleted %+v", marker)
	}
	_, err := b.get("k")
	b.want(err, metainfo.ErrDeleteMarker)
	_, err = b.getVersion("k", marker.Version)
	b.want(err, metainfo.ErrDeleteMarker)
	_, err = b.download("k", 0, -1)
	b.want(err, metainfo.ErrDeleteMarker)
	for _, want := range []*metainfo.Object{null, two, three} {
		got, err := b.getVersion("k", want.Version)
		b.ok(err)
		if got.Stream != want.Stream || got.PlainSize != want.PlainSize {
			b.Errorf("version %d is %+v", want.Version, got)
		}
		d, err := b.svc.Download(b.Context(), &metainfo.DownloadRequest{Auth: b.auth, Bucket: bucket, Key: []byte("k"), Length: -1, Version: want.Version})
		b.ok(err)
		if d.Object.Stream != want.Stream || d.Length != want.PlainSize {
			b.Errorf("download of version %d is %+v", want.Version, d.Object)
		}
	}
	if got, err := b.getVersion("k", metainfo.NullVersion); err != nil || got.Stream != null.Stream {
		b.Errorf("null version is %+v, %v", got, err)
	}
	_, err = b.getVersion("k", two.Version+1)
	b.want(err, metainfo.ErrObjectNotFound)
	for _, limit := range []int{1, 2, 0} {
		want := []string{"k 0 marker latest", "k 3", "k 2", "k 1 null", "other 9 null latest"}
		if got := b.versions("", limit); !slices.Equal(got, want) {
			b.Errorf("versions by %d are %q, want %q", limit, got, want)
		}
	}
	page, err := b.svc.ListObjects(b.Context(), &metainfo.ListObjectsRequest{Auth: b.auth, Bucket: bucket})
	b.ok(err)
	if len(page.Items) != 1 || string(page.Items[0].Object.Key) != "other" {
		b.Errorf("objects are %+v", page.Items)
	}
	b.restore(two, marker.Version)
	b.suspended()
}

// restore brings an old version back in two ways: by removing the marker above it, and by copying it on top.
func (b subject) restore(two *metainfo.Object, marker uint64) {
	b.Helper()
	if gone := b.remove("k", marker); !gone.Found || !gone.Marker {
		b.Errorf("removed %+v", gone)
	}
	if got, err := b.get("k"); err != nil || got.PlainSize != 3 {
		b.Errorf("without its marker the object is %+v, %v", got, err)
	}
	copied, err := b.svc.CopyObject(b.Context(), &metainfo.CopyObjectRequest{
		Auth: b.auth, Bucket: bucket, Key: []byte("k"), Version: two.Version, Stream: two.Stream,
		ToBucket: bucket, ToKey: []byte("k"), WrappedKey: []byte("again"),
	})
	b.ok(err)
	if got, err := b.get("k"); err != nil || got.PlainSize != 2 || got.Version != copied.Version || got.Stream == two.Stream {
		b.Errorf("restored %+v, %v", got, err)
	}
	if gone := b.remove("k", two.Version); !gone.Found || gone.Marker {
		b.Errorf("removed %+v", gone)
	}
	if again := b.remove("k", two.Version); again.Found {
		b.Error("a version was removed twice")
	}
	if got := b.versions("", 0); !slices.Equal(got, []string{"k 2 latest", "k 3", "k 1 null", "other 9 null latest"}) {
		b.Errorf("versions are %q", got)
	}
}

// suspended writes and deletes null versions above others.
func (b subject) suspended() {
	b.Helper()
	b.version(metainfo.VersioningSuspended)
	b.put("s", 1)
	b.put("s", 2)
	if got, err := b.get("s"); err != nil || !got.Null || got.PlainSize != 2 {
		b.Errorf("object is %+v, %v", got, err)
	}
	b.version(metainfo.VersioningEnabled)
	b.put("s", 3)
	b.version(metainfo.VersioningSuspended)
	if gone := b.remove("s", metainfo.LatestVersion); !gone.Marker {
		b.Errorf("removed %+v", gone)
	}
	_, err := b.get("s")
	b.want(err, metainfo.ErrDeleteMarker)
	_, err = b.svc.UpdateBucket(b.Context(), &metainfo.UpdateBucketRequest{
		Auth: b.auth, Name: bucket, Change: metainfo.ChangeVersioning, Versioning: metainfo.Unversioned,
	})
	b.want(err, metainfo.ErrVersioning)
}

// testConditions writes, copies and deletes under conditions.
func testConditions(b subject) {
	ctx := b.Context()
	made := b.put("k", 1)
	absent, same, stale, none := b.inline("k", 2), b.inline("k", 3), b.inline("k", 4), b.inline("none", 5)
	absent.IfAbsent = true
	b.want(errOf(b.svc.CommitObject(ctx, absent)), metainfo.ErrObjectExists)
	stale.IfStream = metainfo.NewStreamID()
	b.want(errOf(b.svc.CommitObject(ctx, stale)), metainfo.ErrObjectChanged)
	none.IfStream = made.Stream
	b.want(errOf(b.svc.CommitObject(ctx, none)), metainfo.ErrObjectNotFound)
	same.IfStream = made.Stream
	next, err := b.svc.CommitObject(ctx, same)
	b.ok(err)
	again, err := b.svc.CommitObject(ctx, same) // the answer was lost
	b.ok(err)
	if again.Stream != next.Stream || again.Version != next.Version {
		b.Error("repeating a conditional commit made another object")
	}
	to := b.put("to", 7)
	req := metainfo.CopyObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte("k"), Stream: next.Stream, ToBucket: bucket, ToKey: []byte("to"), WrappedKey: []byte("w")}
	for _, test := range []struct {
		name   string
		change func(r *metainfo.CopyObjectRequest)
		want   error
	}{
		{"absent", func(r *metainfo.CopyObjectRequest) { r.IfAbsent = true }, metainfo.ErrObjectExists},
		{"stale destination", func(r *metainfo.CopyObjectRequest) { r.IfStream = made.Stream }, metainfo.ErrObjectChanged},
		{"stale source", func(r *metainfo.CopyObjectRequest) { r.Stream = made.Stream }, metainfo.ErrObjectChanged},
		{"no destination", func(r *metainfo.CopyObjectRequest) { r.IfStream, r.ToKey = to.Stream, []byte("none") }, metainfo.ErrObjectNotFound},
		{"as is", func(r *metainfo.CopyObjectRequest) { r.IfStream = to.Stream }, nil},
	} {
		r := req
		test.change(&r)
		b.wantErr("copy, "+test.name, errOf(b.svc.CopyObject(ctx, &r)), test.want)
	}
	deleted, err := b.svc.DeleteObjects(ctx, &metainfo.DeleteObjectsRequest{Auth: b.auth, Bucket: bucket, Items: []metainfo.DeleteItem{
		{Key: []byte("k"), IfStream: made.Stream}, {Key: []byte("none"), IfStream: made.Stream}, {Key: []byte("k"), IfStream: next.Stream},
	}})
	b.ok(err)
	if got := deleted.Items; got[0].Reason != metainfo.ErrObjectChanged.Reason || got[1].Found || !got[2].Found || got[2].Reason != 0 {
		b.Errorf("deleted %+v", deleted.Items)
	}
	b.version(metainfo.VersioningEnabled)
	b.remove("to", metainfo.LatestVersion)
	absent.Key = []byte("to") // a delete marker is no object
	b.ok(errOf(b.svc.CommitObject(ctx, absent)))
}

// testRace has 50 writers make one object, which must be new.
func testRace(b subject) {
	const writers = 50
	for _, state := range []metainfo.Versioning{metainfo.Unversioned, metainfo.VersioningEnabled} {
		if state != metainfo.Unversioned {
			b.version(state)
		}
		key := "race " + state.String()
		var all sync.WaitGroup
		made, errs := make([]*metainfo.Object, writers), make([]error, writers)
		for i := range writers {
			req := b.inline(key, int64(i))
			req.IfAbsent = true
			all.Go(func() { made[i], errs[i] = b.svc.CommitObject(b.Context(), req) })
		}
		all.Wait()
		got, err := b.get(key)
		b.ok(err)
		won := 0
		for i, err := range errs {
			switch {
			case err == nil && made[i].Stream == got.Stream && got.PlainSize == int64(i):
				won++
			case !errors.Is(err, metainfo.ErrObjectExists):
				b.Errorf("%s: writer %d: %+v, %v", key, i, made[i], err)
			}
		}
		if won != 1 {
			b.Errorf("%s: %d writers won", key, won)
		}
	}
}

// lockedBucket makes a bucket with object lock.
func (b subject) lockedBucket(name string) {
	b.Helper()
	made, err := b.svc.CreateBucket(b.Context(), &metainfo.CreateBucketRequest{Auth: b.auth, Name: name, Lock: true})
	b.ok(err)
	if !made.Lock || made.Versioning != metainfo.VersioningEnabled {
		b.Errorf("bucket is %+v", made)
	}
}

// testLock protects versions, and tries to get rid of them.
func testLock(b subject) {
	ctx := b.Context()
	b.lockedBucket("locked")
	soon, late := time.Now().Add(time.Hour).UTC().Truncate(time.Second), time.Now().Add(2*time.Hour).UTC().Truncate(time.Second)
	put := func(key string, r metainfo.Retention, hold bool) *metainfo.Object {
		req := b.inline(key, 5)
		req.Bucket, req.Retention, req.LegalHold = "locked", r, hold
		object, err := b.svc.CommitObject(ctx, req)
		b.ok(err)
		if !object.Retention.Until.Equal(r.Until) || object.Retention.Mode != r.Mode || object.LegalHold != hold {
			b.Errorf("%s is %+v", key, object)
		}
		return object
	}
	governed := put("governed", metainfo.Retention{Mode: metainfo.Governance, Until: soon}, false)
	strict := put("strict", metainfo.Retention{Mode: metainfo.Compliance, Until: soon}, false)
	held := put("held", metainfo.Retention{}, true)
	remove := func(o *metainfo.Object, bypass bool) metainfo.DeletedItem {
		b.Helper()
		result, err := b.svc.DeleteObjects(ctx, &metainfo.DeleteObjectsRequest{
			Auth: b.auth, Bucket: "locked", BypassGovernance: bypass, Items: []metainfo.DeleteItem{{Key: o.Key, Version: o.Version}},
		})
		b.ok(err)
		return result.Items[0]
	}
	for _, o := range []*metainfo.Object{governed, strict, held} {
		if got := remove(o, false); got.Reason != metainfo.ErrLocked.Reason {
			b.Errorf("%s: deleted %+v", o.Key, got)
		}
		move := &metainfo.CopyObjectRequest{Auth: b.auth, Bucket: "locked", Key: o.Key, Stream: o.Stream, ToBucket: bucket, ToKey: o.Key, WrappedKey: []byte("w"), Move: true}
		b.want(errOf(b.svc.CopyObject(ctx, move)), metainfo.ErrLocked)
	}
	set := func(o *metainfo.Object, r metainfo.Retention, bypass bool) error {
		return b.svc.SetLock(ctx, &metainfo.SetLockRequest{
			Auth: b.auth, Bucket: "locked", Key: o.Key, Version: o.Version, SetRetention: true, Retention: r, BypassGovernance: bypass,
		})
	}
	b.want(set(strict, metainfo.Retention{}, true), metainfo.ErrRetention)
	b.want(set(strict, metainfo.Retention{Mode: metainfo.Compliance, Until: soon.Add(-time.Minute)}, true), metainfo.ErrRetention)
	b.want(set(strict, metainfo.Retention{Mode: metainfo.Compliance, Until: late}, false), nil)
	b.want(set(governed, metainfo.Retention{}, false), metainfo.ErrLocked)
	b.want(set(governed, metainfo.Retention{Mode: metainfo.Governance, Until: late}, false), nil)
	b.want(set(governed, metainfo.Retention{Mode: metainfo.Governance, Until: time.Now().Add(-time.Hour)}, true), metainfo.ErrRetention)
	if got := remove(strict, true); got.Reason != metainfo.ErrLocked.Reason {
		b.Errorf("a strict version was deleted: %+v", got)
	}
	if got := remove(governed, true); got.Reason != 0 || !got.Found {
		b.Errorf("bypass: %+v", got)
	}
	b.ok(b.svc.SetLock(ctx, &metainfo.SetLockRequest{Auth: b.auth, Bucket: "locked", Key: held.Key, Version: held.Version, SetHold: true}))
	if got := remove(held, false); got.Reason != 0 || !got.Found {
		b.Errorf("without its hold: %+v", got)
	}
	b.put("free", 1)
	b.want(b.svc.SetLock(ctx, &metainfo.SetLockRequest{Auth: b.auth, Bucket: bucket, Key: []byte("free"), SetHold: true, LegalHold: true}), metainfo.ErrNoLock)
	if b.svc.SetLock(ctx, &metainfo.SetLockRequest{Auth: b.auth, Bucket: "locked", Key: strict.Key}) == nil {
		b.Error("a change of nothing is no error")
	}
	b.lockRights(strict)
}

// lockRights tries the finer permissions of object lock on an object that is locked.
func (b subject) lockRights(strict *metainfo.Object) {
	b.Helper()
	ctx, until := b.Context(), metainfo.Retention{Mode: metainfo.Governance, Until: time.Now().Add(time.Hour)}
	commit := func(change func(r *metainfo.CommitObjectRequest)) func(metainfo.Auth) error {
		return func(auth metainfo.Auth) error {
			req := b.inline("new", 3)
			req.Auth, req.Bucket = auth, "locked"
			change(req)
			return errOf(b.svc.CommitObject(ctx, req))
		}
	}
	lock := func(req metainfo.SetLockRequest) func(metainfo.Auth) error {
		return func(auth metainfo.Auth) error {
			made := b.inline("lock", 3)
			made.Bucket = "locked"
			b.ok(errOf(b.svc.CommitObject(ctx, made)))
			req.Auth, req.Bucket, req.Key = auth, "locked", []byte("lock")
			return b.svc.SetLock(ctx, &req)
		}
	}
	calls := map[string]func(metainfo.Auth) error{
		"write":          commit(func(*metainfo.CommitObjectRequest) {}),
		"write retained": commit(func(r *metainfo.CommitObjectRequest) { r.Retention = until }),
		"write held":     commit(func(r *metainfo.CommitObjectRequest) { r.LegalHold = true }),
		"begin retained": func(auth metainfo.Auth) error {
			return errOf(b.svc.BeginObject(ctx, &metainfo.BeginObjectRequest{Auth: auth, Bucket: "locked", Key: []byte("new"), Multipart: true, Retention: until}))
		},
		"copy held": func(auth metainfo.Auth) error {
			return errOf(b.svc.CopyObject(ctx, &metainfo.CopyObjectRequest{
				Auth: auth, Bucket: "locked", Key: strict.Key, ToBucket: "locked", ToKey: []byte("copy"), Stream: strict.Stream,
				WrappedKey: fmt.Append(nil, time.Now().UnixNano()), LegalHold: true,
			}))
		},
		"retain": lock(metainfo.SetLockRequest{SetRetention: true, Retention: until}),
		"hold":   lock(metainfo.SetLockRequest{SetHold: true, LegalHold: true}),
		"bypass": lock(metainfo.SetLockRequest{SetRetention: true, BypassGovernance: true}),
		"delete by bypass": func(auth metainfo.Auth) error {
			return errOf(b.svc.DeleteObjects(ctx, &metainfo.DeleteObjectsRequest{Auth: auth, Bucket: "locked", Items: items([]byte("none")), BypassGovernance: true}))
		},
		"default": func(auth metainfo.Auth) error {
			return errOf(b.svc.UpdateBucket(ctx, &metainfo.UpdateBucketRequest{Auth: auth, Name: "locked", Change: metainfo.ChangeRetention}))
		},
		"life": func(auth metainfo.Auth) error {
			return errOf(b.svc.UpdateBucket(ctx, &metainfo.UpdateBucketRequest{Auth: auth, Name: "locked", Change: metainfo.ChangeTTL}))
		},
	}
	retain, hold := []string{"write retained", "begin retained", "retain", "bypass"}, []string{"write held", "copy held", "hold"}
	bypass := []string{"bypass", "delete by bypass"}
	for _, test := range []struct {
		name   string
		caveat macaroon.Caveat
		denied []string
	}{
		{"all", macaroon.Caveat{}, nil},
		{"no locks", macaroon.Caveat{DisallowLocks: true}, slices.Concat(retain, hold, bypass, []string{"default"})},
		{"no retention", macaroon.Caveat{DisallowPutRetention: true}, retain},
		{"no hold", macaroon.Caveat{DisallowPutLegalHold: true}, hold},
		{"no bypass", macaroon.Caveat{DisallowBypassGovernanceRetention: true}, bypass},
		{"no lock of buckets", macaroon.Caveat{DisallowPutBucketLock: true}, []string{"default"}},
	} {
		auth := b.w.Auth(b, test.caveat)
		for name, call := range calls {
			denied := slices.Contains(test.denied, name)
			if err := call(auth); errors.Is(err, metainfo.ErrDenied) != denied || !denied && err != nil {
				b.Errorf("key with %s, %s: error %v, want denied %v", test.name, name, err, denied)
			}
		}
	}
	b.hidden(strict)
}

// hidden looks for retention with keys that may not know of it.
func (b subject) hidden(strict *metainfo.Object) {
	b.Helper()
	ctx := b.Context()
	hold := &metainfo.SetLockRequest{Auth: b.auth, Bucket: "locked", Key: strict.Key, Version: strict.Version, SetHold: true, LegalHold: true}
	b.ok(b.svc.SetLock(ctx, hold))
	for _, test := range []struct {
		caveat             macaroon.Caveat
		retention, holding bool
	}{
		{macaroon.Caveat{}, true, true},
		{macaroon.Caveat{DisallowGetRetention: true}, false, true},
		{macaroon.Caveat{DisallowGetLegalHold: true}, true, false},
	} {
		auth := b.w.Auth(b, test.caveat)
		got, err := b.svc.GetObject(ctx, &metainfo.ObjectRequest{Auth: auth, Bucket: "locked", Key: strict.Key, Version: strict.Version})
		b.ok(err)
		d, err := b.svc.Download(ctx, &metainfo.DownloadRequest{Auth: auth, Bucket: "locked", Key: strict.Key, Version: strict.Version})
		b.ok(err)
		page, err := b.svc.ListObjects(ctx, &metainfo.ListObjectsRequest{Auth: auth, Bucket: "locked", Versions: true, Cursor: []byte("lock"), Limit: 1000})
		b.ok(err)
		listed := page.Items[slices.IndexFunc(page.Items, func(i metainfo.ListItem) bool { return i.Object.Version == strict.Version })].Object
		for where, o := range map[string]metainfo.Object{"object": *got, "download": d.Object, "listing": listed} {
			if shown := o.Retention.Mode != metainfo.NoRetention; shown != test.retention || o.LegalHold != test.holding {
				b.Errorf("key with %+v sees in the %s %+v, %v", test.caveat, where, o.Retention, o.LegalHold)
			}
		}
	}
	seen, err := b.svc.GetBucket(ctx, &metainfo.BucketRequest{Auth: b.w.Auth(b, macaroon.Caveat{DisallowGetBucketLock: true}), Name: "locked"})
	b.ok(err)
	if seen.Lock {
		b.Error("a key that may not know of the bucket's lock sees it")
	}
}
