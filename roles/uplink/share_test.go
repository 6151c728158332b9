package uplink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"storj/ecenc"
	"storj/ecenc/keys"
	"storj/ecenc/macaroon"
	"storj/ecenc/wire"
	"storj/netx"
)

// sharedVector is a grant that was shared, with all that a caveat of this version may hold.
func sharedVector(t testing.TB) *Access {
	t.Helper()
	a := restricted(t, fixedAccess(t), "photos", "2026/")
	caveat, err := Permission{
		AllowDownload: true, AllowList: true,
		NotBefore: time.Unix(1e9, 0).UTC(), NotAfter: time.Unix(2e9, 0).UTC(), MaxObjectTTL: time.Hour,
	}.caveat()
	if err != nil {
		t.Fatal(err)
	}
	caveat.Nonce = []byte("12345678")
	caveat.AllowedPaths = []macaroon.AllowedPath{{Bucket: "photos", EncryptedPrefix: a.keys.Prefixes[0].EncryptedPath}}
	if a.apiKey, err = a.apiKey.Restrict(caveat); err != nil {
		t.Fatal(err)
	}
	return a
}

func share(t testing.TB, a *Access, p Permission, prefixes ...SharePrefix) *Access {
	t.Helper()
	shared, err := a.Share(p, prefixes...)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseAccess(serialize(t, shared)) // what another person gets
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// TestShareHoldsNoOtherKey looks for what opens the neighbours of a shared prefix.
func TestShareHoldsNoOtherKey(t *testing.T) {
	t.Parallel()
	a := fixedAccess(t)
	shared := share(t, a, FullPermission(), SharePrefix{Bucket: "photos", Prefix: "2026/trips/"})
	mine, err := a.keys.PathKey("photos", "2026/trips/rome.jpg")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := shared.keys.PathKey("photos", "2026/trips/rome.jpg")
	if err != nil || mine != theirs {
		t.Errorf("the key of what is shared differs: %v", err)
	}
	bucket := keys.Derive(*a.keys.Default, "photos")
	year := keys.Derive(bucket, "2026")
	forbidden := map[string]ecenc.Key{
		"root": *a.keys.Default, "bucket": bucket, "folder above": year, "folder beside": keys.Derive(year, "home"),
		"object beside": keys.Derive(year, "cat.jpg"), "other bucket": keys.Derive(*a.keys.Default, "music"),
	}
	raw := wire.Marshal(&grant{satellite: shared.satellite, apiKey: shared.apiKey.Bytes(), keys: shared.keys})
	for name, key := range forbidden {
		if bytes.Contains(raw, key[:]) {
			t.Errorf("the grant holds the key of the %s", name)
		}
		for _, prefix := range shared.keys.Prefixes {
			for _, component := range []string{"", "home", "cat.jpg", "photos", "2026", "trips", "music"} {
				if keys.Derive(prefix.Key, component) == key || keys.Derive(keys.Derive(prefix.Key, component), component) == key {
					t.Errorf("the key of the %s can be derived", name)
				}
			}
		}
	}
	for _, path := range []struct{ bucket, key string }{
		{"photos", "2026/home"}, {"photos", "2026/trips"}, {"photos", "2026/trips2/a"}, {"photos", ""}, {"music", "2026/trips/a"},
	} {
		if _, err := shared.keys.PathKey(path.bucket, path.key); !errors.Is(err, keys.ErrNoKey) {
			t.Errorf("%s/%s: %v", path.bucket, path.key, err)
		}
		encrypted, err := a.keys.EncryptPath(path.bucket, path.key)
		if err != nil {
			t.Fatal(err)
		}
		if name, err := shared.keys.DecryptPath(path.bucket, encrypted); err == nil {
			t.Errorf("%s/%s: decrypts to %q", path.bucket, path.key, name)
		}
	}
}

func TestShareRefuses(t *testing.T) {
	t.Parallel()
	a := fixedAccess(t)
	part := share(t, a, FullPermission(), SharePrefix{Bucket: "photos", Prefix: "2026/"})
	now := time.Now()
	many := make([]SharePrefix, 300)
	for i := range many {
		many[i] = SharePrefix{Bucket: "photos", Prefix: fmt.Sprintf("%d/", i)}
	}
	tests := map[string]struct {
		access     *Access
		permission Permission
		prefixes   []SharePrefix
		want       error
	}{
		"nothing":            {a, Permission{}, nil, ErrInvalid},
		"ends first":         {a, Permission{AllowList: true, NotBefore: now, NotAfter: now.Add(-1)}, nil, ErrInvalid},
		"negative life":      {a, Permission{AllowList: true, MaxObjectTTL: -1}, nil, ErrInvalid},
		"no bucket":          {a, FullPermission(), []SharePrefix{{Prefix: "a"}}, ErrBucketNameInvalid},
		"long prefix":        {a, FullPermission(), []SharePrefix{{Bucket: "photos", Prefix: strings.Repeat("x", 4000)}}, ErrObjectKeyInvalid},
		"too many":           {a, FullPermission(), many, ErrInvalid},
		"grant too large":    {a, FullPermission(), many[:200], ErrInvalid},
		"more than it has":   {part, FullPermission(), []SharePrefix{{Bucket: "photos"}}, ErrPermissionDenied},
		"beside what it has": {part, FullPermission(), []SharePrefix{{Bucket: "photos", Prefix: "2025/"}}, ErrPermissionDenied},
		"another bucket":     {part, FullPermission(), []SharePrefix{{Bucket: "music", Prefix: "2026/"}}, ErrPermissionDenied},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := test.access.Share(test.permission, test.prefixes...); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestShareInspect(t *testing.T) {
	t.Parallel()
	end := time.Now().Add(time.Hour).UTC()
	permission := WriteOnlyPermission()
	permission.NotAfter = end
	shared := share(t, fixedAccess(t), permission, SharePrefix{Bucket: "photos", Prefix: "2026/"}, SharePrefix{Bucket: "music"})
	info := shared.Inspect()
	want := []AccessPath{{Bucket: "photos", Prefix: "2026/"}, {Bucket: "music"}}
	if info.AllPaths || !slices.Equal(info.Paths, want) || info.Restrictions != 1 {
		t.Errorf("opens %+v", info)
	}
	if p := info.Permission; strings.Join(p.Operations(), " ") != "upload delete" || !p.NotAfter.Equal(end) {
		t.Errorf("permits %+v", p)
	}
	narrower := share(t, shared, FullPermission(), SharePrefix{Bucket: "photos", Prefix: "2026/a"}).Inspect()
	if got := strings.Join(narrower.Permission.Operations(), " "); got != "upload delete" || !narrower.Permission.NotAfter.Equal(end) || narrower.Restrictions != 2 {
		t.Errorf("shared again it permits %s", got)
	}
}

func readText(t *testing.T, p *Project, bucket, key string) (string, error) {
	t.Helper()
	d, err := p.Download(t.Context(), bucket, key, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = d.Close() }()
	text, err := io.ReadAll(d)
	return string(text), err
}

// TestShareInUse shares parts of buckets of both kinds and uses what comes of it.
func TestShareInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	owner := w.open(t, "secret")
	objects := []string{"dir/a", "dir/sub/b", "dir2/c", "dir", "e"}
	for bucket, plain := range map[string]bool{"encrypted": false, "plain": true} {
		if _, err := owner.CreateBucket(t.Context(), bucket, &BucketOptions{PlainNames: plain}); err != nil {
			t.Fatal(err)
		}
		for _, key := range objects {
			if _, err := owner.Put(t.Context(), bucket, key, strings.NewReader("in "+key), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	fresh := w.open(t, "secret") // knows no bucket yet
	shared, err := fresh.Share(t.Context(), ReadOnlyPermission(),
		SharePrefix{Bucket: "encrypted", Prefix: "dir/"}, SharePrefix{Bucket: "plain", Prefix: "dir/"})
	if err != nil {
		t.Fatal(err)
	}
	guest := w.openAccess(t, w.config(t), shared)
	// one who has got hold of the passphrase too is stopped by the satellite
	thief := w.openAccess(t, w.config(t), &Access{satellite: w.satellite, apiKey: shared.apiKey, keys: w.access("secret").keys})
	for _, bucket := range []string{"encrypted", "plain"} {
		got := listAll(t, guest, bucket, ListOptions{Prefix: "dir/", Recursive: true})
		slices.Sort(got)
		if want := []string{"dir/a", "dir/sub/b"}; !slices.Equal(got, want) {
			t.Errorf("%s: listed %q, want %q", bucket, got, want)
		}
		if got := listAll(t, guest, bucket, ListOptions{Prefix: "dir/s"}); !slices.Equal(got, []string{"dir/sub/"}) {
			t.Errorf("%s: listed %q", bucket, got)
		}
		if text, err := readText(t, guest, bucket, "dir/sub/b"); err != nil || text != "in dir/sub/b" {
			t.Errorf("%s: read %q, %v", bucket, text, err)
		}
		for _, p := range []*Project{guest, thief} {
			for _, key := range []string{"dir", "dir2/c", "e"} {
				if text, err := readText(t, p, bucket, key); !errors.Is(err, ErrPermissionDenied) {
					t.Errorf("%s: read %s: %q, %v", bucket, key, text, err)
				}
			}
			for _, opts := range []ListOptions{{Recursive: true}, {Prefix: "dir2/"}, {Prefix: "e"}, {Prefix: "dir", Recursive: true}} {
				list := p.List(t.Context(), bucket, &opts)
				if list.Next() || !errors.Is(list.Err(), ErrPermissionDenied) {
					t.Errorf("%s: list %+v: %v", bucket, opts, list.Err())
				}
			}
		}
		if _, err := guest.Put(t.Context(), bucket, "dir/new", strings.NewReader("x"), nil); !errors.Is(err, ErrPermissionDenied) {
			t.Errorf("%s: upload: %v", bucket, err)
		}
		if err := guest.Delete(t.Context(), bucket, "dir/a"); !errors.Is(err, ErrPermissionDenied) {
			t.Errorf("%s: delete: %v", bucket, err)
		}
	}
}

// TestShareKinds shares a bucket with no word of its names, one object, and a drop box.
func TestShareKinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	owner := w.open(t, "secret")
	for bucket, plain := range map[string]bool{"encrypted": false, "plain": true} {
		if _, err := owner.CreateBucket(t.Context(), bucket, &BucketOptions{PlainNames: plain}); err != nil {
			t.Fatal(err)
		}
		if _, err := owner.Put(t.Context(), bucket, "a", strings.NewReader("in a"), nil); err != nil {
			t.Fatal(err)
		}
		whole := w.openAccess(t, w.config(t), share(t, w.access("secret"), ReadOnlyPermission(), SharePrefix{Bucket: bucket}))
		if text, err := readText(t, whole, bucket, "a"); err != nil || text != "in a" {
			t.Errorf("%s: whole bucket: %q, %v", bucket, text, err)
		}
		single, err := owner.Share(t.Context(), ReadOnlyPermission(), SharePrefix{Bucket: bucket, Prefix: "a"})
		if err != nil {
			t.Fatal(err)
		}
		if text, err := readText(t, w.openAccess(t, w.config(t), single), bucket, "a"); err != nil || text != "in a" {
			t.Errorf("%s: one object: %q, %v", bucket, text, err)
		}
		box, err := owner.Share(t.Context(), Permission{AllowUpload: true, MaxObjectTTL: time.Hour}, SharePrefix{Bucket: bucket, Prefix: "box/"})
		if err != nil {
			t.Fatal(err)
		}
		sender := w.openAccess(t, w.config(t), box)
		if _, err := sender.Put(t.Context(), bucket, "box/letter", strings.NewReader("dear"), nil); err != nil {
			t.Errorf("%s: drop: %v", bucket, err)
		}
		if _, err := sender.Put(t.Context(), bucket, "box/letter", strings.NewReader("replaced"), nil); !errors.Is(err, ErrPermissionDenied) {
			t.Errorf("%s: replace: %v", bucket, err)
		}
		if _, err := readText(t, sender, bucket, "box/letter"); !errors.Is(err, ErrPermissionDenied) {
			t.Errorf("%s: read back: %v", bucket, err)
		}
		remover := w.openAccess(t, w.config(t), share(t, w.access("secret"), Permission{AllowDelete: true}, SharePrefix{Bucket: bucket}))
		if err := remover.Delete(t.Context(), bucket, "a"); err != nil {
			t.Errorf("%s: remove: %v", bucket, err)
		}
		if _, err := owner.Stat(t.Context(), bucket, "a"); !errors.Is(err, ErrObjectNotFound) {
			t.Errorf("%s: removed: %v", bucket, err)
		}
		if o, err := owner.Stat(t.Context(), bucket, "box/letter"); err != nil || o.Expires.IsZero() || time.Until(o.Expires) > time.Hour {
			t.Errorf("%s: what was dropped: %+v, %v", bucket, o, err)
		}
	}
	if _, err := owner.Share(t.Context(), ReadOnlyPermission(), SharePrefix{Bucket: "nowhere", Prefix: "a"}); !errors.Is(err, ErrBucketNotFound) {
		t.Errorf("in no bucket: %v", err)
	}
}

func TestRevokeAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	owner := w.open(t, "secret")
	if _, err := owner.CreateBucket(t.Context(), bucketName, nil); err != nil {
		t.Fatal(err)
	}
	child := share(t, w.access("secret"), FullPermission(), SharePrefix{Bucket: bucketName})
	grandchild := share(t, child, ReadOnlyPermission())
	middle, last := w.openAccess(t, w.config(t), child), w.openAccess(t, w.config(t), grandchild)
	exists := func(p *Project) error {
		_, err := p.StatBucket(t.Context(), bucketName)
		return err
	}
	for _, p := range []*Project{owner, middle, last} {
		if err := exists(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := last.RevokeAccess(t.Context(), child); !errors.Is(err, ErrPermissionDenied) {
		t.Errorf("a child revoked its parent: %v", err)
	}
	elsewhere := share(t, w.access("secret"), FullPermission())
	elsewhere.satellite.ID = netx.NodeID{1}
	for name, a := range map[string]*Access{"another satellite": elsewhere, "nil": nil} {
		if err := owner.RevokeAccess(t.Context(), a); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := owner.RevokeAccess(t.Context(), child); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*Project{"child": middle, "grandchild": last} {
		if err := exists(p); !errors.Is(err, ErrAPIKeyInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := exists(owner); err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := owner.RevokeAccess(ended, child); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// TestListTheWay lists above what a share opens.
func TestListTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	owner := w.open(t, "secret")
	if _, err := owner.CreateBucket(t.Context(), bucketName, nil); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a/b/c/object", "a/b2/object", "a/single", "a/hidden", "z"} {
		if _, err := owner.Put(t.Context(), bucketName, key, strings.NewReader(key), nil); err != nil {
			t.Fatal(err)
		}
	}
	var prefixes []SharePrefix
	for _, prefix := range []string{"a/b/c/", "a/b2/", "a/single", "a/not there"} {
		prefixes = append(prefixes, SharePrefix{Bucket: bucketName, Prefix: prefix})
	}
	access := share(t, w.access("secret"), ReadOnlyPermission(), prefixes...)
	guest := w.openAccess(t, w.config(t), access)
	for _, test := range []struct {
		opts ListOptions
		want []string
	}{
		{ListOptions{}, []string{"a/"}},
		{ListOptions{Prefix: "a"}, []string{"a/"}},
		{ListOptions{Prefix: "a/"}, []string{"a/b/", "a/b2/", "a/single"}},
		{ListOptions{Prefix: "a/", Cursor: "a/b/"}, []string{"a/b2/", "a/single"}},
		{ListOptions{Prefix: "a/s"}, []string{"a/single"}},
		{ListOptions{Prefix: "a/b/"}, []string{"a/b/c/"}},
		{ListOptions{Prefix: "a/b/c/"}, []string{"a/b/c/object"}},
	} {
		if got := listAll(t, guest, bucketName, test.opts); !slices.Equal(got, test.want) {
			t.Errorf("%+v: got %q, want %q", test.opts, got, test.want)
		}
	}
	denied := func(p *Project, opts ListOptions, want error) {
		t.Helper()
		list := p.List(t.Context(), bucketName, &opts)
		if list.Next() || !errors.Is(list.Err(), want) {
			t.Errorf("%+v: %v, want %v", opts, list.Err(), want)
		}
	}
	denied(guest, ListOptions{Prefix: "z"}, ErrPermissionDenied)
	denied(guest, ListOptions{Prefix: "a/h"}, ErrPermissionDenied)
	blind := w.openAccess(t, w.config(t), share(t, access, Permission{AllowDownload: true}))
	denied(blind, ListOptions{}, ErrPermissionDenied)
	if err := owner.RevokeAccess(t.Context(), access); err != nil {
		t.Fatal(err)
	}
	denied(guest, ListOptions{}, ErrAPIKeyInvalid)
}
