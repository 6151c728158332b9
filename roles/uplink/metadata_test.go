package uplink

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"storj/ecenc"
	"storj/ecenc/cipher"
	"storj/ecenc/keys"
	"storj/ecenc/wire"
	"storj/metainfo"
)

// entries returns n entries of size bytes each, keys and values together.
func entries(n, size int) CustomMetadata {
	m := make(CustomMetadata, n)
	for i := range n {
		key := fmt.Sprintf("%03d", i)
		m[key] = strings.Repeat("v", size-len(key))
	}
	return m
}

func TestVerifyMetadata(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		custom CustomMetadata
		valid  bool
	}{
		{"nil", nil, true},
		{"plain", CustomMetadata{"content-type": "text/plain", "empty": ""}, true},
		{"unicode", CustomMetadata{"größe": "ö\n\t"}, true},
		{"largest", entries(1, MaxMetadataSize), true},
		{"too large", entries(1, MaxMetadataSize+1), false},
		{"too large together", entries(3, MaxMetadataSize/2), false},
		{"most entries", entries(maxEntries, 4), true},
		{"too many entries", entries(maxEntries+1, 4), false},
		{"empty key", CustomMetadata{"": "x"}, false},
		{"key not UTF-8", CustomMetadata{"\xff": "x"}, false},
		{"value not UTF-8", CustomMetadata{"x": "a\xc0"}, false},
		{"NUL in key", CustomMetadata{"a\x00": "x"}, false},
		{"NUL in value", CustomMetadata{"a": "\x00"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := test.custom.Verify()
			if test.valid != (err == nil) || err != nil && !errors.Is(err, ErrMetadataInvalid) {
				t.Errorf("got %v, want valid %t", err, test.valid)
			}
		})
	}
}

func TestCloneMetadata(t *testing.T) {
	t.Parallel()
	m := CustomMetadata{"a": "1"}
	c := m.Clone()
	c["a"] = "2"
	if m["a"] != "1" {
		t.Error("a clone shares its entries")
	}
}

// TestSealedMetadataFits holds that whatever Verify allows, the satellite takes.
func TestSealedMetadataFits(t *testing.T) {
	t.Parallel()
	for name, custom := range map[string]CustomMetadata{
		"one large": entries(1, MaxMetadataSize),
		"many":      entries(maxEntries, MaxMetadataSize/maxEntries),
	} {
		if err := custom.Verify(); err != nil {
			t.Fatal(err)
		}
		s := &seal{segments: 1<<32 - 1, plainSize: 1<<63 - 1, segmentSize: 1<<63 - 1, custom: custom}
		box, err := sealMetadata(ecenc.Key{1}, s)
		if err != nil || len(box) > metainfo.MaxMetadataSize {
			t.Errorf("%s: %d bytes sealed, %v; the satellite takes %d", name, len(box), err, metainfo.MaxMetadataSize)
		}
	}
	if got := len(mustWrap(t, keys.NewAccess(ecenc.Key{1}), "bucket", "key", ecenc.Key{2})); got > metainfo.MaxWrappedKeySize {
		t.Errorf("wrapped key of %d bytes, the satellite takes %d", got, metainfo.MaxWrappedKeySize)
	}
}

func mustWrap(t *testing.T, access *keys.Access, bucket, key string, content ecenc.Key) []byte {
	t.Helper()
	wrapped, err := wrapKey(access, bucket, key, content)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

func TestUnwrapKey(t *testing.T) {
	t.Parallel()
	mine, other := keys.NewAccess(ecenc.Key{1}), keys.NewAccess(ecenc.Key{2})
	content := ecenc.Key{9, 9}
	wrapped := mustWrap(t, mine, "photos", "2026/cat.jpg", content)
	if got, err := unwrapKey(mine, "photos", "2026/cat.jpg", wrapped); err != nil || got != content {
		t.Fatalf("own key: %v", err)
	}
	shared, err := mine.Restrict("photos", "2026/")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unwrapKey(shared, "photos", "2026/cat.jpg", wrapped); err != nil || got != content {
		t.Errorf("key by a shared prefix: %v", err)
	}
	tests := []struct {
		name    string
		access  *keys.Access
		bucket  string
		key     string
		wrapped []byte
		want    error
	}{
		{"other passphrase", other, "photos", "2026/cat.jpg", wrapped, ErrWrongPassphrase},
		{"other key", mine, "photos", "2026/dog.jpg", wrapped, ErrWrongPassphrase},
		{"other bucket", mine, "videos", "2026/cat.jpg", wrapped, ErrWrongPassphrase},
		{"outside the prefix", shared, "photos", "2025/cat.jpg", wrapped, ErrPermissionDenied},
		{"nothing", mine, "photos", "2026/cat.jpg", nil, ErrWrongPassphrase},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := unwrapKey(test.access, test.bucket, test.key, test.wrapped)
			if !errors.Is(wrap("test", err), test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestOpenMetadataComparesSizes(t *testing.T) {
	t.Parallel()
	content := ecenc.Key{3}
	s := &seal{segments: 3, plainSize: 1000, segmentSize: 400, custom: CustomMetadata{"b": "2", "a": "1"}}
	box, err := sealMetadata(content, s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := openMetadata(content, &metainfo.Object{Segments: 3, PlainSize: 1000, Metadata: box})
	if err != nil || got.segmentSize != 400 || !maps.Equal(got.custom, s.custom) {
		t.Fatalf("got %+v, %v", got, err)
	}
	flipped := append([]byte(nil), box...)
	flipped[20] ^= 1
	later, err := cipher.SealBox(content, metadataPurpose, []byte{0xff})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		key    ecenc.Key
		record metainfo.Object
		want   error
	}{
		{"cut short", content, metainfo.Object{Segments: 2, PlainSize: 800, Metadata: box}, ErrCorrupt},
		{"fewer segments", content, metainfo.Object{Segments: 2, PlainSize: 1000, Metadata: box}, ErrCorrupt},
		{"altered", content, metainfo.Object{Segments: 3, PlainSize: 1000, Metadata: flipped}, ErrCorrupt},
		{"of another object", ecenc.Key{4}, metainfo.Object{Segments: 3, PlainSize: 1000, Metadata: box}, ErrCorrupt},
		{"missing", content, metainfo.Object{Segments: 3, PlainSize: 1000}, ErrCorrupt},
		{"unreadable", content, metainfo.Object{Metadata: later}, ErrInternal},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := openMetadata(test.key, &test.record); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func FuzzSeal(f *testing.F) {
	f.Add(wire.Marshal(&seal{segments: 1, plainSize: 5, segmentSize: 9, custom: CustomMetadata{"a": "1", "b": ""}}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s, again seal
		if wire.Unmarshal(raw, &s) != nil {
			return
		}
		if err := wire.Unmarshal(wire.Marshal(&s), &again); err != nil {
			t.Fatalf("written again it does not read: %v", err)
		}
		if s.segments != again.segments || s.plainSize != again.plainSize || !maps.Equal(s.custom, again.custom) {
			t.Fatalf("%+v became %+v", s, again)
		}
	})
}
