package endpoint_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/metatest"
)

func info(t *testing.T, w *metatest.World, auth metainfo.Auth) error {
	t.Helper()
	_, err := w.Endpoint.ProjectInfo(t.Context(), &metainfo.ProjectInfoRequest{Auth: auth})
	return err
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := metatest.NewWorld(t, metatest.Options{Rate: 10, Burst: 5})
		_, other := w.NewProject(t, "other")
		auth := w.Auth(t)
		for i := range 5 {
			if err := info(t, w, auth); err != nil {
				t.Fatalf("request %d: %v", i, err)
			}
		}
		if err := info(t, w, w.Auth(t, macaroon.Caveat{})); !errors.Is(err, metainfo.ErrRateLimit) {
			t.Errorf("over the burst, with another key of the project: %v", err)
		}
		if err := info(t, w, metatest.Auth(t, other)); err != nil {
			t.Errorf("another project: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
		if err := info(t, w, auth); err != nil {
			t.Errorf("after a tenth of a second: %v", err)
		}
	})
}

func TestRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := metatest.NewWorld(t, metatest.Options{})
		parent, err := w.Key.Restrict(macaroon.Caveat{DisallowDeletes: true})
		if err != nil {
			t.Fatal(err)
		}
		child, sibling := metatest.Auth(t, parent, macaroon.Caveat{}), w.Auth(t, macaroon.Caveat{})
		check := func(when string, wantChild, wantSibling error) {
			t.Helper()
			if err := info(t, w, child); !errors.Is(err, wantChild) || wantChild == nil && err != nil {
				t.Errorf("%s: child %v", when, err)
			}
			if err := info(t, w, sibling); !errors.Is(err, wantSibling) || wantSibling == nil && err != nil {
				t.Errorf("%s: sibling %v", when, err)
			}
		}
		check("before", nil, nil)
		if err := w.DB.RevokeTail(t.Context(), parent.Tail(), time.Now(), time.Time{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // another process would notice by now
		check("parent revoked", metainfo.ErrAPIKey, nil)
		if _, err := w.DB.RevokeAPIKey(t.Context(), w.Project.ID, "key"); err != nil {
			t.Fatal(err)
		}
		w.Endpoint.ForgetKeys() // this process notices at once
		check("root revoked", metainfo.ErrAPIKey, metainfo.ErrAPIKey)
	})
}

// storeWithHook calls after when a read has ended.
type storeWithHook struct {
	kv.Store
	after func()
}

func (s *storeWithHook) View(ctx context.Context, fn func(kv.Tx) error) error {
	err := s.Store.View(ctx, fn)
	if after := s.after; after != nil {
		after()
	}
	return err
}

// TestRevokedWhileLookedUp revokes a key between any two reads of its first use: what was read before must not be
// remembered after.
func TestRevokedWhileLookedUp(t *testing.T) {
	t.Parallel()
	store := new(storeWithHook)
	w := metatest.NewWorld(t, metatest.Options{Wrap: func(inner kv.Store) kv.Store {
		store.Store = inner
		return store
	}})
	parent := w.Auth(t)
	if err := info(t, w, parent); err != nil { // is remembered, so that revoking does not read
		t.Fatal(err)
	}
	const reads = 3
	for at := range reads {
		key, err := w.Key.Restrict(macaroon.Caveat{})
		if err != nil {
			t.Fatal(err)
		}
		auth, done := metatest.Auth(t, key), 0
		store.after = func() {
			if done++; done == at+1 {
				err = w.Endpoint.RevokeAPIKey(t.Context(), &metainfo.RevokeAPIKeyRequest{Auth: parent, APIKey: key.Bytes()})
			}
		}
		_ = info(t, w, auth) // either is right: it ran beside the revocation
		store.after = nil
		if err != nil || done <= at {
			t.Fatalf("revoke after read %d: %v, %d reads", at, err, done)
		}
		if err := info(t, w, auth); !errors.Is(err, metainfo.ErrAPIKey) {
			t.Errorf("revoked after read %d, and remembered: %v", at, err)
		}
		if err := info(t, w, parent); err != nil { // forgotten with it
			t.Fatal(err)
		}
	}
}

func TestUploadTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := metatest.NewWorld(t, metatest.Options{})
		auth := w.Auth(t)
		if _, err := w.Endpoint.CreateBucket(t.Context(), &metainfo.CreateBucketRequest{Auth: auth, Name: "bucket"}); err != nil {
			t.Fatal(err)
		}
		begun, err := w.Endpoint.BeginObject(t.Context(), &metainfo.BeginObjectRequest{Auth: auth, Bucket: "bucket", Key: []byte("k"), Plan: true})
		if err != nil {
			t.Fatal(err)
		}
		begin := func() error {
			_, err := w.Endpoint.BeginSegment(t.Context(), &metainfo.BeginSegmentRequest{Auth: auth, Upload: begun.Upload})
			return err
		}
		time.Sleep(metainfo.MaxUploadAge)
		if err := begin(); err != nil {
			t.Errorf("at the end of its time: %v", err)
		}
		time.Sleep(time.Second)
		if err := begin(); !errors.Is(err, metainfo.ErrUpload) {
			t.Errorf("after its time: %v", err)
		}
		_, err = w.Endpoint.ReplacePieces(t.Context(), &metainfo.ReplacePiecesRequest{Auth: auth, Token: begun.Plan.Token, Numbers: []int{0}})
		if !errors.Is(err, metainfo.ErrUpload) {
			t.Errorf("plan after its time: %v", err)
		}
	})
}
