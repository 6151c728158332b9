package uplink

import (
	"errors"
	"testing"

	"storj/metainfo"
)

// TestSatelliteLiesAboutBuckets has a satellite say of a bucket what it was not asked for: that names are plain there, so
// that it is told them, or that it is another, for which the client would remember it.
func TestSatelliteLiesAboutBuckets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	p := withBucket(t, w, "secret")
	lie := func(change func(*metainfo.Bucket)) {
		hook := func(_ string, resp any) error {
			if b, ok := resp.(*metainfo.Bucket); ok {
				change(b)
			}
			return nil
		}
		w.service.after.Store(&hook)
	}
	ctx := t.Context()
	lie(func(b *metainfo.Bucket) { b.PlainNames = true })
	if _, err := p.CreateBucket(ctx, "fresh", nil); !errors.Is(err, ErrInternal) {
		t.Errorf("made with plain names: %v", err)
	}
	lie(func(b *metainfo.Bucket) { b.Name, b.PlainNames = bucketName, true })
	if _, err := p.StatBucket(ctx, "fresh"); !errors.Is(err, ErrInternal) {
		t.Errorf("another bucket: %v", err)
	}
	if plain, known := p.buckets.get(bucketName); !known || plain {
		t.Errorf("names are plain: %v, known: %v", plain, known)
	}
	w.service.after.Store(nil)
	if b, err := p.StatBucket(ctx, bucketName); err != nil || b.PlainNames {
		t.Errorf("%+v, %v", b, err)
	}
}
