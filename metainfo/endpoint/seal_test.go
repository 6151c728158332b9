package endpoint

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"storj/ecenc"
	"storj/metainfo"
	"storj/pieces"
)

func testToken() *segmentToken {
	return &segmentToken{
		project: metainfo.ProjectID{1}, bucket: "photos", key: []byte("k"), stream: metainfo.StreamID{2}, position: metainfo.Position{Part: 3, Index: 4},
		root:   pieces.PieceID{5},
		scheme: ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: 29, Repair: 35, Optimal: 80, Total: 110},
	}
}

func TestSealAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSealer(ecenc.Key{1})
		made := time.Now()
		sealed := s.seal(kindSegment, testToken())
		for _, test := range []struct {
			age  time.Duration
			good bool
		}{{0, true}, {time.Hour, true}, {25 * time.Hour, true}, {metainfo.MaxUploadAge, true}, {100 * time.Hour, false}, {10_000 * time.Hour, false}} {
			time.Sleep(test.age - time.Since(made))
			var got segmentToken
			err := s.open(kindSegment, sealed, &got)
			if test.good && (err != nil || !reflect.DeepEqual(&got, testToken())) || !test.good && !errors.Is(err, errSealed) {
				t.Errorf("after %v: %v", test.age, err)
			}
			if len(s.keys) > sealDays {
				t.Errorf("%d keys kept", len(s.keys))
			}
		}
	})
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	s := newSealer(ecenc.Key{1})
	sealed := s.seal(kindSegment, testToken())
	open := func(s *sealer, kind string, b []byte) error { return s.open(kind, b, new(segmentToken)) }
	if err := open(newSealer(ecenc.Key{1}), kindSegment, sealed); err != nil {
		t.Error("another process of the same secret cannot read it:", err)
	}
	if err := open(newSealer(ecenc.Key{2}), kindSegment, sealed); !errors.Is(err, errSealed) {
		t.Error("another secret:", err)
	}
	for _, kind := range []string{kindUpload, kindPart, kindDownload, ""} {
		if err := open(s, kind, sealed); !errors.Is(err, errSealed) {
			t.Errorf("as kind %q: %v", kind, err)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if err := open(s, kindSegment, bad); !errors.Is(err, errSealed) {
			t.Errorf("byte %d altered: %v", i, err)
		}
		if err := open(s, kindSegment, sealed[:i]); !errors.Is(err, errSealed) {
			t.Errorf("cut to %d: %v", i, err)
		}
	}
	if bytes.Contains(sealed, []byte("photos")) || len(sealed) > 512 {
		t.Errorf("%d bytes, or the bucket in the clear", len(sealed))
	}
}

func TestTokenSizes(t *testing.T) {
	t.Parallel()
	s := newSealer(ecenc.Key{1})
	long := time.Now()
	up := uploadToken{bucket: string(bytes.Repeat([]byte("b"), 63)), key: bytes.Repeat([]byte("k"), metainfo.MaxKeySize), created: long, expires: long}
	copy(up.project[:], "0123456789abcdef")
	copy(up.stream[:], "0123456789abcdef")
	if n := len(s.seal(kindUpload, &up)); n > metainfo.MaxKeySize+512 {
		t.Errorf("upload token of %d bytes is over the limit of the wire", n)
	}
	part := partToken{upload: up, number: metainfo.MaxParts, stream: up.stream, created: long}
	part.upload.parts, part.upload.placement = true, 1<<32-1
	if n := len(s.seal(kindPart, &part)); n > metainfo.MaxKeySize+512 {
		t.Errorf("part token of %d bytes is over the limit of the wire", n)
	}
	down := downloadToken{project: up.project, bucket: up.bucket, key: up.key, stream: up.stream, size: 1 << 62, created: long}
	if n := len(s.seal(kindDownload, &down)); n > metainfo.MaxKeySize+512 {
		t.Errorf("download token of %d bytes is over the limit of the wire", n)
	}
}

func FuzzOpenToken(f *testing.F) {
	s := newSealer(ecenc.Key{1})
	f.Add(s.seal(kindSegment, testToken()))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		var token uploadToken
		var part partToken
		if s.open(kindUpload, sealed, &token) == nil || s.open(kindPart, sealed, &part) == nil {
			t.Error("a stranger made a token")
		}
	})
}

func TestEnough(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ required, repair, optimal, want int }{
		{1, 1, 1, 1}, {1, 1, 2, 2}, {2, 3, 4, 4}, {4, 6, 8, 7}, {29, 35, 80, 36}, {4, 4, 4, 4},
	} {
		r := ecenc.Redundancy{Required: test.required, Repair: test.repair, Optimal: test.optimal}
		if got := enough(r); got != test.want {
			t.Errorf("%s needs %d, want %d", r, got, test.want)
		}
	}
}

func TestPutLimit(t *testing.T) {
	t.Parallel()
	for required := 1; required <= 40; required++ {
		r := ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: required, Repair: required, Optimal: required, Total: required}
		limit := putLimit(r)
		for _, size := range []int64{1, 4096, 100_000, 1 << 20, 10_000_000, metainfo.SegmentCipherSize - 1, metainfo.SegmentCipherSize} {
			if piece := r.WithShareSize(size).PieceSize(size); piece > limit || piece > pieces.MaxPieceSize {
				t.Errorf("%d of a segment of %d bytes: piece of %d, limit %d", required, size, piece, limit)
			}
		}
	}
}
